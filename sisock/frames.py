"""What is measured: fields, timelines, columns of values, frames of samples, answers."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

Type = Literal["number", "string", "bool"]
Times = NDArray[np.int64]  # nanoseconds since 1970 UTC, ascending
TEXT = np.dtypes.StringDType()


class Field(NamedTuple):
    """What one field is: text for people, the timeline it is sampled on, its type and units."""

    description: str | None = None
    timeline: str = "samples"
    type: Type = "number"
    units: str | None = None


class Timeline(NamedTuple):
    """Fields that are sampled together; `interval` is the mean number of seconds between samples."""

    interval: float | None
    fields: tuple[str, ...]


class Column(NamedTuple):
    """Values of one field: shape (n,), dtype float64, int64, bool or StringDType.

    `missing`, bool of shape (n,), is true where there is no value; None where none is missing.
    """

    values: NDArray[Any]
    missing: NDArray[np.bool_] | None = None

    @property
    def type(self) -> Type:
        """The field type that these values have."""
        return "bool" if self.values.dtype.kind == "b" else "string" if self.values.dtype.kind == "T" else "number"

    def rows(self, rows: Any) -> "Column":
        """The same column with only these rows (a slice, mask or indices)."""
        return Column(self.values[rows], None if self.missing is None else self.missing[rows])

    def spread(self, rows: NDArray[np.intp], size: int) -> "Column":
        """These values as those rows of a longer column, missing elsewhere. Shape (size,)."""
        values, missing = np.zeros(size, self.values.dtype), np.ones(size, bool)
        values[rows] = self.values
        missing[rows] = False if self.missing is None else self.missing
        return Column(values, missing if missing.any() else None)

    def present(self) -> NDArray[np.bool_]:
        """True where there is a value that can be drawn: not missing, not NaN. Shape (n,)."""
        there = ~np.isnan(self.values) if self.values.dtype.kind == "f" else np.ones(len(self.values), bool)
        return there if self.missing is None else there & ~self.missing


def column(values: Iterable[Any]) -> Column:
    """Make a column of Python values (None is missing), of an array, or of a column that somebody made by hand.

    Raises TypeError for mixed or foreign types, ValueError for other shapes and numbers beyond float64.
    """
    if isinstance(values, Column):
        return _checked(values)
    if isinstance(values, np.ndarray) and values.dtype.kind in "biufT":
        return Column(_settle(values))
    listed = list(values)
    missing = np.array([v is None for v in listed], bool)
    there = [v for v in listed if v is not None]
    if all(isinstance(v, (bool, np.bool_)) for v in there) and there:
        full = np.array([bool(v) for v in listed], bool)
    elif all(isinstance(v, str) for v in there) and there:
        full = texts("" if v is None else v for v in listed)
    elif all(is_number(v) for v in there):
        full = _numbers(listed, there)
    else:
        kinds = ", ".join(sorted({type(v).__name__ for v in there}))
        raise TypeError(f"values of type {kinds} are not of one type: give numbers, texts or booleans")
    return Column(full, missing if missing.any() else None)


def is_number(value: object) -> bool:
    """True for what a number column can hold: not for booleans, complex numbers or durations."""
    foreign = (bool, np.bool_, np.complexfloating, np.timedelta64)
    return isinstance(value, (int, float, np.number)) and not isinstance(value, foreign)


def texts(values: Iterable[str]) -> NDArray[Any]:
    """Make an array of texts; half a surrogate pair, which no UTF-8 can hold, becomes a question mark."""
    listed = list(values)
    try:
        return np.array(listed, TEXT)
    except UnicodeEncodeError:
        return np.array([text.encode("utf-8", "replace").decode() for text in listed], TEXT)


def _checked(made: Column) -> Column:
    values, missing = made
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "biufT":
        raise TypeError(f"a column holds an array of numbers, texts or booleans, not {type(values).__name__}")
    if missing is None:
        return Column(_settle(values))
    if not isinstance(missing, np.ndarray) or missing.dtype.kind != "b" or missing.shape != values.shape:
        raise ValueError(f"the missing values of {len(values)} are marked by as many booleans")
    return Column(_settle(values), missing)


def _numbers(listed: list[Any], there: list[Any]) -> NDArray[Any]:
    whole = bool(there) and all(isinstance(v, (int, np.integer)) and -(2**63) <= v < 2**63 for v in there)
    if whole:
        return np.array([0 if v is None else v for v in listed], np.int64)
    try:
        return np.array([np.nan if v is None else v for v in listed], np.float64)
    except OverflowError as error:
        raise ValueError("a number is too large for a float64") from error


def _settle(values: NDArray[Any]) -> NDArray[Any]:
    """One dtype a kind, little-endian, contiguous."""
    kind = values.dtype.kind
    if values.ndim != 1:
        raise ValueError(f"values of the shape {values.shape} are no column: give one value a sample")
    if kind == "T":
        return values.astype(TEXT, copy=False)
    whole = kind == "i" or (kind == "u" and values.dtype.itemsize < 8)
    return np.ascontiguousarray(values, np.bool_ if kind == "b" else np.int64 if whole else np.float64)


@dataclass(frozen=True, slots=True)
class Frame:
    """Samples of one timeline.

    t: shape (n,), int64 ns, ascending. columns: shape (n,) each.
    epoch, seq: identity; `seq` is one past the sequence of the last sample this frame accounts for.
    """

    timeline: str
    t: Times
    columns: Mapping[str, Column]
    epoch: str | None = None
    seq: int | None = None

    def __len__(self) -> int:
        return len(self.t)

    def rows(self, rows: Any) -> "Frame":
        """The same frame with only these rows (a slice, mask or indices); identity is kept."""
        return Frame(
            self.timeline, self.t[rows], {f: c.rows(rows) for f, c in self.columns.items()}, self.epoch, self.seq
        )

    def only(self, fields: Iterable[str]) -> "Frame":
        """The same frame with only these fields."""
        wanted = {f: self.columns[f] for f in fields if f in self.columns}
        return Frame(self.timeline, self.t, wanted, self.epoch, self.seq)

    def in_time(self) -> "Frame":
        """The same samples in the order of time; of equal times the earlier row comes first."""
        ascending = not (self.t[1:] < self.t[:-1]).any()
        return self if ascending else self.rows(np.argsort(self.t, kind="stable"))

    def cut(self, first: int, beyond: int) -> "Frame":
        """The rows from `first` up to `beyond`, as samples: `seq` accounts for no more than the last of them."""
        seq = None if self.seq is None else self.seq - (len(self.t) - beyond)
        inside = self.rows(slice(first, beyond))
        return Frame(self.timeline, inside.t, inside.columns, self.epoch, seq)

    def between(self, start: int, end: int) -> "Frame":
        """The rows with `start <= t < end`; `seq` accounts for no more than the last of them."""
        first, beyond = (int(row) for row in np.searchsorted(self.t, (start, end)))
        return self.cut(first, max(first, beyond))


def concat(frames: Iterable[Frame]) -> Frame:
    """Join frames of one timeline in the order given; where a frame lacks a column its values are missing."""
    parts = list(frames)
    if len(parts) == 1:
        return parts[0]
    names = list(dict.fromkeys(name for part in parts for name in part.columns))
    columns = {name: _concat_column([(p.columns.get(name), len(p)) for p in parts]) for name in names}
    last = parts[-1]
    return Frame(last.timeline, np.concatenate([p.t for p in parts]), columns, last.epoch, last.seq)


def _concat_column(parts: list[tuple[Column | None, int]]) -> Column:
    dtype = np.result_type(*{c.values.dtype for c, _ in parts if c is not None})
    values = np.concatenate([np.zeros(n, dtype) if c is None else c.values.astype(dtype, copy=False) for c, n in parts])
    if all(c is not None and c.missing is None for c, _ in parts):
        return Column(values)
    gone = [np.ones(n, bool) if c is None else np.zeros(n, bool) if c.missing is None else c.missing for c, n in parts]
    return Column(values, np.concatenate(gone))


class Query(NamedTuple):
    """What a consumer asks of a node. Times are int64 ns, half-open; `since` is {timeline: (epoch, seq)}.

    `bin`: the width in ns that bins have to have; without it `max_points` says how many there may be. `statistics`:
    which ones of `bins` are wanted, all if none is named. `own`: only what the node itself has, nothing of an archive.
    """

    fields: tuple[str, ...]
    start: int
    end: int
    min_stride: int | None = None
    max_points: int | None = None
    reduce: str | None = None
    since: Mapping[str, tuple[str, int]] = {}
    bin: int | None = None
    statistics: tuple[str, ...] = ()
    own: bool = False


class Part(NamedTuple):
    """One time axis of an answer: points, the timeline they are of, and what lies behind them."""

    points: Frame
    of: str
    finalized_until: int | None
    samples: int
    gaps: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """What a node answers: points on their time axes, and the label that says how they came about."""

    parts: tuple[Part, ...] = ()
    method: str = "raw"
    bin: int | None = None
    notices: tuple[str, ...] = field(default=())
    tier: int | None = None  # width in ns of the stored bins that these are made of; None: made of the samples

    def series(self, name: str) -> tuple[Times, Column]:
        """Times and values of one field; empty where there is no data."""
        for part in self.parts:
            if name in part.points.columns:
                return part.points.t, part.points.columns[name]
        return np.empty(0, np.int64), Column(np.empty(0, np.float64))

    @property
    def samples(self) -> int:
        """Number of samples behind all points."""
        return sum(part.samples for part in self.parts)
