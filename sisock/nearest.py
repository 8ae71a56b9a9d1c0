"""The sample of a field that is nearest to an instant, on one side of it."""

from collections.abc import Iterable
from typing import Literal, get_args

import numpy as np

from sisock.frames import Answer, Frame, Part
from sisock.times import FIRST, LAST
from sisock.uris import JOINT

Which = Literal["at", "before", "after"]
WHICH: tuple[Which, ...] = get_args(Which)


def sought(t: int, which: Which) -> tuple[int, int]:
    """The times [start, end) in ns among which the sample lies: at or before t, before it, or after it."""
    if which == "after":
        return min(t, LAST - 1) + 1, LAST
    return FIRST, t if which == "before" else min(t, LAST - 1) + 1


def nearest(frame: Frame, field: str, start: int, end: int, which: Which) -> Frame | None:
    """The last (`after`: the first) sample in [start, end) that has a value, as a frame of one row; None if none has.

    Rows may be in any order of time; of equal times the later row is the later sample.
    """
    column = frame.columns.get(field)
    if column is None:
        return None
    rows = np.flatnonzero(column.present() & (frame.t >= start) & (frame.t < end))
    if not len(rows):
        return None
    t = frame.t[rows]
    row = int(rows[np.argmin(t)] if which == "after" else rows[len(rows) - 1 - np.argmax(t[::-1])])
    one = frame.only([field]).rows(slice(row, row + 1))
    seq = None if frame.seq is None else frame.seq - len(frame) + row + 1
    return Frame(one.timeline, one.t, one.columns, one.epoch, seq)


def nearer(a: Frame | None, b: Frame | None, which: Which) -> Frame | None:
    """The one of two samples that is nearer to the instant; the first where both are as near."""
    if a is None or b is None:
        return a if b is None else b
    first, second = int(a.t[0]), int(b.t[0])
    return b if (second < first if which == "after" else second > first) else a


def answer(samples: Iterable[Frame | None], which: Which, notices: tuple[str, ...] = ()) -> Answer:
    """One sample a field, each on an axis of its own, labelled with what was asked for."""
    parts = tuple(_part(each) for each in samples if each is not None)
    return Answer(parts, which, notices=notices)


def _part(sample: Frame) -> Part:
    (field,) = sample.columns
    axis = f"{sample.timeline}{JOINT}{field}"
    return Part(Frame(axis, sample.t, sample.columns, sample.epoch, sample.seq), sample.timeline, None, 1)
