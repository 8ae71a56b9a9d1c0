"""What an archive consists of, in SQLite: its timelines, their fields and segments, and whom it has accounted for."""

import json
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from sisock.frames import Field
from sisock.store.segments import Segment
from sisock.store.tiers import Kept, Write

VERSION = 1
_SCHEMA = """
CREATE TABLE IF NOT EXISTS about (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS series (id INTEGER PRIMARY KEY, node TEXT NOT NULL, timeline TEXT NOT NULL,
    UNIQUE (node, timeline));
CREATE TABLE IF NOT EXISTS fields (series INTEGER NOT NULL, name TEXT NOT NULL, about TEXT NOT NULL,
    PRIMARY KEY (series, name));
CREATE TABLE IF NOT EXISTS kinds (number INTEGER PRIMARY KEY, series INTEGER NOT NULL, name TEXT NOT NULL,
    kind TEXT NOT NULL, UNIQUE (series, name, kind));
CREATE TABLE IF NOT EXISTS segments (name TEXT PRIMARY KEY, series INTEGER NOT NULL, rows INTEGER NOT NULL,
    low INTEGER NOT NULL, high INTEGER NOT NULL, starts BLOB NOT NULL, kinds TEXT NOT NULL, nbytes INTEGER NOT NULL,
    epochs TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS segments_of ON segments (series, low);
CREATE TABLE IF NOT EXISTS accounts (series INTEGER NOT NULL, epoch TEXT NOT NULL, beyond INTEGER NOT NULL,
    PRIMARY KEY (series, epoch));
CREATE TABLE IF NOT EXISTS counts (series INTEGER NOT NULL, what TEXT NOT NULL, samples INTEGER NOT NULL,
    PRIMARY KEY (series, what));
CREATE TABLE IF NOT EXISTS redo (id INTEGER PRIMARY KEY, series INTEGER NOT NULL, body BLOB NOT NULL);
"""


class Known(NamedTuple):
    """What the index knows of one timeline."""

    id: int
    node: str
    timeline: str
    fields: dict[str, Field]
    kinds: dict[str, dict[str, Kept]]  # field -> kind -> its number in the tiers
    segments: list[Segment]
    accounts: dict[str, int]  # epoch, in the order in which they came -> one past the last sequence in segments
    counts: dict[str, int]


class Index:
    """The index of an archive. Any thread may use it, one at a time."""

    def __init__(self, path: Path) -> None:
        """Open it, or begin one. Raises ValueError where a newer sisock made it, sqlite3.Error where it is damaged."""
        self._lock = threading.RLock()
        self._db = sqlite3.connect(path, timeout=10.0, isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.executescript(_SCHEMA)
        made = int(self.about("version", str(VERSION)))
        if made != VERSION:
            self._db.close()
            raise ValueError(f"{path} has the format version {made}: a newer sisock made it, use that one")
        self.note({"version": str(VERSION)})

    def close(self) -> None:
        """Let the file go."""
        with self._lock:
            self._db.close()

    @contextmanager
    def change(self) -> Iterator[None]:
        """All or nothing of the changes in this block, on disk at its end."""
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    # notes

    def about(self, key: str, default: str = "") -> str:
        """A note, or the default."""
        with self._lock:
            found = self._db.execute("SELECT value FROM about WHERE key = ?", (key,)).fetchone()
        return str(found[0]) if found else default

    def note(self, notes: Mapping[str, str]) -> None:
        """Write these notes."""
        with self._lock:
            self._db.executemany("INSERT OR REPLACE INTO about VALUES (?, ?)", notes.items())

    def forget(self, key: str) -> None:
        """Have no such note."""
        with self._lock:
            self._db.execute("DELETE FROM about WHERE key = ?", (key,))

    # what there is

    def known(self) -> list[Known]:
        """All timelines."""
        with self._lock:
            return [self._one(*row) for row in self._db.execute("SELECT id, node, timeline FROM series").fetchall()]

    def _one(self, series: int, node: str, timeline: str) -> Known:
        def of(columns: str, table: str) -> list[Any]:
            asked = f"SELECT {columns} FROM {table} WHERE series = ? ORDER BY rowid"  # noqa: S608
            return self._db.execute(asked, (series,)).fetchall()

        kinds: dict[str, dict[str, Kept]] = {}
        for name, kind, number in of("name, kind, number", "kinds"):
            kinds.setdefault(name, {})[kind] = Kept(number, kind)
        segments = [
            Segment(name, rows, low, high, np.frombuffer(starts, "<i8"), json.loads(held), nbytes, json.loads(epochs))
            for name, rows, low, high, starts, held, nbytes, epochs in of(
                "name, rows, low, high, starts, kinds, nbytes, epochs", "segments"
            )
        ]
        fields = {name: Field(*json.loads(about)) for name, about in of("name, about", "fields")}
        segments.sort(key=lambda each: each.low)
        counts = dict(of("what, samples", "counts"))
        accounts = dict(of("epoch, beyond", "accounts"))
        return Known(series, node, timeline, fields, kinds, segments, accounts, counts)

    def begin(self, node: str, timeline: str) -> Known:
        """A timeline that was not known; raises sqlite3.IntegrityError for one that was."""
        with self._lock:
            made = self._db.execute("INSERT INTO series (node, timeline) VALUES (?, ?)", (node, timeline))
            return self._one(int(made.lastrowid or 0), node, timeline)

    # changes, within `change`

    def describe(self, series: int, fields: Mapping[str, Field]) -> None:
        """Keep what these fields are."""
        rows = ((series, name, json.dumps(list(field))) for name, field in fields.items())
        self._db.executemany("INSERT OR REPLACE INTO fields VALUES (?, ?, ?)", rows)

    def number(self, series: int, name: str, kind: str) -> Kept:
        """A number for a field's tiers."""
        made = self._db.execute("INSERT INTO kinds (series, name, kind) VALUES (?, ?, ?)", (series, name, kind))
        return Kept(int(made.lastrowid or 0), kind)

    def know(self, series: int, name: str, kind: str) -> None:
        """See that a field has a number for its tiers, unless it is a text."""
        if kind != "text":
            self._db.execute("INSERT OR IGNORE INTO kinds (series, name, kind) VALUES (?, ?, ?)", (series, name, kind))

    def add(self, series: int, segment: Segment) -> None:
        """Take up a segment."""
        row = (
            segment.name, series, segment.rows, segment.low, segment.high, segment.starts.astype("<i8").tobytes(),
            json.dumps(dict(segment.kinds)), segment.nbytes, json.dumps(dict(segment.epochs)),
        )  # fmt: skip
        self._db.execute("INSERT INTO segments VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)

    def drop(self, names: Iterable[str]) -> None:
        """Forget segments."""
        self._db.executemany("DELETE FROM segments WHERE name = ?", ((name,) for name in names))

    def account(self, series: int, accounts: Mapping[str, int]) -> None:
        """Keep up to which sequence each epoch is in segments."""
        rows = ((series, epoch, beyond) for epoch, beyond in accounts.items())
        self._db.executemany(
            "INSERT INTO accounts VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET beyond = max(beyond, excluded.beyond)",
            rows,
        )

    def count(self, series: int, counts: Mapping[str, int]) -> None:
        """Keep these counts."""
        rows = ((series, what, samples) for what, samples in counts.items())
        self._db.executemany("INSERT OR REPLACE INTO counts VALUES (?, ?, ?)", rows)

    # what is still to be written into tiers

    def redo(self, series: int, writes: Iterable[Write]) -> None:
        """Keep what is going to be written into tiers, until `done`."""
        self._db.execute("INSERT INTO redo (series, body) VALUES (?, ?)", (series, _packed(list(writes))))

    def done(self) -> None:
        """Forget what has been written into tiers: all of it."""
        with self._lock:
            self._db.execute("DELETE FROM redo")

    def undone(self, series: int) -> list[list[Write]]:
        """What perhaps has not been written, in its order."""
        with self._lock:
            rows = self._db.execute("SELECT body FROM redo WHERE series = ? ORDER BY id", (series,)).fetchall()
        return [_unpacked(body) for (body,) in rows]


def _packed(writes: list[Write]) -> bytes:
    head = json.dumps([[w.exponent, w.fields, len(w.numbers), w.records.dtype.descr] for w in writes]).encode()
    parts = [len(head).to_bytes(4, "little"), head]
    for write in writes:
        parts += [write.numbers.astype("<i8").tobytes(), write.records.tobytes()]
    return b"".join(parts)


def _unpacked(body: bytes) -> list[Write]:
    at = 4 + int.from_bytes(body[:4], "little")
    writes = []
    for exponent, fields, bins, described in json.loads(body[4:at]):
        record = np.dtype([tuple(each) for each in described])
        numbers = np.frombuffer(body, "<i8", bins, at)
        records = np.frombuffer(body, record, len(fields) * bins, at + 8 * bins).reshape(len(fields), bins)
        writes.append(Write(exponent, fields, numbers, records))
        at += 8 * bins + records.nbytes
    return writes
