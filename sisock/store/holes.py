"""Stretches of time in which tiers have to be mended: known at once, and noted in the index as soon as that can be."""

from collections.abc import Iterable

from sisock.store.index import Index
from sisock.store.tiers import Span


class Holes:
    """Those of one timeline."""

    def __init__(self, index: Index, series: int) -> None:
        """Take up what is noted."""
        self._index, self._series = index, series
        self.spans = index.holes(series)
        self._noted = True

    def add(self, spans: Iterable[Span]) -> None:
        """Know of further ones; `note` follows."""
        self.spans = [*self.spans, *spans]
        self._noted = False

    def mended(self, first: int) -> None:
        """Forget so many of the first. Raises OSError."""
        self.spans = self.spans[first:]
        self._noted = False
        self.note()

    def note(self) -> None:
        """Have in the index what is not noted yet. Raises OSError: then it is to be called again."""
        if not self._noted:
            self._index.keep_holes(self._series, self.spans)
            self._noted = True
