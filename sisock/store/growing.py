"""Samples on their way into tiers: merged into the blocks there are, and further blocks kept where these pay."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from sisock.bins import EVERY, Bins, fold, heads
from sisock.frames import Frame, Times
from sisock.grid import Rows, floors, starts_of
from sisock.grouping import Many, join_many, of_fields, repeated
from sisock.store.levels import BLOCK, Level
from sisock.store.records import ENDS, LEAN
from sisock.store.slots import TornError
from sisock.store.tiers import STEP, WIDEST, Asked, Raw, Tiers, UnreadableError, Write, binned
from sisock.times import LAST

FEWEST = 2048  # samples of a timeline for which tiers are begun
SOME = 256  # samples of a block for which it is kept, once there are tiers
_FULL = 4  # blocks of a field beyond which a coarser tier is begun
_AT_ONCE = 16  # fields whose samples are read at once
_VALUES = 2_000_000  # values that are binned at once
_LEVELS = 24


class Alike(NamedTuple):
    """Fields of one kind whose bins begin at the same times: for each tier these times, and the bins of all fields.

    The bins of one field follow those of the one before. Shapes (n,) and (fields * n,).
    """

    names: list[str]
    numbers: list[int]
    kind: str
    starts: list[Times]
    bins: list[Bins]

    def only(self, rows: list[int]) -> "Alike":
        """The same with only these of the fields."""
        if len(rows) == len(self.names):
            return self
        bins = [_of_fields(each, rows, len(start)) for each, start in zip(self.bins, self.starts, strict=True)]
        return Alike([self.names[r] for r in rows], [self.numbers[r] for r in rows], self.kind, self.starts, bins)


class Taken(NamedTuple):
    """Samples on their way into the tiers: their times, their bins in each tier, what changes of blocks there are."""

    t: Times
    starts: Times  # when the finest bins of all of them begin
    alike: list[Alike]
    writes: list[Write]


def take(tiers: Tiers, fields: Asked, frame: Frame) -> Taken:
    """These samples, in the order of time, as bins of every tier, ready to be added."""
    if not tiers.levels:
        return Taken(frame.t, frame.t, [], [])
    width = tiers.levels[0].width
    at = starts_of(frame.t, width)
    start = floors(frame.t[at], width)
    taken = Taken(frame.t, start, [], [])
    for asked in _groups(fields, frame):
        alike = _binned(tiers, asked, frame, at, start)
        taken.alike.append(alike)
        for number, level in enumerate(tiers.levels):
            taken.writes.extend(_merged(level, number, alike))
    return taken


def _groups(fields: Asked, frame: Frame) -> Iterator[Asked]:
    """Fields of one kind that have a value in every sample, some at a time; each other one for itself."""
    whole: dict[str, list[str]] = {}
    for name, kept in fields.items():
        column = frame.columns.get(name)
        if column is None:
            continue
        if column.missing is None and not (kept.kind == "f8" and np.isnan(column.values).any()):
            whole.setdefault(kept.kind, []).append(name)
        else:
            yield {name: kept}
    most = max(1, min(_AT_ONCE, _VALUES // max(1, len(frame))))
    for names in whole.values():
        for some in (names[i : i + most] for i in range(0, len(names), most)):
            yield {name: fields[name] for name in some}


def _binned(tiers: Tiers, asked: Asked, frame: Frame, at: Rows, start: Times) -> Alike:
    """The bins of these fields in every tier."""
    columns = [frame.columns[name] for name in asked]
    count = len(columns)
    starts, every = [start], [of_fields(frame.t, columns, at, start)]
    for level in tiers.levels[1:]:
        begins = starts[-1] - starts[-1] % level.width
        firsts = heads((begins,))
        every.append(fold(every[-1], repeated(firsts, count, len(begins)), np.tile(begins[firsts], count)))
        starts.append(begins[firsts])
    kept = list(asked.values())
    return Alike(list(asked), [each.number for each in kept], kept[0].kind, starts, every)


def _of_fields(bins: Bins, rows: list[int], size: int) -> Bins:
    return bins.rows((np.array(rows, np.intp)[:, None] * size + np.arange(size)).reshape(-1))


def _merged(level: Level, number: int, alike: Alike) -> list[Write]:
    """What the level will have of these bins, as far as it keeps their blocks."""
    while True:
        with contextlib.suppress(TornError):  # what is damaged is not kept any more
            return list(_writes(level, number, alike))


def _writes(level: Level, number: int, alike: Alike) -> Iterator[Write]:
    there = level.kept(alike.numbers, alike.starts[number] >> level.exponent)
    patterns: dict[bytes, list[int]] = {}
    for row, pattern in enumerate(there):
        if pattern.any():
            patterns.setdefault(pattern.tobytes(), []).append(row)
    for rows in patterns.values():
        yield _write(level, number, alike.only(rows), np.flatnonzero(there[rows[0]]))


def _write(level: Level, number: int, alike: Alike, places: Rows) -> Write:
    """The bins at these places together with what the level has of them."""
    count, size = len(alike.names), len(alike.starts[number])
    numbers = alike.starts[number][places] >> level.exponent
    wanted = LEAN if not level.full else LEAN | ENDS
    bins = alike.bins[number].only(wanted).rows(repeated(places, count, size))
    before = level.bins_at(alike.numbers, alike.kind, numbers, wanted)
    if len(before.of):
        bins = join_many([before, Many(bins, np.repeat(np.arange(count), len(places)))]).bins
    return Write(level.exponent, alike.numbers, numbers, level.coded(bins).reshape(count, -1))


def apply(tiers: Tiers, writes: Sequence[Write], *, again: bool = False) -> None:
    """Write what `take` made; once more (`again`: after a sudden end in between) changes nothing."""
    levels = {level.exponent: level for level in tiers.levels}
    for write in writes:
        if write.exponent in levels:
            levels[write.exponent].put(write.fields, write.numbers, write.records, again=again)


# further blocks ---------------------------------------------------------------------------------


class _Sources(NamedTuple):
    """Where the bins of a new block come from; of times from `known_until` on there are only the samples just taken."""

    taken: Taken
    known_until: int
    raw: Raw

    def samples(self, start: int, end: int, fields: Asked) -> int:
        """How many samples of these fields there are in `[start, end)`."""
        if start >= self.known_until:
            first, last = np.searchsorted(self.taken.t, (start, end))
            return int(last - first)
        return max((len(frame) for frame in self.raw(start, end, fields).values()), default=0)


def grow(tiers: Tiers, fields: Asked, taken: Taken, known_until: int, raw: Raw) -> None:
    """Keep the blocks that pay since these samples came; `raw` knows them already, as do the blocks there are.

    Of blocks from `known_until` on there are no other samples. Raises OSError where there is no room.
    """
    t, number, sources = taken.starts, 0, _Sources(taken, known_until, raw)
    while number < len(tiers.levels):
        _fill(tiers, number, fields, t, sources)
        if number + 1 == len(tiers.levels) and deepen(tiers):
            t = tiers.levels[-2].times()  # the new one has to know all there is
        number += 1


def fill(tiers: Tiers, number: int, fields: Asked, starts: Times, raw: Raw) -> None:
    """Keep the blocks of one level that pay and are missing, of those that have samples at these times (ascending).

    The finer levels are complete there. Raises OSError where there is no room.
    """
    _fill(tiers, number, fields, starts, _Sources(Taken(starts[:0], starts[:0], [], []), LAST, raw))


def deepen(tiers: Tiers) -> bool:
    """Have one more level where bins of the coarsest are so many that coarser ones pay; whether that is so."""
    level = tiers.levels[-1]
    if level.most <= _FULL or level.exponent + STEP > WIDEST or len(tiers.levels) >= _LEVELS:
        return False
    tiers.add_level(level.exponent + STEP)
    return True


def _fill(tiers: Tiers, number: int, fields: Asked, starts: Times, sources: _Sources) -> None:
    blocks = (starts >> tiers.levels[number].exponent) // BLOCK
    for block in blocks[heads((blocks,))].tolist() if len(blocks) else ():
        with contextlib.suppress(UnreadableError):
            _grow_block(tiers, number, block, fields, sources)


def _grow_block(tiers: Tiers, number: int, block: int, fields: Asked, sources: _Sources) -> None:
    """Keep this block of all fields for which it pays."""
    level = tiers.levels[number]
    start, end = block * BLOCK << level.exponent, (block + 1) * BLOCK << level.exponent
    if start < tiers.raw_from and number <= tiers.old_level(ENDS):
        return  # whoever lets samples go makes the blocks of these: others have only some of them
    new = {name: kept for name, kept in fields.items() if not level.has(kept.number, block)}
    if number and level.full:
        new = {name: kept for name, kept in new.items() if _pays(tiers, number, kept.number, block)}
    elif new and sources.samples(start, end, _first(new)) < (SOME if level.blocks else FEWEST):
        return
    if not new:
        return
    known = all(number < len(alike.starts) for alike in sources.taken.alike)
    if start >= sources.known_until and known:
        _add_taken(level, number, block, new, sources.taken)
        return
    _add_all(tiers, number, block, new, sources.raw)


def keep(tiers: Tiers, number: int, block: int, fields: Asked, raw: Raw) -> None:
    """Keep this block of all fields that have samples in it, however few. Raises UnreadableError, OSError."""
    level = tiers.levels[number]
    _add_all(tiers, number, block, {n: kept for n, kept in fields.items() if not level.has(kept.number, block)}, raw)


def _add_all(tiers: Tiers, number: int, block: int, new: Asked, raw: Raw) -> None:
    names = list(new)
    for some in (names[i : i + _AT_ONCE] for i in range(0, len(names), _AT_ONCE)):
        _add_read(tiers, number, block, {name: new[name] for name in some}, raw)


def _add_taken(level: Level, number: int, block: int, new: Asked, taken: Taken) -> None:
    """Keep a block of which all samples have just been taken."""
    edges = np.array([block * BLOCK, (block + 1) * BLOCK]) << level.exponent
    for whole in taken.alike:
        alike = whole.only([row for row, name in enumerate(whole.names) if name in new])
        first, beyond = np.searchsorted(alike.starts[number], edges).tolist()
        if alike.names and first < beyond:
            starts, places = alike.starts[number], np.arange(first, beyond)
            bins = alike.bins[number].rows(repeated(places, len(alike.names), len(starts)))
            records = level.coded(bins).reshape(len(alike.names), -1)
            level.add(alike.numbers, block, starts[first:beyond] >> level.exponent, records)


def _add_read(tiers: Tiers, number: int, block: int, new: Asked, raw: Raw) -> None:
    """Keep a block made of finer bins, or of samples that are read."""
    level = tiers.levels[number]
    start, end = block * BLOCK << level.exponent, (block + 1) * BLOCK << level.exponent
    frames = raw(start, end, new) if number < 2 else {}
    for name, kept in new.items():
        if number < 2:
            many = binned(frames, [name], level.width, EVERY)
            made = None if many is None else many.bins
        else:
            made = tiers.bins(name, kept, (start, end), level.width, EVERY, raw, tiers.levels[number - 1])
        if made is not None and len(made.start):
            level.add([kept.number], block, made.start >> level.exponent, level.coded(made)[None])


def _pays(tiers: Tiers, number: int, field: int, block: int) -> bool:
    """Whether a coarser block is worth keeping, by how many of those below it are."""
    below = tiers.levels[number - 1]
    kept = sum(below.has(field, each) for each in range(block << STEP, (block + 1) << STEP))
    return kept >= (1 if tiers.levels[number].blocks else 2)


def _first(fields: Asked) -> Asked:
    """One of the fields, for all of them."""
    return dict(list(fields.items())[:1])
