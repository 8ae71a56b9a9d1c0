"""Windows of time one after the other, each as wide as its answer stays well below a message."""

from sisock.times import NS

_FIRST = 60 * NS
_GROWTH = 4  # a window is at most so many times as wide as the one before
_NARROWER = 8  # a window that was too wide is tried again so many times narrower
_REFUSALS = 12  # in a row, until it is given up
_LEAST = 2**12  # bytes


class Steps:
    """The windows in ns that are still to come of [at, end); all but the first and last edge on multiples of `unit`."""

    def __init__(self, at: int, end: int, unit: int, width: int, most_bytes: int) -> None:
        """Begin with a window about `width` ns wide (0: not known yet); aim at answers of `most_bytes`."""
        self.at, self.end, self.width = at, end, width or _FIRST
        self._unit, self._most, self._aim, self._refused = unit, most_bytes, most_bytes, 0

    def window(self) -> tuple[int, int] | None:
        """The next window; None after the last."""
        if self.at >= self.end:
            return None
        until = self.at + self.width
        until -= until % self._unit
        return self.at, min(self.end, max(until, self.at - self.at % self._unit + self._unit))

    def took(self, until: int, size: int) -> None:
        """Go on after a window whose answer had so many bytes."""
        self.width = max(1, until - self.at) if until < self.end else self.width
        self.width = int(self.width * min(_GROWTH, self._aim / size if size else _GROWTH)) or 1
        self._aim = min(self._most, self._aim * 9 // 8)
        self.at, self._refused = until, 0

    def refused(self) -> bool:
        """Try a narrower window after one that was not answered; False where it makes no sense any more."""
        start, until = self.window() or (0, 0)
        self._refused += 1
        self.width = max(1, (until - start) // _NARROWER)
        self._aim = max(_LEAST, self._aim // 2)
        return self._refused < _REFUSALS and until - start > self._unit
