"""The parts of a fleet, each at the end of a wire of its own and on small disks, and what can happen to them.

Processes are killed and stopped. Their surroundings fail: connections are reset, wires are cut or slow, disks are full.
What happens is chosen by a generator, so that a seed repeats it.
"""

import asyncio
import contextlib
import os
import random
import signal
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil

from sisock.testing.router import free_port
from tests.fleet import Fleet, running_fleet
from tests.wires import CUT, Quality, Wires, possible, wired

HOUSES = [f"house{number}" for number in range(4)]
NODES = [f"{house}-{number}" for house in HOUSES for number in range(5)]
WIRED = ["hub", "bridge", "recorder", *HOUSES]
PARTS = ["router", *WIRED]
LONGEST = 8.0  # seconds of a fault of the surroundings: longer than ping interval and timeout
ROOM = 2**30  # bytes of a disk
CODE = '''
import time
from sisock.nodes import LiveNode


class Signal(LiveNode):
    """Counts from one on in each run."""

    interval = 0.2
    count = 0
    life = int(time.time() * 1000)

    def sample(self):
        self.count += 1
        return {"run": self.life, "count": self.count}

'''
CODE += "".join(f"\nclass {{house}}_{number}(Signal):\n    name = '{{house}}-{number}'\n" for number in range(5))
CODE += "\ndel Signal\n"


class Disk:
    """A disk of its own that can be full: a tmpfs, which may shrink to what it holds."""

    def __init__(self, path: Path) -> None:
        """Mount it here."""
        self.path = path
        path.mkdir(parents=True, mode=0o700)
        _run("mount", "-t", "tmpfs", "-o", f"size={ROOM},mode=700", "tmpfs", str(path))

    def fill(self, left: int) -> None:
        """Leave so many bytes."""
        while True:  # somebody may write just now
            is_ = os.statvfs(self.path)
            size = (is_.f_blocks - is_.f_bfree) * is_.f_frsize + left
            with contextlib.suppress(OSError):
                return self._resize(size)

    def free(self) -> None:
        """Have room again."""
        self._resize(ROOM)

    def end(self) -> None:
        """Take it away, whoever still has it open."""
        _run("umount", "-l", str(self.path))

    def _resize(self, size: int) -> None:
        _run("mount", "-o", f"remount,size={size}", str(self.path))


class Parts:
    """What faults happen to: processes, and their surroundings where this machine can make them fail."""

    def __init__(self, fleet: Fleet, wires: Wires | None, disks: Sequence[Disk]) -> None:
        """All of it has been made."""
        self.fleet, self._wires, self._disks = fleet, wires, disks

    def start(self, name: str) -> None:
        """Start a part."""
        if name == "router":
            self.fleet.router.start()
        elif name == "hub":
            self.fleet.hub()
        elif name == "bridge":
            self.fleet.run("bridge", "-m", "grafana_json")
        elif name == "recorder":
            self.fleet.run("recorder", "-m", "sisock", "node", "recorder")
        else:
            self.fleet.node(name, CODE.replace("{house}", name))

    def process(self, name: str) -> "psutil.Process":
        """The part's own process."""
        process = self.fleet.router.process if name == "router" else self.fleet.processes[name]
        assert process is not None
        return psutil.Process(process.pid)

    # what happens to processes

    async def harm_process(self, chance: random.Random) -> str:
        """Kill a part and start it again, or stop it for a while; say which."""
        name, pause = chance.choice(PARTS), chance.uniform(0.5, 4)
        if chance.random() < 0.5:
            await asyncio.to_thread(self._kill, name)
            return f"kill {name}"
        self._send(name, signal.SIGSTOP)
        await asyncio.sleep(pause)
        self._send(name, signal.SIGCONT)
        return f"stop {name} for {pause:.1f} s"

    def _kill(self, name: str) -> None:
        if name == "router":
            self.fleet.router.kill()
        else:
            self.fleet.kill(name)
        self.start(name)

    def _send(self, name: str, what: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, psutil.NoSuchProcess):
            os.killpg(self.process(name).pid, what)

    # what happens around them

    async def harm_surroundings(self, chance: random.Random) -> str:
        """Reset connections, cut a wire or make it slow, or fill a disk; say which."""
        kinds = [self._reset, self._cut, self._slow] * bool(self._wires) + [self._fill] * bool(self._disks)
        return await chance.choice(kinds)(chance) if kinds else "nothing"

    async def _reset(self, chance: random.Random) -> str:
        name, here = chance.choice(WIRED), chance.random() < 0.5
        assert self._wires is not None
        await asyncio.to_thread(self._wires.reset, name, self.fleet.settings.router_port, here=here)
        return f"reset {name}, {'at the router' if here else 'at its own end'}"

    async def _cut(self, chance: random.Random) -> str:
        name, pause = chance.choice(WIRED), chance.uniform(0.5, LONGEST)
        which = chance.choice(["both ways", "from it", "to it"])
        with self._quality(name, *((Quality() if which == other else CUT) for other in ("to it", "from it"))):
            await asyncio.sleep(pause)
        return f"cut {name}, {which}, for {pause:.1f} s"

    async def _slow(self, chance: random.Random) -> str:
        name, pause = chance.choice(WIRED), chance.uniform(0.5, 2 * LONGEST)
        quality = Quality(
            delay=chance.uniform(0, 0.3), jitter=chance.uniform(0, 0.1), loss=chance.choice([0, 0.02, 0.1]),
            rate=10 ** chance.uniform(3.5, 6),
        )  # fmt: skip
        with self._quality(name, quality, quality):
            await asyncio.sleep(pause)
        told = f"{quality.delay:.2f} s + {quality.jitter:.2f} s, {quality.loss:.0%} lost, {quality.rate / 1e3:.0f} kB/s"
        return f"slow {name} for {pause:.1f} s: {told}"

    async def _fill(self, chance: random.Random) -> str:
        disk, pause = chance.choice(self._disks), chance.uniform(0.5, LONGEST)
        left = chance.choice([0, 4096, 65536, 2**20])
        await asyncio.to_thread(disk.fill, left)
        try:
            await asyncio.sleep(pause)
        finally:
            disk.free()
        return f"fill {disk.path.name} but for {left} bytes for {pause:.1f} s"

    @contextlib.contextmanager
    def _quality(self, name: str, out: Quality, back: Quality) -> Iterator[None]:
        assert self._wires is not None
        self._wires.be(name, out, back)
        try:
            yield
        finally:
            self._wires.be(name, Quality(), Quality())


@contextlib.contextmanager
def running_parts(folder: Path) -> Iterator[Parts]:
    """All parts, for as long as the block lasts. Without root their surroundings do not fail."""
    principals: dict[str, Any] = {**dict.fromkeys(NODES, "data_node"), "recorder": "recorder"}
    options: dict[str, Any] = {"bridge_port": free_port(), "ring": 2**16}
    with contextlib.ExitStack() as stack:
        wires, disks = None, []
        if not possible():
            wires = stack.enter_context(wired(WIRED))
            options |= {"interface": wires.address, "plaintext": True}
            for path in ("journals", "archive"):
                disks.append(Disk(folder / "state" / path))
                stack.callback(disks[-1].end)
        within = {name: wires.prefix(name) for name in WIRED} if wires else {}
        if wires:
            within["bridge"] += ["env", "SISOCK_INTERFACE=127.0.0.1"]  # beyond loopback it wants a token
        fleet = stack.enter_context(running_fleet(folder, principals, within, **options))
        parts = Parts(fleet, wires, disks)
        for name in ("bridge", "recorder", *HOUSES):
            parts.start(name)
        yield parts


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    if done.returncode:
        raise OSError(f"{' '.join(command)}: {done.stderr.strip()}")
