"""The past of topics once more, as if it happened now: at any speed, and marked as a replay."""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from data_nodes.kafka_replay.following import on_disk
from data_nodes.kafka_replay.topics import Place, Topics
from data_nodes.kafka_replay.windows import Refuse, Windows
from sisock.frames import Field, Frame, column, concat
from sisock.nodes import Intake, NoData, ReceivingNode
from sisock.nodes.threads import Threads
from sisock.outlets.kafka import is_of_kafka, why
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
        self._topics, self._make, self._where = connect(), make, where
        self._threads = Threads("kafka", most=1)
        self._start, self._end, self._speed, self._shift = start, end, speed, shift
        self._windows: Windows | None = None
        self._stretches: list[Stretch] | None = None  # how far each partition is
        self._of: int | None = None

    @property
    def fields(self) -> Mapping[str, Field]:
        """What was met in the topics; each says that it is replayed."""
        met = {} if self._windows is None else self._windows.fields
        marked = {name: field._replace(description="replayed from a topic of Kafka") for name, field in met.items()}
        return {**marked, **MARKS}

    async def receive(self, intake: Intake) -> None:
        """Replay once; where something goes wrong, each partition goes on from where it is."""
        try:
            await self._replay(intake)
        except Exception as error:
            await self._threads.run(self._topics.close)
            if is_of_kafka(error):
                raise NoData(why(error, self._where)) from error
            raise
        except BaseException:  # the node ends
            await self._threads.run(self._topics.end)
            raise
        await self._threads.run(self._topics.end)
        intake.tell(
            "no data", f"the replay is over: start the node again for another one (it ended at {utc(self._of or 0)})"
        )
        await asyncio.Event().wait()

    async def _replay(self, intake: Intake) -> None:
        if self._stretches is None:
            self._stretches = await self._threads.run(self._begun, intake.quarantine)
        stretches, first = self._stretches, await self._threads.run(_earliest, self._stretches)
        began, wall = time.monotonic(), time.time_ns()
        while (reach := await self._threads.run(_reach, stretches)) is not None:
            now = first + round((time.monotonic() - began) * self._speed * NS) if self._speed else reach
            if frames := _due(stretches, min(now, reach)):
                await self._hand(intake, frames, [self._moved(frame, first, wall) for frame in frames])
            if now < reach:
                await asyncio.sleep(_TICK)

    def _begun(self, refuse: Refuse) -> list["Stretch"]:
        """The partitions that there are now, each at its beginning. Raises NoData where there is none."""
        windows = self._windows = self._windows or self._make(self._topics, refuse)
        windows.refresh()
        if not windows.places:
            raise NoData("there is no such topic yet")
        return [Stretch(self._topics, windows, place, self._start, self._end) for place in windows.places]

    async def _hand(self, intake: Intake, frames: list[Frame], moved: list[Frame]) -> None:
        """Let the intake have it, and no more before that is on disk, where it goes to one."""
        self._of = max(int(frame.t[-1]) for frame in frames)
        marked = [self._mark(), *moved]
        if self._kept:
            await on_disk(intake, marked)
        else:
            intake.take(marked)
        intake.tell("ok")

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
        _, self._at, self._beyond = windows.span(place, start, end)
        self._waiting: list[Frame] = []

    def fill(self) -> None:
        """Read on, where nothing waits; what fails leaves everything as it was."""
        while not self._waiting and self._at < self._beyond:
            messages = self._topics.read(self._place, self._at, min(self._beyond, self._at + _AT_ONCE))
            made = self._windows.made(messages).frames
            self._waiting = [each for one in made if len(each := one.in_time().between(self._start, self._end))]
            self._at = messages[-1].offset + 1 if messages else self._beyond

    def earliest(self) -> int | None:
        """The first time of what waits."""
        return min((int(frame.t[0]) for frame in self._waiting), default=None)

    def latest(self) -> int | None:
        """The last time of what waits."""
        return max((int(frame.t[-1]) for frame in self._waiting), default=None)

    def due(self, upto: int) -> list[Frame]:
        """What waits and is before a time; the rest waits on."""
        ready = [each for frame in self._waiting if len(each := frame.between(self._start, upto))]
        self._waiting = [each for frame in self._waiting if len(each := frame.between(upto, self._end))]
        return ready


def _earliest(stretches: list[Stretch]) -> int:
    for stretch in stretches:
        stretch.fill()
    return min((t for stretch in stretches if (t := stretch.earliest()) is not None), default=0)


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
