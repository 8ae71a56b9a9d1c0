"""Bins of one field or of several, joined: into wider ones, or with others of the same width."""

from collections.abc import Collection, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sisock.bins import EVERY, Bins, concat, fold, heads, of_one_type, of_samples
from sisock.frames import Column, Times
from sisock.grid import Rows

_MANY = 1_024  # samples beyond which each field is better looked at by itself


class Many(NamedTuple):
    """Bins of several fields, one field after the other: `of` is which one each is of. Shape (n,)."""

    bins: Bins
    of: NDArray[np.intp]

    def each(self, fields: int) -> list[Bins]:
        """Those of each field."""
        ends = np.searchsorted(self.of, np.arange(fields + 1)).tolist()
        return [self.bins.rows(slice(a, b)) for a, b in pairwise(ends)]


def of_fields(t: Times, columns: Sequence[Column], at: Rows, start: Times, wanted: Collection[str] = EVERY) -> Bins:
    """The bins of samples of several fields of one type, those of one field after those of the one before.

    All fields have a value at each of the times, unless there is only one. `at` and `start` as in `of_samples`.
    Raises TypeError for fields of several types.
    """
    count = len(columns)
    of_one_type({column.values.dtype for column in columns})
    if count == 1 or len(t) > _MANY:
        return concat([of_samples(t, column, at, start, wanted) for column in columns])
    values = Column(np.concatenate([column.values for column in columns]))
    return of_samples(np.tile(t, count), values, repeated(at, count, len(t)), np.tile(start, count), wanted)


def repeated(at: Rows, count: int, size: int) -> Rows:
    """The same rows in each of so many runs of this size."""
    rows: Rows = (at + size * np.arange(count)[:, None]).reshape(-1)
    return rows


def regroup(bins: Bins, width: int) -> Bins:
    """Bins that follow one another, joined into those of a grid of this width (or of the same)."""
    return regroup_many(Many(bins, np.zeros(len(bins.start), np.intp)), width).bins


def regroup_many(many: Many, width: int) -> Many:
    """Bins that follow one another in each field, joined into those of a grid of this width (or of the same)."""
    bins, of = many
    if not len(of):
        return many
    begins = bins.start - bins.start % width
    at = heads((begins, of))
    return Many(fold(bins, at, begins[at]), of[at])


def in_line(parts: Sequence[Many], width: int) -> Many | None:
    """Bins whose parts follow one another in time, as one; None without any. Few of them meet at a seam."""
    some = [part for part in parts if len(part.of)]
    if len(some) < 2:
        return some[0] if some else None
    bins, of = concat([part.bins for part in some]), np.concatenate([part.of for part in some])
    order = np.argsort(of, kind="stable")
    of, begins = of[order], (bins.start - bins.start % width)[order]
    at = heads((begins, of))
    sizes = np.diff(at, append=len(of))
    seams = np.flatnonzero(sizes > 1)
    whole = bins.rows(order[at])._replace(start=begins[at])
    if len(seams):
        meeting = order[np.repeat(sizes > 1, sizes)]
        joined = fold(bins.rows(meeting), np.cumsum(sizes[seams]) - sizes[seams], whole.start[seams])
        for values, new in zip(whole, joined, strict=True):
            assert (values is None) == (new is None), "a statistic without what it joins by"
            if values is not None and new is not None:
                values[seams] = new
    return Many(whole, of[at])


def join(parts: Sequence[Bins]) -> Bins:
    """One of several that may have bins in common, of samples that are not the same. All know the same statistics."""
    some = [part for part in parts if len(part.start)]
    if len(some) < 2:
        return some[0] if some else parts[0]
    if all(a.start[-1] < b.start[0] for a, b in pairwise(some)):
        return concat(some)
    return join_many([Many(part, np.zeros(len(part.start), np.intp)) for part in some]).bins


def join_many(parts: Sequence[Many]) -> Many:
    """As `join`, of several fields."""
    bins, of = concat([part.bins for part in parts]), np.concatenate([part.of for part in parts])
    ordered = bins.t_first is None or bins.t_last is None
    order = np.lexsort((bins.start, of) if ordered else (bins.t_first, bins.start, of))  # type: ignore[arg-type]
    bins, of = bins.rows(order), of[order]
    at = heads((bins.start, of))
    return Many(fold(bins, at, bins.start[at], ordered=ordered), of[at])
