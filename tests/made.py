"""Columns, frames and answers of every kind, for tests that try them all."""

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from sisock.frames import TEXT, Answer, Column, Frame, Part

INT64 = st.integers(-(2**63), 2**63 - 1)
NAMES = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=12).filter(
    lambda name: "::" not in name
)
VALUES = {
    np.dtype(np.float64): st.floats(),
    np.dtype(np.int64): INT64,
    np.dtype(np.bool_): st.booleans(),
    TEXT: st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
}


def array(values: list[object], dtype: np.dtype) -> NDArray:
    return np.array(values, dtype)


@st.composite
def columns(draw: st.DrawFn, n: int, dtypes: tuple[np.dtype, ...] = tuple(VALUES)) -> Column:
    """A column of n values of any type, some of them missing perhaps."""
    dtype = draw(st.sampled_from(dtypes))
    values = draw(st.lists(VALUES[dtype], min_size=n, max_size=n))
    missing = draw(st.none() | st.lists(st.booleans(), min_size=n, max_size=n))
    return Column(array(values, dtype), None if missing is None else np.array(missing, bool))


@st.composite
def frames(draw: st.DrawFn, *, most: int = 12, times: st.SearchStrategy[int] = INT64) -> Frame:
    """A frame of up to `most` rows in the order of time, with or without identity."""
    t = np.array(sorted(draw(st.lists(times, max_size=most))), np.int64)
    held = {name: draw(columns(len(t))) for name in draw(st.lists(NAMES, max_size=3, unique=True))}
    epoch = draw(st.none() | st.just("e1"))
    return Frame(draw(NAMES), t, held, epoch, None if epoch is None else len(t) + draw(st.integers(0, 2**40)))


@st.composite
def answers(draw: st.DrawFn) -> Answer:
    """An answer of up to three axes, each field on one of them."""
    parts, seen, fields = [], set(), set()
    for points in draw(st.lists(frames(), max_size=3)):
        if points.timeline not in seen:
            seen.add(points.timeline)
            own = points.only([name for name in points.columns if name not in fields])
            fields |= set(own.columns)
            gaps = tuple(draw(st.lists(st.tuples(INT64, INT64), max_size=3)))
            parts.append(Part(own, draw(NAMES), draw(st.none() | INT64), draw(st.integers(0, 2**40)), gaps))
    notices = tuple(draw(st.lists(VALUES[TEXT], max_size=2)))
    return Answer(
        tuple(parts), draw(st.sampled_from(["raw", "minmax"])), draw(st.none() | st.integers(1, 2**62)), notices
    )


def same_column(a: Column, b: Column) -> bool:
    """True if both have the same values of the same type, missing at the same places; NaN equals NaN."""
    if (
        a.values.dtype != b.values.dtype
        or a.values.shape != b.values.shape
        or (a.missing is None) != (b.missing is None)
    ):
        return False
    if a.missing is not None and b.missing is not None and not np.array_equal(a.missing, b.missing):
        return False
    return bool(np.array_equal(a.values, b.values, equal_nan=a.values.dtype.kind == "f"))


def same_frame(a: Frame, b: Frame) -> bool:
    """True if both are the same samples with the same identity."""
    same = (a.timeline, a.epoch, a.seq, list(a.columns)) == (b.timeline, b.epoch, b.seq, list(b.columns))
    return same and np.array_equal(a.t, b.t) and all(same_column(c, b.columns[name]) for name, c in a.columns.items())
