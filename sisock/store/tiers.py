"""The tiers of one timeline: its samples as bins of some thirty, of four of these, and so on, ready for any zoom.

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

from sisock.bins import Bins, concat, of_samples
from sisock.frames import Frame, Times
from sisock.gaps import usual_interval
from sisock.grid import floors, starts_of
from sisock.grouping import Many, in_line
from sisock.store.levels import BLOCK, Level, Records, Stretch
from sisock.store.slots import TornError

STEP = 2  # a tier's bins are 2**2 times as wide as those of the one before
LEAN = frozenset({"low", "high", "total", "m2", "t_low", "t_high"})  # what the finest tier knows
PER_BIN = 20  # samples of a finest bin at the usual rate, at least
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


class Piece(NamedTuple):
    """A stretch of time to be answered from a tier, or (level None) from the samples."""

    level: Level | None
    stretch: Stretch
    start: int
    end: int


class Tiers:
    """All tiers of one timeline, in a folder of their own."""

    def __init__(self, folder: Path) -> None:
        """Open those there are."""
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.levels: list[Level] = []
        there = sorted({int(path.stem) for kind in ("bins", "blocks") for path in folder.glob(f"[0-9][0-9].{kind}")})
        for exponent in range(there[0], there[-1] + 1, STEP) if there else ():
            self.add_level(exponent)

    def add_level(self, exponent: int) -> Level:
        """Have one more tier, coarser than all others."""
        self.levels.append(Level(self.folder, exponent, full=bool(self.levels)))
        return self.levels[-1]

    def begin(self, t: Times) -> None:
        """Choose the finest bins for samples that come like these."""
        interval = usual_interval(t)
        if not self.levels and interval:
            self.add_level(min(WIDEST, (PER_BIN * interval - 1).bit_length()))

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
    ) -> list[tuple[list[int], list[Many | Span]]]:
        """Which of the fields asked for are stored alike, and what of these is: bins, and stretches in between.

        Of the stretches the samples have to be read; all is in the order of time.
        """
        while True:
            with contextlib.suppress(TornError):  # what is damaged is planned with no more
                return list(self._read(asked, span, width, wanted, level))

    def _read(
        self, asked: Sequence[Kept], span: Span, width: int, wanted: Collection[str], level: int | None
    ) -> Iterator[tuple[list[int], list[Many | Span]]]:
        plans = [self.plan(level, kept.number, *span, wanted) for kept in asked]
        alike: dict[tuple[object, ...], list[int]] = {}
        for row, (kept, plan) in enumerate(zip(asked, plans, strict=True)):
            alike.setdefault((kept.kind, *((p.start, p.end, p.level) for p in plan)), []).append(row)
        for rows in alike.values():
            kind = asked[rows[0]].kind
            made: list[Many | Span] = []
            for number, piece in enumerate(plans[rows[0]]):
                if piece.level is None:
                    made.append((piece.start, piece.end))
                else:
                    slots = np.stack([_slots(plans[row][number]) for row in rows])
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


def _slots(piece: Piece) -> NDArray[np.intp]:
    assert piece.stretch.slots is not None  # for it is stored
    return piece.stretch.slots


def _lowest(wanted: Collection[str]) -> int:
    """The finest level that knows all that is wanted."""
    return 0 if LEAN.issuperset(wanted) else 1


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
