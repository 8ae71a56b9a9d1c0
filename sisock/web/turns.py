"""Whose request comes next: who asks much, or for what takes long, waits for itself and not before others."""

import itertools
from collections import deque
from typing import NamedTuple, Protocol, TypeVar

from waitress.task import ThreadedTaskDispatcher  # type: ignore[import-untyped]  # waitress has no types

_OTHERS = 3  # times the threads left for others that one caller may have
_Key = TypeVar("_Key")


class Caller(NamedTuple):
    """Whoever asks, as far as that shows before anybody is let in."""

    address: str
    authorization: str
    program: str


class Task(Protocol):
    """A request that waits for its turn."""

    @property
    def caller(self) -> Caller:
        """Who asks."""

    def service(self) -> None:
        """Answer it."""

    def cancel(self) -> None:
        """Answer it no more."""


class Turns:
    """Tasks that wait, by caller, and how many of each are under way; not for several threads at a time.

    Next is the caller with the fewest tasks under way, and among equals the one that has waited longest. None has
    all threads: the last ones are for callers, and the very last for addresses, that have none.
    """

    def __init__(self) -> None:
        """Nobody waits."""
        self.threads = 0
        self._waiting: dict[Caller, deque[tuple[int, Task]]] = {}
        self._busy: dict[Caller, int] = {}
        self._by_address: dict[str, int] = {}
        self._count, self._length = itertools.count(), 0

    def __len__(self) -> int:
        """How many wait; this any thread may ask."""
        return self._length

    def append(self, task: Task) -> None:
        """Let a task wait."""
        self._length += 1
        self._waiting.setdefault(task.caller, deque()).append((next(self._count), task))

    def popleft(self) -> Task:
        """The task that has waited longest, whoever it is of. Raises IndexError where there is none."""
        if not self._waiting:
            raise IndexError("nobody waits")
        return self._take(min(self._waiting, key=lambda caller: self._waiting[caller][0][0]))

    def begin(self) -> tuple[Caller, Task] | None:
        """The next task, to be ended with `end`; None where none may have a thread."""
        left = self.threads - sum(self._busy.values())
        may = [caller for caller in self._waiting if left and self._may(caller, left)]
        if not may:
            return None
        caller = min(may, key=self._rank)
        self._count_busy(caller, 1)
        return caller, self._take(caller)

    def end(self, caller: Caller) -> None:
        """Note that a task of this caller is no longer under way."""
        self._count_busy(caller, -1)

    def _may(self, caller: Caller, left: int) -> bool:
        """Whether a caller may have one more of the threads that are left."""
        of_address = self._by_address.get(caller.address, 0)
        return self._busy.get(caller, 0) <= _OTHERS * (left - 1) and of_address < max(1, self.threads - 1)

    def _rank(self, caller: Caller) -> tuple[int, int, int]:
        busy = self._by_address.get(caller.address, 0), self._busy.get(caller, 0)
        return *busy, self._waiting[caller][0][0]

    def _count_busy(self, caller: Caller, more: int) -> None:
        _add(self._busy, caller, more)
        _add(self._by_address, caller.address, more)

    def _take(self, caller: Caller) -> Task:
        self._length -= 1
        waiting = self._waiting[caller]
        _, task = waiting.popleft()
        if not waiting:
            del self._waiting[caller]
        return task


def _add(counts: dict[_Key, int], key: _Key, more: int) -> None:
    counts[key] = counts.get(key, 0) + more
    if not counts[key]:
        del counts[key]


class Dispatcher(ThreadedTaskDispatcher):  # type: ignore[misc]
    """Threads that take tasks in turns."""

    queue: Turns

    def __init__(self, threads: int) -> None:
        """Begin so many threads."""
        super().__init__()
        self.queue = Turns()
        self.queue.threads = threads
        self.set_thread_count(threads)

    def handler_thread(self, thread_no: int) -> None:
        """Take one task after the other, until there is one thread too many."""
        while (begun := self._next(thread_no)) is not None:
            caller, task = begun
            try:
                task.service()
            except BaseException:
                self.logger.exception("Exception when servicing %r", task)
            finally:
                with self.lock:
                    self.queue.end(caller)

    def _next(self, thread_no: int) -> tuple[Caller, Task] | None:
        with self.lock:
            while not self.stop_count:
                begun = self.queue.begin()
                if begun is not None:
                    return begun
                self.active_count -= 1
                self.queue_cv.wait()
                self.active_count += 1
            self.active_count -= 1
            self.stop_count -= 1
            self.threads.discard(thread_no)
            self.thread_exit_cv.notify()
            return None
