"""Live nodes with a journal: history goes on through restarts, and is joined with what is in memory exactly once."""

import asyncio
import itertools
import resource
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sisock.frames import Field, Frame, Query, column
from sisock.nodes import LiveNode
from sisock.nodes.live import LiveService
from sisock.nodes.memory import Memory
from sisock.store.journal import Journal, JournalError, JournalInUse
from sisock.times import FIRST, LAST, NS
from tests.nodes import data, working

NOW = 1_763_000_000 * NS
SMALL = 2**14  # bytes of a ring that soon has to let go


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "node.sqlite"


def counting(first=0, rows=10, text="x" * 20):
    """A node whose every sample is some rows, numbered, a second apart."""
    numbers = itertools.count(first, rows)

    def sample():
        n = next(numbers) + np.arange(rows)
        return Frame("samples", NOW + n * NS, {"n": column(n), "text": column([text] * rows)})

    return type("Counting", (LiveNode,), {"interval": 0.001, "sample": staticmethod(sample)})()


def service(path, node=None, ring=SMALL, **options):
    return LiveService(node or counting(), ring=ring, journal=lambda: Journal(path, **options))


async def frame_of(made, *fields, start=FIRST, end=LAST, **options) -> Frame:
    (part,) = (await made.get_data(Query(fields, start, end, **options))).parts
    return part.points


async def ran(path, node=None, frames=20, **options) -> LiveService:
    """A service that has measured so many times and has ended."""
    made = service(path, node, **options)
    async with working(made) as published:
        await published.samples(frames)
    return made


async def test_history_epoch_sequences_and_fields_go_on_after_a_restart(path):
    before = await ran(path)
    again = service(path, counting(1000))
    fields, timelines = await again.get_fields(FIRST, LAST)
    assert fields["text"] == Field(None, "samples", "string")
    assert timelines["samples"].interval == 1.0
    async with working(again) as published:
        there = await frame_of(again, "n")
        (first,) = await published.samples(1)
        numbers = (await data(again, "n"))["n"]
    assert there.columns["n"].values.tolist() == list(range(len(there)))
    assert len(there) >= 200
    assert there.epoch == first.epoch == before._memory._ring.epoch
    assert there.seq == first.seq - 10
    assert numbers[: len(there) + 10] == [*range(len(there)), *range(1000, 1010)]


async def test_what_memory_had_to_let_go_comes_from_the_journal_once(path):
    made = service(path)
    async with working(made) as published:
        frames = await published.samples(200)
        whole = await frame_of(made, "n", end=NOW + 2000 * NS)
        assert made._memory._ring.dropped["samples"] > 1000
        assert whole.columns["n"].values.tolist() == list(range(2000))
        for start, end in ((0, 5), (995, 1005), (1990, 1999), (0, 2000), (7, 7)):
            part = await frame_of(made, "n", "text", start=NOW + start * NS, end=NOW + end * NS)
            assert part.columns["n"].values.tolist() == list(range(start, end)) if end > start else not len(part)
            assert part.seq == end
        answer = await made.get_data(Query(("n",), NOW, NOW + 2000 * NS, max_points=10, reduce="count"))
        assert sum(answer.series("n")[1].values.tolist()) == 2000
        assert answer.notices == ()
    assert frames[0].seq == 10


async def test_since_gives_what_was_not_seen_wherever_it_is(path):
    made = service(path)
    async with working(made) as published:
        (first, *_, last) = await published.samples(200)
        for seen in (0, 3, 1000, 1999, 2000):
            part = await frame_of(made, "n", end=NOW + 2000 * NS, since={"samples": (first.epoch, seen)})
            assert part.columns["n"].values.tolist() == list(range(seen, 2000)) if seen < 2000 else not len(part)
        other = await frame_of(made, "n", end=NOW + 2000 * NS, since={"samples": ("another", 1000)})
        assert len(other) == 2000
    assert last.seq == 2000


@settings(max_examples=25)
@given(st.data())
def test_any_clock_any_ring_any_window(tmp_path_factory, data):
    """Frames in any order of time: an answer has what lies in the window, and accounts for what lies below its seq."""
    path = tmp_path_factory.mktemp("any") / "node.sqlite"
    ring = data.draw(st.sampled_from([2**10, 2**13, 2**16]))
    starts = data.draw(st.lists(st.integers(0, 60), min_size=1, max_size=25))
    restart = data.draw(st.integers(0, len(starts)))
    windows = data.draw(st.lists(st.tuples(st.integers(0, 80), st.integers(0, 80), st.integers(0, 60)), max_size=5))
    asyncio.run(_any_window(path, ring, starts, restart, windows))


async def _any_window(path, ring, starts, restart, windows):
    times = []
    made = service(path, ring=ring, join_after=3)
    for number, start in enumerate(starts):
        if number == restart:
            made._memory._journal.close()
            made = service(path, ring=ring, join_after=3)
        t = NOW + (start + np.arange(3)) * NS
        made._memory.append(
            Frame("samples", t, {"n": column(len(times) + np.arange(3)), "text": column(["x" * 50] * 3)})
        )
        times += t.tolist()
        if number % 2:
            made._memory._journal.commit()
    made._schema.fields["n"] = Field(None, "samples")
    for a, b, seen in windows:
        start, end = NOW + a * NS, NOW + b * NS
        since = {"samples": (made._memory._ring.epoch, seen)}
        for options in ({}, {"since": since}):
            least = seen if options else 0
            answer = await made.get_data(Query(("n",), start, end, **options))
            found = [part.points for part in answer.parts]
            got = [n for frame in found for n in frame.columns["n"].values.tolist()] if found and len(found[0]) else []
            inside = [n for n, t in enumerate(times) if start <= t < end and n >= least]
            assert got == sorted(inside, key=lambda n: (times[n], n))
            for frame in found:
                assert frame.seq is not None
                assert all(n not in inside for n in range(frame.seq, len(times)) if times[n] < end and n not in got)
                first_beyond = next((n for n, t in enumerate(times) if t >= end and n >= least), len(times))
                assert frame.seq <= max(first_beyond, least)
    made._memory._journal.close()


async def test_an_end_in_the_middle_of_writing_loses_nothing_that_was_committed(path):
    made = service(path)
    async with working(made) as published:
        await published.samples(50)
        made._memory._journal.commit()
        committed = made._memory._journal.read_from(None, 0, 2**24)
        made._memory._journal._disk.close(clean=False)  # as kill -9 does
        again = service(path, counting(10_000))
        there = await frame_of(again, "n")
        assert len(there) >= sum(len(f) for f in committed.frames if f.timeline == "samples")
        assert there.columns["n"].values.tolist() == list(range(len(there)))
        kept = again._memory._ring.append(Frame("samples", np.array([NOW + 10**6 * NS]), {"n": column([1])}))
        assert kept.epoch == there.epoch
        assert kept.seq > published.frames[-1].seq
        again._memory._journal.close()


async def test_a_single_sample_of_before_is_found(path):
    node = counting(text="old")
    await ran(path, node, frames=100)
    made = service(path, counting(5000, text="new"), ring=2**12)
    async with working(made) as published:
        await published.samples(100)
        for t, which, expected in (
            (0, "after", 1),
            (5, "at", 5),
            (5, "before", 4),
            (5, "after", 6),
            (4000, "after", 5000),
        ):
            answer = await made.get_sample(("n", "unknown"), NOW + t * NS, which)
            assert answer.series("n")[1].values.tolist() == [expected]
        assert (await made.get_sample(("n",), NOW, "before")).parts == ()
        assert (await made.get_sample(("health.error",), LAST, "at")).parts == ()
        assert (await made.get_sample(("health.state",), LAST, "at")).series("health.state")[1].values.tolist() == [
            "ok"
        ]


async def test_a_field_that_becomes_one_of_another_type_goes_on_as_that(path):
    await ran(path)
    texts = itertools.count()
    node = type(
        "Made", (LiveNode,), {"interval": 0.001, "sample": lambda self: {"n": f"t{next(texts)}", "text": "y"}}
    )()
    made = service(path, node, ring=2**20)
    assert (await made.get_fields(0, 0))[0]["n"].type == "number"
    async with working(made) as published:
        await published.samples(3)
        assert (await made.get_fields(0, 0))[0]["n"].type == "string"
        values = (await data(made, "n"))["n"]
        assert [value for value in values if value is not None][:3] == ["t0", "t1", "t2"]
        assert (await data(made, "text"))["text"][:1] == ["x" * 20]
        assert (await made.get_sample(("n",), NOW + 10 * NS, "at")).parts == ()


async def test_a_notice_tells_from_when_on_there_are_samples(path):
    made = service(path, counting(rows=5000), ring=2**20, most_bytes=2**20)
    async with working(made) as published:
        await published.samples(30)
        await asyncio.to_thread(made._memory._journal.commit)
        answer = await made.get_data(Query(("n",), FIRST, LAST))
        first = int(answer.series("n")[0][0])
        assert first > NOW
        (notice,) = answer.notices
        assert notice.startswith("counting remembers its samples since 2025-11-1")
        assert notice.endswith("UTC; older ones are not on disk any more")
        assert (await made.get_data(Query(("n",), LAST - 10, LAST))).notices == ()


async def test_a_disk_that_is_full_is_told_and_tried_again(path, caplog):
    made = service(path, counting(rows=1000), ring=2**20)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    async with working(made) as published:
        await published.samples(1)
        resource.setrlimit(resource.RLIMIT_FSIZE, (8192, limits[1]))
        try:
            await published.until(lambda frames: made._memory.trouble is not None)
            error = await published.until(lambda frames: said(frames, "cannot be written"))
            answer = await made.get_data(Query(("n",), LAST - 10, LAST))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert error
        assert any("cannot be written" in notice and "in memory only" in notice for notice in answer.notices)
        await published.until(lambda frames: made._memory.trouble is None)
        total = published.frames[-1].seq
    assert caplog.text.count("its samples are in memory only") == 1
    assert "its journal is written again; " in caplog.text
    journal = Journal(path)
    kept = sum(len(frame) for frame in journal.window("samples", (), FIRST, LAST))
    assert kept + journal.lost >= total - 1000
    journal.close()


def said(frames, what) -> bool:
    """True if the node's health has said it."""
    errors = [frame.columns["health.error"] for frame in frames if frame.timeline == "health"]
    return any(what in text for each in errors for text in each.values.tolist())


async def test_readers_get_what_came_to_disk(path):
    made = service(path)
    async with working(made) as published:
        await published.samples(10)
        await asyncio.to_thread(made._memory._journal.commit)
        batch = await made.read_from(None, 0, 2**20)
        assert {"samples", "health"} == set(batch.streams)
        assert batch.epoch == made._memory._ring.epoch
    with pytest.raises(JournalError):
        await made.read_from(None, 0, 2**20)
    with pytest.raises(JournalError, match="counting has no journal"):
        await LiveService(counting()).read_from(None, 0, 2**20)


async def test_two_processes_may_not_have_one_journal(path):
    made = service(path)
    with pytest.raises(JournalInUse, match="in use by another process"):
        service(path)
    made._memory._journal.close()


async def test_at_the_end_all_has_come_to_disk(path):
    made = service(path)
    async with working(made) as published:
        await published.samples(5)
    last = [frame for frame in published.frames if frame.timeline == "samples"][-1]
    journal = Journal(path)
    assert journal.next_seq("samples") == last.seq
    assert sum(len(frame) for frame in journal.window("samples", (), FIRST, LAST)) == last.seq
    journal.close()
    assert (await data(made, "n"))["n"][-1] == last.columns["n"].values[-1]


# clocks that are set back


def numbered(first, t):
    """Samples in seconds since NOW, numbered."""
    return Frame(
        "samples", NOW + np.array(t) * NS, {"n": column(first + np.arange(len(t))), "text": column(["x" * 50] * len(t))}
    )


FIELDS = {"n": Field(timeline="samples")}


async def test_where_a_clock_was_set_back_the_node_does_not_say_that_it_has_all():
    memory, query = Memory("n", 20_000, None), Query(("n",), NOW + 5000 * NS, NOW + 20_000 * NS)
    for first in (*range(10_000, 12_000, 100), *range(1_000, 4_000, 100)):
        memory.append(numbered(first, range(first, first + 100)))
    assert await memory.lacking({"samples"}, query) == {"samples"}
    _, (notice,) = await memory.window(FIELDS, query)
    assert notice == (
        "n remembers only some of its samples up to 2025-11-13 05:33:19 UTC; others, of before its clock was set back, "
        "are not in memory any more"
    )
    later = query._replace(start=NOW + 12_000 * NS)
    assert await memory.lacking({"samples"}, later) == set()
    assert (await memory.window(FIELDS, later))[1] == ()


@settings(max_examples=40)
@given(st.data())
def test_of_what_a_node_does_not_lack_it_has_every_sample(tmp_path_factory, data):
    """Any clock, any ring, with a journal that forgets, with one that does not, and without; started again or not."""
    path = tmp_path_factory.mktemp("lacking") / "node.sqlite"
    ring = data.draw(st.sampled_from([2**10, 2**12, 2**16]))
    age = data.draw(st.sampled_from([None, 4, 20, 10**6]))
    starts = data.draw(st.lists(st.integers(0, 200), min_size=1, max_size=30))
    restart = data.draw(st.integers(0, 2 * len(starts))) if age else -1
    windows = data.draw(st.lists(st.tuples(st.integers(-5, 210), st.integers(-5, 210)), min_size=3, max_size=5))
    asyncio.run(_nothing_lacks(path, ring, age, (starts, restart), windows))


async def _nothing_lacks(path, ring, age, came, windows):
    clock = itertools.count().__next__

    def opened():
        return Memory("n", ring, None if age is None else Journal(path, most_age_ns=age, clock=clock, join_after=3))

    memory, times = opened(), []
    for number, start in enumerate(came[0]):
        if number == came[1]:
            memory._journal.close()
            memory = opened()
        t = start + np.arange(3)
        memory.append(numbered(len(times), t))
        times += (NOW + t * NS).tolist()
        if age is not None:
            memory._keeper._journal.commit()
    for a, b in windows:
        query = Query(("n",), NOW + a * NS, NOW + b * NS)
        frames, notices = await memory.window(FIELDS, query)
        got = [n for frame in frames for n in frame.columns["n"].values.tolist()] if sum(map(len, frames)) else []
        every = [n for n, t in enumerate(times) if query.start <= t < query.end]
        if not await memory.lacking({"samples"}, query):
            assert sorted(got) == every
            assert notices == ()
        if age == 10**6:
            assert sorted(got) == every
            for which in ("at", "before", "after"):
                expected = [t for t in times if fits(t, query.end, which)]
                (found, *_), _ = await memory.nearest(FIELDS, query.end, which) if expected else ([None], ())
                if expected:
                    assert int(found.t[0]) == (min if which == "after" else max)(expected)
    if age is not None:
        memory._journal.close()


def fits(t, instant, which):
    """Whether a sample at t may be that which is nearest to the instant."""
    return {"at": t <= instant, "before": t < instant, "after": t > instant}[which]


async def test_one_sample_of_more_than_may_wait_comes_to_disk_whole(path):
    """As a scan of very many open files, and that at once: no disk has refused it yet."""
    rows, scan = 2000, itertools.count()

    def sample():
        if next(scan):
            return None
        text = column(["x" * 1000] * rows)
        return [
            Frame("records", np.full(rows, NOW), {"n": column(np.arange(rows) + i), "text": text}) for i in range(12)
        ]

    node = type("Scan", (LiveNode,), {"interval": 0.01, "sample": staticmethod(sample)})()
    made = service(path, node)
    async with working(made) as published:
        await published.until(
            lambda frames: sum(len(each) for each in frames if each.timeline == "records") == 12 * rows
        )
    journal = Journal(path)
    assert journal.lost == 0
    assert journal.next_seq("records") == 12 * rows
    assert sum(len(frame) for frame in everything(journal) if frame.timeline == "records") == 12 * rows
    journal.close()


def everything(journal: Journal) -> list[Frame]:
    """All that is on disk."""
    epoch, position, frames, more = None, 0, [], True
    while more:
        batch = journal.read_from(epoch, position)
        epoch, position, more = batch.epoch, batch.position, batch.more
        frames += batch.frames
    return frames
