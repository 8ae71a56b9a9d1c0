"""The largest counts of a group as fields: few of them, and the same ones scan after scan."""

from collections import Counter
from collections.abc import Mapping

from data_nodes.names import as_field

OTHERS = "(others)"
_LATER = 10  # so many times as many names may become fields in the course of time


class Tally:
    """Counts of the names that are, or once were, among the largest of their group; the rest is one more field."""

    def __init__(self, group: str, largest: int) -> None:
        """Make fields `group/name` of so many names at each scan."""
        self._group, self._largest = group, largest
        self._kept: dict[str, None] = {}

    def fields(self, counts: Mapping[str, int]) -> dict[str, int]:
        """Count by field: 0 where a name is gone; `group/(others)` has what no other field counts."""
        others = f"{self._group}/{OTHERS}"  # who is called so is counted there
        by_field: Counter[str] = Counter()
        for name, count in counts.items():
            by_field[as_field(f"{self._group}/{name}")] += count
        named = by_field.keys() - {others}
        for field in sorted(named, key=lambda field: (-by_field[field], field))[: self._largest]:
            if len(self._kept) < _LATER * self._largest:
                self._kept[field] = None
        shown = {field: by_field[field] for field in self._kept}
        return shown | {others: by_field.total() - sum(shown.values())}
