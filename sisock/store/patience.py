"""How long something far away is waited for: together, within a deadline, and not again right after it did not answer."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import TypeVar

from sisock.store.storage import AwayError

T = TypeVar("T")
_AT_ONCE = 16  # requests
_TOLERATED = 2.0  # seconds lost to requests that failed, one after the other, before it is left alone for a while
_REST = 3.0  # seconds


class Patience:
    """Runs requests, and gives up in time: a question that needs a hundred of them costs one deadline, not a hundred."""

    def __init__(self, what: str, deadline: float) -> None:
        """`what` is asked; each time for so many seconds at the most."""
        self._what, self._deadline = what, deadline
        self._threads = ThreadPoolExecutor(_AT_ONCE, "object store")
        self._wasted, self._until = 0.0, 0.0

    def all(self, requests: Sequence[Callable[[], T]]) -> list[T]:
        """What these requests return, made side by side. Raises AwayError, FileNotFoundError."""
        began = time.monotonic()
        if began < self._until:
            raise AwayError(self._sentence("it did not answer a moment ago"))
        futures = [self._threads.submit(each) for each in requests]
        try:
            made = self._results(futures)
        except AwayError:
            self._wasted += time.monotonic() - began
            if self._wasted > _TOLERATED:
                self._until = time.monotonic() + _REST
            raise
        self._wasted = 0.0
        return made

    def _results(self, futures: Sequence[Future[T]]) -> list[T]:
        _, late = wait(futures, self._deadline)
        for each in late:
            each.cancel()
        if late:
            raise AwayError(self._sentence(f"no answer within {self._deadline:g} s"))
        try:
            return [each.result() for each in futures]
        except FileNotFoundError:
            raise
        except OSError as error:
            raise AwayError(self._sentence(str(error))) from error

    def _sentence(self, why: str) -> str:
        return f"{self._what} cannot be reached: {why}"
