"""History and live frames as one line: each sample once."""

import asyncio
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from sisock.following import Follower, follow_bins
from sisock.frames import Answer, Column, Frame, Part, column
from sisock.inbox import Inbox
from sisock.sizes import split
from sisock.store.ring import Ring
from sisock.times import FIRST, LAST
from sisock.wire import assemble
from tests.made import same_frame


def samples(first, n, timeline="t"):
    """A frame of n samples whose value is their number."""
    return Frame(timeline, np.arange(first, first + n), {"n": Column(np.arange(first, first + n))})


def values(frame):
    return [] if frame is None else frame.columns["n"].values.tolist()


class Following(RuleBasedStateMachine):
    """A node measures and is started again; live frames wait, some are lost; whoever follows asks for what it missed."""

    @initialize(most=st.sampled_from([4_000, 10**9]))
    def begin(self, most):
        self.most, self.count, self.waiting, self.seen, self.lost_for_good = most, 0, [], [], set()
        self.ring, self.of_ring = Ring(most), []
        self.follower = Follower(None)
        self.history()

    @rule(n=st.integers(1, 200), heard=st.booleans())
    def measure(self, n, heard):
        kept = self.ring.append(samples(self.count, n))
        self.of_ring += range(self.count, self.count + n)
        self.count += n
        if heard:
            self.waiting.append(kept)

    @rule()
    def start_again(self):
        """What the node had in memory is gone; what it published may still wait."""
        self.lost_for_good |= set(self.of_ring)
        self.ring, self.of_ring = Ring(self.most), []

    @rule(drop=st.integers(0, 3))
    def lose(self, drop):
        """An inbox that is full lets its oldest frames go."""
        del self.waiting[:drop]

    @rule()
    def hear(self):
        if self.waiting:
            frame = self.waiting.pop(0)
            if self.follower.misses(frame):
                self.history()
            self.seen += values(self.follower.take(frame))

    def history(self):
        epoch, seq = self.follower.since.get("t", ("", 0))
        window = self.ring.window("t", ["n"], FIRST, LAST, seq if epoch == self.ring.epoch else 0)
        self.seen += values(self.follower.account(window)) if len(window) else []
        if not len(window):
            self.follower.account(window)

    def teardown(self):
        """In the end nothing is missing but what nobody had any more, and nothing is there twice."""
        if not hasattr(self, "ring"):
            return
        while self.waiting:
            self.hear()
        self.history()
        assert len(set(self.seen)) == len(self.seen)
        missing = set(range(self.count)) - set(self.seen) - self.lost_for_good
        assert len(missing) <= self.ring.dropped.get("t", 0)


TestFollowing = Following.TestCase


def test_live_frames_before_and_beyond_the_answer_join_it_exactly():
    ring, follower = Ring(10**9), Follower(None)
    frames = [ring.append(samples(10 * number, 10)) for number in range(6)]
    answer = ring.window("t", ["n"], FIRST, 35)  # sequences 0 to 34: frame 3 is half in it
    got = values(follower.take(answer))
    for frame in frames:
        assert not follower.misses(frame)
        got += values(follower.take(frame))
    assert got == list(range(60))


def test_a_late_frame_from_before_a_restart_neither_doubles_nor_undoes_what_came_since():
    before, after, follower = Ring(10**9), Ring(10**9), Follower(None)
    first, late = before.append(samples(0, 5)), before.append(samples(5, 5))
    fresh = after.append(samples(10, 5))
    assert values(follower.take(first)) == [0, 1, 2, 3, 4]
    assert values(follower.take(fresh)) == [10, 11, 12, 13, 14]
    assert not follower.misses(late)
    assert values(follower.take(late)) == [5, 6, 7, 8, 9]
    assert follower.take(late) is None
    assert follower.since == {"t": (after.epoch, 5)}
    assert not follower.misses(after.append(samples(15, 1)))
    assert follower.take(fresh) is None


def test_an_answer_of_several_epochs_is_new_as_a_whole():
    follower = Follower(None)
    answer = Frame("t", np.arange(8), {"n": Column(np.arange(8))}, "later", 3)  # five of before, three of this epoch
    assert values(follower.account(answer)) == [*range(8)]
    assert follower.since == {"t": ("later", 3)}
    assert values(follower.take(Frame("t", np.arange(7, 9), {"n": Column(np.arange(7, 9))}, "later", 4))) == [8]


def test_an_answer_of_an_epoch_that_a_late_frame_seemed_to_end_is_not_doubled():
    before, after, follower = Ring(10**9), Ring(10**9), Follower(None)
    late, answer = before.append(samples(0, 2)), after.append(samples(2, 3))
    assert values(follower.account(answer)) == [2, 3, 4]
    assert values(follower.take(late)) == [0, 1]
    assert follower.account(answer) is None
    assert values(follower.take(after.append(samples(5, 1)))) == [5]


def test_a_frame_that_begins_later_is_missing_something():
    ring, follower = Ring(10**9), Follower(None)
    follower.take(ring.append(samples(0, 5)))
    ring.append(samples(5, 5))
    assert follower.misses(ring.append(samples(10, 5)))
    assert not follower.misses(Frame("other", np.array([1]), {}, ring.epoch, 1))
    assert follower.misses(Frame("other", np.array([1]), {}, ring.epoch, 2))


def test_timelines_are_followed_each_on_its_own():
    ring, follower = Ring(10**9), Follower(None)
    for timeline in ("t", "u"):
        assert values(follower.take(ring.append(samples(0, 5, timeline)))) == [0, 1, 2, 3, 4]
    assert follower.since == {"t": (ring.epoch, 5), "u": (ring.epoch, 5)}


def test_only_the_fields_asked_for_come_and_the_rest_is_accounted_for():
    follower = Follower(["a"])
    frame = Frame("t", np.array([1]), {"a": column([1]), "b": column([2])}, "e", 1)
    assert list(follower.take(frame).columns) == ["a"]
    assert follower.take(Frame("t", np.array([2]), {"b": column([3])}, "e", 2)) is None
    assert not follower.misses(Frame("t", np.array([3]), {"a": column([4])}, "e", 3))


def test_nodes_without_sequences_are_followed_by_time():
    follower = Follower(None)
    for t, expected in (([1, 2, 3], [1, 2, 3]), ([2, 3, 4], [4]), ([1], []), ([], []), ([5, 6], [5, 6])):
        frame = Frame("t", np.array(t, np.int64), {"n": Column(np.array(t, np.int64))})
        assert not follower.misses(frame)
        assert values(follower.take(frame)) == expected


@given(st.integers(1, 500), st.integers(3000, 9000))
def test_a_large_answer_is_put_together_again_as_it_was(n, limit):
    frame = Frame(
        "t", np.arange(n), {"n": Column(np.arange(n)), "s": column(["x" * (i % 30) for i in range(n)])}, "e", 1000 + n
    )
    other = Frame("u", np.arange(5), {"m": Column(np.arange(5))}, "e", 5)
    answer = Answer((Part(frame, "t", 7, n, ((1, 2),)), Part(other, "u", None, 5)), "raw", None, ("a notice",))
    whole = assemble(list(split(answer, limit)))
    assert all(
        same_frame(a.points, b.points) and a[1:] == b[1:] for a, b in zip(whole.parts, answer.parts, strict=True)
    )
    assert (whole.method, whole.bin, whole.notices) == (answer.method, answer.bin, answer.notices)


# the inbox


async def test_an_inbox_gives_what_came_in_its_order():
    inbox = Inbox(10)
    for number in range(3):
        inbox.put(number)
    assert [await inbox.get() for _ in range(3)] == [0, 1, 2]
    assert inbox.dropped == 0


async def test_an_inbox_waits_for_what_comes():
    inbox = Inbox(10)
    getting = asyncio.ensure_future(inbox.get())
    await asyncio.sleep(0)
    assert not getting.done()
    inbox.put("something")
    assert await asyncio.wait_for(getting, 30) == "something"


async def test_a_full_inbox_lets_the_oldest_go_and_counts():
    inbox = Inbox(3)
    for number in range(10):
        inbox.put(number)
    assert ([await inbox.get() for _ in range(3)], inbox.dropped) == ([7, 8, 9], 7)


async def test_somebody_who_gives_up_waiting_loses_nothing():
    inbox = Inbox(3)
    getting = asyncio.ensure_future(inbox.get())
    await asyncio.sleep(0)
    getting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await getting
    inbox.put(1)
    assert await inbox.get() == 1


WIDTH = 10**6  # ns


class Clocks:
    """Timelines that are measured all the time, and end after so many answers; each with the window asked for."""

    def __init__(self, ends):
        self.ends, self.begun, self.starts = ends, time.time_ns(), []

    async def data(self, node, fields, reduce, bin, ns):  # noqa: A002  # its name on the wire
        at = len(self.starts)
        self.starts.append((ns[0] - self.begun) / WIDTH)
        parts = []
        for name, end in self.ends.items():
            t = self.begun + 1000 * WIDTH * np.arange(-1, min(at, end) + 1)
            t = t[t >= ns[0]]
            frame = Frame(f"{name}::{reduce}", t // bin * bin, {name: Column(np.ones(len(t)))})
            parts.append(Part(frame, name, int(t[-1]) if len(t) else None, len(t)))
        return Answer(tuple(parts), reduce, bin)


async def followed(ends, times, monkeypatch):
    """In bins since it began: where each answer in bins begins."""
    source = Clocks(ends)
    monkeypatch.setattr("sisock.following.time.time_ns", lambda: source.begun + 10**6 * WIDTH)
    answers = follow_bins(source, "n", list(ends), WIDTH, "count", 1.0, 0.0)
    for _ in range(times):
        await anext(answers)
    await answers.aclose()
    return source.starts


async def test_bins_begin_where_the_first_timeline_that_goes_on_is_open(monkeypatch):
    starts = await followed({"fast": 99}, 5, monkeypatch)
    assert [round(each / 1000, 2) for each in starts[1:]] == [0, 1, 2, 3]


async def test_a_silent_timeline_holds_no_more_than_a_hundred_bins_open(monkeypatch):
    starts = await followed({"fast": 99, "silent": 1}, 8, monkeypatch)
    assert [round(each / 1000, 1) for each in starts[1:]] == [0, 1, 1.9, 2.9, 3.9, 4.9, 5.9]


async def test_a_clock_that_is_ahead_closes_no_bins_of_others(monkeypatch):
    source = Clocks({"fast": 99})
    ahead = source.begun + 10**9 * WIDTH

    async def data(*args, **named):
        answer = await Clocks.data(source, *args, **named)
        frame = Frame("ahead::count", np.array([ahead]), {"ahead": Column(np.ones(1))})
        return Answer((*answer.parts, Part(frame, "ahead", ahead, 1)), answer.method, answer.bin)

    monkeypatch.setattr(source, "data", data)
    monkeypatch.setattr("sisock.following.time.time_ns", lambda: source.begun + len(source.starts) * 1000 * WIDTH)
    answers = follow_bins(source, "n", ["fast", "ahead"], WIDTH, "count", 1.0, 0.0)
    for _ in range(5):
        await anext(answers)
    await answers.aclose()
    assert [round(each / 1000, 1) for each in source.starts[2:]] == [1.9, 2.9, 3.9]
