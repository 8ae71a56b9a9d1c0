"""Where in a large log a time lies: found by halving, in as few reads as its size needs."""

from collections.abc import Callable
from typing import BinaryIO

_NEAR = 2**16  # bytes that are not halved further
_STEP = 2**18  # bytes looked at for a line with a time
_SLACK = 2**20  # bytes before or after, for lines that came late


def window(
    file: BinaryIO, size: int, start: int | None, end: int | None, time_of: Callable[[bytes], int | None]
) -> tuple[int, int]:
    """The bytes in which lines from `start` on and before `end` (ns) lie, and some more on both sides."""
    first = 0 if start is None else max(0, _place(file, size, start, time_of) - _SLACK)
    beyond = size if end is None else min(size, _place(file, size, end, time_of) + _SLACK)
    return _line_begin(file, first), max(first, beyond)


def _place(file: BinaryIO, size: int, t: int, time_of: Callable[[bytes], int | None]) -> int:
    """A byte near the first line that is not before t; the lines ascend in time but for a few."""
    low, high = 0, size
    while high - low > _NEAR:
        middle = (low + high) // 2
        found = _time_after(file, middle, high, time_of)
        if found is None or found >= t:
            high = middle
        else:
            low = middle
    return low


def _time_after(file: BinaryIO, at: int, until: int, time_of: Callable[[bytes], int | None]) -> int | None:
    """The first time that can be read in whole lines from a byte on; None where there is none before another byte."""
    file.seek(at)
    rest, first = b"", at > 0
    while at < until and (piece := file.read(_STEP)):
        *lines, rest = (rest + piece).split(b"\n")
        rest = rest[-_STEP:]
        for line in lines[first:] if lines else ():
            t = time_of(line)
            if t is not None:
                return t
        first = first and not lines
        at += len(piece)
    return None


def _line_begin(file: BinaryIO, at: int) -> int:
    """The beginning of the line that the byte is in, or of the next one where that is far."""
    if not at:
        return 0
    begin = max(0, at - _NEAR)
    file.seek(begin)
    before = file.read(at - begin)
    newline = before.rfind(b"\n")
    if newline >= 0:
        return begin + newline + 1
    while piece := file.readline(_STEP):
        at += len(piece)
        if piece.endswith(b"\n"):
            break
    return at
