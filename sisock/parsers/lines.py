"""Many lines of InfluxDB's line protocol as columns: lines of one series are rows, those of one shape are read together."""

import re
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sisock.frames import Column, Times, texts
from sisock.parsers import line_grammar
from sisock.parsers.line_grammar import Line, LineError, Series
from sisock.parsers.line_values import Shape, columns, shape_of, times

UNITS = {"ns": 1, "n": 1, "us": 10**3, "u": 10**3, "µ": 10**3, "µs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}  # fmt: skip
_MOST_HEADS = 50_000  # that are remembered; then all are read anew
_PAIR = re.compile(r"\\.", re.DOTALL)
_FARTHEST = 2**63 - 1
_DTYPES = {"f": np.float64, "i": np.int64, "b": np.bool_}


class Points(NamedTuple):
    """Rows of one series with the same fields: times in ns, values by key, and the number of each row's line from 0."""

    series: Series
    t: Times
    columns: dict[str, Column]
    lines: NDArray[np.intp]


class Refused(NamedTuple):
    """A line that was not taken: its number from 0, and why."""

    line: int
    reason: str


class Parsed(NamedTuple):
    """What lines hold, and the lines themselves."""

    points: list[Points]
    refused: list[Refused]
    lines: list[str]


class _Head:
    """A series as it is written, and the shape that its last line had."""

    __slots__ = ("key", "series", "shape")

    def __init__(self, key: int, series: Series) -> None:
        self.key, self.series = key, series
        self.shape: Shape | None = None


class _Group:
    """Lines of one shape."""

    __slots__ = ("at", "fields", "heads", "t")

    def __init__(self) -> None:
        self.at: list[int] = []
        self.fields: list[str] = []
        self.heads: list[_Head] = []
        self.t: list[str] = []


class Lines:
    """Reads lines, and remembers the series that it has met. For one thread at a time."""

    def __init__(self) -> None:
        """Begin with none."""
        self._heads: dict[str, _Head] = {}
        self._keys: dict[Series, int] = {}
        self._series: list[Series] = []

    def read(self, text: str, now: int, precision: str = "ns") -> Parsed:
        """The points in a text; those without a time are of now (ns). Raises ValueError for an unknown precision."""
        if precision not in UNITS:
            raise ValueError(f"precision={precision!r:.20} is unknown: give one of {', '.join(UNITS)}")
        if len(self._heads) > _MOST_HEADS:
            self._heads.clear()
            self._keys.clear()
            self._series.clear()
        reading = _Reading(self, text.split("\n"), now, UNITS[precision])
        reading.run(escaped='"' in text or "\\" in text)
        return Parsed(reading.points, sorted(reading.refused), reading.lines)

    def head(self, written: str) -> _Head:
        """The series that is written so. Raises LineError."""
        found = self._heads.get(written)
        if found is None:
            series = line_grammar.series(written)
            key = self._keys.setdefault(series, len(self._series))
            if key == len(self._series):
                self._series.append(series)
            found = self._heads[written] = _Head(key, self._series[key])
        return found

    def known(self, written: str) -> _Head | None:
        """The series, if it was met and has a shape."""
        found = self._heads.get(written)
        return found if found is not None and found.shape is not None else None

    def series(self, key: int) -> Series:
        """The series with this key."""
        return self._series[key]


class _Reading:
    """One text being read."""

    def __init__(self, known: Lines, lines: list[str], now: int, unit: int) -> None:
        self.points: list[Points] = []
        self.refused: list[Refused] = []
        self.lines = lines
        self._known, self._now, self._unit = known, now, unit

    def run(self, *, escaped: bool) -> None:
        """Read all lines."""
        slow: list[int] = []
        groups = self._grouped(slow, escaped=escaped)
        for (shape, timed), group in groups.items():
            if not self._together(shape, group, timed=timed):
                slow += group.at
        self._singly(sorted(slow))

    def _grouped(self, slow: list[int], *, escaped: bool) -> dict[tuple[Shape, bool], _Group]:
        """The lines by the shape that their series had before; the others are slow."""
        groups: dict[tuple[Shape, bool], _Group] = {}
        head_of, learn = self._known.known, self._learn
        for at, line in enumerate(self.lines):
            parts = line.split(" ")
            if escaped and ('"' in line or "\\" in line):
                slow.append(at)
                continue
            head = head_of(parts[0]) or learn(parts)
            if head is None or head.shape is None or not 1 < len(parts) < 4:
                slow.append(at)
                continue
            key = head.shape, len(parts) == 3
            group = groups.get(key)
            if group is None:
                group = groups[key] = _Group()
            group.at.append(at)
            group.heads.append(head)
            group.fields.append(parts[1])
            group.t.append(parts[-1])
        return groups

    def _learn(self, parts: list[str]) -> _Head | None:
        """The series of a line that is met for the first time; None where it is no such line."""
        try:
            if len(parts) < 2 or parts[0][0] in "#\t\0":
                return None
            shape = shape_of(line_grammar.fields(parts[1]))
            head = self._known.head(parts[0])
        except (LineError, IndexError):
            return None
        head.shape = shape
        return head

    def _together(self, shape: Shape, group: _Group, *, timed: bool) -> bool:
        """Read lines of one shape; False where one of them is otherwise."""
        values = columns(shape, group.fields)
        t = times(group.t, self._unit) if timed else np.full(len(group.at), self._now, np.int64)
        if values is None or t is None:
            return False
        self._part(np.array([head.key for head in group.heads]), np.array(group.at), t, dict(zip(shape.keys, map(Column, values), strict=True)))  # fmt: skip
        return True

    def _part(self, keys: NDArray[np.intp], at: NDArray[np.intp], t: Times, values: dict[str, Column]) -> None:
        """The rows of each series by themselves."""
        if (keys == keys[0]).all():
            self.points.append(Points(self._known.series(int(keys[0])), t, values, at))
            return
        order = np.argsort(keys, kind="stable")
        keys, at, t = keys[order], at[order], t[order]
        values = {name: column.rows(order) for name, column in values.items()}
        edges = [0, *(np.flatnonzero(np.diff(keys)) + 1).tolist(), len(keys)]
        for first, beyond in pairwise(edges):
            rows = slice(first, beyond)
            cut = {name: Column(column.values[rows]) for name, column in values.items()}
            self.points.append(Points(self._known.series(int(keys[first])), t[rows], cut, at[rows]))

    # lines that are not like the others

    def _singly(self, numbers: list[int]) -> None:
        """Read lines one by one, and put those of one series and shape together."""
        made: dict[tuple[int, Shape], list[tuple[int, int, tuple[Any, ...]]]] = {}
        for at, line in self._whole(numbers):
            try:
                head = self._known.head(line.head)
                t = self._now if line.t is None else line.t * self._unit
                if not -_FARTHEST <= t <= _FARTHEST:
                    raise LineError(f"its time, {line.t}, is beyond 64 bits")
            except LineError as error:
                self.refused.append(Refused(at, str(error)))
                continue
            shape = head.shape = shape_of(line.values)
            made.setdefault((head.key, shape), []).append((at, t, tuple(line.values.values())))
        for (key, shape), rows in made.items():
            at, t, values = zip(*rows, strict=True)
            there = dict(zip(shape.keys, _columns(shape, values), strict=True))
            self.points.append(Points(self._known.series(key), np.array(t, np.int64), there, np.array(at)))

    def _whole(self, numbers: list[int]) -> Iterator[tuple[int, Line]]:
        """The lines that are sound; a text may have newlines within."""
        done = -1
        for at in numbers:
            text = self.lines[at].strip(" \t\r\0")
            if at <= done or not text or text[0] == "#":
                continue
            try:
                yield at, line_grammar.line(text)
            except LineError as error:
                last = self._closing(at)
                whole = None if last is None else _line("\n".join(self.lines[at : last + 1]).strip(" \t\r\0"))
                if whole is None or last is None:
                    self.refused.append(Refused(at, str(error)))
                else:
                    done = last
                    yield at, whole

    def _closing(self, at: int) -> int | None:
        """The line in which a text that is open at the end of this one is closed."""
        if not _opens(self.lines[at]):
            return None
        room = line_grammar.LONGEST_TEXT
        for number in range(at + 1, len(self.lines)):
            room -= len(self.lines[number]) + 1
            if room < 0:
                return None
            if _opens(self.lines[number]):
                return number
        return None


def _opens(line: str) -> bool:
    """Whether a text is begun or ended, but not both."""
    return _PAIR.sub("", line).count('"') % 2 == 1


def _line(text: str) -> Line | None:
    try:
        return line_grammar.line(text)
    except LineError:
        return None


def _columns(shape: Shape, rows: Iterable[tuple[Any, ...]]) -> Iterator[Column]:
    for kind, values in zip(shape.kinds, zip(*rows, strict=True), strict=True):
        yield Column(texts(values) if kind == "T" else np.array(values, _DTYPES[kind]))
