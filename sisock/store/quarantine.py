"""What came in and could not be taken: kept with the reason and counted, so that somebody can look and mend the cause."""

import logging
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

log = logging.getLogger(__name__)
FOLDER = "quarantine"  # of the state directory
_SUFFIX = ".sqlite"
_MOST_BYTES = 16 * 2**20  # of what is kept for one node; the oldest goes
_MOST_WAITING = 1000  # that wait for the disk at once; those beyond are counted only
_MOST_BARE_WAITING, _MOST_BARE = 100, 1000  # of these, and on disk, that hold nothing: anybody can send what is denied
_LONGEST = 65_536  # bytes of one that are kept
_LONGEST_TEXT = 500  # characters of a source or a reason
_MOST_COUNTS = 1000  # sources and reasons that are counted apart
_WAIT = 5.0  # seconds for a lock of SQLite's
_OTHERS = "others"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS kept (id INTEGER PRIMARY KEY AUTOINCREMENT, t INTEGER, source TEXT, reason TEXT,
                                 size INTEGER, payload BLOB);
CREATE TABLE IF NOT EXISTS counts (source TEXT, reason TEXT, n INTEGER, first INTEGER, last INTEGER,
                                   PRIMARY KEY (source, reason)) WITHOUT ROWID;
PRAGMA user_version = 1;
"""


class Refused(NamedTuple):
    """One that was refused: when (ns since 1970), from whom, why, its whole size in bytes, and its beginning."""

    id: int
    t: int
    source: str
    reason: str
    size: int
    payload: bytes


class Count(NamedTuple):
    """How often a source was refused for a reason, and when first and last, in ns since 1970."""

    source: str
    reason: str
    n: int
    first: int
    last: int


class Quarantine:
    """The quarantine of one node. Any thread adds; what is added is on disk after `write`."""

    def __init__(self, folder: Path | None, name: str, clock: Callable[[], int] = time.time_ns) -> None:
        """Keep it in `quarantine/` of the state directory; without one, only count."""
        self.count = 0  # since it was opened
        self.latest: Refused | None = None
        self._path = None if folder is None else path_of(folder, name)
        self._name, self._clock = name, clock
        self._lock, self._writing = threading.Lock(), threading.Lock()
        self._waiting: deque[Refused] = deque(maxlen=_MOST_WAITING)
        self._counts: dict[tuple[str, str], Count] = {}
        self._told = False

    def add(self, source: str, reason: str, payload: bytes | str = b"") -> None:
        """Keep one that could not be taken. Never raises."""
        raw = payload.encode("utf-8", "replace") if isinstance(payload, str) else bytes(payload)
        now, key = self._clock(), (_fit(source), _fit(reason))
        with self._lock:
            self.count += 1
            self.latest = Refused(0, now, *key, len(raw), raw[:_LONGEST])
            if len(self._waiting) < (_MOST_WAITING if raw else _MOST_BARE_WAITING):
                self._waiting.append(self.latest)
            self._count(Count(*key, 1, now, now))

    def _count(self, more: Count) -> None:
        key = more[:2] if more[:2] in self._counts or len(self._counts) < _MOST_COUNTS else (_OTHERS, _OTHERS)
        known = self._counts.get(key, Count(*key, 0, more.first, more.last))
        first, last = min(known.first, more.first), max(known.last, more.last)
        self._counts[key] = Count(*key, known.n + more.n, first, last)

    def write(self) -> None:
        """Bring to disk what waits; where that cannot be now, it is told once, and waits on."""
        with self._writing:  # who returns knows that what another thread writes is on disk, too
            self._write()

    def _write(self) -> None:
        with self._lock:
            waiting, counts = list(self._waiting), list(self._counts.values())
            self._waiting.clear()
            self._counts.clear()
        if self._path is None or not counts:
            return
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with _opened(self._path) as db:
                _insert(db, waiting, counts)
                _trim(db)
        except (OSError, sqlite3.Error) as error:
            self._take_back(waiting, counts)
            if not self._told:
                log.warning("%s: its quarantine cannot be written: %s", self._name, error)
            self._told = True
        else:
            self._told = False

    def _take_back(self, waiting: list[Refused], counts: list[Count]) -> None:
        """Let what could not be written wait, before what has come since."""
        with self._lock:
            since = list(self._waiting)
            self._waiting.clear()
            self._waiting.extend([*waiting, *since][:_MOST_WAITING])
            for each in counts:
                self._count(each)


def path_of(state: Path, name: str) -> Path:
    """Where the quarantine of a node lies."""
    return state / FOLDER / f"{name}{_SUFFIX}"


def names(state: Path) -> list[str]:
    """The nodes that have something in quarantine."""
    return sorted(path.stem for path in (state / FOLDER).glob(f"*{_SUFFIX}"))


def latest(state: Path, name: str, most: int) -> list[Refused]:
    """The latest that were refused, the oldest of these first. Raises OSError or sqlite3.Error."""
    with _opened(path_of(state, name)) as db:
        rows = db.execute("SELECT * FROM kept ORDER BY id DESC LIMIT ?", (most,)).fetchall()
    return [Refused(*row) for row in reversed(rows)]


def one(state: Path, name: str, number: int) -> Refused | None:
    """One that was refused, by its number. Raises OSError or sqlite3.Error."""
    with _opened(path_of(state, name)) as db:
        row = db.execute("SELECT * FROM kept WHERE id = ?", (number,)).fetchone()
    return row and Refused(*row)


def counts(state: Path, name: str) -> list[Count]:
    """How often each source was refused for each reason, the most frequent first. Raises OSError or sqlite3.Error."""
    with _opened(path_of(state, name)) as db:
        return [Count(*row) for row in db.execute("SELECT * FROM counts ORDER BY n DESC, last DESC")]


def clear(state: Path, name: str) -> None:
    """Forget what was refused, and the counts. Raises OSError or sqlite3.Error."""
    with _opened(path_of(state, name)) as db:
        db.executescript("DELETE FROM kept; DELETE FROM counts;")


def forget(state: Path, name: str, source: str) -> None:
    """Forget what of one source was refused: it comes again. Raises OSError or sqlite3.Error."""
    if path_of(state, name).exists():
        with _opened(path_of(state, name)) as db:
            db.execute("DELETE FROM kept WHERE source = ?", (_fit(source),))
            db.execute("DELETE FROM counts WHERE source = ?", (_fit(source),))


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    """The file, with its tables; what is done is committed at the end."""
    with closing(sqlite3.connect(path, timeout=_WAIT)) as db:
        db.executescript(_SCHEMA)
        with db:
            yield db


def _insert(db: sqlite3.Connection, waiting: list[Refused], counts: list[Count]) -> None:
    marks = "INSERT INTO kept (t, source, reason, size, payload) VALUES (?, ?, ?, ?, ?)"
    db.executemany(marks, [each[1:] for each in waiting])
    add = (
        "INSERT INTO counts VALUES (?, ?, ?, ?, ?) ON CONFLICT (source, reason) "
        "DO UPDATE SET n = n + excluded.n, last = excluded.last"
    )
    known = {tuple(row) for row in db.execute("SELECT source, reason FROM counts")}
    for each in counts:
        apart = each[:2] in known or len(known) < _MOST_COUNTS
        known.add(each[:2] if apart else (_OTHERS, _OTHERS))
        db.execute(add, each if apart else each._replace(source=_OTHERS, reason=_OTHERS))


def _trim(db: sqlite3.Connection) -> None:
    """Let the oldest go where all take too much, or too many hold nothing."""
    bare = "SELECT id FROM kept WHERE size = 0 ORDER BY id DESC LIMIT -1 OFFSET ?"
    db.execute(f"DELETE FROM kept WHERE id IN ({bare})", (_MOST_BARE,))  # noqa: S608  # its own words
    running = "SELECT id, sum(length(payload) + 200) OVER (ORDER BY id DESC) AS held FROM kept"
    db.execute(f"DELETE FROM kept WHERE id IN (SELECT id FROM ({running}) WHERE held > ?)", (_MOST_BYTES,))  # noqa: S608  # its own words


def _fit(text: str) -> str:
    """A source or a reason in a length, and of letters, that can be shown."""
    shown = "".join(letter if letter.isprintable() else "?" for letter in text[:_LONGEST_TEXT])
    return shown.encode("utf-8", "replace").decode()
