"""What an archive had of one timeline at one moment, and its samples read."""

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple
from weakref import ref

import numpy as np

from sisock.frames import Frame, Times
from sisock.store.identified import Identified, in_time, texts, together
from sisock.store.parquet import ROWS
from sisock.store.segments import Lost, Segment, SegmentFiles
from sisock.store.storage import AwayError
from sisock.store.tiers import Asked, Span, UnreadableError
from sisock.times import LAST, utc

_AT_ONCE = 1_000_000  # samples read together
_NUMBERS = itertools.count()
_LOOKED_AT: dict[
    int, "ref[Segments]"
] = {}  # all there are; any thread adds and removes, each by one operation of a dict
_MOST_TOLD = 10  # sentences on what is lacking


@dataclass
class Trouble:
    """What an answer lacks."""

    told: dict[str, str] = field(default_factory=dict)  # sentences, by what they are about
    lost: dict[tuple[str, str | None], dict[int, Lost]] = field(default_factory=dict)  # file, field -> row group

    def lose(self, lost: Iterable[Lost]) -> None:
        """Note what could not be read."""
        for each in lost:
            self.lost.setdefault((each.segment.name, each.field), {})[each.group] = each

    def unless_away(self) -> None:
        """Raise AwayError where something could not be read for now only: what is made of the rest would not be whole."""
        away = next((each.why for groups in self.lost.values() for each in groups.values() if each.away), None)
        if away is not None:
            raise AwayError(away)

    def sentences(self) -> tuple[str, ...]:
        """All of it, for people; no more than some."""
        found = [*self.told.values(), *(_lost(list(groups.values())) for groups in self.lost.values())]
        more = len(found) - _MOST_TOLD
        return (*found[:_MOST_TOLD], *([f"and {more} more like these"] if more > 0 else ()))


@dataclass(frozen=True, eq=False)
class Segments:
    """The segments of a timeline in the order of their first times."""

    every: tuple[Segment, ...]
    lows: Times  # first time of each, shape (n,)
    highs: Times  # last time of each
    rows: Times  # samples of each
    until: int | None  # one past the last time of all; None without any

    def within(self, start: int, end: int) -> Iterator[Segment]:
        """Those that may have samples in `[start, end)`."""
        beyond = int(np.searchsorted(self.lows, end))
        for row in np.flatnonzero(self.highs[:beyond] >= start).tolist():
            yield self.every[row]

    def rows_within(self, start: int, end: int) -> int:
        """How many samples they may have in `[start, end)`, at the most."""
        inside = (self.lows >= start) & (self.highs < end)
        rows = int(self.rows[inside].sum())
        for row in np.flatnonzero(~inside & (self.lows < end) & (self.highs >= start)).tolist():
            segment = self.every[row]
            rows += min(segment.rows, len(segment.groups(start, end)) * segment.group_rows)
        return rows


def in_order(segments: Sequence[Segment]) -> Segments:
    """These segments by their first times."""
    every = tuple(sorted(segments, key=lambda each: each.low))
    lows, highs, rows = (np.array([each[i] for each in every], np.int64) for i in (2, 3, 1))
    made = Segments(every, lows, highs, rows, int(highs.max()) + 1 if every else None)
    number, remove = next(_NUMBERS), _LOOKED_AT.pop
    _LOOKED_AT[number] = ref(made, lambda _: remove(number, None))
    return made


def looked_at() -> set[str]:
    """The names of all segments that somebody may still read, whether a timeline still has them or not."""
    every = [each() for each in _LOOKED_AT.copy().values()]
    return {segment.name for some in every if some is not None for segment in some.every}


class Snapshot(NamedTuple):
    """What there was at one moment: segments, what was not in one yet, and how far both go."""

    files: SegmentFiles
    segments: Segments
    waiting: tuple[Identified, ...]
    accounts: dict[str, int]  # epoch, in the order in which they came -> one past its last sequence
    old: Span | None = None  # from when to when there are only bins
    mixed: frozenset[str] = frozenset()  # fields that have been texts and others

    @property
    def identity(self) -> tuple[str | None, int | None]:
        """The latest epoch, and one past its last sequence."""
        epoch = next(reversed(self.accounts), None)
        return epoch, None if epoch is None else self.accounts[epoch]

    def ends(self) -> Span | None:
        """Time of the first sample and one past that of the last; None without any."""
        ends = [(int(self.segments.lows[0]), self.segments.until)] if self.segments.until is not None else []
        ends += [self.old] if self.old else []
        ends += [(int(each.frame.t.min()), int(each.frame.t.max()) + 1) for each in self.waiting]
        return (min(low for low, _ in ends), max(beyond for _, beyond in ends)) if ends else None

    def rows_within(self, start: int, end: int) -> int:
        """How many samples there may be in `[start, end)`, at the most."""
        return self.segments.rows_within(start, end) + sum(len(each.frame) for each in self.waiting)

    def only_waiting(self) -> "Snapshot":
        """The same without what is in segments."""
        return self._replace(segments=in_order(()))

    def kinds(self, span: Span, names: Sequence[str]) -> Iterator[tuple[str, bool, int, int]]:
        """Of the fields that have been texts and others: whether they are texts, from when and until when at the most."""
        mixed, (start, end) = [name for name in names if name in self.mixed], span
        for segment in self.segments.within(*span) if mixed else ():
            for name in mixed:
                if name in segment.kinds:
                    yield name, segment.kinds[name] == "text", max(segment.low, start), min(segment.high, end - 1)
        for frame in (each.frame for each in self.waiting if mixed):
            t = frame.t[(frame.t >= start) & (frame.t < end)]
            for name in mixed if len(t) else ():
                if name in frame.columns:
                    yield name, frame.columns[name].type == "string", int(t.min()), int(t.max())

    def without(self, kinds: Mapping[str, bool]) -> "Snapshot":
        """The same without the values of these fields that are texts (True), or that are none."""
        every = [
            each._replace(kinds={n: kind for n, kind in each.kinds.items() if kinds.get(n) != (kind == "text")})
            if any(kinds[name] == (each.kinds.get(name, "") == "text") for name in kinds)
            else each
            for each in self.segments.every
        ]
        waiting = [
            each._replace(frame=each.frame.only(n for n, text in texts(each.frame).items() if kinds.get(n) != text))
            for each in self.waiting
        ]
        return self._replace(segments=in_order(every), waiting=tuple(waiting))

    def since(self, epoch: str, seq: int) -> dict[str, int]:
        """What is new for who has all up to this sequence, as {epoch: first sequence}: the later epochs are new as a whole.

        Nothing is where the epoch is unknown.
        """
        known = list(self.accounts)
        return {epoch: seq, **dict.fromkeys(known[known.index(epoch) + 1 :], 0)} if epoch in self.accounts else {}

    def having(self, new: Mapping[str, int]) -> "Snapshot":
        """The same with only the segments that may have something new."""
        some = [each for each in self.segments.every if any(each.epochs.get(e, 0) > first for e, first in new.items())]
        return self._replace(segments=in_order(some))

    def read_new(self, span: Span, names: Sequence[str], new: Mapping[str, int], trouble: Trouble) -> Identified | None:
        """What is new of the samples in a stretch of time; None without any."""
        held = self.read(span, names, trouble, identity=True)
        if held is None:
            return None
        firsts = np.array([LAST if epoch is None else new.get(epoch, LAST) for epoch in held.epochs])
        return held.rows(held.seq >= firsts[held.of])

    def read(self, span: Span, names: Sequence[str], trouble: Trouble, *, identity: bool = False) -> Identified | None:
        """The samples in a stretch of time, of segments and of what waits; None without any."""
        parts = []
        for segment in self.segments.within(*span):
            samples, lost = self.files.read(segment, *span, names, identity=identity)
            parts.append(samples)
            trouble.lose(lost)
        for each in self.waiting:
            inside = (each.frame.t >= span[0]) & (each.frame.t < span[1])
            if inside.any():
                parts.append(each.rows(inside)._replace(frame=each.frame.only(names).rows(inside)))
        some = [part for part in parts if len(part.frame)]
        return together(some, identity=identity) if some else None

    def raw(self, span: Span, asked: Asked, trouble: Trouble) -> dict[str, Frame]:
        """The samples of fields in segments, each of the kind asked for, in the order of time."""
        found: dict[str, list[Frame]] = {}
        for segment in self.segments.within(*span):
            names = [name for name, kept in asked.items() if segment.kinds.get(name) == kept.kind]
            if not names:
                continue
            samples, lost = self.files.read(segment, *span, names)
            trouble.lose(lost)
            for name in names:
                own = self.files.read(segment, *span, (name,), whole=True).samples if lost else samples
                if len(own.frame):
                    found.setdefault(name, []).append(own.frame)
        alike: dict[tuple[int, ...], list[str]] = {}  # fields that lie in the same frames
        for name, frames in found.items():
            alike.setdefault(tuple(map(id, frames)), []).append(name)
        return {
            name: whole
            for names in alike.values()
            for whole in [in_time([frame.only(names) for frame in found[names[0]]])]
            for name in names
        }

    def sound(self, start: int, end: int, asked: Asked) -> dict[str, Frame]:
        """As `raw`, for tiers. Raises UnreadableError if some of it is lost, AwayError."""
        trouble = Trouble()
        found = self.raw((start, end), asked, trouble)
        trouble.unless_away()
        if trouble.lost:
            raise UnreadableError(*trouble.sentences())
        return found

    def starts_within(self, start: int, end: int) -> Times:
        """Times in `[start, end)` at which row groups begin, ascending, each once."""
        groups = [segment.starts for segment in self.segments.within(start, end)]
        starts = np.unique(np.concatenate([np.empty(0, np.int64), *groups]))
        return starts[(starts >= start) & (starts < end)]

    def stretches(self, span: Span, most: int) -> Iterator[Span]:
        """The span in parts of no more than so many samples, or of about a million."""
        if self.rows_within(*span) <= most:
            yield span
            return
        cuts = self.starts_within(span[0] + 1, span[1])[:: max(1, _AT_ONCE // ROWS)].tolist()
        yield from zip([span[0], *cuts], [*cuts, span[1]], strict=True)


def _lost(lost: Sequence[Lost]) -> str:
    """A sentence on what cannot be read of one file."""
    first, last = min(lost, key=lambda each: each.group), max(lost, key=lambda each: each.group)
    segment, rows = first.segment, sum(each.segment.rows_of(each.group) for each in lost)
    return (
        f"{rows} samples{f' of {first.field}' if first.field else ''} between {utc(segment.span(first.group)[0])} and "
        f"{utc(segment.span(last.group)[1])} cannot be read from {segment.name} ({first.why}): "
        f"{'ask again later' if first.away else 'put a copy of this file back in its place'}"
    )
