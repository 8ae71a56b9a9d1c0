"""Whatever process is killed or stopped, the listing and the answers come back by themselves."""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import numpy as np
import pytest

from sisock.consumer import Consumer, ConsumerError, NoAnswer, NodeAway, NoHub
from sisock.frames import Frame
from tests.fleet import ARCHIVE, COUNTER, Fleet, running_fleet

ALL_UP = {"archive": "up", "counter": "up"}
HEALED_WITHIN = 20.0  # seconds: the figure is 5, on a machine that does nothing else: benchmarks/healing.py
PATIENCE = 30.0  # seconds until a test gives up


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    with running_fleet(tmp_path_factory.mktemp("healing")) as fleet:
        fleet.node("counter", COUNTER)
        fleet.node("archive", ARCHIVE)
        yield fleet


@pytest.fixture
async def consumer(fleet: Fleet) -> AsyncIterator[Consumer]:
    async with Consumer(fleet.settings, "cli") as consumer:
        await listed(consumer, ALL_UP)
        yield consumer


async def listed(consumer: Consumer, states: dict[str, str], within: float = PATIENCE) -> None:
    """Wait until the hub lists just these; fail after `within` seconds."""
    seen: object = None
    with consumer.watching() as events:
        try:
            async with asyncio.timeout(within):
                while True:
                    with contextlib.suppress(ConsumerError):
                        seen = {node.name: node.state for node in await consumer.nodes()}
                    if seen == states:
                        return
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(events.get(), 0.1)
        except TimeoutError:
            pytest.fail(f"the hub lists {seen} instead of {states} after {within} s")


async def answering(consumer: Consumer) -> None:
    """Wait until both nodes are listed and answer."""
    await listed(consumer, ALL_UP, HEALED_WITHIN)
    assert len((await consumer.data("counter", ["count"], -60)).series("count")[0]) > 0
    assert len((await consumer.data("archive", ["sine"], 1, 0, max_points=100)).series("sine")[0]) > 50


async def test_a_killed_node_is_away_at_once_and_back_when_started(fleet: Fleet, consumer: Consumer) -> None:
    fleet.kill("counter")
    await listed(consumer, {**ALL_UP, "counter": "away"}, within=5)
    with pytest.raises(NodeAway):
        await consumer.data("counter", ["count"])
    fleet.node("counter")
    await answering(consumer)


async def test_a_stopped_node_is_away_and_its_callers_are_told_and_it_comes_back(
    fleet: Fleet, consumer: Consumer
) -> None:
    fleet.stop("counter")
    try:
        with pytest.raises(NoAnswer):
            await consumer.data("counter", ["count"], deadline=1)
        await listed(
            consumer,
            {**ALL_UP, "counter": "away"},
            within=fleet.settings.ping_interval + fleet.settings.ping_timeout + 5,
        )
    finally:
        fleet.resume("counter")
    await answering(consumer)


async def test_a_call_in_flight_fails_when_its_node_is_killed(fleet: Fleet, consumer: Consumer) -> None:
    fleet.stop("counter")
    call = asyncio.ensure_future(consumer.data("counter", ["count"]))
    await asyncio.sleep(0.2)
    fleet.kill("counter")
    with pytest.raises((NoAnswer, NodeAway)):
        await asyncio.wait_for(call, 5)
    fleet.node("counter")
    await answering(consumer)


async def test_a_killed_hub_lists_all_again_and_no_direct_call_fails_meanwhile(
    fleet: Fleet, consumer: Consumer
) -> None:
    fleet.kill("hub")
    with pytest.raises(NoHub, match="no hub"):
        await consumer.nodes()
    await consumer.data("counter", ["count"], -1)
    before = {name: fleet.processes[name].pid for name in ALL_UP}
    fleet.hub()
    await answering(consumer)
    assert {name: fleet.processes[name].pid for name in ALL_UP} == before
    assert all(fleet.processes[name].poll() is None for name in ALL_UP)


async def test_a_stopped_hub_is_itself_again(fleet: Fleet, consumer: Consumer) -> None:
    fleet.stop("hub")
    try:
        with pytest.raises(NoHub):
            await asyncio.wait_for(consumer.nodes(), PATIENCE)
    finally:
        fleet.resume("hub")
    await answering(consumer)


async def test_a_killed_router_comes_back_with_the_whole_fleet(fleet: Fleet, consumer: Consumer) -> None:
    call = asyncio.ensure_future(consumer.data("counter", ["count"], -1, deadline=20))
    fleet.router.kill()
    with contextlib.suppress(ConsumerError):
        await asyncio.wait_for(call, 2)
    fleet.router.start()
    await answering(consumer)


async def test_the_first_list_of_a_hub_that_comes_back_has_no_node_that_is_not_there(
    fleet: Fleet, consumer: Consumer
) -> None:
    fleet.stop("counter")
    try:
        fleet.router.kill()
        fleet.router.start()
        async with asyncio.timeout(PATIENCE):
            while True:
                with contextlib.suppress(NoHub):
                    states = {node.name: node.state for node in await consumer.nodes()}
                    break
                await asyncio.sleep(0.001)
        assert states["counter"] == "away"
    finally:
        fleet.resume("counter")
    await answering(consumer)


async def test_a_stopped_router_goes_on_with_the_whole_fleet(fleet: Fleet, consumer: Consumer) -> None:
    assert fleet.router.process is not None
    os.killpg(fleet.router.process.pid, signal.SIGSTOP)
    try:
        with pytest.raises(NoHub):
            await consumer.nodes()
    finally:
        os.killpg(fleet.router.process.pid, signal.SIGCONT)
    await answering(consumer)


async def test_history_and_live_join_exactly_once_through_kills_of_router_and_hub(
    fleet: Fleet, consumer: Consumer
) -> None:
    async with contextlib.aclosing(consumer.live("counter", ["count"], last=3)) as frames:
        counts = await take(frames, 20)
        fleet.router.kill()
        fleet.router.start()
        counts += await take(frames, 20)
        fleet.kill("hub")
        fleet.hub()
        counts += await take(frames, 20)
    assert set(np.diff(counts)) == {1}


async def take(frames: AsyncIterator[Frame], least: int) -> list[int]:
    """The counts of the next frames, at least so many."""
    counts: list[int] = []
    async with asyncio.timeout(PATIENCE):
        while len(counts) < least:
            counts += (await anext(frames)).columns["count"].values.tolist()
    return counts


async def test_a_second_node_of_the_same_name_is_refused_with_a_sentence(fleet: Fleet, consumer: Consumer) -> None:
    (fleet.folder / "second.py").write_text(COUNTER)
    second = fleet.run("second", "-m", "sisock", "node", str(fleet.folder / "second.py"))
    assert await asyncio.to_thread(second.wait, PATIENCE) == 5
    assert (
        "already has a data node called 'counter': stop it, or start this one with --name"
        in fleet.log("second").read_text()
    )
    warnings = [line for line in fleet.log("second").read_text().splitlines() if " WARNING " in line]
    assert [line.partition("; ")[2] for line in warnings] == ["its samples are in memory only"]
    await answering(consumer)


async def test_a_node_that_starts_while_its_old_session_is_half_open_takes_its_place(
    fleet: Fleet, consumer: Consumer
) -> None:
    fleet.stop("counter")
    stopped = fleet.processes["counter"]
    fleet.node("counter")
    try:
        patience = fleet.settings.ping_interval + fleet.settings.ping_timeout
        await listed(consumer, {**ALL_UP, "counter": "away"}, within=patience + 5)
        await listed(consumer, ALL_UP, within=patience + 5)
        names = [node.name for node in await consumer.nodes()]
        assert names.count("counter") == 1
    finally:
        os.killpg(stopped.pid, signal.SIGCONT)
        assert await asyncio.to_thread(stopped.wait, PATIENCE) == 5
    await answering(consumer)


async def test_a_node_that_is_ended_says_goodbye(fleet: Fleet, consumer: Consumer) -> None:
    with consumer.watching() as events:
        fleet.kill("counter", signal.SIGTERM)
        what, node = await asyncio.wait_for(events.get(), 10)
    assert (what, node.name) == ("subtracted", "counter")
    assert fleet.processes["counter"].returncode == 0
    assert fleet.log("hub").read_text().rstrip().endswith("counter subtracted: it said goodbye")
    fleet.node("counter")
    await answering(consumer)


def test_the_logs_hold_no_traceback(fleet: Fleet) -> None:
    for log in Path(fleet.settings.state / "logs").glob("*.log"):
        assert "Traceback" not in log.read_text(), log
