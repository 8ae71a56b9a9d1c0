"""What a recorder keeps: an intake on disk for what has just come, and the archive for good. Each sample once.

Samples and the cursor of whom they are from reach the intake in one transaction; the archive takes them from there in
large pieces. A keeper that ends in whatever way finds in its intake what had not got into the archive.
"""

import json
import logging
import threading
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

from sisock.frames import Field, Frame
from sisock.store.archive import Archive
from sisock.store.incoming import IncomingError
from sisock.store.journal import Journal, JournalError
from sisock.store.retention import Keep
from sisock.store.series import Series
from sisock.store.weights import volume
from sisock.uris import JOINT

log = logging.getLogger(__name__)
HEAVY = 48 * 2**20  # bytes that wait in memory, beyond which the heaviest timelines are written
_LIGHT = 16 * 2**20  # bytes that wait after that
_FULL = HEAVY * 3 // 2  # bytes beyond which nothing more should be taken for now
_FLUSH_AGE = 3600.0  # seconds that samples wait at the most, so that other tools find them in segments
_RETAIN = 60.0  # seconds between looks at what is to be let go
_UNBOUNDED = 2**62  # bytes: the intake lets go only what the archive has
_CURSOR, _FIELDS = "cursor ", "fields "


class Cursor(NamedTuple):
    """How far a node's journal has been taken."""

    epoch: str
    position: int


class Taking(NamedTuple):
    """What is taken of one node at a time: samples, what its fields are, and how far its journal has been read."""

    node: str
    frames: Sequence[Frame]
    fields: Mapping[str, Field] = {}
    cursor: Cursor | None = None


class _Waiting(NamedTuple):
    """What a timeline has that is not in segments: its first position, since when by the clock, bytes put before it."""

    position: int
    since: float
    bytes: int


class Keeper:
    """An archive with its intake. `take` and `tend` may be called from different threads, each from one at a time."""

    def __init__(
        self,
        folder: Path,
        segments: str = "",
        *,
        flush_age: float = _FLUSH_AGE,
        keep: Keep | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Open both in this folder, and put into the archive what it does not have yet. As `Archive` for the rest.

        `keep`: what is let go of which node; without it nothing. `flush_age`: seconds after which what waits is written, however little it is.
        """
        self._clock, self._flush_age = clock, flush_age
        self._keep, self._retained = keep or Keep(), float("-inf")  # when it was last seen that nothing is to go
        self.dropped = 0  # samples that were let go
        self.archive = Archive(folder, segments)
        try:
            self._intake = Journal(folder / "intake.sqlite", most_bytes=_UNBOUNDED)
        except BaseException:
            self.archive.close(flush=False)
            raise
        self._lock = threading.Lock()  # of what waits: what came to the intake, and what the archive has of it
        self._waiting: dict[tuple[str, str], _Waiting] = {}
        self._taken = 0  # position up to which everything was put into the archive
        self._bytes = 0  # that were put into the archive
        self._cursors: dict[str, Cursor] = {}
        self._known: dict[str, dict[str, Field]] = {}
        self._incoming = self.archive.take_incoming()
        try:
            if not self._recalled():
                self._begin_anew()
        except BaseException:
            self.archive.close(flush=False)
            self._intake.close()
            raise

    def _recalled(self) -> bool:
        """Take up what the intake has; False if it is damaged. Raises JournalError where it cannot be read now."""
        try:
            self._recall()
        except JournalError:
            if not self._intake.broken:
                raise
            return False
        except _DamagedError:
            return False
        return True

    def _begin_anew(self) -> None:
        """Go on with a new intake: what came before the damage is kept, and all that journals have is taken again.

        What came after it would stand for what is missing; of the rest the archive knows what it has.
        """
        self.archive.flush()
        self._waiting.clear()
        self._cursors.clear()
        self._known.clear()
        self._intake.begin_anew()
        self._taken = self._intake.position
        log.warning("what recorders have of journals is asked for again: what waited to be written was damaged")

    def _recall(self) -> None:
        """Take up what the intake has: cursors, fields, and samples that perhaps are not in segments yet.

        Raises _DamagedError where something is missing; JournalError.
        """
        for key, text in self._intake.notes().items():
            if key.startswith(_CURSOR):
                self._cursors[key.removeprefix(_CURSOR)] = Cursor(*_noted(text))
            elif key.startswith(_FIELDS):
                fields = {name: Field(*each) for name, each in _noted(text).items()}
                self._known[key.removeprefix(_FIELDS)] = fields
        position, more = -1, True
        while more:
            batch = self._intake.read_from(self._intake.epoch, position, HEAVY // 4)
            if batch.dropped or self._intake.broken:
                raise _DamagedError
            for stream, frame in zip(batch.streams, batch.frames, strict=True):
                self._put(stream.split(JOINT, 1)[0], frame, max(0, position), again=True)
            position, more = batch.position, batch.more
            self._taken = position
            if self.archive.weight > HEAVY:
                self.tend()

    # taking

    def cursor(self, node: str) -> Cursor | None:
        """How far the node's journal has been taken; None for one of which nothing has."""
        return self._cursors.get(node)

    @property
    def full(self) -> bool:
        """Whether so much waits to be written that nothing more should be taken for now."""
        return self.archive.weight > _FULL

    def take(self, takings: Sequence[Taking]) -> int:
        """Take samples and cursors of several nodes; how many samples are new. On disk when this returns.

        Frames without an identity get one here. Raises JournalError where the disk does not take it: nothing is taken.
        """
        notes, entries = {}, []
        for taking in takings:
            if taking.cursor is not None:
                notes[_CURSOR + taking.node] = _note(taking.cursor)
            more = {
                name: field for name, field in taking.fields.items() if self._fields(taking.node).get(name) != field
            }
            if more:
                self._known[taking.node] = {**self._fields(taking.node), **more}
                notes[_FIELDS + taking.node] = _note(self._known[taking.node])
            entries += [(taking.node, self._identified(taking.node, frame)) for frame in taking.frames]
        begin = self._intake.position
        self._intake.commit(notes, [(f"{node}{JOINT}{frame.timeline}", frame) for node, frame in entries])
        self._cursors.update({taking.node: taking.cursor for taking in takings if taking.cursor is not None})
        new = sum(self._put(node, frame, begin) for node, frame in entries)
        self._taken = self._intake.position
        return new

    def _fields(self, node: str) -> dict[str, Field]:
        if node not in self._known:
            self._known[node] = self.archive.fields(node)
        return self._known[node]

    def _identified(self, node: str, frame: Frame) -> Frame:
        """The frame with an identity: that of its node, or one of the intake's."""
        if frame.epoch is not None and frame.seq is not None:
            return frame
        seq = self._intake.next_seq(f"{node}{JOINT}{frame.timeline}") + len(frame)
        return Frame(frame.timeline, frame.t, frame.columns, self._intake.epoch, seq)

    def _put(self, node: str, frame: Frame, position: int, *, again: bool = False) -> int:
        """Put a frame, which lies in the intake at this position or beyond, into the archive."""
        with self._lock:
            self._waiting.setdefault((node, frame.timeline), _Waiting(position, self._clock(), self._bytes))
            self._bytes += volume(frame)
            return self.archive.put(node, frame, self._fields(node), again=again)

    # writing

    def tend(self) -> int:
        """Write what is too heavy or too old, and let the intake go as far as the archive has it; how many samples.

        To be called about once a second. Raises OSError where the disk does not take it: everything goes on waiting.
        """
        due, taken = self._due(), self._taken
        if not due:
            return 0
        since, heard = self._clock(), self._bytes
        written = self.archive.write(due)
        with self._lock:
            for series in due:
                key = series.node, series.timeline
                if series.weight:
                    self._waiting[key] = _Waiting(taken, since, heard)
                else:
                    self._waiting.pop(key, None)
            position = min((each.position for each in self._waiting.values()), default=taken)
        self._intake.remove_upto(position)
        self.archive.compact(_LIGHT, due)
        return written

    def take_incoming(self) -> str | None:
        """Take one more piece of what was imported into the archive's folder; what cannot be taken, as a sentence.

        To be called about once a second by whoever calls `tend`. Raises OSError.
        """
        try:
            if next(self._incoming, None) is None:
                self._incoming = self.archive.take_incoming()
        except IncomingError as error:
            self._incoming = self.archive.take_incoming()
            return str(error)
        return None

    def retain(self, now: int) -> int:
        """Let go what is not to be kept any longer at `now`, ns; how many samples. About once a minute, or while there is more.

        To be called about once a second by whoever calls `tend`. Raises OSError.
        """
        if not self._keep or self._clock() - self._retained < _RETAIN:
            return 0
        samples, more = self.archive.retain(self._keep, now)
        self._retained = float("-inf") if more else self._clock()
        self.dropped += samples
        return samples

    def _due(self) -> list[Series]:
        """The timelines that are to be written now."""
        now, weight = self._clock(), self.archive.weight
        timelines = sorted(self.archive.timelines(), key=lambda each: -each.weight)
        due: list[Series] = []
        for series in timelines:
            waiting = self._waiting.get((series.node, series.timeline))
            heavy = weight > HEAVY or (due and weight > _LIGHT)
            if waiting and (heavy or now - waiting.since > self._flush_age or self._bytes - waiting.bytes > _FULL):
                due.append(series)
                weight -= series.weight
        return due

    def close(self) -> None:
        """Let everything go; what waits is in the intake."""
        self.archive.close(flush=False)
        self._intake.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _DamagedError(Exception):
    """The intake has not all that was written."""


def _note(value: Any) -> str:
    """A value as a note that proves itself."""
    text = json.dumps(value)
    return f"{zlib.crc32(text.encode()):08x} {text}"


def _noted(note: str) -> Any:
    """What was noted. Raises _DamagedError."""
    check, _, text = note.partition(" ")
    if check != f"{zlib.crc32(text.encode()):08x}":
        raise _DamagedError
    return json.loads(text)
