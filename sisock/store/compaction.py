"""Many small segments become few large ones: which are worth it, so that a sample is written anew only a few times."""

from collections.abc import Collection, Iterator, Sequence

from sisock.store.segments import Segment

_FEWEST = 8  # segments that become one
_GROWTH = 4  # times the largest of them, at least: a sample is written anew as often as its segment can grow so
_MOST_ROWS = 2_097_152  # of a segment that is made so
_MOST_VALUES = 8_388_608  # likewise


def choose(segments: Sequence[Segment], but: Collection[str] = ()) -> list[Segment]:
    """Some neighbours in time that should become one, the smallest first; none where nothing is worth it.

    Only segments with the same fields of the same kinds come together: a field that a segment lacks is not one whose
    values are missing. `but`: names of segments that cannot be read.
    """
    found = [run for run in _runs(segments, but) if len(run) >= _FEWEST and _grows(run)]
    return min(found, key=lambda run: sum(each.rows for each in run), default=[])


def _runs(segments: Sequence[Segment], but: Collection[str]) -> Iterator[list[Segment]]:
    """Neighbours of about one size, no more of them than fit into one."""
    alike: dict[object, list[Segment]] = {}
    for segment in segments:
        if segment.name not in but:
            alike.setdefault((frozenset(segment.kinds.items())), []).append(segment)
    for group in alike.values():
        for size in range(_size(_MOST_ROWS) + 1):
            run: list[Segment] = []
            for segment in group:
                if _size(segment.rows) > size or not _fits([*run, segment]):
                    yield run
                    run = []
                if _size(segment.rows) <= size and _fits([segment]):
                    run.append(segment)
            yield run


def _size(rows: int) -> int:
    """One more for each 8 times as many."""
    return rows.bit_length() // 3


def _grows(segments: Sequence[Segment]) -> bool:
    rows = [each.rows for each in segments]
    return sum(rows) >= _GROWTH * max(rows)


def _fits(segments: Sequence[Segment]) -> bool:
    rows = sum(each.rows for each in segments)
    return rows <= _MOST_ROWS and rows * (len(segments[0].kinds) + 2) <= _MOST_VALUES
