"""The archive: whatever came in whatever order, every zoom is what all samples give, by brute force."""

import itertools
import tempfile
from contextlib import contextmanager
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sisock.frames import TEXT, Column, Frame, Query
from sisock.reduction import METHODS
from sisock.store.archive import Archive, ArchiveError
from sisock.times import FIRST, LAST, NS
from tests.archives import FIELDS, bins_by_hand, bins_of, everything, frame_of, in_time, same

BASE = 1_700_000_000 * NS


@contextmanager
def archive():
    with tempfile.TemporaryDirectory() as folder, Archive(Path(folder)) as made:
        yield made


@st.composite
def histories(draw):
    """Samples of one field as they came: parts of a series, in order or not, some at one time, some missing, gaps."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    n = draw(st.sampled_from([10, 3000, 20_000, 90_000]))
    interval = draw(st.sampled_from([1000, 10**6, 10**9, 60 * 10**9]))
    steps = rng.integers(0, 2 * interval, n) * (rng.random(n) > draw(st.sampled_from([0, 0.1])))
    for at in rng.integers(0, n, draw(st.integers(0, 3))):
        steps[at] += interval * draw(st.sampled_from([100, 10**5]))
    t = BASE + np.cumsum(steps)
    kind = draw(st.sampled_from(["f8", "f8", "i8", "b1"]))
    values = {"f8": rng.standard_cauchy(n), "i8": rng.integers(-(2**60), 2**60, n), "b1": rng.random(n) > 0.5}[kind]
    if kind == "f8" and draw(st.booleans()):
        values[rng.random(n) < 0.2] = np.nan
    missing = rng.random(n) < 0.2 if draw(st.booleans()) else None
    column = Column(values, missing)
    cut = sorted(rng.integers(0, n, draw(st.integers(0, 6))).tolist())
    parts = [slice(a, b) for a, b in itertools.pairwise([0, *cut, n]) if a < b]
    if draw(st.booleans()):
        rng.shuffle(parts)
    return [frame_of(t[part], column.rows(part)) for part in parts]


@settings(max_examples=40)
@given(histories(), st.data())
def test_every_zoom_has_the_exact_bins_of_all_samples(frames, data):
    whole = in_time(frames)
    with archive() as made:
        for frame in frames:
            made.put("n", frame, FIELDS)
            if data.draw(st.booleans()):
                made.flush()
        first, last = int(whole.t[0]), int(whole.t[-1]) + 1
        for _ in range(4):
            start = data.draw(st.sampled_from([FIRST, first]) | st.integers(first, last))
            end = data.draw(st.sampled_from([LAST, last]) | st.integers(first, last))
            query = everything(max_points=data.draw(st.sampled_from([1, 20, 300])))._replace(start=start, end=end)
            bins, answer = bins_of(made, query)
            expected = whole.between(start, end)
            assert answer.samples == len(expected)
            if len(expected) and bins is not None and query.max_points > 1:
                same(bins, bins_by_hand(whole, "a", answer.bin, start, end))
            elif len(expected) and bins is not None:
                assert (len(bins.start), bins.samples) == (1, len(expected))


@settings(max_examples=15)
@given(histories(), st.sampled_from([m for m in METHODS if m not in ("bins", "stride", "lttb")]))
def test_what_is_drawn_from_tiers_is_what_is_drawn_from_samples(frames, method):
    whole = in_time(frames)
    with archive() as made:
        for frame in frames:
            made.put("n", frame, FIELDS)
        made.flush()
        answer = made.answer("n", everything(max_points=200, reduce=method))
        if answer.tier is None:
            return
        width = answer.bin
        from sisock.reduction import answer as reduce

        expected = reduce([whole], everything(bin=width, reduce=method), {})
        for part in expected.parts:
            t, column = answer.series("a")
            assert t.tolist() == part.points.t.tolist()
            assert np.allclose(column.values, part.points.columns["a"].values, rtol=1e-3, equal_nan=True)


def test_the_same_sample_twice_is_one_and_equal_times_are_not_equal_samples():
    with archive() as made:
        t = np.full(10, BASE)
        assert made.put("n", frame_of(t, Column(np.arange(10.0)), "e", 10), FIELDS) == 10
        assert made.put("n", frame_of(t[:6], Column(np.arange(4.0, 10)), "e", 10), FIELDS) == 0
        made.flush()
        assert made.put("n", frame_of(t, Column(np.arange(8.0, 18)), "e", 18), FIELDS) == 8
        made.flush()
        assert made.put("n", frame_of(t[:3], Column(np.arange(3.0)), "f", 3), FIELDS) == 3
        values = made.answer("n", everything()).series("a")[1].values.tolist()
        assert sorted(values) == sorted([*range(18), 0, 1, 2])
        assert made.timelines()[0].counts["doubles"] == 8


def test_an_archive_that_is_opened_again_knows_everything_of_before():
    with tempfile.TemporaryDirectory() as folder:
        with Archive(Path(folder)) as made:
            t = BASE + np.arange(50_000) * NS
            made.put("n", frame_of(t, Column(np.sin(np.arange(50_000))), "e", 50_000), FIELDS)
            before = made.answer("n", everything(max_points=100))
        with Archive(Path(folder)) as made:
            after = made.answer("n", everything(max_points=100))
            assert after.series("a")[1].values.tolist() == before.series("a")[1].values.tolist()
            assert after.parts[0].points.epoch == "e"
            assert after.parts[0].points.seq == 50_000
            assert made.put("n", frame_of(t[-10:], Column(np.ones(10)), "e", 50_000), FIELDS) == 0
            assert made.fields("n")["a"] == FIELDS["a"]


def test_times_that_no_clock_can_mean_are_refused_and_counted():
    t = np.array([FIRST, -(2**62), BASE, BASE + 1, LAST])
    with archive() as made:
        assert made.put("n", frame_of(t, Column(np.arange(5.0)), "e", 5), FIELDS) == 2
        made.flush()
        assert made.timelines()[0].counts["refused"] == 3
        assert made.answer("n", everything()).samples == 2


def test_a_clock_that_is_set_back_loses_nothing():
    with archive() as made:
        for number, begin in enumerate((BASE, BASE - 3600 * NS, 0)):
            t = begin + np.arange(30_000) * NS // 10
            made.put("n", frame_of(t, Column(np.full(30_000, float(number))), "e", 30_000 * (number + 1)), FIELDS)
            made.flush()
        answer = made.answer("n", everything(max_points=500, reduce="count"))
        assert answer.series("a")[1].values.sum() == 90_000
        assert made.answer("n", Query(("a",), 0, 3600 * NS)).samples == 30_000


def test_a_field_that_begins_whole_and_goes_on_in_fractions_is_one_line():
    t = BASE + np.arange(20_000) * NS
    with archive() as made:
        made.put("n", frame_of(t, Column(np.arange(20_000))), FIELDS)
        made.flush()
        made.put("n", frame_of(t + 20_000 * NS, Column(np.arange(20_000) + 0.5)), FIELDS)
        made.flush()
        answer = made.answer("n", everything(max_points=100))
        assert answer.method == "minmax"
        assert answer.series("a")[1].values.min() == 0
        assert answer.series("a")[1].values.max() == 19_999.5
        assert made.answer("n", everything()).samples == 40_000


def test_texts_are_answered_by_their_changes_and_whole_where_they_are_few():
    n = 100_000
    words = np.array(["up", "down"], TEXT)[(np.arange(n) // 20_000) % 2]
    frame = Frame("t", BASE + np.arange(n) * NS, {"s": Column(words), "a": Column(np.arange(float(n)))})
    with archive() as made:
        made.put("n", frame, FIELDS)
        made.flush()
        answer = made.answer("n", Query(("s", "a"), FIRST, LAST, max_points=50))
        assert answer.series("s")[1].values.tolist() == ["up", "down", "up", "down", "up"]
        assert made.answer("n", Query(("s",), BASE, BASE + 10 * NS)).series("s")[1].values.tolist() == ["up"] * 10


def test_other_tools_read_the_segments(tmp_path):
    columns = {
        "a": Column(np.array([1.5, np.nan, -np.inf])),
        "time": Column(np.array([1, 2, 3]), np.array([False, True, False])),
        "s": Column(np.array(["ü", "", "x"], TEXT)),
        "b": Column(np.array([True, False, True])),
    }
    with Archive(tmp_path) as made:
        made.put("n", Frame("lab/1", BASE + np.arange(3), columns, "e", 7), FIELDS)
    table = pd.read_parquet(next((tmp_path / "segments").rglob("*.parquet")))
    assert table["time"].astype("int64").tolist() == [BASE, BASE + 1, BASE + 2]
    assert (table["seq"].tolist(), table["epoch"].tolist()) == ([4, 5, 6], ["e", "e", "e"])
    found = duckdb.sql(
        f"SELECT a, \"field::time\", s, b FROM '{tmp_path}/segments/**/*.parquet' ORDER BY seq"
    ).fetchall()
    assert str(found) == "[(1.5, 1, 'ü', True), (nan, None, '', False), (-inf, 3, 'x', True)]"


def test_only_one_process_has_an_archive(tmp_path):
    with Archive(tmp_path), pytest.raises(ArchiveError, match="another process has the archive"):
        Archive(tmp_path)


def test_a_lost_or_damaged_index_is_made_anew_of_the_segments(tmp_path):
    t = BASE + np.arange(100_000) * NS
    with Archive(tmp_path) as made:
        made.put("n", frame_of(t, Column(np.arange(100_000.0)), "e", 100_000), FIELDS)
    for harm in (lambda path: path.unlink(), lambda path: path.write_bytes(b"not a database" * 1000)):
        harm(tmp_path / "index.sqlite")
        with Archive(tmp_path) as made:
            assert made.answer("n", everything()).samples == 100_000
            assert made.fields("n")["a"].units == "V"
            assert made.put("n", frame_of(t[-5:], Column(np.ones(5)), "e", 100_000), FIELDS) == 0
            assert made.stale
            for _ in range(2):
                counted = made.answer("n", everything(max_points=10, reduce="count"))
                assert counted.series("a")[1].values.sum() == 100_000
                list(made.rebuild())
            assert not made.stale
