"""What is written to a journal's file: batches of frames in one transaction each, the oldest let go."""

import contextlib
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import astuple, dataclass, fields, replace
from types import NoneType
from typing import NamedTuple

from sisock.frames import Frame
from sisock.store.journal.bulk import Bulk
from sisock.store.journal.file import checked
from sisock.store.journal.rows import LARGE, Row, in_files, insert
from sisock.store.journal.sealing import seal
from sisock.store.weights import runs

JUMP = 2**32  # sequences that are left out after an unclean end: more than were published and not yet written
_MOST_ROW = 2**20  # bytes of a row, unless one sample is larger
_MOST_FRESH = 4 * 2**20  # bytes of small rows that are joined at once
_WORTH = 8  # transactions whose rows are worth joining: those of fewer, of as many bytes, are large enough
_STATE = (str, *[int] * 7)  # types of what is in the table of that name
_STREAM = (str, int, int, (int, NoneType))
_SHARE = 64  # what goes at once is at least this part of the journal


@dataclass
class State:
    """What holds for the whole journal; as in the table of that name."""

    epoch: str
    position: int = 0  # samples that were ever written, or lost before: the next one's position
    first: int = 0  # from here on there still is everything
    sealed: int = 0  # up to here small rows were joined
    clean: int = 1  # 0 while a process has it open
    ends: int = 0  # how often such a process ended without closing it
    lost: int = 0  # samples that could not be written
    bulk: int = 0  # bytes of the rows in files of large ones


class Stream(NamedTuple):
    """One stream: its number in the file, the sequence of its next sample, the latest time of those that had to go."""

    id: int
    next: int
    gone: int | None = None


class Limits(NamedTuple):
    """What a journal may hold; the oldest goes first."""

    most_bytes: int
    most_age: int | None  # ns since it was written
    join_after: int  # transactions after which small rows are joined


class Writer:
    """The one connection that writes: what it did is on disk, or has not happened."""

    def __init__(
        self,
        db: sqlite3.Connection,
        bulk: Bulk,
        limits: Limits,
        clock: Callable[[], int],
        damaged: Callable[[int, int], None],
    ) -> None:
        """Write within the limits; the clock gives ns since 1970.

        `damaged` is called with the position and the number of samples of a row that is found to be so.
        """
        self._db, self._bulk = db, bulk
        self._limits, self._clock, self._damaged = limits, clock, damaged
        self.state = State("")
        self.streams: dict[str, Stream] = {}
        self._fresh = self._fresh_bytes = 0  # transactions since small rows were joined, and the bytes of their rows

    # beginning and ending

    def begin(self, epoch: str, *, ours: bool) -> None:
        """Go on with the journal that the file holds; under this epoch if it has none, or samples were published in ours.

        If the process before did not close it, sequences are left out: those published and not written.
        """
        with self._transaction():
            found = self._db.execute("SELECT * FROM state").fetchone()
            empty = found is None and not self._db.execute("SELECT 1 FROM rows").fetchone()
            state = State(epoch) if empty else State(*checked(found, _STATE))
            if not state.clean:
                state.ends += 1
                self._db.execute("UPDATE streams SET next = next + ?", (JUMP,))
            state.epoch, state.clean = epoch if ours else state.epoch, 0
            self._save(state)
        self.state = state
        self.streams = self._known()
        self._fresh = self._limits.join_after if state.sealed < state.position else 0  # as many may be there
        self._remove_files()

    def take_over(self, state: State, streams: Mapping[str, Stream], notes: Mapping[str, str]) -> None:
        """Go on in an empty file where a damaged one ended: epoch, positions and sequences are those that were reached."""
        self.state = replace(state, first=state.position, sealed=state.position)
        self.streams = dict(streams)
        with self._transaction():
            self._save(self.state)
            self._db.executemany(
                "INSERT INTO streams (name, id, next, gone, longest, dropped) VALUES (?, ?, ?, ?, 0, 0)",
                [(name, *stream) for name, stream in streams.items()],
            )
            self._note(notes)

    def end(self, *, clean: bool) -> None:
        """Note that all is written, if it is, and let the file go."""
        try:
            if clean:
                with self._transaction():
                    self._save(replace(self.state, clean=1))
        finally:
            self._bulk.close()
            self._db.close()

    # writing

    def write(self, batch: Mapping[str, list[Frame]], lost: int, notes: Mapping[str, str]) -> None:
        """Write frames by stream, count the samples lost before them, set the notes, and let the oldest go: at once."""
        state, streams = replace(self.state), dict(self.streams)
        with self._transaction():
            state.lost += lost
            state.position += lost
            before = state.position
            self._open_streams(batch, streams)
            rows = (row for name, frames in batch.items() for row in self._rows(name, frames, state, streams))
            sizes = insert(self._db, self._bulk, rows)
            state.bulk += in_files(sizes)
            changed = [(each.next, each.id) for name in batch if (each := streams[name]) != self.streams.get(name)]
            self._db.executemany("UPDATE streams SET next = ? WHERE id = ?", changed)
            self._join(sizes, before, state)
            self._note(notes)
            self._trim(state)
            self._save(state)
            removed = state.first != self.state.first
            streams = self._known() if removed else streams
        self.state, self.streams = state, streams
        if removed:
            with contextlib.suppress(
                OSError, sqlite3.Error
            ):  # it is written, whatever becomes of these: they are tried again
                self._remove_files()

    def remove_upto(self, position: int) -> None:
        """Let go of rows whose samples all lie below a position."""
        state = replace(self.state)
        with self._transaction():
            self._remove(min(position, state.position), state)
            self._save(state)
            streams = self._known()
        self.state, self.streams = state, streams
        self._remove_files()

    def notes(self) -> dict[str, str]:
        """All notes."""
        return dict(checked(each, (str, str)) for each in self._db.execute("SELECT name, value FROM notes"))

    def _note(self, notes: Mapping[str, str]) -> None:
        self._db.executemany("INSERT OR REPLACE INTO notes VALUES (?, ?)", notes.items())

    def _known(self) -> dict[str, Stream]:
        """The streams of the file."""
        found = self._db.execute("SELECT name, id, next, gone FROM streams")
        return {name: Stream(*rest) for name, *rest in (checked(each, _STREAM) for each in found)}

    def _open_streams(self, names: Iterable[str], streams: dict[str, Stream]) -> None:
        """Begin those streams that are new."""
        for name in names:
            if name not in streams:
                sql = "INSERT INTO streams (name, next, longest, dropped) VALUES (?, 0, 0, 0)"
                streams[name] = Stream(int(self._db.execute(sql, (name,)).lastrowid or 0), 0)

    def _rows(self, name: str, frames: list[Frame], state: State, streams: dict[str, Stream]) -> Iterator[Row]:
        """The frames of a stream as rows."""
        stream, now = streams[name], self._clock()
        for run in runs(frames, _MOST_ROW):
            state.position += sum(map(len, run))
            yield Row.of(stream.id, run, state.position, state.position, now, None)
            if run[-1].epoch == state.epoch and run[-1].seq is not None:
                stream = stream._replace(next=run[-1].seq)
        streams[name] = stream

    def _join(self, sizes: list[int], before: int, state: State) -> None:
        """Join small rows once there are many; nothing is joined across a large one, which stays as it is."""
        large = max(sizes, default=0) >= LARGE
        self._fresh += 1
        self._fresh_bytes += sum(sizes)
        if not large and self._fresh < self._limits.join_after and self._fresh_bytes < _MOST_FRESH:
            return
        if self._fresh > 1 and self._fresh >= min(_WORTH, self._limits.join_after):
            end = before if large else state.position
            state.bulk += seal(self._db, self._bulk, state.sealed, end, _MOST_ROW, self._damaged)
        state.sealed = state.position
        self._fresh = self._fresh_bytes = 0

    # letting go

    def _trim(self, state: State) -> None:
        """Remove the oldest rows where they are too old, or all take too many bytes."""
        excess = self._used() + state.bulk - self._limits.most_bytes
        surplus = excess + self._limits.most_bytes // _SHARE if excess > 0 else 0
        oldest = None if self._limits.most_age is None else self._clock() - self._limits.most_age
        gone = 0
        for each in self._db.execute("SELECT till, written, size FROM rows ORDER BY position"):
            till, written, size = checked(each, (int, int, int))
            if surplus <= 0 and (oldest is None or written >= oldest):
                break
            surplus -= size
            gone = till
        if gone:
            self._remove(gone, state)

    def _used(self) -> int:
        """Bytes of SQLite's file that hold something."""
        pages, free, size = (
            self._db.execute(f"PRAGMA {each}").fetchone()[0] for each in ("page_count", "freelist_count", "page_size")
        )
        return int((pages - free) * size)

    def _remove(self, position: int, state: State) -> None:
        """Remove the rows up to a position, and note of each stream how many samples go, and until when."""
        count = (
            "UPDATE streams SET dropped = dropped + going.samples, gone = max(ifnull(gone, going.high), going.high) "
            "FROM (SELECT stream, sum(samples) AS samples, max(high) AS high FROM rows WHERE position <= ? "
            "GROUP BY stream) AS going WHERE streams.id = going.stream"
        )
        self._db.execute(count, (position,))
        large = "SELECT ifnull(sum(size), 0) FROM rows WHERE position <= ? AND file IS NOT NULL"
        state.bulk -= self._db.execute(large, (position,)).fetchone()[0]
        self._db.execute("DELETE FROM rows WHERE position <= ?", (position,))
        state.first = max(state.first, position)
        state.sealed = max(state.sealed, position)

    def _remove_files(self) -> None:
        """Remove the files of large rows that hold none any more."""
        found = self._db.execute("SELECT min(file) FROM rows WHERE file IS NOT NULL").fetchone()
        (lowest,) = checked(found, ((int, NoneType),))
        self._bulk.remove_below(self._bulk.number if lowest is None else lowest)

    # the file

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        """On disk when it ends; undone where something is raised."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            with self._bulk.undone():
                yield
                self._bulk.sync()
                self._db.execute("COMMIT")
        finally:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")

    def _save(self, state: State) -> None:
        self._db.execute("DELETE FROM state")
        marks = ", ".join("?" for _ in fields(State))
        self._db.execute(f"INSERT INTO state VALUES ({marks})", astuple(state))
