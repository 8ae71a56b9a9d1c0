"""Stretches of time without samples."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sisock.frames import Times

_MOST_GAPS = 100
GAP = 3  # a stretch this many usual intervals long without a sample is a gap
_PROBES = 1001  # intervals looked at to know the usual one


def usual_interval(t: Times) -> int | None:
    """The usual number of ns between samples (the median of up to 1001 of them); None below three samples."""
    if len(t) < 3:
        return None
    if len(t) <= _PROBES + 1:
        usual = _median(steps(t[1:], t[:-1]))
    else:
        at = np.linspace(0, len(t) - 2, _PROBES).astype(np.intp)
        usual = _median(steps(t[at + 1], t[at]))
    if usual:
        return usual
    every = steps(t[1:], t[:-1])  # many samples at one time: what counts is from one time to the next
    return _median(every[every > 0]) if every.any() else None


def gaps(t: Times) -> tuple[tuple[int, int], ...]:
    """Stretches without samples longer than three usual intervals: (last before, first after) in ns, 100 at most."""
    usual = usual_interval(t)
    if not usual:
        return ()
    long = np.flatnonzero(steps(t[1:], t[:-1]) > GAP * usual)[:_MOST_GAPS]
    return tuple((int(t[i]), int(t[i + 1])) for i in long)


def of_bins(start: Times, width: int) -> tuple[tuple[int, int], ...]:
    """Stretches without samples as far as bins of this width tell, which begin at these times; 100 at the most.

    Bins may be narrower than what usually lies between two samples: that alone makes no gap.
    """
    apart = steps(start[1:], start[:-1])
    if not (apart > GAP * width).any():
        return ()
    usual = max(width, usual_interval(start) or 0)
    far = np.flatnonzero(apart > GAP * usual)[:_MOST_GAPS]
    return tuple((int(start[i]) + width, int(start[i + 1])) for i in far)


def _median(steps: NDArray[np.uint64]) -> int:
    """Exact, and of a few steps several times faster than numpy's, which is for everything."""
    lower, upper = (len(steps) - 1) // 2, len(steps) // 2
    parted = np.partition(steps, (lower, upper))
    return (int(parted[lower]) + int(parted[upper])) // 2


def steps(later: Any, earlier: Any) -> NDArray[np.uint64]:
    """The ns from one time to a later one, exact for any two that an int64 can hold. Shape (n,)."""
    between: NDArray[np.uint64] = np.subtract(later, earlier).view(np.uint64)
    return between
