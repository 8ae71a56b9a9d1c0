"""What is known of a folder's files and timelines from one start to the next, in SQLite beside the tiers."""

import json
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from data_nodes.files.pieces import Piece
from sisock.store.tiers import Kept

VERSION = 1
_SCHEMA = """
CREATE TABLE IF NOT EXISTS about (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS timelines (id INTEGER PRIMARY KEY, key TEXT UNIQUE NOT NULL, name TEXT UNIQUE NOT NULL);
CREATE TABLE IF NOT EXISTS kinds (number INTEGER PRIMARY KEY, timeline INTEGER NOT NULL, name TEXT NOT NULL,
    kind TEXT NOT NULL, UNIQUE (timeline, name, kind));
CREATE TABLE IF NOT EXISTS files (path TEXT PRIMARY KEY, about TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS pieces (timeline INTEGER NOT NULL, path TEXT NOT NULL, part TEXT NOT NULL,
    begin INTEGER NOT NULL, rows INTEGER NOT NULL, low INTEGER NOT NULL, high INTEGER NOT NULL, starts BLOB NOT NULL,
    marks BLOB NOT NULL, ordered INTEGER NOT NULL, fields TEXT NOT NULL, PRIMARY KEY (path, part, begin));
CREATE INDEX IF NOT EXISTS pieces_of ON pieces (timeline);
"""


class State:
    """The notes of one node. Any thread may use it, one at a time."""

    def __init__(self, path: Path, about: Mapping[str, str]) -> None:
        """Open them, or begin. `about`: what they depend on; were they made with something else, all begins anew.

        Raises ValueError where a newer sisock made them, sqlite3.Error where they are damaged.
        """
        self._lock = threading.RLock()
        self._db = sqlite3.connect(path, timeout=10.0, isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.executescript(_SCHEMA)
        made = int(self.note("version") or VERSION)
        if made != VERSION:
            self._db.close()
            raise ValueError(f"{path} has the format version {made}: a newer sisock made it, use that one")
        wanted = {"version": str(VERSION), **about}
        self.fresh = any(self.note(key) != value for key, value in wanted.items())
        if self.fresh:
            with self.change():
                for table in ("about", "timelines", "kinds", "files", "pieces"):
                    self._db.execute(f"DELETE FROM {table}")  # noqa: S608
                self._db.executemany("INSERT INTO about VALUES (?, ?)", wanted.items())

    def close(self) -> None:
        """Let the file go."""
        with self._lock:
            self._db.close()

    @contextmanager
    def change(self) -> Iterator[None]:
        """All or nothing of the changes in this block, on disk at its end, as is all that was noted before."""
        with self._lock:
            self._db.execute("PRAGMA synchronous=FULL")
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")
            self._db.execute("PRAGMA synchronous=NORMAL")  # whatever else is noted may be lost with the machine

    def _all(self, query: str, *values: Any) -> list[Any]:
        with self._lock:
            return self._db.execute(query, values).fetchall()

    def note(self, key: str) -> str:
        """A note; empty where there is none."""
        found = self._all("SELECT value FROM about WHERE key = ?", key)
        return str(found[0][0]) if found else ""

    def put(self, key: str, value: str) -> None:
        """Write a note; an empty one is none."""
        with self._lock:
            if value:
                self._db.execute("INSERT OR REPLACE INTO about VALUES (?, ?)", (key, value))
            else:
                self._db.execute("DELETE FROM about WHERE key = ?", (key,))

    # timelines

    def timelines(self) -> dict[str, tuple[int, str]]:
        """By their keys: number and name of each."""
        return {
            key: (number, name) for number, key, name in self._all("SELECT id, key, name FROM timelines ORDER BY id")
        }

    def begin(self, key: str, name: str) -> int:
        """A number for a timeline that was not known."""
        with self._lock:
            made = self._db.execute("INSERT INTO timelines (key, name) VALUES (?, ?)", (key, name))
            return int(made.lastrowid or 0)

    def kinds(self, timeline: int) -> dict[str, dict[str, Kept]]:
        """Its fields and the kinds of values each has had, as tiers know them."""
        found: dict[str, dict[str, Kept]] = {}
        rows = self._all("SELECT name, kind, number FROM kinds WHERE timeline = ? ORDER BY number", timeline)
        for name, kind, number in rows:
            found.setdefault(name, {})[kind] = Kept(number, kind)
        return found

    def number(self, timeline: int, name: str, kind: str) -> Kept:
        """A number for a field's tiers."""
        with self._lock:
            made = self._db.execute("INSERT INTO kinds (timeline, name, kind) VALUES (?, ?, ?)", (timeline, name, kind))
            return Kept(int(made.lastrowid or 0), kind)

    # files

    def files(self) -> dict[str, dict[str, Any]]:
        """What was noted of each file, by its path."""
        return {path: json.loads(about) for path, about in self._all("SELECT path, about FROM files")}

    def file(self, path: str, about: Mapping[str, Any]) -> None:
        """Note something of a file."""
        with self._lock:
            self._db.execute("INSERT OR REPLACE INTO files VALUES (?, ?)", (path, json.dumps(dict(about))))

    def forget(self, paths: Iterable[str]) -> None:
        """Know nothing of these files any more."""
        for path in paths:
            with self._lock:
                self._db.execute("DELETE FROM files WHERE path = ?", (path,))
                self._db.execute("DELETE FROM pieces WHERE path = ?", (path,))

    # pieces

    def pieces(self, timeline: int) -> list[Piece]:
        """The pieces of a timeline that are in its tiers."""
        rows = self._all(
            "SELECT path, part, begin, rows, low, high, starts, marks, ordered, fields FROM pieces WHERE timeline = ?",
            timeline,
        )
        return [
            Piece(
                path, part, begin, rows, low, high, np.frombuffer(starts, "<i8"), np.frombuffer(marks, "<i8"),
                bool(ordered), {name: (title, kind) for name, (title, kind) in json.loads(fields).items()},
            )
            for path, part, begin, rows, low, high, starts, marks, ordered, fields in rows
        ]  # fmt: skip

    def add(self, timeline: int, piece: Piece) -> None:
        """Note a piece, in the place of one that begins where it does."""
        row = (
            timeline, piece.path, piece.part, piece.begin, piece.rows, piece.low, piece.high,
            piece.starts.astype("<i8").tobytes(), piece.marks.astype("<i8").tobytes(), piece.ordered,
            json.dumps(piece.fields),
        )  # fmt: skip
        with self._lock:
            self._db.execute("INSERT OR REPLACE INTO pieces VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
