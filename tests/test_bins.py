"""Statistics of bins: whatever they were joined of, they are those of all samples, by brute force."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sisock.bins import fold, of_samples
from sisock.frames import TEXT, Column, Frame
from sisock.grid import Grid
from sisock.grouping import join
from sisock.reduction import bins_from, finish
from tests.reducing import NUMERIC, samples, values_of

WIDTHS = st.sampled_from([1, 3, 8, 2**10, 2**30, 2**40])


def binned(frame, width):
    at = Grid(width, 10**6).starts(frame.t)
    return of_samples(frame.t, frame.columns["a"], at, Grid(width).begins(frame.t[at]))


def brute(frame, width):
    """{begin of the bin: (times, values)}, None where there is no value."""
    found = {}
    for at, value in zip(frame.t.tolist(), values_of(frame.columns["a"]), strict=True):
        found.setdefault(at // width * width, []).append((at, value))
    return found


def check(bins, frame, width):
    expected = brute(frame, width)
    assert bins.start.tolist() == list(expected)
    for row, rows in enumerate(expected.values()):
        there = [(at, value) for at, value in rows if value is not None]
        assert (bins.count[row], bins.missing[row]) == (len(there), len(rows) - len(there))
        if not there:
            assert bins.t_first[row] == rows[0][0]
            continue
        assert (bins.t_first[row], bins.t_last[row]) == (there[0][0], there[-1][0])
        assert (bins.t_first[row], bins.first[row]) in there
        assert (bins.t_last[row], bins.last[row]) in there
        if bins.low is None:
            continue
        values = [value for _, value in there]
        assert (bins.low[row], bins.high[row]) == (min(values), max(values))
        assert (bins.t_low[row], bins.low[row]) in there
        assert (bins.t_high[row], bins.high[row]) in there
        if all(abs(value) < 1e150 for value in values):
            scale = max(map(abs, values))
            mean = math.fsum(values) / len(values)
            spread = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / len(values))
            assert bins.mean[row] == pytest.approx(mean, rel=1e-9, abs=scale * 1e-12)
            assert bins.std[row] == pytest.approx(spread, rel=1e-6, abs=scale * 1e-9)


@given(samples(), WIDTHS)
def test_bins_of_samples_are_what_counting_gives(frame, width):
    check(binned(frame, width), frame, width)


@given(samples(), WIDTHS, st.data())
def test_bins_join_in_any_order_of_any_parts(frame, width, data):
    of = np.array(data.draw(st.lists(st.integers(0, 3), min_size=len(frame), max_size=len(frame))))
    parts = [binned(frame.rows(np.flatnonzero(of == each)), width) for each in data.draw(st.permutations(range(4)))]
    check(join(parts), frame, width)


@given(samples(), st.sampled_from([1, 8, 2**10, 2**30]), st.sampled_from([2, 3, 8, 64]))
def test_coarser_bins_are_made_of_finer_ones(frame, width, times):
    fine = binned(frame, width)
    begins = fine.start // (width * times) * (width * times)
    at = np.flatnonzero(np.diff(begins, prepend=begins[0] - 1))
    check(fold(fine, at, begins[at]), frame, width * times)


@given(samples((TEXT,)), WIDTHS, st.data())
def test_bins_of_texts_know_first_last_and_how_often_they_changed(frame, width, data):
    check(binned(frame, width), frame, width)
    cut = data.draw(st.integers(0, len(frame)))
    joined = join([binned(frame.rows(part), width) for part in (slice(cut), slice(cut, None))])
    for row, rows in enumerate(brute(frame, width).values()):
        there = [value for _, value in rows if value is not None]
        changes = sum(a != b for a, b in pairwise(there))
        if len({at for at, _ in rows}) == len(rows):  # of equal times nobody knows which came first
            assert joined.total[row] == changes


@given(st.data(), st.sampled_from([*NUMERIC, TEXT]), WIDTHS)
def test_bins_travel_in_an_answer(data, dtype, width):
    frame = data.draw(samples((dtype,)))
    bins = binned(frame, width)
    again = bins_from(finish(Frame("t", frame.t, {}), "a", bins, "bins"), "a")
    for before, after in zip(bins, again, strict=True):
        assert (before is None) == (after is None)
        assert before is None or np.array_equal(before, after, equal_nan=before.dtype.kind == "f")


def test_no_samples_make_no_bins():
    for dtype in NUMERIC:
        empty = Frame("t", np.empty(0, np.int64), {"a": Column(np.empty(0, dtype))})
        assert len(join([binned(empty, 8), binned(empty, 8)]).start) == 0
