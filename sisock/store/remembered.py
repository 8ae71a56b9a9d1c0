"""Bytes of files that lie far away, remembered for when they are asked for again."""

import threading
from collections import OrderedDict

from sisock.store.storage import Range


class Remembered:
    """The ranges of bytes that were asked for last. Any thread may use it."""

    def __init__(self, most: int) -> None:
        """Remember so many bytes."""
        self._most, self._held = most, 0
        self._parts: OrderedDict[tuple[str, Range], bytes] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, name: str, where: Range) -> bytes | None:
        """The bytes of this range of a file; None where they are not remembered."""
        with self._lock:
            if (name, where) in self._parts:
                self._parts.move_to_end((name, where))
            return self._parts.get((name, where))

    def put(self, name: str, where: Range, data: bytes) -> None:
        """Remember them, in the place of those that were not asked for the longest."""
        with self._lock:
            self._held += len(data) - len(self._parts.pop((name, where), b""))
            self._parts[name, where] = data
            while self._held > self._most:
                self._held -= len(self._parts.popitem(last=False)[1])

    def forget(self, name: str) -> None:
        """Remember nothing of a file."""
        with self._lock:
            for each in [each for each in self._parts if each[0] == name]:
                self._held -= len(self._parts.pop(each))
