"""A client's WebSocket connection to the router: which are let in, and what becomes of garbage."""

from typing import Any

from autobahn.exception import Disconnected, PayloadExceededError
from autobahn.wamp.exception import ProtocolError, SerializationError, TransportLost
from autobahn.wamp.message import Call, Error, Invocation, Result
from autobahn.websocket.types import ConnectionDeny, ConnectionRequest
from crossbar.router.protocol import WampWebSocketServerProtocol
from txaio import make_logger

from sisock.router.backlog import backlog
from sisock.router.doors import host_allowed, origin_allowed
from sisock.router.notes import SENTENCE, notes
from sisock.router.policy import rights
from sisock.unread import unread

STRANGERS = 16_384  # bytes of the largest message before the client has joined
MOST_WAITING = 8  # messages of the largest size, sent to all clients together that have not caught up since


class Connection(WampWebSocketServerProtocol):  # type: ignore[misc]  # Crossbar is untyped to mypy
    """Lets in only who addresses the router by its own names, and notes with one line why a connection ended."""

    log = make_logger(level="critical")  # what it would say of strangers has no bound
    _noted = False

    def onOpen(self) -> None:
        super().onOpen()
        self.transport.unregisterProducer()  # was the HTTP channel, which stopped reading pongs while it sent
        self.transport.registerProducer(self, True)
        self.maxMessagePayloadSize = STRANGERS  # autobahn's; it refuses by a frame's header, before the frame is there

    def trust(self) -> None:
        """Read messages of the full size from now on: the client has joined."""
        self.maxMessagePayloadSize = rights().settings.message_limit

    def pauseProducing(self) -> None:
        backlog.begin(self)  # Twisted says it again at each write

    def resumeProducing(self) -> None:
        backlog.end(self)

    def stopProducing(self) -> None:
        backlog.end(self)

    def onConnect(self, request: ConnectionRequest) -> Any:
        settings = rights().settings
        host = request.headers.get("host")
        if not host_allowed(settings, host):
            self._deny(f"it addressed the router as {host!r:.100}: if that is right, add the name to SISOCK_HOSTS")
        origin = request.headers.get("origin")
        if not origin_allowed(settings, origin, host):
            self._deny(f"it is a page from {origin!r:.100}: if that is right, add the origin to SISOCK_ORIGINS")
        return super().onConnect(request)

    def onMessage(self, payload: bytes, isBinary: bool) -> None:  # noqa: N803  # autobahn's name
        try:
            messages = self._serializer.unserialize(payload, isBinary)
        except Exception as error:  # noqa: BLE001  # whatever a stranger finds ends this connection, not the router
            self._bailout(self.CLOSE_STATUS_CODE_PROTOCOL_ERROR, f"{type(error).__name__}: {error}"[:100])
            return
        try:
            for message in messages:
                if self._session is not None:
                    self._session.onMessage(message)
        except ProtocolError as error:
            self._bailout(self.CLOSE_STATUS_CODE_PROTOCOL_ERROR, str(error)[:100])
        except Exception:  # noqa: BLE001  # likewise, but this is a bug and wants its traceback
            self.log.failure("a message from {peer} could not be worked on", peer=self.peer)
            self._bailout(self.CLOSE_STATUS_CODE_INTERNAL_ERROR, "internal error")

    def send(self, msg: Any) -> None:
        """Send, unless the client is leaving; who waits for what cannot be sent gets an error.

        Crossbar does not expect an error here: a reply to a caller who leaves just then would keep a data node that
        leaves too registered for ever, and an event would not reach the subscribers after the one who leaves.
        """
        try:
            super().send(msg)
        except (Disconnected, TransportLost):
            return
        except (SerializationError, PayloadExceededError) as error:
            self._answer_instead(msg, f"it cannot be sent on: {error}"[:200])

    def _answer_instead(self, msg: Any, why: str) -> None:
        uri = rights().settings.uris.error("bad_request")
        if isinstance(msg, Result):
            self.send(Error(Call.MESSAGE_TYPE, msg.request, uri, args=[why]))
        elif isinstance(msg, Invocation):  # as if the callee had answered
            self._session.onMessage(Error(Invocation.MESSAGE_TYPE, msg.request, uri, args=[why]))

    def sendMessage(self, payload: bytes, *args: Any, **more: Any) -> None:
        backlog.add(self, len(payload))
        super().sendMessage(payload, *args, **more)
        while slowest := backlog.slowest(MOST_WAITING * rights().settings.message_limit):
            slowest.wasNotCleanReason = "it reads too slowly what it asked for"
            slowest.dropConnection(abort=True)
            backlog.end(slowest)

    def onAutoPingTimeout(self) -> None:
        if unread(self.transport.fileno()):  # it is the router that is late, as when a thousand clients come at once
            self._sendAutoPing()
        else:
            super().onAutoPingTimeout()

    def failHandshake(self, reason: str, code: int = 400, responseHeaders: Any = None) -> None:  # noqa: N803
        self._note(reason)
        super().failHandshake(reason, code, responseHeaders)

    def dropConnection(self, abort: bool = False) -> None:
        if self.wasNotCleanReason and not self.wasClean:
            self._note(self.wasNotCleanReason)
        super().dropConnection(abort)

    def _fail_connection(self, code: int = 1001, reason: str = "going away") -> None:
        self._note(reason)
        super()._fail_connection(code, reason)

    def _note(self, reason: str) -> None:
        if not self._noted:
            self._noted = True
            notes.dropped(getattr(self._session, "_authid", None) or self.peer, reason)

    def _deny(self, reason: str) -> None:
        self._noted = True
        notes.refused(self.peer, reason)
        raise ConnectionDeny(ConnectionDeny.FORBIDDEN, SENTENCE)
