"""What clients that read too slowly have waiting for them in the router's memory: one budget for all."""

from typing import Any


class Backlog:
    """Counts the bytes sent to each connection since it fell behind."""

    def __init__(self) -> None:
        self._waiting: dict[Any, int] = {}
        self._total = 0

    def begin(self, connection: Any) -> None:
        """Note that it fell behind; it may be said again."""
        self._waiting.setdefault(connection, 0)

    def end(self, connection: Any) -> None:
        """Note that it caught up, or is gone."""
        self._total -= self._waiting.pop(connection, 0)

    def add(self, connection: Any, size: int) -> None:
        """Count what is sent to it, if it is behind."""
        if connection in self._waiting:
            self._waiting[connection] += size
            self._total += size

    def slowest(self, most: int) -> Any:
        """Return the connection with the most waiting where all together have more than `most` bytes, else None."""
        return max(self._waiting, key=self._waiting.__getitem__) if self._total > most else None


backlog = Backlog()
