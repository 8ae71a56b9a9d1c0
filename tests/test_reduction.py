"""Fewer points, every spike kept: against brute force."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from sisock.bins import grid
from sisock.frames import TEXT, Column, Frame, Part, Query, column
from sisock.reduction import METHODS, answer, changes, gaps, lttb, merge, stride
from sisock.times import FIRST, LAST, NS
from tests.made import columns, frames, same_column

BASE = 1_763_000_000 * NS
DAY = 86_400 * NS
NUMERIC = (np.dtype(np.float64), np.dtype(np.int64), np.dtype(np.bool_))
POINTS_OF_A_BIN = {"minmax": 2, "m4": 4}


@st.composite
def times(draw, most=60):
    """Ascending times: some equal, some far apart, anywhere around 1970 or today."""
    origin = draw(st.sampled_from([BASE, 0, -BASE]))
    unit = draw(st.sampled_from([1, NS // 1000, 60 * NS, DAY]))
    steps = draw(st.lists(st.sampled_from([0, 1, 1, 1, 2, 7, 500]), min_size=1, max_size=most))
    return origin + np.cumsum(np.array(steps, np.int64)) * unit


@st.composite
def samples(draw, dtypes=NUMERIC):
    t = draw(times())
    return Frame("t", t, {"a": draw(columns(len(t), dtypes))})


def ask(frame, start=FIRST, end=LAST, **options):
    inside = frame.between(start, end)
    return answer([inside], Query(("a",), start, end, **options), {frame.timeline: None})


def values_of(made):
    """The values as Python has them, None where there is none."""
    listed = zip(made.values.tolist(), made.present().tolist(), strict=True)
    return [value if there else None for value, there in listed]


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
        if method == "m4":
            assert (rows[0][1], rows[0][2]) in shown
            assert (rows[-1][1], rows[-1][2]) in shown


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
    t, made = reduced.series("a")
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
    shown = reduced.series("a")[0]
    assert 0 < len(shown) <= max(most, POINTS_OF_A_BIN.get(method, 1))
    assert (shown[1:] >= shown[:-1]).all()
    assert method in ("mean", "band") or set(shown.tolist()) <= set(t)
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


# stride


@given(times(), st.integers(0, 5 * 10**12) | st.sampled_from([1, NS, DAY, LAST]))
def test_a_stride_is_literal_and_takes_each_sample_as_early_as_it_may(t, least):
    expected = []
    for row, at in enumerate(t.tolist()):
        if not expected or at - int(t[expected[-1]]) >= least:
            expected.append(row)
    assert stride(t, least).tolist() == expected


def test_a_stride_is_told_as_such_even_where_it_is_reduced_further():
    frame = Frame("t", BASE + np.arange(1000) * NS, {"a": Column(np.arange(1000.0))})
    assert ask(frame, min_stride=2 * NS).method == "stride"
    assert ask(frame, min_stride=2 * NS, max_points=100).method == "stride"
    assert ask(frame, min_stride=2 * NS, max_points=100).parts[0].samples == 1000


# texts and lttb


@given(times(), st.data(), st.integers(1, 20))
def test_texts_are_answered_by_their_changes(t, data, most):
    made = data.draw(columns(len(t), (TEXT,)))
    values = values_of(made)
    expected = [row for row in range(len(t)) if row == 0 or values[row] != values[row - 1]]
    rows = changes(made, most).tolist()
    assert len(rows) <= most
    assert set(rows) <= set(expected)
    if len(expected) <= most:
        assert rows == expected


def test_texts_are_answered_beside_the_bins_of_numbers():
    frame = Frame(
        "t", BASE + np.arange(100) * NS, {"a": Column(np.arange(100.0)), "s": column(["up"] * 60 + ["down"] * 40)}
    )
    reduced = answer([frame], Query(("a", "s"), FIRST, LAST, max_points=10, reduce="band"), {})
    t, made = reduced.series("s")
    assert (t.tolist(), made.values.tolist()) == ([int(frame.t[0]), int(frame.t[60])], ["up", "down"])
    assert {part.points.timeline for part in reduced.parts} == {"t::band", "t::s"}


@given(samples(), st.integers(1, 40))
def test_lttb_keeps_the_ends_and_no_more_than_asked_for(frame, most):
    there = np.flatnonzero(frame.columns["a"].present())
    rows = lttb(frame.t, frame.columns["a"], np.empty(0), most).tolist()
    assert len(rows) == min(most, len(there))
    assert sorted(set(rows)) == rows
    assert set(rows) <= set(there.tolist())
    if len(there) and most > 1:
        assert (rows[0], rows[-1]) == (there[0], there[-1])


def test_lttb_chooses_the_largest_triangles():
    rng = np.random.default_rng(3)
    x, y, most = np.arange(200) * 10, rng.normal(size=200), 20
    edges = [1 + 198 * i // 18 for i in range(19)]
    chosen = [0]
    for i in range(18):
        ahead = range(edges[i + 1], edges[i + 2]) if i < 17 else [199]
        far = sum(int(x[k]) for k in ahead) / len(ahead), sum(y[k] for k in ahead) / len(ahead)
        near = chosen[-1]

        def area(k, near=near, far=far):
            return abs((x[near] - far[0]) * (y[k] - y[near]) - (x[near] - x[k]) * (far[1] - y[near]))

        chosen.append(max(range(edges[i], edges[i + 1]), key=area))
    assert lttb(x, Column(y), np.empty(0), most).tolist() == [*chosen, 199]


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
    usual = np.median(steps) or (np.median(steps[steps > 0]) if steps.any() else 0) if len(steps) > 1 else 0
    expected = [(int(a), int(b)) for a, b in itertools.pairwise(t) if usual and b - a > 3 * int(usual)]
    assert list(found) == expected[:100]


def test_an_outage_between_bursts_of_equal_times_is_a_gap():
    scans = [BASE + second * NS for second in (0, 15, 30, 45, 60, 300, 315, 330)]
    t = np.repeat(np.array(scans), 1000)
    assert gaps(t) == ((BASE + 60 * NS, BASE + 300 * NS),)


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
