"""How many bytes frames take, near enough, and frames of one timeline in runs of a size that is good to keep."""

from collections.abc import Iterable, Iterator
from itertools import pairwise

import numpy as np

from sisock.frames import Column, Frame

_OBJECTS = 300  # bytes of the Python objects around an array, about


def weight(frame: Frame) -> int:
    """Bytes that a frame takes in memory, near enough."""
    return volume(frame) + _OBJECTS * (1 + len(frame.columns))


def volume(frame: Frame) -> int:
    """Bytes of a frame's times and values, near enough."""
    return frame.t.nbytes + sum(map(_volume, frame.columns.values()))


def _volume(column: Column) -> int:
    volume = column.values.nbytes + (0 if column.missing is None else column.missing.nbytes)
    if column.values.dtype.kind == "T":  # texts beyond 15 bytes lie outside the array
        lengths = np.strings.str_len(column.values)
        volume += int(lengths[lengths > 15].sum())
    return volume


def runs(frames: Iterable[Frame], most: int) -> Iterator[list[Frame]]:
    """Frames of one timeline, parted into runs that are consecutive rows of one frame, of about `most` bytes each."""
    run: list[Frame] = []
    size = 0
    for frame in frames:
        for piece in _pieces(frame, most):
            heavy = volume(piece)
            if run and (size + heavy > most or not _follows(run[-1], piece)):
                yield run
                run, size = [], 0
            run.append(piece)
            size += heavy
    if run:
        yield run


def _pieces(frame: Frame, most: int) -> Iterator[Frame]:
    """The frame in pieces of about as many bytes, as far as rows can be parted."""
    count = min(len(frame), -(-volume(frame) // most))
    if count < 2:
        yield frame
        return
    edges = [len(frame) * at // count for at in range(count + 1)]
    for first, beyond in pairwise(edges):
        yield frame.cut(first, beyond)


def _follows(before: Frame, frame: Frame) -> bool:
    """Whether the frame's rows could be those after the rows before."""
    if before.epoch != frame.epoch or list(before.columns) != list(frame.columns) or before.t[-1] > frame.t[0]:
        return False
    if before.seq != (None if frame.seq is None else frame.seq - len(frame)):
        return False
    pairs = zip(before.columns.values(), frame.columns.values(), strict=True)
    return all(a.values.dtype == b.values.dtype for a, b in pairs)
