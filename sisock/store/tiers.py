"""The tiers of one timeline: its samples as bins of some thirty, of four of these, and so on, ready for any zoom.

Where samples come to be many times as frequent, finer tiers are begun below those there are.

A bin of 2**n ns, the finest of 20 to 40 samples at the usual rate, each further tier 4 times coarser. A block of bins
is kept only where it pays; where it is not, finer bins or the samples themselves are few enough to be read.
"""

import contextlib
import hashlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sisock.bins import Bins
from sisock.frames import Column, Frame, Times
from sisock.gaps import usual_interval
from sisock.grid import floors, starts_of
from sisock.grouping import Many, in_line, of_fields
from sisock.store.levels import Level
from sisock.store.old import Old
from sisock.store.planning import Few, Means, Piece, knows, plan
from sisock.store.records import LEAN, Records
from sisock.store.slots import TornError
from sisock.times import FIRST

STEP = 2  # a tier's bins are 2**2 times as wide as those of the one before
PER_BIN = 20  # samples of a finest bin at the usual rate, at least
_FOLD = 2  # bins of an answer are multiples of so many stored ones at least, where there are any so fine
_SURE = 2048  # samples by which finer bins are begun, where
_COARSE = 4  # powers of two make the finest ones too wide: 16 times
WIDEST = 58  # exponent of the widest bins: nine years

Asked = Mapping[str, "Kept"]  # the fields, and which kind of their values
Raw = Callable[[int, int, Asked], Mapping[str, Frame]]  # samples [start, end) of each field, in the order of time
Span = tuple[int, int]  # a stretch of time, ns


class UnreadableError(Exception):
    """Samples that a block would be made of cannot be read: it is not kept then."""


class Kept(NamedTuple):
    """A field that has tiers: its number, and the kind of its values."""

    number: int
    kind: str


def kept_as(name: str, kind: str) -> Kept:
    """How the tiers know a field: its number, never 0, is the same wherever it comes from: 63 bits of a BLAKE2b hash."""
    digest = hashlib.blake2b(f"{kind}:{name}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return Kept((int.from_bytes(digest, "little") >> 1) or 1, kind)


class Write(NamedTuple):
    """Bins of several fields to be written to one tier: which bins, and their records of shape (fields, n)."""

    exponent: int
    fields: list[int]
    numbers: NDArray[np.int64]
    records: Records


class Tiers:
    """All tiers of one timeline, in a folder of their own."""

    def __init__(self, folder: Path) -> None:
        """Open those there are."""
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.levels: list[Level] = []
        self.old: Old | None = None  # what is no longer kept singly
        there = sorted({int(path.stem) for kind in ("bins", "blocks") for path in folder.glob(f"[0-9][0-9].{kind}")})
        for exponent in range(there[0], there[-1] + 1, STEP) if there else ():
            self.add_level(exponent)

    def add_level(self, exponent: int) -> Level:
        """Have one more tier, coarser than all others."""
        self.levels.append(Level(self.folder, exponent, full=bool(self.levels)))
        return self.levels[-1]

    def begin(self, t: Times) -> None:
        """Choose the finest bins for samples that come like these; begin finer ones where very many would be in each."""
        interval = usual_interval(t)
        if not interval:
            return
        exponent = min(WIDEST, (PER_BIN * interval - 1).bit_length())
        if not self.levels:
            self.add_level(exponent)
            return
        finest = self.levels[0].exponent
        if len(t) >= _SURE and finest - exponent >= _COARSE:
            new = range(finest - (finest - exponent) // STEP * STEP, finest, STEP)
            finer = [Level(self.folder, each, full=number > 0) for number, each in enumerate(new)]
            self.levels = [*finer, *self.levels]  # others may be looking at those of before

    @property
    def nbytes(self) -> int:
        """Bytes on disk."""
        return sum(level.nbytes for level in self.levels)

    @property
    def finest(self) -> int:
        """Width of the finest bins, ns; 0 without any."""
        return self.levels[0].width if self.levels else 0

    def sync(self) -> None:
        """See that everything is on disk."""
        for level in self.levels:
            level.sync()

    def close(self) -> None:
        """Let the files go."""
        for level in self.levels:
            level.close()

    @property
    def damaged(self) -> bool:
        """Whether blocks are missing that were there once: samples are read in their place."""
        return any(level.damaged for level in self.levels)

    @property
    def blocks(self) -> dict[int, int]:
        """For each level, by the exponent of its width, how many blocks it keeps."""
        return {level.exponent: level.blocks for level in self.levels}

    def drop_damaged(self) -> None:
        """Forget what is damaged: whoever has the samples may make it anew."""
        for level in self.levels:
            level.drop_damaged()

    def forget(self, start: int, end: int) -> None:
        """Have no bins any more that may have samples of `[start, end)`; without them the samples are read."""
        for level in self.levels:
            level.forget(start, end)

    def clear(self) -> None:
        """Have no tiers any more."""
        self.close()
        self.levels.clear()
        for path in self.folder.iterdir():
            path.unlink()

    # where samples are no longer kept singly

    @property
    def raw_from(self) -> int:
        """Time in ns before which tiers stand for the samples."""
        return FIRST if self.old is None else self.old.raw_from

    @property
    def single_from(self) -> int:
        """Time in ns from which on every sample is kept singly: before `raw_from`, which is a block's end."""
        return FIRST if self.old is None else self.old.beyond

    def old_level(self, wanted: Collection[str] = ()) -> int:
        """The finest level that is complete before `raw_from` and knows what is wanted; -1 where nothing is old."""
        return next((number for number, _ in self._old_levels(wanted)), -1)

    def old_width(self, wanted: Collection[str] = ()) -> int | None:
        """The width of the bins of that level, ns; None where nothing is old."""
        return next((level.width for _, level in self._old_levels(wanted)), None)

    def _old_levels(self, wanted: Collection[str]) -> Iterator[tuple[int, Level]]:
        low, old = _lowest(wanted), self.old
        for number, level in enumerate(self.levels):
            if old is not None and level.exponent >= old.lean and knows(level, low):
                yield number, level

    # answering

    def level_for(self, width: int, wanted: Collection[str]) -> Level | None:
        """The level that bins of this width are made of; None where only samples will do.

        Its place among the others may change where they are not locked.
        """
        low = _lowest(wanted)
        fits = [each for each in self.levels[low:] if width % each.width == 0 and knows(each, low)]
        return fits[-1] if fits else None

    def widened(self, width: int, wanted: Collection[str]) -> int:
        """The width that bins should have in place of this one, to be made of few stored ones each."""
        fits = [level.width for level in self.levels[_lowest(wanted) :] if 2 * width > 3 * level.width]
        if not fits:
            return width
        unit = max((each for each in fits if each * _FOLD <= width), default=fits[0])
        return -(-width // unit) * unit

    def read(
        self, asked: Sequence[Kept], span: Span, width: int, wanted: Collection[str], level: Level | None,
        few: Few = lambda start, end: False,
    ) -> list[tuple[list[int], list[Many | Span]]]:  # fmt: skip
        """Which of the fields asked for are stored alike, and what of these is: bins, and stretches in between.

        Of the stretches the samples have to be read; all is in the order of time.
        """
        while True:
            with contextlib.suppress(TornError):  # what is damaged is planned with no more
                return list(self._read(asked, span, width, wanted, level, few))

    def _read(
        self, asked: Sequence[Kept], span: Span, width: int, wanted: Collection[str], level: Level | None, few: Few
    ) -> Iterator[tuple[list[int], list[Many | Span]]]:
        low, old = _lowest(wanted), self.old_level(wanted)
        number = None if level is None else self.levels.index(level)
        how = Means(self.levels, low, old, self.raw_from, few)
        plans: dict[tuple[object, ...], tuple[str, tuple[Piece, ...]]] = {}
        alike: dict[tuple[str, tuple[Piece, ...]], list[int]] = {}
        for row, kept in enumerate(asked):
            same = kept.kind, *(each.pattern(kept.number) for each in self.levels)
            if same not in plans:
                plans[same] = kept.kind, tuple(plan(how, kept.number, number, span))
            alike.setdefault(plans[same], []).append(row)
        for (kind, pieces), rows in alike.items():
            fields = [asked[row].number for row in rows]
            yield (
                rows,
                [
                    (piece.start, piece.end)
                    if piece.level is None
                    else piece.level.read(fields, piece.stretch, kind, wanted, width)
                    for piece in pieces
                ],
            )

    def bins(
        self, name: str, kept: Kept, span: Span, width: int, wanted: Collection[str], raw: Raw, level: Level | None
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


def _lowest(wanted: Collection[str]) -> int:
    """The finest level that knows all that is wanted."""
    return 0 if LEAN.issuperset(wanted) else 1


def binned(frames: Mapping[str, Frame], names: Sequence[str], width: int, wanted: Collection[str]) -> Many | None:
    """The bins of the samples of several fields, whose values are of one type; None without any."""
    made = []
    for numbers, frame, columns in _alike(frames, names):
        at = starts_of(frame.t, width)
        bins = of_fields(frame.t, columns, at, floors(frame.t[at], width), wanted)
        made.append(Many(bins, np.repeat(numbers, len(at))))
    return in_line(made, width)


def _alike(frames: Mapping[str, Frame], names: Sequence[str]) -> Iterator[tuple[list[int], Frame, list[Column]]]:
    """The fields that have samples, by number; together those of one type with a value at each of the same times."""
    together: dict[tuple[object, ...], list[int]] = {}
    for number, name in enumerate(names):
        frame = frames.get(name)
        if frame is not None and len(frame):
            column = frame.columns[name]
            whole = bool(column.present().all())
            key = (id(frame.t), column.values.dtype) if whole else (number,)
            together.setdefault(key, []).append(number)
    for numbers in together.values():
        yield numbers, frames[names[numbers[0]]], [frames[names[n]].columns[names[n]] for n in numbers]
