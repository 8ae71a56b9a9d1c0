"""What topics hold between two times, as frames; and which fields there are."""

import math
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from data_nodes.kafka_replay.reading import meet, received
from data_nodes.kafka_replay.seeking import Look, Marks, seek
from data_nodes.kafka_replay.topics import Message, Place, Topics
from sisock.frames import Field, Frame, concat
from sisock.nodes.base import interval
from sisock.records import Made, Mapping, frames
from sisock.records.reading import Seen
from sisock.reduction import TooMuchError
from sisock.store.weights import volume
from sisock.times import FIRST, LAST, NS

MOST = 300_000  # messages that are read for an answer
MOST_HELD = 128_000_000  # bytes of the samples in these, and of all that are remembered
PATIENCE = 8.0  # seconds that an answer may take; callers wait for 10
_EACH = 100  # bytes that a sample takes beside its values
_SAMPLED = 400  # messages of each partition by which its fields are known
_KEPT = 4  # windows that are remembered, as far as they are not too large together
_CURE = "ask for less time, or have them recorded (follow = true, and a recorder), which answers at any zoom"
_MOST_REFUSED = 10_000  # messages that are known to be no samples

Refuse = Callable[[str, str, bytes], None]  # source, reason, payload
Span = tuple[Place, int, int]


class Found(NamedTuple):
    """The samples of a window, a frame for each timeline in the order of time, how many messages are none, and bytes."""

    frames: list[Frame]
    refused: int
    size: int


class Windows:
    """Topics as samples of their times. For one thread at a time."""

    def __init__(self, topics: Topics, how: Mapping, refuse: Refuse, *, disorder: int = 10 * NS) -> None:
        """Read messages as the mapping says; they may be so many ns out of order. What is no sample is refused once."""
        self.fields: dict[str, Field] = {}
        self.intervals: dict[str, float | None] = {}
        self.places: list[Place] = []
        self._topics, self._how, self._refuse, self._disorder = topics, how, refuse, disorder
        self._ends: dict[Place, tuple[int, int]] = {}
        self._sampled: dict[Place, int] = {}  # up to where fields are known
        self._marks: dict[Place, Marks] = {}
        self._where: dict[str, set[str]] = {}  # field -> topics
        self._kept: OrderedDict[tuple[Span, ...], Found] = OrderedDict()
        self._seen: set[tuple[Place, int]] = set()
        self._recent: deque[tuple[Place, int]] = deque()

    def refresh(self) -> None:
        """Look which topics there are, and at the fields of what has come."""
        self.places = self._topics.places()
        self._ends = self._topics.ends(self.places)
        for place, (first, beyond) in self._ends.items():
            known = self._sampled.get(place, first)
            if beyond > known:
                if place not in self._sampled:
                    self._sample(place, first, min(beyond, first + _SAMPLED))
                self._sample(place, max(known, beyond - _SAMPLED), beyond)
                self._sampled[place] = beyond

    def window(self, fields: Iterable[str], start: int, end: int) -> Found:
        """The samples of [start, end). Raises TooMuchError where these are too many to be read."""
        topics = set().union(*(self._where.get(name, ()) for name in fields))
        places = [place for place in self.places if place.topic in topics]
        self._ends.update(self._topics.ends(places))
        spans = tuple(self.span(place, start, end) for place in places)
        many = sum(beyond - first for _, first, beyond in spans)
        if many > MOST + 2 * len(spans) * 256:
            raise TooMuchError(
                f"the topics hold {many} messages of that time, and {MOST} are read at the most: {_CURE}"
            )
        found = self._kept.pop(spans, None) or self._read(spans, time.monotonic() + PATIENCE)
        self._kept[spans] = found
        while len(self._kept) > _KEPT or sum(each.size for each in self._kept.values()) > MOST_HELD:
            self._kept.popitem(last=False)
        return replace_frames(found, [frame.between(start, end) for frame in found.frames])

    def span(self, place: Place, start: int, end: int) -> Span:
        """The offsets among which all messages of [start, end) are."""
        first, beyond = self._ends[place]
        low = first if start <= FIRST + self._disorder else self._seek(place, start - self._disorder)[0]
        high = beyond if end >= LAST - self._disorder else self._seek(place, end + self._disorder)[1]
        return place, low, max(low, high)

    def made(self, messages: Sequence[Message], seen: Seen | None = None) -> Made:
        """The samples in messages, but for those that were seen before; what is none is refused, once."""
        how, now = self._how, time.time_ns()
        made = frames(received(messages, how), how, now, self.fields, seen)
        for number, reason in made.refused:
            self._refuse_once(messages[number], reason)
        for frame in made.frames:
            self._meet(frame, {each.place.topic for each in messages})
        return made

    def _seek(self, place: Place, t: int) -> tuple[int, int]:
        first, beyond = self._ends[place]
        marks = self._marks.setdefault(place, Marks())
        low, upto, _ = marks.around(t, first, beyond)
        hint = self._topics.after(place, t) if upto - low > 4 * 256 else None
        return seek(lambda at: self._look(place, at), first, beyond, t, marks, hint)

    def _look(self, place: Place, offset: int) -> Look:
        """The time about an offset: the middle one of a few, as a clock may be wrong."""
        some = self._topics.some(place, offset)
        made = frames(received(some, self._how), self._how, time.time_ns())
        times = np.concatenate([frame.t for frame in made.frames]) if made.frames else np.empty(0, np.int64)
        beyond = some[-1].offset + 1 if some else offset + 1
        return Look(int(np.sort(times)[len(times) // 2]) if len(times) else None, beyond)

    def _read(self, spans: Sequence[Span], until: float = math.inf) -> Found:
        """The samples of these offsets; messages are let go as soon as they are read. Raises TooMuchError."""
        by_timeline: dict[str, list[Frame]] = {}
        seen: Seen = {}
        refused = size = 0
        for messages in self._messages(spans):
            made = self.made(messages, seen)
            refused += len({each.message for each in made.refused})
            for frame in made.frames:
                known = frame.only([name for name in frame.columns if name in self.fields])
                by_timeline.setdefault(frame.timeline, []).append(known)
                size += volume(known) + _EACH * len(known)
            if size > MOST_HELD:
                raise TooMuchError(
                    f"the messages of that time hold more than {MOST_HELD / 1e6:g} MB of samples: {_CURE}"
                )
            if time.monotonic() > until:
                raise TooMuchError(f"the topics were not read within {PATIENCE:g} s: {_CURE}")
        return Found([concat(each).in_time() for each in by_timeline.values()], refused, size)

    def _messages(self, spans: Sequence[Span]) -> Iterator[list[Message]]:
        for place, first, beyond in spans:
            at = first
            while at < beyond and (some := self._topics.read(place, at, beyond)):
                at = some[-1].offset + 1
                yield some

    def _sample(self, place: Place, first: int, beyond: int) -> None:
        for frame in self._read([(place, first, beyond)]).frames:
            self.intervals[frame.timeline] = interval(frame.t)

    def _meet(self, frame: Frame, topics: set[str]) -> None:
        """Note the fields of what came."""
        meet(self.fields, frame, self._how)
        for name in frame.columns:
            if name in self.fields:
                self._where.setdefault(name, set()).update(topics)

    def _refuse_once(self, message: Message, reason: str) -> None:
        which = message.place, message.offset
        if which in self._seen:
            return
        self._seen.add(which)
        self._recent.append(which)
        if len(self._recent) > _MOST_REFUSED:
            self._seen.discard(self._recent.popleft())
        self._refuse(f"{message.place}@{message.offset}", message.why or reason, message.payload)


def replace_frames(found: Found, frames: list[Frame]) -> Found:
    """The same of other samples."""
    return found._replace(frames=[replace(frame) for frame in frames])
