"""Frames to be reduced, and how tests ask for that."""

import numpy as np
from hypothesis import strategies as st

from sisock.frames import Frame, Query
from sisock.reduction import answer
from sisock.times import FIRST, LAST, NS
from tests.made import columns

BASE = 1_763_000_000 * NS
DAY = 86_400 * NS
NUMERIC = (np.dtype(np.float64), np.dtype(np.int64), np.dtype(np.bool_))


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
