"""One timeline at rest: what has come and waits to be written, segments, and tiers over them."""

import logging
import secrets
import threading
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np

from sisock.frames import Field, Frame, concat
from sisock.store.index import Index, Known
from sisock.store.segments import (
    ROWS,
    DamagedError,
    Identified,
    Segment,
    SegmentFiles,
    described,
    identified,
    kind_of,
    together,
)
from sisock.store.tiers import Asked, Kept, Span, Tiers
from sisock.times import NS, utc

log = logging.getLogger(__name__)
EARLIEST, LATEST = -2_208_988_800 * NS, 7_258_118_400 * NS  # 1900 and 2200: other times are no measurements
MOST_ROWS = 4_194_304  # of a segment
MOST_BYTES = 64 * 2**20  # of a segment, before it is compressed
_AT_ONCE = 1_000_000  # samples read together


class Snapshot(NamedTuple):
    """What there was at one moment: segments in the order of time, and what was not in one yet."""

    segments: tuple[Segment, ...]
    waiting: tuple[Identified, ...]


@dataclass
class Trouble:
    """What an answer lacks, as sentences: by what it is about, once each."""

    told: dict[str, str] = field(default_factory=dict)


class Series:
    """The samples of one timeline of one node. One thread writes, any may read."""

    def __init__(self, known: Known, index: Index, files: SegmentFiles, folder: Path) -> None:
        """Take up what the index knows; the tiers lie in the folder."""
        self.node, self.timeline = known.node, known.timeline
        self.fields, self.kinds, self.counts = dict(known.fields), known.kinds, known.counts
        self.tiers = Tiers(folder)
        self.lock = threading.RLock()
        self.touched = 0.0  # when the oldest of what waits came, by the clock of whoever puts it
        self._id, self._index, self._files = known.id, index, files
        self._segments: list[Segment] = []
        self._take_up(known.segments)
        self._waiting: list[Identified] = []
        self._accounts = known.accounts
        self._beyond = dict(known.accounts)  # the same, with what waits
        self._epoch = next(reversed(known.accounts), None) if known.accounts else None
        self.weight = 0  # bytes that wait

    # what there is

    def snapshot(self) -> Snapshot:
        """Segments, and what waits."""
        with self.lock:
            return Snapshot(tuple(self._segments), tuple(self._waiting))

    @property
    def identity(self) -> tuple[str | None, int | None]:
        """The latest epoch, and one past its last sequence."""
        return (self._epoch, self._beyond[self._epoch]) if self._epoch in self._beyond else (None, None)

    def since(self, epoch: str) -> int:
        """One past the last sequence that there is of this epoch; 0 without any."""
        return self._beyond.get(epoch, 0)

    def ends(self) -> Span | None:
        """Time of the first sample and one past that of the last; None without any."""
        segments, waiting = self.snapshot()
        lows = [segment.low for segment in segments[:1]] + [int(each.frame.t.min()) for each in waiting]
        highs = [segment.high for segment in segments] + [int(each.frame.t.max()) for each in waiting]
        return (min(lows), max(highs) + 1) if lows else None

    @property
    def nbytes(self) -> int:
        """Bytes on disk."""
        return sum(segment.nbytes for segment in self._segments) + self.tiers.nbytes

    def asked(self, names: Sequence[str]) -> list[tuple[str, Kept]]:
        """The fields that have tiers, each with every kind of values it has had."""
        return [(name, kept) for name in names for kept in self.kinds.get(name, {}).values()]

    # taking samples

    def put(self, frame: Frame, fields: Mapping[str, Field]) -> int:
        """Take what is new of a frame; how many samples that is. It waits in memory for `flush`."""
        sound = (frame.t >= EARLIEST) & (frame.t < LATEST)
        samples = identified(frame)
        if frame.epoch is not None and frame.seq is not None:
            samples = self._unknown(frame, samples)
            sound = sound[len(frame) - len(samples.frame) :]
        if not sound.all():
            self._count("refused", int((~sound).sum()))
            samples = samples.rows(sound)
        with self.lock:
            self.fields.update({name: about for name, about in fields.items() if name in frame.columns})
            if frame.epoch is not None and frame.seq is not None:
                self._epoch = frame.epoch
                self._beyond[frame.epoch] = max(frame.seq, self._beyond.get(frame.epoch, 0))
            if len(samples.frame):
                self._waiting.append(samples)
                self.weight += _weight(samples)
        return len(samples.frame)

    def _unknown(self, frame: Frame, samples: Identified) -> Identified:
        """What of a frame has not come before."""
        assert frame.epoch is not None and frame.seq is not None  # noqa: PT018  # asked by the caller
        known = min(max(0, self._beyond.get(frame.epoch, 0) - (frame.seq - len(frame))), len(frame))
        if known:
            self._count("doubles", known)
        return samples.rows(slice(known, None)) if known else samples

    def _count(self, what: str, samples: int) -> None:
        self.counts[what] = self.counts.get(what, 0) + samples

    # writing

    def flush(self, notes: Mapping[str, str] | None = None) -> int:
        """Write what waits into a segment and the tiers, on disk when this returns; how many samples. Raises OSError."""
        with self.lock:
            waiting = list(self._waiting)
        if not waiting:
            return 0
        samples = together(waiting)
        frame = samples.frame
        known_until = self._segments_until()
        segments = [self._write(each) for each in _pieces(samples)]
        self.tiers.begin(frame.t)
        with self._index.change():
            numbered = self._numbered(frame)
            taken = self.tiers.take(numbered, frame)
            for segment in segments:
                self._index.add(self._id, segment)
            self._index.describe(self._id, {name: self.fields.get(name, Field()) for name in frame.columns})
            self._index.account(self._id, accounts := _accounts(samples))
            self._index.count(self._id, self.counts)
            redo = self._index.redo(self._id, taken.writes) if taken.writes else 0
            self._index.note(notes or {})
        with self.lock:
            self.tiers.apply(taken.writes)
            self._take_up(segments)
            self._accounts.update(accounts)
            self._waiting = self._waiting[len(waiting) :]
            self.weight = sum(map(_weight, self._waiting))
        if redo:
            self._index.done(redo)
        self.tiers.grow(numbered, taken, known_until, self._known)
        return len(frame)

    def _take_up(self, segments: Sequence[Segment]) -> None:
        self._segments = sorted([*self._segments, *segments], key=lambda each: each.low)
        self._lows = np.array([each.low for each in self._segments], np.int64)
        self._highs = np.array([each.high for each in self._segments], np.int64)

    def _segments_until(self) -> int:
        """One past the last time in segments."""
        return max((segment.high + 1 for segment in self._segments), default=EARLIEST)

    def _write(self, samples: Identified) -> Segment:
        frame = samples.frame
        stamp = np.datetime_as_string(frame.t[:1].view("datetime64[ns]"), unit="s")[0].replace(":", "")
        name = f"{self.node}/{slug(self.timeline)}/{stamp}-{secrets.token_hex(4)}.parquet"
        about = {
            "node": self.node, "timeline": self.timeline, "epochs": _accounts(samples), "fields": described(self.fields),
        }  # fmt: skip
        return self._files.write(name, samples, about)

    def _numbered(self, frame: Frame) -> dict[str, Kept]:
        """The fields of the frame that have tiers: all but texts."""
        numbered = {}
        for name, column in frame.columns.items():
            kind = kind_of(column)
            if kind != "text":
                kinds = self.kinds.setdefault(name, {})
                if kind not in kinds:
                    kinds[kind] = self._index.number(self._id, name, kind)
                numbered[name] = kinds[kind]
        return numbered

    def _known(self, start: int, end: int, asked: Asked) -> dict[str, Frame]:
        """What segments have, as tiers ask for it."""
        return self.raw(self.snapshot(), (start, end), asked, Trouble())

    # after an unclean end

    def forget_tiers(self) -> None:
        """Have no tiers until they are rebuilt: nobody knows whether those there are were whole."""
        with self.lock:
            self.tiers.clear()

    def redo(self) -> None:
        """Write into the tiers what perhaps was not, before a sudden end."""
        for writes in self._index.undone(self._id):
            self.tiers.apply(writes)

    def rebuild(self) -> Iterator[float]:
        """Make the tiers anew of all samples in segments; how much is done, from 0 to 1. Nothing may be flushed meanwhile.

        The ones there are serve until the new ones are whole.
        """
        place = self.tiers.folder
        fresh = Tiers(place.with_name(f"{place.name}.new"))
        fresh.clear()
        segments = self.snapshot()._replace(waiting=())
        times = cuts(segments.segments)
        for number, span in enumerate(pairwise(times)):
            for name, kept in self.asked(list(self.kinds)):
                frame = self.raw(segments, span, {name: kept}, Trouble()).get(name)
                if frame is not None:
                    self._add_to(fresh, name, kept, frame, span)
            yield (number + 1) / len(times)
        fresh.sync()
        fresh.close()
        with self.lock:
            self.tiers.clear()
            fresh.folder.rename(place)
            self.tiers = Tiers(place)
        yield 1.0

    def _add_to(self, tiers: Tiers, name: str, kept: Kept, frame: Frame, span: Span) -> None:
        """Add a field's samples of a stretch of time, the ones before it being there already."""
        tiers.begin(frame.t)
        taken = tiers.take({name: kept}, frame)
        tiers.apply(taken.writes)
        tiers.grow({name: kept}, taken, span[0], lambda a, b, asked: self._known(a, min(b, span[1]), asked))

    # reading samples

    def rows_within(self, snapshot: Snapshot, start: int, end: int) -> int:
        """How many samples there may be in `[start, end)`, at the most."""
        rows = sum(len(each.frame) for each in snapshot.waiting)
        for segment in snapshot.segments:
            if segment.low < end and segment.high >= start:
                first = max(0, int(np.searchsorted(segment.starts, start)) - 1)
                last = int(np.searchsorted(segment.starts, end))
                rows += min(segment.rows, (last - first) * ROWS)
        return rows

    def read(
        self, snapshot: Snapshot, span: Span, names: Sequence[str], trouble: Trouble, *, identity: bool = False
    ) -> Identified | None:
        """The samples in a stretch of time, of segments and of what waits; None without any."""
        parts = []
        for segment in snapshot.segments:
            if segment.low < span[1] and segment.high >= span[0]:
                try:
                    parts.append(self._files.read(segment, *span, names, identity=identity))
                except DamagedError as error:
                    trouble.told[segment.name] = _lost(segment, error)
        for each in snapshot.waiting:
            inside = (each.frame.t >= span[0]) & (each.frame.t < span[1])
            if inside.any():
                parts.append(each.rows(inside)._replace(frame=each.frame.only(names).rows(inside)))
        some = [part for part in parts if len(part.frame)]
        return together(some) if some else None

    def raw(self, snapshot: Snapshot, span: Span, asked: Asked, trouble: Trouble) -> dict[str, Frame]:
        """The samples of fields in segments, each of the kind asked for, in the order of time."""
        start, end = span
        found: dict[str, list[Frame]] = {}
        for segment in snapshot.segments:
            if segment.low < end and segment.high >= start:
                names = [name for name, kept in asked.items() if segment.kinds.get(name) == kept.kind]
                try:
                    frame = self._files.read(segment, start, end, names).frame if names else None
                except DamagedError as error:
                    trouble.told[segment.name] = _lost(segment, error)
                    continue
                if frame is not None and len(frame):
                    for name in names:
                        found.setdefault(name, []).append(frame.only((name,)))
        return {name: _in_time(frames) for name, frames in found.items()}


def cuts(segments: Sequence[Segment]) -> list[int]:
    """Times that cut all samples into stretches of about a million."""
    if not segments:
        return []
    starts = np.unique(np.concatenate([segment.starts for segment in segments]))
    return [*starts[:: max(1, _AT_ONCE // ROWS)].tolist(), max(segment.high for segment in segments) + 1]


def slug(timeline: str) -> str:
    """A timeline's name as that of a folder."""
    plain = "".join(c if c.isalnum() or c in "-_" else "_" for c in timeline)[:60]
    return plain if plain == timeline else f"{plain}-{zlib.crc32(timeline.encode()):08x}"


def _in_time(frames: Sequence[Frame]) -> Frame:
    whole = concat(frames)
    return whole.rows(np.argsort(whole.t, kind="stable")) if (whole.t[1:] < whole.t[:-1]).any() else whole


def _lost(segment: Segment, error: DamagedError) -> str:
    return (
        f"{segment.rows} samples between {utc(segment.low)} and {utc(segment.high)} cannot be read, "
        f"for their file is damaged: {error}"
    )


def _weight(samples: Identified) -> int:
    return samples.frame.t.nbytes * 2 + sum(c.values.nbytes for c in samples.frame.columns.values())


def _accounts(samples: Identified) -> dict[str, int]:
    """For each epoch one past its last sequence among these."""
    return {
        epoch: int(samples.seq[samples.of == number].max()) + 1
        for number, epoch in enumerate(samples.epochs)
        if epoch is not None and (samples.of == number).any()
    }


def _pieces(samples: Identified) -> list[Identified]:
    """The samples in parts of the size of a segment."""
    rows = max(ROWS, min(MOST_ROWS, MOST_BYTES * len(samples.frame) // max(1, _weight(samples))))
    return [samples.rows(slice(i, i + rows)) for i in range(0, len(samples.frame), rows)]
