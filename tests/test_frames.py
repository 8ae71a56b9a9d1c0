"""Fields, columns, frames."""

import math
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sisock.frames import TEXT, Answer, Column, Frame, Part, column, concat
from tests.made import columns, frames, same_column


@pytest.mark.parametrize(
    ("values", "dtype", "kind"),
    [
        ([1, 2], np.int64, "number"),
        ([1, 2.5], np.float64, "number"),
        ([2**63 - 1, -(2**63)], np.int64, "number"),
        ([2**63, 1], np.float64, "number"),
        ([np.uint8(200), np.int16(-1)], np.int64, "number"),
        ([np.float32(0.5)], np.float64, "number"),
        ([math.nan, math.inf], np.float64, "number"),
        ([], np.float64, "number"),
        ([None, None], np.float64, "number"),
        ([True, np.False_], np.bool_, "bool"),
        (["a", "é", "", "😀", "a\0"], TEXT, "string"),
        ([np.str_("a")], TEXT, "string"),
    ],
)
def test_python_values_find_the_type_they_need(values, dtype, kind):
    made = column(values)
    assert (made.values.dtype, made.type) == (dtype, kind)
    expected = [v for v in values if v is not None]
    np.testing.assert_array_equal(made.values[: len(expected)], np.array(expected, dtype))


@pytest.mark.parametrize(
    "array",
    [
        np.arange(5, dtype=dtype)
        for dtype in ("i1", "i2", "i4", "i8", ">i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8", ">f8")
    ]
    + [np.array([True, False]), np.arange(10)[::2], np.array(["a", "b"], np.dtypes.StringDType(coerce=False))],
)
def test_arrays_settle_on_one_little_endian_type_a_kind(array):
    made = column(array)
    assert made.values.dtype in (np.dtype("<f8"), np.dtype("<i8"), np.dtype(bool), TEXT)
    assert made.values.flags.c_contiguous
    assert made.values.tolist() == array.tolist()


def test_none_is_missing_and_nothing_else_is():
    assert column([1, None, 3]).missing.tolist() == [False, True, False]
    assert column(["", None]).missing.tolist() == [False, True]
    assert column([False, None]).missing.tolist() == [False, True]
    assert column([math.nan, 1]).missing is None
    assert column([math.nan, None, 1]).present().tolist() == [False, False, True]


def test_half_a_surrogate_pair_becomes_a_question_mark():
    assert column(["a", "b\ud800c", None]).values.tolist() == ["a", "b?c", ""]


@pytest.mark.parametrize(
    "values",
    [
        ["a", 1],
        [True, 1],
        [1, True],
        [True, "a"],
        [[1], [2]],
        [b"a"],
        [1j],
        [np.complex128(1)],
        [Decimal(1)],
        [Fraction(1)],
        [{}],
        [object()],
        [np.timedelta64(1)],
        [np.datetime64("2026-01-01")],
        [np.array([1, 2])],
        5,
    ],
)
def test_mixed_and_foreign_values_are_a_type_error(values):
    with pytest.raises(TypeError):
        column(values)


@pytest.mark.parametrize("values", [[10**400], [None, -(10**400)], np.zeros((2, 2)), np.array(5.0)])
def test_other_shapes_and_numbers_beyond_a_float_are_a_value_error(values):
    with pytest.raises(ValueError, match=r"too large|no column"):
        column(values)


def test_a_column_made_by_hand_is_settled_or_refused():
    assert column(Column(np.array([1, 2], np.float32))).values.dtype == np.float64
    assert column(Column(np.array([1, 2]), np.array([True, False]))).missing.tolist() == [True, False]
    for values, missing, error in [
        ([1, 2], None, TypeError),
        (np.array(["a"]), None, TypeError),
        (np.array([1, 2]), np.array([True]), ValueError),
        (np.array([1, 2]), [True, False], ValueError),
        (np.zeros((2, 2)), None, ValueError),
    ]:
        with pytest.raises(error):
            column(Column(values, missing))


@given(st.lists(frames(times=st.integers(-20, 20)), min_size=1, max_size=4))
def test_joined_frames_have_every_row_and_mark_what_is_missing(given_frames):
    kept = {"a": np.dtype(np.float64), "b": TEXT}
    parts = [
        Frame("t", each.t, {name: Column(np.zeros(len(each), kept[name])) for name in "ab"[number % 3 :]})
        for number, each in enumerate(given_frames)
    ]
    whole = concat(parts)
    assert whole.t.tolist() == [t for part in parts for t in part.t.tolist()]
    for name, joined in whole.columns.items():
        there = [name in part.columns for part in parts for _ in range(len(part))]
        assert len(joined.values) == len(whole)
        assert joined.present().tolist() == there


def test_whole_numbers_and_floats_join_as_floats_and_texts_stay():
    first = Frame("t", np.array([1]), {"a": column([1]), "b": column(["x"])})
    second = Frame("t", np.array([2]), {"a": column([1.5]), "c": column([True])})
    joined = concat([first, second]).columns
    assert joined["a"].values.tolist() == [1.0, 1.5]
    assert joined["b"].values.tolist() == ["x", ""]
    assert joined["c"].missing.tolist() == [True, False]


@given(frames(times=st.integers(-50, 50)), st.integers(-60, 60), st.integers(-60, 60))
def test_between_is_half_open_and_accounts_for_what_it_ends_with(frame, start, end):
    inside = frame.between(start, end)
    assert inside.t.tolist() == [t for t in frame.t.tolist() if start <= t < end]
    if frame.seq is not None and inside.t.size:
        assert inside.seq == frame.seq - sum(t >= end for t in frame.t.tolist())


def test_between_reaches_over_all_of_int64():
    frame = Frame("t", np.array([-(2**63), 0, 2**63 - 2]), {})
    assert len(frame.between(-(2**63), 2**63 - 1)) == 3


@given(st.integers(0, 8).flatmap(columns))
def test_rows_of_a_column_go_with_their_marks(made):
    assert same_column(made.rows(slice(None)), made)
    mask = np.arange(len(made.values)) % 2 == 0
    picked = made.rows(mask)
    assert picked.values.tolist() == made.values[mask].tolist() or picked.values.dtype.kind == "f"
    assert picked.present().tolist() == made.present()[mask].tolist()


def test_an_answer_gives_the_series_of_a_field_or_an_empty_one():
    answer = Answer((Part(Frame("t", np.array([1, 2]), {"a": column([3, 4])}), "t", None, 7),))
    t, values = answer.series("a")
    assert (t.tolist(), values.values.tolist(), answer.samples) == ([1, 2], [3, 4], 7)
    assert [len(each) for each in (answer.series("b")[0], answer.series("b")[1].values)] == [0, 0]


@given(st.integers(0, 8).flatmap(columns), st.data())
def test_a_column_spread_over_a_longer_one_is_itself_there_and_missing_elsewhere(made, data):
    size = len(made.values) + data.draw(st.integers(0, 5))
    rows = np.array(data.draw(st.permutations(range(size)))[: len(made.values)], np.intp)
    spread = made.spread(rows, size)
    gone = np.zeros(size, bool) if spread.missing is None else spread.missing
    assert same_column(Column(spread.values[rows]), Column(made.values))
    assert gone[rows].tolist() == (np.zeros(len(rows), bool) if made.missing is None else made.missing).tolist()
    assert (len(spread.values), gone.sum()) == (size, size - len(rows) + gone[rows].sum())
