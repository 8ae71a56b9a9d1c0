"""A network of a test's own: each part in a network namespace, at the end of a wire that can be cut, slow and lossy.

A wire is a pair of TUN devices, one here and one in the namespace, between which a thread carries packets: both ends are
real kernels with real TCP. It needs root, `ip` and /dev/net/tun. All wires end at one address here, where the router listens;
addresses are of the range that is set apart for such tests (RFC 2544).
"""

import contextlib
import errno
import fcntl
import heapq
import os
import random
import select
import shutil
import struct
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_TUNSETIFF, _IFF_TUN, _IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
_MOST = 2**20  # bytes on their way in one direction, beyond which packets are lost


class Quality(NamedTuple):
    """How a wire is in one direction."""

    delay: float = 0.0  # seconds
    jitter: float = 0.0  # seconds at most on top; packets overtake one another
    loss: float = 0.0  # of 1
    rate: float = float("inf")  # bytes a second


GOOD, CUT = Quality(), Quality(loss=1.0)


def possible() -> str:
    """Why there can be no such network here, or nothing."""
    if os.geteuid() != 0:
        return "not root"
    missing = [each for each in ("ip", "ss", "nsenter") if not shutil.which(each)]
    if missing:
        return f"no {missing[0]}"
    return "" if Path("/dev/net/tun").exists() else "no /dev/net/tun"


class _Way:
    """One direction of a wire: packets wait until they are due."""

    def __init__(self, source: int, sink: int) -> None:
        self.source, self.sink, self.quality = source, sink, GOOD
        self._waiting: list[tuple[float, int, bytes]] = []
        self._size = self._number = 0
        self._free = 0.0  # when the wire has sent what came before

    @property
    def due(self) -> float:
        return self._waiting[0][0] if self._waiting else float("inf")

    def take(self, now: float) -> None:
        """Take up what has come."""
        quality = self.quality
        with contextlib.suppress(BlockingIOError):
            while packet := os.read(self.source, 65536):
                if random.random() < quality.loss or self._size > _MOST:
                    continue
                self._free = max(now, self._free) + len(packet) / quality.rate
                due = self._free + quality.delay + random.random() * quality.jitter
                self._number += 1
                self._size += len(packet)
                heapq.heappush(self._waiting, (due, self._number, packet))

    def give(self, now: float) -> None:
        """Hand on what is due."""
        while self._waiting and self._waiting[0][0] <= now:
            _, _, packet = heapq.heappop(self._waiting)
            self._size -= len(packet)
            with contextlib.suppress(OSError):  # a kernel takes it or not
                os.write(self.sink, packet)

    def be(self, quality: Quality) -> None:
        """Change; what waits for a slow wire goes when it is good again."""
        self.quality, self._free = quality, 0.0


class Wires:
    """Wires by the names of the parts at their ends."""

    def __init__(self) -> None:
        """Number the namespaces by this process."""
        number = os.getpid()
        self.address = f"198.18.{number % 250}.1"
        self._prefix = f"sisock{number % 10**5}"
        self._ends: dict[str, int] = {}  # name -> number
        self._ways: dict[str, tuple[_Way, _Way]] = {}  # from the part, to the part
        self._files: list[int] = []
        self._woken, self._wake = os.pipe2(os.O_NONBLOCK)
        self._thread = threading.Thread(target=self._carry, daemon=True)
        self._over = False

    def start(self, names: list[str]) -> None:
        """Make a wire for each of these."""
        for number, name in enumerate(names, 2):
            self._ends[name] = number
            space, other = self.space(name), f"198.18.{os.getpid() % 250}.{number}"
            _run("ip", "netns", "add", space)
            here, there = self._device(f"{self._prefix}h{number}"), self._device(f"{self._prefix}n{number}")
            _run("ip", "link", "set", f"{self._prefix}n{number}", "netns", space)
            _address(f"{self._prefix}h{number}", self.address, other)
            _address(f"{self._prefix}n{number}", other, self.address, "-n", space)
            _run("ip", "-n", space, "link", "set", "lo", "up")
            self._ways[name] = _Way(there, here), _Way(here, there)
        self._thread.start()

    def space(self, name: str) -> str:
        """The network namespace of a part."""
        return f"{self._prefix}n{self._ends[name]}"

    def prefix(self, name: str) -> list[str]:
        """What goes before a command that shall run there."""
        return ["nsenter", f"--net=/run/netns/{self.space(name)}", "--"]

    def be(self, name: str, out: Quality, back: Quality) -> None:
        """Let the wire of a part be so, in the direction from it and to it."""
        for way, quality in zip(self._ways[name], (out, back), strict=True):
            way.be(quality)
        os.write(self._wake, b".")

    def reset(self, name: str, port: int, *, here: bool) -> None:
        """Reset the part's connections to a port of the router, at its own end or here."""
        where = ["-K", "-t", "state", "established"]
        other = f"198.18.{os.getpid() % 250}.{self._ends[name]}"
        match = ["dst", other, "sport", "=", f":{port}"] if here else ["dport", "=", f":{port}"]
        _run(*([] if here else self.prefix(name)), "ss", *where, *match)

    def end(self) -> None:
        """Take all of it away."""
        self._over = True
        os.write(self._wake, b".")
        if self._thread.is_alive():
            self._thread.join(5)
        for name in self._ends:
            subprocess.run(["ip", "netns", "del", self.space(name)], capture_output=True, timeout=20, check=False)
        for file in (*self._files, self._woken, self._wake):
            os.close(file)

    def _device(self, name: str) -> int:
        file = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        self._files.append(file)
        fcntl.ioctl(file, _TUNSETIFF, struct.pack("16sH22x", name.encode(), _IFF_TUN | _IFF_NO_PI))
        return file

    def _carry(self) -> None:
        ways = {way.source: way for pair in self._ways.values() for way in pair}
        poll = select.epoll()
        for source in (*ways, self._woken):
            poll.register(source, select.EPOLLIN)
        while not self._over:
            due = min((way.due for way in ways.values()), default=float("inf"))
            ready = poll.poll(min(1.0, max(0.0, due - time.monotonic())))
            now = time.monotonic()
            for source, _ in ready:
                if source == self._woken:
                    os.read(self._woken, 4096)
                else:
                    ways[source].take(now)
            for way in ways.values():
                way.give(now)
        poll.close()


@contextlib.contextmanager
def wired(names: list[str]) -> Iterator[Wires]:
    """Wires to these parts for as long as the block lasts."""
    wires = Wires()
    try:
        wires.start(names)
        yield wires
    finally:
        wires.end()


def _address(device: str, own: str, peer: str, *where: str) -> None:
    _run("ip", *where, "addr", "add", own, "peer", peer, "dev", device)
    _run("ip", *where, "link", "set", device, "up")


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    if done.returncode:
        raise OSError(errno.EIO, f"{' '.join(command)}: {done.stderr.strip()}")
