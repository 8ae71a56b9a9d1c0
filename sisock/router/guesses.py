"""Wrong passwords, counted: who has guessed too often waits, longer each time."""

import time
from collections.abc import Callable
from typing import NamedTuple

FREE = 5  # wrong guesses before the first wait
FIRST_WAIT, LONGEST_WAIT = 30.0, 900.0  # seconds
MOST = 10_000  # names and places that are remembered; the oldest go first


class _Count(NamedTuple):
    wrong: int
    until: float  # before which nothing is heard


class Guesses:
    """Counts of wrong guesses by whatever tells who guesses: a name, and where it comes from."""

    def __init__(self, free: int = FREE, clock: Callable[[], float] = time.monotonic) -> None:
        """Let so many be wrong before anybody waits."""
        self._free, self._clock = free, clock
        self._counts: dict[object, _Count] = {}

    def wait(self, who: object) -> float:
        """Seconds until this one is heard again, 0 for now."""
        count = self._counts.get(who)
        return max(0.0, count.until - self._clock()) if count else 0.0

    def wrong(self, who: object) -> None:
        """It guessed wrong."""
        before = self._counts.pop(who, _Count(0, 0.0))
        wrong = before.wrong + 1
        beyond = wrong - self._free
        wait = min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** min(beyond, 10)) if beyond >= 0 else 0.0
        self._counts[who] = _Count(wrong, self._clock() + wait)
        while len(self._counts) > MOST:
            del self._counts[next(iter(self._counts))]

    def right(self, who: object) -> None:
        """It knew: what it guessed before is forgotten."""
        self._counts.pop(who, None)
