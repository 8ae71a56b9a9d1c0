"""The sample of a field that is nearest to an instant, found group by group."""

from collections.abc import Iterator

import numpy as np

from data_nodes.files.pieces import Pieces
from data_nodes.files.timeline import FileTimeline
from sisock.frames import Frame
from sisock.nearest import Which, nearest, sought
from sisock.store.snapshot import Trouble
from sisock.store.tiers import Span

_GROWTH = 4  # so at most four times of what lies between is read
_MOST = 64  # groups that are read together


def sample(timeline: FileTimeline, field: str, t: int, which: Which, troubles: list[str]) -> Frame | None:
    """The field's sample as a frame of one row; None without any. What cannot be read goes to the troubles."""
    start, end = sought(t, which)
    snapshot, trouble, found = timeline.lately(), Trouble(), None
    own = snapshot._replace(
        every=tuple(each for each in (*snapshot.every, *snapshot.late) if field in each.fields), late=()
    )
    for window in _windows(own, start, end, forward=which == "after"):
        held = own.read(window, (field,), trouble)
        found = None if held is None else nearest(held.frame, field, *window, which)
        if found is not None:
            break
    troubles += [each for each in trouble.told.values() if each not in troubles]
    return None if found is None else Frame(timeline.timeline, found.t, found.columns)


def _windows(pieces: Pieces, start: int, end: int, *, forward: bool) -> Iterator[Span]:
    """Windows that follow each other away from the instant, until there are no samples any more."""
    ends = pieces.ends()
    if ends is None:
        return
    low, high = max(start, ends[0]), min(end, ends[1])
    if low >= high:
        return
    cuts = np.unique(np.concatenate(([low], pieces.starts_within(low + 1, high), [high]))).tolist()
    cuts = cuts if forward else cuts[::-1]
    at, groups = 0, 1
    while at + 1 < len(cuts):
        beyond = min(len(cuts) - 1, at + groups)
        yield (cuts[at], cuts[beyond]) if forward else (cuts[beyond], cuts[at])
        at, groups = beyond, min(_MOST, groups * _GROWTH)
