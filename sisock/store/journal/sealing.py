"""Small rows of a journal joined into larger ones: a reader of a week need not open each second."""

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from typing import NamedTuple

import numpy as np

from sisock.frames import Frame
from sisock.packing import DamagedError
from sisock.store.journal.bulk import Bulk
from sisock.store.journal.file import is_damage
from sisock.store.journal.marks import Marks
from sisock.store.journal.rows import COLUMNS, Row, in_files, insert
from sisock.store.weights import runs


class _Fresh(NamedTuple):
    """A row as it was written, and its samples."""

    row: Row
    frame: Frame


def seal(
    db: sqlite3.Connection, bulk: Bulk, beyond: int, end: int, most: int, damaged: Callable[[int, int], None]
) -> int:
    """Join small rows beyond one position up to another: those of one stream into rows of at most so many bytes.

    Rows that are damaged are left out; `damaged` is called with position and number of samples of each. Where SQLite
    cannot read them they stay as they are. What comes back is the number of bytes written to files of large rows.
    """
    query = f"SELECT {COLUMNS} FROM rows WHERE position > ? AND position <= ? ORDER BY stream, position"
    fresh: list[_Fresh] = []
    try:
        rows = db.execute(query, (beyond, end)).fetchall()
    except sqlite3.DatabaseError as error:
        if not is_damage(error):
            raise
        damaged(beyond, 0)
        return 0
    for row in map(Row._make, rows):
        if not row.is_sound:
            damaged(beyond, 0)
            continue
        try:
            read = row.read(bulk)
        except DamagedError:
            read = None
            damaged(row.position, row.samples)
        fresh += [_Fresh(row, read[0])] if read else []
    db.execute("DELETE FROM rows WHERE position > ? AND position <= ?", (beyond, end))
    joined = (
        Row.of(stream, [each.frame for each in run], run[-1].row.position, end, run[-1].row.written, _marks(run))
        for stream, group in groupby(fresh, lambda each: each.row.stream)
        for run in _runs(group, most)
    )
    return in_files(insert(db, bulk, joined))


def _runs(fresh: Iterable[_Fresh], most: int) -> Iterator[list[_Fresh]]:
    """Rows whose frames are consecutive."""
    listed = list(fresh)
    at = 0
    for run in runs((each.frame for each in listed), most):
        yield listed[at : at + len(run)]
        at += len(run)


def _marks(run: list[_Fresh]) -> Marks:
    return Marks(np.array([each.row.position for each in run]), np.array([each.row.samples for each in run]))
