"""A node that measures now and then: its author gives `sample`, the rest is here."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from sisock import nearest, reduction
from sisock.batch import Batch
from sisock.frames import Answer, Field, Frame, Query, Timeline
from sisock.nearest import Which
from sisock.nodes import health
from sisock.nodes.base import (
    RING,
    DataNode,
    NoData,
    Opener,
    Publish,
    Service,
    call,
    check_written,
    declared,
    description_of,
    line_of,
    name_of,
    said,
    sentence,
    timelines_of,
)
from sisock.nodes.history import Lacking, Past, Since, joined
from sisock.nodes.memory import Memory
from sisock.nodes.rows import Schema
from sisock.nodes.threads import Threads

log = logging.getLogger(__name__)
_AT_ONCE = 100_000  # samples that are reduced in about a millisecond
PATIENCE = 5.0  # seconds after which a `sample` that has not come back is told to be hanging


class LiveNode(DataNode):
    """Measure every `interval` seconds.

    `sample()`, plain or async, returns `{field: value}`, a Frame of many rows, or a list of these; values are
    numbers, texts, booleans or None. It may raise anything: NoData where there is nothing to measure.
    """

    interval: float = 1.0

    def sample(self) -> Any:
        """Measure once."""
        raise NotImplementedError

    def service(self, *, ring: int = RING, journal: Opener | None = None) -> Service:
        """This node at work, with `ring` bytes of memory for recent samples.

        `journal` opens the journal on disk where samples survive the process; without it they are in memory only.
        """
        check_written(self, LiveNode, "sample")
        return LiveService(self, ring=ring, journal=journal)


class LiveService:
    """A live node at work: samples at its interval, remembers the recent ones, publishes each."""

    kind = "live"

    def __init__(
        self,
        node: LiveNode,
        *,
        ring: int = RING,
        journal: Opener | None = None,
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
        self._schema = Schema(declared(node), lambda: declared(node))
        self._memory = Memory(self.name, ring, None if journal is None else journal())
        self.has_journal = journal is not None
        self.beside: Callable[[], str | None] = lambda: None  # the trouble of who takes samples elsewhere
        self.past: Past | None = None  # set by whoever serves the node and can ask a recorder
        self._health = health.Health(clock)
        self._told = ""  # of the last exception
        self._threads, self._reducing = Threads(self.name, most=1), Threads(f"{self.name}-reduce", most=1)

    # measuring

    async def run(self, publish: Publish) -> None:
        """Sample at the node's interval until cancelled; what is overdue is not made up for."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        async with self._memory.kept(publish):
            while True:
                await self._attempt()
                due = max(due + self._node.interval, loop.time())
                await asyncio.sleep(due - loop.time())

    async def _attempt(self) -> None:
        began = time.monotonic()
        attempt = asyncio.ensure_future(call(self._node.sample, run_in_thread=self._threads.run))
        try:
            while not (await asyncio.wait({attempt}, timeout=self._patience))[0]:
                took = time.monotonic() - began
                self._report("failed", took, f"sample() has not come back within {self._patience:g} s")
        finally:
            attempt.cancel()
        self._take(attempt, began)

    def _take(self, attempt: "asyncio.Future[Any]", began: float) -> None:
        frames, state, error = self._outcome(attempt)
        self._memory.extend(frames)
        self._report(state, time.monotonic() - began, error)

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
            return [], "failed", self._raised(error)
        if refused:
            return frames, "failed", refused
        return (frames, "ok", None) if frames else ([], "no data", "sample() returned no values")

    def _raised(self, error: Exception) -> str:
        """What an author's code raised, and where; the whole traceback is for who looks closely, once."""
        where = line_of(error, self._node)
        told = f"{sentence(error)} ({where})" if where else sentence(error)
        if told != self._told:
            log.debug("%s: %s", self.name, told, exc_info=error)
        self._told = told
        return told

    def _report(self, state: health.State, took: float, error: str | None = None) -> None:
        frame, changed = self._health.report(state, took, error or self._memory.trouble or self.beside())
        if changed:
            log.log(
                logging.WARNING if state == "failed" else logging.INFO,
                "%s: %s%s",
                self.name,
                state,
                f": {error}" if error else "",
            )
        self._memory.append(frame)

    # answering

    @property
    def _fields(self) -> dict[str, Field]:
        """All fields: those of before, those declared, those sampled, and the node's health."""
        return {**self._memory.before, **self._schema.fields, **health.FIELDS}

    async def get_fields(self, start: int, end: int) -> tuple[dict[str, Field], dict[str, Timeline]]:
        """All fields; the intervals are those of the samples between the two times."""
        fields = self._fields
        intervals = await self._memory.intervals({field.timeline for field in fields.values()}, start, end)
        kept = None if self.past is None else await self.past.get_fields(start, end)
        if kept is not None:
            fields = {**kept[0], **fields}
            for name, timeline in kept[1].items():
                intervals[name] = intervals.get(name) or timeline.interval
        return fields, timelines_of(fields, intervals.get)

    async def get_data(self, query: Query) -> Answer:
        """What is remembered, and before that what is kept elsewhere, reduced as the query asks."""
        if self.past is not None and not query.own:
            lacking = await self._lacking(self.past, query)
            whole = await joined(self.past, self._since, query, lacking) if lacking.fields else None
            if whole is not None:
                return whole
        frames, notices = await self._memory.window(self._asked(query.fields), query)
        until = {frame.timeline: min(query.end, int(frame.t[-1])) for frame in frames if len(frame)}
        if sum(map(len, frames)) <= _AT_ONCE:
            return _noticed(reduction.answer(frames, query, until), notices)
        answer: Answer = await self._reducing.run(reduction.answer, frames, query, until)
        return _noticed(answer, notices)

    async def _lacking(self, past: Past, query: Query) -> Lacking:
        """The fields of which samples of the window may be kept elsewhere only."""
        known, texts = self._asked(query.fields), set[str]()
        timelines = await self._memory.lacking({field.timeline for field in known.values()}, query)
        unknown = set(query.fields).difference(known)
        lacking = unknown | {name for name, field in known.items() if field.timeline in timelines}
        kept = await past.get_fields(0, 0) if unknown else None
        for name, field in {**(kept[0] if kept else {}), **known}.items():
            texts |= {name} if field.type == "string" else set()
        return Lacking(lacking, texts)

    async def _since(self, query: Query) -> Since:
        """What the node has itself, where the rest is kept elsewhere."""
        frames, notices = await self._memory.window(self._asked(query.fields), query, kept=True)
        return Since(frames, {each.timeline: min(query.end, int(each.t[-1])) for each in frames if len(each)}, notices)

    async def get_sample(self, fields: Sequence[str], t: int, which: Which) -> Answer:
        """What is remembered or kept elsewhere; a sentence where a sample of before may have had to go."""
        samples, notices = await self._memory.nearest(self._asked(fields), t, which)
        found = {name: sample for sample in samples for name in sample.columns}
        sought = list(fields) if which == "after" else [name for name in fields if name not in found]
        kept = await self.past.get_sample(sought, t, which) if self.past is not None and sought else None
        if kept is None:
            return nearest.answer(samples, which, notices)
        for part in kept.parts:
            for name in part.points.columns:
                one = replace(part.points.only((name,)), timeline=part.of)
                found[name] = nearest.nearer(one, found.get(name), which) or one
        return nearest.answer([found[name] for name in fields if name in found], which, kept.notices)

    def _asked(self, names: Iterable[str]) -> dict[str, Field]:
        """Those of the fields that there are."""
        fields = self._fields
        return {name: fields[name] for name in names if name in fields}

    async def read_from(self, epoch: str | None, position: int, limit: int) -> Batch:
        """What the journal has from a cursor on, of about `limit` bytes. Raises JournalError."""
        return await self._memory.read_from(epoch, position, limit)


def _noticed(answer: Answer, notices: tuple[str, ...]) -> Answer:
    """The answer with what the memory has to say before its own notices."""
    return replace(answer, notices=(*notices, *answer.notices))
