"""A table read once from one mark to another: the piece that this is, and its samples, some columns at a time."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from data_nodes.files.pieces import Piece, times_of
from sisock.formats.columns import to_column
from sisock.formats.table import ROWS, Rows, Table
from sisock.frames import Column, Frame, Times, concat

MOST_GROUPS = 61  # of a piece: a million rows
_VALUES = 8_000_000  # values in memory at a time

Fields = Mapping[str, tuple[str, str]]  # field -> title of its column, and the kind of its values


class Scan(NamedTuple):
    """What was found between two marks, and its samples: frames of the same times, some columns each."""

    piece: Piece
    frames: Iterator[Frame]
    bad: int  # lines and times that could not be read
    odd: tuple[int, int] | None = None  # the first of these: the mark of its group, and how many lines after it


def groups_of(table: Table) -> int:
    """How many groups a piece of the table should have: where lines are read as a whole, fewer of long ones."""
    if table.columnar:
        return max(4, min(MOST_GROUPS, 2 * _VALUES // (ROWS * max(1, len(table.titles)))))
    return max(1, min(MOST_GROUPS, _VALUES // (ROWS * max(1, len(table.titles)))))


def scan(table: Table, path: str, part: str, marks: Sequence[int], fields: Fields) -> Scan | None:
    """What lies between these marks; None without any time. Raises UnreadableError or OSError."""
    some = list(_batches(table, fields, len(marks) - 1))
    first = [_group(table, marks[i], marks[i + 1], fields, some[0]) for i in range(len(marks) - 1)]
    bad = sum(each.bad for each in first)
    odd = next(((marks[i], each.odd) for i, each in enumerate(first) if each.odd is not None), None)
    times = [each.frame.t for each in first]
    t = np.concatenate(times)
    if not len(t):
        return None
    ordered = not (t[1:] < t[:-1]).any() and all(each.ordered for each in first)
    starts = _starts(times) if ordered else np.sort(t)[::ROWS]
    piece = Piece(
        path, part, marks[0], len(t), int(t.min()), int(t.max()), starts, np.array(marks, np.int64), ordered, fields
    )
    return Scan(piece, _frames(table, piece, some, [each.frame for each in first]), bad, odd)


def outline(table: Table, path: str, part: str, fields: Fields) -> Iterator[Piece]:
    """The pieces that a table is going to be, by its times alone."""
    at = 0
    while len(marks := table.marks(at, groups_of(table))) > 1 and marks[-1] > at:
        found = scan(table, path, part, marks, {})
        at = marks[-1]
        if found is not None:
            yield found.piece._replace(fields=fields)


class _Group(NamedTuple):
    frame: Frame
    ordered: bool
    bad: int
    odd: int | None  # how many lines after its mark the first of these is


def _group(table: Table, begin: int, end: int, fields: Fields, names: Sequence[str]) -> _Group:
    rows: Rows = table.read(begin, end, [fields[name][0] for name in names])
    t, chosen, ordered = times_of(rows, table.unit)
    columns: dict[str, Column] = {}
    for name in names:
        whole = to_column(rows.columns[fields[name][0]], fields[name][1])
        columns[name] = whole if chosen is None else whole.rows(chosen)
    bad = len(rows.time) - len(t) + (rows.troubles.rows + rows.troubles.cells if rows.troubles else 0)
    return _Group(Frame("", t, columns), ordered, bad, _first_bad(rows, chosen) if bad else None)


def _first_bad(rows: Rows, chosen: NDArray[np.intp] | None) -> int | None:
    """How many lines after the first one that was read the first is that could not be; `chosen`: rows with a time."""
    odd = [line for line, _ in rows.troubles.told] if rows.troubles else []
    if chosen is not None and len(chosen) < len(rows.time):
        lines = np.delete(np.arange(len(rows.time) + len(rows.skipped)), rows.skipped)
        odd.append(int(np.delete(lines, chosen)[0]))
    return min(odd, default=None)


def _frames(table: Table, piece: Piece, batches: Sequence[Sequence[str]], first: list[Frame]) -> Iterator[Frame]:
    marks = piece.marks.tolist()
    for number, names in enumerate(batches):
        if number:
            first = [_group(table, a, b, piece.fields, names).frame for a, b in pairwise(marks)]
        whole = concat(first)
        first = []
        yield whole if piece.ordered else whole.rows(np.argsort(whole.t, kind="stable"))


def _batches(table: Table, fields: Fields, groups: int) -> Iterator[list[str]]:
    """Fields whose columns are read together, those of lines all; texts have no tiers."""
    names = [name for name, (_, kind) in fields.items() if kind != "text"]
    most = max(1, _VALUES // (ROWS * groups)) if table.columnar else max(1, len(names))
    yield from ([names[i : i + most] for i in range(0, len(names), most)] or [[]])


def _starts(times: Sequence[Times]) -> Times:
    """The first time of each group; where a group has none, that of the next, or the last of all."""
    starts = np.zeros(len(times), np.int64)
    following = max(int(t[-1]) for t in times if len(t))
    for at in reversed(range(len(times))):
        following = int(times[at][0]) if len(times[at]) else following
        starts[at] = following
    return starts


def joined(last: Piece, again: Piece, rows: int) -> Piece:
    """A piece that has grown by so many rows; `again` is its last group, which was not full, and all beyond it."""
    kept = len(last.starts) - 1 if last.ordered else 0
    starts = np.sort(np.concatenate((last.starts[:kept] if last.ordered else last.starts, again.starts)))
    return last._replace(
        rows=last.rows + rows,
        low=min(last.low, again.low),
        high=max(last.high, again.high),
        starts=starts,
        marks=np.concatenate((last.marks[:-2], again.marks)),
        ordered=last.ordered and again.ordered and again.low >= int(last.starts[-1]),
    )
