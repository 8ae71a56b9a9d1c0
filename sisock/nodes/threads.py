"""Daemon threads for what blocks: a hung author's function never keeps a process from ending."""

import asyncio
import contextlib
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sisock.nodes.base import said

_MOST_LOST = 64  # threads that may hang before no new ones take their places


@dataclass(eq=False)
class _Job:
    """One call: what to do, and who waits for it."""

    function: Callable[..., Any]
    args: tuple[Any, ...]
    loop: asyncio.AbstractEventLoop
    future: "asyncio.Future[Any]"
    running: bool = False
    lost: bool = False  # its caller has given up while it ran


class Threads:
    """A few threads that run functions for coroutines; started when first needed.

    A thread whose caller has given up counts as lost: another takes its place, and it ends if it ever comes back.
    """

    def __init__(self, name: str, most: int) -> None:
        """Run at most `most` functions at a time; more wait in line."""
        self._name, self._most = name, most
        self._jobs: queue.SimpleQueue[_Job] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._idle = self._working = self._lost = 0

    async def run(self, function: Callable[..., Any], *args: Any) -> Any:
        """Return what the function returns, or raise what it raises; RuntimeError where no thread can be started."""
        loop = asyncio.get_running_loop()
        job = _Job(function, args, loop, loop.create_future())
        self._see_to_threads(coming=1)
        self._jobs.put(job)
        try:
            return await job.future
        except asyncio.CancelledError:
            self._lose(job)
            raise

    def _see_to_threads(self, coming: int = 0) -> None:
        """Start a thread if more jobs wait or are coming than threads, and another one may be."""
        with self._lock:
            if self._jobs.qsize() + coming <= self._idle or self._idle + self._working >= self._most:
                return
            self._idle += 1
        try:
            threading.Thread(target=self._work, name=self._name, daemon=True).start()
        except RuntimeError:  # the machine has none left
            with self._lock:
                self._idle -= 1
            raise

    def _lose(self, job: _Job) -> None:
        with self._lock:
            job.lost = job.running and self._lost < _MOST_LOST
            self._lost += job.lost
            self._working -= job.lost
        with contextlib.suppress(RuntimeError):  # the next job tries again
            self._see_to_threads()

    def _work(self) -> None:
        while True:
            job = self._jobs.get()
            with self._lock:
                job.running = True
                self._idle, self._working = self._idle - 1, self._working + 1
            result, error = _done(job)
            with self._lock:
                job.running = False
                if job.lost:
                    self._lost -= 1
                    return
                self._idle, self._working = self._idle + 1, self._working - 1
            try:
                job.loop.call_soon_threadsafe(_settle, job.future, result, error)
            except RuntimeError:
                continue  # the loop has ended meanwhile: nobody waits


def _done(job: _Job) -> tuple[Any, Exception | None]:
    """What the function returned, and what it raised; nothing is done for a caller that has given up."""
    if job.future.cancelled():
        return None, None
    try:
        return job.function(*job.args), None
    except StopIteration as error:  # no future can hold it
        return None, RuntimeError(f"StopIteration raised: {said(error)}")
    except Exception as error:  # noqa: BLE001  # whatever it is, it belongs to the caller
        return None, error
    except BaseException as error:  # noqa: BLE001  # sys.exit() and the like end no process from here
        return None, RuntimeError(f"{type(error).__name__} raised: {said(error)}")


def _settle(future: "asyncio.Future[Any]", result: Any, error: Exception | None) -> None:
    if future.done():
        return
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(result)
