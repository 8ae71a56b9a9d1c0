"""The connection of one principal to the router: made, used, and made again for ever."""

import asyncio
import logging
import random
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from sisock.interfaces import loopback
from sisock.keys import Ticket
from sisock.keys.key import Credential
from sisock.settings import Settings, is_address
from sisock.wamp.failing import why
from sisock.wamp.session import Protocol, Session, Skipped, WampError
from sisock.wamp.tls import trusting

sys.modules.setdefault("bjdata", None)  # type: ignore[arg-type]  # as there

from autobahn.asyncio.websocket import WampWebSocketClientFactory  # noqa: E402
from autobahn.wamp.exception import ApplicationError, SerializationError, TransportLost  # noqa: E402
from autobahn.wamp.serializer import CBORObjectSerializer, CBORSerializer  # noqa: E402
from autobahn.wamp.types import CallOptions, PublishOptions, RegisterOptions, SubscribeOptions  # noqa: E402

log = logging.getLogger(__name__)
_FIRST_DELAY, _LAST_DELAY = 0.1, 2.0  # seconds between attempts to join
_PATIENCE = 5.0  # seconds in which router and hub may come up, and a new key be admitted
_CONNECTS = 5.0  # seconds for the connection
_SIGNS_IN = 15.0  # seconds for signing in: a router that has just started may have a thousand clients before this one
_MOST_UNSENT = 32 * 2**20  # bytes waiting to be sent beyond which live frames are dropped
_DRAINED = 30.0  # seconds within which a part has been taken, or the answer is given up
_ENCODER = CBORObjectSerializer()
_MARGIN = 4096  # bytes of a message around what we put in


class Call(NamedTuple):
    """A call that has come in: the arguments, and who the router says is calling."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    session: int | None
    authid: str | None
    progress: Callable[[Any], None] | None  # sends a part of the result ahead, where the caller wants that


Handler = Callable[[Call], Awaitable[Any]]


class Link:
    """The connection of one principal to the router, made again for ever when it is lost."""

    def __init__(
        self,
        settings: Settings,
        name: str,
        key: Credential,
        on_join: Callable[["Link"], Awaitable[None]] | None = None,
        most: float = _LAST_DELAY,
    ) -> None:
        """Join as `name`, by a key or what stands in its place; call `on_join` after each joining, to offer and subscribe.

        A WampError that it raises is told, and tried again after at most so many seconds; anything else ends `run`.
        """
        self.settings, self.name = settings, name
        self.limit = settings.message_limit - _MARGIN  # bytes that a message may carry
        self.joined, self.heard = asyncio.Event(), asyncio.Event()  # heard: the router has said whether it lets us in
        self.unsent = 0  # live events dropped since the router has been too slow for them
        self.trouble = "not connected yet"
        self.refused = False  # whether the router did not let us in the last time
        self.lost: list[Callable[[], None]] = []  # called when the link is lost
        self.skipped: Skipped | None = None  # hears of a message that is too large; without it that ends the session
        self._key, self._on_join, self._most = key, on_join, most
        self._session: Session | None = None
        self._transport: asyncio.Transport | None = None
        self._protocol: Protocol | None = None
        self._leaving, self._in_vain, self._told = False, False, ("", True)  # in vain: `on_join` raised the last time
        self._patient = time.monotonic() + _PATIENCE

    # life

    async def run(self) -> None:
        """Stay joined until `leave` or cancelled."""
        delay = _FIRST_DELAY
        while not self._leaving:
            try:
                session = await self._begin()
                delay = _FIRST_DELAY
                reason = await session.over
                self._tell("" if self._leaving else reason)
            except (OSError, WampError) as error:
                self.refused = isinstance(error, WampError) and error.kind == "not_authorized"
                if self.refused:
                    self.heard.set()
                waits = f"waiting to be admitted by the router at {self.settings.url}" if self.refused else ""
                self._tell(f"cannot join the router at {self.settings.url}: {why(error)}", waits)
                await asyncio.sleep(delay * random.uniform(0.5, 1))  # spreads many nodes
                delay = min(self._most, delay * 2)
            finally:
                self._end()

    async def _begin(self) -> "Session":
        """Join, offer and subscribe."""
        session = await self._open()
        self.refused = False
        self._tell(self.trouble if self._in_vain else "")
        self._in_vain = True
        if self._on_join is not None:
            await self._on_join(self)
        self._in_vain = False
        self._tell("")
        self.joined.set()
        self.heard.set()
        return session

    def _end(self) -> None:
        """Be joined no more, and say so."""
        self.joined.clear()
        self._session = None
        if self._transport is not None:
            self._transport.abort()
        for tell in list(self.lost):
            tell()

    def _tell(self, trouble: str, at_first: str = "") -> None:
        """Log what changed, once; in the first seconds it is no warning that others are not there yet.

        `at_first`: what is logged then in place of the trouble, but for tickets: whoever made one up hears it where it asks.
        """
        early = time.monotonic() < self._patient
        if not trouble:
            self._patient = 0.0
            if self.trouble and not self._leaving:
                log.info("%s: joined %s", self.name, self.settings.url)
        elif (trouble, early) != self._told and not (early and self.refused and isinstance(self._key, Ticket)):
            log.log(logging.INFO if early else logging.WARNING, "%s: %s", self.name, (early and at_first) or trouble)
        self.trouble, self._told = trouble, (trouble, early)

    async def _open(self) -> "Session":
        settings, loop = self.settings, asyncio.get_running_loop()
        if not is_address(settings.url):  # it may come from a file that somebody has edited
            raise WampError("bad_request", "this is not a router's address: write ws://HOST:PORT/ws or wss://…")
        where = urlsplit(settings.url)
        private = where.scheme == "wss" or loopback(str(where.hostname)) or settings.plaintext
        if isinstance(self._key, Ticket) and not private:
            raise WampError("bad_request", "a password or token is not sent in the clear: write wss://…")
        context = trusting(settings, self.name) if where.scheme == "wss" else None
        port = where.port or (443 if context else 80)
        try:
            limit = _CONNECTS
            async with asyncio.timeout(limit):
                self._transport, self._protocol = await loop.create_connection(
                    self._connection, str(where.hostname), port, ssl=context
                )
            limit = _SIGNS_IN
            async with asyncio.timeout(limit):
                await asyncio.shield(self._protocol.begun.joining)
            self._session = self._protocol.begun
        except TimeoutError as error:
            raise WampError("lost", f"it did not answer within {limit:g} s") from error
        finally:
            if self._session is None and self._transport is not None:
                self._transport.abort()
        return self._session

    def _connection(self) -> Protocol:
        """A connection and its session. They are made once the router answers: that it does not is found out for less."""
        settings, session = self.settings, Session(self.settings.realm, self.name, self._key)
        factory = WampWebSocketClientFactory(lambda: session, url=settings.url, serializers=[CBORSerializer()])
        factory.protocol = Protocol
        factory.setProtocolOptions(
            openHandshakeTimeout=_SIGNS_IN,
            closeHandshakeTimeout=1,
            autoPingInterval=settings.ping_interval,
            autoPingTimeout=settings.ping_timeout,
            maxMessagePayloadSize=settings.message_limit,
            maxFramePayloadSize=settings.message_limit,
        )
        made: Protocol = factory()
        made.begun, made.skipped = session, self.skipped
        return made

    async def leave(self) -> None:
        """Say goodbye to the router, so that it need not find out, and do not come back."""
        self._leaving = True
        if self._session is not None and self._session.is_attached():
            session = self._session
            session.leave()
            await asyncio.wait({session.over}, timeout=1)

    # work

    @property
    def session_id(self) -> int | None:
        """The id of the session, as the router discloses it to others."""
        return self._session.session_id if self._session is not None else None

    def _attached(self) -> "Session":
        if self._session is None or not self._session.is_attached():
            raise WampError("lost", f"not joined to the router at {self.settings.url}: {self.trouble or 'joining'}")
        return self._session

    async def call(
        self,
        uri: str,
        *args: Any,
        deadline: float | None = None,
        on_progress: Callable[[Any], None] | None = None,
        **kwargs: Any,
    ) -> Any:
        """What the procedure returns; raises WampError, after `deadline` seconds (default: the setting) at the latest."""
        options = CallOptions(on_progress=on_progress) if on_progress else None
        limit = self.settings.deadline if deadline is None else deadline
        return await self._do(limit, uri, lambda s: s.call(uri, *args, options=options, **kwargs))

    async def register(self, uri: str, handler: Handler, *, sized: bool = False) -> None:
        """Offer a procedure for the length of this session; `sized`: it sees to the size of its results itself."""

        async def endpoint(*args: Any, details: Any, **kwargs: Any) -> Any:
            try:
                result = await handler(Call(args, kwargs, details.caller, details.caller_authid, details.progress))
            except WampError as error:
                raise ApplicationError(self.settings.uris.error(error.kind), str(error)) from error
            if not sized and len(_ENCODER.serialize(result)) > self.limit:
                sentence = f"{uri}: the answer is larger than a message may be ({self.limit} bytes)"
                raise ApplicationError(self.settings.uris.error("failed"), sentence)
            return result

        options = RegisterOptions(details_arg="details")
        await self._do(self.settings.deadline, uri, lambda s: s.register(endpoint, uri, options=options))

    async def subscribe(self, uri: str, handler: Callable[..., Any]) -> Callable[[], Awaitable[None]]:
        """Call `handler` with the arguments of each event of the topic; what comes back ends that."""
        subscription = await self._do(self.settings.deadline, uri, lambda s: s.subscribe(handler, uri))

        async def end() -> None:
            try:
                if subscription.active and self._session is subscription.session:
                    await subscription.unsubscribe()
            except (ApplicationError, TransportLost) as error:
                log.debug("%s: %s: the subscription went with the session: %s", self.name, uri, error)

        return end

    async def listen(self, pattern: str, handler: Callable[[str, tuple[Any, ...]], Any]) -> None:
        """Call `handler` with topic and arguments of each event, for the length of this session.

        An empty part of the pattern, as in `observatory..feeds.`, stands for any.
        """

        def heard(*args: Any, details: Any, **_: Any) -> None:
            handler(details.topic, args)

        options = SubscribeOptions(match="wildcard", details_arg="details")
        await self._do(self.settings.deadline, pattern, lambda s: s.subscribe(heard, pattern, options=options))

    def publish(self, uri: str, *args: Any, eligible: list[str] | None = None) -> bool:
        """Publish to a topic, at most once, to all or to these principals; False without a link, or if it is too slow."""
        session, transport = self._session, self._transport
        if session is None or transport is None or not session.is_attached():
            return False
        if transport.get_write_buffer_size() > _MOST_UNSENT:
            if not self.unsent:
                log.warning("%s: the router is too slow: live frames are dropped until it has caught up", self.name)
            self.unsent += 1
            return False
        if self.unsent:
            log.warning("%s: %d live frames were dropped; who follows asks for them again", self.name, self.unsent)
            self.unsent = 0
        session.publish(uri, *args, options=None if eligible is None else PublishOptions(eligible_authid=eligible))
        return True

    async def tell(self, uri: str, *args: Any, eligible: list[str] | None = None) -> None:
        """Publish, and wait until the router has passed it on; raises WampError."""
        options = PublishOptions(acknowledge=True, eligible_authid=eligible)
        await self._do(self.settings.deadline, uri, lambda s: s.publish(uri, *args, options=options))

    async def drained(self) -> None:
        """Return when little waits to be sent. Raises WampError if the router takes nothing, or is lost."""
        self._attached()
        assert self._protocol is not None  # there is one while attached
        try:
            await asyncio.wait_for(self._protocol.little_unsent.wait(), _DRAINED)
        except TimeoutError as error:
            raise WampError("late", f"the router has taken nothing within {_DRAINED:g} s") from error
        self._attached()

    async def _do(self, limit: float, uri: str, act: Callable[["Session"], Any]) -> Any:
        try:
            async with asyncio.timeout(limit):
                return await act(self._attached())
        except TimeoutError as error:
            raise WampError("late", f"{uri} gave no answer within {limit:g} s") from error
        except ApplicationError as error:
            kind = "lost" if ".close." in error.error else error.error.rpartition(".")[2]
            raise WampError(kind, str((*error.args, error.error)[0] or error.error)) from error
        except TransportLost as error:
            raise WampError("lost", "the connection to the router was lost") from error
        except SerializationError as error:
            raise WampError("failed", f"{uri}: this cannot be sent: {error}") from error
