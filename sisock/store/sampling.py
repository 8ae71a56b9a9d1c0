"""Single samples of an archive: the last of a field at or before an instant, the one before, the next."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

from sisock import nearest, reduction
from sisock.frames import Answer, Frame, Query
from sisock.nearest import Which
from sisock.store import reading
from sisock.store.recorded import Recorded, Samples
from sisock.store.snapshot import Trouble
from sisock.store.tiers import Span
from sisock.times import utc

_MOST_GROUPS = 256  # row groups that are looked through for a text


def sample(timelines: Iterable[Recorded], fields: Sequence[str], t: int, which: Which) -> Answer:
    """The sample of each field that is nearest to an instant and has a value, on an axis of its own.

    Where it is, tiers tell: what lies in between is not read. A text is sought in the samples, not without end.
    """
    trouble, found = Trouble(), dict.fromkeys(fields)
    samples: dict[str, Frame | None] = dict(found)
    for series in timelines:
        for name in fields:
            if name in series.fields:
                samples[name] = nearest.nearer(samples[name], _sample(series, name, t, which, trouble), which)
    return nearest.answer(samples.values(), which, trouble.sentences())


def _sample(series: Recorded, name: str, t: int, which: Which, trouble: Trouble) -> Frame | None:
    """The one of a timeline; None if it has none on that side."""
    start, end = nearest.sought(t, which)
    snapshot, old = series.snapshot(), series.tiers.old
    went = old is not None and old.first < end and start < old.beyond
    start = max(start, series.tiers.single_from)
    if went and (start >= end or which == "after"):
        _tell(series, trouble)
        return None
    kinds = {text for _, text, *_ in snapshot.kinds((start, end), (name,))}
    binned = series.kinds.get(name) and True not in kinds
    moment = _moment(series, name, (start, end), which) if binned else None
    spans: Iterable[Span] = [(moment, moment + 1)] if moment is not None else ()
    if not binned:
        spans = _looks(snapshot, (start, end), which, name, trouble)
    each_kind = [snapshot.without({name: text}) for text in kinds] if len(kinds) > 1 else [snapshot]
    for span in spans:
        found: Frame | None = None
        for samples in each_kind:
            held = samples.read(span, (name,), trouble)
            if held is not None:
                frame = Frame(series.timeline, held.frame.t, held.frame.columns, *snapshot.identity)
                found = nearest.nearer(found, nearest.nearest(frame, name, *span, which), which)
        if found is not None:
            return Frame(found.timeline, found.t, found.columns, *snapshot.identity)
    if went:
        _tell(series, trouble)
    return None


def _tell(series: Recorded, trouble: Trouble) -> None:
    """Tell that the sample may be one of those that went."""
    before = utc(series.tiers.single_from)
    trouble.told[series.timeline] = (
        f"samples of {series.timeline or 'this timeline'} before {before} are no longer kept singly: ask for bins"
    )


def _moment(series: Recorded, name: str, span: Span, which: Which) -> int | None:
    """When the sample is, as bins tell; None if there is none."""
    statistic = "t_first" if which == "after" else "t_last"
    query = Query((name,), *span, max_points=1, reduce="bins", statistics=(_SHOWN[statistic], "count"))
    for part in reading.answer([series], query).parts:
        bins = reduction.bins_from(part.points, name)
        if bins is not None and (bins.count > 0).any():
            times = getattr(bins, statistic)[bins.count > 0]
            return int(times.min() if which == "after" else times.max())
    return None


_SHOWN = {own: shown for shown, own in reduction.STATISTICS.items()}


def _looks(samples: Samples, span: Span, which: Which, name: str, trouble: Trouble) -> Iterator[Span]:
    """Stretches away from the instant, each of a row group or so."""
    ends = samples.ends()
    if ends is None:
        return
    start, end = max(span[0], ends[0]), min(span[1], ends[1])
    if start >= end:
        return
    cuts = [start, *(cut for cut in samples.starts_within(start, end).tolist() if cut > start), end]
    stretches = list(pairwise(cuts))
    yield from (stretches if which == "after" else stretches[::-1])[:_MOST_GROUPS]
    if len(stretches) > _MOST_GROUPS:
        trouble.told[f"::{name}"] = f"{name} was looked for in {_MOST_GROUPS} stretches only: ask for a nearer instant"
