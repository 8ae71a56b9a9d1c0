"""A gateway for what is published to an MQTT broker: topics are devices and fields."""

import asyncio
import json
import secrets
from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data_nodes import points
from data_nodes.admitting import Fields
from data_nodes.mqtt import topics as patterns
from data_nodes.mqtt.payloads import Message, Payloads, Refused
from sisock import extras, interfaces, settings
from sisock.frames import Field
from sisock.keys.files import write_once
from sisock.nodes import Intake, ReceivingNode
from sisock.nodes.base import RING, Opener, name_of
from sisock.nodes.live import LiveService
from sisock.records.mapping import mapping

if TYPE_CHECKING:
    from data_nodes.mqtt.broker import Address, Broker

_FIELDS = {
    "mqtt.messages": Field("taken since the node was started", "broker", "number", "messages"),
    "mqtt.retained": Field("left out, as the broker had kept them from before", "broker", "number", "messages"),
    "mqtt.again": Field("sent again by the broker, and left out", "broker", "number", "messages"),
}
_KEPT = "kept"  # the note of which messages were kept last
_AT_ONCE = 65_536  # bytes of messages that are read in a few milliseconds
_NOTED = 256  # of these: more than a broker sends without an answer
_REMEMBERED = 20_000  # as long as we run: more than wait here
_RECORDS = {"device": "", "timeline": "", "leave": [], "identity": []}  # the topic says what measured


class Mqtt(ReceivingNode):
    """What is published to an MQTT broker, by topic."""

    name = "mqtt"
    interval = 5.0

    def __init__(
        self,
        *,
        host: str = "localhost",
        port: int = 0,
        topics: Sequence[str | Mapping[str, Any]] = ("#",),
        username: str = "",
        password: str = "",
        tls: bool = False,
        ca: str = "",
        plaintext: bool = False,
        client: str = "",
        retained: bool = False,
        records: Mapping[str, Any] | None = None,
        series: str = points.NAME,
        rules: Sequence[Mapping[str, Any]] = (),
        largest: int = 2**20,
    ) -> None:
        """Follow topics of the broker at this port (0: 1883, with TLS 8883). `password`: the file that it stands in.

        `client`: name of the session at the broker; without one it is made at the first start. `retained`: take what the
        broker had kept, too, as of now. `largest`: bytes of a message.
        """
        tls = tls or bool(ca)
        self.host, self.port, self._tls, self._ca = host, port or (8883 if tls else 1883), tls, ca
        self._username, self._password, self._client, self._retained = username, password, client, retained
        self._rules, self._how, self._largest = (
            patterns.rules(topics),
            mapping({**_RECORDS, **(records or {})}),
            largest,
        )
        self._lines = points.rules(rules, series)
        self._met = Fields()
        self._counts = dict.fromkeys(_FIELDS, 0)
        self._last: dict[str, None] = {}  # messages that were kept, the latest last
        if not self._rules or largest < 1 or not 0 < self.port < 65536:
            raise ValueError("topics names at least one, largest is above 0, and port from 0 to 65535")
        if password and not (tls or plaintext or interfaces.loopback(host)):
            raise ValueError(f"the password would cross the network in the clear to {host}: set tls or ca, or plaintext = true")  # fmt: skip

    @property
    def fields(self) -> dict[str, Field]:
        """What the gateway tells of itself, and fields whose units were told."""
        return {**_FIELDS, **self._met.with_units}

    def service(self, *, ring: int = RING, journal: Opener | None = None) -> LiveService:
        """This node at work. Raises ValueError where paho is not installed."""
        try:
            import paho.mqtt.client  # noqa: F401
        except ImportError as error:
            raise ValueError(f"the node mqtt needs paho-mqtt: {extras.command('mqtt')}") from error
        return super().service(ring=ring, journal=journal)

    def sample(self) -> dict[str, int]:
        """How many messages there were."""
        return dict(self._counts)

    async def receive(self, intake: Intake) -> None:
        """Follow the topics until cancelled."""
        from data_nodes.mqtt.broker import Broker

        def tell(why: str | None) -> None:
            intake.tell("no data" if why else "ok", why)

        payloads = Payloads(self._rules, self._how, points.Naming(self._lines, self._met), self._met)
        if not self._last:
            self._remember(json.loads(intake.notes.get(_KEPT, "[]")))
        broker = Broker(self._address(), [rule.subscription for rule in self._rules], tell)
        broker.open()
        try:
            while True:
                await self._take(intake, payloads, broker, await broker.messages())
        finally:
            await asyncio.to_thread(broker.close)

    def _address(self) -> "Address":
        from data_nodes.mqtt.broker import Address

        password = ""
        if self._password:
            try:
                password = Path(self._password).expanduser().read_text(encoding="utf-8").strip()
            except OSError as error:
                raise ValueError(
                    f"password = {self._password!r}: {error.strerror}: give a file with the password"
                ) from error
        ca = Path(self._ca).expanduser() if self._ca else None
        return Address(self.host, self.port, self._session(), self._username, password, self._tls, ca)

    async def _take(self, intake: Intake, payloads: Payloads, broker: "Broker", came: list[Message]) -> None:
        """Bring messages to disk, then acknowledge them. Raises NotKept: the broker sends them again when we are back."""
        here = set[str]()  # what is in these already: they came while we were connected anew
        wanted = [each for each in came if self._is_wanted(each, here)]
        good = [each for each in wanted if len(each.payload) <= self._largest]
        much = sum(len(each.payload) for each in good) > _AT_ONCE
        made = await asyncio.to_thread(payloads.read, good) if much else payloads.read(good)
        marks = [_mark(each) for each in wanted if each.mid]
        if made.frames:
            before = [*islice(reversed(self._last), _NOTED)][::-1]
            noted = {_KEPT: json.dumps([*before, *marks][-_NOTED:])}
            await intake.keep(made.frames, source="mqtt", notes=noted)
        self._remember(marks)
        refused = [*made.refused, *(self._too_large(each) for each in wanted if len(each.payload) > self._largest)]
        for message, reason in refused:
            intake.quarantine(message.topic, reason, message.payload)
        if refused:
            await intake.quarantined()
        self._counts["mqtt.messages"] += len(came)
        broker.acknowledge(came)

    def _remember(self, marks: Iterable[str]) -> None:
        for mark in marks:
            self._last.pop(mark, None)
            self._last[mark] = None
        for mark in list(islice(self._last, max(0, len(self._last) - _REMEMBERED))):
            del self._last[mark]

    def _is_wanted(self, message: Message, here: set[str]) -> bool:
        """Whether it is new; what is not is counted. `here`: the marks of those before it."""
        if message.retained and not self._retained:
            self._counts["mqtt.retained"] += 1
            return False
        mark = _mark(message) if message.mid else ""
        if message.again and mark and (mark in here or mark in self._last):
            self._counts["mqtt.again"] += 1
            return False
        here.add(mark)
        return True

    def _too_large(self, message: Message) -> Refused:
        why = f"a message of {len(message.payload)} bytes: {self._largest} at the most, or set largest"
        return Refused(message, why)

    def _session(self) -> str:
        """The name of the session at the broker, the same at each start."""
        if self._client:
            return self._client
        path = (self.home or settings.read().state) / "mqtt" / f"{name_of(self)}.client"
        write_once(path, f"sisock-{name_of(self)}-{secrets.token_hex(4)}\n")
        return path.read_text(encoding="utf-8").strip()


def _mark(message: Message) -> str:
    """By which a message is known when it comes again."""
    digest = blake2b(message.topic.encode() + b"\0" + message.payload, digest_size=8).hexdigest()
    return f"{message.mid}:{digest}"
