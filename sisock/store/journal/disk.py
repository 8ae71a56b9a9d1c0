"""A journal's file in use: written by one, read by many, opened again and replaced where it has to be."""

import contextlib
import logging
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from sisock.frames import Frame
from sisock.store.journal.bulk import Bulk
from sisock.store.journal.file import JournalFile, JournalInUse, JournalTooNew, is_damage
from sisock.store.journal.reading import Snapshot
from sisock.store.journal.writing import Limits, State, Stream, Writer

log = logging.getLogger(__name__)
_SHARE = 16  # a file of large rows is this part of the journal: so much goes at once


class JournalError(OSError):
    """The journal cannot be written or read now; says why."""


class Disk:
    """The file of a journal. A file that is damaged is moved aside, and a new one goes on where that one ended."""

    def __init__(self, path: Path, epoch: str, limits: Limits, clock: Callable[[], int], *, patient: bool) -> None:
        """Open the file, or make it with this epoch; where neither can be, it is tried again when there is something to write.

        Raises JournalInUse if another process has it and `patient` is false, JournalTooNew if it is of a newer format.
        """
        self.epoch = epoch
        self.writer: Writer | None = None
        self.damaged = 0  # samples that were found to be damaged
        self._path, self._limits, self._clock = path, limits, clock
        self._file = JournalFile(path, clock)
        self._told: set[int] = set()  # positions of damaged rows
        self._broken = False  # a reader found the file to be damaged beyond use
        self._reached: tuple[State, Mapping[str, Stream]] | None = None  # where a damaged file ended
        self._noted: Mapping[str, str] = {}  # the notes in it, as far as they could be read
        self._bulk = Bulk(self._file.folder, 0)
        self._idle: list[sqlite3.Connection] = []  # connections that wait for the next reader
        self._lock = threading.Lock()
        try:
            self.writer = self._open(ours=False)
            self.epoch = self.writer.state.epoch
        except (sqlite3.Error, OSError, JournalTooNew) as error:
            if isinstance(error, JournalTooNew) or (isinstance(error, JournalInUse) and not patient):
                self._file.close()
                raise
            if not isinstance(error, JournalInUse):  # whoever writes hears of it, if it lasts
                log.warning("the journal %s cannot be opened now: %s", path, error)

    def close(self, *, clean: bool) -> None:
        """Let the file go; `clean`: all that was appended is on it."""
        try:
            self._let_go(clean=clean)
        finally:
            self._file.close()

    @property
    def reached(self) -> tuple[State, Mapping[str, Stream]]:
        """How far the journal has come."""
        if self.writer is not None:
            return self.writer.state, self.writer.streams
        return self._reached or (State(self.epoch), {})

    @property
    def broken(self) -> bool:
        """Whether the file, or a row of it, was found to be damaged."""
        return self._broken or bool(self._told)

    # writing

    def ready(self) -> Writer:
        """What writes; opened again where it has to be. Raises JournalError."""
        with told(self._path, "written"):
            if self._broken and self.writer is not None:
                self._replace(self.writer, "it cannot be read any more")
            if self.writer is None:
                self.writer = self._open(ours=True)
            return self.writer

    def write(self, batch: Mapping[str, list[Frame]], lost: int, notes: Mapping[str, str]) -> None:
        """As `Writer.write`, in a new file where this one turns out to be damaged. Raises JournalError."""
        writer = self.ready()
        with told(self._path, "written"):
            try:
                writer.write(batch, lost, notes)
            except sqlite3.DatabaseError as error:
                if not is_damage(error):
                    raise
                self._replace(writer, str(error))
                self.ready().write(batch, lost, notes)

    def begin_anew(self) -> None:
        """Move the file aside and go on in a new one. Raises JournalError."""
        self._broken = True
        self.ready()

    def remove_upto(self, position: int) -> None:
        """As `Writer.remove_upto`. Raises JournalError."""
        writer = self.ready()
        with told(self._path, "written"):
            writer.remove_upto(position)

    def _open(self, *, ours: bool) -> Writer:
        """The writer on the file, or on a new one where that is damaged; `ours`: samples were published in our epoch."""
        try:
            return self._begin(ours=ours)
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
            if not is_damage(error):
                raise
            self._file.move_aside(str(error))
            return self._begin(ours=ours)

    def _begin(self, *, ours: bool) -> Writer:
        db, new = self._file.connect()
        try:
            self._bulk = Bulk(self._file.folder, self._limits.most_bytes // _SHARE)
            writer = Writer(db, self._bulk, self._limits, self._clock, self.tell)
            if new and self._reached is not None:
                writer.take_over(*self._reached, self._noted)
            else:
                writer.begin(self.epoch, ours=ours)
        except BaseException:
            db.close()
            raise
        self._reached = None
        return writer

    def _replace(self, writer: Writer, why: str) -> None:
        self._reached, self._noted = (writer.state, writer.streams), {}
        with contextlib.suppress(sqlite3.Error):  # it is damaged
            self._noted = writer.notes()
        with contextlib.suppress(sqlite3.Error):  # it is damaged
            self._let_go(clean=False)
        self._file.move_aside(why)
        self._broken = False
        self._told.clear()
        self.writer = self._open(ours=True)

    def _let_go(self, *, clean: bool) -> None:
        with self._lock:
            idle, self._idle = self._idle, []
            writer, self.writer = self.writer, None
        for db in idle:
            db.close()
        if writer is not None:
            writer.end(clean=clean)

    # reading

    @contextmanager
    def reading(self) -> Iterator[Snapshot | None]:
        """What is on disk at this moment; None where no file is open. Raises JournalError."""
        with told(self._path, "read"):
            with self._lock:
                idle, bulk = self._idle, self._bulk
                db = None if self.writer is None else idle.pop() if idle else self._file.reader()
            if db is None:
                yield None
                return
            try:
                db.execute("BEGIN")
                yield Snapshot(db, bulk, self.tell)
            except sqlite3.DatabaseError as error:
                self._broken |= is_damage(error)
                raise
            finally:
                self._give_back(db, idle)

    def _give_back(self, db: sqlite3.Connection, idle: list[sqlite3.Connection]) -> None:
        """Keep a reader's connection for the next one, if the file is still the same."""
        if db.in_transaction:
            db.execute("ROLLBACK")
        with self._lock:
            if self._idle is idle and self.writer is not None and not self._broken:
                idle.append(db)
                return
        db.close()

    def tell(self, position: int, samples: int) -> None:
        """Note a damaged row; the first one is told."""
        if not self._told:
            log.warning("the journal %s has damaged rows (the first at %d): they are left out", self._path, position)
        if position not in self._told:
            self._told.add(position)
            self.damaged += samples


@contextmanager
def told(path: Path, what: str) -> Iterator[None]:
    """Errors of SQLite and of the file system as a sentence."""
    try:
        yield
    except JournalError:
        raise
    except JournalInUse as error:
        raise JournalError(str(error)) from error
    except (sqlite3.Error, OSError, UnicodeDecodeError) as error:
        raise JournalError(f"the journal {path} cannot be {what}: {error}") from error
