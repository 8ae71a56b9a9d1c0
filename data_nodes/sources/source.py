"""What all sources have in common: a table that describes them, and the way from a text to samples."""

import asyncio
import time
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from data_nodes.sources.shaping import Shaping
from data_nodes.sources.spec import Spec, read
from sisock.frames import Field, Frame
from sisock.nodes import Intake, NotKept, ReceivingNode
from sisock.nodes.base import RING, Opener, said
from sisock.nodes.live import LiveService
from sisock.nodes.threads import Threads
from sisock.parsers.rows import Parsed, Refused

_AGAIN = 5.0  # seconds before a disk is asked again whether it has what was given to it
_HEALTH = 5.0  # seconds from one word on the health to the next, where the source says no interval
_GRACE = 5.0  # seconds beyond those that a source has by itself
_WITHIN = 30.0  # seconds that reading a text may take


class Source(ReceivingNode):
    """A node that a table describes; see `loading`."""

    where: ClassVar[str] = ""  # the table, for sentences
    table: ClassVar[Mapping[str, Any]] = {}
    folder: ClassVar[Path] = Path()  # relative paths are from here

    def __init__(self, *, interval: float | None = None, **given: Any) -> None:
        """What is given stands in place of what the table says."""
        more = {} if interval is None else {"interval": interval}
        self.spec: Spec = read(self.where, {**self.table, **given, **more}, self.folder)
        self.tags = self.spec.options.get("tags", ())
        self.sensitive = self.spec.options.get("sensitive", False)
        self.kafka = self.spec.options.get("kafka", False)
        self.interval = min(_HEALTH, self.spec.options["interval"])
        self.on_trial = False  # what there is now shall be shown once, and nothing remembered
        self._shaping = Shaping(self.spec)
        self._journaled = False

    @property
    def fields(self) -> Mapping[str, Field]:
        """Those that the table tells of."""
        return self.spec.fields

    def service(self, *, ring: int = RING, journal: Opener | None = None) -> LiveService:
        """This node at work."""
        self._journaled = journal is not None
        return super().service(ring=ring, journal=journal)

    @cached_property
    def thread(self) -> Threads:
        """A thread of this node's own, for what blocks or takes its time."""
        return Threads(f"{self.name}-source", most=1)

    def readable(self, text: str) -> str:
        """The text without the lines that are left out knowingly."""
        ignore = self.spec.ignore
        return text if ignore is None else "\n".join(line for line in text.splitlines() if not ignore.is_in(line))

    async def hand(self, intake: Intake, parsed: Parsed, notes: Mapping[str, str] | None = None) -> int:
        """Let the intake have what was read, on disk together with the notes when it returns; the number of samples."""
        async with asyncio.timeout(_WITHIN):
            frame, refused = await self.thread.run(self._shaping.frame, parsed, time.time_ns())
        for each in refused:
            self.refuse(intake, each)
        if refused and notes:  # before it is noted that these were read
            await intake.quarantined()
        return await self._keep(intake, frame, notes, parsed.rows[0].text if len(parsed.rows) == 1 else "")

    def refuse(self, intake: Intake, refused: Refused) -> None:
        """Let the quarantine have what could not be read."""
        intake.quarantine(self.spec.kind, refused.reason, refused.text)

    async def _keep(self, intake: Intake, frame: Frame | None, notes: Mapping[str, str] | None, text: str) -> int:
        given: Any = {} if frame is None else frame
        if not self._journaled:
            return intake.take(given, source=self.spec.kind, payload=text)
        count = intake.take(given, source=self.spec.kind, payload=text, notes=notes)
        while notes:  # more is read only when this is on disk
            try:
                await intake.keep({})
                break
            except NotKept as error:
                intake.tell("failed", str(error))
                await asyncio.sleep(_AGAIN)
        return count


class Polled(Source):
    """A source that is asked every `interval` seconds."""

    async def ask(self, intake: Intake) -> tuple[Parsed, Mapping[str, str] | None]:
        """What there is now, and notes to keep with it; raises what it likes."""
        raise NotImplementedError

    async def receive(self, intake: Intake) -> None:
        """Ask until cancelled; what goes wrong once is told, and asked again at the next time."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            await self._once(intake)
            due = max(due + self.spec.options["interval"], loop.time())
            await asyncio.sleep(due - loop.time())

    async def _once(self, intake: Intake) -> None:
        try:
            async with asyncio.timeout(self.spec.options["timeout"] + _GRACE):
                parsed, notes = await self.ask(intake)
            count = await self.hand(intake, parsed, notes)
        except TimeoutError:
            intake.tell("failed", f"nothing had come back after {self.spec.options['timeout'] + _GRACE:g} s")
            return
        except Exception as error:  # noqa: BLE001  # whatever a library raises; the next time may be better
            intake.tell("failed", said(error) or type(error).__name__)
            return
        if count or not parsed.refused:
            nothing = not count and notes is None
            intake.tell("no data" if nothing else "ok", "there was nothing in what came" if nothing else None)
        else:
            intake.tell("failed", f"nothing of what came could be taken: {parsed.refused[0].reason}")

    async def read(self, text: str) -> Parsed:
        """What a text says, read in this node's thread."""
        async with asyncio.timeout(_WITHIN):
            parsed: Parsed = await self.thread.run(lambda: self.spec.parse(self.readable(text)))
        return parsed
