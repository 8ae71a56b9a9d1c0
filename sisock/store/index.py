"""What an archive consists of, in SQLite: its timelines, their fields and segments, and whom it has accounted for."""

import functools
import json
import operator
import sqlite3
import threading
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from sisock.frames import Field
from sisock.store.footers import Footer, unpacked
from sisock.store.old import Old
from sisock.store.old import unpacked as unpacked_old
from sisock.store.schema import SCHEMA
from sisock.store.segments import Segment
from sisock.store.storage import CURE
from sisock.store.tiers import Kept, Span, kept_as

VERSION = 3
_OLDER = {"1": "3", "2": "4"}  # versions with one checksum for a block of tiers, and whole footers
_OLD = 4  # the version from when on samples have gone: who does not know of that would make tiers anew without them


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


class NewerError(Exception):
    """A newer sisock made it; says what to do."""


class Index:
    """The index of an archive. Any thread may use it, one at a time. What cannot be written raises OSError."""

    def __init__(self, path: Path) -> None:
        """Open it, or begin one. Raises NewerError, sqlite3.Error where it cannot be read or begun."""
        self._lock = threading.RLock()
        self._db = sqlite3.connect(path, timeout=10.0, isolation_level=None, check_same_thread=False)
        try:
            self._begin(path)
        except BaseException:
            self._db.close()
            raise

    def _begin(self, path: Path) -> None:
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.executescript(SCHEMA)
        made = self.about("version")
        if made not in ("", *_OLDER, str(VERSION), str(_OLD)):
            raise NewerError(f"{path} has the format version {made}: a newer sisock made it, use that one")
        if made in _OLDER:  # from now on only for who knows this version; tiers are renewed when they are opened
            self.note({"version": _OLDER[made]})
        self.fresh = not made  # it does not know yet what there is
        self._write("about", ("segments", self.about("segments", "0 0")))

    def complete(self) -> None:
        """Note that it knows all there is; one that never came so far is begun again."""
        self.note({"version": str(VERSION)} if self.about("version") != str(_OLD) else {})

    def close(self) -> None:
        """Let the file go."""
        with self._lock:
            self._db.close()

    @contextmanager
    def change(self) -> Iterator[None]:
        """All or nothing of the changes in this block, on disk at its end. Raises OSError where that cannot be."""
        with self._lock:
            outermost = not self._db.in_transaction
            try:
                if outermost:
                    self._db.execute("BEGIN IMMEDIATE")
                yield
                if outermost:
                    self._db.execute("COMMIT")
            except BaseException as error:
                if outermost and self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                if isinstance(error, sqlite3.Error):
                    raise OSError(f"the archive's index cannot be written: {error}{_cure(error)}") from error
                raise

    # notes

    def about(self, key: str, default: str = "") -> str:
        """A note, or the default."""
        found = self._sound("SELECT key, value, sum FROM about WHERE key = ?", key)
        return str(found[0][1]) if found else default

    def note(self, notes: Mapping[str, str]) -> None:
        """Write these notes."""
        with self.change():
            self._write("about", *notes.items())

    def forget(self, key: str) -> None:
        """Have no such note."""
        with self.change():
            self._db.execute("DELETE FROM about WHERE key = ?", (key,))

    # what there is

    def known(self) -> list[Known]:
        """All timelines. Raises sqlite3.DatabaseError if anything in it is damaged."""
        with self._lock:
            (told,) = self._db.execute("PRAGMA quick_check(1)").fetchone()
        if told != "ok":  # perhaps where nothing is read before something is to be written
            raise sqlite3.DatabaseError(told.splitlines()[-1])
        for key, _ in self._sound("SELECT key, value, sum FROM about"):
            self.about(key)  # is found by its key, too
        with self._lock:
            self._db.execute("SELECT series, low, high, body, sum FROM redo LIMIT 0")  # it has its columns
        known = [self._one(*row) for row in self._sound("SELECT id, node, timeline, sum FROM series ORDER BY id")]
        with self._lock:
            sums = [each for (each,) in self._db.execute("SELECT sum FROM segments")]
        if self._tally() != (len(sums), functools.reduce(operator.xor, sums, 0)):
            raise sqlite3.DatabaseError("segments are missing in it")
        return known

    def _tally(self) -> tuple[int, int]:
        """How many segments there should be, and the XOR of their checksums: a row that is lost is noticed."""
        count, sums = self.about("segments", "0 0").split()
        return int(count), int(sums)

    def _change_tally(self, more: int, sums: Iterable[int]) -> None:
        count, before = self._tally()
        self.note({"segments": f"{count + more} {functools.reduce(operator.xor, sums, before)}"})

    def _one(self, series: int, node: str, timeline: str) -> Known:
        def of(columns: str, table: str) -> list[Any]:
            return self._sound(f"SELECT series, {columns}, sum FROM {table} WHERE series = ? ORDER BY rowid", series)  # noqa: S608

        kinds: dict[str, dict[str, Kept]] = {}
        for _, name, kind in of("name, kind", "kinds"):
            kinds.setdefault(name, {})[kind] = kept_as(name, kind)
        segments = [
            Segment(name, rows, low, high, np.frombuffer(starts, "<i8"), json.loads(held), nbytes, json.loads(epochs))
            for _, name, rows, low, high, starts, held, nbytes, epochs in of(
                "name, rows, low, high, starts, kinds, nbytes, epochs", "segments"
            )
        ]
        segments.sort(key=lambda each: each.low)
        fields = {name: Field(*json.loads(about)) for _, name, about in of("name, about", "fields")}
        counts = {what: samples for _, what, samples in of("what, samples", "counts")}
        accounts = {epoch: beyond for _, epoch, beyond in of("epoch, beyond", "accounts")}
        for segment in segments:
            if any(
                name not in fields or (kind not in kinds.get(name, {}) and kind != "text")
                for name, kind in segment.kinds.items()
            ):
                raise sqlite3.DatabaseError("a row of it is missing")
            for epoch, beyond in segment.epochs.items():
                accounts[epoch] = max(beyond, accounts.get(epoch, 0))
        return Known(series, node, timeline, fields, kinds, segments, accounts, counts)

    def _sound(self, query: str, *values: Any) -> list[Any]:
        """The rows, without the checksum that each ends with. Raises sqlite3.DatabaseError if one is wrong."""
        with self._lock:
            rows = self._db.execute(query, values).fetchall()
        for row in rows:
            if row[-1] != check(*row[:-1]):
                raise sqlite3.DatabaseError("a row of it is damaged")
        return [row[:-1] for row in rows]

    def begin(self, node: str, timeline: str) -> Known:
        """A timeline that was not known; raises OSError for one that was."""
        with self.change():
            (series,) = self._db.execute("SELECT coalesce(max(id), 0) + 1 FROM series").fetchone()
            self._write("series", (series, node, timeline))
        return self._one(series, node, timeline)

    def footer(self, name: str) -> Footer | None:
        """What is needed to read a segment; None where that is damaged."""
        try:
            found = self._sound("SELECT name, footer, sums, sum FROM footers WHERE name = ?", name)
        except sqlite3.DatabaseError:
            return None
        try:
            return unpacked(*found[0][1:]) if found else None
        except OSError:
            return None

    # changes, within `change`

    def _write(self, table: str, *rows: tuple[Any, ...]) -> None:
        if not rows:
            return
        places = ", ".join("?" * (len(rows[0]) + 1))
        self._db.executemany(
            f"INSERT OR REPLACE INTO {table} VALUES ({places})",  # noqa: S608
            ((*row, check(*row)) for row in rows),
        )

    def describe(self, series: int, fields: Mapping[str, Field]) -> None:
        """Keep what these fields are."""
        self._write("fields", *((series, name, json.dumps(list(field))) for name, field in fields.items()))

    def know(self, series: int, name: str, kind: str) -> None:
        """Keep that a field has had values of this kind, unless it is a text: these have no tiers."""
        if kind != "text":
            self._write("kinds", (series, name, kind))

    def add(self, series: int, segment: Segment, footer: Footer) -> None:
        """Take up a segment."""
        starts, kinds = segment.starts.astype("<i8").tobytes(), json.dumps(dict(segment.kinds))
        epochs = json.dumps(dict(segment.epochs))
        row = (segment.name, segment.rows, segment.low, segment.high, starts, kinds, segment.nbytes, epochs)
        self._write("segments", (series, *row))
        self._change_tally(1, [check(series, *row)])
        self._write("footers", (segment.name, *footer.packed()))

    def drop(self, names: Iterable[str]) -> None:
        """Forget segments."""
        gone = [(name,) for name in names]
        for each in gone:
            sums = [found for (found,) in self._db.execute("SELECT sum FROM segments WHERE name = ?", each)]
            self._change_tally(-len(sums), sums)
        self._db.executemany("DELETE FROM segments WHERE name = ?", gone)
        self._db.executemany("DELETE FROM footers WHERE name = ?", gone)

    def account(self, series: int, accounts: Mapping[str, int]) -> None:
        """Keep up to which sequence each epoch is in segments."""
        rows = ((series, epoch, beyond, check(series, epoch, beyond)) for epoch, beyond in accounts.items())
        self._db.executemany(
            "INSERT INTO accounts VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET beyond = excluded.beyond, "
            "sum = excluded.sum WHERE excluded.beyond > beyond",
            rows,
        )

    def count(self, series: int, counts: Mapping[str, int]) -> None:
        """Keep these counts."""
        self._write("counts", *((series, what, samples) for what, samples in counts.items()))

    # what is still to be written into tiers

    def redo(self, series: int, low: int, high: int, body: bytes) -> None:
        """Keep what is going to be written into tiers, of samples of these first and last times, until `done`."""
        row = (series, low, high, body)
        self._db.execute("INSERT INTO redo (series, low, high, body, sum) VALUES (?, ?, ?, ?, ?)", (*row, check(*row)))

    def done(self) -> None:
        """Forget what has been written into tiers: all of it."""
        with self.change():
            self._db.execute("DELETE FROM redo")

    def undone(self, series: int) -> list[tuple[int, int, bytes]]:
        """What perhaps has not been written, in its order. Raises sqlite3.DatabaseError if it is damaged."""
        rows = self._sound("SELECT series, low, high, body, sum FROM redo WHERE series = ? ORDER BY id", series)
        return [(low, high, body) for _, low, high, body in rows]

    def keep_holes(self, series: int, spans: Sequence[Span]) -> None:
        """Keep in which stretches of time tiers have to be mended."""
        self.note({f"holes {series}": json.dumps(list(spans))})

    def holes(self, series: int) -> list[Span]:
        """In which stretches of time tiers have to be mended."""
        return [(start, end) for start, end in json.loads(self.about(f"holes {series}", "[]"))]

    def keep_old(self, series: int, old: Old) -> None:
        """Keep what is no longer kept singly."""
        self.note({f"old {series}": old.packed(), "version": str(_OLD)})

    def accounts(self, series: int) -> dict[str, int]:
        """One past the last sequence of each epoch that is, or was, in segments."""
        rows = self._sound("SELECT series, epoch, beyond, sum FROM accounts WHERE series = ? ORDER BY rowid", series)
        return {epoch: beyond for _, epoch, beyond in rows}

    def old(self, series: int) -> Old | None:
        """What is no longer kept singly."""
        return unpacked_old(self.about(f"old {series}"))

    def leave(self, series: int, blocks: Mapping[int, int]) -> None:
        """Keep how many blocks there are in each level of the tiers, at the end."""
        self.note({f"blocks {series}": json.dumps(list(blocks.items()))})

    def left(self, series: int) -> dict[int, int]:
        """What `leave` kept, once: from then on it changes."""
        left = self.about(f"blocks {series}", "[]")
        self.forget(f"blocks {series}")
        return dict(json.loads(left))


def _cure(error: sqlite3.Error) -> str:
    """What to do where it cannot be written; SQLite and we raise a bare DatabaseError for damage only."""
    damaged = type(error) is sqlite3.DatabaseError
    return "; end the recorder and start it again: it is made anew of the segments then" if damaged else f": {CURE}"


def check(*values: int | str | bytes) -> int:
    """The CRC-32 of a row: of each value the length of its bytes (4, little-endian) and these; numbers in decimals."""
    found = 0
    for value in values:
        data = value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass")
        found = zlib.crc32(data, zlib.crc32(len(data).to_bytes(4, "little"), found))
    return found
