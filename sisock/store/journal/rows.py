"""One row of a journal: consecutive samples of one stream, packed, in SQLite or in a file of large ones."""

import sqlite3
from collections.abc import Collection, Iterable, Iterator, Sequence
from types import NoneType
from typing import Any, NamedTuple, Self

from sisock.frames import Frame
from sisock.packing import DamagedError, pack, unpack
from sisock.store.journal.bulk import Bulk, Place
from sisock.store.journal.marks import Marks

LARGE = 2**16  # bytes of a body from which on it lies in a file of large ones
MOST = 2**63 - 1


class Row(NamedTuple):
    """A row as it lies in the table."""

    position: int  # one past that of the last sample
    till: int  # up to which position rows were joined together with this one
    stream: int
    epoch: str | None
    first: int | None  # sequence of the first sample
    beyond: int | None  # one past that of the last
    low: int  # earliest and latest time in ns
    high: int
    samples: int
    written: int  # when, ns
    size: int  # bytes of the body
    file: int | None  # where the body lies, if it is large
    at: int | None
    marks: bytes | None  # where its samples were written before they were joined
    body: bytes | None

    @classmethod
    def of(cls, stream: int, run: Sequence[Frame], position: int, till: int, written: int, marks: Marks | None) -> Self:
        """Consecutive frames as a row."""
        last, samples = run[-1], sum(map(len, run))
        first = None if last.seq is None else last.seq - samples
        body, joined = pack(*run), marks.written() if marks is not None and len(marks.after) > 1 else None
        return cls(
            position, till, stream, last.epoch, first, last.seq, int(run[0].t[0]), int(last.t[-1]), samples, written,
            len(body), None, None, joined, body,
        )  # fmt: skip

    @property
    def is_sound(self) -> bool:
        """Whether the values are of the types that they were written with."""
        return all(isinstance(value, kind) for value, kind in zip(self, _KINDS, strict=True))

    def read(self, bulk: Bulk, fields: Collection[str] | None = None) -> tuple[Frame, Marks] | None:
        """Its samples and where they were written; None if they were removed. Raises DamagedError."""
        body = self.body
        if self.file is not None and self.at is not None:
            body = bulk.read(Place(self.file, self.at), self.size)
        if body is None:
            return None
        frame = unpack(body, fields)
        if (frame.epoch, frame.seq, len(frame)) != (self.epoch, self.beyond, self.samples):
            raise DamagedError("a row holds other samples than it says")
        return frame, Marks.of(self.marks, self.position, self.samples)


_WHOLE, _BYTES = (int, NoneType), (bytes, NoneType)
_KINDS: tuple[Any, ...] = (int, int, int, (str, NoneType), _WHOLE, _WHOLE, *[int] * 5, _WHOLE, _WHOLE, _BYTES, _BYTES)
KINDS = dict(zip(Row._fields, _KINDS, strict=True))  # of each column, the types of what is written
COLUMNS = ", ".join(Row._fields)
_INSERT = f"INSERT INTO rows VALUES ({', '.join('?' for _ in Row._fields)})"


def insert(db: sqlite3.Connection, bulk: Bulk, rows: Iterable[Row]) -> list[int]:
    """Write rows; the bytes of each body. Those of LARGE bytes and more went to a file of large ones."""
    sizes: list[int] = []
    longest: dict[int, int] = {}

    def placed() -> Iterator[Row]:
        for row in rows:
            sizes.append(row.size)
            longest[row.stream] = max(longest.get(row.stream, 0), min(row.high - row.low, MOST))
            body = row.body if row.size >= LARGE else None
            place = None if body is None else bulk.append(body)
            yield row if place is None else row._replace(file=place.file, at=place.at, body=None)

    db.executemany(_INSERT, placed())
    db.executemany("UPDATE streams SET longest = ?2 WHERE id = ?1 AND longest < ?2", longest.items())
    return sizes


def in_files(sizes: Iterable[int]) -> int:
    """How many of the bytes went to files of large ones."""
    return sum(size for size in sizes if size >= LARGE)
