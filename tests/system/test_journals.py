"""Nodes with a journal, at a real router: what they sampled survives them, and is read once by whoever asks."""

import asyncio
import contextlib
import itertools
import logging
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator

import numpy as np
import pytest

from sisock.consumer import Consumer, ConsumerError
from sisock.frames import Answer, Column, Frame, Part, Query
from sisock.keys import ensure_key
from sisock.nodes import LiveNode
from sisock.nodes.live import LiveService
from sisock.serving import Serving
from sisock.times import NS
from tests.fleet import ARCHIVE, COUNTER, Fleet, running_fleet

PATIENCE = 30.0  # seconds until a test gives up


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    with running_fleet(tmp_path_factory.mktemp("journals"), {"large": "data_node"}) as fleet:
        fleet.node("counter", COUNTER)
        fleet.node("archive", ARCHIVE)
        yield fleet


@pytest.fixture
async def consumer(fleet: Fleet) -> AsyncIterator[Consumer]:
    async with Consumer(fleet.settings, "cli") as consumer:
        yield consumer


async def up(consumer: Consumer, name: str) -> None:
    """Wait until the hub lists a node as up."""
    async with asyncio.timeout(PATIENCE):
        while True:
            with contextlib.suppress(ConsumerError):
                if any(node.name == name and node.state == "up" for node in await consumer.nodes()):
                    return
            await asyncio.sleep(0.1)


async def on_disk(consumer: Consumer, least: int) -> list[tuple[int, int]]:
    """Sequence and count of all that has come to the counter's disk, once there are so many."""
    found: list[tuple[int, int]] = []
    epoch, position = None, 0
    await up(consumer, "counter")
    async with asyncio.timeout(PATIENCE):
        while len(found) < least:
            batch = await consumer.read_from("counter", epoch, position)
            epoch, position = batch.epoch, batch.position
            assert batch.dropped == 0
            for frame in batch.frames:
                if frame.timeline == "samples":
                    assert frame.seq is not None
                    seqs = range(frame.seq - len(frame), frame.seq)
                    found += zip(seqs, frame.columns["count"].values.tolist(), strict=True)
            if not batch.more and len(found) < least:
                await asyncio.sleep(0.1)
    return found


async def test_what_came_to_disk_is_there_after_the_node_was_killed_and_its_sequences_go_on(
    fleet: Fleet, consumer: Consumer
) -> None:
    before = await on_disk(consumer, 20)
    fleet.kill("counter")
    fleet.node("counter")
    after = await on_disk(consumer, len(before) + 20)
    assert after[: len(before)] == before
    assert all(a < b for (a, _), (b, _) in itertools.pairwise(after))
    answer = await consumer.data("counter", ["count"], -3600, 0)
    counts = answer.series("count")[1].values.tolist()
    assert counts[: len(before)] == [count for _, count in before]
    assert counts.count(1) == 2
    assert answer.notices == ()


async def test_a_node_that_is_ended_and_started_goes_on_with_the_next_sequence(
    fleet: Fleet, consumer: Consumer
) -> None:
    before = await on_disk(consumer, 10)
    fleet.kill("counter", signal.SIGTERM)
    fleet.node("counter")
    after = await on_disk(consumer, len(before) + 20)
    begun = next(at for at, (_, count) in enumerate(after) if at >= len(before) and count == 1)
    assert {b - a for (a, _), (b, _) in itertools.pairwise(after[begun - 10 :])} == {1}


async def test_following_goes_on_without_loss_or_double_through_kill_9(fleet: Fleet, consumer: Consumer) -> None:
    await on_disk(consumer, 1)
    times: list[int] = []
    counts: list[int] = []
    async with contextlib.aclosing(consumer.live("counter", ["count"], last=0)) as frames, asyncio.timeout(PATIENCE):
        for kill in (True, True, False):
            begun = len(counts)
            while len(counts) < begun + 15:
                frame = await anext(frames)
                times += frame.t.tolist()
                counts += frame.columns["count"].values.tolist()
            if kill:
                fleet.kill("counter")
                fleet.node("counter")
    assert all(a < b for a, b in itertools.pairwise(times))
    assert set(np.diff(counts).tolist()) <= {1, *(1 - count for count in counts)}
    assert counts.count(1) >= 2


async def test_a_node_without_a_journal_says_so(fleet: Fleet, consumer: Consumer) -> None:
    await up(consumer, "archive")
    with pytest.raises(ConsumerError, match="archive has no journal: its samples are not on disk"):
        await consumer.read_from("archive")
    nodes = {node.name: node.info for node in await consumer.nodes()}
    assert nodes["counter"]["journal"] is True
    assert "journal" not in nodes["archive"]


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ((5, 0), "epoch=5 is not"),
        ((None, -1), "position=-1 is not"),
        ((None, 0, 0), "limit=0 is not a number of bytes"),
    ],
)
async def test_a_cursor_that_is_none_is_refused(fleet: Fleet, consumer: Consumer, args, said) -> None:
    await on_disk(consumer, 1)
    with pytest.raises(ConsumerError, match=said):
        await consumer.read_from("counter", *args)


async def test_a_node_whose_process_of_before_hangs_works_without_its_journal_until_that_ends(
    fleet: Fleet, consumer: Consumer
) -> None:
    before = await on_disk(consumer, 10)
    fleet.stop("counter")
    old = fleet.processes["counter"]
    fleet.node("counter")
    async with asyncio.timeout(PATIENCE):
        while not any("is in use by another process" in notice for notice in await notices(consumer)):
            await asyncio.sleep(0.1)
        old.kill()
        await asyncio.to_thread(old.wait)
        while await notices(consumer):
            await asyncio.sleep(0.1)
    counts = (await consumer.data("counter", ["count"], -3600, 0)).series("count")[1].values.tolist()
    assert counts[: len(before)] == [count for _, count in before]
    after = await on_disk(consumer, len(before) + 10)
    assert [count for _, count in after[: len(before)]] == [count for _, count in before]


async def notices(consumer: Consumer) -> tuple[str, ...]:
    """What the counter's answers say of it."""
    with contextlib.suppress(ConsumerError):
        return (await consumer.data("counter", ["count"], -1, 0, deadline=1)).notices
    return ("no answer",)


class Large(LiveService):
    """Answers with a sample, of 16 bytes, a second; says when it is asked."""

    asked: Callable[[], None] = staticmethod(lambda: None)

    async def get_data(self, query: Query) -> Answer:
        self.asked()
        n = (query.end - query.start) // NS
        frame = Frame("samples", np.arange(n) * NS, {"a": Column(np.zeros(n))}, "e", n)
        return Answer((Part(frame, "samples", None, n),))


@contextlib.asynccontextmanager
async def serving(fleet: Fleet, consumer: Consumer) -> AsyncIterator[Serving]:
    node = type("Large", (LiveNode,), {"sample": lambda self: {"a": 1.0}})()
    serving = Serving(Large(node), fleet.settings, ensure_key(fleet.settings.state, "large"))
    running = asyncio.ensure_future(serving.run())
    try:
        await up(consumer, "large")
        yield serving
    finally:
        running.cancel()
        await asyncio.wait({running})


async def test_a_large_answer_is_never_put_into_the_buffer_at_once_and_ends_with_its_caller(
    fleet: Fleet, consumer: Consumer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "sisock.answering")
    assert fleet.router.process is not None
    router, uri = fleet.router.process.pid, fleet.settings.uris.node("large", "get_data")
    async with serving(fleet, consumer) as made, asyncio.timeout(PATIENCE):
        made._service.asked = lambda: os.killpg(router, signal.SIGSTOP)
        call = asyncio.ensure_future(
            consumer._link.call(uri, ["a"], 1.0, 4e6, columns="typed", on_progress=lambda part: None)
        )
        try:
            while not made.link._transport or made.link._transport.get_write_buffer_size() < 2**21:
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.2)
            assert made.link._transport.get_write_buffer_size() < 2**25  # of 64 MB
        finally:
            call.cancel()
            made._service.asked = lambda: None
            os.killpg(router, signal.SIGCONT)
        while "given up after" not in caplog.text:
            await asyncio.sleep(0.05)
        whole = await consumer.data("large", ["a"], 1, 4e6, deadline=PATIENCE)
        assert len(whole.series("a")[0]) == 4e6 - 1
