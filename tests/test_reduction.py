"""Fewer points, every spike kept: against brute force."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from sisock.frames import TEXT, Column, Frame, Query, column
from sisock.gaps import gaps
from sisock.grid import grid
from sisock.reduction import METHODS, PER_BIN, answer
from sisock.times import FIRST, LAST, NS
from tests.made import frames, same_column
from tests.reducing import BASE, DAY, ask, samples, values_of

POINTS_OF_A_BIN = {"minmax": 2, "m4": 4}


def cells(t, bins, start, end):
    """Which bin each time is in, computed anew."""
    if bins == 1:
        return [0] * len(t)
    how = grid(start, end, bins)
    return [(each // how.width, each // DAY if how.cut else 0) for each in t.tolist()]


# spikes


@pytest.mark.parametrize("method", ["minmax", "m4"])
@given(frame=samples(), most=st.integers(1, 40))
def test_every_bin_keeps_its_least_and_its_greatest_sample_exactly(method, frame, most):
    reduced = ask(frame, max_points=most, reduce=method)
    t, made = reduced.series("a")
    if reduced.method == "raw":
        assert len(frame) <= most
        assert same_column(made, frame.columns["a"])
        return
    bins = max(1, most // POINTS_OF_A_BIN[method])
    where = cells(frame.t, bins, int(frame.t[0]), int(frame.t[-1]) + 1)
    real = list(zip(where, frame.t.tolist(), values_of(frame.columns["a"]), strict=True))
    shown = list(zip(t.tolist(), values_of(made), strict=True))
    assert set(shown) <= {(at, value) for _, at, value in real}
    assert len(set(where)) <= bins
    for _, cell in itertools.groupby(real, key=lambda row: row[0]):
        rows = list(cell)
        there = [value for _, _, value in rows if value is not None]
        picked = [value for at, value in shown if rows[0][1] <= at <= rows[-1][1] and value is not None]
        if there:
            assert min(there) in picked
            assert max(there) in picked
        if method == "m4" and there:
            known = [(at, value) for _, at, value in rows if value is not None]
            assert {known[0], known[-1]} <= set(shown)


@given(samples(), st.integers(1, 40))
def test_a_band_is_the_least_the_greatest_and_the_exact_mean_of_each_bin(frame, most):
    reduced = ask(frame, max_points=most, reduce="band")
    t, mean = reduced.series("a")
    where = [0] * len(frame) if most == 1 else [each // reduced.bin for each in frame.t.tolist()]
    low, high = (reduced.series(f"a::{edge}")[1] for edge in ("min", "max"))
    real = zip(where, values_of(frame.columns["a"]), strict=True)
    for row, (number, cell) in enumerate(itertools.groupby(real, key=lambda each: each[0])):
        if most > 1:
            assert t[row] == number * reduced.bin
        there = [value for _, value in cell if value is not None]
        assert (values_of(low)[row], values_of(high)[row]) == ((min(there), max(there)) if there else (None, None))
        if there and all(math.isfinite(value) for value in there):
            exact = (
                sum(map(float, there)) / len(there)
                if abs(max(there, key=abs)) > 1e300
                else math.fsum(there) / len(there)
            )
            assert mean.values[row] == pytest.approx(exact, rel=1e-9, abs=max(map(abs, there)) * 1e-12, nan_ok=True)
        assert (values_of(mean)[row] is None) == (not there or math.isnan(mean.values[row]))
    assert len(t) == row + 1 <= most


@given(samples(), st.integers(1, 40))
def test_a_mean_is_that_of_the_band(frame, most):
    mean, band = (ask(frame, max_points=most, reduce=method) for method in ("mean", "band"))
    assert same_column(mean.series("a")[1], band.series("a")[1])
    assert mean.series("a")[0].tolist() == band.series("a")[0].tolist()
    assert [list(part.points.columns) for part in mean.parts] == [["a"]]
    assert [part.points.timeline for part in (*mean.parts, *band.parts)] == ["t::mean", "t::band"]


def test_a_spike_of_one_in_whole_numbers_beyond_floats_is_found():
    values = np.full(1000, 2**60)
    values[777], values[333] = 2**60 + 1, 2**60 - 1
    frame = Frame("t", np.arange(1000) * NS, {"a": Column(values)})
    for method in ("minmax", "m4"):
        t, made = ask(frame, max_points=8, reduce=method).series("a")
        assert dict(zip(t.tolist(), made.values.tolist(), strict=True))[777 * NS] == 2**60 + 1
        assert dict(zip(t.tolist(), made.values.tolist(), strict=True))[333 * NS] == 2**60 - 1
    band = ask(frame, max_points=4, reduce="band")
    assert band.series("a::max")[1].values.max() == 2**60 + 1
    assert band.series("a::min")[1].values.min() == 2**60 - 1


def test_a_missing_value_is_never_an_extreme():
    made = Column(np.array([5, -(2**63), 2**63 - 1, 7] * 25), np.array([False, True, True, False] * 25))
    frame = Frame("t", np.arange(100) * NS, {"a": made})
    assert set(values_of(ask(frame, max_points=10).series("a")[1])) == {5, 7}
    band = ask(frame, max_points=10, reduce="band")
    assert set(values_of(band.series("a::min")[1])) == {5}
    assert set(values_of(band.series("a::max")[1])) == {7}


def test_booleans_become_numbers_in_a_band_and_stay_booleans_as_samples():
    frame = Frame("t", np.arange(100) * NS, {"a": Column(np.arange(100) == 50)})
    band = ask(frame, max_points=2, reduce="band")
    assert max(band.series("a")[1].values) == pytest.approx(1 / 64, abs=0.02)
    assert set(band.series("a::max")[1].values.tolist()) <= {0.0, 1.0}
    assert True in ask(frame, max_points=4).series("a")[1].values.tolist()


def test_a_month_of_noise_keeps_every_spike_of_every_bin():
    rng = np.random.default_rng(5)
    t = BASE + np.sort(rng.integers(0, 30 * DAY, 20_000))
    frame = Frame("t", t, {"a": Column(rng.standard_cauchy(20_000))})
    for points in (100, 777, 1000):
        _, made = ask(frame, BASE, BASE + 30 * DAY, max_points=points).series("a")
        how = grid(BASE, BASE + 30 * DAY, points // 2)
        numbers = t // how.width * 1000 + t // DAY * how.cut
        for number in np.unique(numbers):
            cell = frame.columns["a"].values[numbers == number]
            assert {cell.min(), cell.max()} <= set(made.values.tolist())


# how many, and where


@given(frames(most=40, times=st.integers(-(2**40), 2**40)), st.integers(1, 30), st.sampled_from(sorted(METHODS)))
def test_no_field_has_more_points_than_asked_for(frame, most, method):
    bare = Frame("t", frame.t, frame.columns)
    reduced = answer([bare], Query(tuple(frame.columns), FIRST, LAST, max_points=most, reduce=method), {})
    for part in reduced.parts:
        assert len(part.points) <= max(most, POINTS_OF_A_BIN.get(method, 1))
        assert (np.diff(part.points.t) >= 0).all()
        assert part.samples == len(frame)
        assert part.of == "t"
    if most >= 4:
        assert all(len(part.points) <= most for part in reduced.parts)
    shown = {name.split("::")[0] for part in reduced.parts for name in part.points.columns}
    assert shown == set(frame.columns)


@pytest.mark.parametrize(("most", "expected"), [(1, 2), (2, 2), (3, 2)])
def test_the_smallest_screens_still_show_both_extremes(most, expected):
    frame = Frame("t", BASE + np.arange(1000) * NS, {"a": Column(np.sin(np.arange(1000)))})
    for start, end in ((FIRST, LAST), (BASE, BASE + 1000 * NS), (BASE - 10**7 * NS, BASE + 10**7 * NS)):
        _, made = ask(frame, start, end, max_points=most).series("a")
        assert len(made.values) == expected
        whole = frame.columns["a"].values
        assert sorted(made.values.tolist()) == [whole.min(), whole.max()]


def test_a_single_bin_across_1970_is_one_bin():
    frame = Frame("t", np.array([-2, -1, 0, 1]), {"a": column([1, 2, 3, 4])})
    assert ask(frame, max_points=1, reduce="mean").series("a")[1].values.tolist() == [2.5]
    assert ask(frame, max_points=2).series("a")[1].values.tolist() == [1, 4]


@given(st.integers(-(2**61), 2**61), st.integers(1, 2**61), st.integers(1, 5000))
@example(0, 1, 1)
@example(BASE, DAY, 1000)
@example(BASE, 31 * DAY, 1000)
def test_bins_cover_the_window_on_the_grid_and_are_no_more_than_asked_for(start, span, bins):
    how = grid(start, start + span, bins)
    small = how.width
    while small % 2 == 0:
        small //= 2
    assert small <= 15
    cuts = (start + span - 1) // DAY - start // DAY if how.cut else 0
    if bins > 1:
        assert (start + span - 1) // how.width - start // how.width + 1 + cuts <= bins
        assert how.width * bins <= 3 * span + 16 * bins


@given(st.integers(0, 10**9), st.integers(2, 400))
def test_shifting_a_window_leaves_the_points_within_it(shift, most):
    """Pictures do not tremble: whole bins of both windows show the same points."""
    t = BASE + np.arange(5000) * NS // 7
    frame = Frame("t", t, {"a": Column(np.sin(np.arange(5000) ** 1.5))})
    span = 600 * NS
    before = ask(frame, BASE, BASE + span, max_points=most)
    after = ask(frame, BASE + shift, BASE + shift + span, max_points=most)
    assume(before.method == "minmax")
    assert after.bin == before.bin
    low, high = (BASE + shift) // before.bin + 1, (BASE + span) // before.bin
    inner = [
        {
            (at, value)
            for at, value in zip(each.series("a")[0].tolist(), each.series("a")[1].values.tolist(), strict=True)
            if low <= at // before.bin < high
        }
        for each in (before, after)
    ]
    if most > 3:
        assert inner[0] == inner[1]


@pytest.mark.parametrize("method", sorted(METHODS))
@pytest.mark.parametrize(
    ("start", "end"),
    [
        (FIRST, LAST),
        (BASE - 10**6 * NS, BASE + 10**7 * NS),
        (FIRST, BASE),
        (LAST - 1, LAST),
        (FIRST, FIRST + 1),
        (BASE, BASE - 1),
    ],
)
def test_windows_beyond_the_data_and_backwards_are_fine(method, start, end):
    frame = Frame(
        "t", BASE + np.arange(1000) * NS, {"a": Column(np.arange(1000.0)), "b": Column(np.array(["x"] * 1000, TEXT))}
    )
    reduced = ask(frame, start, end, max_points=100, reduce=method)
    inside = [t for t in frame.t.tolist() if start <= t < end]
    t, made = reduced.series("a::count" if reduced.method == "bins" else "a")
    assert bool(inside) == bool(len(t))
    if inside and method in ("minmax", "m4") and reduced.method != "raw":
        assert {0.0, 999.0} <= set(made.values.tolist())


@pytest.mark.parametrize("method", METHODS)
@given(
    t=st.lists(
        st.sampled_from([FIRST, FIRST + 1, -1, 0, 5, LAST - 1, LAST]) | st.integers(FIRST, LAST),
        min_size=1,
        max_size=30,
    ),
    most=st.integers(1, 8),
)
@example(t=[FIRST, 0, 5, LAST], most=1)
@example(t=[FIRST, 0, 5, LAST], most=2)
def test_times_anywhere_in_an_int64_are_answered(method, t, most):
    axis = np.array(sorted(t), np.int64)
    frame = Frame("t", axis, {"a": column(np.arange(float(len(t))))})
    reduced = answer([frame], Query(("a",), FIRST, LAST, max_points=most, reduce=method), {"t": None})
    shown = reduced.series("a::count" if reduced.method == "bins" else "a")[0]
    assert 0 < len(shown) <= max(most, POINTS_OF_A_BIN.get(method, 1))
    assert (shown[1:] >= shown[:-1]).all()
    assert method in PER_BIN or set(shown.tolist()) <= set(t)
    steps = [later - earlier for earlier, later in itertools.pairwise(sorted(t))]
    assert all(later - earlier in steps for earlier, later in gaps(axis))
    assert reduced.bin is None or 0 < reduced.bin <= LAST


def test_an_open_window_is_as_fine_as_its_data():
    frame = Frame("t", BASE + np.arange(1000) * NS, {"a": Column(np.arange(1000.0))})
    assert len(ask(frame, max_points=100).series("a")[0]) >= 50


def test_all_timelines_of_an_answer_have_the_bins_of_its_label():
    first = Frame("t", BASE + np.arange(1000) * NS, {"a": Column(np.arange(1000.0))})
    second = Frame("u", BASE + np.arange(1000) * 60 * NS, {"b": Column(np.arange(1000.0))})
    reduced = answer([first, second], Query(("a", "b"), FIRST, LAST, max_points=100, reduce="mean"), {})
    for name in ("a", "b"):
        assert (reduced.series(name)[0] % reduced.bin == 0).all()
