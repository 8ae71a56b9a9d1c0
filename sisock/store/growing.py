"""Samples on their way into tiers: merged into the blocks there are, and further blocks kept where these pay."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sisock.bins import EVERY, Bins, join, of_samples, regroup
from sisock.frames import Frame, Times
from sisock.grid import floors, starts_of
from sisock.store.levels import BLOCK, Level
from sisock.store.tiers import LEAN, STEP, WIDEST, Asked, Kept, Raw, Tiers, Write, binned

ENDS = frozenset({"first", "last", "t_first", "t_last"})  # what all but the finest tier know besides
FEWEST = 2048  # samples of a timeline for which tiers are begun
_SOME = 256  # samples of a block for which it is kept, once there are tiers
_FULL = 4  # blocks of a field beyond which a coarser tier is begun
_AT_ONCE = 16  # fields whose samples are read at once
_LEVELS = 16


class Taken(NamedTuple):
    """Samples on their way into the tiers: their times, their bins in each tier, what changes of blocks there are."""

    t: Times
    starts: Times  # when the finest bins of all of them begin
    bins: dict[str, list[Bins]]
    writes: list[Write]


class _Sources(NamedTuple):
    """Where the bins of a new block come from."""

    taken: Taken
    known_until: int
    raw: Raw

    def samples(self, start: int, end: int, fields: Asked) -> int:
        """How many samples of these fields there are in `[start, end)`."""
        if start >= self.known_until:
            first, last = np.searchsorted(self.taken.t, (start, end))
            return int(last - first)
        return max((len(frame) for frame in self.raw(start, end, fields).values()), default=0)

    def fresh(self, number: int, start: int, end: int, names: Sequence[str]) -> dict[str, Bins] | None:
        """The bins of one level, if all of their samples are those just taken."""
        known = {name: self.taken.bins[name] for name in names if name in self.taken.bins}
        if start < self.known_until or any(number >= len(bins) for bins in known.values()):
            return None
        return {name: _within(bins[number], start, end) for name, bins in known.items()}


def take(tiers: Tiers, fields: Mapping[str, Kept], frame: Frame) -> Taken:
    """These samples, in the order of time, as bins of every tier, ready to be added."""
    if not tiers.levels:
        return Taken(frame.t, frame.t, {}, [])
    width = tiers.levels[0].width
    at = starts_of(frame.t, width)
    start = floors(frame.t[at], width)
    taken = Taken(frame.t, start, {}, [])
    for name, kept in fields.items():
        column = frame.columns.get(name)
        if column is not None:
            bins = taken.bins[name] = [of_samples(frame.t, column, at, start)]
            bins += (bins[0] for _ in tiers.levels[1:])
            for number, level in enumerate(tiers.levels):
                bins[number] = regroup(bins[max(0, number - 1)], level.width)
                taken.writes.extend(_merged(level, kept, bins[number]))
    return taken


def _merged(level: Level, kept: Kept, bins: Bins) -> Iterator[Write]:
    """What the level will have of these bins, as far as it keeps their blocks."""
    numbers = bins.start >> level.exponent
    there = level.kept(kept.number, numbers)
    if not there.any():
        return
    bins, numbers = (bins, numbers) if there.all() else (bins.rows(there), numbers[there])
    wanted = LEAN if not level.full else LEAN | ENDS
    before = level.bins_at(kept.number, kept.kind, numbers, wanted)
    if len(before.start):
        bins = join([before, bins.only(wanted)])
    yield Write(level.exponent, kept.number, *level.coded(bins))


def apply(tiers: Tiers, writes: Sequence[Write]) -> None:
    """Write what `take` made; once more changes nothing."""
    levels = {level.exponent: level for level in tiers.levels}
    for write in writes:
        if write.exponent in levels:
            levels[write.exponent].put(write.field, write.numbers, write.records)


def grow(tiers: Tiers, fields: Mapping[str, Kept], taken: Taken, known_until: int, raw: Raw) -> None:
    """Keep the blocks that pay since these samples came; `raw` knows them already, as do the blocks there are.

    Of blocks from `known_until` on there are no other samples.
    """
    t, number = taken.starts, 0
    while number < len(tiers.levels):
        level = tiers.levels[number]
        for block in _distinct((t >> level.exponent) // BLOCK):
            _grow_block(tiers, number, block, fields, _Sources(taken, known_until, raw))
        if number + 1 == len(tiers.levels) and _is_full(tiers, level):
            tiers.add_level(level.exponent + STEP)
            t = level.times()  # the new one has to know all there is
        number += 1


def _is_full(tiers: Tiers, level: Level) -> bool:
    """Whether bins of this width are so many that coarser ones pay."""
    return level.most > _FULL and level.exponent + STEP <= WIDEST and len(tiers.levels) < _LEVELS


def _grow_block(tiers: Tiers, number: int, block: int, fields: Mapping[str, Kept], sources: _Sources) -> None:
    """Keep this block of all fields for which it pays."""
    level = tiers.levels[number]
    start, end = block * BLOCK << level.exponent, (block + 1) * BLOCK << level.exponent
    new = {name: kept for name, kept in fields.items() if not level.has(kept.number, block)}
    if number:
        new = {name: kept for name, kept in new.items() if _pays(tiers, number, kept.number, block)}
    elif new and sources.samples(start, end, _first(new)) < (_SOME if level.blocks else FEWEST):
        return
    names = list(new)
    for some in (names[i : i + _AT_ONCE] for i in range(0, len(names), _AT_ONCE)):
        asked = {name: new[name] for name in some}
        fresh = sources.fresh(number, start, end, some)
        frames = sources.raw(start, end, asked) if fresh is None and number < 2 else {}
        for name, kept in asked.items():
            if fresh is not None:
                made = fresh.get(name)
            elif number < 2:
                many = binned(frames, [name], level.width, EVERY)
                made = None if many is None else many.bins
            else:
                made = tiers.bins(name, kept, (start, end), level.width, EVERY, sources.raw, number - 1)
            if made is not None and len(made.start):
                level.add(kept.number, block, *level.coded(made))


def _pays(tiers: Tiers, number: int, field: int, block: int) -> bool:
    """Whether a coarser block is worth keeping, by how many of those below it are."""
    below = tiers.levels[number - 1]
    kept = sum(below.has(field, each) for each in range(block << STEP, (block + 1) << STEP))
    return kept >= (1 if tiers.levels[number].blocks else 2)


def _first(fields: Asked) -> Asked:
    """One of the fields, for all of them."""
    return dict(list(fields.items())[:1])


def _distinct(numbers: NDArray[np.int64]) -> list[int]:
    """Each of ascending numbers once."""
    return numbers[np.flatnonzero(np.diff(numbers, prepend=numbers[0] - 1))].tolist() if len(numbers) else []


def _within(bins: Bins, start: int, end: int) -> Bins:
    first, last = np.searchsorted(bins.start, (start, end))
    return bins.rows(slice(first, last))
