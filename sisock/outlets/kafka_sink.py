"""A thread that sends a node's journal to a topic of Kafka, and waits wherever it has to."""

import logging
import random
import threading
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sisock.batch import Batch
from sisock.outlets import cursors
from sisock.outlets.cursors import Place
from sisock.outlets.kafka import Kafka, why
from sisock.records import written
from sisock.store.quarantine import Quarantine

if TYPE_CHECKING:
    from kafka import KafkaProducer

log = logging.getLogger(__name__)
Read = Callable[[str | None, int, int], Batch]
_AT_ONCE = 2**20  # bytes of the journal: what is in memory is a few times that
_IDLE = 0.5  # seconds until the journal is looked at again
_FIRST, _LONGEST = 0.5, 30.0  # seconds between attempts
_PATIENCE = 15.0  # seconds that Kafka may take for what was read at once
_LARGEST = 2**27  # bytes of a record; brokers have a limit of their own
_ASK = "the hub names no Kafka: set SISOCK_KAFKA where it runs, or bootstrap in the table of this node"
_OPTIONS: Mapping[str, Any] = {
    "acks": "all",
    "enable_idempotence": False,  # brokers before 0.11 have no such thing; keys tell what came twice
    "max_in_flight_requests_per_connection": 1,  # in order
    "linger_ms": 5,
    "batch_size": 2**16,  # below what any broker takes
    "max_request_size": _LARGEST,
    "max_block_ms": 5_000,
    "request_timeout_ms": 8_000,
    "delivery_timeout_ms": 10_000,
    "bootstrap_timeout_ms": 5_000,
    "reconnect_backoff_max_ms": 2_000,
}


class Sink:
    """Sends from its own cursor on, at least once, each timeline in order; it never waits for Kafka but in its thread."""

    def __init__(self, node: str, kafka: Kafka, read: Read, path: Path, quarantine: Quarantine | None = None) -> None:
        """Read the journal of the node by `read`; `path` is the file of the cursor; what is too large goes into quarantine."""
        self.place = cursors.load(path)
        self.trouble: str | None = None  # why nothing is sent now
        self._node, self._own, self._read, self._path = node, kafka, read, path
        self._kafka = kafka
        self._stopped, self._aimed = threading.Event(), threading.Event()
        self._quarantine, self._began = quarantine or Quarantine(None, node), self.place
        self._is_dropping = False
        self._thread = threading.Thread(target=self._run, name=f"{node} kafka", daemon=True)

    @property
    def told_of_late(self) -> str | None:
        """Why nothing is sent now, or what was left out since the start."""
        dropped, refused = self.place.dropped - self._began.dropped, self.place.refused - self._began.refused
        left = [f"{dropped} samples had to go from the journal before Kafka took them"] if dropped else []
        left += [f"{refused} were too large for Kafka: see `sisock quarantine {self._node}`"] if refused else []
        return self.trouble or "; ".join(left) or None

    @property
    def asks(self) -> bool:
        """Whether the hub has to say where Kafka is."""
        return not self._own.bootstrap

    def told(self, given: object) -> None:
        """Take what the hub says; anything but a table means that it says nothing."""
        if not self.asks:
            return
        told = self._own.told(given if isinstance(given, Mapping) else {})
        if told.bootstrap:
            self._kafka = self._kafka if told == self._kafka else told  # who says it once more changes nothing
            self._aimed.set()
        elif not self._aimed.is_set():
            self._change(_ASK)

    def start(self) -> None:
        """Begin; where the hub has to say where to, once it has."""
        if self._own.bootstrap:
            self._aimed.set()
        self._thread.start()

    def stop(self, patience: float = 2.0) -> None:
        """Send no more; what is not sent yet is sent after the next start."""
        self._stopped.set()
        self._aimed.set()
        self._thread.join(patience)

    def _run(self) -> None:
        self._aimed.wait()
        pause = _FIRST
        while not self._stopped.is_set():
            kafka, before = self._kafka, self.place
            try:
                self._connected(kafka)
            except Exception as error:  # noqa: BLE001  # of the library, the journal or the disk: it is tried again
                pause = _FIRST if self.place != before else pause
                self._change(self._why(error, kafka))
                self._stopped.wait(pause * random.uniform(0.5, 1.0))
                pause = min(_LONGEST, 2 * pause)

    def _connected(self, kafka: Kafka) -> None:
        """Send for as long as this works and Kafka is where it was."""
        producer = kafka.producer(**_OPTIONS)
        try:
            while not self._stopped.is_set() and kafka is self._kafka:
                if not self._send(producer, kafka.named(self._node)):
                    self._stopped.wait(_IDLE)
        finally:
            producer.close(timeout=_PATIENCE)  # by then what was not taken is given up

    def _send(self, producer: "KafkaProducer", topic: str) -> bool:
        """Send what is next; whether there is more already. Raises what went wrong, and nothing counts as sent then."""
        place = self.place
        batch = self._read(place.epoch, place.position, _AT_ONCE)
        sent, refused = self._deliver(producer, topic, batch) if batch.samples else (0, 0)
        self._change(None)
        if batch.dropped and not self._is_dropping:
            log.warning("%s: %d samples had to go from the journal before Kafka took them", self._node, batch.dropped)
        self._is_dropping = bool(batch.dropped)
        moved = Place(
            batch.epoch, batch.position, place.sent + sent, place.dropped + batch.dropped, place.refused + refused
        )
        if refused:
            self._quarantine.write()
        if moved != place:
            cursors.save(self._path, moved)
            self.place = moved
        return batch.more

    def _deliver(self, producer: "KafkaProducer", topic: str, batch: Batch) -> tuple[int, int]:
        """Have Kafka take all samples; how many it took, and how many it never will."""
        partitions = sorted(producer.partitions_for(topic))
        sent, sending = 0, list[tuple[Any, bytes]]()
        for frame in batch.frames:
            partition = partitions[zlib.crc32(frame.timeline.encode()) % len(partitions)]
            for key, value, t in written(self._node, frame):
                stamp = max(0, t // 10**6)
                sending.append((producer.send(topic, value, key, partition=partition, timestamp_ms=stamp), value))
        producer.flush(_PATIENCE)
        too_large = list[bytes]()
        for each, value in sending:
            error = each.exception if each.is_done else TimeoutError("it did not take all in time")
            if error is None:
                sent += 1
            elif type(error).__name__ == "MessageSizeTooLargeError":
                too_large.append(value)
            else:
                raise error
        for value in too_large:  # only now: before, all of it may be sent once more
            self._quarantine.add("kafka", "it is larger than Kafka takes", value)
        return sent, len(sending) - sent

    def _why(self, error: Exception, kafka: Kafka) -> str:
        from sisock.store.journal import JournalError

        if isinstance(error, JournalError):
            return f"what Kafka is to get cannot be read: {error}"
        return why(error, kafka.bootstrap)

    def _change(self, trouble: str | None) -> None:
        """Tell a trouble once, and when it is over."""
        if trouble == self.trouble:
            return
        self.trouble = trouble
        if trouble:
            log.warning("%s: %s; samples wait in the journal", self._node, trouble)
        else:
            log.info("%s: Kafka takes samples again: %d so far", self._node, self.place.sent)
