"""A node's samples come to disk: its journal is committed now and then, and closed at the end."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from sisock.frames import Frame
from sisock.nodes.base import said
from sisock.nodes.threads import Threads
from sisock.store.journal import Journal, JournalError
from sisock.store.journal.pending import check_notes, checked
from sisock.store.weights import weight

log = logging.getLogger(__name__)
_COMMIT = 1.0  # seconds after which what was sampled is on disk, and after which a disk is tried again
_MUCH = 2**20  # bytes that are not left waiting so long
_MOST = 16 * 2**20  # bytes that wait where the disk does not take them
_WITHIN = 60.0  # seconds in which what is asked for has to be begun
_BURST = 64 * 2**20  # bytes that wait where it has not said so: a scan of lsof may have 20 MiB
_LAST = 10.0  # seconds that the last commit may take

Notes = Mapping[str, str]
Noting = Notes | Callable[[], Notes]  # notes, or what says them when they are written


@dataclass(frozen=True, eq=False)
class _Asked:
    """Frames and notes that come to disk together, or not at all; whoever asked for it waits for `done`."""

    frames: Sequence[Frame]
    notes: Noting
    done: "asyncio.Future[None]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def said(self) -> Notes:
        """The notes, checked. What is raised is an author's."""
        notes = self.notes() if callable(self.notes) else self.notes
        check_notes(notes)
        return notes


class Keeper:
    """A journal at work. Where the disk does not take them, samples wait in memory; the oldest are given up, counted."""

    def __init__(
        self,
        name: str,
        journal: Journal,
        identified: Callable[[Iterable[Frame]], list[Frame]],
        settled: Callable[[Iterable[Frame]], None],
    ) -> None:
        """Keep the samples of the node of this name.

        `identified` gives frames for `keep` the identities that come next, just before they are written; `settled` has
        those that are on disk then. Between the two nothing may come to their timelines: see `holds`.
        """
        self.trouble: str | None = None  # why samples do not come to disk now
        self._name, self._journal = name, journal
        self._identified, self._settled = identified, settled
        self._some, self._much = asyncio.Event(), asyncio.Event()
        self._asked: dict[_Asked, None] = {}  # what the next commit is asked for
        self._held = set[str]()  # timelines of frames that are being written, and of those behind them
        self._behind: list[tuple[Sequence[Frame], Notes]] = []  # what comes after them
        self._behind_bytes = self._given_up = 0
        self._thread = Threads(f"{name}-commit", most=1)
        self._writing: asyncio.Future[str | None] | None = None
        self._lost = journal.lost

    @property
    def lost(self) -> int:
        """Samples of this process that were given up."""
        return self._journal.lost - self._lost + self._given_up

    @property
    def _room(self) -> int:
        """Bytes that may wait."""
        return _MOST if self.trouble else _BURST

    def append(self, frames: Iterable[Frame], notes: Notes | None = None) -> None:
        """Let the frames and the notes come to disk soon, and together."""
        self._journal.append_all([(frame.timeline, frame) for frame in frames], notes)
        if self._journal.waiting > self._room:
            self._journal.shed(self._room)
        self._some.set()
        if self._journal.waiting > _MUCH:
            self._much.set()

    async def written(self) -> None:
        """Return when all that was appended is on disk. Raises JournalError where the disk does not take it."""
        lost = self.lost
        await self.keep([], {})
        if self.lost != lost:
            raise JournalError("samples had to be given up before they came to disk")

    async def keep(self, frames: Sequence[Frame], notes: Noting) -> None:
        """Bring frames and notes to disk together. Raises JournalError: then nothing of them is kept, now or later.

        So also where a disk that hangs has not come to them within a minute, and for whoever is cancelled before.
        Raises ValueError for frames that no journal can hold.
        """
        _check(frames)
        asked = _Asked(frames, notes)
        self._asked[asked] = None
        self._some.set()
        self._much.set()
        try:
            await asyncio.wait({asked.done}, timeout=_WITHIN)
            if not asked.done.done() and asked in self._asked:
                raise JournalError(f"the disk did not come to it within {_WITHIN:g} s")
            await asked.done
        finally:
            self._asked.pop(asked, None)
            asked.done.cancel()

    # while something is being written

    def holds(self, frames: Iterable[Frame], notes: Notes | None) -> bool:
        """Whether these may not be remembered now: they come after what is being written."""
        return any(frame.timeline in self._held for frame in frames) or bool(notes and self._behind)

    def put_behind(self, frames: Sequence[Frame], notes: Notes | None) -> None:
        """Let these wait until that is over; what is too much where that hangs is given up, counted."""
        _check(frames)
        self._held.update(frame.timeline for frame in frames)
        size = sum(map(weight, frames))
        if self._behind_bytes + size > self._room:
            self._given_up += sum(map(len, frames))
            return
        self._behind_bytes += size
        self._behind.append((frames, notes or {}))

    def take_behind(self) -> list[tuple[Sequence[Frame], Notes]]:
        """What had to wait, now that it is over."""
        behind, self._behind, self._behind_bytes = self._behind, [], 0
        return behind

    # work

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
                    if self._writing is not None:  # to its end, for whoever asked to hear how that was
                        await asyncio.wait({self._writing})
                    await self._thread.run(self._journal.close)
            if not self._journal.closed:
                log.warning("%s: its last samples did not come to disk within %g s", self._name, _LAST)
            for each in self._asked:
                _settle(each, f"{self._name} has ended")

    async def _commit_now_and_then(self) -> None:
        while True:
            await self._some.wait()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_COMMIT):
                    await self._much.wait()
            self._some.clear()
            self._much.clear()
            self._writing = asyncio.ensure_future(self._commit())
            trouble = await asyncio.shield(self._writing)
            self._tell(trouble)
            if trouble:
                self._some.set()
                await asyncio.sleep(_COMMIT)

    async def _commit(self) -> str | None:
        """Commit what waits and what is asked for; why that failed."""
        asked, notes = self._take_asked()
        frames = self._identified(frame for each in asked for frame in each.frames)
        self._held = {frame.timeline for frame in frames}
        trouble = await self._write(frames, notes)
        self._held = set()
        for each in asked:
            _settle(each, trouble)
        try:
            self._settled(() if trouble else frames)
        except Exception:
            log.exception("%s: what came to disk could not be told", self._name)
        return trouble

    def _take_asked(self) -> tuple[list[_Asked], Notes]:
        """What is asked for now by those who still wait, and its notes."""
        asked, notes = list[_Asked](), dict[str, str]()
        for each in self._asked:
            if not each.done.done():
                try:
                    notes.update(each.said())
                    asked.append(each)
                except BaseException as error:  # noqa: BLE001  # an author's code may raise anything; the others are kept
                    each.done.set_exception(_holdable(error))
        self._asked = {}
        return asked, notes

    async def _write(self, frames: Sequence[Frame], notes: Notes) -> str | None:
        """Commit; why that failed."""
        try:
            await self._thread.run(self._journal.commit, notes, [(frame.timeline, frame) for frame in frames])
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


def _check(frames: Iterable[Frame]) -> None:
    for frame in frames:
        if len(frame):
            checked((frame.timeline, frame))


def _settle(asked: _Asked, trouble: str | None) -> None:
    if asked.done.done():  # whoever waited has given up
        return
    if trouble:
        asked.done.set_exception(JournalError(trouble))
    else:
        asked.done.set_result(None)


def _holdable(error: BaseException) -> Exception:
    """What a future can hold, and ends no process: sys.exit() and the like do not."""
    if isinstance(error, Exception) and not isinstance(error, StopIteration):
        return error
    return RuntimeError(f"{type(error).__name__} raised: {said(error)}")
