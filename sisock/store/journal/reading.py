"""What is read from a journal's file, within one snapshot of it."""

import sqlite3
from collections.abc import Callable, Collection, Iterator
from itertools import groupby
from types import NoneType
from typing import Any, NamedTuple

import numpy as np

from sisock.frames import Frame
from sisock.nearest import Which, nearer, nearest, sought
from sisock.packing import DamagedError
from sisock.store.journal.bulk import Bulk
from sisock.store.journal.file import checked, is_damage
from sisock.store.journal.marks import Marks
from sisock.store.journal.rows import COLUMNS, KINDS, MOST, Row

_LEAST = -(2**63)


class Wanted(NamedTuple):
    """Samples of one stream: times, and those below or from a sequence of an epoch on."""

    start: int
    end: int
    since: tuple[str, int] | None = None
    before: tuple[str, int] | None = None

    def any_of(self, epoch: str | None, first: int | None, beyond: int | None, current: str) -> bool:
        """Whether a row of these sequences can have any; `current` is the journal's epoch."""
        if (
            self.since is not None
            and self.since[0] in (epoch, current)
            and (epoch != self.since[0] or beyond is None or beyond <= self.since[1])
        ):
            return False
        return not (
            self.before is not None and epoch == self.before[0] and first is not None and first >= self.before[1]
        )

    def number(self, samples: int, epoch: str | None, first: int | None) -> int:
        """How many of a row's samples lie below the sequence."""
        if self.before is None or epoch != self.before[0] or first is None:
            return samples
        return min(samples, self.before[1] - first)

    def of(self, frame: Frame, current: str) -> Frame:
        """These samples of the frame; `current` is the journal's epoch."""
        first, beyond = 0, len(frame)
        begin = 0 if frame.seq is None else frame.seq - len(frame)
        if self.since is not None and self.since[0] in (frame.epoch, current):
            first = self.since[1] - begin if frame.epoch == self.since[0] else beyond
        if self.before is not None and frame.epoch == self.before[0]:
            beyond = self.before[1] - begin
        low, high = (int(at) for at in np.searchsorted(frame.t, (self.start, self.end)))
        first = max(0, first, low)
        return frame.cut(first, max(first, min(len(frame), beyond, high)))


class Snapshot:
    """A reader's connection for the length of one question."""

    def __init__(self, db: sqlite3.Connection, bulk: Bulk, damaged: Callable[[int, int], None]) -> None:
        """`damaged` is called with the position and the number of samples of a row that cannot be read."""
        self._db, self._bulk, self._damaged = db, bulk, damaged
        found = db.execute("SELECT epoch, position, first FROM state").fetchone()
        self.epoch, self.position, self.first = checked(found, (str, int, int))
        self._names: dict[int, str] = {}

    # in the order in which samples came

    def batch(self, position: int, limit: int) -> tuple[list[tuple[str, Frame]], int]:
        """Samples from a position on with their streams, about `limit` bytes or one sample; and the next position."""
        rows: list[Row] = []
        size, end = 0, position
        for till, group in groupby(self._from(position), lambda row: row.till):
            joined = list(group)
            heavy = sum(row.size for row in joined)
            if rows and size + heavy > limit:
                break
            rows += joined
            size, end = size + heavy, till
        else:
            end = max(position, self.position)
        readable = [(row, read) for row in rows if (read := self._read(row)) is not None]
        if size > limit:  # what was joined is more than that
            begin = max(position, min((marks.begin for _, (_, marks) in readable), default=end))
            end = min(end, begin + max(1, (end - begin) * limit // size))
        cut = ((row.stream, frame.cut(marks.below(position), marks.below(end))) for row, (frame, marks) in readable)
        return [(self._name(stream), frame) for stream, frame in cut if len(frame)], end

    def tail(self, most: int) -> list[Frame]:
        """The latest frames of the journal's own epoch, of at most so many bytes; the oldest first."""
        frames: list[Frame] = []
        for each in self._db.execute(f"SELECT {COLUMNS} FROM rows ORDER BY position DESC"):
            row = Row(*checked(each, tuple(KINDS.values())))
            most -= row.size
            if most < 0:
                break
            read = self._read(row) if row.epoch == self.epoch and row.beyond is not None else None
            frames += [read[0]] if read else []
        return frames[::-1]

    def _from(self, position: int) -> Iterator[Row]:
        """Rows with samples from a position on; those that SQLite cannot read are left out."""
        query = f"SELECT {COLUMNS} FROM rows WHERE position > ? ORDER BY position"
        try:
            for each in self._db.execute(query, (position,)):
                position = each[0]
                if Row(*each).is_sound:
                    yield Row(*each)
                else:
                    self._damaged(position, 0)
        except sqlite3.DatabaseError as error:
            if not is_damage(error):
                raise
            yield from self._one_by_one(position)

    def _one_by_one(self, position: int) -> Iterator[Row]:
        """The same, found by the index and read each on its own."""
        found = self._db.execute("SELECT position FROM rows INDEXED BY rows_by_time").fetchall()
        for (at,) in sorted(each for each in found if checked(each, (int,))[0] > position):
            row = self._row(at)
            if row is not None:
                yield row

    def _row(self, position: int) -> Row | None:
        try:
            found = self._db.execute(f"SELECT {COLUMNS} FROM rows WHERE position = ?", (position,)).fetchone()
            if found is not None and Row(*found).is_sound:
                return Row(*found)
        except sqlite3.DatabaseError as error:
            if not is_damage(error):
                raise
        self._damaged(position, 0)
        return None

    def _read(self, row: Row, fields: Collection[str] | None = None) -> tuple[Frame, Marks] | None:
        try:
            return row.read(self._bulk, fields)
        except DamagedError:
            self._damaged(row.position, row.samples)
            return None

    def _name(self, stream: int) -> str:
        if stream not in self._names:
            found = self._db.execute("SELECT name FROM streams WHERE id = ?", (stream,)).fetchone()
            (self._names[stream],) = checked(found, (str,))
        return self._names[stream]

    # by time

    def window(self, stream: str, fields: Collection[str] | None, wanted: Wanted) -> Iterator[Frame]:
        """The wanted samples of a stream, in the order in which they came."""
        keys = "position, epoch, first, beyond"
        for position, epoch, first, beyond in sorted(self._overlapping(keys, stream, wanted.start, wanted.end)):
            if wanted.any_of(epoch, first, beyond, self.epoch):
                row = self._row(position)
                read = None if row is None else self._read(row, fields)
                frame = None if read is None else wanted.of(read[0], self.epoch)
                if frame is not None and len(frame):
                    yield frame

    def spread(self, stream: str, wanted: Wanted) -> list[tuple[int, int, int]]:
        """Number of samples, earliest and latest time of the rows that hold what is wanted."""
        keys = "samples, low, high, epoch, first, beyond"
        return [
            (wanted.number(samples, epoch, first), low, high)
            for samples, low, high, epoch, first, beyond in self._overlapping(keys, stream, wanted.start, wanted.end)
            if wanted.any_of(epoch, first, beyond, self.epoch)
        ]

    def _stream(self, stream: str) -> tuple[int, int]:
        """The number of a stream (0 for none), and the longest time in ns that a row of it covers."""
        found: tuple[int, int] | None
        found = self._db.execute("SELECT id, longest FROM streams WHERE name = ?", (stream,)).fetchone()
        number, longest = checked(found or (0, 0), (int, int))
        return number, longest

    def _overlapping(self, keys: str, stream: str, start: int, end: int) -> list[Any]:
        """These columns of the rows of a stream that reach into a time."""
        number, longest = self._stream(stream)
        query = (
            f"SELECT {keys} FROM rows INDEXED BY rows_by_time WHERE stream = ? AND low >= ? AND low < ? AND high >= ?"
        )
        start, end = max(_LEAST, min(start, MOST)), max(_LEAST, min(end, MOST))
        kinds = tuple(KINDS[key] for key in keys.split(", "))
        found = self._db.execute(query, (number, max(_LEAST, start - longest - 1), end, start)).fetchall()
        return [checked(each, kinds) for each in found]

    def reaches(self, stream: str, end: int, before: int) -> int | None:
        """Sequence, in the journal's epoch and below `before`, of the first sample at or beyond a time; None without."""
        later = self._overlapping("epoch, first, low, position", stream, end, MOST)
        ours = (each[1:] for each in later if each[0] == self.epoch and each[1] < before)
        for first, low, position in sorted(ours):
            if low >= end:
                return int(first)
            row = self._row(position)
            read = None if row is None else self._read(row, ())
            beyond = 0 if read is None else int(np.searchsorted(read[0].t, end))
            if read is not None and beyond < len(read[0]):
                return int(first) + beyond if first + beyond < before else None
        return None

    def nearest(self, stream: str, field: str, t: int, which: Which, beyond: int) -> tuple[Frame | None, bool]:
        """The field's sample as `nearest.nearest`, of rows beyond a position; and whether it is in none of these."""
        start, end = sought(t, which)
        best: Frame | None = None
        for position, low, high, longest in self._outwards(stream, start, end, which):
            if best is not None:
                at = int(best.t[0])
                if low > at if which == "after" else low + longest < at:
                    break
                if which != "after" and high <= at:
                    continue
            row = self._row(position) if position > beyond else None
            read = None if row is None else self._read(row, {field})
            if read is not None:
                best = nearer(best, nearest(read[0], field, start, end, which), which)
        return best, best is None and which != "after" and not self._overlapping("position", stream, end, MOST)

    def _outwards(self, stream: str, start: int, end: int, which: Which) -> Iterator[tuple[int, int, int, int]]:
        """Position, earliest and latest time of the rows that reach into a time, and the longest time of all rows.

        They begin with those that are nearest to the end of it, or to its start for what comes after that.
        """
        number, longest = self._stream(stream)
        way = "ASC" if which == "after" else "DESC"
        query = (
            f"SELECT position, low, high, {longest} FROM rows INDEXED BY rows_by_time WHERE stream = ? AND low >= ? "
            f"AND low < ? AND high >= ? ORDER BY low {way}, high {way}, position {way}"
        )
        for each in self._db.execute(query, (number, max(_LEAST, start - longest - 1), end, start)):
            position, low, high, _ = checked(each, (int, int, int, int))
            yield position, low, high, longest

    def latest(self) -> list[Frame]:
        """The latest row of each stream, by time."""
        query = "SELECT position FROM rows INDEXED BY rows_by_time WHERE stream = ? ORDER BY low DESC LIMIT 1"
        streams = self._db.execute("SELECT id FROM streams").fetchall()
        rows = [self._row(*found) for each in streams if (found := self._db.execute(query, each).fetchone())]
        read = [self._read(row) for row in rows if row is not None]
        return [each[0] for each in read if each is not None]

    def oldest(self, stream: str) -> tuple[int, int | None]:
        """How many samples of a stream had to go, and the earliest time of those that are there."""
        query = "SELECT dropped, (SELECT min(low) FROM rows WHERE stream = id) FROM streams WHERE name = ?"
        found = self._db.execute(query, (stream,)).fetchone()
        dropped, low = checked(found or (0, None), (int, (int, NoneType)))
        return dropped, low

    def notes(self) -> dict[str, str]:
        """The notes."""
        found = self._db.execute("SELECT name, value FROM notes").fetchall()
        return dict(checked(each, (str, str)) for each in found)
