"""Fewer points for a screen, every spike kept: bins of samples, and what is drawn of each bin.

M4: Jugel et al., "M4: A Visualization-Oriented Time Series Data Aggregation", VLDB 2014.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np

from sisock import picking
from sisock.axes import merge
from sisock.bins import EVERY, Bins, of_samples
from sisock.frames import Answer, Column, Frame, Part, Query, Times
from sisock.gaps import gaps
from sisock.grid import Grid, Rows, grid
from sisock.uris import JOINT

MOST_POINTS = 1_000_000
POINTS = {"minmax": ("low", "high"), "m4": ("first", "low", "high", "last"), "stride": ("first",)}  # drawn of a bin
_JOINS_BY = {"m2": "total", "t_low": "low", "t_high": "high"}  # what a statistic of two bins cannot be told without
PER_BIN = {  # statistics behind a value for each bin
    "mean": {"total"},
    "band": {"low", "high", "total"},
    "first": {"first"},
    "last": {"last"},
    "count": set[str](),
    "std": {"total", "m2"},
    "bins": set(EVERY),
}
METHODS = ("minmax", "m4", "mean", "band", "lttb", "first", "last", "count", "std", "stride", "bins")
OF_TEXTS = ("first", "last", "count", "bins", "stride")  # methods that mean something for texts


class TooMuchError(ValueError):
    """A query asks for more than an answer can hold, or than there is time for; says so, and what to ask for instead."""


# what a node calls ------------------------------------------------------------------------------


def answer(
    frames: Iterable[Frame], query: Query, finalized_until: Mapping[str, int | None], how: Grid | None = None
) -> Answer:
    """Reduce frames (the query's window and fields only) as the query asks, and label the result.

    Frames may share a timeline; finalized_until is by timeline; `how` are the bins where the caller has chosen them.
    Raises ValueError for an unknown reduction, TooMuchError for very many bins.
    """
    method = method_of(query)
    given = list(frames)
    ends = [(int(frame.t[0]), int(frame.t[-1]) + 1) for frame in given if len(frame)]
    how = grid_of(query, ends) if how is None else how
    parts: list[Part] = []
    notices: list[str] = []
    applied = {"raw" if query.min_stride is None else "stride"}  # who wanted a stride may have lost a spike
    for frame in given:
        strided = frame if query.min_stride is None else frame.rows(picking.stride(frame.t, query.min_stride))
        until = finalized_until.get(frame.timeline)
        whole = Part(strided, frame.timeline, until, len(frame), gaps(frame.t))
        if how is not None and len(frame) and is_reduced(query, len(strided)):
            parts += _reduce(whole, method, how, query, notices)
            applied.add(method)
        else:
            parts.append(whole)
    label = next(m for m in ("stride", method, "raw") if m in applied)
    return Answer(merge(parts), label, how.width if how is not None and method in applied else None, tuple(notices))


def reduce_answer(whole: Answer, query: Query) -> Answer:
    """Reduce an answer of a node that does not do so itself, and label it; its parts are raw."""
    until = {part.of: part.finalized_until for part in whole.parts}
    reduced = answer([part.points.only(query.fields) for part in whole.parts], query, until)
    return replace(reduced, notices=(*whole.notices, *reduced.notices))


def method_of(query: Query) -> str:
    """The reduction that the query names, or the default; raises ValueError for an unknown one."""
    method = query.reduce or "minmax"
    if method not in METHODS:
        raise ValueError(f"reduce={method!r:.80} is unknown: use one of {', '.join(METHODS)}")
    return method


def is_reduced(query: Query, samples: int) -> bool:
    """Whether so many samples of a timeline are reduced, or answered as they are."""
    if query.bin is not None:
        return True
    return query.max_points is not None and (method_of(query) in PER_BIN or samples > query.max_points)


def bins_of(method: str, max_points: int) -> int:
    """How many bins make at most so many points; one at least, which is 2 points of minmax and 4 of m4."""
    return max(1, max_points // len(POINTS.get(method, ("one",))))


def grid_of(query: Query, ends: Iterable[tuple[int, int]], *, midnights: bool = True) -> Grid | None:
    """The bins of the query's window, None if it asks for none; an open end counts to the outermost sample.

    `ends`: first time and one past the last of each timeline. Raises TooMuchError for very many bins.
    """
    wide, outer = 2**62, list(ends)
    if (query.max_points is None and query.bin is None) or not outer:
        return None
    start = query.start if query.start >= -wide else max(query.start, min(first for first, _ in outer))
    end = query.end if query.end <= wide else min(query.end, max(last for _, last in outer))
    if query.bin is not None:
        count = max(0, end - start) // query.bin + 2
        if count > MOST_POINTS:
            raise TooMuchError(f"bin={query.bin} makes {count} bins, {MOST_POINTS} at the most: ask for wider ones")
        return Grid(query.bin, count)
    method = method_of(query)
    bins = bins_of(method, query.max_points or 1)
    return grid(start, end, bins, midnights=midnights and method not in PER_BIN)


def _reduce(whole: Part, method: str, how: Grid, query: Query, notices: list[str]) -> list[Part]:
    """A part for each field, on the axis of the bins or of the points drawn of them; `notices` takes what is to be said."""
    frame = whole.points
    at = how.starts(frame.t)
    start = how.begins(frame.t[at])
    most, wanted = query.max_points or 2 * how.most, needs_of(query)
    parts = []
    for name, column in frame.columns.items():
        if column.type == "string" and method not in OF_TEXTS:  # no extremes, no mean: answered by their changes
            changes = picking.changes(column, most)
            notices += changes.notices(name)
            made = _picked(frame, name, changes.rows)
        elif method == "lttb":
            made = _picked(frame, name, picking.lttb(frame.t, column, most))
        else:
            made = finish(frame, name, of_samples(frame.t, column, at, start, wanted), method)
        parts.append(whole._replace(points=made))
    return parts


def _picked(frame: Frame, name: str, rows: Rows) -> Frame:
    """These rows of one field, on an axis of its own."""
    picked = frame.only([name]).rows(rows)
    return Frame(f"{frame.timeline}{JOINT}{name}", picked.t, picked.columns, frame.epoch, frame.seq)


# what is made of bins ---------------------------------------------------------------------------


def needs(method: str) -> set[str]:
    """The statistics from which `finish` makes an answer by this method; `lttb` is made of extremes."""
    drawn = POINTS.get("minmax" if method == "lttb" else method)
    return PER_BIN[method] if drawn is None else {*drawn, *(f"t_{name}" for name in drawn)}


def needs_of(query: Query) -> set[str]:
    """The statistics of which the query's reduction is made; of `bins` those that it names, and what these join by."""
    method = method_of(query)
    if method != "bins" or not query.statistics:
        return needs(method)
    named = {STATISTICS[name] for name in query.statistics} - {"count", "missing"}  # these are in all bins
    return named | {_JOINS_BY[name] for name in named & _JOINS_BY.keys()}


def finish(like: Frame, name: str, bins: Bins, method: str) -> Frame:
    """The answer of one field by this method; timeline and identity are those of `like`."""
    if method in POINTS:
        t, column = points(bins, POINTS[method])
        return Frame(f"{like.timeline}{JOINT}{name}", t, {name: column}, like.epoch, like.seq)
    axis = f"{like.timeline}{JOINT}{method}"
    return Frame(axis, bins.start, _PER_BIN_COLUMNS[method](name, bins), like.epoch, like.seq)


def drawn(like: Frame, name: str, bins: Bins, query: Query) -> Frame:
    """The answer of one field as the query asks for it; `lttb` takes the largest triangles among the extremes of bins."""
    method = method_of(query)
    if method != "lttb":
        return finish(like, name, bins, method)
    t, column = points(bins, POINTS["minmax"])
    rows = picking.lttb(t, column, query.max_points or len(t))
    return Frame(f"{like.timeline}{JOINT}{name}", t[rows], {name: column.rows(rows)}, like.epoch, like.seq)


def points(bins: Bins, of: tuple[str, ...]) -> tuple[Times, Column]:
    """The samples that these statistics of each bin are, each once; a missing one for a bin without a value."""
    t = np.stack([getattr(bins, f"t_{each}") for each in of], axis=1)
    values = np.stack([getattr(bins, each) for each in of], axis=1)
    keep = np.ones(t.shape, bool)
    if "low" in of:  # the extremes may come in either order, the others are in that of time
        low = of.index("low")
        later = np.flatnonzero(t[:, low] > t[:, low + 1])
        for each in (t, values):
            each[later, low], each[later, low + 1] = each[later, low + 1], each[later, low]
        keep[:, 1:] = (t[:, 1:] != t[:, :-1]) | (values[:, 1:] != values[:, :-1])
    empty = bins.count == 0
    if not empty.any():
        return t[keep], Column(values[keep])
    keep[empty, 1:] = False
    return t[keep], Column(values[keep], np.broadcast_to(empty[:, None], t.shape)[keep])


def _valued(values: np.ndarray, bins: Bins) -> Column:
    """Values of bins; missing where a bin has none."""
    empty = bins.count == 0
    return Column(values, empty if empty.any() else None)


def _number(values: np.ndarray | None, bins: Bins) -> Column:
    """Values of bins as numbers, booleans too."""
    assert values is not None  # asked for
    return _valued(values.astype(np.float64) if values.dtype.kind == "b" else values, bins)


def _band(name: str, bins: Bins) -> dict[str, Column]:
    low, high = (_number(each, bins) for each in (bins.low, bins.high))
    return {name: _valued(bins.mean, bins), f"{name}{JOINT}min": low, f"{name}{JOINT}max": high}


STATISTICS = {  # names in an answer by `bins`
    "count": "count", "missing": "missing", "min": "low", "max": "high", "sum": "total", "m2": "m2", "first": "first",
    "last": "last", "t_min": "t_low", "t_max": "t_high", "t_first": "t_first", "t_last": "t_last",
}  # fmt: skip


def _every(name: str, bins: Bins) -> dict[str, Column]:
    made = {shown: getattr(bins, each) for shown, each in STATISTICS.items()}
    return {f"{name}{JOINT}{shown}": Column(values) for shown, values in made.items() if values is not None}


def bins_from(frame: Frame, name: str) -> Bins | None:
    """The bins of one field in an answer by `bins`; None if it has none."""
    columns = {each: frame.columns.get(f"{name}{JOINT}{shown}") for shown, each in STATISTICS.items()}
    if columns["count"] is None or columns["missing"] is None:
        return None
    bins = Bins(frame.t, **{each: column.values for each, column in columns.items() if column is not None})
    others = columns["count"].missing  # bins that only other fields on the same axis have
    return bins if others is None else bins.rows(~others)


_PER_BIN_COLUMNS = {
    "mean": lambda name, bins: {name: _valued(bins.mean, bins)},
    "band": _band,
    "first": lambda name, bins: {name: _valued(bins.first, bins)},
    "last": lambda name, bins: {name: _valued(bins.last, bins)},
    "count": lambda name, bins: {name: Column(bins.count)},
    "std": lambda name, bins: {name: _valued(bins.std, bins)},
    "bins": _every,
}
