"""Point queries: the last sample at or before an instant, the one before it, the next."""

import asyncio
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sisock.frames import Column, Field, Frame
from sisock.nearest import WHICH, nearest, sought
from sisock.nodes import ArchivedNode, LiveNode, NoData
from sisock.nodes.query import parse_sample
from sisock.nodes.seeking import windows
from sisock.store.ring import Ring
from sisock.times import FIRST, LAST, NS
from tests.nodes import working

NOW = 1_764_000_000 * NS
VALUES = st.lists(st.tuples(st.integers(-5, 20), st.sampled_from([1.0, 2.0, np.nan, None])), max_size=30)


def by_hand(rows, t, which):
    """Index of the sample among (time, value) in the order in which they came, by looking at each."""
    best = None
    for row, (at, value) in enumerate(rows):
        there = value is not None and not np.isnan(value)
        side = at > t if which == "after" else at < t if which == "before" else at <= t
        if there and side:
            nearer = best is None or (at < rows[best][0] if which == "after" else at >= rows[best][0])
            best = row if nearer else best
    return best


def frame(rows, timeline="samples"):
    values = np.array([np.nan if value is None else value for _, value in rows], np.float64)
    missing = np.array([value is None for _, value in rows], bool)
    return Frame(timeline, np.array([at for at, _ in rows], np.int64), {"x": Column(values, missing)})


@given(VALUES, st.integers(-6, 21), st.sampled_from(WHICH))
def test_the_sample_is_the_nearest_one_that_has_a_value(rows, t, which):
    found, expected = nearest(frame(rows), "x", *sought(t, which), which), by_hand(rows, t, which)
    assert (found is None) == (expected is None)
    if found is not None:
        assert (int(found.t[0]), found.columns["x"].values[0]) == rows[expected]


@given(st.lists(VALUES, max_size=8), st.integers(-6, 21), st.sampled_from(WHICH))
def test_a_ring_finds_it_across_its_blocks_and_knows_its_sequence(batches, t, which):
    ring = Ring(100_000)  # room for all
    for rows in batches:
        ring.append(frame(rows))
    every = [row for rows in batches for row in rows]
    found, expected = ring.nearest("x", t, which), by_hand(every, t, which)
    assert (found is None) == (expected is None)
    if found is not None:
        assert (int(found.t[0]), found.columns["x"].values[0]) == every[expected]
        assert (found.epoch, found.seq) == (ring.epoch, expected + 1)


@pytest.mark.parametrize("t", [FIRST, FIRST + 1, -NS, 0, 1, NOW - 1, NOW, NOW + NS, LAST - 1, LAST])
@pytest.mark.parametrize("which", WHICH)
def test_windows_cover_everything_on_that_side_once_in_a_few_steps(t, which):
    start, end = sought(t, which)
    made = list(windows(start, end, which, NOW))
    assert len(made) <= 20
    if which != "after":
        made.reverse()
    assert all(a < b for a, b in made)
    assert [a for a, _ in made[1:]] == [b for _, b in made[:-1]]
    assert not made or (made[0][0], made[-1][1]) == (start, end)
    assert made or start >= end


@pytest.mark.parametrize(
    ("arguments", "options", "says"),
    [
        (("x",), {}, "get_sample takes a list"),
        ((["x"], "noon"), {}, "'noon' is not a time"),
        ((["x"], 0, "near"), {}, "use one of at, before, after"),
        ((["x"], 0, ["at"]), {}, "use one of at, before, after"),
        ((["x"],), {"ns": 1.5}, "whole number of nanoseconds"),
        ((["x"],), {"ns": 2**63}, "as an int64 holds it"),
    ],
)
def test_what_asks_for_no_sample_is_a_sentence(arguments, options, says):
    with pytest.raises(ValueError, match=says):
        parse_sample(*arguments, **options, now=NOW)


def test_the_instant_is_exact_in_ns_and_now_without_any():
    assert parse_sample(["x", "x"], now=NOW) == (("x",), NOW, "at")
    assert parse_sample(["x"], -60, "before", now=NOW) == (("x",), NOW - 60 * NS, "before")
    assert parse_sample(["x"], 1.5, "after", now=NOW) == (("x",), 1_500_000_000, "after")
    assert parse_sample(["x"], ns=NOW + 1, now=NOW) == (("x",), NOW + 1, "at")


# nodes


def one(answer, name):
    """Time and value of a field's only sample."""
    t, column = answer.series(name)
    assert len(t) <= 1
    return (int(t[0]), column.values[0]) if len(t) else None


async def test_a_live_node_answers_from_its_ring_each_field_for_itself():
    class Door(LiveNode):
        interval = 3600

        def sample(self):
            t = np.array([10, 20, 30])
            return Frame("door", t, {"open": Column(np.array([True, False, True]), np.array([False, False, True])),
                                     "count": Column(np.array([1, 2, 3]))})  # fmt: skip

    service = Door().service()
    async with working(service) as published:
        await published.samples()
        found = await service.get_sample(("open", "count", "nothing", "health.state"), 30, "at")
        assert (one(found, "open"), one(found, "count"), one(found, "nothing")) == ((20, False), (30, 3), None)
        assert (found.method, found.samples, found.notices) == ("at", 2, ())
        open_, count = found.parts
        assert (open_.of, open_.points.timeline, open_.points.seq) == ("door", "door::open", 2)
        assert count.points.seq == 3
        assert one(await service.get_sample(("count",), 30, "before"), "count") == (20, 2)
        assert one(await service.get_sample(("count",), 10, "after"), "count") == (20, 2)
        assert (await service.get_sample(("count",), 30, "after")).parts == ()
        assert one(await service.get_sample(("health.state",), LAST, "at"), "health.state")[1] == "ok"


async def test_a_live_node_says_that_the_sample_may_have_had_to_go():
    class Scope(LiveNode):
        interval = 3600

        def sample(self):
            t = np.arange(5_000) * NS
            return Frame("scope", t, {"x": Column(t)})

    service = Scope().service(ring=40_000)
    async with working(service) as published:
        await published.samples()
        found = await service.get_sample(("x",), 5 * NS, "at")
    assert found.parts == ()
    assert "remembers its samples since" in found.notices[0]


class Files(ArchivedNode):
    """A sample a day, on the days that have a file, with a hole of years."""

    fields = {"x": Field(timeline="days"), "word": Field(timeline="days", type="string")}  # noqa: RUF012
    day = 86_400 * NS
    days = (-3, 10, 11, 12, 5_000, 5_001)

    def __init__(self):
        self.reads = []

    def read(self, field, start, end):
        self.reads.append((start, end))
        t = np.array([each * self.day for each in self.days if start <= each * self.day < end], np.int64)
        if not len(t):
            raise NoData("there is no file of these days")
        values = t // self.day
        if field == "word":
            return t, np.array([str(each) for each in values], np.dtypes.StringDType())
        return t, np.where(values == 11, np.nan, values)


@pytest.mark.parametrize(
    ("day", "which", "expected"),
    [
        (13, "at", 12), (12, "at", 12), (12, "before", 10), (11, "at", 10), (10, "after", 12), (12, "after", 5_000),
        (9_999_999, "at", 5_001), (4_999, "before", 12), (9, "before", -3), (-3, "after", 10), (-9_999_999, "after", -3),
        (-3, "before", None), (5_001, "after", None),
    ],
)  # fmt: skip
async def test_an_archive_is_read_in_windows_until_there_is_a_value(day, which, expected):
    node = Files()
    t = max(FIRST, min(LAST, day * node.day))
    found = await node.service().get_sample(("x", "none"), t, which)
    assert one(found, "x") == (None if expected is None else (expected * node.day, expected))
    assert found.notices == ()
    assert len(node.reads) <= 20


async def test_what_an_author_finds_is_read_alone():
    class Indexed(Files):
        def find(self, field, t, which):
            return None if which == "after" else 5_001 * self.day

    node = Indexed()
    found = await node.service().get_sample(("x", "word"), LAST, "at")
    assert (one(found, "x")[1], one(found, "word")[1]) == (5_001, "5001")
    assert node.reads == [(5_001 * node.day, 5_001 * node.day + 1)] * 2
    assert (await node.service().get_sample(("x",), 0, "after")).parts == ()


async def test_what_an_author_finds_without_a_value_is_passed_over():
    class Blind(Files):
        async def find(self, field, t, which):
            return 11 * self.day

    assert one(await Blind().service().get_sample(("x",), 11 * Files.day, "at"), "x") == (10 * Files.day, 10)


async def test_an_archive_that_cannot_be_searched_costs_only_that_field():
    let_go = threading.Event()

    class Odd(ArchivedNode):
        fields = {name: Field(timeline=name) for name in ("raises", "mad", "hangs", "good")}  # noqa: RUF012

        def find(self, field, t, which):
            return "yesterday" if field == "mad" else NotImplemented

        def read(self, field, start, end):
            if field == "raises":
                raise OSError("the disk is gone")
            if field == "hangs":
                let_go.wait(30)
            return [5], [1.5]

    service = type(Odd().service())(Odd(), patience=1.0)
    found = await asyncio.wait_for(service.get_sample(("raises", "mad", "hangs", "good"), 5, "at"), 20)
    let_go.set()
    assert one(found, "good") == (5, 1.5)
    assert found.notices == (
        "raises could not be read: OSError: the disk is gone",
        "mad: find() failed: ValueError: invalid literal for int() with base 10: 'yesterday'",
        "hangs: no sample was found within 1 s",
    )
