"""How a stretch of time is answered: which tier has which part of it, and where the samples themselves are read."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from sisock.store.levels import BLOCK, Level, Stretch

Few = Callable[[int, int], bool]  # whether there are so few samples in [start, end) that they are better read
_NONE = Stretch(0, 0, kept=False)


class Piece(NamedTuple):
    """A stretch of time to be answered from a tier, or (level None) from the samples."""

    level: Level | None
    stretch: Stretch
    start: int
    end: int


class Means(NamedTuple):
    """What there is to answer from, as numbers of levels from the finest on."""

    levels: Sequence[Level]
    low: int  # the finest that knows what is wanted
    old: int  # the finest of which all is complete where samples are no longer kept singly; -1 for none
    raw_from: int  # time in ns before which tiers stand for the samples
    few: Few


def knows(level: Level, low: int) -> bool:
    """Whether it knows what is wanted: one that was the finest once knows no more than the finest."""
    return level.full or not low


def plan(means: Means, field: int, level: int | None, span: tuple[int, int]) -> list[Piece]:
    """How to answer a stretch of time: pieces in the order of time, adjacent ones of samples joined."""
    pieces: list[Piece] = []
    for piece in _pieces(means, field, -1 if level is None else level, *span):
        if pieces and piece.level is None and pieces[-1].level is None:
            pieces[-1] = pieces[-1]._replace(end=piece.end)
        else:
            pieces.append(piece)
    return pieces


def _pieces(means: Means, field: int, number: int, start: int, end: int) -> Iterator[Piece]:
    if start >= end:
        return
    if start < means.raw_from and number <= means.old:
        turn = min(end, means.raw_from)
        yield from _old_pieces(means, field, start, turn)
        yield from _pieces(means, field, number, turn, end)
        return
    beyond_all = number < means.low or number >= len(means.levels)
    if beyond_all or (start >= means.raw_from and means.few(start, end)):
        yield Piece(None, _NONE, start, end)
        return
    level = means.levels[number]
    if not knows(level, means.low):
        yield from _pieces(means, field, number - 1, start, end)
        return
    first, beyond = -(-start >> level.exponent), end >> level.exponent
    if first >= beyond:
        yield from _pieces(means, field, _below(means, number, end - start), start, end)
        return
    below = _below(means, number, level.width)
    yield from _pieces(means, field, below, start, first << level.exponent)
    for stretch in level.stretches(field, first, beyond):
        begin, close = stretch.first << level.exponent, stretch.beyond << level.exponent
        if stretch.kept:
            yield Piece(level, stretch, begin, close)
        else:
            yield from _pieces(means, field, number - 1, begin, close)
    yield from _pieces(means, field, below, beyond << level.exponent, end)


def _old_pieces(means: Means, field: int, start: int, end: int) -> Iterator[Piece]:
    """As `_pieces` where samples went: bins count that begin within; where no block is kept no samples went."""
    level = means.levels[means.old]
    begin, first, beyond = start >> level.exponent, -(-start >> level.exponent), -(-end >> level.exponent)
    for stretch in level.stretches(field, begin, beyond):
        a, z = max(stretch.first, first), stretch.beyond
        if not stretch.kept:
            times = max(start, stretch.first << level.exponent), min(end, z << level.exponent)
            yield Piece(None, _NONE, *times)
        elif a < z:
            yield Piece(level, Stretch(a, z, kept=True), a << level.exponent, z << level.exponent)


def _below(means: Means, number: int, length: int) -> int:
    """The finest level that has no more than a block of bins in so many ns: few pieces, not few bins, are quick."""
    fits = (i for i in range(means.low, number) if length >> means.levels[i].exponent <= BLOCK)
    return next(fits, number - 1)
