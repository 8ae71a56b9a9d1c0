"""The ring: bounded, and no sample lost or doubled."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from sisock.frames import TEXT, Column, Frame, column
from sisock.store.ring import Ring
from sisock.times import FIRST, LAST

LARGE = 10**9


def numbered(first, n, t=None):
    """A frame of n samples whose value is their sequence."""
    values = np.arange(first, first + n)
    return Frame("t", values if t is None else np.array(t, np.int64), {"n": Column(values)})


def everything(ring, since=0):
    return ring.window("t", ["n"], FIRST, LAST, since)


def sequences(frame):
    """The sequences that the samples of a window tell of themselves."""
    return frame.columns["n"].values.tolist() if "n" in frame.columns else []


# identity


@given(st.lists(st.integers(0, 5000), min_size=1, max_size=12))
def test_sequences_count_on_through_joining_and_every_frame_gets_its_own(lengths):
    ring, total = Ring(LARGE), 0
    for n in lengths:
        kept = ring.append(numbered(total, n))
        total += n
        assert (kept.epoch, kept.seq, len(kept)) == (ring.epoch, total, n)
    whole = everything(ring)
    assert (whole.seq, sequences(whole)) == (total, list(range(total)))


def test_each_ring_has_an_epoch_of_its_own():
    assert len({Ring(1).epoch for _ in range(100)}) == 100


@given(st.lists(st.integers(1, 300), min_size=1, max_size=20), st.data())
def test_a_window_since_a_sequence_has_exactly_the_samples_from_there_on(lengths, data):
    ring, total = Ring(LARGE), 0
    for n in lengths:
        ring.append(numbered(total, n))
        total += n
    since = data.draw(st.integers(0, total + 3))
    later = everything(ring, since)
    assert sequences(later) == list(range(since, total))
    assert later.seq == total


def test_a_window_accounts_for_no_more_than_it_reached():
    ring = Ring(LARGE)
    ring.append(numbered(0, 10))
    assert ring.window("t", ["n"], 2, 5).seq == 5
    assert ring.window("t", ["n"], 0, 0).seq == 0
    assert ring.window("t", ["n"], 20, 30).seq == 10
    assert ring.window("t", ["n"], 20, 30, since=7).seq == 10
    assert ring.window("t", ["n"], 0, 5, since=7).seq == 7
    assert ring.window("unknown", ["n"], 0, 5).seq == 0


def test_a_clock_that_is_set_back_loses_and_doubles_nothing():
    ring = Ring(LARGE)
    ring.append(numbered(0, 3, [10, 11, 12]))
    ring.append(numbered(3, 2, [5, 6]))
    whole = everything(ring)
    assert (sequences(whole), whole.t.tolist(), whole.seq) == ([3, 4, 0, 1, 2], [5, 6, 10, 11, 12], 5)
    assert (sequences(everything(ring, 2)), sequences(everything(ring, 4))) == ([3, 4, 2], [4])
    early = ring.window("t", ["n"], FIRST, 11)
    assert (sequences(early), early.seq) == ([3, 4, 0], 1)  # 1 and 2 are still to be asked for
    late = ring.window("t", ["n"], 8, LAST)
    assert (sequences(late), late.seq) == ([0, 1, 2], 5)


class Reading(RuleBasedStateMachine):
    """Somebody appends at any pace, clocks jump, and a reader asks windows since what it knows."""

    @initialize(most=st.sampled_from([3_000, 40_000, LARGE]))
    def begin(self, most):
        self.ring, self.total, self.read, self.since = Ring(most), 0, [], 0

    @rule(n=st.integers(0, 400), start=st.integers(-5, 5))
    def append(self, n, start):
        t = self.total // 100 + start + np.arange(n) // 50
        self.ring.append(numbered(self.total, n, t))
        self.total += n

    @rule()
    def ask(self):
        got = everything(self.ring, self.since)
        self.read += sequences(got)
        self.since = got.seq

    @rule(end=st.integers(0, 60))
    def account(self, end):
        """A window that ends early has every sample below its `seq`."""
        window = self.ring.window("t", ["n"], FIRST, end, self.since)
        kept = [n for n in sequences(everything(self.ring, self.since)) if n < window.seq]
        assert set(kept) <= set(sequences(window))
        assert window.seq >= self.since

    @invariant()
    def each_sample_once(self):
        if hasattr(self, "ring"):
            assert len(set(self.read)) == len(self.read)
            known = set(self.read) | set(sequences(everything(self.ring, self.since)))
            assert self.total - len(known) <= self.ring.dropped.get("t", 0)
            assert known <= set(range(self.total))


TestReading = Reading.TestCase


def test_readers_of_windows_that_end_early_get_each_sample_once():
    ring = Ring(LARGE)
    ring.append(numbered(0, 1000))
    read, since = [], 0
    for end in (10, 10, 5, 500, 499, 2000):
        window = ring.window("t", ["n"], 0, end, since)
        read, since = read + sequences(window), window.seq
    assert read == list(range(1000))


# bounds


@pytest.mark.parametrize("values", [np.zeros(1), np.array(["a text of some length, longer than any number"], TEXT)])
@pytest.mark.parametrize("most", [2**16, 2**18])
def test_many_small_samples_stay_within_the_bytes_and_fill_them(values, most):
    ring = Ring(most)
    for number in range(15_000):
        ring.append(Frame("t", np.array([number]), {name: Column(values) for name in "ab"}))
    assert ring._bytes <= most
    assert ring._bytes > most * 0.7
    assert ring.dropped["t"] + len(ring.window("t", ["a"], FIRST, LAST)) == 15_000


def test_wide_rows_leave_at_least_most_of_the_ring_filled():
    ring, wide = Ring(2**20), {f"f{number}": Column(np.zeros(1)) for number in range(300)}
    kept = []
    for number in range(600):
        ring.append(Frame("t", np.array([number]), wide))
        kept.append(len(ring.window("t", ["f0"], FIRST, LAST)))
    after = next(number for number, n in enumerate(kept) if n < number + 1)
    assert min(kept[after:]) > max(kept) * 0.5


def test_one_frame_larger_than_the_ring_keeps_its_latest_samples():
    ring = Ring(2**16)
    kept = ring.append(numbered(0, 100_000))
    whole = everything(ring)
    assert (kept.seq, len(kept)) == (100_000, 100_000)
    assert ring._bytes <= 2**16
    assert sequences(whole) == list(range(100_000 - len(whole), 100_000))
    assert len(whole) > 2000
    assert ring.dropped["t"] == 100_000 - len(whole)


def test_one_row_larger_than_the_ring_is_counted_and_not_kept():
    ring = Ring(2**16)
    ring.append(Frame("t", np.array([1]), {"s": column(["x" * 2**17])}))
    assert (ring._bytes, ring.dropped, ring.timelines(), ring.first("t")) == (0, {"t": 1}, [], None)
    assert ring.window("t", ["s"], FIRST, LAST).seq == 1
    assert ring.append(Frame("t", np.array([2]), {"s": column(["x"])})).seq == 2
    assert len(ring.window("t", ["s"], FIRST, LAST)) == 1


def test_any_number_of_timelines_stays_within_the_bytes():
    ring = Ring(2**16)
    for number in range(2000):
        ring.append(Frame(f"t{number}", np.array([number]), {"a": column([number])}))
        assert ring._bytes <= 2**16
    assert "t1999" in ring.timelines()
    assert "t0" not in ring.timelines()


def test_a_slow_timeline_keeps_its_last_samples_beside_a_fast_one():
    ring = Ring(2**17)
    ring.append(Frame("slow", np.array([0]), {"s": column([7])}))
    for number in range(200):
        ring.append(Frame("fast", np.arange(100) + 100 * number, {"f": Column(np.arange(100))}))
    assert ring.dropped.keys() == {"fast"}
    assert ring.window("slow", ["s"], FIRST, LAST).columns["s"].values.tolist() == [7]


def test_memory_is_what_the_ring_says_near_enough():
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        ring = Ring(2**20)
        for number in range(300):
            ring.append(
                Frame("t", np.arange(100) + number, {"a": Column(np.zeros(100)), "s": column(["x" * 40] * 100)})
            )
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 2 * 2**20


# fields


def test_fields_may_appear_and_vanish_and_whole_numbers_become_floats():
    ring = Ring(LARGE)
    for number, columns in enumerate([{"a": [1]}, {"a": [2], "b": ["x"]}, {"b": ["y"]}, {"a": [1.5], "c": [True]}]):
        ring.append(Frame("t", np.array([number]), {name: column(values) for name, values in columns.items()}))
    whole = ring.window("t", ["a", "b", "c", "unknown"], FIRST, LAST)
    assert ring.fields("t") == {"a", "b", "c"}
    assert list(whole.columns) == ["a", "b", "c"]
    assert whole.columns["a"].values[whole.columns["a"].present()].tolist() == [1.0, 2.0, 1.5]
    assert whole.columns["b"].present().tolist() == [False, True, True, False]
    assert whole.columns["c"].present().tolist() == [False, False, False, True]


def test_a_window_where_a_field_has_nothing_still_accounts_for_its_samples():
    ring = Ring(LARGE)
    ring.append(Frame("t", np.array([1]), {"a": column([1])}))
    ring.append(Frame("t", np.array([2]), {"b": column([2])}))
    window = ring.window("t", ["b"], 1, 2)
    assert (len(window), window.seq) == (1, 1)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 9)), max_size=30), st.integers(-1, 40), st.integers(-1, 40))
def test_a_window_has_what_lies_in_it_in_the_order_of_time(steps, start, end):
    ring, rows, at = Ring(LARGE), [], 0
    for step, value in steps:
        at += step
        ring.append(Frame("t", np.array([at]), {"n": column([value])}))
        rows.append((at, value))
    window = ring.window("t", ["n"], start, end)
    values = window.columns["n"].values.tolist() if "n" in window.columns else []
    assert list(zip(window.t.tolist(), values, strict=True)) == [row for row in rows if start <= row[0] < end]
    assert ring.first("t") == (rows[0][0] if rows else None)


def test_a_heavy_timeline_does_not_push_out_a_light_one():
    ring = Ring(100_000)
    for second in range(100):
        ring.append(Frame("counts", np.array([second]), {"total": column([second])}))
        ring.append(Frame("records", np.full(1000, second), {"pid": column(np.arange(1000))}))
    assert len(ring.window("counts", ["total"], FIRST, LAST)) == 100
    assert "counts" not in ring.dropped
    assert ring.dropped["records"] > 90_000


def test_what_had_to_go_is_known_by_its_latest_time_also_where_a_clock_was_set_back():
    ring = Ring(20_000)
    for first in (10_000, 1_000, 2_000, 3_000):
        ring.append(numbered(0, 1000, range(first, first + 1000)))
    assert ring.first("t") >= 1_000
    assert ring.gone == {"t": 10_999}
