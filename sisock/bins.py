"""What is in each bin of one field: statistics that join in any order and never lose a spike."""

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sisock.frames import Column, Times
from sisock.grid import Rows

Values = NDArray[Any]
Counts = NDArray[np.int64]
VALUES = ("low", "high", "first", "last")  # statistics that are values of the field
TIMES = ("t_low", "t_high", "t_first", "t_last")  # when these were
EVERY = frozenset({*VALUES, *TIMES, "total", "m2"})


class Bins(NamedTuple):
    """Bins of one field in the order of time, arrays of shape (n,); what was not asked for is None.

    Where `count` is 0 there is no value: of the others only the times mean something, that of the bin's first row.
    """

    start: Times  # where each bin begins, ns
    count: Counts  # type: ignore[assignment]  # samples that have a value; hides what a tuple can do by this name
    missing: Counts  # samples without one
    low: Values | None = None  # least value, of the field's own dtype; None for texts
    high: Values | None = None  # greatest value
    total: NDArray[np.float64] | None = None  # sum; of texts: how often they changed within the bin
    m2: NDArray[np.float64] | None = None  # sum of squared distances from the bin's mean; None for texts
    t_low: Times | None = None
    t_high: Times | None = None
    first: Values | None = None  # first value
    last: Values | None = None  # last value
    t_first: Times | None = None
    t_last: Times | None = None

    @property
    def samples(self) -> int:
        """Number of samples in all bins."""
        return int(self.count.sum() + self.missing.sum())

    @property
    def mean(self) -> NDArray[np.float64]:
        """Mean of each bin; NaN where there is no value."""
        assert self.total is not None  # asked for
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(self.count > 0, self.total / self.count, np.nan)

    @property
    def std(self) -> NDArray[np.float64]:
        """Standard deviation of the samples of each bin (divided by their number); NaN where there is no value."""
        assert self.m2 is not None  # asked for
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.sqrt(np.where(self.count > 0, self.m2 / self.count, np.nan))

    def only(self, wanted: Collection[str]) -> "Bins":
        """The same with only these statistics, and the counts."""
        held = {name: values for name, values in self._asdict().items() if name in wanted}
        return Bins(self.start, self.count, self.missing, **held)

    def rows(self, rows: Any) -> "Bins":
        """The same with only these bins (a slice, mask or indices)."""
        return Bins(*(None if each is None else each[rows] for each in self))  # type: ignore[arg-type]


# of samples -------------------------------------------------------------------------------------


def of_samples(t: Times, column: Column, at: Rows, start: Times, wanted: Collection[str] = EVERY) -> Bins:
    """The bins of samples in the order of time: `at` is the row at which each begins, `start` when it does."""
    if not len(at):
        return _nothing(column, start, wanted)
    present = column.present()
    if present.all():
        return _of_values(t, column.values, at, start, wanted)
    rows = np.flatnonzero(present)
    of = np.searchsorted(at, rows, "right") - 1  # which bin each value is in
    heads = np.flatnonzero(np.diff(of, prepend=-1))
    filled = _of_values(t[rows], column.values[rows], heads, start[of[heads]], wanted)
    every = _spread(filled, of[heads], start, t[at])
    return every._replace(missing=np.diff(at, append=len(t)) - every.count)


def _of_values(t: Times, values: Values, at: Rows, start: Times, wanted: Collection[str]) -> Bins:
    """The bins of samples that all have a value."""
    sizes = np.diff(at, append=len(t))
    made: dict[str, Any] = {}
    ends = at + sizes - 1
    for name, rows in (("first", at), ("last", ends)):
        made |= {key: of[rows] for key, of in ((name, values), (f"t_{name}", t)) if key in wanted}
    if values.dtype.kind == "T":
        made |= {"total": _changes(values, at)} if "total" in wanted else {}
        made |= {f"t_{name}": t[at] for name in ("low", "high") if f"t_{name}" in wanted}
        return Bins(start, sizes, np.zeros(len(at), np.int64), **made)
    made |= _extremes(t, t, values, values, at, sizes, wanted)
    if "total" in wanted or "m2" in wanted:
        made |= _moments(values, at, sizes, wanted)
    return Bins(start, sizes, np.zeros(len(at), np.int64), **made)


def _moments(values: Values, at: Rows, sizes: Counts, wanted: Collection[str]) -> dict[str, Any]:
    with np.errstate(over="ignore", invalid="ignore"):  # infinities are values, too
        total = np.add.reduceat(values, at, dtype=np.float64)
        made = {"total": total} if "total" in wanted else {}
        if "m2" in wanted:
            off = values - np.repeat(total / sizes, sizes)
            made["m2"] = np.add.reduceat(off * off, at)
    return made


def _extremes(
    t_low: Times, t_high: Times, lows: Values, highs: Values, at: Rows, sizes: Counts, wanted: Collection[str]
) -> dict[str, Any]:
    """Least and greatest of each group, and when they first were. All of them have a value."""
    made: dict[str, Any] = {}
    for name, least, values, times in (("low", np.minimum, lows, t_low), ("high", np.maximum, highs, t_high)):
        if name in wanted or f"t_{name}" in wanted:
            found = made[name] = least.reduceat(values, at)
            if f"t_{name}" in wanted:
                made[f"t_{name}"] = times[_hits(values == np.repeat(found, sizes), at)]
    return made


def _hits(hit: NDArray[np.bool_], at: Rows) -> Rows:
    """In each group the first row that is hit; every group has one."""
    rows = np.flatnonzero(hit)
    return rows[np.searchsorted(rows, at)]


def _changes(values: Values, at: Rows) -> NDArray[np.float64]:
    """How often a text changes within each bin."""
    changed = np.concatenate(([False], values[1:] != values[:-1]))
    changed[at] = False
    return np.add.reduceat(changed, at, dtype=np.float64)


def _nothing(column: Column, start: Times, wanted: Collection[str]) -> Bins:
    none = np.empty(0, np.int64)
    made: dict[str, Any] = {name: none for name in TIMES if name in wanted}
    made |= {name: column.values[:0] for name in VALUES if name in wanted}
    made |= {name: np.empty(0) for name in ("total", "m2") if name in wanted}
    return Bins(start[:0], none, none, **made)


def _spread(filled: Bins, places: Rows, start: Times, t: Times) -> Bins:
    """These bins at their places among all, of which the others have no value; `t` is when each bin's first row is."""
    made: dict[str, Any] = {}
    for name, values in filled._asdict().items():
        if values is None:
            made[name] = None
            continue
        every = t.copy() if name in TIMES else np.zeros(len(start), values.dtype)
        every[places] = values
        made[name] = every
    return Bins(**{**made, "start": start})


# of bins ----------------------------------------------------------------------------------------


def fold(bins: Bins, at: Rows, start: Times, *, ordered: bool = True) -> Bins:
    """Bins joined in groups: `at` is the one with which each group begins, `start` when that does.

    `ordered`: each bin of a group lies after the one before. Otherwise first and last go by their times, which
    have to be there.
    """
    some = bins.count > 0
    if not len(at) or some.all():
        return _fold_filled(bins, at, start, ordered=ordered)
    rows = np.flatnonzero(some)
    of = np.searchsorted(at, rows, "right") - 1
    heads = np.flatnonzero(np.diff(of, prepend=-1))
    filled = _fold_filled(bins.rows(rows), heads, start[of[heads]], ordered=ordered)
    begins = next(
        (each for each in (bins.t_first, bins.t_low, bins.t_high, bins.t_last) if each is not None), bins.start
    )
    every = _spread(filled, of[heads], start, begins[at])
    return every._replace(missing=np.add.reduceat(bins.missing, at, dtype=np.int64))


def _fold_filled(bins: Bins, at: Rows, start: Times, *, ordered: bool) -> Bins:
    """Groups of bins that all have a value."""
    if not len(at):
        return bins.rows(slice(0))
    sizes = np.diff(at, append=len(bins.count))
    made: dict[str, Any] = {}
    if bins.low is not None or bins.high is not None:
        wanted = {name for name in ("low", "high", "t_low", "t_high") if getattr(bins, name) is not None}
        made |= _extremes(bins.t_low, bins.t_high, bins.low, bins.high, at, sizes, wanted)  # type: ignore[arg-type]
    else:
        made |= {name: getattr(bins, name)[at] for name in ("t_low", "t_high") if getattr(bins, name) is not None}
    made |= _ends(bins, at, sizes, ordered=ordered)
    if bins.total is not None:
        made |= _fold_moments(bins, at, sizes)
    count = np.add.reduceat(bins.count, at, dtype=np.int64)
    missing = np.add.reduceat(bins.missing, at, dtype=np.int64) if bins.missing.any() else np.zeros(len(at), np.int64)
    return Bins(start, count, missing, **made)


def _ends(bins: Bins, at: Rows, sizes: Counts, *, ordered: bool) -> dict[str, Any]:
    """First and last of each group."""
    made: dict[str, Any] = {}
    for name, rows, most in (("first", at, np.minimum), ("last", at + sizes - 1, np.maximum)):
        values, times = getattr(bins, name), getattr(bins, f"t_{name}")
        if values is None and times is None:
            continue
        chosen = rows
        if not ordered:
            assert times is not None  # by the contract of `fold`
            chosen = _hits(times == np.repeat(most.reduceat(times, at), sizes), at)
        made |= {key: of[chosen] for key, of in ((name, values), (f"t_{name}", times)) if of is not None}
    return made


def _fold_moments(bins: Bins, at: Rows, sizes: Counts) -> dict[str, Any]:
    """Sum and squared distances of each group (Chan, Golub and LeVeque 1979); for texts the changes."""
    total, m2 = bins.total, bins.m2
    assert total is not None  # asked by the caller
    with np.errstate(over="ignore", invalid="ignore"):
        if bins.first is not None and bins.last is not None and bins.first.dtype.kind == "T":
            between = np.concatenate(([False], bins.first[1:] != bins.last[:-1]))
            between[at] = False
            return {"total": np.add.reduceat(total + between, at)}
        made = {"total": np.add.reduceat(total, at)}
        if m2 is not None:
            mean = made["total"] / np.add.reduceat(bins.count, at)
            off = bins.mean - np.repeat(mean, sizes)
            made["m2"] = np.add.reduceat(m2 + bins.count * off * off, at)
    return made


def heads(keys: Sequence[NDArray[Any]]) -> Rows:
    """The rows at which one of the keys is another than in the row before; the first one too."""
    changed = np.ones(len(keys[0]), bool)
    np.not_equal(keys[0][1:], keys[0][:-1], out=changed[1:])
    for key in keys[1:]:
        changed[1:] |= key[1:] != key[:-1]
    return np.flatnonzero(changed)


def alike(parts: Sequence[Bins]) -> list[Bins]:
    """Bins whose values are of one type: a field may have begun with whole numbers."""
    if len(dtypes_of(parts)) < 2:
        return list(parts)
    return [
        each._replace(**{n: v.astype(np.float64) for n in VALUES if (v := getattr(each, n)) is not None})
        for each in parts
    ]


def one(bins: Bins) -> Bins:
    """All bins as one, which begins with the first."""
    return fold(bins, np.zeros(min(1, len(bins.start)), np.intp), bins.start[:1])


def concat(parts: Sequence[Bins]) -> Bins:
    """The bins of all parts one after the other, whatever they have in common. Raises TypeError unless they are `alike`."""
    if len(parts) == 1:
        return parts[0]
    of_one_type(dtypes_of(parts))
    columns = zip(*parts, strict=True)
    return Bins(*(None if any(each is None for each in column) else np.concatenate(column) for column in columns))  # type: ignore[arg-type]


def dtypes_of(parts: Sequence[Bins]) -> set[np.dtype[Any]]:
    """The types of the values that these bins have."""
    return {each.dtype for part in parts for each in (part.low, part.high, part.first, part.last) if each is not None}


def of_one_type(dtypes: set[np.dtype[Any]]) -> None:
    """Raise TypeError where values of these types would lose something in one array."""
    if len(dtypes) > 1:
        raise TypeError(f"values of {' and '.join(sorted(map(str, dtypes)))} are not put into one array: bin each type")
