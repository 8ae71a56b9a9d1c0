"""One timeline at rest: what has come and waits to be written, segments, and tiers over them."""

import secrets
import threading
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from sisock.frames import Column, Field, Frame
from sisock.store import growing, redo
from sisock.store.identified import Identified, accounts, pieces, together
from sisock.store.index import Index, Known
from sisock.store.intake import EARLIEST, Intake
from sisock.store.parquet import ROWS, described, kind_of
from sisock.store.segments import Made, SegmentFiles
from sisock.store.snapshot import Snapshot, Trouble, in_order
from sisock.store.tiers import Asked, Kept, Span, Tiers, kept_as

MOST_ROWS = 4_194_304  # of a segment
MOST_BYTES = 64 * 2**20  # of a segment, before it is compressed


class Written(NamedTuple):
    """Samples on their way into segments: how many frames waited, and from when on there were none before."""

    waited: int
    samples: Identified
    pieces: list[Identified]
    known_until: int


class Growth(NamedTuple):
    """How the tiers grow with them."""

    fields: dict[str, Kept]
    taken: growing.Taken


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
        self._segments = in_order(known.segments)
        self._intake = Intake(known.accounts, known.counts)

    # what there is

    def snapshot(self) -> Snapshot:
        """What there is now."""
        with self.lock:
            return Snapshot(self._files, self._segments, self._intake.waiting, self._intake.accounts)

    @property
    def weight(self) -> int:
        """Bytes that wait in memory."""
        return self._intake.weight

    @property
    def nbytes(self) -> int:
        """Bytes on disk."""
        return sum(segment.nbytes for segment in self._segments.every) + self.tiers.nbytes

    def asked(self, names: Sequence[str]) -> list[tuple[str, Kept]]:
        """The fields that have tiers, each with every kind of values it has had."""
        return [(name, kept) for name in names for kept in self.kinds.get(name, {}).values()]

    def put(self, frame: Frame, fields: Mapping[str, Field]) -> int:
        """Take what is new of a frame; how many samples that is. It waits in memory for `flush`."""
        with self.lock:
            known = {name: fields.get(name) or self._about(name, column) for name, column in frame.columns.items()}
            if any(self.fields.get(name) != about for name, about in known.items()):
                self.fields = {**self.fields, **known}  # others may be looking at those of before
            return self._intake.put(frame)

    def _about(self, name: str, column: Column) -> Field:
        """What is known of a field that nobody describes."""
        return self.fields.get(name) or Field(timeline=self.timeline, type=column.type)

    # writing

    def begin(self) -> "Written | None":
        """What waits, on its way into segments and tiers; None where nothing does."""
        waiting = self._intake.waiting
        if not waiting:
            return None
        samples = together(waiting)
        until = EARLIEST if self._segments.until is None else self._segments.until
        return Written(len(waiting), samples, pieces(samples, ROWS, MOST_ROWS, MOST_BYTES), until)

    def write(self, samples: Identified) -> Made:
        """The samples as a segment, which `SegmentFiles.sync` brings to disk. Raises OSError."""
        frame = samples.frame
        stamp = np.datetime_as_string(frame.t[:1].view("datetime64[ns]"), unit="s")[0].replace(":", "")
        name = f"{self.node}/{slug(self.timeline)}/{stamp}-{secrets.token_hex(4)}.parquet"
        about = {
            "node": self.node, "timeline": self.timeline, "epochs": accounts(samples), "fields": described(self.fields),
        }  # fmt: skip
        return self._files.write(name, samples, about)

    def take(self, written: "Written") -> "Growth":
        """How the tiers change with these samples."""
        frame = written.samples.frame
        self.tiers.begin(frame.t)
        numbered = self._numbered(frame)
        return Growth(numbered, growing.take(self.tiers, numbered, frame))

    def enroll(self, written: "Written", made: Sequence[Made], growth: "Growth") -> None:
        """Put it all into the index, within a change of it."""
        for each in made:
            self._index.add(self._id, *each)
        fields = {name: self.fields.get(name, Field()) for name in written.samples.frame.columns}
        self._index.describe(self._id, fields)
        self._index.account(self._id, accounts(written.samples))
        self._index.count(self._id, dict(self.counts))
        for name, kept in growth.fields.items():
            if kept.kind not in self.kinds.get(name, {}):
                self._index.know(self._id, name, kept.kind)
        if growth.taken.writes:
            self._index.redo(self._id, redo.packed(growth.taken.writes))

    def finish(self, written: "Written", made: Sequence[Made], growth: "Growth") -> None:
        """Bring the tiers up to what the index has, and let go what waited."""
        with self.lock:
            growing.apply(self.tiers, growth.taken.writes)
            for name, kept in growth.fields.items():
                self.kinds.setdefault(name, {})[kept.kind] = kept
            self._segments = in_order([*self._segments.every, *(each.segment for each in made)])
            self._intake.written(written.waited)
        growing.grow(self.tiers, growth.fields, growth.taken, written.known_until, self._known)

    def _numbered(self, frame: Frame) -> dict[str, Kept]:
        """The fields of the frame that have tiers: all but texts."""
        numbered = {}
        for name, column in frame.columns.items():
            kind = kind_of(column)
            if kind != "text":
                numbered[name] = self.kinds.get(name, {}).get(kind) or kept_as(name, kind)
        return numbered

    def _known(self, start: int, end: int, asked: Asked) -> dict[str, Frame]:
        """What segments have, as tiers ask for it."""
        return self.snapshot().raw((start, end), asked, Trouble())

    # after an unclean end

    def forget_tiers(self) -> None:
        """Have no tiers until they are rebuilt: nobody knows whether those there are were whole."""
        with self.lock:
            self.tiers.clear()

    def redo(self) -> None:
        """Write into the tiers what perhaps was not, before a sudden end."""
        for body in self._index.undone(self._id):
            growing.apply(self.tiers, redo.unpacked(body))

    def rebuild(self) -> Iterator[float]:
        """Make the tiers anew of all samples in segments; how much is done, from 0 to 1. Nothing may be flushed meanwhile.

        The ones there are serve until the new ones are whole.
        """
        place = self.tiers.folder
        fresh = Tiers(place.with_name(f"{place.name}.new"))
        fresh.clear()
        snapshot = self.snapshot()
        ends = snapshot._replace(waiting=()).ends()
        spans = list(snapshot.stretches(ends, 0)) if ends else []
        for number, span in enumerate(spans):
            for name, kept in self.asked(list(self.kinds)):
                frame = snapshot.raw(span, {name: kept}, Trouble()).get(name)
                if frame is not None:
                    self._add_to(fresh, name, kept, frame, span)
            yield (number + 1) / (len(spans) + 1)
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
        taken = growing.take(tiers, {name: kept}, frame)
        growing.apply(tiers, taken.writes)
        growing.grow(tiers, {name: kept}, taken, span[0], lambda a, b, asked: self._known(a, min(b, span[1]), asked))


def slug(timeline: str) -> str:
    """A timeline's name as that of a folder."""
    plain = "".join(c if c.isalnum() or c in "-_" else "_" for c in timeline)[:60]
    return plain if plain == timeline else f"{plain}-{zlib.crc32(timeline.encode()):08x}"
