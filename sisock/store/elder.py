"""Tiers that outlive their samples: complete before these go, and kept where nothing can make them anew."""

from collections.abc import Sequence

import numpy as np

from sisock.durable import sync
from sisock.store import growing
from sisock.store.levels import BLOCK
from sisock.store.mending import Ahead
from sisock.store.old import Old
from sisock.store.recorded import Recorded
from sisock.store.segments import Segment
from sisock.store.snapshot import Trouble
from sisock.store.tiers import Kept, Span, Tiers, UnreadableError

_BITS = BLOCK.bit_length() - 1
_FAR = 2**62  # blocks


def boundary(series: Recorded, t: int) -> int | None:
    """From when on there are samples if those before `t` (ns) go: where blocks end; None where there are no tiers yet."""
    if not series.kinds:  # of texts there are no bins
        return t
    tiers, lean = series.tiers, _lean(series.tiers)
    if lean is None:
        return None
    full = next((each.exponent for each in tiers.levels if each.full and each.exponent > lean), lean + 2)
    return -(-t >> full + _BITS) << full + _BITS


def _lean(tiers: Tiers) -> int | None:
    """The exponent of the finest bins that are kept of everything."""
    if tiers.old is not None:
        return tiers.old.lean
    return tiers.levels[0].exponent if tiers.levels else None


def complete(series: Recorded, segments: Sequence[Segment], raw_from: int) -> Old:
    """Have all bins of two tiers, on disk, wherever these segments have samples; what is old without the segments.

    Raises UnreadableError where that cannot be: then the segments have to stay. OSError where there is no room.
    """
    tiers, before = series.tiers, series.tiers.old
    low, beyond = min(each.low for each in segments), max(each.high for each in segments) + 1
    lean = _lean(tiers) or 0
    if series.kinds and len(tiers.levels) < 2:
        tiers.add_level(lean + 2)
    for segment in segments if series.kinds else ():
        _complete(series, segment, lean)
    tiers.sync()
    for folder in (tiers.folder, *list(tiers.folder.parents)[:3]):
        sync(folder)
    if before is None:
        return Old(low, beyond, raw_from, lean)
    return before._replace(
        first=min(low, before.first), beyond=max(beyond, before.beyond), raw_from=max(raw_from, before.raw_from)
    )


def _complete(series: Recorded, segment: Segment, lean: int) -> None:
    tiers, snapshot = series.tiers, series.snapshot()
    kinds: dict[str, dict[str, Kept]] = {}
    for name, kept in series.asked(list(series.kinds)):
        kinds.setdefault(kept.kind, {})[name] = kept
    for span in snapshot.stretches((segment.low, segment.high + 1), 0):
        trouble = Trouble()
        samples = snapshot.read(span, (), trouble)
        trouble.unless_away()
        if trouble.lost:
            raise UnreadableError(*trouble.sentences())
        for number in _complete_levels(tiers, lean) if samples is not None else ():
            level = tiers.levels[number]
            blocks = np.unique(samples.frame.t >> level.exponent + _BITS).tolist() if samples is not None else []
            level.prove(blocks[0], blocks[-1] + 1)
            for fields in kinds.values():
                ahead = Ahead(snapshot)
                for block in blocks:
                    growing.keep(tiers, number, block, fields, ahead)


def _complete_levels(tiers: Tiers, lean: int) -> list[int]:
    """The finest level of which all is kept, and the finest of these that knows first and last."""
    first = next(i for i, each in enumerate(tiers.levels) if each.exponent >= lean)
    full = next(i for i, each in enumerate(tiers.levels) if each.full and each.exponent >= lean)
    return sorted({first, full})


def lost(tiers: Tiers) -> tuple[Span, ...]:
    """Stretches before `raw_from` in which bins were damaged, of samples that are no longer kept."""
    old = tiers.old
    if old is None or not tiers.levels:
        return ()
    levels = [tiers.levels[number] for number in _complete_levels(tiers, old.lean)]
    if any(level.lost for level in levels):
        return ((old.first, old.raw_from),)
    spans = {
        (block << level.exponent + _BITS, (block + 1) << level.exponent + _BITS)
        for level in levels
        for block in level.damaged_blocks()
    }
    return tuple(sorted({*old.lost, *(span for span in spans if span[0] < old.raw_from)}))


def doubt(tiers: Tiers, old: Old) -> Old:
    """Have only blocks that are proved and that nothing can make anew; what is old then."""
    keep = _complete_levels(tiers, old.lean) if tiers.levels else []
    for number, level in enumerate(tiers.levels):
        level.drop_blocks(old.raw_from >> level.exponent + _BITS if number in keep else -_FAR, _FAR)
        level.prove(-_FAR, _FAR)
    left = old._replace(lost=lost(tiers))
    tiers.drop_damaged()
    return left


def cut(tiers: Tiers, t: int) -> None:
    """Have no blocks any more that end before this time."""
    for level in tiers.levels:
        level.drop_blocks(-_FAR, t >> level.exponent + _BITS)
