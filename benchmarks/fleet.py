"""A thousand data nodes and two hundred consumers at one router and one hub.

The nodes run as they are shipped, many in one process (`sisock node FILE.py`), each with a key and a connection of its own;
the consumers are sessions of their own in a few processes. Then 50 more nodes come and go, half of them saying goodbye
and half just ending, and each consumer says when it heard of it; at last the router is killed and started again.
Times are of one clock, which all processes of a machine share.

`python -m benchmarks.fleet [--nodes 1000] [--consumers 200]`; exit code 1 if a figure is missed.
"""

import argparse
import asyncio
import contextlib
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import psutil

from benchmarks.common import Figure, machine, outcome
from benchmarks.crowds import CROWDS, PATIENCE, Crowds, crowds, quietly
from sisock.consumer import Consumer, ConsumerError
from sisock.keys import ensure_key, ensure_principal
from sisock.nodes import LiveNode
from sisock.serving import Serving
from sisock.settings import Settings
from tests.fleet import Fleet, running_fleet

HOUSES = 10  # processes of nodes
GUESTS = 50  # nodes that come and go
CODE = '''
from sisock.nodes import LiveNode
from sisock.program import keep_many_open


class Signal(LiveNode):
    """Counts, once a minute."""

    interval = 60.0
    count = 0

    def sample(self):
        self.count += 1
        return {"count": self.count}


for name in NAMES:
    globals()[name] = type(name, (Signal,), {"name": name, "__module__": __name__})
del Signal
'''


# nodes that come and go -------------------------------------------------------------------------


class Guest(Serving):
    """A node that comes and goes, and notes when it told the hub."""

    announced = left = 0  # ns
    polite = True

    async def _announce(self) -> bool:
        self.announced = self.announced or time.monotonic_ns()
        return await super()._announce()

    async def _leave(self) -> None:
        self.left = time.monotonic_ns()
        if self.polite:
            await super()._leave()


class Visit(NamedTuple):
    """When a guest told the hub that it is here, and when it went, ns."""

    name: str
    added: int
    subtracted: int


async def visits(settings: Settings) -> list[Visit]:
    """Let all guests come and go, one after the other."""
    made = []
    for number in range(GUESTS):
        kind = type(f"Guest{number}", (LiveNode,), {"name": f"guest{number}", "sample": lambda _: {"one": 1}})
        ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        guest = Guest(kind().service(), settings, ensure_key(settings.state, f"guest{number}"), ready)
        guest.polite = number % 2 == 0
        serving = asyncio.ensure_future(guest.run())
        await asyncio.wait_for(ready, PATIENCE)
        await asyncio.sleep(0.1)  # so that each is alone
        serving.cancel()
        await asyncio.wait({serving})
        await asyncio.sleep(0.1)
        made.append(Visit(f"guest{number}", guest.announced, guest.left))
    return made


# measuring --------------------------------------------------------------------------------------


def main() -> int:
    """Measure and print; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--nodes", type=int, default=1000)
    parser.add_argument("--consumers", type=int, default=200)
    given = parser.parse_args()
    quietly()
    print(machine(), flush=True)
    with tempfile.TemporaryDirectory() as folder:
        names = [f"node{number}" for number in range(given.nodes)]
        for name in [*names, *(f"guest{number}" for number in range(GUESTS))]:
            state = Path(folder) / "state"
            ensure_principal(state, name, "data_node", ensure_key(state, name).public, sensitive=False)
        with (
            running_fleet(Path(folder), ring=2**16, journal=0) as fleet,
            crowds(fleet.settings, given.consumers) as all_of_them,
        ):
            figures = asyncio.run(_measure(fleet, names, all_of_them, given.consumers))
    return outcome(figures)


async def _measure(fleet: Fleet, names: list[str], people: Crowds, number: int) -> list[Figure]:
    print(f"{len(names)} nodes in {HOUSES} processes, {number} consumers in {CROWDS}")
    spent = Spent(fleet, people)
    memory = [_memory(fleet)]
    await people.all_list(0)
    memory.append(_memory(fleet))
    began = time.monotonic_ns()
    for house, share in enumerate(np.array_split(names, HOUSES)):
        fleet.node(f"house{house}", f"NAMES = {share.tolist()!r}\n{CODE}")
    listed = await _listed(fleet.settings, len(names))
    everywhere = await people.all_list(len(names))
    _say(
        f"started: all listed after {_s(began, listed)}, by all consumers after {_s(began, everywhere)}; {spent.since()}"
    )
    memory.append(_memory(fleet))
    each = np.diff(memory) / (number, len(names)) / 1e3
    _say(f"the router's memory: {memory[2] / 1e6:.0f} MB; {each[0]:.0f} kB for a consumer, {each[1]:.0f} kB for a node")
    calls = await _calls(fleet.settings)
    await people.heard()
    went = await visits(fleet.settings)
    await asyncio.sleep(1)
    figures = _latencies(went, await people.heard(), number)
    _say(f"{GUESTS} nodes came and went; {spent.since()}")
    killed = time.monotonic_ns()
    fleet.router.kill()
    await asyncio.to_thread(fleet.router.start)
    opened = time.monotonic_ns()
    listed = await _listed(fleet.settings, len(names))
    everywhere = await people.all_list(len(names))
    _say(
        f"router killed: its port open after {_s(killed, opened)}, all listed after {_s(killed, listed)}, by all consumers "
        f"after {_s(killed, everywhere)}; {spent.since()}"
    )
    return [
        calls,
        *figures,
        Figure("after the router's port is open: listed for all", (everywhere - opened) / 1e9, 15, "s"),
    ]


class Spent:
    """What the processes of the fleet have computed."""

    def __init__(self, fleet: Fleet, people: Crowds) -> None:
        """Count from now on."""
        self._fleet, self._people = fleet, people
        self._before = self._now()
        self._router = _worker(fleet).pid

    def since(self) -> str:
        """Seconds of computing since it was last asked, by kind of process."""
        now = self._now()
        used = {kind: seconds - self._before.get(kind, 0.0) for kind, seconds in now.items()}
        router = _worker(self._fleet).pid
        if router != self._router:  # another process since
            self._router, used["router"] = router, now["router"]
        self._before = now
        return "CPU: " + ", ".join(f"{kind} {seconds:.1f} s" for kind, seconds in used.items())

    def _now(self) -> dict[str, float]:
        houses = [each.pid for name, each in self._fleet.processes.items() if name != "hub"]
        kinds = {
            "router": [_worker(self._fleet).pid],
            "hub": [self._fleet.processes["hub"].pid],
            "nodes": houses,
            "consumers": self._people.pids,
        }
        return {kind: sum(sum(psutil.Process(pid).cpu_times()[:2]) for pid in pids) for kind, pids in kinds.items()}


async def _listed(settings: Settings, least: int) -> int:
    """When the hub lists at least so many nodes as up, ns."""
    async with asyncio.timeout(PATIENCE), Consumer(settings) as consumer:
        while True:
            with contextlib.suppress(ConsumerError):
                if sum(node.state == "up" for node in await consumer.nodes()) >= least:
                    return time.monotonic_ns()
            await asyncio.sleep(0.2)


async def _calls(settings: Settings) -> Figure:
    """Calls of a node by one consumer, while all the others are there."""
    took = []
    async with Consumer(settings) as consumer:
        for _ in range(500):
            began = time.monotonic_ns()
            await consumer.fields("node0")
            took.append((time.monotonic_ns() - began) / 1e6)
    return Figure("a call through the router among all these: p99", float(np.percentile(took, 99)), 20, "ms")


def _latencies(went: list[Visit], heard: dict[tuple[str, str], list[int]], number: int) -> list[Figure]:
    """Of all guests and all consumers; raises RuntimeError if one did not hear."""
    figures = []
    for what in ("added", "subtracted"):
        took = []
        for visit in went:
            times = heard.get((what, visit.name), [])
            if len(times) != number:
                raise RuntimeError(f"{visit.name} {what}: {len(times)} of {number} consumers heard it")
            took += [(each - getattr(visit, what)) / 1e6 for each in times]
        figures += [
            Figure(f"{what}, until a consumer hears it: median", float(np.median(took)), 100, "ms"),
            Figure(f"{what}, until a consumer hears it: p99", float(np.percentile(took, 99)), 500, "ms"),
        ]
    return figures


def _memory(fleet: Fleet) -> int:
    """Of the router, bytes."""
    return int(_worker(fleet).memory_info().rss)


def _worker(fleet: Fleet) -> psutil.Process:
    """The process that routes."""
    assert fleet.router.process is not None
    workers = psutil.Process(fleet.router.process.pid).children(recursive=True)
    return max(workers, key=lambda each: each.memory_info().rss)


def _say(what: str) -> None:
    print(what, flush=True)


def _s(start: int, end: int) -> str:
    return f"{(end - start) / 1e9:.1f} s"


if __name__ == "__main__":
    raise SystemExit(main())
