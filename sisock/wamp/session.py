"""One session of a client at the router, and its connection: what autobahn leaves open is seen to here."""

import asyncio
import base64
import contextlib
import hashlib
import hmac
import logging
import sys
from collections.abc import Callable
from typing import Any

from sisock.keys.key import Anonymous, Credential, Key, Secret, Ticket
from sisock.unread import unread

sys.modules.setdefault("bjdata", None)  # type: ignore[arg-type]  # where it is installed, its wheel complains about numpy 2

import txaio  # noqa: E402
from autobahn.asyncio.wamp import ApplicationSession  # noqa: E402
from autobahn.asyncio.websocket import WampWebSocketClientProtocol  # noqa: E402
from autobahn.exception import Disconnected  # noqa: E402
from autobahn.wamp import websocket  # noqa: E402
from autobahn.wamp.cryptosign import CryptosignKey  # noqa: E402
from autobahn.wamp.exception import ApplicationError, TransportLost  # noqa: E402
from autobahn.wamp.types import ComponentConfig  # noqa: E402
from autobahn.websocket import protocol  # noqa: E402

log = logging.getLogger(__name__)
txaio.set_global_log_level("error")  # what autobahn would tell of a lost link is told here, once
protocol.pformat = websocket.hlval = lambda value, **_: value  # pretty text for a log that nobody reads takes much time
_MOST_ROUNDS = (
    1_000_000  # of deriving a secret from a salt, which take half a second; a router that asks for more is refused
)
MUCH_UNSENT = 2 * 2**20  # bytes waiting to be sent beyond which the next part of a large answer waits
_BEGINNING = 4096  # bytes that are kept of a message that is too large
Skipped = Callable[[int, bytes], None]  # its size in bytes, and how it begins


class WampError(Exception):
    """A call, a registration or a sign-in failed. `kind` is the last word of the error's URI.

    Ours are bad_request, not_authorized, failed; WAMP's no_such_procedure, procedure_already_exists …;
    and `lost` where the link to the router went, `late` where the deadline passed.
    """

    def __init__(self, kind: str, sentence: str) -> None:
        """Say what kind of error it is, and what a person should know."""
        super().__init__(sentence)
        self.kind = kind


class Protocol(WampWebSocketClientProtocol):  # type: ignore[misc]  # autobahn is not typed
    """The connection, which knows whether much waits to be sent."""

    begun: "Session"  # what is joined on it
    skipped: Skipped | None = None  # hears of a message that is too large; without it that ends the connection
    _beginning: bytes | None = None  # of such a message, while it comes

    def connection_made(self, transport: Any) -> None:
        self.little_unsent = asyncio.Event()
        self.little_unsent.set()
        transport.set_write_buffer_limits(high=MUCH_UNSENT)
        super().connection_made(transport)

    def send(self, msg: Any) -> None:
        """Send, unless the connection is ending: then all that waits for an answer fails in a moment."""
        with contextlib.suppress(Disconnected, TransportLost):
            super().send(msg)

    def _max_message_size_exceeded(self, msg_size: int, max_msg_size: int, reason: str) -> None:
        if self.skipped is None:
            super()._max_message_size_exceeded(msg_size, max_msg_size, reason)
        else:
            self._beginning = self._beginning or b"".join(self.message_data)[:_BEGINNING]
            self.message_data.clear()

    def onMessageFrameData(self, payload: bytes) -> None:  # noqa: N802  # autobahn's names
        """Take what came of a message, or let it go where that is too large."""
        if self._beginning is None:
            super().onMessageFrameData(payload)
        elif (room := _BEGINNING - len(self._beginning)) > 0:
            self._beginning += bytes(payload[:room])

    def onMessageEnd(self) -> None:  # noqa: N802
        """Hand on the message, or tell that it was too large."""
        beginning, self._beginning = self._beginning, None
        if beginning is None or self.skipped is None:
            super().onMessageEnd()
        else:
            self.skipped(self.message_data_total_length, beginning)

    def pause_writing(self) -> None:
        self.little_unsent.clear()

    def resume_writing(self) -> None:
        self.little_unsent.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self.little_unsent.set()
        super().connection_lost(exc)
        self.begun.fail_to_join()  # autobahn does not tell the session before the WebSocket is open

    def onAutoPingTimeout(self) -> None:  # noqa: N802  # autobahn's name
        if unread(self.transport.get_extra_info("socket").fileno()):  # it is this process that is late
            self._sendAutoPing()
        else:
            super().onAutoPingTimeout()


class _Gone:
    """In the place of a connection that is gone: autobahn answers and cancels without looking whether there is one."""

    is_closed = True

    def __bool__(self) -> bool:
        return False

    def isOpen(self) -> bool:  # noqa: N802
        return False

    def send(self, _: Any) -> None:
        """Nowhere."""


class Session(ApplicationSession):  # type: ignore[misc]  # autobahn is not typed
    """One session, from joining to its end."""

    def __init__(self, realm: str, name: str, key: Credential) -> None:
        super().__init__(ComponentConfig(realm=realm))
        self._name = name
        self._key: Any = CryptosignKey.from_bytes(bytes.fromhex(key.private)) if isinstance(key, Key) else key
        self._reason = "the connection to the router was lost"
        loop = asyncio.get_running_loop()
        self.joining: asyncio.Future[None] = loop.create_future()
        self.joining.add_done_callback(lambda done: done.cancelled() or done.exception())  # where nobody waits any more
        self.over: asyncio.Future[str] = loop.create_future()

    def onConnect(self) -> None:  # noqa: N802  # autobahn's names
        if not self._transport:  # it is gone again
            return
        match self._key:
            case Ticket():
                self.join(self.config.realm, ["ticket"], self._name)
            case Secret():
                self.join(self.config.realm, ["wampcra"], self._name)
            case Anonymous():
                self.join(self.config.realm, ["anonymous"])
            case key:
                extra = {"pubkey": key.public_key(), "channel_binding": None}
                self.join(self.config.realm, ["cryptosign"], self._name, authextra=extra)

    def onChallenge(self, challenge: Any) -> Any:  # noqa: N802
        match self._key:
            case Ticket(text):
                return text
            case Secret(text):
                return _proof(text, challenge.extra)
        return self._key.sign_challenge(challenge)

    def onJoin(self, details: Any) -> None:  # noqa: N802
        if not self.joining.done():
            self.joining.set_result(None)

    def onLeave(self, details: Any) -> None:  # noqa: N802
        if not self.joining.done():
            self.joining.set_exception(WampError("not_authorized", str(details.message or details.reason)))
        elif details.message and not str(details.reason).endswith("transport_lost"):
            self._reason = f"the router ended the session: {details.message}"
        super().onLeave(details)

    def onClose(self, wasClean: bool) -> None:  # noqa: N802, N803
        super().onClose(wasClean)
        self._transport = _Gone()

    def onDisconnect(self) -> None:  # noqa: N802
        super().onDisconnect()
        self.fail_to_join()
        if not self.over.done():
            self.over.set_result(self._reason)

    def fail_to_join(self) -> None:
        """Note that the connection is gone, for who waits for the session to join."""
        if not self.joining.done():
            self.joining.set_exception(WampError("lost", "the router closed the connection"))

    def onUserError(self, fail: Any, msg: str) -> None:  # noqa: N802
        if not isinstance(fail.value, (ApplicationError, asyncio.CancelledError)):  # the latter: its caller gave up
            log.error("%s: %s: %r", self._name, msg, fail.value)


def _proof(secret: str, extra: Any) -> str:
    """The answer to a challenge of WAMP-CRA, as the WAMP specification has it (HMAC-SHA256; PBKDF2 of a salted secret). Raises WampError where the router asks for too much work."""
    key = secret.encode()
    if extra.get("salt"):
        rounds, size = int(extra.get("iterations", 1000)), int(extra.get("keylen", 32))
        if not (0 < rounds <= _MOST_ROUNDS and 0 < size <= _MOST_ROUNDS // rounds * 32):
            raise WampError("not_authorized", f"the router wants {rounds} rounds for {size} bytes: that is no sign-in")
        key = base64.b64encode(hashlib.pbkdf2_hmac("sha256", key, extra["salt"].encode(), rounds, size))
    return base64.b64encode(hmac.digest(key, extra["challenge"].encode(), "sha256")).decode()
