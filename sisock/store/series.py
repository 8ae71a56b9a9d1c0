"""One timeline at rest: what has come and waits to be written, segments, and tiers over them."""

import contextlib
import logging
import threading
from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

from sisock.frames import Column, Field, Frame
from sisock.store import elder, growing, imported, redo
from sisock.store.compaction import choose
from sisock.store.drafts import Draft, drafts
from sisock.store.holes import Holes
from sisock.store.identified import Identified, accounts, latest, pieces, run, texts, together
from sisock.store.index import Index, Known
from sisock.store.intake import EARLIEST, LATEST, Intake
from sisock.store.kinds import Seen, described_so
from sisock.store.mending import mend
from sisock.store.old import Old, Told, save
from sisock.store.parquet import ROWS
from sisock.store.segments import Made, Segment, SegmentFiles, all_of
from sisock.store.snapshot import Snapshot, in_order
from sisock.store.tiers import Kept, Span, Tiers
from sisock.store.written import Growth, Written, numbered_in, span_of

log = logging.getLogger(__name__)
_ALWAYS = EARLIEST, LATEST
MOST_ROWS = 4_194_304  # of a segment
MOST_BYTES = 64 * 2**20  # of a segment, before it is compressed


class Series:
    """The samples of one timeline of one node. One thread writes, any may read."""

    def __init__(self, known: Known, index: Index, files: SegmentFiles, folder: Path) -> None:
        """Take up what the index knows; the tiers lie in the folder."""
        self.node, self.timeline = known.node, known.timeline
        self.fields, self.kinds, self.counts = dict(known.fields), known.kinds, known.counts
        self.tiers = Tiers(folder)
        self.tiers.old = old = index.old(known.id)
        self.lock = threading.RLock()
        self._id, self._index, self._files = known.id, index, files
        self._segments = in_order(known.segments)
        self._seen = Seen(known.segments, known.kinds)
        self._intake = Intake(known.accounts, known.counts)
        self._holes = Holes(index, known.id)
        missing = any(self.tiers.blocks.get(level, 0) < blocks for level, blocks in index.left(known.id).items())
        if missing or self.tiers.damaged:
            self._doubt([_ALWAYS])
        if missing and old is not None:  # nobody knows which
            self._keep_lost(((old.first, old.raw_from),))

    def close(self) -> None:
        """Let the tiers go."""
        self.tiers.close()

    def leave(self) -> None:
        """See that everything is on disk, and note what there is: if some of it is missing next time, that is noticed."""
        self.tiers.sync()
        self._holes.note()
        self._index.leave(self._id, self.tiers.blocks)

    # what there is

    def snapshot(self) -> Snapshot:
        """What there is now."""
        with self.lock:
            old = self.tiers.old
            return Snapshot(
                self._files, self._segments, self._intake.waiting, self._intake.accounts, old.ends if old else None,
                self._seen.mixed,
            )  # fmt: skip

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

    def put(self, frame: Frame, fields: Mapping[str, Field], *, again: bool = False) -> int:
        """Take what is new of a frame; how many samples that is. It waits in memory for `flush`. `again`: as `Intake.put`."""
        with self.lock:
            known = {name: fields.get(name) or self._about(name, column) for name, column in frame.columns.items()}
            if any(self.fields.get(name) != about for name, about in known.items()):
                self.fields = {**self.fields, **known}  # others may be looking at those of before
            frame = described_so(frame, known)
            self._seen.add(texts(frame))
            return self._intake.put(frame, self.tiers.raw_from, again=again)

    @contextlib.contextmanager
    def taking(self, frame: Frame, fields: Mapping[str, Field]) -> Iterator[None]:
        """Have an imported frame wait while this block writes it; no longer where that fails."""
        with self.lock:
            before = len(self._intake.waiting)
            new = self.put(frame, fields)
            parts = self._intake.waiting[before:]
        try:
            yield
        except BaseException:
            with self.lock:
                self._intake.take_back(parts, len(frame) - new)
            raise

    def _about(self, name: str, column: Column) -> Field:
        """What is known of a field that nobody describes."""
        return self.fields.get(name) or Field(timeline=self.timeline, type=column.type)

    # writing

    @property
    def last(self) -> Identified | None:
        """The last of what waits; None where nothing does."""
        return self._intake.waiting[-1] if self._intake.waiting else None

    def is_next(self, part: Identified) -> bool:
        """Whether a part of what waits is among those that are written next."""
        return any(each is part for each in run(self._intake.waiting))

    def begin(self) -> Written | None:
        """What waits, up to where a field changes between texts and others, on its way into segments and tiers.

        None where nothing waits.
        """
        waiting = run(self._intake.waiting)
        if not waiting:
            return None
        new = together(waiting)
        samples, without = imported.replacing(self.snapshot(), new, f"{self.node} {self.timeline}")
        samples, replaced = latest(samples) if None in samples.epochs else (samples, 0)
        until = max(self.tiers.raw_from, EARLIEST if self._segments.until is None else self._segments.until)
        return Written(len(waiting), samples, self._pieces(samples), until, new.frame, without, replaced)

    @staticmethod
    def _pieces(samples: Identified) -> list[Identified]:
        return pieces(samples, ROWS, MOST_ROWS, MOST_BYTES)

    def drafts(self, pieces: Sequence[Identified], without: Sequence[Segment]) -> list[Draft]:
        """The pieces as segments, to be written in the place of others."""
        return drafts(self.node, self.timeline, self.fields, pieces, [each.name for each in without])

    def take(self, written: Written) -> Growth:
        """How the tiers change with these samples."""
        frame = written.samples.frame
        with self.lock:
            self.tiers.begin(frame.t)
        numbered = numbered_in(frame, self.kinds)
        if written.without:
            self.forget_tiers(span_of(frame))
            frame = written.new.between(EARLIEST, self.tiers.raw_from)  # the rest is mended
        return Growth(numbered, growing.take(self.tiers, numbered, frame))

    def forget_tiers(self, span: Span) -> None:
        """Have no tiers any more where there are samples of this stretch, until they are mended."""
        span = max(span[0], self.tiers.raw_from), span[1]  # before, nothing could make them anew
        if span[0] < span[1]:
            self._doubt([span])
            with self.lock:
                self.tiers.forget(*span)

    def enroll(self, written: Written, made: Sequence[Made], growth: Growth) -> None:
        """Put it all into the index, within a change of it."""
        self.list_new(made)
        fields = {name: self.fields.get(name, Field()) for name in written.samples.frame.columns}
        self._index.describe(self._id, fields)
        self._index.account(self._id, accounts(written.samples))
        replaced = self.counts.get("replaced", 0) + written.replaced
        self._index.count(self._id, {**self.counts, **({"replaced": replaced} if replaced else {})})
        for name, kept in growth.fields.items():
            if kept.kind not in self.kinds.get(name, {}):
                self._index.know(self._id, name, kept.kind)
        low, beyond = span_of(written.samples.frame)
        self._index.redo(self._id, low, beyond - 1, redo.packed(growth.taken.writes))

    def finish(self, written: Written, made: Sequence[Made], growth: Growth) -> None:
        """Bring the tiers up to what the index has, and let go what waited."""
        span = span_of(written.samples.frame)
        with self.lock:
            try:
                growing.apply(self.tiers, growth.taken.writes)
                if span[0] < self.tiers.raw_from:
                    self.tiers.sync()  # what was to be written is forgotten, and nothing else could make it anew
            except OSError as error:
                self._cannot_write(span, error)
                self._forget_here(span)
            for name, kept in growth.fields.items():
                self.kinds.setdefault(name, {})[kept.kind] = kept
            self.exchange(written.without, made)
            self._intake.written(written.waited)
            if written.replaced:
                self.counts["replaced"] = self.counts.get("replaced", 0) + written.replaced
        try:
            if written.without:
                deque(self.mend(), maxlen=0)
            else:
                growing.grow(self.tiers, growth.fields, growth.taken, written.known_until, self.snapshot().sound)
        except OSError as error:
            self._cannot_write(span, error)
        with contextlib.suppress(OSError):  # tried again
            self._holes.note()

    def _cannot_write(self, span: Span, error: OSError) -> None:
        """Have the tiers of this stretch mended later: the samples themselves are safe."""
        log.warning("the tiers of %s %s cannot be written: %s", self.node, self.timeline, error)
        self._holes.add([span])

    def _forget_here(self, span: Span) -> None:
        """Have no blocks in this stretch, whatever the disk takes of that: there their checksums are wrong."""
        start = max(span[0], self.tiers.raw_from)  # before, nothing could make them anew
        for level in self.tiers.levels if start < span[1] else ():
            with contextlib.suppress(OSError):
                level.forget(start, span[1])

    # compaction

    def worth_compacting(self, but: Collection[str] = ()) -> list[Segment]:
        """Segments that should become one; none where nothing is worth it."""
        return choose(self._segments.every, but)

    def merged(self, segments: Sequence[Segment]) -> list[Draft] | None:
        """These segments as new ones, to be written; None where they are damaged, and stay. Raises AwayError."""
        read = [self._files.read(each, *_ALWAYS, list(each.kinds), identity=True) for each in segments]
        if not all_of(read):
            return None
        return self.drafts(self._pieces(together([each.samples for each in read])), segments)

    def list_new(self, made: Sequence[Made]) -> None:
        """Put segments into the index, within a change of it."""
        for each in made:
            self._index.add(self._id, *each)

    def exchange(self, without: Sequence[Segment], made: Sequence[Made]) -> None:
        """Have these segments in the place of others."""
        gone = {each.name for each in without}
        with self.lock:
            kept = [each for each in self._segments.every if each.name not in gone]
            self._segments = in_order([*kept, *(each.segment for each in made)])

    # samples that go

    def keep_old(self, old: Old) -> None:
        """Note what is kept in tiers only, within a change of the index; `let_go` follows when that is on disk."""
        fields = {name: list(field) for name, field in self.fields.items()}
        kinds = {name: list(each) for name, each in self.kinds.items()}
        save(self.tiers.folder, Told(self.node, self.timeline, fields, kinds, self._index.accounts(self._id), old))
        self._index.keep_old(self._id, old)

    def let_go(self, segments: Sequence[Segment], old: Old) -> None:
        """Answer from tiers what these segments had, and nothing from before `old.cut`."""
        with self.lock:
            self.tiers.old = old
            self.exchange(segments, ())
            elder.cut(self.tiers, old.cut)

    def _keep_lost(self, lost: tuple[Span, ...]) -> None:
        """Note where bins were lost that nothing can make anew."""
        old = self.tiers.old
        if old is not None and lost != old.lost:
            self.tiers.old = old._replace(lost=lost)
            self.keep_old(self.tiers.old)

    # tiers that are not whole

    @property
    def stale(self) -> bool:
        """Whether samples are read where bins should be, until `mend`."""
        return bool(self._holes.spans) or self.tiers.damaged

    def doubt_tiers(self) -> None:
        """Have no tiers until they are mended: nobody knows whether those there are were whole."""
        self._doubt([_ALWAYS])
        with self.lock:
            if self.tiers.old is None:
                self.tiers.clear()
            else:
                self._keep_lost(elder.doubt(self.tiers, self.tiers.old).lost)

    def _doubt(self, spans: list[Span]) -> None:
        """Note that blocks may be missing in these stretches of time."""
        self._holes.add(spans)
        self._holes.note()

    def redo(self) -> None:
        """Write into the tiers what perhaps was not, before a sudden end. Raises sqlite3.DatabaseError."""
        for low, high, body in self._index.undone(self._id):
            growing.apply(self.tiers, redo.unpacked(body), again=True)
            self._doubt([(low, high + 1)])

    def mend(self) -> Iterator[float]:
        """Make the tiers whole; how much is done, from 0 to 1. The writing thread may flush in between."""
        if self.tiers.damaged:
            self._doubt([_ALWAYS])
            with self.lock:
                self._keep_lost(elder.lost(self.tiers))
                self.tiers.drop_damaged()
        holes = self._holes.spans
        yield from mend(self, holes)
        self._holes.mended(len(holes))
