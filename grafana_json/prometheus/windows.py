"""Windows of time over samples: what is folded over those that each holds."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from grafana_json.prometheus.samples import Samples
from grafana_json.prometheus.vectors import Bools, Floats
from sisock.frames import Times

Rows = NDArray[np.intp]


class Windows(NamedTuple):
    """Windows `(after, until]`, in ns, shape (steps,)."""

    after: Times
    until: Times

    def at_least(self, width: int) -> "Windows":
        """The same, but no shorter than so many ns."""
        return self._replace(after=np.minimum(self.after, self.until - width)) if width else self

    def held(self, samples: Samples) -> tuple[Rows, Rows]:
        """The first entry in each window, and the one beyond its last."""
        low = np.searchsorted(samples.p, self.after, "right")
        return low, np.maximum(low, np.searchsorted(samples.p, self.until, "right"))


def fold(ufunc: Callable[..., Floats], values: Floats, low: Rows, high: Rows) -> Floats:
    """The ufunc over `values[low:high]` of each window; where a window is empty the result means nothing.

    A window is made of stretches of 1, 2, 4, … entries, so the cost is (entries + windows) log(longest), and sums are
    as exact as pairwise ones.
    """
    result = np.zeros(len(low))
    begun = np.zeros(len(low), bool)
    at, left = low.copy(), high - low
    stretch, size = values, 1
    longest = int(left.max(initial=0))
    with np.errstate(invalid="ignore", over="ignore"):
        while size <= longest:
            odd = np.flatnonzero((left // size) % 2)
            more = stretch[at[odd]]
            result[odd] = np.where(begun[odd], ufunc(result[odd], more), more)
            begun[odd] = True
            at[odd] += size
            stretch = ufunc(stretch[:-size], stretch[size:]) if len(stretch) > size else stretch[:0]
            size *= 2
    return result


def added(samples: Samples, values: Floats, windows: Windows) -> Floats:
    """The sum of the values of each window's entries; of a bin that lies across the window's end the part within.

    Samples are taken to be spread evenly over such a bin.
    """
    low, high = windows.held(samples)
    if not samples.width or not np.isfinite(values).all():
        return fold(np.add, values, low, high)
    start = samples.p - samples.p % samples.width
    edges = np.stack((start, start + samples.width), axis=1)
    edges = np.clip(edges, windows.after.min(), windows.until.max())
    after = np.cumsum(values)
    sums = np.stack((after - values, after), axis=1).ravel()
    until, begin = (np.interp(each, edges.ravel(), sums) for each in (windows.until, windows.after))
    return until - begin


def latest(samples: Samples, windows: Windows) -> tuple[Floats, Times, Bools]:
    """The last sample of each window: its value, its time, whether there is one."""
    t, values = _known(samples)
    if not len(t):
        return _none(windows)
    at = np.searchsorted(t, windows.until, "right") - 1
    there = (at >= 0) & (t[at] > windows.after)
    return values[at], t[at], there


def earliest(samples: Samples, windows: Windows) -> tuple[Floats, Times, Bools]:
    """The first sample of each window; of bins, one at the very begin of the window is in it."""
    t, values = _known(samples)
    if not len(t):
        return _none(windows)
    at = np.searchsorted(t, windows.after, "right" if samples.single else "left")
    there = at < len(t)
    at = np.minimum(at, len(t) - 1)
    return values[at], t[at], there & (t[at] <= windows.until)


def _known(samples: Samples) -> tuple[Times, Floats]:
    """The samples whose values and times are known: each, or of bins the first and the last."""
    if samples.single:
        return samples.p, samples.last
    return np.stack((samples.t_first, samples.t_last), 1).ravel(), np.stack((samples.first, samples.last), 1).ravel()


def _none(windows: Windows) -> tuple[Floats, Times, Bools]:
    count = len(windows.until)
    return np.zeros(count), np.zeros(count, np.int64), np.zeros(count, bool)
