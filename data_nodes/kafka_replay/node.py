"""Topics of Kafka as a data node: what they hold, what comes to them, or their past once more."""

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from sisock import timestamps
from sisock.nodes import DataNode
from sisock.nodes.base import RING, Opener, Service, description_of, name_of
from sisock.outlets.kafka import Kafka, kafka
from sisock.records import Mapping as Records
from sisock.records.mapping import mapping
from sisock.store.quarantine import Quarantine
from sisock.times import FIRST, LAST, NS, parse_duration, utc

if TYPE_CHECKING:
    from data_nodes.kafka_replay.windows import Refuse, Windows

K = TypeVar("K", bound=DataNode)
REPLAY = "replay"  # the tag of a replay, in the hub's listing


class KafkaReplay(DataNode):
    """Topics of Kafka: any time of them, what comes to them, or their past replayed at any speed."""

    name = "kafka_replay"

    def __init__(
        self,
        *,
        bootstrap: str = "127.0.0.1:9092",
        topics: Sequence[str] = ("sisock.*",),
        connection: Mapping[str, Any] | None = None,
        records: Mapping[str, Any] | None = None,
        disorder: float = 10.0,
        follow: bool = False,
        group: str = "",
        speed: float | None = None,
        start: str = "",
        end: str = "",
        shift: bool = True,
    ) -> None:
        """Answer from the topics; or `follow` them; or, with a `speed`, replay them from `start` to `end`.

        `connection`: more of how Kafka is reached. `records`: which keys of a message are what. `disorder`: seconds by
        which messages may be out of the order of time. `shift`: replayed samples get times of now.
        """
        found = kafka({"bootstrap": bootstrap, **(connection or {})})
        self._kafka = found or Kafka()
        if isinstance(topics, str) or not all(isinstance(each, str) and each for each in topics) or not topics:
            raise ValueError(f"topics = {topics!r:.80}: give a list of names, * in one stands for anything")
        if speed is not None and (isinstance(speed, bool) or not isinstance(speed, (int, float)) or not speed >= 0):
            raise ValueError(f"speed = {speed!r:.80}: give 1 for as fast as it was, 10, or 0 for as fast as can be")
        if follow and speed is not None:
            raise ValueError("follow and speed are two things: run two nodes, each under a name of its own")
        self._topics, self._records, self._disorder = list(topics), mapping(records or {}, Records()), disorder
        self._follow, self._group, self._speed, self._shift = follow, group, speed, shift
        self._start, self._end = _instant(start, FIRST), _instant(end, LAST)
        self._tags: Sequence[str] = ()

    @property
    def tags(self) -> Sequence[str]:
        """Those of the configuration; of a replay also the one by which rules and people know that it is one."""
        if self._speed is None or isinstance(self._tags, str) or REPLAY in self._tags:
            return self._tags
        return [*self._tags, REPLAY]

    @tags.setter
    def tags(self, tags: Sequence[str]) -> None:
        self._tags = tags

    def service(self, *, ring: int = RING, journal: Opener | None = None) -> Service:
        """This node at work, in one of its three ways."""
        from data_nodes.kafka_replay.topics import Topics

        if self._follow:
            return self._following(ring, journal)

        def connect() -> Topics:
            return Topics(self._kafka, self._topics)

        def make(topics: Topics, refuse: "Refuse") -> "Windows":
            from data_nodes.kafka_replay.windows import Windows

            return Windows(topics, self._records, refuse, disorder=round(self._disorder * NS))

        if self._speed is not None:
            from data_nodes.kafka_replay.replaying import Replaying

            shift = self._shift and self._speed > 0
            node = _described(Replaying, self._replayed())(
                connect,
                make,
                self._kafka.bootstrap,
                start=self._start,
                end=self._end,
                speed=self._speed,
                shift=shift,
                kept=journal is not None,
            )
            return self._at_home(node).service(ring=ring, journal=journal)
        from data_nodes.kafka_replay.service import TopicsService

        quarantine = Quarantine(self.home, name_of(self))
        return TopicsService(
            name_of(self), description_of(self), self._kafka.bootstrap, connect(), make, quarantine, ring=ring
        )

    def _following(self, ring: int, journal: Opener | None) -> Service:
        from data_nodes.kafka_replay.following import Following

        if journal is None:
            raise ValueError(f"{name_of(self)}: what is followed has to come to disk: SISOCK_JOURNAL must not be 0")
        kind = _described(Following, f"Topics of Kafka as they come: {', '.join(self._topics)}.")
        node = kind(self._kafka, self._topics, self._group or f"sisock-{name_of(self)}", self._records)
        return self._at_home(node).service(ring=ring, journal=journal)

    def _at_home(self, node: DataNode) -> DataNode:
        node.name, node.home = name_of(self), self.home
        return node

    def _replayed(self) -> str:
        """What the node says of itself: nobody shall take it for what is measured now."""
        since = "" if self._start == FIRST else f" from {utc(self._start)}"
        until = "" if self._end == LAST else f" up to {utc(self._end)}"
        how = f"at {self._speed:g} times the speed" if self._speed else "as fast as can be"
        return f"A replay, not what is measured now: {', '.join(self._topics)}{since}{until}, {how}."


def _described(kind: type[K], description: str) -> type[K]:
    """The same kind of node with this description."""
    return type(kind.__name__, (kind,), {"__doc__": description})


def _instant(text: str, default: int) -> int:
    """A time in ns: ISO 8601, UTC where no zone is given, or a duration, so long ago. Raises ValueError."""
    if not text:
        return default
    try:
        t = timestamps.of_text(text)
        return time.time_ns() - round(parse_duration(text) * NS) if t is None else t
    except (AttributeError, ValueError):
        raise ValueError(f"{text!r:.80} is no time: write 2026-01-31T12:00 (UTC), or 2h for so long ago") from None
