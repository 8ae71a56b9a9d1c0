"""Whatever ends, hangs, is cut off or has no room, in whatever order: no sample is lost or double, all is there again.

Router, hub, bridge, a recorder and 20 data nodes in four processes, whose samples count from one on in each run. For a while
processes are killed and stopped, and meanwhile connections are reset, wires cut or slow and disks full (`tests/faults.py`),
all chosen by a seed; `FAULT_SECONDS` and `FAULT_SEED` of the environment choose others. What a journal gave out was
acknowledged: a follower of each node notes it.
"""

import asyncio
import contextlib
import os
import random
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import psutil
import pytest

from sisock.consumer import Consumer
from sisock.errors import ConsumerError
from tests import wires
from tests.faults import NODES, PARTS, Parts, running_parts

SECONDS = float(os.environ.get("FAULT_SECONDS", "90"))
SEED = int(os.environ.get("FAULT_SEED") or random.SystemRandom().randrange(10**6))
PATIENCE = 120.0  # seconds until all has to be there again
MOST_GROWN = 100 * 2**20  # bytes of memory
MOST_OPENED = 40  # files: an archive has some open while it writes


class Use(NamedTuple):
    """What a part uses."""

    memory: int  # bytes
    files: int
    sockets: int
    children: int


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Parts]:
    sys.stderr.write(f"seed {SEED}\n")
    if why := wires.possible():
        sys.stderr.write(f"neither network nor disks fail here: {why}\n")
    with running_parts(tmp_path_factory.mktemp("faults")) as made:
        yield made


@pytest.mark.timeout(SECONDS * 3 + 400)
async def test_nothing_is_lost_or_double_and_all_is_there_again(parts: Parts) -> None:
    async with Consumer(parts.fleet.settings, "cli") as lab:
        await all_up(lab)
        before = {name: use(parts.process(name)) for name in PARTS}
        seen: dict[str, dict[float, float]] = {node: {} for node in NODES}
        following = [asyncio.ensure_future(follow(lab, node, seen[node])) for node in NODES]
        until = time.monotonic() + SECONDS
        await asyncio.gather(
            harm(parts.harm_process, random.Random(SEED), until),
            harm(parts.harm_surroundings, random.Random(SEED + 1), until),
        )
        await all_up(lab)
        await asyncio.sleep(2)
        for task in following:
            task.cancel()
        await asyncio.wait(following)
        for node in NODES:
            found = await settled(lab, node, seen[node])
            for run, held in found.items():
                whole = np.arange(1, len(held) + 1)
                assert sorted(held) == whole.tolist(), f"seed {SEED}: {node}, run {run}: {wrong(held)}"
        assert all(seen.values())
        await small_again(parts, before)
    for name, process in parts.fleet.processes.items():
        assert process.poll() is None, f"seed {SEED}: {name} has ended: {parts.fleet.log(name).read_text()[-2000:]}"


async def harm(happen: Callable[[random.Random], Awaitable[str]], chance: random.Random, until: float) -> None:
    """Let one thing after another happen, and tell it."""
    began = time.monotonic()
    while time.monotonic() < until:
        at = time.monotonic() - began
        told = await happen(chance)
        sys.stderr.write(f"{at:6.1f} s  {told}\n")
        await asyncio.sleep(chance.uniform(0.2, 3))


async def all_up(lab: Consumer) -> None:
    """Wait until every node is listed as up, and kept."""
    missing: set[str] = set()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE):
            while True:
                with contextlib.suppress(ConsumerError):
                    listed = {each.name for each in await lab.nodes() if each.state == "up" and each.kept_by}
                    missing = set(NODES) - listed
                    if not missing:
                        return
                await asyncio.sleep(0.2)
    pytest.fail(f"seed {SEED}: {sorted(missing)} are not there again")


async def follow(lab: Consumer, node: str, seen: dict[float, float]) -> None:
    """Note the last count of each run that is on the node's disk."""
    epoch, position = None, 0
    while True:
        with contextlib.suppress(ConsumerError):
            batch = await lab.read_from(node, epoch, position, deadline=5)
            epoch, position = batch.epoch, batch.position
            for frame in batch.frames:
                if {"run", "count"} <= frame.columns.keys():
                    runs, counts = frame.columns["run"].values, frame.columns["count"].values
                    for run, count in zip(runs.tolist(), counts.tolist(), strict=True):
                        seen[run] = max(seen.get(run, 0), count)
        await asyncio.sleep(1)


async def settled(lab: Consumer, node: str, least: dict[float, float]) -> dict[float, list[float]]:
    """The counts once all that was seen is among them."""
    found: dict[float, list[float]] = {}
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE):
            while True:
                with contextlib.suppress(ConsumerError, KeyError):
                    found = await counts(lab, node)
                    if all(max(found.get(run, [0])) >= most for run, most in least.items()):
                        return found
                await asyncio.sleep(0.5)
    lacking = {run: (max(found.get(run, [0])), most) for run, most in least.items()}
    pytest.fail(f"seed {SEED}: {node} lacks what was seen of it: {lacking}")


async def counts(lab: Consumer, node: str) -> dict[float, list[float]]:
    """The counts of each run of a node, as they come with all of its past."""
    answer = await lab.data(node, ["run", "count"], 1, 0)
    t, run = answer.series("run")
    other, count = answer.series("count")
    assert t.tolist() == other.tolist(), f"seed {SEED}: {node}"
    return {each: count.values[run.values == each].tolist() for each in np.unique(run.values).tolist()}


def wrong(held: list[float]) -> str:
    there = set(held)
    lost = [each for each in range(1, int(max(held)) + 1) if each not in there]
    return f"lost {lost[:10]} of {int(max(held))}, {len(held) - len(there)} double"


async def small_again(parts: Parts, before: dict[str, Use]) -> None:
    """See that no part has more than before: connections that are lost are closed, and so on."""
    after: dict[str, Use] = {}
    for _ in range(50):
        after = {name: use(parts.process(name)) for name in PARTS}
        grown = {name: (before[name], after[name]) for name in PARTS if larger(before[name], after[name])}
        if not grown:
            return
        await asyncio.sleep(0.5)
    pytest.fail(f"seed {SEED}: grown: {grown}")


def larger(before: Use, after: Use) -> bool:
    return (
        after.memory - before.memory > MOST_GROWN
        or after.files - before.files > MOST_OPENED
        or after.sockets > before.sockets
        or after.children > before.children
    )


def use(process: psutil.Process) -> Use:
    """What a process and its children use."""
    children = process.children(recursive=True)
    memory = files = sockets = 0
    for each in (process, *children):
        memory += each.memory_info().rss
        for link in os.scandir(f"/proc/{each.pid}/fd"):
            with contextlib.suppress(FileNotFoundError):
                files += 1
                sockets += str(Path(link.path).readlink()).startswith("socket:")
    return Use(memory, files, sockets, len(children))
