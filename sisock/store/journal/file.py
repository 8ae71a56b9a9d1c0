"""The file of a journal: opened by one process, made where there is none, moved aside where it is damaged."""

import contextlib
import fcntl
import logging
import shutil
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote

from sisock.times import NS

log = logging.getLogger(__name__)
FORMAT = 1
_APPLICATION = 0x5349534A  # "SISJ": how `file` and we know a journal
_WAL_PAGES = 2048  # pages of 4 KiB in the write-ahead log before they go to their places
_WAIT = 5.0  # seconds for a lock of SQLite's
_MOST_ASIDE = 3  # damaged files that are kept
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_BESIDE = ("", "-wal", "-shm", ".bulk")  # what belongs to a file
_SCHEMA = """
CREATE TABLE state (epoch TEXT, position INTEGER, first INTEGER, sealed INTEGER, clean INTEGER, ends INTEGER,
                    lost INTEGER, bulk INTEGER);
CREATE TABLE streams (id INTEGER PRIMARY KEY, name TEXT UNIQUE, next INTEGER, longest INTEGER, dropped INTEGER,
                      gone INTEGER);
CREATE TABLE rows (position INTEGER PRIMARY KEY, till INTEGER, stream INTEGER, epoch TEXT, first INTEGER,
                   beyond INTEGER, low INTEGER, high INTEGER, samples INTEGER, written INTEGER, size INTEGER,
                   file INTEGER, at INTEGER, marks BLOB, body BLOB);
CREATE INDEX rows_by_time ON rows (stream, low, high);
CREATE INDEX rows_by_file ON rows (file) WHERE file IS NOT NULL;
CREATE TABLE notes (name TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
"""


class JournalInUse(OSError):
    """Another process has this journal open."""


class JournalTooNew(ValueError):
    """The journal is of a format that this sisock does not know."""


class JournalFile:
    """An SQLite file that this process alone writes to."""

    def __init__(self, path: Path, clock: Callable[[], int]) -> None:
        """Open nothing yet; the clock (ns since 1970) is for the names of files moved aside."""
        self.path, self._clock = path, clock
        self._lock: BinaryIO | None = None

    def _take_lock(self) -> None:
        if self._lock is not None:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = self.path.with_name(f"{self.path.name}.lock").open("ab")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            raise JournalInUse(
                f"the journal {self.path} is in use by another process: stop that one, or use another name here"
            ) from None
        self._lock = lock

    def connect(self) -> tuple[sqlite3.Connection, bool]:
        """The connection to write with, and whether the file is new.

        Raises JournalInUse, JournalTooNew, and OSError or sqlite3.Error where it cannot be written, or is damaged.
        """
        self._take_lock()
        db = sqlite3.connect(self.path, timeout=_WAIT, isolation_level=None, check_same_thread=False)
        db.text_factory = text
        try:
            new = self._prepare(db)
        except BaseException:
            db.close()
            raise
        return db, new

    def _prepare(self, db: sqlite3.Connection) -> bool:
        """Check whose file this is, and make the tables in an empty one; True for a new one."""
        (application,), (version,) = (
            db.execute(f"PRAGMA {each}").fetchone() for each in ("application_id", "user_version")
        )
        (tables,) = db.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        if tables and application != _APPLICATION:
            raise _damage("it is another program's", sqlite3.SQLITE_NOTADB)
        if tables and version != FORMAT:
            raise JournalTooNew(
                f"the journal {self.path} has format {version}, this sisock knows {FORMAT}: update it, or move that file away"
            )
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=FULL")  # a commit is on disk
        db.execute(f"PRAGMA wal_autocheckpoint={_WAL_PAGES}")
        db.execute(f"PRAGMA journal_size_limit={_WAL_PAGES * 4096}")
        if not tables:
            db.executescript(
                f"BEGIN;PRAGMA application_id={_APPLICATION};PRAGMA user_version={FORMAT};{_SCHEMA}COMMIT;"
            )
        elif not db.execute("SELECT 1 FROM pragma_table_info('streams') WHERE name = 'gone'").fetchone():
            db.execute("ALTER TABLE streams ADD COLUMN gone INTEGER")  # older ones did not note it
        return not tables

    @property
    def folder(self) -> Path:
        """Where large rows lie."""
        return self.path.with_name(f"{self.path.name}.bulk")

    def reader(self) -> sqlite3.Connection:
        """A connection that only reads, beside the one that writes."""
        address = f"file:{quote(str(self.path))}?mode=ro"
        db = sqlite3.connect(address, uri=True, timeout=_WAIT, isolation_level=None, check_same_thread=False)
        db.text_factory = text
        return db

    def move_aside(self, why: str) -> None:
        """Give the file, whose connections are closed, another name; a few of these are kept."""
        when = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(self._clock() // NS))
        aside = self.path.with_name(f"{self.path.name}.damaged-{when}")
        for end in _BESIDE:
            with contextlib.suppress(FileNotFoundError):
                self.path.with_name(self.path.name + end).rename(aside.with_name(aside.name + end))
        log.warning("the journal %s is damaged (%s): it is now %s, and a new one begins", self.path, why, aside.name)
        begin = f"{self.path.name}.damaged-"
        kept = sorted(
            each for each in self.path.parent.iterdir() if each.name.startswith(begin) and each.name[-1] == "Z"
        )
        for old in kept[:-_MOST_ASIDE]:
            for end in _BESIDE:
                _remove(old.with_name(old.name + end))

    def close(self) -> None:
        """Let others have it."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def is_damage(error: BaseException) -> bool:
    """Whether SQLite says that the file itself is not (or no longer) a database; names of columns may be no text, too."""
    return isinstance(error, UnicodeDecodeError) or getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGED


def checked(row: tuple[Any, ...] | None, kinds: tuple[Any, ...]) -> tuple[Any, ...]:
    """The row, whose values have to be of these types: of a page that was overwritten SQLite may read anything.

    Raises sqlite3.DatabaseError, which `is_damage`.
    """
    if row is None or not all(map(isinstance, row, kinds)):
        raise _damage("what stands in it was not written so", sqlite3.SQLITE_CORRUPT)
    return row


def text(stored: bytes) -> str:
    """A text as it stands in a journal. Raises sqlite3.DatabaseError, which `is_damage`, for what is none."""
    try:
        return stored.decode()
    except UnicodeDecodeError as error:
        raise _damage(f"a text in it was not written so: {error}", sqlite3.SQLITE_CORRUPT) from error


def _damage(why: str, code: int) -> sqlite3.DatabaseError:
    error = sqlite3.DatabaseError(why)
    error.sqlite_errorcode = code
    return error
