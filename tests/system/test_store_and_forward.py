"""What was sampled while nobody recorded: it comes later, once, with its times; what had to go before is counted and shown."""

import asyncio
import contextlib
import os
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sisock.batch import Batch
from sisock.consumer import Consumer
from sisock.errors import ConsumerError
from sisock.frames import Column, Frame
from sisock.store.journal import Journal
from sisock.times import NS
from tests.fleet import COUNTER, Fleet, running_fleet
from tests.resetting import wire

PATIENCE = 60.0  # seconds until a test gives up
ABSENCE, INTERVAL, SENSORS = 48 * 3600, 10, 5
ROWS = ABSENCE // INTERVAL
RESETS = int(os.environ.get("RESETS", "50"))  # 1,000 in `make soak`
FAST = '''
import numpy as np
from sisock.frames import Column, Frame
from sisock.nodes import LiveNode

class Fast(LiveNode):
    """More than its journal holds."""

    interval = 0.05
    number = 0

    def sample(self):
        numbers = np.arange(self.number, self.number + 2000)
        self.number += 2000
        noise = Column(np.random.default_rng().standard_normal(2000))
        return Frame("fast", 1_700_000_000 * 10**9 + numbers * 10**6, {"n": Column(numbers), "noise": noise})
'''


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    with running_fleet(tmp_path / "fleet", {"counter": "data_node", "fast": "data_node"}, journal=2**22) as fleet:
        yield fleet


def record(fleet: Fleet) -> None:
    fleet.run("recorder", "-m", "sisock", "node", "recorder")


def absent(path: Path) -> np.ndarray[Any, Any]:
    """A journal of a node that sampled five sensors for 48 hours, and nobody came; their times."""
    path.parent.mkdir(parents=True, exist_ok=True)
    t = time.time_ns() - ABSENCE * NS + np.arange(ROWS) * INTERVAL * NS
    with contextlib.closing(Journal(path)) as journal:
        for i in range(SENSORS):
            values = {f"s{i}": Column(np.arange(ROWS) * 1.0)}
            journal.commit(frames=[(f"sensor {i}", Frame(f"sensor {i}", t, values, journal.epoch, ROWS))])
    return t


async def all_of(lab: Consumer, node: str, field: str, least: int) -> tuple[list[int], list[float]]:
    """Times and values of a field, once there are so many."""
    found: tuple[list[int], list[float]] = [], []
    try:
        async with asyncio.timeout(PATIENCE):
            while len(found[0]) < least:
                with contextlib.suppress(ConsumerError):
                    t, column = (await lab.data(node, [field], 1, 0)).series(field)
                    found = t.tolist(), column.values.tolist()
                await asyncio.sleep(0.1)
    except TimeoutError:
        pytest.fail(f"{node}::{field} has {len(found[0])} samples")
    return found


async def test_48_hours_of_absence_arrive_with_their_times_in_order_and_once_through_kills(fleet: Fleet) -> None:
    t = absent(fleet.settings.state / "journals" / "counter.sqlite")
    fleet.node("counter", COUNTER)
    async with Consumer(fleet.settings, "cli") as lab:
        await all_of(lab, "counter", "count", 20)
        fleet.kill("hub")
        fleet.router.kill()
        fleet.router.start()
        fleet.hub()
        record(fleet)
        await taken(lab, 1)
        fleet.kill("recorder")
        record(fleet)
        await taken(lab, 1)
        await all_of(lab, "counter", "count", 40)
        on_disk = await recorded(lab)
        fleet.kill("counter")
        for i in range(SENSORS):
            times, values = await all_of(lab, "counter", f"s{i}", ROWS)
            assert times == t.tolist()
            assert values == list(range(ROWS))
        _, after = await all_of(lab, "counter", "count", on_disk)
        assert after == list(range(1, len(after) + 1))


@pytest.mark.timeout(120 + 2 * RESETS)
async def test_connections_that_are_reset_again_and_again_cost_no_sample_and_no_process(fleet: Fleet) -> None:
    record(fleet)
    (fleet.folder / "counter.py").write_text(COUNTER)
    async with wire(fleet.settings.router_port) as one, Consumer(fleet.settings, "cli") as lab:
        through = ["env", f"SISOCK_ROUTER=ws://127.0.0.1:{one.port}/ws"]
        fleet.within["counter"] = through
        process = fleet.node("counter")
        done = 0
        async with asyncio.timeout(PATIENCE + RESETS):
            while done < RESETS:
                await one.connected.wait()
                await asyncio.sleep(random.uniform(0, 0.3))  # in whatever it is doing then
                done += one.reset()
        await all_of(lab, "counter", "count", 20)
        frames = await on_disk(lab, "counter")
        await taken(lab, sum(map(len, frames)))
        assert process.poll() is None
        fleet.kill("counter")
        _, counts = await all_of(lab, "counter", "count", sum(len(each) for each in frames if "count" in each.columns))
        assert counts == list(range(1, len(counts) + 1))
        assert "Traceback" not in fleet.log("counter").read_text()


async def taken(lab: Consumer, least: int) -> dict[str, float]:
    """What the recorder of now says of itself, once it has taken so many samples."""
    names = ["samples", "lost", "doubles"]
    async with asyncio.timeout(PATIENCE):
        while True:
            with contextlib.suppress(ConsumerError):
                answer = await lab.data("recorder", names, -3, 0)
                latest = {name: answer.series(name)[1].values[-1:].tolist() for name in names}
                if latest["samples"] and latest["samples"][0] >= least:
                    return {name: each[0] for name, each in latest.items()}
            await asyncio.sleep(0.1)


async def recorded(lab: Consumer) -> int:
    """How many counts are on the counter's disk, once a recorder has them all."""
    async with asyncio.timeout(PATIENCE):
        frames = [frame for batch in await pages(lab, "counter") for frame in batch.frames]
        counts = sum(len(frame) for frame in frames if "count" in frame.columns)
        then = time.time_ns()
        while True:
            with contextlib.suppress(ConsumerError):
                t, lag = (await lab.data("recorder", ["lag"], -3, 0)).series("lag")
                if len(t) and t[-1] - lag.values[-1] * NS > then:
                    return counts
            await asyncio.sleep(0.1)


async def on_disk(lab: Consumer, node: str) -> list[Frame]:
    """The samples on the node's disk, as soon as it answers."""
    async with asyncio.timeout(PATIENCE):
        while True:
            with contextlib.suppress(ConsumerError):
                return [frame for batch in await pages(lab, node) for frame in batch.frames]
            await asyncio.sleep(0.1)


async def pages(lab: Consumer, node: str) -> list[Batch]:
    """All that is on the node's disk."""
    found = [await lab.read_from(node)]
    while found[-1].more:
        found.append(await lab.read_from(node, found[-1].epoch, found[-1].position))
    return found


async def test_what_had_to_go_before_it_was_recorded_is_counted_and_shown(fleet: Fleet) -> None:
    fleet.node("fast", FAST)
    record(fleet)
    async with Consumer(fleet.settings, "cli") as lab:
        await taken(lab, 10_000)
        fleet.kill("recorder")
        reached = (await pages(lab, "fast"))[-1].position
        async with asyncio.timeout(PATIENCE):
            while (await lab.read_from("fast")).first <= reached:
                await asyncio.sleep(0.1)
        answer = await lab.data("fast", ["n"], 1_699_999_999, 0, max_points=100, own=True)
        assert any("are not on disk any more" in each for each in answer.notices), answer.notices
        record(fleet)
        lost = (await taken(lab, 10_000))["lost"]
        fleet.kill("fast")
        _, numbers = await all_of(lab, "fast", "n", 20_000)
        steps = np.diff(np.array(numbers))
        (gap,) = steps[steps != 1].tolist()
        assert 1 < gap <= lost + 1
        journal = fleet.settings.state / "journals" / "fast.sqlite"
        assert sum(each.stat().st_size for each in journal.parent.glob("fast*") if each.is_file()) < 4 * 2**22
