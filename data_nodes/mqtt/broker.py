"""The connection to a broker: messages wait here, within bounds, and are acknowledged when they are on disk."""

import asyncio
import logging
import ssl
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode

from data_nodes.mqtt.payloads import Message

log = logging.getLogger(__name__)
_MOST = 5_000  # messages that wait here; the broker holds back those beyond
_MOST_BYTES = 8 * 2**20  # of them
_FIRST, _LAST = 1, 30  # seconds between attempts to connect
_KEEPALIVE = 60  # seconds
_PAUSE = 0.5  # seconds without room after which to look whether a ping is due
_GRANTED = 0x80  # codes from here on refuse a subscription
Tell = Callable[[str | None], None]


class Address(NamedTuple):
    """Where the broker is, and as whom to come."""

    host: str
    port: int
    client_id: str
    username: str = ""
    password: str = ""
    tls: bool = False
    ca: Path | None = None

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


class _Client(paho.Client):
    """A client that reads nothing while there is no room for it, and stays connected meanwhile."""

    def __init__(self, has_room: Callable[[float], bool], client_id: str) -> None:
        """`has_room` waits for it, so many seconds."""
        super().__init__(
            CallbackAPIVersion.VERSION2, client_id, clean_session=False, protocol=paho.MQTTv311, manual_ack=True
        )
        self._has_room = has_room

    def loop_read(self, max_packets: int = 1) -> MQTTErrorCode:
        """As paho's, which calls it where something has come."""
        if self._has_room(_PAUSE):
            return super().loop_read(max_packets)
        self._ping_t = 0.0  # the answer to the last ping lies unread behind what has no room
        return MQTTErrorCode.MQTT_ERR_SUCCESS


class Broker:
    """A session of a broker that stays there while we are away. Its own thread connects again for ever."""

    def __init__(self, address: Address, topics: Sequence[str], tell: Tell) -> None:
        """Subscribe to topics with QoS 1; `tell` hears in the loop that runs what is wrong, and None when all is well."""
        self._address, self._topics, self._tell = address, topics, tell
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[Message] = deque()
        self._bytes = 0
        self._room = threading.Condition()
        self._came = asyncio.Event()
        self._closed = self._joined = False
        self._client = self._made(address)

    def _made(self, address: Address) -> paho.Client:
        client = _Client(self._has_room, address.client_id)
        if address.username:
            client.username_pw_set(address.username, address.password)
        if address.tls:
            client.tls_set(ca_certs=None if address.ca is None else str(address.ca))
        client.reconnect_delay_set(_FIRST, _LAST)
        client.on_connect, client.on_disconnect = self._connected, self._disconnected
        client.on_connect_fail, client.on_subscribe = self._failed, self._subscribed
        client.on_message = self._message
        return client

    def open(self) -> None:
        """Begin to connect."""
        self._client.connect_async(self._address.host, self._address.port, _KEEPALIVE)
        self._client.loop_start()

    def close(self) -> None:
        """Leave; the broker keeps what comes meanwhile."""
        with self._room:
            self._closed = True
            self._room.notify_all()
        self._client.disconnect()
        self._client.loop_stop()

    async def messages(self) -> list[Message]:
        """All that have come, at least one."""
        await self._came.wait()
        with self._room:
            self._came.clear()
            found = list(self._waiting)
            self._waiting.clear()
            self._bytes = 0
            self._room.notify_all()
        return found

    def acknowledge(self, messages: Sequence[Message]) -> None:
        """Let the broker forget them."""
        for message in messages:
            if message.mid:
                self._client.ack(message.mid, 1)

    # in the thread of paho

    def _has_room(self, patience: float) -> bool:
        """Whether another message may wait, now or within so many seconds."""
        with self._room:
            return self._room.wait_for(
                lambda: self._closed or (len(self._waiting) < _MOST and self._bytes < _MOST_BYTES), patience
            )

    def _message(self, client: paho.Client, data: Any, came: paho.MQTTMessage) -> None:
        topic = came._topic.decode("utf-8", "replace")  # noqa: SLF001  # .topic raises where it is not UTF-8
        mid = came.mid if came.qos else 0
        message = Message(topic, bytes(came.payload), time.time_ns(), mid, bool(came.dup), bool(came.retain))
        with self._room:
            if self._closed:
                return
            self._waiting.append(message)
            self._bytes += len(message.payload) + len(topic)
            first = len(self._waiting) == 1
        if first:
            self._in_loop(self._came.set)

    def _connected(self, client: paho.Client, data: Any, flags: Any, reason: Any, properties: Any) -> None:
        if reason.is_failure:
            self._say(f"the broker at {self._address} refuses {self._address.client_id}: {reason}")
            return
        self._joined = True
        client.subscribe([(topic, 1) for topic in self._topics])

    def _subscribed(self, client: paho.Client, data: Any, mid: int, reasons: Any, properties: Any) -> None:
        refused = [t for t, code in zip(self._topics, reasons, strict=False) if code.value >= _GRANTED]
        self._say(f"the broker at {self._address} does not let us read {', '.join(refused)}" if refused else None)

    def _disconnected(self, client: paho.Client, data: Any, flags: Any, reason: Any, properties: Any) -> None:
        if self._joined:
            self._joined = False
            self._say(f"the connection to the broker at {self._address} was lost; it is tried again")

    def _failed(self, client: paho.Client, data: Any) -> None:
        error = sys.exc_info()[1]  # paho calls this where it has caught why
        if isinstance(error, ssl.SSLError):
            why = getattr(error, "verify_message", "") or error.reason
            self._say(f"the broker at {self._address} is not trusted: {why}: set ca to its authority")
        else:
            self._say(f"there is no broker at {self._address}; it is tried again")

    def _say(self, why: str | None) -> None:
        self._in_loop(self._tell, why)

    def _in_loop(self, call: Callable[..., object], *given: Any) -> None:
        if not self._closed and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(call, *given)
