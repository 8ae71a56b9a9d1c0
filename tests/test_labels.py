"""What an answer says of itself: its label, its gaps, and axes that fields share."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sisock.axes import merge
from sisock.frames import Column, Frame, Part, Query, column
from sisock.gaps import gaps, of_bins
from sisock.reduction import METHODS, answer
from sisock.times import NS
from tests.made import same_column
from tests.reducing import BASE, ask, times

# the label


@pytest.mark.parametrize("method", sorted(METHODS))
def test_the_label_says_what_was_done(method):
    frame = Frame("t", BASE + np.arange(1000) * NS, {"a": Column(np.arange(1000.0))}, "e", 1000)
    reduced = ask(frame, max_points=100, reduce=method)
    assert (reduced.method, reduced.samples) == (method, 1000)
    assert reduced.bin % 8 == 0
    assert {(part.points.epoch, part.points.seq) for part in reduced.parts} == {("e", 1000)}


def test_the_label_is_raw_where_nothing_was_done():
    frame = Frame("t", BASE + np.arange(10) * NS, {"a": Column(np.arange(10.0))})
    for options in ({}, {"max_points": 10}, {"reduce": "m4"}, {"max_points": 10, "reduce": "lttb"}):
        untouched = ask(frame, **options)
        assert (untouched.method, untouched.bin) == ("raw", None)
        assert same_column(untouched.series("a")[1], frame.columns["a"])


def test_an_unknown_reduction_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match=r"reduce='fft' is unknown: use one of minmax, m4, mean, band, lttb"):
        answer([], Query((), 0, 1, reduce="fft"), {})


@given(times())
def test_gaps_are_the_stretches_without_samples_longer_than_three_usual_intervals(t):
    found = gaps(t)
    steps = np.diff(t)
    usual = int(np.median(steps)) or (np.median(steps[steps > 0]) if steps.any() else 0) if len(steps) > 1 else 0
    expected = [(int(a), int(b)) for a, b in itertools.pairwise(t) if usual and b - a > 3 * int(usual)]
    assert list(found) == expected[:100]


def test_an_outage_between_bursts_of_equal_times_is_a_gap():
    scans = [BASE + second * NS for second in (0, 15, 30, 45, 60, 300, 315, 330)]
    t = np.repeat(np.array(scans), 1000)
    assert gaps(t) == ((BASE + 60 * NS, BASE + 300 * NS),)


def test_bins_narrower_than_the_usual_interval_are_no_gaps_and_an_outage_is():
    quarter = NS // 4
    starts = np.arange(0, 120 * NS, NS) // quarter * quarter
    assert of_bins(starts, quarter) == ()
    some = starts[(starts < 30 * NS) | (starts > 60 * NS)]
    assert of_bins(some, quarter) == ((29 * NS + quarter, 61 * NS),)


# joining axes


@given(st.lists(st.lists(st.integers(0, 6), max_size=8), min_size=1, max_size=4))
def test_fields_with_different_times_join_on_the_union_and_lose_no_sample(axes):
    parts = []
    for number, axis in enumerate(axes):
        t = np.array(sorted(axis), np.int64)
        values = Column(np.arange(len(t)) + 100 * number)
        parts.append(Part(Frame("t", t, {f"f{number}": values}), "t", 5 + number, len(t)))
    (whole,) = merge(parts)
    t = whole.points.t
    assert (np.diff(t) >= 0).all()
    assert len(t) == sum(max(axis.count(each) for axis in axes) for each in range(7))
    for number, part in enumerate(parts):
        made = whole.points.columns[f"f{number}"]
        assert t[made.present()].tolist() == part.points.t.tolist()
        assert made.values[made.present()].tolist() == part.points.columns[f"f{number}"].values.tolist()


def test_equal_axes_are_shared_and_other_timelines_stay_apart():
    t = np.array([1, 2])
    parts = [
        Part(Frame(axis, t, {name: column([1, 2])}), axis, 2, 2) for axis, name in (("t", "a"), ("u", "b"), ("t", "c"))
    ]
    first, second = merge(parts)
    assert (list(first.points.columns), list(second.points.columns)) == (["a", "c"], ["b"])
    assert first.points.t is t


def test_what_is_final_is_what_is_final_for_all_fields():
    parts = [Part(Frame("t", np.array([at]), {f"f{at}": column([1])}), "t", until, 1) for at, until in ((1, 5), (2, 3))]
    assert merge(parts)[0].finalized_until == 3
    parts[1] = parts[1]._replace(finalized_until=None)
    assert merge(parts)[0].finalized_until is None
