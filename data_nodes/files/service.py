"""The node at work: a thread keeps the index in line with the folder, answers come from tiers and samples."""

import asyncio
import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from data_nodes.files.catalog import Catalog
from data_nodes.files.indexing import Indexer, Progress
from data_nodes.files.lately import Lately
from data_nodes.files.seeking import sample
from data_nodes.files.timeline import FileTimeline
from sisock import nearest, reduction
from sisock.frames import Answer, Field, Frame, Query, Timeline, column
from sisock.nearest import Which
from sisock.nodes import health
from sisock.nodes.base import Publish, sentence
from sisock.nodes.threads import Threads
from sisock.store import reading
from sisock.store.ring import Ring
from sisock.times import NS

log = logging.getLogger(__name__)
INDEX = "index"  # the timeline of the progress
FIELDS = {
    "indexed": Field("how much of the files is indexed, by bytes", INDEX, "number", "%"),
    "files": Field("files that there are", INDEX),
    "waiting": Field("files that are not indexed up to their ends", INDEX),
}
OWN = {**health.FIELDS, **FIELDS}
TAKEN = {*OWN, INDEX, health.TIMELINE}
_READERS = 4
_PATIENCE = 8.0  # seconds that an answer may take; callers wait for 10


class FilesService:
    """A folder of files as a node."""

    kind = "archive"

    def __init__(
        self, name: str, description: str, make: Callable[[], Catalog], *, pattern: str, pause: float,
        ring: int, clock: Callable[[], int] = time.time_ns,
    ) -> None:  # fmt: skip
        """`make` opens the catalog; look at the folder every `pause` seconds."""
        self.name, self.description = name, description
        self._make, self._pattern, self._pause, self._clock = make, pattern, pause, clock
        self._catalog: Catalog | None = None
        self._indexer: Indexer | None = None
        self._stop, self._threads = threading.Event(), Threads(name, most=_READERS)
        self._health, self._ring = health.Health(clock), Ring(ring)
        self._publish: Publish | None = None
        self._shown: Progress | None = None
        self._indexed = 0.0  # when progress was told

    # at work

    async def run(self, publish: Publish) -> None:
        """Index until cancelled; progress and health are live."""
        self._publish = publish
        loop, ended = asyncio.get_running_loop(), asyncio.Event()

        def told() -> None:
            if not self._stop.is_set():
                loop.call_soon_threadsafe(self._tell)

        def work() -> None:
            try:
                self._index(told)
            finally:
                if not loop.is_closed():
                    loop.call_soon_threadsafe(ended.set)

        thread = threading.Thread(target=work, name=f"{self.name} index", daemon=True)
        thread.start()
        try:
            await ended.wait()
        finally:
            self._stop.set()

    def _index(self, told: Callable[[], None]) -> None:
        """In a thread of its own: open the catalog, then one round after the other."""
        try:
            self._catalog = self._make()
        except (ValueError, OSError, sqlite3.Error) as error:
            self._report("failed", 0.0, f"its index cannot be opened: {error}")
            log.error("%s: its index cannot be opened: %s", self.name, error)
            return
        indexer = self._indexer = Indexer(self._catalog, self._pattern, told, self._stop)
        while not self._stop.is_set():
            self._round(indexer, self._catalog)
            told()
            self._stop.wait(self._pause)

    def _round(self, indexer: Indexer, catalog: Catalog) -> None:
        began = time.monotonic()
        try:
            indexer.round()
            self._report("ok" if catalog.fields() else "no data", time.monotonic() - began, self._why(indexer))
        except Exception as error:  # what files hold may surprise everybody; the next round tries again
            log.exception("%s: indexing failed", self.name)
            self._report("failed", time.monotonic() - began, f"indexing failed: {sentence(error)}")

    def _why(self, indexer: Indexer) -> str | None:
        return "; ".join(indexer.notices())[:1000] or None

    def _report(self, state: health.State, took: float, error: str | None) -> None:
        frame, changed = self._health.report(state, took, error)
        if changed:
            self._put(frame)

    def _tell(self) -> None:
        """Publish the progress, as often as it changes but no more than twice a second while it goes on."""
        progress = self._indexer.progress if self._indexer else Progress()
        now = time.monotonic()
        if progress == self._shown or (progress.waiting and now - self._indexed < 0.5):
            return
        self._shown, self._indexed = progress, now
        values = dict(zip(FIELDS, progress, strict=True))
        columns = {name: column([float(value) if name == "indexed" else value]) for name, value in values.items()}
        self._put(Frame(INDEX, np.array([self._clock()], np.int64), columns))

    def _put(self, frame: Frame) -> None:
        kept = self._ring.append(frame)
        if self._publish is not None:
            self._publish(kept)

    # answers

    def _timelines(self, names: Sequence[str]) -> list[FileTimeline]:
        """Those that have one of the fields."""
        every = list(self._catalog.timelines.values()) if self._catalog else []
        return [each for each in every if any(name in each.fields for name in names)]

    async def get_fields(self, start: int, end: int) -> tuple[dict[str, Field], dict[str, Timeline]]:
        """All fields; the intervals are the usual ones of all there is."""
        fields = {**(self._catalog.fields() if self._catalog else {}), **OWN}
        of: dict[str, list[str]] = {}
        for name, field in fields.items():
            of.setdefault(field.timeline, []).append(name)
        intervals = {each.timeline: _interval(each) for each in self._timelines(list(fields))}
        return fields, {name: Timeline(intervals.get(name), tuple(each)) for name, each in of.items()}

    async def get_data(self, query: Query) -> Answer:
        """What the files have, reduced as the query asks, and labelled. Raises TooMuchError where that is too much."""
        own = [
            self._ring.window(axis, [name for name in query.fields if name in fields], query.start, query.end)
            for axis, fields in ((health.TIMELINE, health.FIELDS), (INDEX, FIELDS))
            if any(name in fields for name in query.fields)
        ]
        timelines = self._timelines(query.fields)
        if not timelines:
            return self._noticed(reduction.answer(own, query, {}), timelines)
        answer = await self._within(_answer, timelines, query)
        if own:
            more = reduction.answer(own, query, {})
            answer = replace(answer, parts=(*answer.parts, *more.parts))
        return self._noticed(answer, timelines)

    async def get_sample(self, fields: Sequence[str], t: int, which: Which) -> Answer:
        """The sample of each field that is nearest to an instant."""
        trouble: list[str] = []
        timelines = self._timelines(fields)
        files = await self._within(
            lambda: [
                sample(each, name, t, which, trouble) for each in timelines for name in fields if name in each.fields
            ]
        )
        own = [self._ring.nearest(name, t, which) for name in fields if name in OWN]
        return self._noticed(nearest.answer([*files, *own], which, tuple(trouble)), timelines)

    async def _within(self, function: Callable[..., Any], *args: Any) -> Any:
        """What the function returns, in a thread. Raises TooMuchError where that takes too long."""
        try:
            async with asyncio.timeout(_PATIENCE):
                return await self._threads.run(function, *args)
        except TimeoutError as error:
            raise reduction.TooMuchError(
                f"the files were not read within {_PATIENCE:g} s: ask for less time or fewer fields"
            ) from error

    def _noticed(self, answer: Answer, timelines: Sequence[FileTimeline]) -> Answer:
        """The answer with what is wrong with the files that it comes from."""
        notices = (
            self._indexer.notices({each.timeline for each in timelines})
            if self._indexer
            else ["the index is being opened"]
        )
        return replace(answer, notices=(*answer.notices, *notices))


def _answer(timelines: Sequence[FileTimeline], query: Query) -> Answer:
    """What the timelines have; what is in no tier yet as far as it is little."""
    asked = [
        Lately(each, (query.start, query.end), sum(name in each.fields for name in query.fields)) for each in timelines
    ]
    answer = reading.answer(asked, query)
    more = [
        f"{each.timeline}: what is in no tier yet is left out, for it is much: zoom in"
        for each in asked
        if not each.whole
    ]
    return replace(answer, notices=(*answer.notices, *more))


def _interval(timeline: FileTimeline) -> float | None:
    """Mean seconds between samples within files."""
    pieces = [each for each in timeline.pieces if each.rows > 1]
    rows = sum(each.rows - 1 for each in pieces)
    return sum(each.high - each.low for each in pieces) / NS / rows if rows else None
