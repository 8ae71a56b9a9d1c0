"""Parts of an answer that share a time axis, joined; and series laid side by side on a common one."""

from collections.abc import Iterable, Sequence

import numpy as np

from sisock.frames import Column, Frame, Part, Times
from sisock.gaps import gaps


def merge(parts: Iterable[Part]) -> tuple[Part, ...]:
    """One part for each axis: those with the same key are joined, on the union of their times where they differ."""
    by_key: dict[str, Part] = {}
    for part in parts:
        key = part.points.timeline
        by_key[key] = _join(by_key[key], part) if key in by_key else part
    return tuple(by_key.values())


def _join(a: Part, b: Part) -> Part:
    first, second = a.points, b.points
    if np.array_equal(first.t, second.t):
        points = Frame(first.timeline, first.t, {**first.columns, **second.columns}, first.epoch, first.seq)
        return a._replace(points=points)
    t = _union(first.t, second.t)
    columns = {**_spread(first, t), **_spread(second, t)}
    untils = [u for u in (a.finalized_until, b.finalized_until) if u is not None]
    until = min(untils) if len(untils) == 2 else None
    points = Frame(first.timeline, t, columns, first.epoch, first.seq)
    return Part(points, a.of, until, max(a.samples, b.samples), gaps(t))


def _union(a: Times, b: Times) -> Times:
    """Every time of either; one that comes several times in one of them does so here."""
    times = np.union1d(a, b)
    counts = (np.searchsorted(t, times, "right") - np.searchsorted(t, times) for t in (a, b))
    return np.repeat(times, np.maximum(*counts))


def _spread(frame: Frame, t: Times) -> dict[str, Column]:
    """The columns on a longer axis, missing where the frame has no sample."""
    rows = np.searchsorted(t, frame.t) + np.arange(len(frame)) - np.searchsorted(frame.t, frame.t)
    return {name: column.spread(rows, len(t)) for name, column in frame.columns.items()}


def side_by_side(series: Sequence[tuple[Times, Column]]) -> tuple[Times, list[Column]]:
    """All times, ascending, and each series on them, missing where it has no sample.

    Samples of one time share a row; where a series has several at that time, its first ones share the first row, and so on.
    """
    if all(np.array_equal(t, series[0][0]) for t, _ in series):
        return (series[0][0] if series else np.empty(0, np.int64)), [column for _, column in series]
    every = np.concatenate([t for t, _ in series])
    which = np.concatenate([np.arange(len(t)) - np.searchsorted(t, t) for t, _ in series])  # of those of its time
    order = np.lexsort((which, every))
    new = np.ones(len(every), bool)
    new[1:] = (every[order][1:] != every[order][:-1]) | (which[order][1:] != which[order][:-1])
    row = np.empty(len(every), np.intp)
    row[order] = np.cumsum(new) - 1
    times = every[order][new]
    ends = np.cumsum([len(t) for t, _ in series]).tolist()
    places = [row[end - len(t) : end] for (t, _), end in zip(series, ends, strict=True)]
    return times, [column.spread(at, len(times)) for (_, column), at in zip(series, places, strict=True)]
