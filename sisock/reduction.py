"""Fewer points for a screen, every spike kept: which samples stand for the rest, and what lies behind them.

Bins lie on fixed multiples of their width since 1970, so that pictures do not tremble on refresh. The width
is m * 2**k ns with m from 8 to 15: wide steps would waste points, other widths would not divide into tiers.
Where bins are short against a day they are also cut at midnights, UTC: no day loses its extremes to the next.
LTTB: Steinarsson, "Downsampling Time Series for Visual Representation", 2013. M4: Jugel et al., VLDB 2014.
"""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sisock.frames import TEXT, Answer, Column, Frame, Part, Query, Times
from sisock.uris import JOINT

Rows = NDArray[np.intp]
MOST_POINTS = 1_000_000
_MOST_GAPS = 100
_GAP = 3  # a stretch this many usual intervals long without a sample is a gap
_PROBES = 1001  # intervals looked at to know the usual one
_DAY = 86_400 * 10**9  # ns
_SHORT = 4  # bins a day at least, for its midnights to be worth a cut


# what a node calls ------------------------------------------------------------------------------


def answer(frames: Iterable[Frame], query: Query, finalized_until: dict[str, int | None]) -> Answer:
    """Reduce frames (the query's window and fields only) as the query asks, and label the result.

    Frames may share a timeline; finalized_until is by timeline. Raises ValueError for an unknown reduction.
    """
    method = query.reduce or "minmax"
    if method not in METHODS:
        raise ValueError(f"reduce={method!r:.80} is unknown: use one of {', '.join(METHODS)}")
    parts: list[Part] = []
    width = None
    applied = set()
    for frame in frames:
        strided = frame if query.min_stride is None else frame.rows(stride(frame.t, query.min_stride))
        until = finalized_until.get(frame.timeline)
        whole = Part(strided, frame.timeline, until, len(frame), gaps(frame.t))
        if not len(frame) or query.max_points is None or not (_binned(method) or len(strided) > query.max_points):
            parts.append(whole)
            applied.add("raw" if query.min_stride is None else "stride")
            continue
        width, cut = grid(*_span(frame.t, query), bins_of(method, query.max_points))
        parts += _reduce(whole, method, width, query.max_points, cut=cut)
        applied.add(method)
    label = next((m for m in (method, "stride", "raw") if m in applied), "raw")
    return Answer(merge(parts), label, width)


def _binned(method: str) -> bool:
    return method in ("mean", "band")


def _span(t: Times, query: Query) -> tuple[int, int]:
    """The window as far as there can be data: an open end counts to the last sample."""
    wide = 2**62
    return max(query.start, int(t[0])) if query.start < -wide else query.start, (
        int(t[-1]) + 1 if query.end > wide else query.end
    )


def _reduce(whole: Part, method: str, width: int, most: int, *, cut: bool = False) -> list[Part]:
    frame = whole.points
    if _binned(method):
        binned = _bins(frame, method, width)
        return [*([whole._replace(points=binned)] if binned.columns else []), *_texts(whole, most)]
    starts = bin_starts(frame.t, width)
    if cut:
        starts = np.union1d(starts, bin_starts(frame.t, _DAY))
    parts = []
    for name, column in frame.columns.items():
        rows = changes(column, most) if column.type == "string" else METHODS[method](frame.t, column, starts, most)
        picked = frame.only([name]).rows(rows)
        points = Frame(f"{frame.timeline}{JOINT}{name}", picked.t, picked.columns, frame.epoch, frame.seq)
        parts.append(whole._replace(points=points))
    return parts


def _texts(whole: Part, most: int) -> list[Part]:
    """Texts have no mean: they are answered by their changes."""
    frame = whole.points
    texts = [name for name, column in frame.columns.items() if column.type == "string"]
    only = Part(frame.only(texts), *whole[1:])
    return _reduce(only, "minmax", bin_width(int(frame.t[0]), int(frame.t[-1]) + 1, most), most) if texts else []


# bins -------------------------------------------------------------------------------------------


def bins_of(method: str, max_points: int) -> int:
    """How many bins make at most so many points."""
    return max(1, max_points // {"minmax": 2, "m4": 4}.get(method, 1))


def grid(start: int, end: int, bins: int) -> tuple[int, bool]:
    """Width of the bins for [start, end), and whether they are also cut at midnights; `bins` at most either way."""
    midnights = (end - 1) // _DAY - start // _DAY
    cut = 0 < _SHORT * midnights <= bins
    return bin_width(start, end, bins - midnights if cut else bins), cut


def bin_width(start: int, end: int, bins: int) -> int:
    """The narrowest width m * 2**k ns, m from 8 to 15, of which `bins` bins on the grid cover [start, end)."""
    span = max(1, end - start)
    least = -(-span // max(1, bins - 1)) if bins > 1 else span
    k = max(0, least.bit_length() - 4)
    return max(1, -(-least >> k) << k)


def bin_starts(t: Times, width: int) -> Rows:
    """The row at which each bin that has samples begins; t ascending, at least one row. Shape (bins,)."""
    if not len(t):
        return np.empty(0, np.intp)
    numbers = t // width
    return np.concatenate(([0], np.flatnonzero(numbers[1:] != numbers[:-1]) + 1))


def _bins(frame: Frame, method: str, width: int) -> Frame:
    """Mean, or min, max and mean, of every number or boolean in each bin; times are the starts of the bins."""
    starts = bin_starts(frame.t, width)
    columns: dict[str, Column] = {}
    for name, column in frame.columns.items():
        if column.type == "string":
            continue
        low, high, mean, empty = bin_statistics(column, starts)
        columns[name] = Column(mean, empty)
        if method == "band":
            columns[f"{name}{JOINT}min"], columns[f"{name}{JOINT}max"] = Column(low, empty), Column(high, empty)
    t = frame.t[starts] // width * width
    return Frame(f"{frame.timeline}{JOINT}{method}", t, columns, frame.epoch, frame.seq)


def bin_statistics(column: Column, starts: Rows) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any] | None]:
    """Min, max, mean (float64) of what is present in each bin, and which bins have nothing (None: all have)."""
    values, present = _floats(column)
    count = np.add.reduceat(present, starts, dtype=np.int64)
    total = np.add.reduceat(np.where(present, values, 0.0), starts)
    mean = np.divide(total, count, out=np.full(len(starts), np.nan), where=count > 0)
    empty = count == 0
    return (
        np.fmin.reduceat(values, starts),
        np.fmax.reduceat(values, starts),
        mean,
        empty if empty.any() else None,
    )


def _floats(column: Column) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Values as float64 with NaN where there is nothing, and where there is something."""
    present = column.present()
    values = column.values.astype(np.float64, copy=False)
    return (values if column.missing is None else np.where(present, values, np.nan)), present


# which rows stand for the rest ------------------------------------------------------------------


def stride(t: Times, least: int) -> Rows:
    """Rows that are successively at least `least` ns apart, the first one first."""
    rows, row = [], 0
    while row < len(t):
        rows.append(row)
        row = max(row + 1, int(np.searchsorted(t, int(t[row]) + least)))
    return np.array(rows, np.intp)


def changes(column: Column, most: int) -> Rows:
    """Rows at which a text changes, thinned evenly if there are more than `most`."""
    values = column.values
    present = column.present()
    differs = (values[1:] != values[:-1]) | (present[1:] != present[:-1])
    rows = np.concatenate(([0], np.flatnonzero(differs) + 1)) if len(values) else np.empty(0, np.intp)
    return rows if len(rows) <= most else rows[np.linspace(0, len(rows) - 1, most).astype(np.intp)]


def minmax(t: Times, column: Column, starts: Rows, most: int) -> Rows:
    """The first row of the least and of the greatest value of each bin; one row of a bin without a value."""
    values, _ = _floats(column)
    low = _first_hits(values, np.fmin.reduceat(values, starts), starts)
    high = _first_hits(values, np.fmax.reduceat(values, starts), starts)
    return np.unique(np.concatenate((low, high)))


def _first_hits(values: NDArray[np.float64], wanted: NDArray[np.float64], starts: Rows) -> Rows:
    """In each bin the first row that has the wanted value; the bin's first row where that is NaN."""
    counts = np.diff(np.append(starts, len(values)))
    hits = np.flatnonzero(values == np.repeat(wanted, counts))
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
    """Largest-triangle-three-buckets: pleasant lines, but not every spike; needs the package tsdownsample."""
    try:
        from tsdownsample import LTTBDownsampler  # noqa: PLC0415  # optional
    except ImportError as error:
        raise ValueError("reduce='lttb' needs a package: pip install 'sisock[reduce]', or use minmax") from error
    rows = np.flatnonzero(column.present())
    if len(rows) <= most:
        return rows
    lttb_rows: Callable[..., NDArray[np.uint64]] = LTTBDownsampler().downsample  # type: ignore[no-untyped-call]
    return rows[lttb_rows(t[rows], column.values[rows].astype(np.float64), n_out=max(3, most)).astype(np.intp)]


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
    if len(t) < 3:  # noqa: PLR2004
        return None
    at = np.linspace(0, len(t) - 2, min(_PROBES, len(t) - 1)).astype(np.intp)
    return int(np.median(t[at + 1] - t[at]))


def gaps(t: Times) -> tuple[tuple[int, int], ...]:
    """Stretches without samples longer than three usual intervals: (last before, first after) in ns, 100 at most."""
    usual = usual_interval(t)
    if not usual:
        return ()
    long = np.flatnonzero(np.diff(t) > _GAP * usual)[:_MOST_GAPS]
    return tuple((int(t[i]), int(t[i + 1])) for i in long)


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
    t = np.union1d(first.t, second.t)
    columns = {**_spread(first, t), **_spread(second, t)}
    untils = [u for u in (a.finalized_until, b.finalized_until) if u is not None]
    until = min(untils) if len(untils) == 2 else None  # noqa: PLR2004
    points = Frame(first.timeline, t, columns, first.epoch, first.seq)
    return Part(points, a.of, until, max(a.samples, b.samples), gaps(t))


def _spread(frame: Frame, t: Times) -> dict[str, Column]:
    """The columns on a longer axis, missing where the frame has no sample; of equal times the later one holds."""
    at = np.searchsorted(t, frame.t)
    columns = {}
    for name, column in frame.columns.items():
        dtype = TEXT if column.type == "string" else column.values.dtype
        values, missing = np.zeros(len(t), dtype), np.ones(len(t), bool)
        values[at] = column.values
        missing[at] = False if column.missing is None else column.missing
        columns[name] = Column(values, missing if missing.any() else None)
    return columns
