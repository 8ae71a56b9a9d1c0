"""A node's journal sent elsewhere by the node's own process, where its configuration wants that."""

import asyncio
from concurrent.futures import CancelledError
from typing import TYPE_CHECKING

from sisock.batch import Batch
from sisock.nodes.base import Journaled, Service, Telling
from sisock.settings import Settings
from sisock.store.journal import JournalError
from sisock.store.quarantine import Quarantine

if TYPE_CHECKING:
    from sisock.outlets.kafka_sink import Sink

_PATIENCE = 60.0  # seconds that the journal may take to be read


def stream(service: Service, settings: Settings, kafka: object) -> "Sink | None":
    """What sends the journal to Kafka, not yet begun; None where that is not wanted.

    Raises ValueError where there is no journal, or what is said of Kafka cannot be. For the loop of the service.
    """
    if kafka is False:
        return None
    from sisock.outlets.kafka import kafka as read
    from sisock.outlets.kafka_sink import Sink

    where = read(kafka)
    if where is None:
        return None
    if not isinstance(service, Journaled) or not service.has_journal:
        raise ValueError(f"{service.name} keeps no journal that could go to Kafka: take kafka out of its table")
    loop, journaled = asyncio.get_running_loop(), service

    def read_from(epoch: str | None, position: int, limit: int) -> Batch:
        asked = asyncio.run_coroutine_threadsafe(journaled.read_from(epoch, position, limit), loop)
        try:
            return asked.result(_PATIENCE)
        except (CancelledError, TimeoutError) as error:
            asked.cancel()
            raise JournalError("the node is ending, or its disk takes long") from error

    refused = Quarantine(settings.state, service.name)
    sink = Sink(service.name, where, read_from, settings.state / "kafka" / f"{service.name}.json", refused)
    if isinstance(service, Telling):
        service.beside = lambda: sink.told_of_late
    return sink
