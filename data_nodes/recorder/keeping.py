"""The archive at work: samples taken as they come, written in a thread of its own, trouble told and overcome."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

from sisock.frames import Query
from sisock.nearest import Which
from sisock.nodes.base import sentence
from sisock.nodes.threads import Threads
from sisock.store.journal import JournalError
from sisock.store.keeper import Cursor, Keeper, Taking

log = logging.getLogger(__name__)
_TEND = 1.0  # seconds between looks at what is to be written
_RETRY = 2.0  # seconds before what failed is tried again
_READERS = 4  # questions to the archive at the same time
_OF_DISKS = (OSError, JournalError)  # anything else is a program error, and tried again as well
_TAKING, _WRITING = "nothing more can be recorded", "what was recorded waits to be written"


class Keeping:
    """A keeper whose work is done in threads: one takes, one writes, some answer."""

    def __init__(self, keeper: Keeper, retry: float = _RETRY) -> None:
        """Keep with this one; it is closed at the end of `at_work`. What failed is tried again after `retry` seconds."""
        self._keeper, self._retry = keeper, retry
        self._taking, self._writing = Threads("taking", most=1), Threads("writing", most=1)
        self._reading = Threads("archive", most=_READERS)
        self._waiting: list[tuple[Taking, asyncio.Future[int]]] = []
        self._come, self._room = asyncio.Event(), asyncio.Event()
        self._room.set()
        self._troubles: dict[str, str] = {}  # what cannot be done now -> why
        self._steps: Iterator[tuple[str, float]] | None = None  # by which tiers are being made anew
        self.taken = self.lost = 0  # samples
        self.flush_took = 0.0  # seconds
        self.progress = ""  # of what is made anew

    @contextlib.asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        """Take and write while within."""
        tasks = [asyncio.ensure_future(self._take()), asyncio.ensure_future(self._tend())]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks, timeout=_RETRY)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._writing.run(self._keeper.close), 10)

    # taking

    def cursor(self, node: str) -> Cursor | None:
        """How far the node has been taken."""
        return self._keeper.cursor(node)

    async def take(self, taking: Taking, dropped: int = 0) -> int:
        """Take samples and cursor of a node, on disk when this returns; how many samples are new. `dropped`: had to go before."""
        await self._room.wait()
        future = asyncio.get_running_loop().create_future()
        self._waiting.append((taking, future))
        self._come.set()
        new = int(await future)
        self.taken += new
        self.lost += dropped
        return new

    async def _take(self) -> None:
        """Take what has come meanwhile in one go; a disk that does not take it is tried again."""
        while True:
            await self._come.wait()
            self._come.clear()
            some, self._waiting = self._waiting, []
            some = [each for each in some if not each[1].done()]
            while some:
                try:
                    new = await self._taking.run(self._keeper.take, [taking for taking, _ in some])
                except Exception as error:  # noqa: BLE001  # whoever waits would do so for ever
                    self._troubled(_TAKING, error)
                    await asyncio.sleep(self._retry)
                    continue
                self._overcome(_TAKING)
                for number, (_, future) in enumerate(some):
                    if not future.done():
                        future.set_result(0 if number else new)
                break
            if self._keeper.full:
                self._room.clear()

    # writing

    async def _tend(self) -> None:
        """Write what is due about once a second; while tiers are made anew, a step of that after each time."""
        while True:
            pause = _TEND
            try:
                await self._write()
                if await self._renew():
                    pause = 0
                self._overcome(_WRITING)
            except Exception as error:  # noqa: BLE001  # nothing would be written any more
                self._troubled(_WRITING, error)
                pause = self._retry
            if not self._keeper.full:
                self._room.set()
            await asyncio.sleep(pause)

    async def _write(self) -> None:
        began = time.monotonic()
        if await self._writing.run(self._keeper.tend):
            self.flush_took = time.monotonic() - began
        if (told := await self._writing.run(self._keeper.take_incoming)) is not None:
            log.warning("recorder: %s", told)
        await self._writing.run(self._keeper.retain, time.time_ns())

    async def _renew(self) -> bool:
        """One step of making tiers anew that are not whole, whether there is more; answers come from the samples meanwhile."""
        if self._steps is None:
            if not self._keeper.archive.stale:
                return False
            log.info("recorder: quick answers are made anew")
            self._steps = self._keeper.archive.rebuild()
        steps, self._steps = self._steps, None  # one that fails is over: it begins again
        step = await self._writing.run(next, steps, None)
        if step is None:
            self.progress = ""
            log.info("recorder: quick answers are made anew: done")
            return False
        self.progress, self._steps = f"{step[0]}: {step[1]:.0%}", steps
        return True

    @property
    def trouble(self) -> str | None:
        """What cannot be done now and why; None where all can."""
        return "; ".join(self._troubles.values()) or None

    def _troubled(self, what: str, error: Exception) -> None:
        """Note why this cannot be done, and tell it once; a program error with where it was."""
        known = isinstance(error, _OF_DISKS)
        told = f"{what}: {error if known else sentence(error)}"
        if told != self._troubles.get(what):
            log.error("recorder: %s", told, exc_info=None if known else error)
        self._troubles[what] = told

    def _overcome(self, what: str) -> None:
        if self._troubles.pop(what, None) and not self._troubles:
            log.info("recorder: everything is written again")

    # answering

    async def answer(self, node: str, query: Query) -> Any:
        """As `Archive.answer`, in a thread."""
        return await self._reading.run(self._keeper.archive.answer, node, query)

    async def sample(self, node: str, fields: Sequence[str], t: int, which: Which) -> Any:
        """As `Archive.sample`, in a thread."""
        return await self._reading.run(self._keeper.archive.sample, node, fields, t, which)

    @property
    def keeper(self) -> Keeper:
        """The archive with its intake."""
        return self._keeper
