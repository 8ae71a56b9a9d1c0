"""The journal as its owner and its readers see it: append, commit, read from a cursor or by time."""

import logging
import secrets
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from sisock.batch import Batch
from sisock.frames import Frame, concat
from sisock.nearest import Which, nearer, nearest, sought
from sisock.store.journal.disk import Disk, JournalError
from sisock.store.journal.file import JournalInUse
from sisock.store.journal.pending import Entry, Pending, check_notes, checked
from sisock.store.journal.reading import Snapshot, Wanted
from sisock.store.journal.rows import MOST
from sisock.store.journal.writing import JUMP, Limits
from sisock.store.weights import runs

log = logging.getLogger(__name__)
MOST_BYTES = 256 * 2**20  # of a journal, unless told otherwise
_AT_ONCE = 2**20  # bytes that are read at a time, unless told otherwise


class Journal:
    """A log of samples on disk. A sample is known by epoch and sequence, a place in the log by epoch and position.

    One owner appends and commits, any number of threads read. Where the disk does not take it, what was appended waits
    in memory; a file that is damaged is moved aside, and a new one goes on with epoch, positions and sequences.
    """

    def __init__(
        self,
        path: Path,
        *,
        most_bytes: int = MOST_BYTES,
        most_age_ns: int | None = None,
        join_after: int = 64,
        clock: Callable[[], int] = time.time_ns,
        patient: bool = False,
    ) -> None:
        """Open the file, or make it; keep so many bytes of it, and nothing that was written longer ago than that.

        Small rows are joined after so many commits: then what is read of a long time is few rows.
        Raises JournalTooNew if it is of a newer format, and JournalInUse if another process has it; if `patient` it is
        tried again with each commit until that one has ended.
        """
        self.path, self.closed = path, False
        self._disk = Disk(
            path, secrets.token_hex(8), Limits(most_bytes, most_age_ns, join_after), clock, patient=patient
        )
        self.epoch = self._disk.epoch
        self._pending = Pending()
        self._noted: dict[str, str] = {}  # notes that wait with it
        self._lock = threading.Lock()  # what is pending and what is on disk are looked at together
        self._committing = threading.Lock()
        self._nowhere: dict[tuple[str, str], int] = {}  # stream, field -> position below which it has no value
        self._gave_up = False  # sequences were published that no file knows of

    # writing

    def next_seq(self, stream: str) -> int:
        """The sequence of the stream's next sample in this epoch; never one that was published before."""
        state, streams = self._disk.reached
        return streams[stream].next if stream in streams else state.ends * JUMP

    def append(self, stream: str, frame: Frame) -> None:
        """Let the frame wait for the next commit. Raises ValueError for one that no journal can hold."""
        self.append_all([(stream, frame)])

    def append_all(self, entries: Iterable[Entry], notes: Mapping[str, str] | None = None) -> None:
        """Let frames wait, and notes that are on disk in the same transaction. Raises ValueError as `append`, for all.

        TypeError where notes are no texts.
        """
        check_notes(notes or {})
        sized = [(entry, checked(entry)) for entry in entries if len(entry[1])]
        with self._lock:
            for entry, size in sized:
                self._pending.append(entry, size)
            self._noted.update(notes or {})

    def commit(self, notes: Mapping[str, str] | None = None, frames: Iterable[Entry] = ()) -> None:
        """Write what was appended, these frames and these notes in one transaction; they are on disk when it returns.

        Raises JournalError where that fails: what was appended goes on waiting, frames and notes are forgotten.
        """
        given = [entry for entry in frames if len(entry[1]) and checked(entry)]
        with self._committing:
            writer = self._disk.ready()
            with self._lock:
                batch = self._pending.take(writer.state.position, given)
                noted, self._noted = self._noted, {}
            written = False
            try:
                self._disk.write(_by_stream(batch.entries), batch.lost, {**noted, **(notes or {})})
                written = True
            finally:
                with self._lock:
                    self._pending.settle(written=written)
                    self._noted = self._noted if written else {**noted, **self._noted}

    def shed(self, most: int) -> int:
        """Give up the oldest of what waits, so that at most so many bytes do; the number of samples, counted as lost."""
        with self._lock:
            gone = self._pending.shed(most)
        self._gave_up |= gone > 0
        return gone

    def remove_upto(self, position: int) -> None:
        """Let go of what lies below a position. Raises JournalError."""
        with self._committing:
            self._disk.remove_upto(position)

    def begin_anew(self) -> None:
        """Move the file aside, damaged as it is, and go on in a new one. Raises JournalError."""
        with self._committing:
            self._disk.begin_anew()

    @property
    def broken(self) -> bool:
        """Whether what is on disk was found to be damaged: samples, or the file itself."""
        return self._disk.broken

    def close(self) -> None:
        """Write what waits and let the file go; what cannot be written any more is told in the log."""
        if self.closed:
            return
        try:
            self.commit()
        except JournalError as error:
            if not isinstance(error.__cause__, JournalInUse):  # it was never ours, which was told
                log.warning("%s: what was not written is lost", error)
        with self._committing:
            self.closed = True
            self._disk.close(clean=not self.waiting and not self._gave_up)

    # how it is

    @property
    def waiting(self) -> int:
        """Bytes that were appended and are not yet on disk."""
        return self._pending.size

    @property
    def position(self) -> int:
        """One past the last sample that is on disk: where a cursor that has read everything stands."""
        return self._disk.reached[0].position

    @property
    def lost(self) -> int:
        """Samples that were given up and never came to disk."""
        return self._pending.lost + self._disk.reached[0].lost

    @property
    def damaged(self) -> int:
        """Samples that were found to be damaged on disk since it was opened."""
        return self._disk.damaged

    @property
    def gone(self) -> dict[str, int]:
        """Of each stream of which samples had to go, the latest time of these: a clock may have been set back since."""
        return {name: stream.gone for name, stream in self._disk.reached[1].items() if stream.gone is not None}

    # reading: all of it may raise JournalError

    def read_from(self, epoch: str | None, position: int, limit: int = _AT_ONCE) -> Batch:
        """What was committed from a cursor on, about `limit` bytes; from the oldest on for a cursor that is not ours."""
        with self._snapshot() as (snapshot, _):
            if snapshot is None:
                raise JournalError(f"the journal {self.path} is not open")
            ours = epoch == snapshot.epoch and 0 <= position <= snapshot.position
            begin = position if ours else snapshot.first
            entries, end = snapshot.batch(begin, max(1, limit))
        frames = [
            (stream, concat(run)) for stream, each in _by_stream(entries).items() for run in runs(each, max(1, limit))
        ]
        samples = sum(len(frame) for _, frame in frames)
        return Batch(
            snapshot.epoch, tuple(frame for _, frame in frames), tuple(stream for stream, _ in frames),
            end, snapshot.first, end - begin - samples, end < snapshot.position,
        )  # fmt: skip

    def window(
        self,
        stream: str,
        fields: Collection[str] | None,
        start: int,
        end: int,
        *,
        since: tuple[str, int] | None = None,
        before: tuple[str, int] | None = None,
    ) -> list[Frame]:
        """Samples of a stream with `start <= t < end` in the order in which they came, also those not yet on disk.

        `since`: (epoch, sequence) from which on; `before`: below which only.
        """
        wanted = Wanted(start, end, since, before)
        with self._snapshot() as (snapshot, pending):
            found = [] if snapshot is None else list(snapshot.window(stream, fields, wanted))
        cut = (wanted.of(frame, self.epoch) for name, frame in pending if name == stream)
        return found + [frame if fields is None else frame.only(fields) for frame in cut if len(frame)]

    def reaches(self, stream: str, end: int, before: int) -> int | None:
        """Sequence, in this epoch and below `before`, of the first sample at or beyond a time; None where there is none."""
        with self._snapshot() as (snapshot, pending):
            at = None if snapshot is None else snapshot.reaches(stream, end, before)
        if at is not None:
            return at
        later = (
            Wanted(end, MOST, None, (self.epoch, before)).of(frame, self.epoch)
            for name, frame in pending
            if name == stream
        )
        return min(
            (int(frame.seq) - len(frame) for frame in later if len(frame) and frame.seq is not None), default=None
        )

    def nearest(self, stream: str, field: str, t: int, which: Which) -> Frame | None:
        """The field's last sample at or before t ns, before it, or the first after it, that has a value; None without.

        A frame of one row with the identity of its sample.
        """
        with self._snapshot() as (snapshot, pending):
            best, nowhere = (
                (None, False)
                if snapshot is None
                else snapshot.nearest(stream, field, t, which, self._nowhere.get((stream, field), 0))
            )
            if nowhere and snapshot is not None:
                self._nowhere[stream, field] = snapshot.position
        start, end = sought(t, which)
        for name, frame in pending:
            if name == stream:
                found = nearest(frame, field, start, end, which)
                best = nearer(*((best, found) if which == "after" else (found, best)), which)
        return best

    def spread(self, stream: str, start: int, end: int, before: tuple[str, int]) -> tuple[int, int, int]:
        """Number of samples, earliest and latest time of what is on disk of about that time; zeros for nothing."""
        with self._snapshot() as (snapshot, _):
            rows = [] if snapshot is None else snapshot.spread(stream, Wanted(start, end, None, before))
        return (
            (sum(n for n, _, _ in rows), min(a for _, a, _ in rows), max(b for _, _, b in rows)) if rows else (0, 0, 0)
        )

    def oldest(self, stream: str) -> tuple[int, int | None]:
        """How many samples of a stream had to go, and the earliest time of those on disk (None: there are none)."""
        with self._snapshot() as (snapshot, _):
            return (0, None) if snapshot is None else snapshot.oldest(stream)

    def tail(self, most: int) -> list[Frame]:
        """The latest frames on disk in this epoch, of at most so many bytes; the oldest first."""
        with self._snapshot() as (snapshot, _):
            return [] if snapshot is None else snapshot.tail(most)

    def latest(self) -> list[Frame]:
        """The latest row on disk of each stream: what fields it has."""
        with self._snapshot() as (snapshot, _):
            return [] if snapshot is None else snapshot.latest()

    def notes(self) -> dict[str, str]:
        """The notes that were committed."""
        with self._snapshot() as (snapshot, _):
            return {} if snapshot is None else snapshot.notes()

    @contextmanager
    def _snapshot(self) -> Iterator[tuple[Snapshot | None, tuple[Entry, ...]]]:
        """What is on disk (None where no file is open), and what is not yet: each sample is in one of them."""
        with ExitStack() as stack:
            with self._lock:
                snapshot = stack.enter_context(self._disk.reading())
                pending = self._pending.beside(None if snapshot is None else snapshot.position)
            yield snapshot, pending


def _by_stream(entries: Iterable[Entry]) -> dict[str, list[Frame]]:
    """The frames of each stream in their order."""
    streams: dict[str, list[Frame]] = {}
    for stream, frame in entries:
        streams.setdefault(stream, []).append(frame)
    return streams
