"""A node whose samples come from elsewhere, whenever they like: its author gives `receive`, the rest is here."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from sisock.frames import Field, Frame, column
from sisock.nodes.base import RING, NoData, Opener, Publish, check_written, said
from sisock.nodes.health import FIELDS as HEALTH
from sisock.nodes.health import State
from sisock.nodes.keeping import Notes, Noting
from sisock.nodes.live import LiveNode, LiveService
from sisock.nodes.threads import Threads
from sisock.store.journal import JournalError, JournalInUse
from sisock.store.quarantine import Quarantine
from sisock.times import NS

log = logging.getLogger(__name__)
TIMELINE = "received"
FIELDS = {
    "received.samples": Field("taken since the node was started", TIMELINE, "number", "samples"),
    "received.quarantined": Field("refused since the node was started: see `sisock quarantine`", TIMELINE, "number"),
}
_AGAIN_FIRST, _AGAIN_LAST = 1.0, 30.0  # seconds before `receive` is called again
_RECENT = 600 * NS  # how long the node's health tells of what was refused
_QUIET = "nothing has come yet"


Payload = bytes | str | Callable[[], str]


class NotKept(OSError):
    """What was received could not be brought to disk, and is not kept; says why. Whoever sent it has to send it again."""


class ReceivingNode(LiveNode):
    """Receive samples as they come.

    `receive(intake)`, async, runs for as long as the node does: it listens, asks or follows, and hands what it gets to
    the intake. What it raises is told in the node's health (NoData: nothing is wrong), and it is called again.
    `sample()` may return numbers of one's own on how it goes.
    """

    interval = 5.0

    async def receive(self, intake: "Intake") -> None:
        """Receive until cancelled."""
        raise NotImplementedError

    def sample(self) -> Any:
        """Nothing of one's own."""
        return {}

    def service(self, *, ring: int = RING, journal: Opener | None = None) -> LiveService:
        """This node at work, as that of any LiveNode."""
        check_written(self, ReceivingNode, "receive")
        return ReceivingService(self, ring=ring, journal=journal)


class Intake:
    """Where what is received goes: into ring, journal and live topic, or into quarantine. For the node's own loop."""

    def __init__(self, service: "ReceivingService") -> None:
        """Hand on to the service."""
        self._service = service

    def take(
        self, given: Any, *, source: str = "", payload: Payload = b"", notes: Mapping[str, str] | None = None
    ) -> int:
        """Take what `sample` of a LiveNode could have returned; the number of samples. On disk within a second.

        What of it cannot be taken goes into quarantine, as from the `source` and with the `payload` that it was made
        of, which may be a function that writes it down. `notes` are texts on disk in the same transaction, such as how
        far a file was read: see the property.
        """
        frames, refused = self._service.checked(given)
        if refused:
            self.quarantine(source, refused, payload() if callable(payload) else payload)
        self._service.remember(frames, notes)
        return sum(map(len, frames))

    async def keep(self, given: Any, *, source: str = "", payload: Payload = b"", notes: Noting | None = None) -> int:
        """As `take`; on disk when it returns, and not before that in answers or on the live topic. Raises NotKept.

        Then nothing of it is kept, now or later: it has to come again. Where nothing is given, what was taken before is
        on disk. What cannot be taken goes into quarantine, on disk as well, where the rest was kept. `notes` may be a
        function, called when they are written. Many that are kept at once share one write.
        """
        frames, refused = self._service.checked(given)
        try:
            await self._service.keep(frames, notes or {})
        except JournalError as error:
            raise NotKept(str(error)) from error
        if refused:
            self.quarantine(source, refused, payload() if callable(payload) else payload)
            await self.quarantined()
        return sum(map(len, frames))

    def quarantine(self, source: str, reason: str, payload: bytes | str = b"") -> None:
        """Keep what could not be taken, with the reason."""
        self._service.quarantine.add(source, reason, payload)

    def deny(self, source: str, reason: str) -> None:
        """Count somebody who may not send, for the node's health; nothing of strangers is kept."""
        self._service.deny(source, reason)

    async def quarantined(self) -> None:
        """Return when what was put into quarantine is on disk, or the disk does not take it, which is logged."""
        await self._service.quarantined()

    def tell(self, state: State, why: str | None = None) -> None:
        """Say how it goes, as `no data` because a broker is not there; shown in the node's health and listing."""
        self._service.tell(state, why)

    @property
    def notes(self) -> dict[str, str]:
        """The notes that were kept with samples, before and since the start."""
        return self._service.notes

    @property
    def lost(self) -> int:
        """Samples that had to be given up, as the disk did not take them, since the start."""
        return self._service.lost


class _Denied(NamedTuple):
    """Who was denied: how often, and of the last one its source, why, and when (ns)."""

    times: int
    source: str
    reason: str
    t: int


class ReceivingService(LiveService):
    """A node that receives, at work."""

    kind = "receiving"

    def __init__(self, node: ReceivingNode, *, ring: int = RING, journal: Opener | None = None) -> None:
        """As of any live node; what is refused is kept in the node's home."""
        super().__init__(node, ring=ring, journal=journal)
        self._receiving, self.on_trial = node, False
        self.quarantine = Quarantine(node.home, self.name)
        self.notes: dict[str, str] = {}
        self._samples = 0
        self._denied: _Denied | None = None
        self._own: set[str] = set()  # fields that `sample` gave
        self._state: tuple[State, str | None] = ("no data", _QUIET)
        self._passing = True  # whether that is over as soon as samples come: the node itself has not said it
        self._look = asyncio.Event()
        self._writing = Threads(f"{self.name}-quarantine", most=1)

    # what the intake needs

    def checked(self, given: Any) -> tuple[list[Frame], str | None]:
        """The frames in what was given, and why the rest is none."""
        return self._schema.frames(given, self._clock())

    def remember(self, frames: list[Frame], notes: Notes | None) -> None:
        """Take the frames: on disk soon, and together."""
        self._memory.extend(frames, notes)
        self._came(frames, notes or {})

    async def keep(self, frames: list[Frame], notes: Noting) -> None:
        """Take the frames once they are on disk; all that was taken where there are none. Raises JournalError."""
        if not frames and not notes:
            await self._memory.written()
            return
        noted: Notes = {}

        def said() -> Notes:
            nonlocal noted
            noted = notes() if callable(notes) else notes
            return noted

        try:
            await self._memory.keep(frames, said)
        except JournalError:
            if self.on_trial:  # it is shown, though nothing of it is kept
                self.remember(frames, None)
            raise
        self._came(frames, noted)

    def _came(self, frames: list[Frame], notes: Notes) -> None:
        self.notes.update(notes)
        self._samples += sum(map(len, frames))
        if frames and self._passing:
            self.tell("ok", None)

    @property
    def lost(self) -> int:
        """Samples that were given up before they came to disk."""
        return self._memory.lost

    async def quarantined(self) -> None:
        """Return when the quarantine was written."""
        await self._writing.run(self.quarantine.write)

    def tell(self, state: State, why: str | None) -> None:
        """Note how it goes, as the node says it; a change is told at once."""
        self._passing = False
        if (state, why) != self._state:
            self._state = state, why
            self._look.set()

    def deny(self, source: str, reason: str) -> None:
        """Note somebody who may not send."""
        before = 0 if self._denied is None else self._denied.times
        self._denied = _Denied(before + 1, source, reason, self._clock())

    def _ended(self, state: State, why: str) -> None:
        """Note why `receive` came to its end, until samples come again."""
        self.tell(state, why)
        self._passing = True

    # work

    async def run(self, publish: Publish) -> None:
        """Receive until cancelled, and tell now and then how it goes."""
        async with self._memory.kept(publish):
            await self._begin()
            try:
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(self._receive(Intake(self)))
                    tasks.create_task(self._tell_now_and_then())
            finally:
                self.quarantine.write()

    async def _begin(self) -> None:
        """Know what was noted before; where a process of before still has the journal, only once that has ended."""
        while (trouble := await self._memory.opened()) and isinstance(trouble.__cause__, JournalInUse):
            log.info("%s: %s", self.name, trouble)
            await asyncio.sleep(_AGAIN_FIRST)
        with contextlib.suppress(JournalError):  # what was before is not known: the memory has told it
            self.notes.update(self._memory.notes())

    async def _receive(self, intake: Intake) -> None:
        again = _AGAIN_FIRST
        while True:
            began = time.monotonic()
            try:
                await self._receiving.receive(intake)
                self._ended("failed", "receive() has ended: it has to go on for as long as the node does")
            except NoData as none:
                self._ended("no data", said(none) or "receive() raised NoData without saying why")
            except Exception as error:  # noqa: BLE001  # an author's code may raise anything; the node goes on
                self._ended("failed", self._raised(error))
            again = _AGAIN_FIRST if time.monotonic() - began > _AGAIN_LAST else min(2 * again, _AGAIN_LAST)
            await asyncio.sleep(again)

    async def _tell_now_and_then(self) -> None:
        while True:
            self._look.clear()
            await self._attempt()
            await self.quarantined()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._receiving.interval):
                    await self._look.wait()

    def _outcome(self, attempt: "asyncio.Future[Any]") -> tuple[list[Frame], State, str | None]:
        """How the receiving goes, and the author's own numbers."""
        frames, state, error = super()._outcome(attempt)
        self._own.update(name for frame in frames for name in frame.columns)
        frames = [*frames, self._figures()]
        if state == "failed":
            return frames, state, error
        state, why = self._state
        return frames, state, "; ".join(filter(None, [why or self._refused(), self._denials()])) or None

    def _refused(self) -> str | None:
        """A sentence on what was refused lately."""
        latest = self.quarantine.latest
        if latest is None or self._clock() - latest.t > _RECENT:
            return None
        return f"{self.quarantine.count} refused, the last one from {latest.source or 'somewhere'}: {latest.reason}"

    def _denials(self) -> str | None:
        """A sentence on who was denied lately."""
        if self._denied is None or self._clock() - self._denied.t > _RECENT:
            return None
        return f"{self._denied.times} denied, the last one from {self._denied.source}: {self._denied.reason}"

    def _figures(self) -> Frame:
        values = {"received.samples": self._samples, "received.quarantined": self.quarantine.count}
        t = np.array([self._clock()], np.int64)
        return Frame(TIMELINE, t, {name: column([value]) for name, value in values.items()})

    @property
    def _fields(self) -> dict[str, Field]:
        """All fields: those of what was received first, then the author's own numbers, the node's and its health."""
        fields = {**super()._fields, **FIELDS}
        last = dict.fromkeys([*(name for name in fields if name in self._own), *FIELDS, *HEALTH])
        return {**{name: field for name, field in fields.items() if name not in last}, **{n: fields[n] for n in last}}
