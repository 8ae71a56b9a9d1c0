"""What has come and waits to be read."""

import asyncio
from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")


class Inbox(Generic[T]):
    """What has come and waits to be read, up to a number; the oldest goes first and is counted."""

    def __init__(self, most: int) -> None:
        """Hold at most so many."""
        self._waiting: deque[T] = deque(maxlen=most)
        self._some = asyncio.Event()
        self.dropped = 0

    def put(self, item: T) -> None:
        """Add one."""
        self.dropped += len(self._waiting) == self._waiting.maxlen
        self._waiting.append(item)
        self._some.set()

    def __len__(self) -> int:
        return len(self._waiting)

    async def get(self) -> T:
        """The oldest; waits for one."""
        await self._some.wait()
        item = self._waiting.popleft()
        if not self._waiting:
            self._some.clear()
        return item

    def waiting(self, most: int) -> list[T]:
        """Those that wait, the oldest first, at most so many; none where nothing does."""
        taken = [self._waiting.popleft() for _ in range(min(most, len(self._waiting)))]
        if not self._waiting:
            self._some.clear()
        return taken
