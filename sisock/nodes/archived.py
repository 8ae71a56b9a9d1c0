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
from sisock.nodes.base import RING, DataNode, NoData, Publish, Service, call, declared, description_of, name_of
from sisock.nodes.threads import Threads
from sisock.store.ring import Ring
from sisock.times import NS

log = logging.getLogger(__name__)
_READERS = 4  # reads at the same time
_PATIENCE = 8.0  # seconds that a read may take; callers wait for 10
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

    def service(self, *, ring: int = RING) -> Service:
        """This node at work; the archive is its memory."""
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
        fields = await self._fields()
        firsts = {field.timeline: name for name, field in reversed(fields.items())}
        read = await asyncio.gather(*(self._read(name, fields[name], start, end) for name in firsts.values()))
        axes = {axis: each.t for axis, each in zip(firsts, read, strict=True) if isinstance(each, Frame)}
        axes[health.TIMELINE] = self._ring.window(health.TIMELINE, (), start, end).t
        names: dict[str, list[str]] = {}
        for name, field in {**fields, **health.FIELDS}.items():
            names.setdefault(field.timeline, []).append(name)
        timelines = {axis: Timeline(_interval(axes.get(axis, _EMPTY)), tuple(of)) for axis, of in names.items()}
        return {**fields, **health.FIELDS}, timelines

    async def get_data(self, query: Query) -> Answer:
        """What the archive has, reduced as the query asks; a field that cannot be read costs only itself."""
        began = time.monotonic()
        fields = await self._fields()
        asked = [name for name in query.fields if name in fields]
        own = [name for name in query.fields if name in health.FIELDS]
        read = await asyncio.gather(*(self._read(name, fields[name], query.start, query.end) for name in asked))
        notices = tuple(each for each in read if isinstance(each, str))
        if asked:
            self._report("failed" if notices else "ok", time.monotonic() - began, notices[0] if notices else None)
        frames = [each for each in read if isinstance(each, Frame)]
        if own:
            frames.append(self._ring.window(health.TIMELINE, own, query.start, query.end))
        answer: Answer = await self._threads.run(reduction.answer, frames, query, _finalized(frames, query.end))
        return Answer(answer.parts, answer.method, answer.bin, (*answer.notices, *notices))

    async def _fields(self) -> dict[str, Field]:
        """The author's fields; where they are found by looking, a thread looks."""
        if isinstance(inspect.getattr_static(type(self._node), "fields"), property):
            return dict(await self._threads.run(declared, self._node))
        return declared(self._node)

    async def _read(self, name: str, field: Field, start: int, end: int) -> Frame | str:
        """The samples of one field, or a sentence why there are none."""
        if start >= end:
            return _frame(field.timeline, name, _EMPTY, _EMPTY)
        try:
            async with asyncio.timeout(_PATIENCE):
                t, values = await call(self._node.read, name, start, end, run_in_thread=self._threads.run)
            return _frame(field.timeline, name, t, values).between(start, end)
        except NoData as none:
            return f"{name}: {none}"
        except TimeoutError:
            return f"{name}: read() has not come back within {_PATIENCE:g} s"
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


def _finalized(frames: list[Frame], end: int) -> dict[str, int | None]:
    """For each timeline the time before which all of its frames are complete."""
    until: dict[str, int | None] = {}
    for frame in frames:
        if len(frame):
            last = int(frame.t[-1])
            until[frame.timeline] = min(until.get(frame.timeline) or last, last, end)
    return until


def _interval(t: Times) -> float | None:
    """Mean seconds between samples."""
    return float(t[-1] - t[0]) / NS / (len(t) - 1) if len(t) > 1 else None
