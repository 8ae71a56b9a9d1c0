"""CoAP: 500 confirmable POSTs a second of many devices, each acknowledged when it is on disk.

The gateway is a process of its own, with its journal; each device has a socket of its own, counts its messages and sends
the next when the last is answered. Afterwards every message is looked for on disk. The peer in the same run is libcoap's
example server (Debian: libcoap3-bin), which is written in C, keeps the last message in memory, and nothing on disk.

`python -m benchmarks.streams_coap [--rate 500] [--devices 100] [--seconds 20] [--dtls]`; exit code 1 if an aim is missed
or a message is. With `--dtls` each device has a key, and says everything encrypted.
"""

import argparse
import asyncio
import contextlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import psutil

from benchmarks.common import Figure, end, machine, outcome, table
from data_nodes.coap import access
from data_nodes.coap.node import Coap
from sisock.store.journal import Journal
from tests.dtls import Client

PEER = "coap-server-notls"
CON, ACK, POST, PUT = 0, 2, 2, 3
DONE = (0x41, 0x44)  # 2.01 Created, 2.04 Changed
_PATIENCE = 2.0  # seconds without an answer after which a device sends again


class Run(NamedTuple):
    """How long each message waited for its answer, in s; how many a second there were, and how many were sent again."""

    waits: Any
    rate: float
    again: int


class Device(asyncio.DatagramProtocol):
    """Sends confirmable messages one after the other, and answers what the server wants to be acknowledged."""

    def __init__(self, method: int, path: str, token: bytes) -> None:
        """Send to this path by this method."""
        self.again = 0
        self._head = method, path.encode(), token
        self._number, self._answered = 0, asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self.transport: Any = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        """Take the answer, which comes in the acknowledgement or by itself."""
        kind, code, number = data[0] >> 4 & 3, data[1], int.from_bytes(data[2:4], "big")
        if kind == CON:
            self.pass_on(bytes([0x40 | ACK << 4, 0]) + data[2:4])
        if code in DONE and (kind == CON or number == self._number & 0xFFFF):
            self._answered.set()
        elif code:
            raise AssertionError(f"answered with {code >> 5}.{code & 31:02}: {data!r}")

    def error_received(self, exc: Exception) -> None:
        """Nobody is there yet: it is sent again."""

    def pass_on(self, message: bytes) -> None:
        """Send a message once."""
        self.transport.sendto(message)

    async def send(self, payload: bytes) -> float:
        """Send until it is answered; the seconds that took."""
        self._number += 1
        self._answered.clear()
        datagram, began = self._datagram(payload), time.perf_counter()
        while True:
            self.pass_on(datagram)
            try:
                async with asyncio.timeout(_PATIENCE):
                    await self._answered.wait()
            except TimeoutError:
                self.again += 1
                continue
            return time.perf_counter() - began

    def _datagram(self, payload: bytes) -> bytes:
        method, path, token = self._head
        options = [(11, each) for each in path.split(b"/")]
        if method == POST:
            options.append((15, b"seq=%d" % self._number))
        head = bytes([0x40 | len(token), method]) + (self._number & 0xFFFF).to_bytes(2, "big") + token
        return head + _options(options) + b"\xff" + payload


class SecureDevice(Device):
    """The same over DTLS."""

    def __init__(self, method: int, path: str, token: bytes, identity: bytes, key: bytes) -> None:
        """Prove to be this device by its key."""
        super().__init__(method, path, token)
        self._client, self._welcome = Client(identity, key), False

    def datagram_received(self, data: bytes, addr: Any) -> None:
        """Take an answer, or go on with the handshake."""
        self._client.take(data)
        if self._welcome:
            super().datagram_received(self._client.heard(), addr)
        else:
            self._welcome = self._client.shake()
            self._flush()

    def pass_on(self, message: bytes) -> None:
        """Encrypt a message, and send it once; until it is welcome it goes on with its greeting."""
        if self._welcome:
            self._client.say(message)
        else:
            self._client.again()
        self._flush()

    def _flush(self) -> None:
        while self._client.sent:
            self.transport.sendto(self._client.sent.popleft())


def _options(options: list[tuple[int, bytes]]) -> bytes:
    """Options of up to 255 bytes each, in the order of their numbers."""
    written, before = b"", 0
    for number, value in options:
        long = len(value) >= 13
        written += bytes([(number - before) << 4 | (13 if long else len(value))])
        written += (bytes([len(value) - 13]) if long else b"") + value
        before = number
    return written


async def run(
    port: int, method: int, path: str, rate: float, devices: int, seconds: float, keys: Sequence[str] = ()
) -> Run:
    """Devices send at a rate for a time. `path` has a place for a device's number; with keys they speak DTLS."""
    loop = asyncio.get_running_loop()

    def made_for(number: int) -> Device:
        common = method, path.format(number), b"d%03d" % number
        return SecureDevice(*common, b"device-%d" % number, keys[number].encode()) if keys else Device(*common)

    made = []
    for number in range(devices):
        factory = lambda n=number: made_for(n)  # noqa: E731
        made.append((await loop.create_datagram_endpoint(factory, remote_addr=("127.0.0.1", port)))[1])
    await made[0].send(b"0")  # which waits for the server
    if keys:
        await asyncio.gather(*(each.send(b"0") for each in made[1:]))  # and for each to be welcome
    for device in made:
        device.again = 0
    begin, step = loop.time() + 0.1, devices / rate
    each = round(seconds / step)

    async def work(number: int, device: Device) -> list[float]:
        waits = []
        for turn in range(each):
            await asyncio.sleep(max(0.0, begin + number / rate + turn * step - loop.time()))
            waits.append(await device.send(b"%d.5" % turn))
        return waits

    waits = await asyncio.gather(*(work(number, device) for number, device in enumerate(made)))
    took = loop.time() - begin
    for device in made:
        device.transport.close()
    return Run(np.concatenate(waits), each * devices / took, sum(device.again for device in made))


def serve(home: Path, port: int, dtls_port: int) -> None:
    """Be the gateway."""
    node = Coap(port=port, dtls_port=dtls_port, unknown="open", rate=0)
    node.home = home
    service = node.service(journal=lambda: Journal(home / "coap.sqlite", patient=True))
    asyncio.run(service.run(lambda frame: None))


@contextlib.contextmanager
def process(*argv: str) -> Iterator[subprocess.Popen[bytes]]:
    """A program for as long as the block lasts."""
    running = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        yield running
    finally:
        end(running)


def free_port() -> int:
    """A UDP port that nobody has."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as trial:
        trial.bind(("127.0.0.1", 0))
        return int(trial.getsockname()[1])


def kept(home: Path) -> int:
    """How many values of devices are on disk."""
    journal, count = Journal(home / "coap.sqlite"), 0
    try:
        batch = journal.read_from(None, 0)
        while batch.frames:
            count += sum(len(frame) for frame in batch.frames if frame.timeline.startswith("device-"))
            batch = journal.read_from(batch.epoch, batch.position)
        return count
    finally:
        journal.close()


def measured(home: Path, rate: float, devices: int, seconds: float, *, dtls: bool) -> tuple[Run, str, int]:
    """The gateway's run, what it cost, and how many messages are missing on disk."""
    port, secure = free_port(), free_port() if dtls else 0
    keys = [access.make_key(home / "coap" / "coap", f"device-{number}") for number in range(devices)] if dtls else []
    argv = (sys.executable, "-m", "benchmarks.streams_coap", "--serve", str(home), str(port), str(secure))
    with process(*argv) as gateway:
        own = asyncio.run(run(secure or port, POST, "ingest/device-{}", rate, devices, seconds, keys))
        memory, cpu = psutil.Process(gateway.pid).memory_info().rss / 2**20, psutil.Process(gateway.pid).cpu_times()
    cost = f"the gateway took {memory:.0f} MiB, and {(cpu.user + cpu.system) / len(own.waits) * 1e3:.2f} ms of CPU a message"
    return own, cost, len(own.waits) + max(1, len(keys)) - kept(home)


def main() -> int:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=float, default=500.0)
    parser.add_argument("--devices", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--dtls", action="store_true", help="each device has a key, and says everything encrypted")
    parser.add_argument("--serve", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        serve(Path(given.serve[0]), *map(int, given.serve[1:]))
        return 0
    with tempfile.TemporaryDirectory() as home:
        own, cost, missing = measured(Path(home), given.rate, given.devices, given.seconds, dtls=given.dtls)
    rows = [["", "POST/s", "p50 ms", "p95 ms", "max ms", "sent again"], _row("gateway, on disk", own)]
    if shutil.which(PEER):
        port = free_port()
        with process(PEER, "-A", "127.0.0.1", "-p", str(port), "-d", "1000"):
            rows.append(
                _row(
                    "libcoap, in memory",
                    asyncio.run(run(port, PUT, "example_data", given.rate, given.devices, given.seconds)),
                )
            )
    figures = [
        Figure("rate", own.rate, 0.95 * given.rate, "POST/s", at_least=True),
        Figure("p95", float(np.quantile(own.waits, 0.95)) * 1e3, 250, "ms"),
        Figure("missing on disk, or there twice", abs(missing), 0, "messages"),
    ]
    print(machine(), table(rows), cost, sep="\n\n", end="\n\n")
    return outcome(figures)


def _row(what: str, of: Run) -> list[str]:
    p50, p95, most = (f"{value * 1e3:.1f}" for value in np.quantile(of.waits, (0.5, 0.95, 1)))
    return [what, f"{of.rate:.0f}", p50, p95, most, str(of.again)]


if __name__ == "__main__":
    sys.exit(main())
