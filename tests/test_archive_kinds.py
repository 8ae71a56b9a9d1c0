"""Fields of an archive that become others: numbers that become texts, whole ones beside fractions and switches."""

import numpy as np
import pytest

from sisock.frames import TEXT, Column, Field, Frame, Query, column
from sisock.grouping import of_fields
from sisock.store.archive import Archive
from sisock.store.keeper import Cursor, Keeper, Taking
from sisock.times import FIRST, LAST, NS
from tests.archives import frame_of

BASE = 1_700_000_000 * NS


def numbers(first, n, epoch="e", name="a"):
    """Samples of the epoch from a sequence on, one a second."""
    return frame_of(BASE + (first + np.arange(n)) * NS, Column(np.arange(first, first + n) / 2), epoch, first + n, name)


def texts(first, n, epoch="e", name="a"):
    words = np.array([f"off {i // 1000 % 3}" for i in range(first, first + n)], TEXT)
    return frame_of(BASE + (first + np.arange(n)) * NS, Column(words), epoch, first + n, name)


# while they wait --------------------------------------------------------------------------------


def kept(archive):
    """Values of all segments, in the order of time."""
    (series,) = archive.timelines("n")
    frames = [
        series.snapshot().files.read(each, FIRST, LAST, ("a",)).samples.frame
        for each in series.snapshot().segments.every
    ]
    return [value for frame in frames for value in frame.columns["a"].values.tolist()]


def test_a_field_that_becomes_a_text_while_it_waits_and_a_number_again_is_written_whole(tmp_path):
    with Archive(tmp_path) as made:
        for frame in (numbers(0, 3), numbers(3, 2), texts(5, 2), numbers(7, 1)):
            made.put("n", frame, {})
        assert made.flush() == 8
        assert made.weight == 0
        assert kept(made) == [0, 0.5, 1, 1.5, 2, "off 0", "off 0", 3.5]


def test_a_keeper_lets_its_intake_go_when_both_sides_of_a_change_are_written(tmp_path):
    with Keeper(tmp_path, flush_age=-1) as keeper:
        for frame in (numbers(0, 5), texts(5, 5)):
            keeper.take([Taking("n", [frame], {}, Cursor("e", frame.seq))])
        assert keeper.tend() == 10
    with Keeper(tmp_path, flush_age=-1) as keeper:
        assert keeper.archive.weight == 0
        assert len(kept(keeper.archive)) == 10


def test_notes_are_written_with_the_last_of_what_waited(tmp_path):
    with Archive(tmp_path) as made:
        made.put("n", numbers(0, 5), {})
        assert made.write_noted("n", texts(5, 5), {}, {"done": "10"}) == 10
        assert (made.noted("done"), made.weight) == (10, 0)


def test_an_import_of_texts_leaves_numbers_of_the_same_times_beside_them(tmp_path):
    with Archive(tmp_path) as made:
        for frame in (numbers(0, 5), texts(3, 5), texts(3, 5)):
            made.put("n", Frame("t", frame.t, frame.columns), {})
            made.flush()
        assert sorted(map(str, kept(made))) == sorted([*map(str, np.arange(5) / 2), *["off 0"] * 5])


# beside others ----------------------------------------------------------------------------------


@pytest.mark.parametrize("reduce", ["minmax", "first", "bins"])
@pytest.mark.parametrize("waits", [False, True])
def test_values_of_a_field_do_not_depend_on_what_is_asked_with_it(tmp_path, waits, reduce):
    n = 40_000
    with Archive(tmp_path) as made:
        for first in (0, n):
            columns = {
                "whole": Column(np.arange(first, first + n) + 2**60),
                "on": Column(np.arange(first, first + n) % 2 == 0),
                "level": Column(np.random.default_rng(1).normal(size=n)),
            }
            made.put("n", Frame("t", BASE + (first + np.arange(n)) * NS, columns, "e", first + n), {})
            if first == 0 or not waits:
                made.flush()
        together = made.answer("n", Query(("level", "whole", "on"), FIRST, LAST, max_points=100, reduce=reduce))
        for name in ("level", "whole", "on"):
            alone = made.answer("n", Query((name,), FIRST, LAST, max_points=100, reduce=reduce))
            for shown in {each for part in alone.parts for each in part.points.columns}:
                (t, one), (u, other) = alone.series(shown), together.series(shown)
                assert (one.values.dtype, one.values.tolist()) == (other.values.dtype, other.values.tolist())
                assert t.tolist() == u.tolist()


def test_bins_of_values_of_two_kinds_are_not_put_into_one_array():
    t = BASE + np.arange(3) * NS
    columns = [Column(np.arange(3)), Column(np.arange(3.0))]
    with pytest.raises(TypeError, match="float64 and int64"):
        of_fields(t, columns, np.array([0]), t[:1])


# in one answer ----------------------------------------------------------------------------------

N, M = 40_000, 100  # of the first kind, and of the second


def changed(folder, first, second, written):
    """An archive whose field is first of one kind, then of another, opened anew where all is written."""
    made = Archive(folder)
    made.put("n", first(0, N), {})
    made.flush()
    made.put("n", second(N, M), {})
    if not written:
        return made
    made.close()
    return Archive(folder)


@pytest.mark.parametrize("written", [False, True])
@pytest.mark.parametrize("reduce", [None, "minmax", "last", "mean", "bins", "count", "lttb"])
def test_of_a_number_that_became_a_text_the_texts_come_and_the_rest_is_told(tmp_path, written, reduce):
    query = Query(("a",), FIRST, LAST, max_points=reduce and 100, reduce=reduce)
    with changed(tmp_path, numbers, texts, written) as made:
        answer = made.answer("n", query)
        (notice,) = answer.notices
        assert notice.startswith("a was no text until 2023-11-15 09:19:59 UTC")
        if reduce in (None, "last", "minmax"):
            _, answered = answer.series("a")
            assert set(answered.rows(answered.present()).values.tolist()) == {"off 1"}
        if reduce == "count":
            assert answer.series("a")[1].values.sum() == M
        before = made.answer("n", query._replace(end=BASE + N * NS))
        after = made.answer("n", query._replace(start=BASE + N * NS))
        assert (before.notices, before.samples) == ((), N)
        assert (after.notices, after.samples) == ((), M)


@pytest.mark.parametrize("written", [False, True])
@pytest.mark.parametrize("reduce", [None, "minmax", "last", "mean", "bins", "count", "lttb"])
def test_of_a_text_that_became_a_number_the_numbers_come_and_the_rest_is_told(tmp_path, written, reduce):
    query = Query(("a",), FIRST, LAST, max_points=reduce and 100, reduce=reduce)
    with changed(tmp_path, texts, numbers, written) as made:
        answer = made.answer("n", query)
        (notice,) = answer.notices
        assert notice.startswith("a was a text until 2023-11-15 09:19:59 UTC")
        if reduce in (None, "minmax"):
            _, answered = answer.series("a")
            there = answered.rows(answered.present()).values
            assert (there.min(), there.max()) == (N / 2, (N + M - 1) / 2)
        before = made.answer("n", query._replace(end=BASE + N * NS))
        after = made.answer("n", query._replace(start=BASE + N * NS))
        assert (before.notices, before.samples) == ((), N)
        assert (after.notices, after.samples) == ((), M)


@pytest.mark.parametrize("written", [False, True])
@pytest.mark.parametrize("kinds", [(numbers, texts), (texts, numbers)])
def test_single_samples_are_found_on_both_sides_of_a_change(tmp_path, written, kinds):
    with changed(tmp_path, *kinds, written) as made:
        for at, which, sought in [
            (N - 1, "at", N - 1),
            (N, "at", N),
            (N, "before", N - 1),
            (N - 1, "after", N),
            (7, "after", 8),
        ]:
            t, found = made.sample("n", ["a"], BASE + at * NS, which).series("a")
            assert t.tolist() == [BASE + sought * NS]
            expected = kinds[sought >= N](sought, 1).columns["a"].values
            assert found.values.tolist() == expected.tolist()


def test_who_followed_a_field_over_its_change_gets_what_it_is_now(tmp_path):
    with changed(tmp_path, numbers, texts, written=False) as made:
        answer = made.answer("n", Query(("a",), FIRST, LAST, since={"t": ("e", N - 3)}))
        _, answered = answer.series("a")
        assert answered.rows(answered.present()).values.tolist() == texts(N, M).columns["a"].values.tolist()
        assert {part.points.seq for part in answer.parts} == {N + M}


def test_a_text_without_any_value_for_a_while_stays_a_text(tmp_path):
    fields = {"a": Field(timeline="t", type="string")}
    with Archive(tmp_path) as made:
        made.put("n", texts(0, N), fields)
        made.put("n", frame_of(BASE + (N + np.arange(M)) * NS, column([None] * M), "e", N + M), fields)
        made.flush()
        answer = made.answer("n", Query(("a",), FIRST, LAST, max_points=100))
        assert answer.notices == ()
        assert answer.samples == N + M


def test_other_fields_keep_all_their_samples_where_one_changes(tmp_path):
    with Archive(tmp_path) as made:
        for frame in (numbers(0, N), texts(N, N)):
            other = Column(np.arange(len(frame.t)))
            made.put("n", Frame("t", frame.t, {**frame.columns, "b": other}, frame.epoch, frame.seq), {})
            made.flush()
        whole = made.answer("n", Query(("a", "b"), FIRST, LAST))
        assert whole.series("b")[1].missing is None
        assert len(whole.series("b")[0]) == 2 * N
        binned = made.answer("n", Query(("a", "b"), FIRST, LAST, max_points=50, reduce="count"))
        counts = {name: np.nansum(binned.series(name)[1].values) for name in ("a", "b")}
        assert counts == {"a": N, "b": 2 * N}
