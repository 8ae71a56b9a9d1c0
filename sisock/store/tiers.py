"""The tiers of one timeline: its samples as bins of some thirty, of four of these, and so on, ready for any zoom.

A bin of 2**n ns, the finest of 20 to 40 samples at the usual rate, each further tier 4 times coarser. A block of bins
is kept only where it pays; where it is not, finer bins or the samples themselves are few enough to be read.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sisock.bins import EVERY, Bins, Many, concat, in_line, join, of_samples, regroup
from sisock.frames import Frame, Times
from sisock.gaps import usual_interval
from sisock.grid import floors, starts_of
from sisock.store.levels import BLOCK, Level, Records, Stretch

STEP = 2  # a tier's bins are 2**2 times as wide as those of the one before
LEAN = frozenset({"low", "high", "total", "m2", "t_low", "t_high"})  # what the finest tier knows
ENDS = frozenset({"first", "last", "t_first", "t_last"})  # what the others know besides
PER_BIN = 20  # samples of a finest bin at the usual rate, at least
FEWEST = 2048  # samples of a timeline for which tiers are begun
_SOME = 256  # samples of a block for which it is kept, once there are tiers
_FULL = 4  # blocks of a field beyond which a coarser tier is begun
_AT_ONCE = 16  # fields whose samples are read at once
_LEVELS = 16
_WIDEST = 58  # exponent of the widest bins: nine years

Asked = Mapping[str, "Kept"]  # the fields, and which kind of their values
Raw = Callable[[int, int, Asked], Mapping[str, Frame]]  # samples [start, end) of each field, in the order of time
Span = tuple[int, int]  # a stretch of time, ns


class Kept(NamedTuple):
    """A field that has tiers: its number, and the kind of its values."""

    number: int
    kind: str


class Write(NamedTuple):
    """Bins of one field to be written to one tier."""

    exponent: int
    field: int
    numbers: NDArray[np.int64]
    records: Records


class Piece(NamedTuple):
    """A stretch of time to be answered from a tier, or (level None) from the samples."""

    level: Level | None
    stretch: Stretch
    start: int
    end: int


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


class Tiers:
    """All tiers of one timeline, in a folder of their own."""

    def __init__(self, folder: Path) -> None:
        """Open those there are."""
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.levels: list[Level] = []
        for exponent in sorted(int(path.stem) for path in folder.glob("*.blocks")):
            self._add_level(exponent)

    def _add_level(self, exponent: int) -> Level:
        self.levels.append(Level(self.folder, exponent, full=bool(self.levels)))
        return self.levels[-1]

    def begin(self, t: Times) -> None:
        """Choose the finest bins for samples that come like these."""
        interval = usual_interval(t)
        if not self.levels and interval:
            self._add_level(min(_WIDEST, (PER_BIN * interval - 1).bit_length()))

    @property
    def nbytes(self) -> int:
        """Bytes on disk."""
        return sum(level.nbytes for level in self.levels)

    def sync(self) -> None:
        """See that everything is on disk."""
        for level in self.levels:
            level.sync()

    def close(self) -> None:
        """Let the files go."""
        for level in self.levels:
            level.close()

    def clear(self) -> None:
        """Have no tiers any more."""
        self.close()
        self.levels.clear()
        for path in self.folder.iterdir():
            path.unlink()

    # answering

    def level_for(self, width: int, wanted: Collection[str]) -> int | None:
        """Which level bins of this width are made of; None where only samples will do."""
        fits = [i for i in range(_lowest(wanted), len(self.levels)) if width % self.levels[i].width == 0]
        return max(fits, default=None)

    def widened(self, width: int, wanted: Collection[str]) -> int:
        """The width that bins should have in place of this one, so that the finest tier serves them too."""
        low = _lowest(wanted)
        if low >= len(self.levels):
            return width
        finest = self.levels[low].width
        return -(-width // finest) * finest if width % finest and width > 2 * finest else width

    def plan(self, level: int | None, field: int, start: int, end: int, wanted: Collection[str]) -> list[Piece]:
        """How to answer `[start, end)`: pieces in the order of time, adjacent ones of samples joined."""
        low = _lowest(wanted)
        pieces: list[Piece] = []
        for piece in self._pieces(-1 if level is None else level, low, field, start, end):
            if pieces and piece.level is None and pieces[-1].level is None:
                pieces[-1] = pieces[-1]._replace(end=piece.end)
            else:
                pieces.append(piece)
        return pieces

    def _pieces(self, number: int, low: int, field: int, start: int, end: int) -> Iterator[Piece]:
        if start >= end:
            return
        if number < low or number >= len(self.levels):
            yield Piece(None, Stretch(0, 0, None), start, end)
            return
        level = self.levels[number]
        first, beyond = -(-start >> level.exponent), end >> level.exponent
        if first >= beyond:
            yield from self._pieces(self._below(number, low, end - start), low, field, start, end)
            return
        below = self._below(number, low, level.width)
        yield from self._pieces(below, low, field, start, first << level.exponent)
        for stretch in level.stretches(field, first, beyond):
            begin, close = stretch.first << level.exponent, stretch.beyond << level.exponent
            if stretch.slots is None:
                yield from self._pieces(number - 1, low, field, begin, close)
            else:
                yield Piece(level, stretch, begin, close)
        yield from self._pieces(below, low, field, beyond << level.exponent, end)

    def _below(self, number: int, low: int, length: int) -> int:
        """The finest level that has no more than a block of bins in so many ns: few pieces, not few bins, are quick."""
        return next((i for i in range(low, number) if length >> self.levels[i].exponent <= BLOCK), number - 1)

    def read(
        self, asked: Sequence[Kept], span: Span, width: int, wanted: Collection[str], level: int | None
    ) -> Iterator[tuple[list[int], list[Many | Span]]]:
        """Which of the fields asked for are stored alike, and what of these is: bins, and stretches in between.

        Of the stretches the samples have to be read; all is in the order of time.
        """
        plans = [self.plan(level, kept.number, *span, wanted) for kept in asked]
        alike: dict[tuple[object, ...], list[int]] = {}
        for row, (kept, plan) in enumerate(zip(asked, plans, strict=True)):
            alike.setdefault((kept.kind, *((p.start, p.end, p.level) for p in plan)), []).append(row)
        for rows in alike.values():
            kind, made = asked[rows[0]].kind, []
            for number, piece in enumerate(plans[rows[0]]):
                if piece.level is None:
                    made.append((piece.start, piece.end))
                else:
                    slots = np.stack([plans[row][number].stretch.slots for row in rows])  # type: ignore[arg-type]
                    first, beyond = piece.stretch.first, piece.stretch.beyond
                    made.append(piece.level.read(first, beyond, slots, kind, wanted, width))
            yield rows, made

    def bins(
        self, name: str, kept: Kept, span: Span, width: int, wanted: Collection[str], raw: Raw, level: int | None
    ) -> Bins | None:
        """The bins of a field in a stretch of time; None where there are no samples."""
        made: list[Many | None] = []
        for _, pieces in self.read([kept], span, width, wanted, level):
            made = [
                piece if isinstance(piece, Many) else binned(raw(*piece, {name: kept}), [name], width, wanted)
                for piece in pieces
            ]
        whole = in_line([each for each in made if each is not None], width)
        return None if whole is None else whole.bins

    # adding

    def take(self, fields: Mapping[str, Kept], frame: Frame) -> "Taken":
        """These samples, in the order of time, as bins of every tier, ready to be added."""
        if not self.levels:
            return Taken(frame.t, frame.t, {}, [])
        width = self.levels[0].width
        at = starts_of(frame.t, width)
        start = floors(frame.t[at], width)
        taken = Taken(frame.t, start, {}, [])
        for name, kept in fields.items():
            column = frame.columns.get(name)
            if column is not None:
                bins = taken.bins[name] = [of_samples(frame.t, column, at, start)]
                bins += (bins[0] for _ in self.levels[1:])
                for number, level in enumerate(self.levels):
                    bins[number] = regroup(bins[max(0, number - 1)], level.width)
                    taken.writes.extend(self._merged(level, kept, bins[number]))
        return taken

    def _merged(self, level: Level, kept: Kept, bins: Bins) -> Iterator[Write]:
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

    def apply(self, writes: Sequence[Write]) -> None:
        """Write what `take` made; once more changes nothing."""
        levels = {level.exponent: level for level in self.levels}
        for write in writes:
            if write.exponent in levels:
                levels[write.exponent].put(write.field, write.numbers, write.records)

    def grow(self, fields: Mapping[str, Kept], taken: "Taken", known_until: int, raw: Raw) -> None:
        """Keep the blocks that pay since these samples came; `raw` knows them already, as do the blocks there are.

        Of blocks from `known_until` on there are no other samples.
        """
        t, number = taken.starts, 0
        while number < len(self.levels):
            level = self.levels[number]
            for block in _distinct((t >> level.exponent) // BLOCK):
                self._grow_block(number, block, fields, _Sources(taken, known_until, raw))
            if number + 1 == len(self.levels) and self._is_full(level):
                self._add_level(level.exponent + STEP)
                t = level.times()  # the new one has to know all there is
            number += 1

    def _is_full(self, level: Level) -> bool:
        """Whether bins of this width are so many that coarser ones pay."""
        return level.most > _FULL and level.exponent + STEP <= _WIDEST and len(self.levels) < _LEVELS

    def _grow_block(self, number: int, block: int, fields: Mapping[str, Kept], sources: "_Sources") -> None:
        """Keep this block of all fields for which it pays."""
        level = self.levels[number]
        start, end = block * BLOCK << level.exponent, (block + 1) * BLOCK << level.exponent
        new = {name: kept for name, kept in fields.items() if not level.has(kept.number, block)}
        if number:
            new = {name: kept for name, kept in new.items() if self._pays(number, kept.number, block)}
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
                    made = self.bins(name, kept, (start, end), level.width, EVERY, sources.raw, number - 1)
                if made is not None and len(made.start):
                    level.add(kept.number, block, *level.coded(made))

    def _pays(self, number: int, field: int, block: int) -> bool:
        """Whether a coarser block is worth keeping, by how many of those below it are."""
        below = self.levels[number - 1]
        kept = sum(below.has(field, each) for each in range(block << STEP, (block + 1) << STEP))
        return kept >= (1 if self.levels[number].blocks else 2)


def _distinct(numbers: NDArray[np.int64]) -> list[int]:
    """Each of ascending numbers once."""
    return numbers[np.flatnonzero(np.diff(numbers, prepend=numbers[0] - 1))].tolist() if len(numbers) else []


def _within(bins: Bins, start: int, end: int) -> Bins:
    first, last = np.searchsorted(bins.start, (start, end))
    return bins.rows(slice(first, last))


def _lowest(wanted: Collection[str]) -> int:
    """The finest level that knows all that is wanted."""
    return 0 if LEAN.issuperset(wanted) else 1


def _first(fields: Asked) -> Asked:
    """One of the fields, for all of them."""
    return dict(list(fields.items())[:1])


def binned(frames: Mapping[str, Frame], names: Sequence[str], width: int, wanted: Collection[str]) -> Many | None:
    """The bins of the samples of several fields; None without any."""
    made = []
    for number, name in enumerate(names):
        frame = frames.get(name)
        if frame is not None and len(frame):
            at = starts_of(frame.t, width)
            bins = of_samples(frame.t, frame.columns[name], at, floors(frame.t[at], width), wanted)
            made.append(Many(bins, np.full(len(at), number)))
    if not made:
        return None
    return Many(concat([each.bins for each in made]), np.concatenate([each.of for each in made]))
