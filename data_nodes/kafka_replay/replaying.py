"""The past of topics once more, as if it happened now: at any speed, and marked as a replay."""

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

import numpy as np

from data_nodes.kafka_replay.topics import Place, Topics
from data_nodes.kafka_replay.windows import Refuse, Windows
from sisock.frames import Field, Frame, column, concat
from sisock.nodes import Intake, NoData, ReceivingNode
from sisock.nodes.threads import Threads
from sisock.outlets.kafka import why
from sisock.times import NS, utc

_TICK = 0.2  # seconds
_AT_ONCE = 5_000  # messages that are looked at together
MARKS = {
    "replay.of": Field("the time in the topics that is being replayed, UNIX", "replay", "number", "s"),
    "replay.speed": Field("how many times as fast as it was; 0: as fast as can be", "replay", "number"),
}


class Replaying(ReceivingNode):
    """The past of topics of Kafka, replayed."""

    def __init__(self, connect: Callable[[], Topics], make: Callable[[Topics, Refuse], Windows], where: str, *,
                 start: int, end: int, speed: float, shift: bool, kept: bool) -> None:  # fmt: skip
        """Replay [start, end) ns at a speed; `shift` gives samples times of now, as if they were measured now.

        `kept`: no faster than the journal takes them.
        """
        self._kept = kept
        self._connect, self._make, self._where = connect, make, where
        self._threads = Threads("kafka", most=1)
        self._start, self._end, self._speed, self._shift = start, end, speed, shift
        self._windows: Windows | None = None
        self._of: int | None = None

    @property
    def fields(self) -> Mapping[str, Field]:
        """What was met in the topics; each says that it is replayed."""
        met = {} if self._windows is None else self._windows.fields
        marked = {name: field._replace(description="replayed from a topic of Kafka") for name, field in met.items()}
        return {**marked, **MARKS}

    async def receive(self, intake: Intake) -> None:
        """Replay once."""
        topics = self._connect()
        windows = self._windows = self._make(topics, intake.quarantine)
        try:
            await self._threads.run(windows.refresh)
            if not windows.places:
                raise NoData("there is no such topic yet")
            await self._replay(intake, topics, windows)
        except Exception as error:
            if self._of is not None:
                self._start = self._of + 1  # it goes on there
            if type(error).__module__.startswith("kafka"):
                raise NoData(why(error, self._where)) from error
            raise
        finally:
            await self._threads.run(topics.end)
        intake.tell(
            "no data", f"the replay is over: start the node again for another one (it ended at {utc(self._of or 0)})"
        )
        await asyncio.Event().wait()

    async def _replay(self, intake: Intake, topics: Topics, windows: Windows) -> None:
        stretches = [Stretch(topics, windows, place, self._start, self._end) for place in windows.places]
        if (first := await self._threads.run(_earliest, stretches)) is None:
            return
        began, wall = time.monotonic(), time.time_ns()
        while True:
            now = first + round((time.monotonic() - began) * self._speed * NS) if self._speed else None
            upto = await self._threads.run(_reach, stretches) if now is None else now
            if upto is None:
                return
            frames = await self._threads.run(_due, stretches, upto)
            if frames:
                self._of = max(int(frame.t[-1]) for frame in frames)
                moved = [self._moved(frame, first, wall) for frame in frames]
                marked = [self._mark(), *moved]
                await intake.keep(marked) if self._kept else intake.take(marked)
            if now is not None:
                if all(stretch.over for stretch in stretches):
                    return
                await asyncio.sleep(_TICK)

    def _mark(self) -> Frame:
        """What goes before replayed samples, so that whoever hears them knows that they are, and of when."""
        values = {"replay.of": (self._of or 0) / NS, "replay.speed": float(self._speed)}
        t = np.array([time.time_ns()], np.int64)
        return Frame("replay", t, {name: column([value]) for name, value in values.items()})

    def _moved(self, frame: Frame, first: int, wall: int) -> Frame:
        """The frame with the times of now, where that is wanted."""
        if not self._shift:
            return frame
        return replace(frame, t=wall + ((frame.t - first) / (self._speed or 1.0)).astype(np.int64))


class Stretch:
    """A partition from one time to another, read bit by bit in the order of its offsets."""

    def __init__(self, topics: Topics, windows: Windows, place: Place, start: int, end: int) -> None:
        self._topics, self._windows, self._place = topics, windows, place
        self._start, self._end = start, end
        self._at, self._beyond = windows.begin(place, start), windows.end(place)
        self._waiting: list[Frame] = []

    @property
    def over(self) -> bool:
        """Whether nothing is left."""
        return not self._waiting and self._at >= self._beyond

    def fill(self) -> None:
        """Read on, where nothing waits."""
        while not self._waiting and self._at < self._beyond:
            messages = self._topics.read(self._place, self._at, min(self._beyond, self._at + _AT_ONCE))
            if not messages:
                self._at = self._beyond
                return
            self._at = messages[-1].offset + 1
            made = [frame.in_time().between(self._start, self._end) for frame in self._windows.made(messages).frames]
            self._waiting = [frame for frame in made if len(frame)]

    def earliest(self) -> int | None:
        """The first time of what waits."""
        return min((int(frame.t[0]) for frame in self._waiting), default=None)

    def latest(self) -> int | None:
        """The last time of what waits."""
        return max((int(frame.t[-1]) for frame in self._waiting), default=None)

    def due(self, upto: int) -> Iterator[Frame]:
        """What is before a time; the rest waits."""
        while True:
            self.fill()
            ready = [each for frame in self._waiting if len(each := frame.between(self._start, upto))]
            self._waiting = [each for frame in self._waiting if len(each := frame.between(upto, self._end))]
            yield from ready
            if self._waiting or not ready:
                return


def _earliest(stretches: list[Stretch]) -> int | None:
    for stretch in stretches:
        stretch.fill()
    return min((t for stretch in stretches if (t := stretch.earliest()) is not None), default=None)


def _reach(stretches: list[Stretch]) -> int | None:
    """One past the time up to which all have something; None where nothing is left."""
    for stretch in stretches:
        stretch.fill()
    return min((t + 1 for stretch in stretches if (t := stretch.latest()) is not None), default=None)


def _due(stretches: list[Stretch], upto: int) -> list[Frame]:
    by_timeline: dict[str, list[Frame]] = {}
    for stretch in stretches:
        for frame in stretch.due(upto):
            by_timeline.setdefault(frame.timeline, []).append(frame)
    return [concat(each).in_time() for each in by_timeline.values()]
