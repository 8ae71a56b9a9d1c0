"""The node at work where it answers from topics: each question is a window that is sought and read."""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

from data_nodes.kafka_replay.topics import Topics
from data_nodes.kafka_replay.windows import PATIENCE, Refuse, Windows
from sisock import nearest, reduction
from sisock.frames import Answer, Field, Frame, Query, Timeline
from sisock.nearest import Which
from sisock.nodes import health
from sisock.nodes.base import Publish, timelines_of
from sisock.nodes.seeking import seek
from sisock.nodes.threads import Threads
from sisock.outlets.kafka import is_of_kafka, why
from sisock.store.quarantine import Quarantine
from sisock.store.ring import Ring

T = TypeVar("T")
log = logging.getLogger(__name__)
_PAUSE = 5.0  # seconds between two looks at which topics there are


class TopicsService:
    """Topics as an archive."""

    kind = "archive"

    def __init__(
        self, name: str, description: str, where: str, topics: Topics, make: Callable[[Topics, Refuse], Windows],
        quarantine: Quarantine, *, ring: int, clock: Callable[[], int] = time.time_ns,
    ) -> None:  # fmt: skip
        """Answer from `topics`, of the Kafka at `where`, by the windows that `make` makes."""
        self.name, self.description = name, description
        self._where, self._topics, self._quarantine, self._clock = where, topics, quarantine, clock
        self._windows = make(topics, quarantine.add)
        self._threads, self._health, self._ring = Threads(name, most=1), health.Health(clock), Ring(ring)
        self._publish: Publish | None = None

    # at work

    async def run(self, publish: Publish) -> None:
        """Look now and then which topics there are, until cancelled; health is live."""
        self._publish = publish
        try:
            while True:
                await self._look()
                await asyncio.sleep(_PAUSE)
        finally:
            self._quarantine.write()
            await self._threads.run(self._topics.end)

    async def _look(self) -> None:
        began = time.monotonic()
        try:
            await self._threads.run(self._refresh)
        except Exception as error:  # noqa: BLE001  # whatever Kafka does, it is looked at again
            await self._threads.run(self._topics.close)
            away: health.State = "no data" if is_of_kafka(error) else "failed"
            self._report(away, time.monotonic() - began, why(error, self._where))
            return
        state: health.State = "ok" if self._windows.fields else "no data"
        absent = "there is no such topic yet" if not self._windows.places else "there is no sample in the topics yet"
        self._report(state, time.monotonic() - began, self._refused() if state == "ok" else absent)

    def _refresh(self) -> None:
        self._windows.refresh()
        self._quarantine.write()

    def _refused(self) -> str | None:
        latest = self._quarantine.latest
        return latest and f"{self._quarantine.count} messages are no samples, as {latest.source}: {latest.reason}"

    def _report(self, state: health.State, took: float, error: str | None) -> None:
        frame, changed = self._health.report(state, took, error)
        if not changed:
            return
        level = logging.WARNING if state == "failed" else logging.INFO
        log.log(level, "%s: %s%s", self.name, state, f": {error}" if error else "")
        kept = self._ring.append(frame)
        if self._publish is not None:
            self._publish(kept)

    # answers

    async def get_fields(self, start: int, end: int) -> tuple[dict[str, Field], dict[str, Timeline]]:
        """All fields that were met; the intervals are those of what was looked at."""
        fields = {**self._windows.fields, **health.FIELDS}
        return fields, timelines_of(fields, self._windows.intervals.get)

    async def get_data(self, query: Query) -> Answer:
        """What the topics have of that time, reduced as the query asks. Raises TooMuchError where that is too much."""
        names = [name for name in query.fields if name in self._windows.fields]
        own = [name for name in query.fields if name in health.FIELDS]
        answer = await self._asked(self._answer, names, query) if names else reduction.answer([], query, {})
        if not own:
            return answer
        more = reduction.answer([self._ring.window(health.TIMELINE, own, query.start, query.end)], query, {})
        return replace(answer, parts=(*answer.parts, *more.parts))

    def _answer(self, names: Sequence[str], query: Query) -> Answer:
        found = self._windows.window(names, query.start, query.end)
        chosen = [each for frame in found.frames if (each := frame.only(names)).columns]
        until = {frame.timeline: min(query.end, int(frame.t[-1])) for frame in chosen if len(frame)}
        answer = reduction.answer(chosen, query, until)
        if not found.refused:
            return answer
        said = f"{found.refused} messages about that time are no samples, or only in part: see `sisock quarantine`"
        return replace(answer, notices=(*answer.notices, said))

    async def get_sample(self, fields: Sequence[str], t: int, which: Which) -> Answer:
        """The sample of each field that is nearest to an instant; a sentence where too much would have to be read."""
        found, notices = list[Frame | None](), list[str]()
        for name in [each for each in fields if each in self._windows.fields]:
            sought = await seek(partial(self._near, name), name, t, which, self._clock())
            if isinstance(sought, str):
                notices.append(f"{name}: {sought}")
            else:
                found.append(sought)
        own = [self._ring.nearest(name, t, which) for name in fields if name in health.FIELDS]
        return nearest.answer([*found, *own], which, tuple(notices))

    async def _near(self, name: str, start: int, end: int) -> Frame | str:
        """The field's samples of that time, or why they are not known."""
        try:
            found = await self._asked(self._windows.window, [name], start, end)
        except reduction.TooMuchError as error:
            return str(error)
        timeline = self._windows.fields[name].timeline
        empty = Frame(timeline, self._ring.window(health.TIMELINE, (), 0, 0).t, {})
        return next((each.only([name]) for each in found.frames if name in each.columns), empty)

    async def _asked(self, function: Callable[..., T], *args: Any) -> T:
        """What the function finds in the topics. Raises TooMuchError where that takes too long, or Kafka is away."""
        try:
            async with asyncio.timeout(PATIENCE):
                found: T = await self._threads.run(function, *args)
                return found
        except TimeoutError as error:
            raise reduction.TooMuchError(
                f"the topics were not read within {PATIENCE:g} s: ask for less time"
            ) from error
        except reduction.TooMuchError:
            raise
        except Exception as error:
            raise reduction.TooMuchError(why(error, self._where)) from error
