"""What is asked of one timeline, as it is at one moment."""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import numpy as np

from sisock.frames import Frame, Query
from sisock.store.kinds import Won, settled
from sisock.store.parquet import ROWS
from sisock.store.recorded import Recorded, Samples
from sisock.store.snapshot import Trouble
from sisock.store.tiers import Span
from sisock.times import FIRST, NS, utc

FEW = 2 * ROWS  # samples up to which they are read, whatever tiers there are


class Asked(NamedTuple):
    """What is asked of one timeline: fields it has, the time both have in common, what there was of it at one moment."""

    series: Recorded
    names: list[str]
    span: Span
    ends: Span  # of all there is
    snapshot: Samples
    rows: int  # samples at the most
    raw_from: int  # before, bins stand for the samples
    single_from: int  # before, samples went
    new: Mapping[str, int] | None  # where only what is new is asked for: epochs, each from a sequence on
    won: Mapping[str, Won]  # what those fields are here that have been texts and others

    def few(self, start: int, end: int) -> bool:
        """Whether there are so few samples in `[start, end)` that they are quicker to read than bins."""
        return self.snapshot.rows_within(start, end) <= FEW

    @property
    def like(self) -> Frame:
        """No samples, with the timeline's name, and how far all of them went at that moment."""
        return Frame(self.series.timeline, np.empty(0, np.int64), {}, *self.snapshot.identity)


def asked_of(timelines: Iterable[Recorded], query: Query, trouble: Trouble) -> Iterator[Asked]:
    """What is asked of each timeline that has some of it."""
    for series in timelines:
        asked = now(series, query, trouble)
        if asked is not None:
            yield asked


def now(series: Recorded, query: Query, trouble: Trouble) -> Asked | None:
    """What is asked of the timeline as it is now; None if it has nothing of that."""
    snapshot = series.snapshot()
    names = [name for name in query.fields if name in series.fields]  # not before: all fields of the snapshot are known
    ends = snapshot.ends()
    if not names or ends is None:
        return None
    new = snapshot.since(*query.since[series.timeline]) if series.timeline in query.since else None
    some = snapshot if new is None else snapshot.having(new)
    old = series.tiers.old  # not before the snapshot: what went is told
    span = max(query.start, ends[0], old.cut if old else FIRST), min(query.end, ends[1])
    if span[0] >= span[1] or new == {}:
        return None
    some, won = settled(series, some, span, names, trouble)
    return Asked(
        series,
        names,
        span,
        ends,
        some,
        some.rows_within(*span),
        *((old.raw_from, old.beyond) if old else (FIRST, FIRST)),
        new,
        won,
    )


def no_longer(asked: Asked) -> str:
    """The beginning of a sentence on samples that went."""
    return f"samples of {asked.series.timeline or 'this timeline'} before {utc(asked.single_from)} are no longer kept singly"


def singly(asked: Asked, trouble: Trouble) -> Asked:
    """What is asked as far as samples are kept; what is not is told."""
    if asked.new is not None or asked.span[0] >= asked.single_from:
        return asked
    width = asked.series.tiers.old_width() if asked.series.kinds else None
    cure = "" if width is None else f", only in bins of {width / NS:.3g} s: ask for max_points"
    trouble.told[f"raw {asked.series.timeline}"] = no_longer(asked) + cure
    span = min(asked.single_from, asked.span[1]), asked.span[1]
    return asked._replace(span=span, rows=asked.snapshot.rows_within(*span))


def is_text(asked: Asked, name: str) -> bool:
    """Whether a field is a text here; one of numbers may not have been written yet."""
    if name in asked.won:
        return asked.won[name].text
    if name in asked.series.kinds:
        return False
    columns = (each.frame.columns.get(name) for each in asked.snapshot.waiting)
    return all(column is None or column.type == "string" for column in columns)
