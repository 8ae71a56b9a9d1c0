"""Where a Kafka is, how one signs in there, and why it does not answer: the one seam to kafka-python."""

import contextlib
import importlib.util
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sisock import extras

if TYPE_CHECKING:
    from kafka import KafkaConsumer, KafkaProducer

TOPIC = "sisock.{node}"
_NOISY = ("kafka",)  # its loggers: what they tell at each attempt is told here once

_SENTENCES = {  # what happened, and the cure: of which errors of kafka-python
    "does not answer: see that it runs, that bootstrap is its address, and that version says so where it is before 0.10": (
        "KafkaTimeoutError", "KafkaConnectionError", "NodeNotReadyError", "MetadataEmptyBrokerList",
    ),
    "does not let us: give our user rights to the topic": ("AuthorizationError",),
    "does not know our user: see user, password_file and mechanism": (
        "SaslAuthenticationFailedError", "UnsupportedSaslMechanismError",
    ),
    "has no such topic, and makes none: make it there": ("UnknownTopicOrPartitionError",),
}  # fmt: skip


@dataclass(frozen=True)
class Kafka:
    """A Kafka, as a table of the configuration names it."""

    bootstrap: str = ""  # HOST:PORT,… of some of its brokers
    topic: str = ""  # {node} stands for the node's name
    version: str = ""  # of brokers that cannot be asked for it, from 0.9 on: 0.9, 2.2; default: as they say
    tls: bool = False  # speak TLS; so also where one of the next three is given
    ca: str = ""  # PEM file of the authority of their certificates; default: those this machine trusts
    certificate: str = ""  # PEM file by which we are known there
    key: str = ""  # PEM file with its private key
    user: str = ""  # who signs in
    password_file: str = ""  # file with the password
    mechanism: str = "SCRAM-SHA-512"  # how: also SCRAM-SHA-256 or PLAIN

    def named(self, node: str) -> str:
        """The topic of a node."""
        return (self.topic or TOPIC).replace("{node}", node)

    def told(self, given: Mapping[str, Any]) -> "Kafka":
        """The same, with what it does not say itself as the hub says it."""
        texts = {key: given[key] for key in ("bootstrap", "topic") if isinstance(given.get(key), str)}
        return replace(self, **{key: value for key, value in texts.items() if not getattr(self, key)})

    def producer(self, **options: Any) -> "KafkaProducer":
        """What sends. Raises what kafka-python raises, or OSError where the password cannot be read."""
        from kafka import KafkaProducer

        with _client() as client:
            return KafkaProducer(**self._options(), **options, kafka_client=client)

    def consumer(self, **options: Any) -> "KafkaConsumer":
        """What reads, until `hang_up`. Raises as `producer` does."""
        from kafka import KafkaConsumer

        with _client() as client:
            return KafkaConsumer(**self._options(), **options, kafka_client=client)

    def _options(self) -> dict[str, Any]:
        for name in _NOISY:
            logging.getLogger(name).setLevel(logging.CRITICAL)
        tls = self.tls or bool(self.ca or self.certificate or self.key)
        protocol = ("SASL_" if self.user else "") + ("SSL" if tls else "PLAINTEXT")
        given: dict[str, Any] = {
            "bootstrap_servers": [each.strip() for each in self.bootstrap.split(",")],
            "client_id": "sisock",
            "security_protocol": protocol,
            "ssl_cafile": self.ca or None,
            "ssl_certfile": self.certificate or None,
            "ssl_keyfile": self.key or None,
            "metrics_enabled": False,
        }
        if self.version:
            given["api_version"] = tuple(int(part) for part in self.version.split("."))
        if self.user:
            password = Path(self.password_file).expanduser().read_text(encoding="utf-8").strip()
            given |= {"sasl_mechanism": self.mechanism, "sasl_plain_username": self.user}
            given["sasl_plain_password"] = password
        return given


def hang_up(consumer: "KafkaConsumer", patience: float = 1.0) -> None:
    """Close what reads, without a commit, in so many seconds; its thread ends also where the broker is away."""
    with contextlib.suppress(Exception):
        consumer.close(autocommit=False, timeout_ms=round(patience * 1000))
    consumer._client.close()  # noqa: SLF001  # where closing failed, the library leaves its thread to connect for ever


@contextlib.contextmanager
def _client() -> Iterator[Callable[..., Any]]:
    """What makes the network client of a producer or consumer, and closes it where that cannot be made."""
    from kafka.net.compat import KafkaNetClient

    with contextlib.ExitStack() as made:

        def client(**options: Any) -> Any:
            return made.enter_context(contextlib.closing(KafkaNetClient(**options)))

        yield client
        made.pop_all()


def kafka(given: object) -> Kafka | None:
    """The Kafka that `kafka = true`, or a table, means; None for false. Raises ValueError with the cure."""
    if given is False or given is None:
        return None
    if importlib.util.find_spec("kafka") is None:
        raise ValueError(f"kafka needs kafka-python: {extras.command('kafka')}")
    table = {} if given is True else given
    if not isinstance(table, Mapping):
        raise ValueError(f"kafka = {given!r:.80}: give true, or a table with bootstrap and topic")
    kinds = {each.name: type(each.default) for each in fields(Kafka)}
    for name, value in table.items():
        if name not in kinds:
            raise ValueError(f"kafka.{name} is unknown: there are {', '.join(kinds)}")
        if not isinstance(value, kinds[name]):
            raise ValueError(
                f"kafka.{name} = {value!r:.80}: give {'true or false' if kinds[name] is bool else 'a text'}"
            )
    made = Kafka(**table)
    if made.version and not all(part.isdigit() for part in made.version.split(".")):
        raise ValueError(f"kafka.version = {made.version!r:.80}: write it as 0.9 or 2.2")
    if made.user and not made.password_file:
        raise ValueError("kafka.user needs kafka.password_file, a file with the password")
    return made


def is_of_kafka(error: BaseException) -> bool:
    """Whether it is Kafka, and not we, that something is wrong with."""
    return type(error).__module__.startswith("kafka")


def why(error: BaseException, where: str) -> str:
    """A sentence on what the Kafka there did, or did not do."""
    kinds = {each.__name__ for each in type(error).__mro__}  # not imported: it may be the import that failed
    sentence = next((told for told, of in _SENTENCES.items() if kinds & set(of)), None)
    if sentence is not None:
        return f"Kafka at {where} {sentence}"
    said = getattr(error, "strerror", None) or " ".join(str(error).split())
    return f"Kafka at {where}: {said or type(error).__name__:.300}"
