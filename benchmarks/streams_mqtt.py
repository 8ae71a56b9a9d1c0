"""How many records a second get through the node `mqtt`: a real Mosquitto, QoS 1, read, on disk, acknowledged.

A record is a JSON object of three values; a message is a list of 1,000 of them, as gateways batch them. One message a value,
as small devices send, is told beside it. What was published is counted again in the journal at the end.

`python -m benchmarks.streams_mqtt [--records 500000]`; exit code 1 if the aim is missed or a record is.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from benchmarks.common import Figure, machine, outcome, running
from benchmarks.streams_http import NODE, Rates, cpu, on_disk
from sisock.testing.router import free_port

AIM = 100_000  # records a second
BATCH = 1_000
FIELDS = 3
_SINGLE = 20_000  # messages of one value
_BEGIN = 1_700_000_000 * 10**9
_WITHIN = 300.0  # seconds
_COUNTING = """
node.interval = 0.1
def count(frame):
    if "mqtt.messages" in frame.columns:
        (node.home / "new").write_text(str(frame.columns["mqtt.messages"].values[0]))
        (node.home / "new").rename(node.home / "messages")
"""
_CONFIG = "listener {port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\nmax_inflight_messages 200\n"


def payload(number: int) -> bytes:
    """One message of many records; all times are different."""
    rng = random.Random(number)
    first = _BEGIN + number * BATCH * 10**6
    rows = [
        {"time": first + i * 10**6, "idle": rng.random(), "user": rng.random(), "n": rng.randrange(10**6)}
        for i in range(BATCH)
    ]
    return json.dumps(rows).encode()


def measured(folder: Path, payloads: list[bytes], rows: int) -> Rates:
    """Samples a second of messages of so many rows. Raises RuntimeError where not all come to disk."""
    port = free_port()
    (folder / "config").write_text(_CONFIG.format(port=port))
    program = NODE.format(module="data_nodes.mqtt.node", name="Mqtt", options=f"port={port}", home=str(folder))
    program = program.replace("async def main", f"{_COUNTING}async def main").replace("lambda frame: None", "count")
    broker = subprocess.Popen(["mosquitto", "-c", folder / "config"], stderr=subprocess.DEVNULL)
    try:
        with running([sys.executable, "-c", program], {}) as node:
            client = _client(port)
            while not _taken(folder):
                client.publish("ready", b"1", qos=1).wait_for_publish(10)
                time.sleep(0.2)
            before, began, busy = _taken(folder), time.perf_counter(), cpu(node.pid)
            for each in payloads:
                client.publish("bench/cpu", each, qos=1)
            _wait(lambda: _taken(folder) >= before + len(payloads))
            took, busy = time.perf_counter() - began, cpu(node.pid) - busy
            client.disconnect()
            client.loop_stop()
    finally:
        broker.terminate()
        broker.wait(30)
    there, count = on_disk(folder, "bench/cpu"), len(payloads) * rows
    if there != count:
        raise RuntimeError(f"{there} samples are on disk of {count}")
    return Rates(count / took, count / busy)


def _client(port: int) -> paho.Client:
    client = paho.Client(CallbackAPIVersion.VERSION2)
    client.max_inflight_messages_set(200)
    _wait(lambda: _reached(client, port))
    client.loop_start()
    _wait(client.is_connected)
    return client


def _reached(client: paho.Client, port: int) -> bool:
    try:
        client.connect("127.0.0.1", port)
    except OSError:
        return False
    return True


def _taken(folder: Path) -> int:
    """Messages that the node has on disk, as it told last."""
    try:
        return int((folder / "messages").read_text())
    except FileNotFoundError:
        return 0


def _wait(true: Callable[[], bool]) -> None:
    until = time.monotonic() + _WITHIN
    while not true():
        if time.monotonic() > until:
            raise RuntimeError("not all came to disk")
        time.sleep(0.02)


def figures(given: argparse.Namespace) -> list[Figure]:
    """Records a second, and single values."""
    count = max(1, int(given.records) // BATCH)
    with tempfile.TemporaryDirectory() as name:
        batched = measured(Path(name), [payload(number) for number in range(count)], BATCH)
    with tempfile.TemporaryDirectory() as name:
        single = measured(Path(name), [f"{number}.5".encode() for number in range(_SINGLE)], 1)
    print(f"messages of {BATCH:,} records, {FIELDS} values each: {batched.rate * FIELDS / 1e3:.0f} thousand values/s")
    print(
        f"one value a message: {single.rate / 1e3:.1f} thousand messages/s, {single.by_core / 1e3:.1f} by a second of a core"
    )
    return [
        Figure("JSON records over MQTT", batched.rate / 1e3, AIM / 1e3, "thousand records/s", at_least=True),
        Figure(
            "the same by a second of one core of the node",
            batched.by_core / 1e3,
            AIM / 1e3,
            "thousand records",
            at_least=True,
        ),
    ]


def options(parser: argparse.ArgumentParser) -> None:
    """What can be chosen."""
    parser.add_argument("--records", type=float, default=500_000, help="how many to publish")


def main() -> int:
    """Print the figures; the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    options(parser)
    told = figures(parser.parse_args())
    print(machine())
    return outcome(told)


if __name__ == "__main__":
    sys.exit(main())
