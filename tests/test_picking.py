"""Rows that stand for the rest without bins: strides, changes of texts, largest triangles."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sisock.frames import TEXT, Column, Frame, Query, column
from sisock.picking import changes, lttb, stride
from sisock.reduction import answer
from sisock.times import FIRST, LAST, NS
from tests.made import columns
from tests.reducing import BASE, DAY, ask, samples, times, values_of

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
    found = changes(made, most)
    rows = found.rows.tolist()
    assert len(rows) <= most
    assert set(rows) <= set(expected)
    if len(expected) <= most:
        assert rows == expected
    assert bool(found.notices("s")) == (len(expected) > most)
    distinct = {values[row] for row in range(len(t))}
    assert len({values[row] for row in rows}) == min(most, len(distinct))


def test_a_single_text_among_very_many_changes_is_kept_and_that_changes_are_left_out_is_told():
    states = column(["open", "closed"] * 30_000 + ["ALARM"] + ["open", "closed"] * 20_000)
    frame = Frame("t", BASE + np.arange(len(states.values)) * NS, {"s": states})
    for most in (3, 10, 1000):
        reduced = answer([frame], Query(("s",), FIRST, LAST, max_points=most), {})
        t, made = reduced.series("s")
        assert len(t) <= most
        assert dict(zip(made.values.tolist(), t.tolist(), strict=True))["ALARM"] == int(frame.t[60_000])
        assert reduced.notices == (
            "s changes more often than there are points: changes are left out, each of its values is there",
        )
    few = answer([frame], Query(("s",), FIRST, LAST, max_points=2), {})
    assert "ALARM" in few.series("s")[1].values.tolist()
    assert few.notices == ("s has more values than there are points: the most frequent are left out",)


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
    rows = lttb(frame.t, frame.columns["a"], most).tolist()
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
    assert lttb(x, Column(y), most).tolist() == [*chosen, 199]
