"""Functions of what a window of time holds: `avg_over_time` and its like.

https://prometheus.io/docs/prometheus/latest/querying/functions/
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from grafana_json.prometheus import rates
from grafana_json.prometheus.samples import Samples
from grafana_json.prometheus.vectors import Bools, Floats
from grafana_json.prometheus.windows import Rows, Windows, added, earliest, fold, latest
from sisock.times import NS

_OF_A_WINDOW, _OF_A_SAMPLE_SORTED = 30, 5  # times what a value costs that is looked at once

Made = tuple[Floats, Bools]  # of each window the value, and whether there is one: shape (steps,)


def folding(_: Samples, windows: Windows) -> int:
    """What it costs to fold over each window."""
    return _OF_A_WINDOW * len(windows.until)


class OverTime(NamedTuple):
    """A function of windows, and what it is made of."""

    made: Callable[[Samples, Windows], Made]
    statistics: tuple[str, ...] = ()  # of bins; none where only the samples will do
    split: tuple[str, ...] = ()  # those that let samples at the very begin of a bin count by themselves
    until_only: bool = False  # what lies at the begin of the window does not matter
    keeps_name: bool = False
    work: Callable[[Samples, Windows], int] = folding


def _folded(ufunc: Callable[..., Floats], of: Callable[[Samples], Floats]) -> Callable[[Samples, Windows], Made]:
    def made(samples: Samples, windows: Windows) -> Made:
        low, high = windows.held(samples)
        return fold(ufunc, of(samples), low, high), high > low

    return made


def _sum(samples: Samples, windows: Windows) -> Made:
    low, high = windows.held(samples)
    return added(samples, samples.total, windows), high > low


def _count(samples: Samples, windows: Windows) -> Made:
    low, high = windows.held(samples)
    return np.rint(added(samples, samples.count, windows)), high > low


def _average(samples: Samples, windows: Windows) -> Made:
    low, high = windows.held(samples)
    there = high > low
    total, count = added(samples, samples.total, windows), added(samples, samples.count, windows)
    return _divided(total, np.where(there, count, 1)), there


def _variance(samples: Samples, windows: Windows) -> Made:
    """Mean squared distance from the window's mean: within the entries, and between them (Chan, Golub and LeVeque 1979)."""
    low, high = windows.held(samples)
    there = high > low
    with np.errstate(invalid="ignore", over="ignore"):
        means = samples.total / samples.count
        finite = means[np.isfinite(means)]
        off = means - (finite.mean() if len(finite) else 0.0)
        count = np.where(there, fold(np.add, samples.count, low, high), 1.0)
        total = fold(np.add, samples.count * off, low, high)
        squares = fold(np.add, samples.m2 + samples.count * off * off, low, high)
        return np.maximum((squares - total * total / count) / count, 0.0), there


def _deviation(samples: Samples, windows: Windows) -> Made:
    values, there = _variance(samples, windows)
    return np.sqrt(values), there


def _present(samples: Samples, windows: Windows) -> Made:
    there = latest(samples, windows)[2]
    return np.ones(len(there)), there


def _last(samples: Samples, windows: Windows) -> Made:
    values, _, there = latest(samples, windows)
    return values, there


def _first(samples: Samples, windows: Windows) -> Made:
    values, _, there = earliest(samples, windows)
    return values, there


# of samples only --------------------------------------------------------------------------------


def _stepped(changed: Callable[[Floats, Floats], Bools]) -> Callable[[Samples, Windows], Made]:
    """How often two samples in a row are so."""

    def made(samples: Samples, windows: Windows) -> Made:
        low, high = windows.held(samples)
        steps = np.zeros(len(samples.last))
        steps[1:] = changed(samples.last[:-1], samples.last[1:])
        return fold(np.add, steps, np.minimum(low + 1, high), high), high > low

    return made


def quantile(q: Floats) -> Callable[[Samples, Windows], Made]:
    """The quantile of each window, as numpy and Prometheus interpolate it."""

    def made(samples: Samples, windows: Windows) -> Made:
        low, high = windows.held(samples)
        sizes = high - low
        values = np.zeros(len(low))
        for size in np.unique(sizes[sizes > 0]).tolist():
            of = np.flatnonzero(sizes == size)
            values[of] = ranked(np.sort(_stretches(samples.last, low[of], size), axis=1), q[of])
        return values, sizes > 0

    return made


def sorting(samples: Samples, windows: Windows) -> int:
    """What sorting the samples of each window costs."""
    low, high = windows.held(samples)
    return folding(samples, windows) + _OF_A_SAMPLE_SORTED * int((high - low).sum())


def _stretches(values: Floats, low: Rows, size: int) -> Floats:
    return np.lib.stride_tricks.sliding_window_view(values, size)[low]


def ranked(ordered: Floats, q: Floats) -> Floats:
    """The quantile of each row of ordered values; beyond 0 and 1 it is infinite."""
    size = ordered.shape[1]
    rank = np.clip(np.nan_to_num(q), 0, 1) * (size - 1)
    below = np.floor(rank).astype(np.intp)
    weight, rows = rank - below, np.arange(len(ordered))
    with np.errstate(invalid="ignore"):
        upper = ordered[rows, np.minimum(below + 1, size - 1)]
        values = np.where(weight > 0, ordered[rows, below] * (1 - weight) + upper * weight, ordered[rows, below])
    return np.select([np.isnan(q), q < 0, q > 1], [np.full_like(q, np.nan), -np.inf, np.inf], values)


def regression(ahead: Floats | None) -> Callable[[Samples, Windows], Made]:
    """The slope a second of the least squares' line of each window, or its value so many seconds after the window's end."""

    def made(samples: Samples, windows: Windows) -> Made:
        low, high = windows.held(samples)
        count = high - low
        there = count > 1
        middle = samples.p[len(samples.p) // 2] if len(samples.p) else 0
        x, y = (samples.p - middle) / NS, samples.last
        sum_x, sum_y, sum_xx, sum_xy = (fold(np.add, each, low, high) for each in (x, y, x * x, x * y))
        n = np.maximum(count, 1)
        with np.errstate(invalid="ignore", divide="ignore"):
            slope = (sum_xy - sum_x * sum_y / n) / (sum_xx - sum_x * sum_x / n)
            if ahead is None:
                return slope, there
            return sum_y / n + slope * ((windows.until - middle) / NS + ahead - sum_x / n), there

    return made


def _divided(a: Floats, b: Floats) -> Floats:
    with np.errstate(invalid="ignore", divide="ignore"):
        quotient: Floats = a / b
    return quotient


_ENDS = ("first", "last", "t_first", "t_last")
_EDGE = ("first", "t_first")
_COUNTER = (*_ENDS, "min", "max")
LATEST = OverTime(_last, _ENDS, until_only=True, keeps_name=True)
FUNCTIONS = {
    "count_over_time": OverTime(_count, ("count",), _EDGE),
    "sum_over_time": OverTime(_sum, ("sum",), _EDGE),
    "avg_over_time": OverTime(_average, ("sum",), _EDGE),
    "min_over_time": OverTime(_folded(np.fmin, lambda of: of.low), ("min",), (*_EDGE, "last")),
    "max_over_time": OverTime(_folded(np.fmax, lambda of: of.high), ("max",), (*_EDGE, "last")),
    "stddev_over_time": OverTime(_deviation, ("sum", "m2"), _EDGE),
    "stdvar_over_time": OverTime(_variance, ("sum", "m2"), _EDGE),
    "last_over_time": LATEST,
    "first_over_time": OverTime(_first, _ENDS, keeps_name=True),
    "present_over_time": OverTime(_present, _ENDS, until_only=True),
    "absent_over_time": OverTime(_present, _ENDS, until_only=True),
    "rate": OverTime(rates.extrapolated(counter=True, per_second=True), _COUNTER),
    "increase": OverTime(rates.extrapolated(counter=True, per_second=False), _COUNTER),
    "delta": OverTime(rates.extrapolated(counter=False, per_second=False), _COUNTER),
    "irate": OverTime(rates.instant(per_second=True)),
    "idelta": OverTime(rates.instant(per_second=False)),
    "changes": OverTime(_stepped(lambda before, after: before != after)),
    "resets": OverTime(_stepped(lambda before, after: after < before)),
    "deriv": OverTime(regression(None)),
}
