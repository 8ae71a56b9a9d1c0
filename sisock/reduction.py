"""Fewer points for a screen, every spike kept: which samples stand for the rest, and what lies behind them.

LTTB: Steinarsson, "Downsampling Time Series for Visual Representation", 2013. M4: Jugel et al., VLDB 2014.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sisock.bins import Grid, Rows, extremes, floors, grid, statistics
from sisock.frames import Answer, Column, Frame, Part, Query, Times
from sisock.times import LAST
from sisock.uris import JOINT

MOST_POINTS = 1_000_000
_MOST_GAPS = 100
_GAP = 3  # a stretch this many usual intervals long without a sample is a gap
_PROBES = 1001  # intervals looked at to know the usual one


# what a node calls ------------------------------------------------------------------------------


def answer(frames: Iterable[Frame], query: Query, finalized_until: Mapping[str, int | None]) -> Answer:
    """Reduce frames (the query's window and fields only) as the query asks, and label the result.

    Frames may share a timeline; finalized_until is by timeline. Raises ValueError for an unknown reduction.
    """
    method = query.reduce or "minmax"
    if method not in METHODS:
        raise ValueError(f"reduce={method!r:.80} is unknown: use one of {', '.join(METHODS)}")
    given = list(frames)
    bins = _grid(given, query, method)
    parts: list[Part] = []
    applied = {"raw" if query.min_stride is None else "stride"}  # who wanted a stride may have lost a spike
    for frame in given:
        strided = frame if query.min_stride is None else frame.rows(stride(frame.t, query.min_stride))
        until = finalized_until.get(frame.timeline)
        whole = Part(strided, frame.timeline, until, len(frame), gaps(frame.t))
        if len(frame) and query.max_points is not None and (_binned(method) or len(strided) > query.max_points):
            parts += _reduce(whole, method, bins, query.max_points)
            applied.add(method)
        else:
            parts.append(whole)
    label = next(m for m in ("stride", method, "raw") if m in applied)
    return Answer(merge(parts), label, bins.width if method in applied else None)


def reduce_answer(whole: Answer, query: Query) -> Answer:
    """Reduce an answer of a node that does not do so itself, and label it; its parts are raw."""
    until = {part.of: part.finalized_until for part in whole.parts}
    reduced = answer([part.points.only(query.fields) for part in whole.parts], query, until)
    return Answer(reduced.parts, reduced.method, reduced.bin, (*whole.notices, *reduced.notices))


def _binned(method: str) -> bool:
    return method in ("mean", "band")


def _reduce(whole: Part, method: str, bins: Grid, most: int) -> list[Part]:
    """One part for the bins of all numbers, or one for each field with the rows picked."""
    frame = whole.points
    starts = bins.starts(frame.t)
    parts = []
    if _binned(method):
        binned = _bins(frame, method, starts, bins.width)
        parts = [whole._replace(points=binned)] if binned.columns else []
    for name, column in frame.columns.items():
        if column.type == "string":  # texts have no extremes and no mean: they are answered by their changes
            parts.append(_picked(whole, name, changes(column, most)))
        elif not _binned(method):
            parts.append(_picked(whole, name, METHODS[method](frame.t, column, starts, most)))
    return parts


def _picked(whole: Part, name: str, rows: Rows) -> Part:
    """A part with these rows of one field, on an axis of its own."""
    frame = whole.points
    picked = frame.only([name]).rows(rows)
    return whole._replace(
        points=Frame(f"{frame.timeline}{JOINT}{name}", picked.t, picked.columns, frame.epoch, frame.seq)
    )


def bins_of(method: str, max_points: int) -> int:
    """How many bins make at most so many points; one at least, which is 2 points of minmax and 4 of m4."""
    return max(1, max_points // {"minmax": 2, "m4": 4}.get(method, 1))


def _grid(frames: list[Frame], query: Query, method: str) -> Grid:
    """The bins for the query's window, the same for all frames; an open end counts to the outermost sample."""
    wide, ends = 2**62, [(int(frame.t[0]), int(frame.t[-1]) + 1) for frame in frames if len(frame)]
    if query.max_points is None or not ends:
        return Grid(1)
    start = query.start if query.start >= -wide else max(query.start, min(first for first, _ in ends))
    end = query.end if query.end <= wide else min(query.end, max(last for _, last in ends))
    return grid(start, end, bins_of(method, query.max_points), midnights=not _binned(method))


def _bins(frame: Frame, method: str, starts: Rows, width: int) -> Frame:
    """Mean, or min, max and mean, of every number or boolean in each bin; times are the starts of the bins."""
    columns: dict[str, Column] = {}
    for name, column in frame.columns.items():
        if column.type == "string":
            continue
        low, high, mean, empty = statistics(column, starts)
        columns[name] = Column(mean, empty)
        if method == "band":
            columns[f"{name}{JOINT}min"], columns[f"{name}{JOINT}max"] = Column(low, empty), Column(high, empty)
    t = floors(frame.t[starts], width)
    return Frame(f"{frame.timeline}{JOINT}{method}", t, columns, frame.epoch, frame.seq)


# which rows stand for the rest ------------------------------------------------------------------


def stride(t: Times, least: int) -> Rows:
    """Rows that are successively at least `least` ns apart, the first one first, each as early as can be."""
    far = np.searchsorted(t, np.minimum(t, LAST - least) + least)
    following = np.maximum(far, np.arange(1, len(t) + 1))
    rows, row = [], 0
    while row < len(t):
        rows.append(row)
        row = int(following[row])
    return np.array(rows, np.intp)


def changes(column: Column, most: int) -> Rows:
    """Rows at which a text changes, thinned evenly if there are more than `most`."""
    values = column.values
    present = column.present()
    differs = ((values[1:] != values[:-1]) & present[1:]) | (present[1:] != present[:-1])
    rows = np.concatenate(([0], np.flatnonzero(differs) + 1)) if len(values) else np.empty(0, np.intp)
    return rows if len(rows) <= most else rows[np.linspace(0, len(rows) - 1, most).astype(np.intp)]


def minmax(t: Times, column: Column, starts: Rows, most: int) -> Rows:
    """The first row of the least and of the greatest value of each bin; one row of a bin without a value."""
    low, high = extremes(column, starts)
    present = column.present()
    hits = (_first_hits(column.values, present, wanted, starts) for wanted in (low, high))
    return np.unique(np.concatenate(tuple(hits)))


def _first_hits(values: NDArray[Any], present: NDArray[np.bool_], wanted: NDArray[Any], starts: Rows) -> Rows:
    """In each bin the first row that has the wanted value; the bin's first row where none has."""
    counts = np.diff(np.append(starts, len(values)))
    hits = np.flatnonzero((values == np.repeat(wanted, counts)) & present)
    rows = starts.copy()
    if len(hits):
        bins = np.searchsorted(starts, hits, "right") - 1
        first = np.concatenate(([True], bins[1:] != bins[:-1]))
        rows[bins[first]] = hits[first]
    return rows


def m4(t: Times, column: Column, starts: Rows, most: int) -> Rows:
    """First, last, least and greatest of each bin."""
    last = np.append(starts[1:], len(t)) - 1
    return np.unique(np.concatenate((starts, last, minmax(t, column, starts, most))))


def lttb(t: Times, column: Column, starts: Rows, most: int) -> Rows:
    """Largest-triangle-three-buckets: pleasant lines, but not every spike. The first and the last row are kept."""
    rows = np.flatnonzero(column.present())
    if len(rows) <= most or most < 3:
        return rows if len(rows) <= most else rows[[0, -1]][:most]
    x, y = _steps(t[rows], t[rows[0]]).astype(np.float64), column.values[rows].astype(np.float64)
    edges = np.linspace(1, len(rows) - 1, most - 1).astype(np.intp)  # of the buckets between first and last
    chosen = [0]
    with np.errstate(over="ignore", invalid="ignore"):  # infinities are values, too
        next_x, next_y = (
            np.append(np.add.reduceat(v[:-1], edges[:-1])[1:] / np.diff(edges)[1:], v[-1]) for v in (x, y)
        )
        for begin, end, far_x, far_y in zip(edges[:-1], edges[1:], next_x, next_y, strict=True):
            last = chosen[-1]
            areas = (x[last] - far_x) * (y[begin:end] - y[last]) - (x[last] - x[begin:end]) * (far_y - y[last])
            chosen.append(int(begin + np.argmax(np.abs(areas))))
    return rows[[*chosen, len(rows) - 1]]


def _never(t: Times, column: Column, starts: Rows, most: int) -> Rows:
    raise AssertionError("means and bands have bins of their own")


METHODS: dict[str, Callable[[Times, Column, Rows, int], Rows]] = {
    "minmax": minmax,
    "m4": m4,
    "mean": _never,
    "band": _never,
    "lttb": lttb,
}


# what lies behind -------------------------------------------------------------------------------


def usual_interval(t: Times) -> int | None:
    """The usual number of ns between samples (the median of up to 1001 of them); None below three samples."""
    if len(t) < 3:
        return None
    at = np.linspace(0, len(t) - 2, min(_PROBES, len(t) - 1)).astype(np.intp)
    usual = int(np.median(_steps(t[at + 1], t[at])))
    if usual:
        return usual
    steps = _steps(t[1:], t[:-1])  # many samples at one time: what counts is from one time to the next
    return int(np.median(steps[steps > 0])) if steps.any() else None


def gaps(t: Times) -> tuple[tuple[int, int], ...]:
    """Stretches without samples longer than three usual intervals: (last before, first after) in ns, 100 at most."""
    usual = usual_interval(t)
    if not usual:
        return ()
    long = np.flatnonzero(_steps(t[1:], t[:-1]) > _GAP * usual)[:_MOST_GAPS]
    return tuple((int(t[i]), int(t[i + 1])) for i in long)


def _steps(later: Any, earlier: Any) -> NDArray[np.uint64]:
    """The ns from one time to a later one, exact for any two that an int64 can hold. Shape (n,)."""
    steps: NDArray[np.uint64] = np.subtract(later, earlier).view(np.uint64)
    return steps


# joining axes -----------------------------------------------------------------------------------


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
