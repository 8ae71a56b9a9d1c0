"""Answers from an archive: of stored bins where the screen asks for fewer points than there are samples."""

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from sisock import reduction
from sisock.axes import merge
from sisock.bins import Bins, alike, one
from sisock.frames import Answer, Frame, Part, Query
from sisock.gaps import of_bins
from sisock.grid import Grid
from sisock.grouping import Many, in_line, join
from sisock.store import elder, texts
from sisock.store.asked import FEW, Asked, asked_of, is_text, no_longer, now, singly
from sisock.store.identified import Identified
from sisock.store.levels import Level
from sisock.store.recorded import Recorded, Samples
from sisock.store.snapshot import Trouble
from sisock.store.tiers import Kept, Span, binned
from sisock.times import NS, utc

MOST_VALUES = 64_000_000  # of an answer that is not reduced
_AT_ONCE = 2_000_000  # samples in memory at a time where bins are made of very many
_LOST = "bins of {} between {} and {} were damaged, and their samples are no longer kept: some may be missing"


class _ChangedError(Exception):
    """Samples went while they were asked for."""


def answer(timelines: Sequence[Recorded], query: Query) -> Answer:
    """What the timelines have of the fields that the query asks for, reduced and labelled.

    Raises TooMuchError with the cure where more is asked than an answer can hold.
    """
    while True:
        with contextlib.suppress(_ChangedError):
            trouble = Trouble()
            return _answer(list(asked_of(timelines, query, trouble)), query, trouble)


def _answer(asked: Sequence[Asked], query: Query, trouble: Trouble) -> Answer:
    stored = [each for each in asked if _of_bins(each, query)]
    how = reduction.grid_of(query, [each.span for each in asked], midnights=not stored)
    if how is not None and query.bin is None:
        how = _widened(how, stored, reduction.needs_of(query))
    if how is not None:
        how = _coarsened(how, stored, reduction.needs_of(query), trouble)
    made = _direct([each for each in asked if each not in stored], query, how, trouble)
    if stored and how is not None:
        found = [_stored(each, query, how, trouble) for each in stored]
        parts = (*made.parts, *(part for parts, _ in found for part in parts))
        tier = max((width for _, width in found if width), default=None)
        made = replace(made, parts=merge(parts), method=reduction.method_of(query), bin=how.width, tier=tier)
    return replace(made, notices=(*made.notices, *trouble.sentences()))


def _of_bins(asked: Asked, query: Query) -> bool:
    """Whether it is answered from stored bins."""
    if asked.new is not None:
        return False
    if asked.span[0] < asked.raw_from and asked.series.kinds:
        return query.max_points is not None or query.bin is not None
    return asked.rows > FEW and reduction.is_reduced(query, asked.rows)


def _widened(how: Grid, stored: Sequence[Asked], wanted: set[str]) -> Grid:
    """Bins that the tiers of all timelines can serve, where that makes them little wider."""
    width = how.width
    for tiers in sorted((each.series.tiers for each in stored), key=lambda each: each.finest):
        width = tiers.widened(width, wanted)
    return how if width == how.width else Grid(width, how.most)


def _coarsened(how: Grid, stored: Sequence[Asked], wanted: set[str], trouble: Trouble) -> Grid:
    """Bins of whole stored ones where these stand for the samples; told where that makes them wider."""
    width = how.width
    old = [each for each in stored if each.span[0] < each.raw_from]
    units = [each.series.tiers.old_width(wanted) for each in old]
    for unit in sorted(each for each in units if each is not None):
        width = -(-width // unit) * unit
    if width == how.width:
        return how
    trouble.told["wider"] = f"{no_longer(old[0])}: bins were made {width / NS:.3g} s wide"
    return Grid(width, how.most)


# of samples -------------------------------------------------------------------------------------


def _direct(asked: Sequence[Asked], query: Query, how: Grid | None, trouble: Trouble) -> Answer:
    """Answers made of the samples themselves."""
    frames, until = [], {}
    for each in (singly(each, trouble) for each in asked):
        if each.rows * len(each.names) > MOST_VALUES:
            raise reduction.TooMuchError(
                f"up to {each.rows} samples of {len(each.names)} fields are too many for one answer: "
                "ask for less time, fewer fields or max_points"
            )
        samples = _samples(each, trouble)
        if samples is not None:
            frames.append(replace(each.like, t=samples.frame.t, columns=samples.frame.columns))
            until[each.series.timeline] = each.span[1]
    return reduction.answer(frames, query, until, how)


def _samples(asked: Asked, trouble: Trouble) -> Identified | None:
    if asked.new is None:
        return asked.snapshot.read(asked.span, asked.names, trouble)
    return asked.snapshot.read_new(asked.span, asked.names, asked.new, trouble)


# of stored bins ---------------------------------------------------------------------------------


def _stored(asked: Asked, query: Query, how: Grid, trouble: Trouble) -> tuple[list[Part], int | None]:
    """A part for each field, and the width of the tier that they were made of."""
    series, wanted = asked.series, reduction.needs_of(query)
    with series.lock:  # tiers, what is stored and what waits, at one moment
        level = series.tiers.level_for(how.width, wanted)
        before, asked = asked.raw_from, now(series, query, trouble) or asked
        if before != asked.raw_from:
            raise _ChangedError
        fields = series.asked([name for name in asked.names if not is_text(asked, name)])
        kept = [kept for _, kept in fields]
        read = series.tiers.read(kept, _outward(asked, level), how.width, wanted, level, asked.few)
        pieces = [([fields[row] for row in rows], pieces) for rows, pieces in read]
    for start, end in elder.lost(series.tiers):
        if start < asked.span[1] and end > asked.span[0]:
            trouble.told[f"lost {series.timeline}"] = _LOST.format(
                series.timeline or "this timeline", utc(start), utc(end)
            )
    parts, like, gaps = [], asked.like, dict[bytes, tuple[Span, ...]]()
    for name, bins in bins_of(asked, pieces, how, wanted, trouble).items():
        points, starts = reduction.drawn(like, name, bins, query), bins.start.tobytes()
        if starts not in gaps:  # most fields have bins at the same times
            gaps[starts] = of_bins(bins.start, how.width)
        parts.append(Part(points, series.timeline, asked.span[1], bins.samples, gaps[starts]))
    parts += [texts.part_of(asked, name, query, how, trouble) for name in asked.names if is_text(asked, name)]
    return parts, None if level is None else level.width


def bins_of(
    asked: Asked, stored: Iterable[tuple[list[tuple[str, Kept]], list[Many | Span]]], how: Grid, wanted: set[str],
    trouble: Trouble,
) -> dict[str, Bins]:  # fmt: skip
    """The bins of each field: `stored` ones, those of the samples in between, and those of what waits to be written."""
    snapshot, width = asked.snapshot, how.width
    found: dict[str, list[Bins]] = {}
    for fields, pieces in stored:
        names = dict(fields)
        line = [
            piece if isinstance(piece, Many) else _between(snapshot, piece, names, width, wanted, trouble)
            for piece in pieces
        ]
        whole = in_line([each for each in line if each is not None], width)
        if whole is not None:
            for name, bins in zip(names, whole.each(len(names)), strict=True):
                found.setdefault(name, []).append(bins)
    waiting = snapshot.only_waiting().read(asked.span, asked.names, trouble)
    if waiting is not None:
        for some in _by_type(waiting.frame.only(name for name in asked.names if not is_text(asked, name))):
            more = binned(dict.fromkeys(some, waiting.frame), some, width, wanted)
            for name, bins in zip(some, more.each(len(some)) if more else [], strict=False):
                found.setdefault(name, []).append(bins)
    joined = {name: join(alike(parts)) for name, parts in found.items() if any(len(each.start) for each in parts)}
    return {name: one(bins) if how.most == 1 else bins for name, bins in joined.items()}


def _by_type(frame: Frame) -> Iterable[list[str]]:
    """The fields of a frame, those of each type of values together."""
    types: dict[np.dtype[Any], list[str]] = {}
    for name, column in frame.columns.items():
        types.setdefault(column.values.dtype, []).append(name)
    return types.values()


def _outward(asked: Asked, level: Level | None) -> Span:
    """The span, up to whole bins of the level where there are no samples beyond it."""
    start, end = asked.span
    if level is None:
        return start, end
    width, old = level.width, asked.series.tiers.old
    beyond = -(-end // width) * width if end >= asked.ends[1] else end
    cut = old is not None and start == old.cut
    return start // width * width if start <= asked.ends[0] and not cut else start, beyond


def _between(
    snapshot: Samples, span: Span, fields: Mapping[str, Kept], width: int, wanted: set[str], trouble: Trouble
) -> Many | None:
    """The bins of a stretch of which there are no stored ones."""
    parts = [
        binned(snapshot.raw(some, fields, trouble), list(fields), width, wanted)
        for some in snapshot.stretches(span, _AT_ONCE)
    ]
    return in_line([part for part in parts if part is not None], width)
