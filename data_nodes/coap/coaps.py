"""CoAP over DTLS as a transport of aiocoap: what devices with a key say, decrypted, and what is answered them."""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Any

from aiocoap import Message, error
from aiocoap.interfaces import EndpointAddress, MessageInterface

from data_nodes.coap.datagrams import Datagrams
from data_nodes.coap.dtls import Address, Session, Sessions
from data_nodes.coap.pace import Pace

log = logging.getLogger(__name__)
_TICK = 0.5  # seconds between two looks at the sessions
_AFTER = 0.5  # seconds in which what a device had said before its session ended has begun to be taken
Open = Callable[[Callable[[bytes, Address], None], Callable[[Session], None]], Sessions]


class Remote(EndpointAddress):  # type: ignore[misc]  # aiocoap has no types
    """A device, as it has proved to be when it said something, whether its session lasts or not."""

    is_multicast = is_multicast_locally = False
    scheme = "coaps"

    def __init__(self, session: Session) -> None:
        """The device that this session has now."""
        self.session, self.device = session, session.device

    @property
    def hostinfo(self) -> str:
        """Where it is."""
        host, port = self.session.address[:2]
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    @property
    def hostinfo_local(self) -> str:
        """Not known here: nothing that we say of ourselves needs it."""
        raise error.AnonymousHost

    @property
    def uri_base(self) -> str:
        """The same as an address."""
        return f"coaps://{self.hostinfo}"

    @property
    def uri_base_local(self) -> str:
        """Not known here."""
        raise error.AnonymousHost

    @property
    def blockwise_key(self) -> Session:
        """What the blocks of a message have in common."""
        return self.session

    def __eq__(self, other: object) -> bool:
        """Of the same session."""
        return isinstance(other, Remote) and other.session is self.session

    def __hash__(self) -> int:
        """As equality has it."""
        return hash(self.session)


class Secure(MessageInterface):  # type: ignore[misc]  # aiocoap has no types
    """A UDP socket on which DTLS is spoken."""

    def __init__(self, manager: Any, opened: Open, pace: Pace, dropped: Callable[[], None], tuning: Any) -> None:
        """Give what comes to a manager of messages, with this tuning; nobody is faster than the pace."""
        self._manager, self._pace, self._dropped, self._tuning = manager, pace, dropped, tuning
        self._sessions = opened(self._to, self._ended)
        self._datagrams: Datagrams | None = None
        self._ticking: asyncio.Task[None] | None = None

    async def listen(self, host: str, port: int) -> "Secure":
        """Begin. Raises OSError."""
        self._datagrams = Datagrams(host, port, self._received)
        self._ticking = asyncio.create_task(self._tick(asyncio.get_running_loop()))
        return self

    def _received(self, datagram: bytes, address: Address) -> None:
        """Take a datagram of whomever."""
        now = asyncio.get_running_loop().time()
        if not self._pace.allows(address[0], now):
            self._dropped()
            return
        try:
            for session, message in self._sessions.received(datagram, address, now):
                self._dispatch(session, message)
        except Exception as trouble:  # noqa: BLE001  # whatever strangers send, others are served
            log.debug("a datagram of %s: %r", address[0], trouble)

    def _dispatch(self, session: Session, message: bytes) -> None:
        if self._manager is None:
            return
        with contextlib.suppress(error.UnparsableMessage):
            decoded = Message.decode(message, Remote(session))
            decoded.transport_tuning = self._tuning
            self._manager.dispatch_message(decoded)

    def send(self, message: Any) -> None:
        """Send a message to the device it is for."""
        self._sessions.write(message.remote.session, message.encode())

    async def determine_remote(self, message: Any) -> None:
        """None: we begin to speak to nobody."""

    async def recognize_remote(self, remote: Any) -> bool:
        """Whether a remote is one of ours."""
        return isinstance(remote, Remote)

    async def shutdown(self) -> None:
        """End all sessions, and listen no more."""
        self._manager = None
        if self._ticking is not None:
            self._ticking.cancel()
        self._sessions.close()
        if self._datagrams is not None:
            self._datagrams.close()
            self._datagrams = None

    async def _tick(self, loop: asyncio.AbstractEventLoop) -> None:
        while True:
            await asyncio.sleep(_TICK)
            self._sessions.tick(loop.time())

    def _ended(self, session: Session) -> None:
        """Let aiocoap end what it does for who watches; what was said before is taken, whoever has gone."""
        asyncio.get_running_loop().call_later(_AFTER, self._forget, Remote(session))

    def _forget(self, remote: Remote) -> None:
        if self._manager is not None:
            self._manager.dispatch_error(error.NetworkError("its session has ended"), remote)

    def _to(self, datagram: bytes, address: Address) -> None:
        if self._datagrams is not None:
            self._datagrams.send(datagram, address)
