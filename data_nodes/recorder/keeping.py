"""The archive at work: samples taken as they come, written in a thread of its own, trouble told and overcome."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Sequence
from typing import Any

from sisock.frames import Query
from sisock.nearest import Which
from sisock.nodes.threads import Threads
from sisock.store.journal import JournalError
from sisock.store.keeper import Cursor, Keeper, Taking

log = logging.getLogger(__name__)
_TEND = 1.0  # seconds between looks at what is to be written
_RETRY = 2.0  # seconds before a disk that did not take it is tried again
_READERS = 4  # questions to the archive at the same time
_TROUBLES = (OSError, JournalError)


class Keeping:
    """A keeper whose work is done in threads: one takes, one writes, some answer."""

    def __init__(self, keeper: Keeper) -> None:
        """Keep with this one; it is closed at the end of `at_work`."""
        self._keeper = keeper
        self._taking, self._writing = Threads("taking", most=1), Threads("writing", most=1)
        self._reading = Threads("archive", most=_READERS)
        self._waiting: list[tuple[Taking, asyncio.Future[int]]] = []
        self._come, self._room = asyncio.Event(), asyncio.Event()
        self._room.set()
        self.trouble: str | None = None
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
                except _TROUBLES as error:
                    self._troubled(f"nothing more can be recorded: {error}")
                    await asyncio.sleep(_RETRY)
                    continue
                for number, (_, future) in enumerate(some):
                    if not future.done():
                        future.set_result(0 if number else new)
                break
            if self._keeper.full:
                self._room.clear()

    # writing

    async def _tend(self) -> None:
        """Write what is due about once a second; first make anew what is stale."""
        while True:
            try:
                await self._renew()
                began = time.monotonic()
                if await self._writing.run(self._keeper.tend):
                    self.flush_took = time.monotonic() - began
                if (told := await self._writing.run(self._keeper.take_incoming)) is not None:
                    log.warning("recorder: %s", told)
                await self._writing.run(self._keeper.retain, time.time_ns())
                self._overcome()
            except _TROUBLES as error:
                self._troubled(f"what was recorded waits to be written: {error}")
            if not self._keeper.full:
                self._room.set()
            await asyncio.sleep(_RETRY if self.trouble else _TEND)

    async def _renew(self) -> None:
        """Make the tiers anew where the machine went down: answers come from the samples meanwhile."""
        if not self._keeper.archive.stale:
            return
        log.info("recorder: quick answers are made anew")
        steps = self._keeper.archive.rebuild()
        while (step := await self._writing.run(next, steps, None)) is not None:
            self.progress = f"{step[0]}: {step[1]:.0%}"
        self.progress = ""
        log.info("recorder: quick answers are made anew: done")

    def _troubled(self, sentence: str) -> None:
        if sentence != self.trouble:
            log.error("recorder: %s", sentence)
        self.trouble = sentence

    def _overcome(self) -> None:
        if self.trouble:
            log.info("recorder: everything is written again")
        self.trouble = None

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
