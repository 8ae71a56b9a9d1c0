"""What an archive lets go of a node: the oldest samples first, the bins made of them later, no more than it is told to."""

import logging
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from sisock.store import elder
from sisock.store.levels import BLOCK
from sisock.store.retention import Retention
from sisock.store.segments import Segment
from sisock.store.series import Series
from sisock.store.tiers import UnreadableError
from sisock.times import LAST, utc

if TYPE_CHECKING:
    from sisock.store.archive import Archive

log = logging.getLogger(__name__)
_MOST = 32  # steps of one call


class _Due(NamedTuple):
    """A segment that may go, and from when on there are samples then, ns."""

    segment: Segment
    raw_from: int
    series: Series


def retain(archive: "Archive", node: str, rule: Retention, now: int, stuck: set[str]) -> list[int]:
    """Let go what is too old (at `now`, ns), then what is too much; of some steps how many samples, 0 where bins went.

    `stuck`: names of segments that have to stay, kept up. To be called by the thread that writes. Raises OSError.
    """
    steps, gone = _steps(archive, node, rule, now, stuck), list[int]()
    for step, _ in zip(steps, range(_MOST), strict=False):
        gone.append(step)
    if gone:
        samples = sum(gone)
        what = f"{samples} samples" if samples else "the oldest bins"
        log.info("%s: %s went, for no more is to be kept: %d bytes are left", node, what, _size(archive, node))
    return gone


def _steps(archive: "Archive", node: str, rule: Retention, now: int, stuck: set[str]) -> Iterator[int]:
    timelines = [series for series in archive.timelines(node) if not series.stale]
    if rule.raw_age is not None:
        for due in _due(timelines, stuck, now - rule.raw_age):
            yield from _drop(archive, due, stuck)
    if rule.bins_age is not None:
        for series in timelines:
            yield from _cut(archive, series, now - rule.bins_age)
    if rule.quota is None:
        return
    dues = iter(_due(timelines, stuck, LAST))
    while _size(archive, node) > rule.quota and (next_due := next(dues, None)) is not None:
        yield from _drop(archive, next_due, stuck)
    while _size(archive, node) > rule.quota:
        old = [(ends[0], series) for series in timelines if series.tiers.old and (ends := series.tiers.old.ends)]
        if not old:
            return
        first, series = min(old, key=lambda each: each[0])
        cuts = list(_cut(archive, series, first + _block(series)))
        if not cuts:
            return
        yield from cuts


def _size(archive: "Archive", node: str) -> int:
    return sum(series.nbytes for series in archive.timelines(node))


def _due(timelines: Sequence[Series], stuck: set[str], before: int) -> list[_Due]:
    """The segments that may go, the oldest first: all of their last blocks of bins lies before, and newer ones follow."""
    found = []
    for series in timelines:
        segments = series.snapshot().segments
        for segment in segments.every if segments.until is not None else ():
            raw_from = elder.boundary(series, segment.high + 1)
            newest = segments.until or 0
            if raw_from is not None and raw_from <= min(before, newest) and segment.name not in stuck:
                found.append(_Due(segment, raw_from, series))
    return sorted(found, key=lambda due: due.segment.high)


def _drop(archive: "Archive", due: _Due, stuck: set[str]) -> Iterator[int]:
    series, segment = due.series, due.segment
    try:
        old = elder.complete(series, [segment], due.raw_from)
    except UnreadableError as error:
        stuck.add(segment.name)
        log.warning(
            "%s %s: %s stays, for its bins cannot be made whole: %s", series.node, series.timeline, segment.name, error
        )
        return
    archive.let_go(series, [segment], old)
    yield segment.rows


def _block(series: Series) -> int:
    """Length of the blocks of bins at whose ends old ones may be cut, ns."""
    levels = series.tiers.levels
    number = max(series.tiers.old_level(), series.tiers.old_level(("first",)))
    return BLOCK * levels[number].width if levels else 1


def _cut(archive: "Archive", series: Series, t: int) -> Iterator[int]:
    """Let bins from before a time go, as far as blocks end and there are no samples any more."""
    old = series.tiers.old
    if old is None:
        return
    length = _block(series)
    at = min(t // length * length, old.raw_from)
    if at > max(old.cut, old.first):
        log.info("%s %s: bins from before %s go", series.node, series.timeline, utc(at))
        archive.let_go(series, [], old._replace(cut=at, lost=tuple(span for span in old.lost if span[1] > at)))
        yield 0
