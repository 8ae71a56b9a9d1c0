"""What is known of one field: its samples, or bins of them, in which windows find what they hold."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from grafana_json.prometheus.vectors import Floats
from sisock.bins import Bins
from sisock.frames import Column, Times

_NONE = np.empty(0)


class Samples(NamedTuple):
    """Entries in the order of time, arrays of shape (n,): each a sample, or a bin of some. What was not asked for is empty.

    A window `(a, b]` holds the entries with `a < p <= b`. `single`: each is one sample, and all arrays are there.
    """

    p: Times
    count: Floats  # type: ignore[assignment]  # hides what a tuple can do by this name
    low: Floats = _NONE
    high: Floats = _NONE
    total: Floats = _NONE
    m2: Floats = _NONE
    first: Floats = _NONE
    last: Floats = _NONE
    t_first: Times = np.empty(0, np.int64)
    t_last: Times = np.empty(0, np.int64)
    t_low: Times = np.empty(0, np.int64)
    t_high: Times = np.empty(0, np.int64)
    single: bool = False
    width: int = 0  # ns, where windows have to hold a bin at least

    def rows(self, rows: NDArray[np.intp]) -> "Samples":
        """Only these entries, or the same ones several times."""
        held = {name: each for name, each in self._asdict().items() if isinstance(each, np.ndarray) and len(each)}
        chosen: dict[str, Any] = {name: each[rows] for name, each in held.items()}
        return self._replace(**chosen)


def of_column(t: Times, column: Column) -> Samples:
    """The samples that have a value, NaN being none."""
    there = column.present()
    return of_values(t[there], column.values[there].astype(np.float64))


def of_values(t: Times, values: Floats) -> Samples:
    """These samples."""
    ones = np.ones(len(t))
    zeros = np.zeros(len(t))
    return Samples(t, ones, values, values, values, zeros, values, values, t, t, t, t, single=True)


def of_bins(bins: Bins, width: int, span: tuple[int, int], *, aligned: bool) -> Samples:
    """Bins of this width in ns, of samples within the span `[first, beyond)`.

    `aligned`: windows begin and end where bins do. Then a sample at the very begin of a bin is an entry of its own, for it
    belongs to the window that ends there. Otherwise a bin counts where its middle is.
    """
    some = bins.rows(np.flatnonzero(bins.count > 0))
    first, beyond = span
    p = np.clip(some.start + width // 2, first, beyond - 1)
    floats: dict[str, Any] = {
        name: _floats(getattr(some, name)) for name in ("count", "low", "high", "total", "m2", "first", "last")
    }
    times: dict[str, Any] = {name: _times(getattr(some, name)) for name in ("t_first", "t_last", "t_low", "t_high")}
    made = Samples(p, **floats, **times, width=0 if aligned else width)
    return _split(made, some.start) if aligned and len(made.t_first) and len(made.first) else made


def _floats(values: NDArray[Any] | None) -> Floats:
    return _NONE if values is None else values.astype(np.float64)


def _times(values: Times | None) -> Times:
    return np.empty(0, np.int64) if values is None else values


def _split(bins: Samples, start: Times) -> Samples:
    """The bins with a sample at the very begin of one as an entry of its own, without which the rest is.

    The rest keeps what is not known without it: its extremes, where the sample was one, and its first.
    """
    edge = bins.t_first == start
    if not edge.any():
        return bins
    rows = np.repeat(np.arange(len(start)), 1 + (edge & (bins.count > 1)))
    again = np.concatenate(([False], rows[1:] == rows[:-1]))  # the rest of a bin
    alone = edge[rows] & ~again
    every = bins.rows(rows)
    first, count = every.first, every.count
    made: dict[str, Any] = {
        "p": np.where(alone, start[rows], every.p),
        "count": np.where(alone, 1.0, count - again),
        "last": np.where(alone, first, every.last) if len(every.last) else every.last,
        "t_last": np.where(alone, start[rows], every.t_last) if len(every.t_last) else every.t_last,
    }
    for name in ("low", "high"):
        values = getattr(every, name)
        if len(values):
            made[name] = np.where(alone, first, values)
            if len(every.last):
                made[name] = np.where(again & (count == 2), every.last, made[name])
    if len(every.total):
        rest = every.total - first
        made["total"] = np.where(alone, first, np.where(again & np.isfinite(rest), rest, every.total))
        if len(every.m2):
            off = (first - every.total / count) * (first - rest / np.maximum(count - 1, 1))
            made["m2"] = np.where(alone, 0.0, np.where(again, np.maximum(every.m2 - off, 0.0), every.m2))
    return every._replace(**made)
