"""The seam to autobahn for clients: join as a principal, call, offer and publish, and join again for ever."""

import asyncio
import logging
import random
import ssl
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from sisock.keys import Key
from sisock.settings import Settings, is_address

sys.modules.setdefault("bjdata", None)  # type: ignore[arg-type]  # where it is installed, its wheel complains about numpy 2

import txaio  # noqa: E402
from autobahn.asyncio.wamp import ApplicationSession  # noqa: E402
from autobahn.asyncio.websocket import WampWebSocketClientFactory, WampWebSocketClientProtocol  # noqa: E402
from autobahn.wamp.cryptosign import CryptosignKey  # noqa: E402
from autobahn.wamp.exception import ApplicationError, SerializationError, TransportLost  # noqa: E402
from autobahn.wamp.serializer import CBORObjectSerializer, CBORSerializer  # noqa: E402
from autobahn.wamp.types import CallOptions, ComponentConfig, PublishOptions, RegisterOptions  # noqa: E402

log = logging.getLogger(__name__)
txaio.set_global_log_level("error")  # what autobahn would tell of a lost link is told here, once
_FIRST_DELAY, _LAST_DELAY = 0.1, 2.0  # seconds between attempts to join
_PATIENCE = 5.0  # seconds in which router and hub may come up, and a new key be admitted
_HANDSHAKE = 5.0  # seconds for the connection, and again for signing in
_MOST_UNSENT = 32 * 2**20  # bytes waiting to be sent beyond which live frames are dropped
_MUCH_UNSENT = 2 * 2**20  # bytes waiting to be sent beyond which the next part of a large answer waits
_DRAINED = 30.0  # seconds within which a part has been taken, or the answer is given up
_ENCODER = CBORObjectSerializer()
_MARGIN = 4096  # bytes of a message around what we put in


class WampError(Exception):
    """A call, a registration or a sign-in failed. `kind` is the last word of the error's URI.

    Ours are bad_request, not_authorized, failed; WAMP's no_such_procedure, procedure_already_exists …;
    and `lost` where the link to the router went, `late` where the deadline passed.
    """

    def __init__(self, kind: str, sentence: str) -> None:
        """Say what kind of error it is, and what a person should know."""
        super().__init__(sentence)
        self.kind = kind


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
        self, settings: Settings, name: str, key: Key, on_join: Callable[["Link"], Awaitable[None]] | None = None
    ) -> None:
        """Join as `name`; call `on_join` after each joining, to offer and subscribe.

        A WampError that it raises is told, and tried again after a while; anything else ends `run`.
        """
        self.settings, self.name = settings, name
        self.limit = settings.message_limit - _MARGIN  # bytes that a message may carry
        self.joined = asyncio.Event()
        self.unsent = 0  # live events dropped since the router has been too slow for them
        self.trouble = "not connected yet"
        self.lost: list[Callable[[], None]] = []  # called when the link is lost
        self._key, self._on_join = key, on_join
        self._session: _Session | None = None
        self._transport: asyncio.Transport | None = None
        self._protocol: _Protocol | None = None
        self._leaving, self._told = False, ("", True)
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
                new = isinstance(error, WampError) and error.kind == "not_authorized"
                waits = f"waiting to be admitted by the router at {self.settings.url}" if new else ""
                self._tell(f"cannot join the router at {self.settings.url}: {error}", waits)
                await asyncio.sleep(delay * random.uniform(0.5, 1))  # spreads many nodes
                delay = min(_LAST_DELAY, delay * 2)
            finally:
                self._end()

    async def _begin(self) -> "_Session":
        """Join, offer and subscribe."""
        session = await self._open()
        self._tell("")
        if self._on_join is not None:
            await self._on_join(self)
        self.joined.set()
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

        `at_first`: what is logged then in place of the trouble.
        """
        early = time.monotonic() < self._patient
        if not trouble:
            self._patient = 0.0
            if self.trouble and not self._leaving:
                log.info("%s: joined %s", self.name, self.settings.url)
        elif (trouble, early) != self._told:
            log.log(logging.INFO if early else logging.WARNING, "%s: %s", self.name, (early and at_first) or trouble)
        self.trouble, self._told = trouble, (trouble, early)

    async def _open(self) -> "_Session":
        settings, loop = self.settings, asyncio.get_running_loop()
        if not is_address(settings.url):  # it may come from a file that somebody has edited
            raise WampError("bad_request", "this is not a router's address: write ws://HOST:PORT/ws or wss://…")
        where = urlsplit(settings.url)
        session = _Session(settings.realm, self.name, self._key)
        factory = WampWebSocketClientFactory(
            lambda: session, url=settings.url, serializers=[CBORSerializer()], loop=loop
        )
        factory.protocol = _Protocol
        factory.setProtocolOptions(
            openHandshakeTimeout=_HANDSHAKE,
            closeHandshakeTimeout=1,
            autoPingInterval=settings.ping_interval,
            autoPingTimeout=settings.ping_timeout,
            maxMessagePayloadSize=settings.message_limit,
            maxFramePayloadSize=settings.message_limit,
        )
        context = ssl.create_default_context(cafile=settings.router_ca or None) if where.scheme == "wss" else None
        port = where.port or (443 if context else 80)
        try:
            async with asyncio.timeout(_HANDSHAKE):
                self._transport, self._protocol = await loop.create_connection(
                    factory, str(where.hostname), port, ssl=context
                )
            async with asyncio.timeout(_HANDSHAKE):
                await asyncio.shield(session.joining)
        except TimeoutError as error:
            raise WampError("lost", f"it did not answer within {_HANDSHAKE:g} s") from error
        finally:
            joined = session.joining.done() and not session.joining.exception()
            if not joined and self._transport is not None:
                self._transport.abort()
        self._session = session
        return session

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

    def _attached(self) -> "_Session":
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

    def publish(self, uri: str, *args: Any, eligible: list[str] | None = None) -> bool:
        """Publish to a topic, at most once, to all or to these principals; False without a link, or if it is too slow."""
        session, transport = self._session, self._transport
        if session is None or transport is None or not session.is_attached():
            return False
        if transport.get_write_buffer_size() > _MOST_UNSENT:
            if not self.unsent:
                log.warning(
                    "%s: the router takes live frames too slowly: they are dropped until it has caught up", self.name
                )
            self.unsent += 1
            return False
        if self.unsent:
            log.warning("%s: %d live frames were dropped; who follows asks for them again", self.name, self.unsent)
            self.unsent = 0
        session.publish(uri, *args, options=None if eligible is None else PublishOptions(eligible_authid=eligible))
        return True

    async def drained(self) -> None:
        """Return when little waits to be sent. Raises WampError if the router takes nothing, or is lost."""
        self._attached()
        assert self._protocol is not None  # there is one while attached
        try:
            await asyncio.wait_for(self._protocol.little_unsent.wait(), _DRAINED)
        except TimeoutError as error:
            raise WampError("late", f"the router has taken nothing within {_DRAINED:g} s") from error
        self._attached()

    async def _do(self, limit: float, uri: str, act: Callable[["_Session"], Any]) -> Any:
        try:
            async with asyncio.timeout(limit):
                return await act(self._attached())
        except TimeoutError as error:
            raise WampError("late", f"{uri} gave no answer within {limit:g} s") from error
        except ApplicationError as error:
            kind = "lost" if error.error.endswith("transport_lost") else error.error.rpartition(".")[2]
            raise WampError(kind, str(error.args[0]) if error.args else error.error) from error
        except TransportLost as error:
            raise WampError("lost", "the connection to the router was lost") from error
        except SerializationError as error:
            raise WampError("failed", f"{uri}: this cannot be sent: {error}") from error


class _Protocol(WampWebSocketClientProtocol):  # type: ignore[misc]  # autobahn is not typed
    """The connection, which knows whether much waits to be sent."""

    def connection_made(self, transport: Any) -> None:
        self.little_unsent = asyncio.Event()
        self.little_unsent.set()
        transport.set_write_buffer_limits(high=_MUCH_UNSENT)
        super().connection_made(transport)

    def pause_writing(self) -> None:
        self.little_unsent.clear()

    def resume_writing(self) -> None:
        self.little_unsent.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self.little_unsent.set()
        super().connection_lost(exc)


class _Session(ApplicationSession):  # type: ignore[misc]  # autobahn is not typed
    """One session, from joining to its end."""

    def __init__(self, realm: str, name: str, key: Key) -> None:
        super().__init__(ComponentConfig(realm=realm))
        self._name, self._key = name, CryptosignKey.from_bytes(bytes.fromhex(key.private))
        self._reason = "the connection to the router was lost"
        loop = asyncio.get_running_loop()
        self.joining: asyncio.Future[None] = loop.create_future()
        self.over: asyncio.Future[str] = loop.create_future()

    def onConnect(self) -> None:  # noqa: N802  # autobahn's names
        extra = {"pubkey": self._key.public_key(), "channel_binding": None}
        self.join(self.config.realm, ["cryptosign"], self._name, authextra=extra)

    def onChallenge(self, challenge: Any) -> Any:  # noqa: N802
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

    def onDisconnect(self) -> None:  # noqa: N802
        super().onDisconnect()
        if not self.joining.done():
            self.joining.set_exception(WampError("lost", "the router closed the connection"))
        if not self.over.done():
            self.over.set_result(self._reason)

    def onUserError(self, fail: Any, msg: str) -> None:  # noqa: N802
        if not isinstance(fail.value, (ApplicationError, asyncio.CancelledError)):  # the latter: its caller gave up
            log.error("%s: %s: %r", self._name, msg, fail.value)
