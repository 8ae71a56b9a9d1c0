"""What was used last, kept as long as there is room for it."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Recent(Generic[K, V]):
    """Values by key, of no more than so much weight together; those not asked for the longest go. Any thread may use it."""

    def __init__(self, most: int, count: int | None = None) -> None:
        """Keep values of this weight together, and no more than `count` of them."""
        self._most, self._count, self._held = most, count, 0
        self._kept: OrderedDict[K, tuple[V, int]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: K) -> V | None:
        """The value of this key; None where it is not kept."""
        with self._lock:
            if key not in self._kept:
                return None
            self._kept.move_to_end(key)
            return self._kept[key][0]

    def put(self, key: K, value: V, weight: int) -> None:
        """Keep it, in the place of others."""
        with self._lock:
            self._drop(key)
            self._kept[key] = value, weight
            self._held += weight
            while self._held > self._most or (self._count is not None and len(self._kept) > self._count):
                self._drop(next(iter(self._kept)))

    def drop(self, unwanted: Callable[[K], bool]) -> None:
        """Keep nothing of these keys."""
        with self._lock:
            for key in [key for key in self._kept if unwanted(key)]:
                self._drop(key)

    def _drop(self, key: K) -> None:
        if key in self._kept:
            self._held -= self._kept.pop(key)[1]
