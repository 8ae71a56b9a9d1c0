"""The samples of one node, fetched again and again: from its journal, or in the way of nodes without one."""

import asyncio
import json
import logging
import time
from collections.abc import Mapping
from typing import Any, Protocol

from data_nodes.recorder.keeping import Keeping
from sisock.batch import Batch
from sisock.errors import NoAnswer, TooLarge
from sisock.frames import Answer, Field, Frame, Timeline
from sisock.listing import Node
from sisock.store.keeper import Cursor, Taking
from sisock.times import NS

log = logging.getLogger(__name__)
_LEAST, _MOST = 1.0, 5.0  # seconds between questions to a node; the more, the less it has
_PAGE = 2 * 2**20  # bytes of a journal at a time
_BACK = 86_400.0  # seconds of the past of an existing node that are asked for at first
_OPEN_END = 9.2e9


class Lab(Protocol):
    """What pulling needs of a consumer."""

    async def fields(
        self, node: str, start: float = ..., end: float = ...
    ) -> tuple[dict[str, Field], dict[str, Timeline]]:
        """What a node has."""

    async def data(
        self,
        node: str,
        fields: Any,
        start: float = ...,
        end: float = ...,
        *,
        since: Any = ...,
        own: bool = ...,
        kept: bool = ...,
    ) -> Answer:
        """Its samples."""

    async def read_from(
        self, node: str, epoch: str | None = ..., position: int = ..., limit: int | None = ...
    ) -> Batch:
        """Its journal."""


class Puller:
    """Fetches what a node has and hands it over, with how far that goes."""

    def __init__(self, lab: Lab, keeping: Keeping, node: Node) -> None:
        """Fetch from this node."""
        self._lab, self._keeping, self._node, self._name = lab, keeping, node, node.name
        self._fields: dict[str, Field] = {}
        self.done_at = time.monotonic()  # when everything had been fetched

    async def run(self) -> None:
        """Fetch until the node is away. Raises ConsumerError."""
        wait = _LEAST
        fetch = self._journal if self._node.info.get("journal") else self._since if self._node.info else self._polled
        while True:
            try:
                found, more = await fetch()
            except NoAnswer as error:
                log.info("recorder: %s", error)
                found = 0
            else:
                if more:
                    continue
                self.done_at = time.monotonic()
            wait = _LEAST if found else min(_MOST, wait * 2)
            await asyncio.sleep(wait)

    async def _known(self, frames: Any) -> Mapping[str, Field]:
        """What the fields of these frames are."""
        if any(name not in self._fields for frame in frames for name in frame.columns):
            self._fields, _ = await self._lab.fields(self._name)
        known = {}
        for frame in frames:
            for name, column in frame.columns.items():
                field = self._fields.get(name, Field())
                known[name] = field._replace(timeline=frame.timeline, type=column.type)
        return known

    async def _journal(self) -> tuple[int, bool]:
        """A page of the node's journal; how many samples, and whether there is more."""
        cursor = self._keeping.cursor(self._name) or Cursor("", 0)
        batch = await self._lab.read_from(self._name, cursor.epoch or None, cursor.position, _PAGE)
        reached = Cursor(batch.epoch, batch.position)
        if reached != cursor or batch.frames:
            fields = await self._known(batch.frames)
            await self._keeping.take(Taking(self._name, batch.frames, fields, reached), batch.dropped)
        return batch.samples, batch.more

    async def _since(self) -> tuple[int, bool]:
        """What a node of ours without a journal has since: by the identity of its samples."""
        cursor = self._keeping.cursor(self._name)
        since = {k: tuple(v) for k, v in json.loads(cursor.epoch).items()} if cursor else {}
        self._fields, _ = await self._lab.fields(self._name)
        answer = await self._lab.data(
            self._name, list(self._fields), 1.0, _OPEN_END, since=since or None, own=True, kept=False
        )
        frames = [part.points for part in answer.parts if len(part.points)]
        reached = {**since, **{frame.timeline: (frame.epoch, frame.seq) for frame in frames}}
        if frames:
            cursor = Cursor(json.dumps(reached), 0)
            await self._keeping.take(Taking(self._name, frames, await self._known(frames), cursor))
        return sum(map(len, frames)), False

    async def _polled(self) -> tuple[int, bool]:
        """What an existing node says will not change any more, each sample once by its time."""
        cursor = self._keeping.cursor(self._name)
        until: dict[str, int] = json.loads(cursor.epoch) if cursor else {}
        self._fields, _ = await self._lab.fields(self._name)
        timelines: dict[str, list[str]] = {}
        for name, field in self._fields.items():
            timelines.setdefault(field.timeline, []).append(name)
        frames = []
        for timeline, names in timelines.items():
            start = until[timeline] / NS - 1e-3 if timeline in until else -_BACK
            for part in (await self._bounded(names, start)).parts:
                frame = part.points
                if not len(frame):
                    continue
                final = int(frame.t[-1]) if part.finalized_until is None else part.finalized_until
                frame = frame.between(until.get(timeline, int(frame.t[0])), max(final, int(frame.t[0])))
                until[timeline] = max(final, until.get(timeline, final))
                frames += [Frame(timeline, frame.t, frame.columns)] if len(frame) else []
        if frames:
            taking = Taking(self._name, frames, await self._known(frames), Cursor(json.dumps(until), 0))
            await self._keeping.take(taking)
        return sum(map(len, frames)), False

    async def _bounded(self, names: list[str], start: float) -> Answer:
        """The samples since; where these are too many for an answer, the latest."""
        while True:
            try:
                return await self._lab.data(self._name, names, start, _OPEN_END, kept=False)
            except TooLarge:
                if start > -1.0 and start <= 0:
                    raise
                start = start / 4 if start <= 0 else -_BACK
                log.warning(
                    "recorder: %s has more than an answer may hold: only its latest samples are taken", self._name
                )
