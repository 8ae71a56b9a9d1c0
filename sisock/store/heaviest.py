"""The heaviest of many that come, change and go: found without looking at all of them."""

import heapq

_SPARE = 64  # entries that are out of date and need not be swept


class Heaviest:
    """Weights by name; of equal ones that which has been there longest comes first."""

    def __init__(self) -> None:
        """Begin with none."""
        self._known: dict[str, tuple[int, int]] = {}  # name -> (-weight, number)
        self._heap: list[tuple[int, int, str]] = []  # (-weight, number, name), also those that are out of date
        self._next = 0

    def set(self, name: str, weight: int) -> None:
        """Note what it weighs now."""
        known = self._known.get(name)
        number = self._next if known is None else known[1]
        self._next += known is None
        self._known[name] = -weight, number
        heapq.heappush(self._heap, (-weight, number, name))
        if len(self._heap) > 2 * len(self._known) + _SPARE:
            self._heap = [(*each, name) for name, each in self._known.items()]
            heapq.heapify(self._heap)

    def drop(self, name: str) -> None:
        """Forget it."""
        self._known.pop(name, None)

    def top(self) -> str | None:
        """The heaviest one; None where there is none."""
        while self._heap:
            weight, number, name = self._heap[0]
            if self._known.get(name) == (weight, number):
                return name
            heapq.heappop(self._heap)
        return None
