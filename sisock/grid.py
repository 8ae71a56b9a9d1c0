"""Where bins of time lie: on a fixed grid, so that pictures do not tremble on refresh.

Bins lie on fixed multiples of their width since 1970. The width is m * 2**k ns with m from 8 to 15: wide steps
would waste points, other widths would not divide into tiers. Where bins are short against a day they are also cut at
midnights, UTC: no day loses its extremes to the next.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sisock.frames import Times
from sisock.times import FIRST

Rows = NDArray[np.intp]
DAY = 86_400 * 10**9  # ns
_WIDEST = 15 << 59  # ns, the widest that an int64 can hold: three such bins cover all times
_SHORT = 4  # bins a day at least, for its midnights to be worth a cut


class Grid(NamedTuple):
    """Bins on fixed multiples of `width` ns, `most` of them, also cut at midnights if `cut`."""

    width: int
    most: int = 1
    cut: bool = False

    def starts(self, t: Times) -> Rows:
        """The row at which each bin that has samples begins; t ascending. Shape (bins,)."""
        starts = starts_of(t, self.width)
        if self.cut:
            starts = np.union1d(starts, starts_of(t, DAY))
        return starts[: self.most]  # a single bin may lie across a multiple: it takes all

    def begins(self, t: Times) -> Times:
        """When the bin of each time begins. Shape (n,)."""
        begins = floors(t, self.width)
        return np.maximum(begins, floors(t, DAY)) if self.cut else begins


def grid(start: int, end: int, bins: int, *, midnights: bool = True) -> Grid:
    """The bins for [start, end), `bins` at most; cut at midnights, if wanted, where bins are short against a day."""
    cuts = (end - 1) // DAY - start // DAY if midnights else 0
    cut = 0 < _SHORT * cuts <= bins
    return Grid(width_of(start, end, bins - cuts if cut else bins), bins, cut)


def width_of(start: int, end: int, bins: int) -> int:
    """The narrowest width m * 2**k ns, m from 8 to 15, of which `bins` bins on the grid cover [start, end).

    One bin covers only as much as the window is long.
    """
    span = max(1, end - start)
    least = -(-span // max(1, bins - 1)) if bins > 1 else span
    k = max(0, least.bit_length() - 4)
    return max(1, min(_WIDEST, -(-least >> k) << k))


def starts_of(t: Times, width: int) -> Rows:
    """The row at which each bin that has samples begins; t ascending. Shape (bins,)."""
    if not len(t):
        return np.empty(0, np.intp)
    numbers = t // width
    return np.concatenate(([0], np.flatnonzero(numbers[1:] != numbers[:-1]) + 1))


def floors(t: Times, width: int) -> Times:
    """Where the bin of each time begins, no earlier than an int64 can tell. Shape (n,)."""
    past = t % width
    return np.where(t < FIRST + past, FIRST, t - past)
