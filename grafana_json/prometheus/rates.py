"""How fast counters and gauges change within windows: `rate`, `increase`, `delta`, `irate`, `idelta`.

A counter that falls began anew at zero. Between samples that is seen exactly. Within a stored bin it is told from the
bin's first, last, least and greatest value: a counter that never fell has its first as least and its last as greatest. A
greatest above the last was reached before the fall; otherwise the fall is taken to have been from the first value, which
is the least that it can have been. Of several falls within one bin only one is seen.

Extrapolation to the window's ends: Prometheus 3, promql/functions.go, extrapolatedRate.
"""

from collections.abc import Callable

import numpy as np

from grafana_json.prometheus.samples import Samples
from grafana_json.prometheus.vectors import Bools, Floats
from grafana_json.prometheus.windows import Windows, fold
from sisock.frames import Times
from sisock.times import NS

_FAR = 1.1  # average distances between samples that the first or last may be from the window's end to reach it


def extrapolated(*, counter: bool, per_second: bool) -> Callable[[Samples, Windows], tuple[Floats, Bools]]:
    """The change within each window, as if samples reached to its ends; of a counter its falls made up for."""

    def made(samples: Samples, windows: Windows) -> tuple[Floats, Bools]:
        low, high = windows.held(samples)
        some = high > low
        if not len(samples.p):
            return np.zeros(len(low)), some
        first, last = np.minimum(low, len(samples.p) - 1), np.maximum(high - 1, 0)
        count = fold(np.add, samples.count, low, high)
        change = samples.last[last] - samples.first[first]
        if counter:
            change += fold(np.add, _within(samples), low, high)
            change += fold(np.add, _between(samples), np.minimum(low + 1, high), high)
        t_first, t_last = samples.t_first[first], samples.t_last[last]
        near = samples.width / 2 / NS
        factor = _extrapolation(
            windows, t_first, t_last, count, samples.first[first] if counter else None, change, near
        )
        with np.errstate(invalid="ignore"):
            values = change * factor
        length = (windows.until - windows.after) / NS
        return values / length if per_second else values, some & (count > 1) & (t_last > t_first)

    return made


def _within(samples: Samples) -> Floats:
    """What a counter is to be given for falling within an entry."""
    if samples.single:
        return np.zeros(len(samples.p))
    fell = (samples.low < samples.first) | (samples.high > samples.last)
    return np.where(fell, np.where(samples.high > samples.last, samples.high, samples.first), 0.0)


def _between(samples: Samples) -> Floats:
    """What a counter is to be given for falling from one entry to the next, at that one."""
    given = np.zeros(len(samples.p))
    given[1:] = np.where(samples.first[1:] < samples.last[:-1], samples.last[:-1], 0.0)
    return given


def _extrapolation(
    windows: Windows,
    t_first: Times,
    t_last: Times,
    count: Floats,
    first: Floats | None,
    change: Floats,
    near: float,
) -> Floats:
    """By how much the stretch of time that is known has to be extended to stand for the window.

    `near`: how far, in seconds, bins may end from where the window does.
    """
    known = (t_last - t_first) / NS
    before, after = (t_first - windows.after) / NS, (windows.until - t_last) / NS
    with np.errstate(invalid="ignore", divide="ignore"):
        distance = known / (count - 1)
        far = _FAR * distance + near
        before = np.where(before >= far, distance / 2, before)
        if first is not None:  # a counter was never below zero
            to_zero = np.where((change > 0) & (first >= 0), known * (first / change), before)
            before = np.minimum(before, to_zero)
        after = np.where(after >= far, distance / 2, after)
        factor: Floats = (known + before + after) / known
    return factor


def instant(*, per_second: bool) -> Callable[[Samples, Windows], tuple[Floats, Bools]]:
    """The change between the last two samples of each window; `per_second`: of a counter."""

    def made(samples: Samples, windows: Windows) -> tuple[Floats, Bools]:
        low, high = windows.held(samples)
        there = high - low > 1
        if not len(samples.p):
            return np.zeros(len(low)), there
        last, before = np.maximum(high - 1, 0), np.maximum(high - 2, 0)
        change = samples.last[last] - samples.last[before]
        if not per_second:
            return change, there
        took = (samples.p[last] - samples.p[before]) / NS
        with np.errstate(invalid="ignore", divide="ignore"):
            values = np.where(samples.last[last] < samples.last[before], samples.last[last], change) / took
        return values, there & (took > 0)

    return made
