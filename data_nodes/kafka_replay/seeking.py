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
    """What was found at offsets that were looked at before: later questions begin between two of them."""

    def __init__(self) -> None:
        self._times: dict[int, tuple[int, int]] = {}  # by offset, the time and one past what was looked at there

    def add(self, offset: int, t: int, beyond: int) -> None:
        """Note what was found."""
        if len(self._times) >= _MOST_MARKS:
            self._times.pop(next(iter(self._times)))
        self._times[offset] = t, beyond

    def around(self, t: int, first: int, beyond: int) -> tuple[int, int, int]:
        """Offsets between which to look for the time, as far as is known, and one from which on all is later."""
        known = [(offset, at, end) for offset, (at, end) in self._times.items() if first <= offset < beyond]
        low = max((offset for offset, at, _ in known if at < t), default=first)
        upto, high = min(
            ((offset, end) for offset, at, end in known if at >= t and offset > low), default=(beyond, beyond)
        )
        return low, upto, min(high, beyond)

    def at(self, offset: int) -> int | None:
        """The time that was found there."""
        return self._times.get(offset, (None, 0))[0]


def seek(
    look: Callable[[int], Look], first: int, beyond: int, t: int, marks: Marks, hint: int | None = None
) -> tuple[int, int]:
    """Offsets (low, high), NEAR and a look apart at most: what lies below `low` is before t, what lies from `high` on is not.

    `hint`: an offset near to which the broker has the time.
    """
    low, upto, high = marks.around(t, first, beyond)
    tries = [] if hint is None else [hint + NEAR // 2, hint - NEAR // 2]
    by_halves = False
    while upto - low > NEAR:
        at = tries.pop() if tries else _middle(low, upto, t, marks, by_halves=by_halves)
        by_halves = not by_halves
        if not low < at < upto:
            continue
        found = _look(look, at, upto)
        if found is None or found.t is None:
            upto, high = at, at if high == upto else high
        elif found.t >= t:
            upto, high = at, min(high, found.beyond)  # of what was looked at some may be before t
        else:
            low = at
        if found is not None and found.t is not None:
            marks.add(at, found.t, found.beyond)
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
