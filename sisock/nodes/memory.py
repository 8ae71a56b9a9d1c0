"""What a live node remembers: recent samples in memory, older ones in its journal, each of them once."""

import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from sisock.batch import Batch
from sisock.frames import Field, Frame, Query, Times
from sisock.nearest import Which, nearer
from sisock.nodes import past
from sisock.nodes.base import MOST_FIELDS, Publish
from sisock.nodes.keeping import Keeper, Notes, Noting
from sisock.nodes.threads import Threads
from sisock.store.journal import Journal, JournalError
from sisock.store.journal.pending import check_notes
from sisock.store.ring import Ring
from sisock.times import FIRST, NS

T = TypeVar("T")
log = logging.getLogger(__name__)
_READERS = 2  # questions to the journal at the same time


class Memory:
    """Ring and journal of a node. With a journal, epoch, sequences and samples of the process before go on."""

    def __init__(self, name: str, ring: int, journal: Journal | None) -> None:
        """Remember `ring` bytes of samples, and what the journal holds."""
        self.before: dict[str, Field] = {}  # fields of which there are samples of before
        self._name, self._journal = name, journal
        self._unmet: set[str] = set()  # those of before that were not sampled again yet
        self._reading = Threads(f"{name}-journal", most=_READERS)
        self._ring = Ring(ring) if journal is None else Ring(ring, journal.epoch, journal.next_seq)
        self._keeper = None if journal is None else Keeper(name, journal, self._ring.identified, self._settled)
        self._publish: Publish = lambda frame: None
        if journal is not None:
            self._restore(journal, ring)

    def _restore(self, journal: Journal, most: int) -> None:
        try:
            tail, latest = journal.tail(most), journal.latest()
            for frame in tail:
                self._ring.restore(frame)
            for timeline in {*journal.gone, *(frame.timeline for frame in latest)}:
                if (last := past.latest(journal, timeline, self._ring.oldest(timeline))) is not None:
                    self._ring.lacks(timeline, last)
        except JournalError as error:
            log.warning("%s: what was before is not known: %s", self._name, error)
            return
        for frame in (*latest, *tail):
            for name, column in frame.columns.items():
                if name in self.before or len(self.before) < MOST_FIELDS:
                    self.before[name] = Field(None, frame.timeline, column.type)
        self._unmet = set(self.before)

    @property
    def has_journal(self) -> bool:
        """True while there is a journal that can be read."""
        return self._journal is not None and not self._journal.closed

    @property
    def trouble(self) -> str | None:
        """Why samples do not come to disk now."""
        return None if self._keeper is None else self._keeper.trouble

    @property
    def lost(self) -> int:
        """Samples of this process that were given up before they came to disk."""
        return 0 if self._keeper is None else self._keeper.lost

    # keeping

    def append(self, frame: Frame) -> None:
        """Remember the frame, and publish it with its identity."""
        self.extend([frame])

    def extend(self, frames: Iterable[Frame], notes: Notes | None = None) -> None:
        """As `append`, for frames and notes that are on disk together, soon."""
        check_notes(notes or {})
        given = list(frames)
        if self._keeper is not None and self._keeper.holds(given, notes):
            self._keeper.put_behind(given, notes)
            return
        kept = [self._ring.append(frame) for frame in self._met(given)]
        if self._keeper is not None and self.has_journal:
            self._keeper.append(kept, notes)
        self._tell(kept)

    async def keep(self, frames: Sequence[Frame], notes: Noting) -> None:
        """Remember and publish the frames once they are on disk together with the notes.

        Raises JournalError where they are not, or there is no journal: then nothing of it is kept, now or later.
        """
        await self._at_disk().keep(frames, notes)

    async def written(self) -> None:
        """Return when all that was appended is on disk. Raises JournalError where it cannot be, or there is no journal."""
        await self._at_disk().written()

    def _at_disk(self) -> Keeper:
        if self._keeper is None or not self.has_journal:
            raise JournalError(f"{self._name} has no journal: SISOCK_JOURNAL=0 leaves its samples in memory only")
        return self._keeper

    def _settled(self, frames: Iterable[Frame]) -> None:
        """Remember what has just come to disk, then what came meanwhile."""
        kept = list(self._met(frames))
        for frame in kept:
            self._ring.restore(frame)
        self._tell(kept)
        for behind, notes in self._keeper.take_behind() if self._keeper is not None else ():
            self.extend(behind, notes)

    def _met(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """The frames, of whose fields it is known that they are sampled again."""
        for frame in frames:
            for name in self._unmet.intersection(frame.columns):
                self._meet(name, Field(None, frame.timeline, frame.columns[name].type))
            yield frame

    def _tell(self, frames: Iterable[Frame]) -> None:
        for frame in frames:
            self._publish(frame)

    async def opened(self) -> JournalError | None:
        """Why the journal cannot be written now; None where it can, or there is none."""
        if self._journal is None or not self.has_journal:
            return None
        try:
            await self._reading.run(self._journal.commit)
        except JournalError as error:
            return error
        return None

    def notes(self) -> dict[str, str]:
        """The notes that came with samples, as they are on disk. Raises JournalError."""
        return self._journal.notes() if self._journal is not None and self.has_journal else {}

    def _meet(self, name: str, field: Field) -> None:
        """A field of before is sampled again; it may have become one of another type."""
        self._unmet.remove(name)
        if self.before[name] != field:
            self._ring.forget(self.before[name].timeline, name)

    @contextlib.asynccontextmanager
    async def kept(self, publish: Publish) -> AsyncIterator[None]:
        """While within, what is remembered is published and comes to disk; afterwards all has, and the journal is closed."""
        self._publish = publish
        async with contextlib.nullcontext() if self._keeper is None else self._keeper.at_work():
            yield

    # remembering

    async def lacking(self, timelines: Collection[str], query: Query) -> set[str]:
        """Those of the timelines of which there may be samples of the window elsewhere only."""
        gone = await self._gone([each for each in timelines if not self._reaches(each, query)])
        return {name for name, each in gone.items() if each.whole is None or query.start < each.whole}

    def _reaches(self, timeline: str, query: Query) -> bool:
        """Whether memory alone has all of the window, or of what is new since."""
        epoch, seq = query.since.get(timeline, ("", -1))
        if epoch == self._ring.epoch and seq >= self._ring.oldest(timeline):
            return True
        whole = self._from_memory(timeline).whole
        return whole is not None and query.start >= whole

    def _from_memory(self, timeline: str) -> past.Gone:
        """What had to go from memory."""
        ring = self._ring
        return past.Gone(ring.dropped.get(timeline, 0), ring.first(timeline), ring.gone.get(timeline))

    async def _gone(self, timelines: Collection[str]) -> dict[str, past.Gone]:
        """What neither memory nor the journal has any more."""
        gone, _ = await self._from_journal(past.gone, timelines)
        here = {each: self._from_memory(each) for each in timelines}
        return here if gone is None else {each: here[each].or_of(gone[each]) for each in timelines}

    async def window(
        self, fields: Mapping[str, Field], query: Query, *, kept: bool = False
    ) -> tuple[list[Frame], tuple[str, ...]]:
        """The query's samples of these fields, a frame for each timeline in the order of time; and what there is to know.

        `kept`: what had to go from here is kept elsewhere.
        """
        recent = [self._recent(timeline, names, query) for timeline, names in _by_timeline(fields).items()]
        frames, notices = await self._from_journal(past.frames, recent, fields, query)
        missing = [] if kept else await self._missing([each.frame.timeline for each in recent], query.start)
        there = set(self._ring.timelines())
        found = [each for each in frames or (each.frame for each in recent) if len(each) or each.timeline in there]
        return found, (*missing, *notices, *self._unkept())

    def _recent(self, timeline: str, names: list[str], query: Query) -> past.Recent:
        """What is in memory of a timeline."""
        epoch, seq = query.since.get(timeline, ("", 0))
        since = seq if epoch == self._ring.epoch else 0
        frame = self._ring.window(timeline, names, query.start, query.end, since)
        return past.Recent(frame, self._ring.oldest(timeline))

    async def nearest(self, fields: Mapping[str, Field], t: int, which: Which) -> tuple[list[Frame], tuple[str, ...]]:
        """Of each field the sample nearest to t ns, as `Ring.nearest`, and what there is to know."""
        found = {name: self._ring.nearest(name, t, which) for name in fields}
        sought = {n: f for n, f in fields.items() if not self._is_nearest(found[n], f.timeline, t, which)}
        older, notices = await self._from_journal(past.samples, sought, t, which)
        for name, sample in (older or {}).items():
            found[name] = nearer(sample, found[name], which)
        lacking = {field.timeline for name, field in fields.items() if found[name] is None}
        missing = await self._missing([] if which == "after" else lacking, FIRST)
        return [each for each in found.values() if each is not None], (*missing, *notices, *self._unkept())

    def _is_nearest(self, sample: Frame | None, timeline: str, t: int, which: Which) -> bool:
        """Whether no sample that had to go from memory can be nearer."""
        whole = self._from_memory(timeline).whole
        return sample is not None and whole is not None and (t if which == "after" else int(sample.t[0])) >= whole

    async def intervals(self, timelines: Iterable[str], start: int, end: int) -> dict[str, float | None]:
        """Of each timeline the mean seconds between its samples from start to end; None where there are not two."""
        times = {timeline: self._ring.window(timeline, (), start, end).t for timeline in timelines}
        before = {timeline: self._ring.oldest(timeline) for timeline in times}
        older, _ = await self._from_journal(past.spreads, before, start, end) if start < end else (None, ())
        return {timeline: _interval(t, (older or {}).get(timeline, (0, 0, 0))) for timeline, t in times.items()}

    async def _from_journal(
        self, ask: Callable[..., T], about: Collection[Any], *more: Any
    ) -> tuple[T | None, list[str]]:
        """What the journal has of it, if there is one; or why it cannot say."""
        if not self.has_journal or not about:
            return None, []
        try:
            return await self._reading.run(ask, self._journal, about, *more), []
        except JournalError as error:
            return None, [f"{self._name}: {error}; only samples in memory are here"]

    async def _missing(self, timelines: Collection[str], start: int) -> list[str]:
        """A sentence if samples of these had to go from `start` on."""
        short = [each for each in (await self._gone(timelines)).values() if each.dropped]
        if any(each.since is None for each in short):
            return [f"{self._name} has no room for its samples: give it a larger ring"]
        where = "on disk" if self.has_journal else "in memory"
        firsts = [each.since for each in short if each.since is not None and start < each.since]
        if firsts:
            return [
                f"{self._name} remembers its samples since {_said(min(firsts))}; older ones are not {where} any more"
            ]
        lasts = [each.upto for each in short if each.upto is not None and start <= each.upto]
        if lasts:
            some = f"{self._name} remembers only some of its samples up to {_said(max(lasts))}"
            return [f"{some}; others, of before its clock was set back, are not {where} any more"]
        return []

    def _unkept(self) -> list[str]:
        """Sentences on what the journal does not have."""
        if self._keeper is None or self._journal is None:
            return []
        told = [f"{self._name}: {self.trouble}; its samples are in memory only"] if self.trouble else []
        if self._keeper.lost:
            told.append(f"{self._name} lost {self._keeper.lost} samples that could not be written to its journal")
        if self._journal.damaged:
            told.append(f"{self._journal.damaged} samples of {self._name} are damaged on disk, and left out")
        return told

    async def read_from(self, epoch: str | None, position: int, limit: int) -> Batch:
        """As `Journal.read_from`. Raises JournalError."""
        if self._journal is None:
            raise JournalError(f"{self._name} has no journal")
        batch: Batch = await self._reading.run(self._journal.read_from, epoch, position, limit)
        return batch


def _said(t: int) -> str:
    """A time in ns as people read it."""
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(t // NS))


def _by_timeline(fields: Mapping[str, Field]) -> dict[str, list[str]]:
    """The names of the fields on each timeline."""
    names: dict[str, list[str]] = {}
    for name, field in fields.items():
        names.setdefault(field.timeline, []).append(name)
    return names


def _interval(t: Times, older: tuple[int, int, int]) -> float | None:
    """Mean seconds between these samples and older ones, of which number, earliest and latest time are known."""
    count = len(t) + older[0]
    first = min([*t[:1].tolist(), *older[1 : 1 + bool(older[0])]], default=0)
    last = max([*t[-1:].tolist(), *older[2 : 2 + bool(older[0])]], default=0)
    return (last - first) / NS / (count - 1) if count > 1 else None
