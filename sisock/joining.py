"""What was kept of a timeline and what came since as one: samples, bins and texts, each sample once."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from sisock import picking, reduction
from sisock.axes import merge
from sisock.bins import Bins, alike, of_samples, one
from sisock.frames import Answer, Frame, Part, Query, concat
from sisock.gaps import gaps, of_bins
from sisock.grid import Grid, floors, starts_of
from sisock.grouping import join, regroup
from sisock.reduction import bins_from
from sisock.uris import JOINT

STATISTIC = {each: shown for shown, each in reduction.STATISTICS.items()}


def accounts(answer: Answer) -> dict[str, tuple[str, int]]:
    """How far the answer goes, by timeline: epoch, and one past the last sequence; what came since is not in it."""
    told = ((part.of, part.points.epoch, part.points.seq) for part in answer.parts)
    return {timeline: (epoch, seq) for timeline, epoch, seq in told if epoch is not None and seq is not None}


def lines(kept: Iterable[Part], since: Iterable[Frame]) -> list[Frame]:
    """The samples of each timeline in the order of time: those kept, and those since; identity is that of the latter."""
    before = {part.of: part.points for part in kept}
    after = {frame.timeline: frame for frame in since}
    return [line(before.get(name), after.get(name)) for name in dict.fromkeys([*before, *after])]


def line(before: Frame | None, after: Frame | None) -> Frame:
    """Two frames of one timeline as one, in the order of time; of a field that has become another, the later values."""
    if before is None or after is None:
        one_of_them = before if after is None else after
        assert one_of_them is not None  # the caller has at least one
        return one_of_them
    same = [name for name, column in before.columns.items() if _fits(after, name, column.type)]
    whole = concat((before.only(same), after)) if len(after) else replace(before, epoch=after.epoch, seq=after.seq)
    t = whole.t
    return whole.rows(np.argsort(t, kind="stable")) if (t[1:] < t[:-1]).any() else whole


def _fits(after: Frame, name: str, kind: str) -> bool:
    """Whether values of this type and the later ones of the field can be one column."""
    return name not in after.columns or (after.columns[name].type == "string") == (kind == "string")


# bins -------------------------------------------------------------------------------------------


def ask_bins(query: Query, fields: Sequence[str]) -> Query:
    """The query for what is kept, whose bins `finish` as the query asks."""
    needs = reduction.needs_of(query)
    if needs & {"first", "last"}:
        needs |= {"t_first", "t_last"}  # whose is the first and the last is told by their times
    most = None if query.max_points is None else reduction.bins_of(reduction.method_of(query), query.max_points)
    return query._replace(
        fields=tuple(fields), reduce="bins", statistics=("count", *sorted(STATISTIC[each] for each in needs)),
        max_points=None if query.bin is not None else most,
    )  # fmt: skip


def grid(query: Query, kept: Answer, since: Iterable[Frame]) -> Grid | None:
    """The bins of both: those of what is kept, or some of them joined where what came since goes far beyond.

    None where there are no samples.
    """
    frames = [frame for frame in since if len(frame)]
    if kept.bin is None or query.bin is not None:
        ends = [(int(frame.t[0]), int(frame.t[-1]) + 1) for frame in frames]
        ends += [(int(p.points.t[0]), int(p.points.t[-1]) + 1) for p in kept.parts if len(p.points)]
        return reduction.grid_of(query, ends, midnights=False)
    most = reduction.bins_of(reduction.method_of(query), query.max_points or 1)
    times = [t for t in (*(p.points.t for p in kept.parts), *(frame.t for frame in frames)) if len(t)]
    if not times:
        return None
    low, high = min(int(t[0]) for t in times), max(int(t[-1]) for t in times)
    beyond = most > 1 and high // kept.bin - low // kept.bin >= most
    return Grid(kept.bin * (1 + (high - low) // (kept.bin * (most - 1)) if beyond else 1), most)


def part(
    like: Frame, name: str, kept: Iterable[Part], since: Frame | None, until: int | None, how: Grid, query: Query
) -> Part | None:
    """One field by bins, of what is kept and of what came since; None without samples. Identity is that of `like`."""
    bins = _binned(name, kept, since, how, query)
    if bins is None:
        return None
    points = reduction.drawn(like, name, bins, query)
    return Part(points, like.timeline, until, bins.samples, of_bins(bins.start, how.width))


def _binned(name: str, kept: Iterable[Part], since: Frame | None, how: Grid, query: Query) -> Bins | None:
    found = (bins_from(each.points, name) for each in kept)
    parts = [regroup(each, how.width) for each in found if each is not None and len(each.start)]
    column = None if since is None else since.columns.get(name)
    if since is not None and column is not None and len(since):
        at = starts_of(since.t, how.width)
        wanted = _wanted(query)
        made = of_samples(since.t, column, at, floors(since.t[at], how.width), wanted)
        parts = [each.only(wanted) for each in parts if _same_kind(each, made)]
        parts.append(made)
    if not parts:
        return None
    whole = join(alike(parts))
    if reduction.method_of(query) not in reduction.OF_TEXTS and not _has(whole, reduction.needs_of(query)):
        return None  # a text that nobody said was one
    return one(whole) if how.most == 1 and query.bin is None else whole


def _has(bins: Bins, wanted: Iterable[str]) -> bool:
    return all(getattr(bins, name) is not None for name in wanted)


def _wanted(query: Query) -> set[str]:
    named = ask_bins(query, ()).statistics
    return {reduction.STATISTICS[each] for each in named} - {"count", "missing"}


def _same_kind(a: Bins, b: Bins) -> bool:
    """Whether both are bins of texts, or both of values."""
    values = [each for each in (a.first, b.first) if each is not None]
    return (a.low is None) == (b.low is None) and len({each.dtype.kind == "T" for each in values}) < 2


# texts ------------------------------------------------------------------------------------------


def words(like: Frame, name: str, kept: Part | None, since: Frame | None, until: int | None, most: int) -> Answer:
    """A text by its changes, of what is kept and of what came since; without a part where there are no samples."""
    frames = [] if kept is None else [replace(kept.points.only((name,)), timeline=like.timeline)]
    later = since is not None and name in since.columns and len(since) > 0
    if since is not None and later:
        frames.append(since.only((name,)))
    if not frames:
        return Answer()
    whole = line(*frames) if len(frames) == 2 else frames[0]
    rows, _ = changes = picking.changes(whole.columns[name], most)
    points = Frame(
        f"{like.timeline}{JOINT}{name}", whole.t[rows], whole.only((name,)).rows(rows).columns, like.epoch, like.seq
    )
    samples = (kept.samples if kept is not None else 0) + (len(since) if since is not None and later else 0)
    stretches = gaps(since.t) if since is not None and later else ()
    part = Part(points, like.timeline, until, samples, (*(kept.gaps if kept is not None else ()), *stretches))
    return Answer((part,), notices=changes.notices(name))


def together(answers: Sequence[Answer], query: Query, how: Grid | None, tier: int | None) -> Answer:
    """Answers of several timelines as one; the label tells of the reduction if any of them was reduced."""
    parts = merge([part for answer in answers for part in answer.parts])
    method, notices = reduction.method_of(query), dict.fromkeys(each for answer in answers for each in answer.notices)
    if how is None or not any(answer.method == method for answer in answers if answer.parts):
        return Answer(parts, notices=tuple(notices))
    return Answer(parts, method, how.width, tuple(notices), tier)


def finalized(kept: Iterable[Part], since: Mapping[str, int | None]) -> dict[str, int | None]:
    """Until when each timeline does not change: as what came since tells, or where nothing did what is kept."""
    return {**{part.of: part.finalized_until for part in kept}, **{k: v for k, v in since.items() if v is not None}}
