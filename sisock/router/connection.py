"""A client's WebSocket connection to the router: which are let in, and what becomes of garbage."""

from typing import Any

from autobahn.wamp.exception import ProtocolError
from autobahn.websocket.types import ConnectionDeny, ConnectionRequest
from crossbar.router.protocol import WampWebSocketServerProtocol

from sisock.router.doors import host_allowed, origin_allowed
from sisock.router.policy import rights
from sisock.router.refusals import SENTENCE, Refusals

_refusals = Refusals()


class Connection(WampWebSocketServerProtocol):  # type: ignore[misc]  # Crossbar is untyped to mypy
    """Lets in only who addresses the router by its own names, and ends with one line in the log what sends garbage."""

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
            for message in self._serializer.unserialize(payload, isBinary):
                if self._session is not None:
                    self._session.onMessage(message)
        except ProtocolError as error:
            _refusals.note(self.peer, error)
            self._bailout(self.CLOSE_STATUS_CODE_PROTOCOL_ERROR, "WAMP protocol error")
        except Exception:  # noqa: BLE001  # whatever it is, it ends this connection and not the router
            self.log.failure("a message from {peer} could not be worked on", peer=self.peer)
            self._bailout(self.CLOSE_STATUS_CODE_INTERNAL_ERROR, "internal error")

    def _deny(self, reason: str) -> None:
        _refusals.note(self.peer, reason)
        raise ConnectionDeny(ConnectionDeny.FORBIDDEN, SENTENCE)
