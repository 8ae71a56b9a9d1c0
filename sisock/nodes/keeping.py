"""A node's samples come to disk: its journal is committed now and then, and closed at the end."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Iterable, Mapping

from sisock.frames import Frame
from sisock.nodes.threads import Threads
from sisock.store.journal import Journal, JournalError

log = logging.getLogger(__name__)
_COMMIT = 1.0  # seconds after which what was sampled is on disk, and after which a disk is tried again
_MUCH = 2**20  # bytes that are not left waiting so long
_MOST = 16 * 2**20  # bytes that wait where the disk does not take them
_BURST = 64 * 2**20  # bytes that wait where it has not said so: a scan of lsof may have 20 MiB
_LAST = 10.0  # seconds that the last commit may take


class Keeper:
    """A journal at work. Where the disk does not take them, samples wait in memory; the oldest are given up, counted."""

    def __init__(self, name: str, journal: Journal) -> None:
        """Keep the samples of the node of this name."""
        self.trouble: str | None = None  # why samples do not come to disk now
        self._name, self._journal = name, journal
        self._some, self._much = asyncio.Event(), asyncio.Event()
        self._awaited: list[asyncio.Future[None]] = []  # those who wait for the next commit
        self._thread = Threads(f"{name}-commit", most=1)
        self._lost = journal.lost

    @property
    def lost(self) -> int:
        """Samples of this process that were given up."""
        return self._journal.lost - self._lost

    def append(self, frames: Iterable[Frame], notes: Mapping[str, str] | None = None) -> None:
        """Let the frames and the notes come to disk soon, and together."""
        self._journal.append_all([(frame.timeline, frame) for frame in frames], notes)
        most = _MOST if self.trouble else _BURST
        if self._journal.waiting > most:
            self._journal.shed(most)
        self._some.set()
        if self._journal.waiting > _MUCH:
            self._much.set()

    async def written(self) -> None:
        """Return when all that was appended is on disk. Raises JournalError where the disk does not take it."""
        lost, on_disk = self._journal.lost, asyncio.get_running_loop().create_future()
        self._awaited.append(on_disk)
        self._some.set()
        self._much.set()
        await on_disk
        if self._journal.lost != lost:
            raise JournalError("samples had to be given up before they came to disk")

    @contextlib.asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        """While within, what is appended comes to disk soon; afterwards all of it has, and the journal is closed."""
        committing = asyncio.ensure_future(self._commit_now_and_then())
        try:
            yield
        finally:
            committing.cancel()
            with contextlib.suppress(TimeoutError):  # told below
                async with asyncio.timeout(_LAST):
                    await self._thread.run(self._journal.close)
            if not self._journal.closed:
                log.warning("%s: its last samples did not come to disk within %g s", self._name, _LAST)

    async def _commit_now_and_then(self) -> None:
        while True:
            await self._some.wait()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_COMMIT):
                    await self._much.wait()
            self._some.clear()
            self._much.clear()
            awaited, self._awaited = self._awaited, []
            trouble = await self._commit()
            for each in awaited:
                _settle(each, trouble)
            self._tell(trouble)
            if trouble:
                self._some.set()
                await asyncio.sleep(_COMMIT)

    async def _commit(self) -> str | None:
        """Commit; why that failed."""
        try:
            await self._thread.run(self._journal.commit)
        except JournalError as error:
            return str(error)
        except Exception as error:
            log.exception("%s: its journal has a program error", self._name)
            return f"the journal has a program error: {error!r:.200}"
        return None

    def _tell(self, trouble: str | None) -> None:
        """Log what changed, once."""
        if trouble and not self.trouble:
            log.warning("%s: %s; its samples are in memory only", self._name, trouble)
        elif self.trouble and not trouble:
            log.warning("%s: its journal is written again; %d samples were lost meanwhile", self._name, self.lost)
        self.trouble = trouble


def _settle(awaited: "asyncio.Future[None]", trouble: str | None) -> None:
    if awaited.done():  # whoever waited has given up
        return
    if trouble:
        awaited.set_exception(JournalError(trouble))
    else:
        awaited.set_result(None)
