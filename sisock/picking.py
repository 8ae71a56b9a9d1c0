"""Which samples stand for the rest, where these are not the extremes of bins.

LTTB: Steinarsson, "Downsampling Time Series for Visual Representation", 2013.
"""

from collections import Counter
from typing import NamedTuple

import numpy as np

from sisock.frames import Column, Times
from sisock.gaps import steps
from sisock.grid import Rows
from sisock.times import LAST

_ALL = "changes more often than there are points: changes are left out, each of its values is there"
_SOME = "has more values than there are points: the most frequent are left out"


def stride(t: Times, least: int) -> Rows:
    """Rows that are successively at least `least` ns apart, the first one first, each as early as can be."""
    far = np.searchsorted(t, np.minimum(t, LAST - least) + least)
    following = np.maximum(far, np.arange(1, len(t) + 1))
    rows, row = [], 0
    while row < len(t):
        rows.append(row)
        row = int(following[row])
    return np.array(rows, np.intp)


class Changes(NamedTuple):
    """Rows at which a text changes, and what has to be said where these are not all."""

    rows: Rows
    left_out: str | None = None  # a sentence without its subject

    def notices(self, name: str) -> tuple[str, ...]:
        """What has to be said of the field of this name."""
        return (f"{name} {self.left_out}",) if self.left_out else ()


def changes(column: Column, most: int) -> Changes:
    """Rows at which a text changes; if there are more than `most`, the first of each value and others evenly.

    Where there are more values than that, the first changes to those that come most seldom.
    """
    values = column.values
    present = column.present()
    differs = ((values[1:] != values[:-1]) & present[1:]) | (present[1:] != present[:-1])
    rows = np.concatenate(([0], np.flatnonzero(differs) + 1)) if len(values) else np.empty(0, np.intp)
    if len(rows) <= most:
        return Changes(rows)
    listed = [
        value if there else None for value, there in zip(values[rows].tolist(), present[rows].tolist(), strict=True)
    ]
    first = dict(zip(reversed(listed), range(len(rows) - 1, -1, -1), strict=True))
    often = Counter(listed)
    kept = sorted(first.values(), key=lambda at: (often[listed[at]], at))[:most]
    others = np.delete(np.arange(len(rows)), kept)
    evenly = others[np.linspace(0, len(others) - 1, most - len(kept)).astype(np.intp)]
    return Changes(
        rows[np.sort(np.concatenate((np.array(kept, np.intp), evenly)))], _ALL if len(first) <= most else _SOME
    )


def lttb(t: Times, column: Column, most: int) -> Rows:
    """Largest-triangle-three-buckets: pleasant lines, but not every spike. The first and the last row are kept."""
    rows = np.flatnonzero(column.present())
    if len(rows) <= most or most < 3:
        return rows if len(rows) <= most else rows[[0, -1]][:most]
    x, y = steps(t[rows], t[rows[0]]).astype(np.float64), column.values[rows].astype(np.float64)
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
