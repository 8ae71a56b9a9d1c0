"""How soon the fleet is whole again after each kind of fault.

A router, a hub and two data nodes, all in processes of their own. Each is killed (SIGKILL) and stopped (SIGSTOP, then
SIGCONT) in turn, and a consumer that stays says when both nodes are listed and answer again, counted from the moment at
which the process could have worked again: the router's port open, the other's start, SIGCONT.

`python -m benchmarks.healing`; exit code 1 if one takes longer than 5 s.
"""

import asyncio
import contextlib
import os
import signal
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.common import machine, table
from sisock.consumer import Consumer, ConsumerError
from tests.fleet import ARCHIVE, COUNTER, Fleet, running_fleet

MOST = 5.0  # s
STOPPED = 6.0  # s, longer than ping interval and timeout
UP = {"archive": "up", "counter": "up"}


def main() -> int:
    """Measure and print; the exit code."""
    print(machine())
    with tempfile.TemporaryDirectory() as folder, running_fleet(Path(folder)) as fleet:
        fleet.node("counter", COUNTER)
        fleet.node("archive", ARCHIVE)
        rows = asyncio.run(_all(fleet))
    head = ("fault", "whole again after", "at most")
    print(table([head, *((what, f"{took:.2f} s", f"{MOST:g} s") for what, took in rows)]))
    return int(any(took > MOST for _, took in rows))


async def _all(fleet: Fleet) -> list[tuple[str, float]]:
    router = fleet.router
    faults: dict[str, tuple[Callable[[], None], Callable[[], None]]] = {
        "node killed": (lambda: fleet.kill("counter"), lambda: _start(fleet, "counter")),
        "hub killed": (lambda: fleet.kill("hub"), fleet.hub),
        "router killed": (router.kill, router.start),
        "node stopped": (lambda: fleet.stop("counter"), lambda: fleet.resume("counter")),
        "hub stopped": (lambda: fleet.stop("hub"), lambda: fleet.resume("hub")),
        "router stopped": (lambda: _signal(fleet, signal.SIGSTOP), lambda: _signal(fleet, signal.SIGCONT)),
    }
    rows = []
    async with Consumer(fleet.settings) as consumer:
        await _whole(consumer)
        for what, (harm, mend) in faults.items():
            harm()
            if what.endswith("stopped"):
                await asyncio.sleep(STOPPED)
            await asyncio.to_thread(mend)
            began = time.monotonic()
            await _whole(consumer)
            rows.append((what, time.monotonic() - began))
    return rows


def _start(fleet: Fleet, name: str) -> None:
    fleet.node(name)


def _signal(fleet: Fleet, number: signal.Signals) -> None:
    assert fleet.router.process is not None
    os.killpg(fleet.router.process.pid, number)


async def _whole(consumer: Consumer) -> None:
    """Wait until both nodes are listed as up, and answer."""
    async with asyncio.timeout(60):
        with consumer.watching() as events:
            while True:
                with contextlib.suppress(ConsumerError):
                    if {node.name: node.state for node in await consumer.nodes()} == UP:
                        await consumer.data("counter", ["count"], -60)
                        await consumer.data("archive", ["sine"], 1, 0, max_points=100)
                        return
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(events.get(), 0.02)


if __name__ == "__main__":
    raise SystemExit(main())
