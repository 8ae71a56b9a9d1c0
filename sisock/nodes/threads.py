"""Daemon threads for what blocks: a hung author's function never keeps a process from ending."""

import asyncio
import queue
import threading
from collections.abc import Callable
from typing import Any

_Job = tuple[Callable[..., Any], tuple[Any, ...], asyncio.AbstractEventLoop, "asyncio.Future[Any]"]


_MOST_LOST = 64  # threads that may hang before no new ones take their places


class Threads:
    """A few threads that run functions for coroutines; started when first needed.

    A thread whose caller has given up counts as lost: another may take its place.
    """

    def __init__(self, name: str, most: int) -> None:
        """Run at most `most` functions at a time; more wait in line."""
        self._name, self._most = name, most
        self._jobs: queue.SimpleQueue[_Job] = queue.SimpleQueue()
        self._threads = self._lost = 0
        self._idle = threading.Semaphore(0)

    async def run(self, function: Callable[..., Any], *args: Any) -> Any:
        """Return what the function returns, or raise what it raises."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        self._jobs.put((function, args, loop, future))
        if not self._idle.acquire(blocking=False) and self._threads < self._most:
            self._threads += 1
            threading.Thread(target=self._work, name=f"{self._name}-{self._threads}", daemon=True).start()
        try:
            return await future
        except asyncio.CancelledError:
            if self._lost < _MOST_LOST:
                self._lost += 1
                self._most += 1
            raise

    def _work(self) -> None:
        while True:
            function, args, loop, future = self._jobs.get()
            try:
                result, error = function(*args), None
            except BaseException as raised:  # noqa: BLE001  # whatever it is, it belongs to the caller
                result, error = None, raised
            self._idle.release()
            try:
                loop.call_soon_threadsafe(_settle, future, result, error)
            except RuntimeError:
                return  # the loop has ended meanwhile: nobody waits


def _settle(future: "asyncio.Future[Any]", result: Any, error: BaseException | None) -> None:
    if future.done():
        return
    if isinstance(error, (StopIteration, SystemExit, KeyboardInterrupt)):
        error = RuntimeError(f"{type(error).__name__} raised: {error}")
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(result)
