"""A node that measures now and then: its author gives `sample`, the rest is here."""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from sisock import nearest, reduction
from sisock.frames import Answer, Field, Frame, Query, Timeline
from sisock.nearest import Which
from sisock.nodes import health
from sisock.nodes.base import (
    RING,
    DataNode,
    NoData,
    Publish,
    Service,
    call,
    declared,
    description_of,
    name_of,
    said,
    sentence,
    timelines_of,
)
from sisock.nodes.rows import Schema
from sisock.nodes.threads import Threads
from sisock.store.ring import Ring
from sisock.times import FIRST, NS

log = logging.getLogger(__name__)
PATIENCE = 5.0  # seconds after which a `sample` that has not come back is told to be hanging


class LiveNode(DataNode):
    """Measure every `interval` seconds.

    `sample()`, plain or async, returns `{field: value}`, a Frame of many rows, or a list of these; values are
    numbers, texts, booleans or None. It may raise anything: NoData where there is nothing to measure.
    """

    interval: float = 1.0

    def sample(self) -> Any:
        """Measure once."""
        raise NoData(f"{type(self).__name__} has no sample(): write one")

    def service(self, *, ring: int = RING) -> Service:
        """This node at work, with `ring` bytes of memory for recent samples."""
        return LiveService(self, ring=ring)


class LiveService:
    """A live node at work: samples at its interval, remembers the recent ones, publishes each."""

    kind = "live"

    def __init__(
        self,
        node: LiveNode,
        *,
        ring: int = RING,
        clock: Callable[[], int] = time.time_ns,
        patience: float = PATIENCE,
    ) -> None:
        """Remember `ring` bytes of samples; ask the clock for the time in ns since 1970.

        A `sample` that has not come back after `patience` seconds (or an interval) is told to be hanging.
        """
        self.name, self.description = name_of(node), description_of(node)
        if not isinstance(node.interval, (int, float)) or not node.interval > 0:
            raise ValueError(
                f"{self.name}: an interval of {node.interval!r:.80} s cannot be kept: give a number above 0"
            )
        self._node, self._clock = node, clock
        self._patience = max(patience, node.interval)
        self._ring = Ring(ring)
        self._schema = Schema(declared(node), lambda: declared(node))
        self._health = health.Health(clock)
        self._threads = Threads(self.name, most=1)

    # measuring

    async def run(self, publish: Publish) -> None:
        """Sample at the node's interval until cancelled; what is overdue is not made up for."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            await self._attempt(publish)
            due = max(due + self._node.interval, loop.time())
            await asyncio.sleep(due - loop.time())

    async def _attempt(self, publish: Publish) -> None:
        began = time.monotonic()
        attempt = asyncio.ensure_future(call(self._node.sample, run_in_thread=self._threads.run))
        try:
            while not (await asyncio.wait({attempt}, timeout=self._patience))[0]:
                took = time.monotonic() - began
                self._report(publish, "failed", took, f"sample() has not come back within {self._patience:g} s")
        finally:
            attempt.cancel()
        self._take(attempt, began, publish)

    def _take(self, attempt: "asyncio.Future[Any]", began: float, publish: Publish) -> None:
        frames, state, error = self._outcome(attempt)
        for frame in frames:
            publish(self._ring.append(frame))
        self._report(publish, state, time.monotonic() - began, error)

    def _outcome(self, attempt: "asyncio.Future[Any]") -> tuple[list[Frame], health.State, str | None]:
        """The samples that the attempt brought, and the health that follows from it."""
        try:
            returned = attempt.result()
            if returned is None:
                return [], "no data", "sample() returned nothing"
            frames, refused = self._schema.frames(returned, self._clock())
        except NoData as none:
            return [], "no data", said(none) or "sample() raised NoData without saying why"
        except asyncio.CancelledError:  # not ours: we would not be here
            return [], "failed", "sample() was cancelled from within"
        except Exception as error:  # noqa: BLE001  # an author's code may raise anything; the node goes on
            return [], "failed", sentence(error)
        if refused:
            return frames, "failed", refused
        return (frames, "ok", None) if frames else ([], "no data", "sample() returned no values")

    def _report(self, publish: Publish, state: health.State, took: float, error: str | None = None) -> None:
        frame, changed = self._health.report(state, took, error)
        if changed:
            log.log(
                logging.INFO if state == "ok" else logging.WARNING,
                "%s: %s%s",
                self.name,
                state,
                f": {error}" if error else "",
            )
        publish(self._ring.append(frame))

    # answering

    async def get_fields(self, start: int, end: int) -> tuple[dict[str, Field], dict[str, Timeline]]:
        """All fields; the intervals are those of the samples between the two times."""
        fields = {**self._schema.fields, **health.FIELDS}
        return fields, timelines_of(fields, lambda timeline: self._ring.window(timeline, (), start, end).t)

    async def get_data(self, query: Query) -> Answer:
        """What the ring still holds, reduced as the query asks."""
        frames: list[Frame] = []
        until: dict[str, int | None] = {}
        for timeline in self._ring.timelines():
            wanted = self._ring.fields(timeline).intersection(query.fields)
            if wanted:
                frame = self._window(timeline, [name for name in query.fields if name in wanted], query)
                frames.append(frame)
                until[timeline] = min(query.end, int(frame.t[-1])) if len(frame) else None
        answer = reduction.answer(frames, query, until)
        return replace(answer, notices=self._notices(query))

    async def get_sample(self, fields: Sequence[str], t: int, which: Which) -> Answer:
        """What the ring still holds; a sentence where a sample of before may have had to go."""
        found = {name: self._ring.nearest(name, t, which) for name in fields}
        lacking = tuple(name for name, sample in found.items() if sample is None)
        notices = () if which == "after" else self._notices(Query(lacking, FIRST, t))
        return nearest.answer(found.values(), which, notices)

    def _window(self, timeline: str, fields: list[str], query: Query) -> Frame:
        epoch, seq = query.since.get(timeline, ("", 0))
        return self._ring.window(timeline, fields, query.start, query.end, seq if epoch == self._ring.epoch else 0)

    def _notices(self, query: Query) -> tuple[str, ...]:
        """A sentence if the query reaches back to samples that had to go."""
        fields = {**self._schema.fields, **health.FIELDS}
        gone = {fields[name].timeline for name in query.fields if name in fields}.intersection(self._ring.dropped)
        firsts = [first for timeline in gone if (first := self._ring.first(timeline)) is not None]
        cut = [first for first in firsts if query.start < first]
        if len(firsts) < len(gone):
            return (f"{self.name} has no room for its samples: give it a larger ring",)
        if not cut:
            return ()
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(min(cut) // NS))
        return (f"{self.name} remembers its samples since {when} UTC; older ones are not in memory any more",)
