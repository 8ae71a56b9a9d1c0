"""Imported samples that take the place of others at the same times, in segments too."""

import numpy as np

from sisock.frames import Times
from sisock.store.identified import Identified, alike, texts, together
from sisock.store.intake import EARLIEST, LATEST
from sisock.store.segments import Segment, all_of
from sisock.store.snapshot import Snapshot
from sisock.store.tiers import Span


def replacing(snapshot: Snapshot, samples: Identified, whose: str) -> tuple[Identified, tuple[Segment, ...]]:
    """Samples without an identity together with those of segments that have some at the same times.

    Where a field was a text then and is none now, or the other way round, both stay. Raises OSError.
    """
    nobodys = np.array([epoch is None for epoch in samples.epochs])[samples.of]
    t = samples.frame.t[nobodys]
    if not len(t):
        return samples, ()
    span = int(t[0]), int(t[-1]) + 1
    known, same = texts(samples.frame), list[Segment]()
    for each in snapshot.segments.within(*span):
        own = {name: kind == "text" for name, kind in each.kinds.items()}
        if alike(known, own) and _has(snapshot, each, span, t):
            known |= own
            same.append(each)
    read = [snapshot.files.read(each, EARLIEST, LATEST, list(each.kinds), identity=True) for each in same]
    if not all_of(read):
        raise OSError(f"samples of {whose} cannot be replaced: a segment with some is damaged")
    return together([*(each.samples for each in read), samples]), tuple(same)


def _has(snapshot: Snapshot, segment: Segment, span: Span, t: Times) -> bool:
    """Whether a segment has samples without an identity at one of these times."""
    known, _ = read = snapshot.files.read(segment, *span, (), identity=True)
    all_of([read])  # or nobody knows now
    nobodys = np.array([epoch is None for epoch in known.epochs], bool)[known.of]
    return bool(np.isin(known.frame.t[nobodys], t).any())
