"""Where in a topic a time lies: by bisection over offsets, as messages are about in the order of time."""

from collections.abc import Callable
from typing import NamedTuple

NEAR = 256  # offsets between which nothing is looked up any more
_MOST_MARKS = 4096


class Look(NamedTuple):
    """What was found at an offset: a time in ns, None where nothing there has any; and where the next look would be."""

    t: int | None
    beyond: int


class Marks:
    """Times at offsets that were looked at before: later questions begin between two of them."""

    def __init__(self) -> None:
        self._times: dict[int, int] = {}

    def add(self, offset: int, t: int) -> None:
        """Note what was found."""
        if len(self._times) >= _MOST_MARKS:
            self._times.pop(next(iter(self._times)))
        self._times[offset] = t

    def around(self, t: int, first: int, beyond: int) -> tuple[int, int]:
        """Offsets between which the time lies, as far as is known."""
        low = max((offset for offset, at in self._times.items() if at < t and first <= offset < beyond), default=first)
        high = min((offset for offset, at in self._times.items() if at >= t and low < offset < beyond), default=beyond)
        return low, high

    def at(self, offset: int) -> int | None:
        """The time that was found there."""
        return self._times.get(offset)


def seek(
    look: Callable[[int], Look], first: int, beyond: int, t: int, marks: Marks, hint: int | None = None
) -> tuple[int, int]:
    """Offsets (low, high) at most NEAR apart: what lies below `low` is before t, what lies from `high` on is not.

    `hint`: an offset near to which the broker has the time.
    """
    low, high = marks.around(t, first, beyond)
    tries = [] if hint is None else [hint + NEAR // 2, hint - NEAR // 2]
    by_halves = False
    while high - low > NEAR:
        at = tries.pop() if tries else _middle(low, high, t, marks, by_halves=by_halves)
        by_halves = not by_halves
        if not low < at < high:
            continue
        found = _look(look, at, high)
        if found is None or found.t is None or found.t >= t:
            high = at
        else:
            low = at
        if found is not None and found.t is not None:
            marks.add(at, found.t)
    return low, high


def _middle(low: int, high: int, t: int, marks: Marks, *, by_halves: bool) -> int:
    """Where to look next: in the middle, and every other time where the time would be if they came evenly."""
    before, after = marks.at(low), marks.at(high)
    middle = (low + high) // 2
    if by_halves or before is None or after is None or not before < t <= after:
        return middle
    there = low + (high - low) * (t - before) // (after - before)
    return min(max(there, low + 1 + NEAR // 4), high - 1 - NEAR // 4)


def _look(look: Callable[[int], Look], at: int, high: int) -> Look | None:
    """What is found from an offset on, below `high`; None where nothing there has a time."""
    while at < high:
        found = look(at)
        if found.t is not None:
            return found
        at = max(at + 1, found.beyond)
    return None
