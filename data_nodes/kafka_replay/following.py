"""What comes to topics, as the node's own samples: on disk, with how far that is, before Kafka hears that it was taken."""

import asyncio
import contextlib
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from data_nodes.kafka_replay.reading import meet, received
from data_nodes.kafka_replay.taken import Taken
from data_nodes.kafka_replay.topics import MOST_BYTES, Message, Place, message, pattern
from sisock.frames import Field, Frame
from sisock.nodes import Intake, NoData, NotKept, ReceivingNode
from sisock.nodes.threads import Threads
from sisock.outlets.kafka import Kafka, hang_up, is_of_kafka, why
from sisock.records import Mapping as Records
from sisock.records import frames

if TYPE_CHECKING:
    from kafka import KafkaConsumer

_POLL = 0.5  # seconds
_AT_ONCE = 5_000  # messages
_AGAIN = 1.0  # seconds before a disk that was full is asked again
_LAST = 3.0  # seconds that what was read last may take
_OPTIONS: dict[str, Any] = {
    "enable_auto_commit": False,
    "auto_offset_reset": "earliest",
    "allow_auto_create_topics": False,
    "max_poll_records": _AT_ONCE,
    "max_partition_fetch_bytes": MOST_BYTES,
    "fetch_max_bytes": MOST_BYTES,
    "metadata_max_age_ms": 10_000,  # topics that are new are followed, too
    "bootstrap_timeout_ms": 5_000,
    "request_timeout_ms": 35_000,
    "session_timeout_ms": 10_000,
    "reconnect_backoff_max_ms": 2_000,
}


class Following(ReceivingNode):
    """Topics of Kafka, followed."""

    def __init__(self, kafka: Kafka, names: Sequence[str], group: str, how: Records) -> None:
        """Follow the topics as a member of the group, whose members share the partitions."""
        self._kafka, self._names, self._how = kafka, names, how
        self._group = Group(kafka, names, group)
        self._known: dict[str, Field] = {}
        self._threads = Threads("kafka", most=1)

    @property
    def fields(self) -> Mapping[str, Field]:
        """What was met."""
        return self._known

    async def receive(self, intake: Intake) -> None:
        """Take what comes, and say to Kafka how far that is once it is on disk."""
        self._group.taken.recall(intake.notes)
        try:
            while True:
                messages = await self._threads.run(self._group.poll)
                intake.tell(*self._group.state)
                if messages:
                    await _to_its_end(self._taken(intake, messages))
        except (OSError, ValueError):
            raise
        except Exception as error:
            if not is_of_kafka(error):
                raise
            raise NoData(why(error, self._kafka.bootstrap)) from error
        finally:
            await self._threads.run(self._group.close)

    async def _taken(self, intake: Intake, messages: Sequence[Message]) -> None:
        await self._keep(intake, messages)
        await self._threads.run(self._group.commit, messages)

    async def _keep(self, intake: Intake, messages: Sequence[Message]) -> None:
        """Return when all is on disk, with how far that is, however long it takes."""
        made = frames(received(messages, self._how), self._how, time.time_ns(), self._known)
        for number, reason in made.refused:
            bad = messages[number]
            intake.quarantine(f"{bad.place}@{bad.offset}", bad.why or reason, bad.payload)
        for frame in made.frames:
            meet(self._known, frame, self._how)
        if made.refused:
            await intake.quarantined()
        source, notes = ", ".join(sorted({each.place.topic for each in messages})), self._group.taken.notes(messages)
        await on_disk(intake, made.frames, source, notes, lambda: self._threads.run(self._group.stay))
        self._group.taken.recall(notes)


class Group:
    """A member of a group of consumers. For one thread at a time."""

    def __init__(self, kafka: Kafka, names: Sequence[str], group: str) -> None:
        """Join when first asked."""
        self._kafka, self._names, self._group = kafka, names, group
        self.taken = Taken()
        self._consumer: KafkaConsumer | None = None
        self._lock = threading.Lock()
        self._has = 0  # partitions

    @property
    def state(self) -> tuple[Any, str | None]:
        """How it goes: `no data` while it has no partition of a topic."""
        return (
            ("ok", None)
            if self._has
            else ("no data", "no partition of the topics is ours: others of the group have all")
        )

    def poll(self) -> list[Message]:
        """What has come. Raises what kafka-python raises."""
        with self._lock:
            if self._consumer is None:
                self._consumer = self._kafka.consumer(group_id=self._group, **_OPTIONS)
                self._consumer.subscribe(pattern=pattern(self._names).pattern)
            self.taken.only({Place(at.topic, at.partition) for at in self._consumer.assignment()})
            self._consumer.resume(*self._consumer.paused())
            found = self._consumer.poll(timeout_ms=round(_POLL * 1000))
            self._has = len(self._consumer.assignment())
            return [each for at, some in found.items() for each in self._new(self._consumer, at, some)]

    def _new(self, consumer: "KafkaConsumer", at: Any, some: Sequence[Any]) -> Sequence[Message]:
        """What of these was not taken before; nothing where another place has to be looked at first."""
        place = Place(at.topic, at.partition)
        new, seek = self.taken.new(place, [message(place, each) for each in some])
        if seek is not None:
            consumer.seek(at, seek)
        return new

    def stay(self) -> None:
        """Remain a member of the group while nothing more can be taken."""
        with self._lock:
            if self._consumer is not None:
                self._consumer.pause(*self._consumer.assignment())
                for at, some in self._consumer.poll(timeout_ms=0).items():  # of partitions that are new here
                    self._consumer.seek(at, some[0].offset)

    def commit(self, messages: Sequence[Message]) -> None:
        """Say that these were taken; where the group was shared out anew meanwhile, others get them once more."""
        from kafka import TopicPartition
        from kafka.errors import CommitFailedError
        from kafka.structs import OffsetAndMetadata

        upto = {each.place: each.offset + 1 for each in messages}
        offsets = {TopicPartition(*place): OffsetAndMetadata(at, "", -1) for place, at in upto.items()}
        with self._lock, contextlib.suppress(CommitFailedError):
            if self._consumer is not None:
                self._consumer.commit(offsets)

    def close(self) -> None:
        """Leave the group, so that the others have our partitions at once."""
        with self._lock:
            if self._consumer is not None:
                hang_up(self._consumer)
                self._consumer = None


async def on_disk(
    intake: Intake,
    made: Sequence[Frame],
    source: str = "",
    notes: Mapping[str, str] | None = None,
    stay: Callable[[], Awaitable[None]] | None = None,
) -> None:
    """Return when all is on disk together with the notes, however long that takes; `stay` is done now and then."""
    while True:
        try:
            await intake.keep(made, source=source, notes=notes)
        except NotKept as error:
            intake.tell("failed", str(error))
            if stay is not None:
                await stay()
            await asyncio.sleep(_AGAIN)
        else:
            return


async def _to_its_end(what: Coroutine[Any, Any, None]) -> None:
    """Do it, and to its end also where the node is ended meanwhile: then nothing comes twice."""
    doing = asyncio.ensure_future(what)
    try:
        await asyncio.shield(doing)
    except asyncio.CancelledError:
        await asyncio.wait({doing}, timeout=_LAST)
        doing.cancel()
        raise
