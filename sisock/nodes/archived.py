"""A node that serves what was measured before: its author gives `read`, the rest is here."""

import asyncio
import inspect
import logging
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from sisock import reduction
from sisock.frames import Answer, Column, Field, Frame, Query, Timeline, Times, column
from sisock.nodes import health
from sisock.nodes.base import DataNode, NoData, Publish, Service, declared, description_of, name_of
from sisock.nodes.threads import Threads
from sisock.store.ring import Ring
from sisock.times import NS

log = logging.getLogger(__name__)
_READERS = 4  # reads at the same time
_HEALTH_RING = 2**18
_EMPTY: Times = np.empty(0, np.int64)


class ArchivedNode(DataNode):
    """Serve an archive: `fields` says what there is (a dict, or a property that looks), `read` gets it.

    `read(field, start, end)`, plain or async, returns times (int64 ns, shape (n,)) and as many values; what lies
    outside `[start, end)` is cut off here. It may raise anything: that field then has a notice instead of data.
    """

    def read(self, field: str, start: int, end: int) -> Any:
        """Times and values of one field between two times in ns."""
        raise NoData(f"{type(self).__name__} has no read(): write one")

    def service(self) -> Service:
        """This node at work."""
        return ArchivedService(self)


class ArchivedService:
    """An archived node at work: reads what is asked, reduces and labels it."""

    kind = "archive"

    def __init__(self, node: ArchivedNode, *, clock: Callable[[], int] = time.time_ns) -> None:
        """Ask the clock for the time in ns since 1970."""
        self.name, self.description = name_of(node), description_of(node)
        self._node = node
        self._health = health.Health(clock)
        self._ring = Ring(_HEALTH_RING)
        self._threads = Threads(self.name, most=_READERS)
        self._publish: Publish | None = None
        self._reported = -1.0

    async def run(self, publish: Publish) -> None:
        """Only the node's health is live: publish it as it comes."""
        self._publish = publish
        fields = await self._threads.run(declared, self._node)
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
        own = health.TIMELINE, self._ring.window(health.TIMELINE, (), start, end).t
        loop = asyncio.get_running_loop()
        fields, axes = await self._threads.run(self._axes, start, end, loop)
        names: dict[str, list[str]] = {}
        for name, field in {**fields, **health.FIELDS}.items():
            names.setdefault(field.timeline, []).append(name)
        intervals = {axis: _interval(t) for axis, t in (*axes.items(), own)}
        return {**fields, **health.FIELDS}, {axis: Timeline(intervals[axis], tuple(of)) for axis, of in names.items()}

    def _axes(self, start: int, end: int, loop: asyncio.AbstractEventLoop) -> tuple[dict[str, Field], dict[str, Times]]:
        """The author's fields, and the times of the first field of each timeline."""
        fields = declared(self._node)
        firsts = {field.timeline: name for name, field in reversed(fields.items())}
        read = {axis: self._read(name, fields[name], start, end, loop) for axis, name in firsts.items()}
        return fields, {axis: _EMPTY if isinstance(each, str) else each.t for axis, each in read.items()}

    async def get_data(self, query: Query) -> Answer:
        """What the archive has, reduced as the query asks; a field that cannot be read costs only itself."""
        began = time.monotonic()
        own = [name for name in query.fields if name in health.FIELDS]
        frames = [self._ring.window(health.TIMELINE, own, query.start, query.end)] if own else []
        answer: Answer = await self._threads.run(self._answer, query, frames, asyncio.get_running_loop())
        if len(own) < len(query.fields):
            wrong = answer.notices[0] if answer.notices else None
            self._report("failed" if wrong else "ok", time.monotonic() - began, wrong)
        return answer

    def _answer(self, query: Query, frames: list[Frame], loop: asyncio.AbstractEventLoop) -> Answer:
        fields = declared(self._node)
        read = [self._read(name, fields[name], query.start, query.end, loop) for name in query.fields if name in fields]
        frames = [*frames, *(each for each in read if isinstance(each, Frame))]
        until: dict[str, int | None] = {}
        for frame in frames:
            if len(frame):
                last = int(frame.t[-1])
                until[frame.timeline] = min(until.get(frame.timeline) or last, last, query.end)
        answer = reduction.answer(frames, query, until)
        notices = tuple(each for each in read if isinstance(each, str))
        return Answer(answer.parts, answer.method, answer.bin, (*answer.notices, *notices))

    def _read(self, name: str, field: Field, start: int, end: int, loop: asyncio.AbstractEventLoop) -> Frame | str:
        """The samples of one field, or a sentence why there are none."""
        try:
            if inspect.iscoroutinefunction(self._node.read):
                t, values = asyncio.run_coroutine_threadsafe(self._node.read(name, start, end), loop).result()
            else:
                t, values = self._node.read(name, start, end)
            return _frame(field.timeline, name, t, values).between(start, end)
        except NoData as none:
            return f"{name}: {none}"
        except Exception as error:  # noqa: BLE001  # an author's code may raise anything; the node goes on
            return f"{name} could not be read: {type(error).__name__}: {error}"


def _frame(timeline: str, name: str, t: Any, values: Any) -> Frame:
    """What `read` returned as a frame in the order of time; of equal times all samples stay."""
    axis = np.ascontiguousarray(t, np.int64)
    one = values if isinstance(values, Column) else column(values)
    if axis.ndim != 1 or one.values.shape != axis.shape:
        raise ValueError(f"read() returned {axis.shape} times, but {one.values.shape} values")
    frame = Frame(timeline, axis, {name: one})
    return frame.rows(np.argsort(axis, kind="stable")) if (axis[1:] < axis[:-1]).any() else frame


def _interval(t: Times) -> float | None:
    """Mean seconds between samples."""
    return float(t[-1] - t[0]) / NS / (len(t) - 1) if len(t) > 1 else None
