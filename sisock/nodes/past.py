"""What a node's journal adds to what is in memory; these block, and run in a thread."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from sisock.frames import Field, Frame, Query, concat
from sisock.nearest import Which
from sisock.store.journal import Journal
from sisock.times import FIRST, LAST


class Recent(NamedTuple):
    """What is in memory of one timeline."""

    frame: Frame  # the samples asked for
    oldest: int  # sequence of the oldest sample there


class Gone(NamedTuple):
    """What had to go of one timeline."""

    dropped: int  # samples
    since: int | None  # earliest time in ns of what is left
    upto: int | None  # latest time in ns of what had to go: later than `since` where a clock was set back

    @property
    def whole(self) -> int | None:
        """From when on all samples are there; None where none is."""
        return self.since if self.since is None or self.upto is None else max(self.since, self.upto + 1)

    def or_of(self, journal: "Gone") -> "Gone":
        """That of memory or that of the journal: a node that measures seldom may remember more than is on disk."""
        more = self.whole is not None and (journal.whole is None or self.whole < journal.whole)
        return self._replace(dropped=journal.dropped) if more else journal


def gone(journal: Journal, timelines: Iterable[str]) -> dict[str, Gone]:
    """What neither memory nor the journal has any more."""
    return {timeline: Gone(*journal.oldest(timeline), journal.gone.get(timeline)) for timeline in timelines}


def latest(journal: Journal, timeline: str, oldest: int) -> int | None:
    """The latest time in ns of what is not in memory, where `oldest` is the oldest sample; None where that is nothing."""
    number, _, last = journal.spread(timeline, FIRST, LAST, (journal.epoch, oldest))
    times = [each for each in (last if number else None, journal.gone.get(timeline)) if each is not None]
    return max(times, default=None)


def frames(journal: Journal, recent: Iterable[Recent], fields: Mapping[str, Field], query: Query) -> list[Frame]:
    """The samples asked for in the order of time: those in memory, and before them those in the journal only."""
    return [_joined(journal, each, fields, query) for each in recent]


def _joined(journal: Journal, recent: Recent, fields: Mapping[str, Field], query: Query) -> Frame:
    """The frame accounts for all samples below its `seq`, as that of a ring does."""
    frame, oldest = recent
    timeline = frame.timeline
    since = query.since.get(timeline)
    seen = since[1] if since is not None and since[0] == journal.epoch else 0
    if seen >= oldest > 0:
        return frame
    names = {name for name, field in fields.items() if field.timeline == timeline}
    before = (journal.epoch, oldest)
    older = journal.window(timeline, names, query.start, query.end, since=since, before=before)
    later = journal.reaches(timeline, query.end, oldest)
    seq = frame.seq if later is None else max(later, seen)
    whole = concat([*(_of_types(each, fields) for each in older), frame])
    return Frame(timeline, whole.t, whole.columns, frame.epoch, seq).in_time()


def _of_types(frame: Frame, fields: Mapping[str, Field]) -> Frame:
    """The frame without fields that have become others of another type since."""
    return frame.only([name for name, column in frame.columns.items() if column.type == fields[name].type])


def samples(journal: Journal, fields: Mapping[str, Field], t: int, which: Which) -> dict[str, Frame | None]:
    """Of each field the sample nearest to t ns, as `Journal.nearest`."""
    found = {name: journal.nearest(field.timeline, name, t, which) for name, field in fields.items()}
    return {
        name: None if sample is None or sample.columns[name].type != fields[name].type else sample
        for name, sample in found.items()
    }


def spreads(journal: Journal, oldest: Mapping[str, int], start: int, end: int) -> dict[str, tuple[int, int, int]]:
    """Of each timeline number, earliest and latest time of what is in the journal only."""
    return {timeline: journal.spread(timeline, start, end, (journal.epoch, seq)) for timeline, seq in oldest.items()}
