"""What tests write to topics of Kafka, and read from them."""

import gc
import threading
import time
import warnings
from collections.abc import Iterable
from typing import Any

from sisock.outlets.kafka import Kafka, hang_up

PATIENCE = 60.0  # seconds; a loaded machine is slow

LEFT_OPEN = (  # by kafka-python, where a broker is away
    "ignore:unclosed <socket:ResourceWarning",
    "ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning",
)


def consumed(kafka: Kafka, topic: str, count: int) -> list[Any]:
    """The first messages of a topic, so many of them, the partitions one after the other."""
    from kafka import TopicPartition

    consumer = kafka.consumer(enable_auto_commit=False, max_poll_records=5000)
    found: list[Any] = []
    until = time.monotonic() + PATIENCE
    try:
        while not (partitions := consumer.partitions_for_topic(topic)):
            assert time.monotonic() < until, f"there is no topic {topic}"
        places = [TopicPartition(topic, each) for each in partitions]
        consumer.assign(places)
        consumer.seek_to_beginning(*places)
        while len(found) < count:
            assert time.monotonic() < until, f"{len(found)} of {count} messages"
            for messages in consumer.poll(timeout_ms=200).values():
                found += messages
    finally:
        hang_up(consumer)
    return sorted(found, key=lambda each: (each.partition, each.offset))


def produce(kafka: Kafka, topic: str, messages: Iterable[tuple[int, bytes | None, int | None]]) -> None:
    """Write messages, each to a partition, with its payload and its timestamp in ms."""
    producer = kafka.producer(enable_idempotence=False, linger_ms=5, batch_size=2**18, max_request_size=2**24)
    sent = [
        producer.send(topic, payload, partition=partition, timestamp_ms=stamp) for partition, payload, stamp in messages
    ]
    producer.flush(PATIENCE)
    producer.close()
    for each in sent:
        each.get(0)


def fill(kafka: Kafka, topic: str, messages: Iterable[tuple[int, bytes]]) -> None:
    """Write very many messages, each to a partition, as quickly as librdkafka does."""
    import confluent_kafka

    old = {"api.version.request": False, "broker.version.fallback": "0.9.0.1"} if kafka.version == "0.9" else {}
    queue = {"queue.buffering.max.messages": 200_000, "linger.ms": 50}
    producer = confluent_kafka.Producer({"bootstrap.servers": kafka.bootstrap, **old, **queue})
    for partition, payload in messages:
        while True:
            try:
                producer.produce(topic, payload, partition=partition)
                break
            except BufferError:
                producer.poll(0.1)
    assert not producer.flush(PATIENCE)


def collect() -> None:
    """See that no thread of it is left, and let go of what it held, before the test of another module sees that."""
    until = time.monotonic() + PATIENCE
    while left := [each.name for each in threading.enumerate() if each.name.startswith("kafka-")]:
        assert time.monotonic() < until, f"these threads go on: {left}"
        time.sleep(0.05)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
