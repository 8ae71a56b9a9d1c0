"""A node that serves what was measured before: its author gives `read`, the rest is here."""

import asyncio
import inspect
import logging
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from sisock import nearest, reduction
from sisock.frames import Answer, Field, Frame, Query, Timeline, Times, column
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
    interval,
    name_of,
    said,
    sentence,
    timelines_of,
)
from sisock.nodes.seeking import seek
from sisock.nodes.threads import Threads
from sisock.store.ring import Ring

log = logging.getLogger(__name__)
_READERS = 4  # reads at the same time
_PATIENCE = 8.0  # seconds that a read may take; callers wait for 10
_FRESH = 1.0  # seconds for which fields that a property found are those of the node
_MOST_NOTICES = 20
_AT_ONCE = 100_000  # samples that are reduced in about a millisecond
_HEALTH_RING = 2**18
_EMPTY: Times = np.empty(0, np.int64)


class ArchivedNode(DataNode):
    """Serve an archive: `fields` says what there is (a dict, or a property that looks), `read` gets it.

    `read(field, start, end)`, plain or async, returns times (int64 ns, shape (n,)) and as many values; what lies
    outside `[start, end)` is cut off here. It may raise anything: that field then has a notice instead of data.
    """

    def read(self, field: str, start: int, end: int) -> Any:
        """Times and values of one field between two times in ns."""
        raise NotImplementedError

    def find(self, field: str, t: int, which: Which) -> Any:
        """Time in ns of the last sample at or before t ns ("at"), "before" it, or the first "after" it; None if none.

        Give one, plain or async, where there is an index: without it `read` is asked for windows that grow.
        """
        return NotImplemented

    def service(self, *, ring: int = RING, journal: Opener | None = None) -> Service:
        """This node at work; the archive is its memory, and it needs no journal."""
        check_written(self, ArchivedNode, "read")
        return ArchivedService(self)


class ArchivedService:
    """An archived node at work: reads what is asked, reduces and labels it."""

    kind = "archive"

    def __init__(
        self, node: ArchivedNode, *, clock: Callable[[], int] = time.time_ns, patience: float = _PATIENCE
    ) -> None:
        """Ask the clock for the time in ns since 1970; give a read so many seconds."""
        self.name, self.description = name_of(node), description_of(node)
        self._node, self._patience, self._clock = node, patience, clock
        self._health = health.Health(clock)
        self._ring = Ring(_HEALTH_RING)
        self._threads = Threads(self.name, most=_READERS)
        self._publish: Publish | None = None
        self._reported = -1.0
        self._found: dict[str, Field] = {}
        self._looked = -math.inf

    async def run(self, publish: Publish) -> None:
        """Only the node's health is live: publish it as it comes."""
        self._publish = publish
        fields, wrong = await self._fields()
        if not wrong:
            self._report("ok" if fields else "no data", 0.0, None if fields else "there is nothing in the archive")
        await asyncio.Event().wait()

    def _report(self, state: health.State, took: float, error: str | None = None) -> None:
        """Tell how a read went: each change of state, and at most one a second while nothing changes."""
        now = time.monotonic()
        frame, changed = self._health.report(state, took, error)
        if changed and error:
            log.warning("%s: %s: %s", self.name, state, error)
        if changed or now - self._reported >= 1:
            self._reported = now
            kept = self._ring.append(frame)
            if self._publish is not None:
                self._publish(kept)

    async def get_fields(self, start: int, end: int) -> tuple[dict[str, Field], dict[str, Timeline]]:
        """All fields; the intervals are those of the samples between the two times."""
        fields, _ = await self._fields()
        firsts = {field.timeline: name for name, field in reversed(fields.items())}
        read = await asyncio.gather(*(self._read(name, fields[name], start, end) for name in firsts.values()))
        axes = {axis: each.t for axis, each in zip(firsts, read, strict=True) if isinstance(each, Frame)}
        axes[health.TIMELINE] = self._ring.window(health.TIMELINE, (), start, end).t
        every = {**fields, **health.FIELDS}
        return every, timelines_of(every, lambda axis: interval(axes.get(axis, _EMPTY)))

    async def get_data(self, query: Query) -> Answer:
        """What the archive has, reduced as the query asks; a field that cannot be read costs only itself."""
        began = time.monotonic()
        fields, wrong = await self._fields(query.fields)
        asked = [name for name in query.fields if name in fields]
        own = [name for name in query.fields if name in health.FIELDS]
        read = await asyncio.gather(*(self._read(name, fields[name], query.start, query.end) for name in asked))
        nothing = [each for each in read if isinstance(each, _Nothing)]
        if asked:
            self._report(*_outcome(nothing, time.monotonic() - began))
        notices = (*wrong, *_few([each.why for each in nothing]))
        frames = [each for each in read if isinstance(each, Frame)]
        if own:
            frames.append(self._ring.window(health.TIMELINE, own, query.start, query.end))
        answer = await self._reduce(frames, query)
        return replace(answer, notices=(*answer.notices, *notices))

    async def get_sample(self, fields: Sequence[str], t: int, which: Which) -> Answer:
        """What the archive has nearest to an instant; a field that cannot be read costs only itself."""
        began = time.monotonic()
        known, wrong = await self._fields(fields)
        asked = [name for name in fields if name in known]
        found = await asyncio.gather(*(self._seek(name, known[name], t, which) for name in asked))
        nothing = [each for each in found if isinstance(each, _Nothing)]
        if asked:
            self._report(*_outcome(nothing, time.monotonic() - began))
        samples = [each for each in found if isinstance(each, Frame)]
        own = [self._ring.nearest(name, t, which) for name in fields if name in health.FIELDS]
        return nearest.answer([*samples, *own], which, (*wrong, *_few([each.why for each in nothing])))

    async def _seek(self, name: str, field: Field, t: int, which: Which) -> "Frame | _Nothing | None":
        """The sample of one field, None if it has none, or why it cannot be found."""

        async def read(start: int, end: int) -> "Frame | _Nothing":
            found = await self._read(name, field, start, end)
            sound = isinstance(found, Frame) or found.state == "failed"
            return found if sound else _frame(field, name, _EMPTY, _EMPTY)

        patience = asyncio.timeout(self._patience)
        try:
            async with patience:
                at = await call(self._node.find, name, t, which, run_in_thread=self._threads.run)
                return await seek(read, name, t, which, self._clock(), at)
        except Exception as error:  # noqa: BLE001  # an author's code may raise anything; the node goes on
            late = f"no sample was found within {self._patience:g} s"
            return _Nothing("failed", f"{name}: {late if patience.expired() else f'find() failed: {sentence(error)}'}")

    async def _reduce(self, frames: list[Frame], query: Query) -> Answer:
        """Reduce here what takes a millisecond, in a thread what takes longer."""
        until = _finalized(frames, query.end)
        if sum(map(len, frames)) <= _AT_ONCE:
            return reduction.answer(frames, query, until)
        answer: Answer = await self._threads.run(reduction.answer, frames, query, until)
        return answer

    async def _fields(self, asked: Sequence[str] = ()) -> tuple[dict[str, Field], tuple[str, ...]]:
        """The author's fields, and what is wrong with them; where they are no plain dict, a thread looks.

        It does not look again for a second where all that is asked for is known.
        """
        fresh = time.monotonic() - self._looked < _FRESH
        if asked and fresh and all(name in self._found or name in health.FIELDS for name in asked):
            return self._found, ()
        try:
            async with asyncio.timeout(self._patience):
                if isinstance(inspect.getattr_static(self._node, "fields"), dict):
                    return declared(self._node), ()
                self._found = await self._threads.run(declared, self._node)
                self._looked = time.monotonic()
                return self._found, ()
        except Exception as error:  # noqa: BLE001  # an author's code may raise anything; the node goes on
            wrong = f"the fields of {self.name} could not be found: {sentence(error)}"
            self._report("failed", 0.0, wrong)
            return {}, (wrong,)

    async def _read(self, name: str, field: Field, start: int, end: int) -> "Frame | _Nothing":
        """The samples of one field, or why there are none."""
        if start >= end:
            return _frame(field, name, _EMPTY, _EMPTY)
        patience = asyncio.timeout(self._patience)
        try:
            async with patience:
                returned = await call(self._node.read, name, start, end, run_in_thread=self._threads.run)
            return _frame(field, name, *_two(returned)).between(start, end)
        except NoData as none:
            return _Nothing("no data", f"{name}: {said(none) or 'read() raised NoData without saying why'}")
        except Exception as error:  # noqa: BLE001  # an author's code may raise anything; the node goes on
            if patience.expired():
                return _Nothing("failed", f"{name}: read() has not come back within {self._patience:g} s")
            return _Nothing("failed", f"{name} could not be read: {sentence(error)}")


class _Nothing(NamedTuple):
    """Why a field has no samples."""

    state: health.State
    why: str


def _outcome(nothing: list[_Nothing], took: float) -> tuple[health.State, float, str | None]:
    """The health that follows from what could not be read: a failure before an absence."""
    worst = min(nothing, key=lambda each: each.state != "failed", default=_Nothing("ok", ""))
    return worst.state, took, worst.why or None


def _few(notices: list[str]) -> list[str]:
    """The notices, or the first of very many."""
    more = len(notices) - _MOST_NOTICES
    return notices if more <= 0 else [*notices[:_MOST_NOTICES], f"{more} more fields could not be read"]


def _two(returned: Any) -> tuple[Any, Any]:
    if not isinstance(returned, (tuple, list)) or len(returned) != 2:
        raise TypeError(f"read() returned {type(returned).__name__}: return two things, times and values")
    return returned[0], returned[1]


def _frame(field: Field, name: str, t: Any, values: Any) -> Frame:
    """What `read` returned as a frame in the order of time; of equal times all samples stay."""
    given, one = np.asarray(t), column(values)
    if given.dtype.kind not in "iu" and given.size:
        raise TypeError(f"read() returned times of type {given.dtype}: return int64, nanoseconds since 1970")
    axis = np.ascontiguousarray(given, np.int64)
    if given.ndim != 1 or one.values.shape != axis.shape:
        raise ValueError(f"read() returned {axis.shape} times, but {one.values.shape} values")
    if one.type != field.type and one.present().any():
        raise TypeError(f"it is declared as a {field.type}, but a {one.type} came")
    frame = Frame(field.timeline, axis, {name: one})
    return frame.rows(np.argsort(axis, kind="stable")) if (axis[1:] < axis[:-1]).any() else frame


def _finalized(frames: list[Frame], end: int) -> dict[str, int]:
    """For each timeline the time before which all of its frames are complete."""
    until: dict[str, int] = {}
    for frame in frames:
        if len(frame):
            last = min(int(frame.t[-1]), end)
            until[frame.timeline] = min(until.get(frame.timeline, last), last)
    return until
