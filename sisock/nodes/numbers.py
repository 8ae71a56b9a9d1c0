"""Numbers that a sender counts its messages with: which came, which are missing, and which came twice."""

from dataclasses import dataclass, field
from typing import Any, Literal

Verdict = Literal["new", "late", "duplicate"]
HIGHEST = 2**63 - 1
_MOST_GAPS = 32  # open at once; of the oldest beyond, what comes is taken for a duplicate
_ANEW = 16  # numbers below the last from which 0 or 1 is a count that has begun anew


@dataclass
class Numbers:
    """The numbers of one count: those from `first` to `last` came, except those of `gaps` (pairs, both inclusive).

    Nothing is known of numbers below `first`, unless it is `closed`: then all of them are settled.
    """

    first: int
    last: int
    gaps: list[tuple[int, int]] = field(default_factory=list)
    closed: bool = False

    def take(self, number: int) -> Verdict:
        """Note a number; how it stands to those before. Only a duplicate has come before."""
        if number > self.last:
            if number > self.last + 1:
                self._open(self.last + 1, number - 1)
            self.last = number
            return "new"
        if number < self.first and not self.closed:
            if number < self.first - 1:
                self._open(number + 1, self.first - 1)
            self.first = number
            return "late"
        for at, (low, high) in enumerate(self.gaps):
            if low <= number <= high:
                left = [(low, number - 1), (number + 1, high)]
                self.gaps[at : at + 1] = [each for each in left if each[0] <= each[1]]
                return "late"
        return "duplicate"

    def forget(self, number: int) -> None:
        """Take a number back, as of what could not be kept: it is missing until it comes again."""
        if self.first <= number <= self.last and not any(low <= number <= high for low, high in self.gaps):
            self._open(number, number)

    def has_begun_anew(self, number: int) -> bool:
        """Whether a sender that says no boot id must have begun to count again."""
        return number <= 1 and self.last > number + _ANEW

    @property
    def missing(self) -> int:
        """How many numbers may still come."""
        return sum(high - low + 1 for low, high in self.gaps)

    def _open(self, low: int, high: int) -> None:
        below = next((gap for gap in self.gaps if gap[1] == low - 1), (low, high))
        above = next((gap for gap in self.gaps if gap[0] == high + 1), (low, high))
        self.gaps = sorted([*(gap for gap in self.gaps if gap not in (below, above)), (below[0], above[1])])
        if len(self.gaps) > _MOST_GAPS:
            self.first, self.closed = self.gaps.pop(0)[1] + 1, True

    def plain(self) -> list[Any]:
        """As JSON can hold it."""
        return [self.first, self.last, self.gaps, self.closed]

    @classmethod
    def of(cls, plain: list[Any]) -> "Numbers":
        """What `plain` gave."""
        first, last, gaps, closed = plain
        return cls(int(first), int(last), [(int(low), int(high)) for low, high in gaps], bool(closed))
