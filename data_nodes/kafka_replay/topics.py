"""Topics of Kafka as places that can be read from any offset; for one thread at a time, which the lock sees to."""

import contextlib
import re
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from sisock.outlets.kafka import Kafka, hang_up

if TYPE_CHECKING:
    from kafka import KafkaConsumer

MOST_BYTES = 4 * 2**20  # of what comes at a time; brokers before 0.10.1 keep back messages that are larger
TOO_LARGE = f"it is larger than {MOST_BYTES} bytes"
_LITTLE = 2**16  # bytes of a look at one place
_SOME = 20  # messages of such a look
_AT_ONCE = 10_000  # messages
_POLL = 500  # ms
_TRIES = 20  # polls without anything that are waited for where there is something
_OPTIONS: dict[str, Any] = {
    "enable_auto_commit": False,
    "auto_offset_reset": "earliest",
    "allow_auto_create_topics": False,
    "bootstrap_timeout_ms": 5_000,
    "request_timeout_ms": 10_000,
    "reconnect_backoff_max_ms": 2_000,
}


class Place(NamedTuple):
    """A partition of a topic."""

    topic: str
    partition: int

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}"


class Message(NamedTuple):
    """A message as it lies in Kafka; `stamp` is its time in ns, None where its topic keeps none."""

    place: Place
    offset: int
    stamp: int | None
    payload: bytes
    why: str = ""  # it came without what it holds


class Topics:
    """The topics of these names, in which * stands for anything."""

    def __init__(self, kafka: Kafka, names: Sequence[str]) -> None:
        """Connect when first asked; every method raises what kafka-python raises, or OSError."""
        self._kafka = kafka
        self._names = pattern(names)
        self._lock = threading.RLock()
        self._consumers: dict[int, KafkaConsumer] = {}
        self._at: dict[int, tuple[Place, int]] = {}  # where each of these goes on
        self._over = False
        self._by_time = True  # whether brokers can be asked for times

    def close(self) -> None:
        """Hang up; the next question connects again."""
        with self._lock:
            for consumer in self._consumers.values():
                hang_up(consumer)
            self._consumers.clear()
            self._at.clear()

    def end(self) -> None:
        """Hang up for good: who still asks, for a caller that has gone, is refused."""
        with self._lock:
            self._over = True
            self.close()

    def places(self) -> list[Place]:
        """All partitions of the topics that there are now."""
        with self._lock:
            consumer = self._consumer(MOST_BYTES)
            topics = sorted(topic for topic in consumer.topics() if self._names.fullmatch(topic))
            return [Place(t, p) for t in topics for p in sorted(consumer.partitions_for_topic(t) or ())]

    def ends(self, places: Sequence[Place]) -> dict[Place, tuple[int, int]]:
        """Of each place the first offset that there is, and the one that will come next."""
        if not places:
            return {}
        with self._lock:
            consumer, known = self._consumer(MOST_BYTES), [_known(each) for each in places]
            first, beyond = consumer.beginning_offsets(known), consumer.end_offsets(known)
        return {each: (first[at], beyond[at]) for each, at in zip(places, known, strict=True)}

    def after(self, place: Place, stamp: int) -> int | None:
        """The first offset whose message has this time (ns) or a later one, as the broker says; None if it cannot."""
        if not self._by_time:
            return None
        with self._lock:
            try:
                found = self._consumer(MOST_BYTES).offsets_for_times({_known(place): max(0, stamp // 10**6)})
            except Exception:  # noqa: BLE001  # an old broker, or one that never answers this
                self._by_time = False
                return None
        at = next(iter(found.values()), None)
        return None if at is None else int(at.offset)

    def some(self, place: Place, offset: int) -> list[Message]:
        """A few messages from an offset on, where there is one."""
        with self._lock:
            for most in (_LITTLE, MOST_BYTES):
                with contextlib.suppress(_too_large()):
                    return self._polled(most, place, offset, offset + 1, _SOME)
        return []

    def read(self, place: Place, offset: int, beyond: int) -> list[Message]:
        """The next messages of these offsets, some at a time; none where there is none any more.

        One that the broker keeps back for its size comes without what it holds. Where nothing comes of what there is,
        that is a KafkaTimeoutError.
        """
        with self._lock:
            try:
                found = self._polled(MOST_BYTES, place, offset, beyond, min(_AT_ONCE, beyond - offset))
            except _too_large():
                return [Message(place, offset, None, b"", TOO_LARGE)]
            if not found and self._consumer(MOST_BYTES).position(_known(place)) < beyond:
                raise _silent(place)
        return [each for each in found if each.offset < beyond]

    def _polled(self, most: int, place: Place, offset: int, beyond: int, messages: int) -> list[Message]:
        """What comes from an offset on. Raises RecordTooLargeError where it is held back for its size."""
        known, consumer = _known(place), self._consumer(most)
        if self._at.get(most) != (place, offset):
            consumer.assign([known])
            consumer.seek(known, offset)
        for _ in range(_TRIES):
            self._at.pop(most, None)
            found = [message(place, each) for each in consumer.poll(_POLL, messages).get(known, [])]
            if found:
                self._at[most] = place, found[-1].offset + 1
                return found
            if consumer.position(known) >= beyond:
                break
        return []

    def _consumer(self, most: int) -> "KafkaConsumer":
        if self._over:
            raise RuntimeError("these topics are not read any more")
        if most not in self._consumers:
            limits = {"max_partition_fetch_bytes": most, "fetch_max_bytes": most}
            self._consumers[most] = self._kafka.consumer(**_OPTIONS, **limits)
        return self._consumers[most]


def pattern(names: Sequence[str]) -> re.Pattern[str]:
    """What matches these names, in which * stands for anything, and no topic of Kafka's own."""
    alternatives = "|".join(re.escape(name).replace(r"\*", ".*") for name in names)
    return re.compile(f"(?!__)(?:{alternatives})")


def message(place: Place, found: Any) -> Message:
    """What kafka-python found, as a message."""
    stamp = found.timestamp
    return Message(place, found.offset, stamp * 10**6 if stamp is not None and stamp >= 0 else None, found.value or b"")


def _known(place: Place) -> Any:
    from kafka import TopicPartition

    return TopicPartition(place.topic, place.partition)


def _silent(place: Place) -> Exception:
    from kafka.errors import KafkaTimeoutError

    error: Exception = KafkaTimeoutError(f"nothing came of {place}")
    return error


def _too_large() -> type[Exception]:
    from kafka.consumer.fetcher import RecordTooLargeError

    too_large: type[Exception] = RecordTooLargeError
    return too_large
