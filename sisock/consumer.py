"""The Python client: which nodes there are, what they have, their samples past and live."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence
from types import TracebackType
from typing import Any, NamedTuple, Self, TypeVar

from sisock import following, reduction, wire
from sisock.errors import ConsumerError, NoAnswer, NodeAway, NodeUnknown, NoHub
from sisock.frames import Answer, Field, Frame, Timeline
from sisock.inbox import Inbox
from sisock.keys import Key, ensure_key
from sisock.listing import Node
from sisock.nodes import health
from sisock.nodes.query import parse_query
from sisock.settings import Settings
from sisock.wamp import Link, WampError

__all__ = [
    "Consumer",
    "ConsumerError",
    "NoAnswer",
    "NoHub",
    "Node",
    "NodeAway",
    "NodeUnknown",
    "Request",
]

T = TypeVar("T")
log = logging.getLogger(__name__)
_MOST_EVENTS = 1000  # events kept for somebody who iterates slowly; the oldest go first


class Request(NamedTuple):
    """One question among several that are asked at the same time; times as in `Consumer.data`."""

    node: str
    fields: tuple[str, ...]
    start: float
    end: float
    max_points: int | None = None
    reduce: str | None = None


class Consumer:
    """A consumer's connection: `async with Consumer(settings) as consumer`.

    Times are float seconds: positive is UNIX time, zero or negative is that long ago; ranges are half-open.
    """

    def __init__(self, settings: Settings, name: str = "cli", key: Key | None = None) -> None:
        """Join as the principal `name`, with the key in the state directory unless one is given."""
        self._settings, self._uris = settings, settings.uris
        self._link = Link(settings, name, key or ensure_key(settings.state, name), self._joined)
        self._running: asyncio.Task[None] | None = None
        self._listeners: list[Inbox[tuple[str, Node]]] = []
        self._ours: dict[str, bool] = {}  # nodes that are known to answer in typed columns

    async def __aenter__(self) -> Self:
        self._running = asyncio.ensure_future(self._link.run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self._link.leave()
        if self._running is not None:
            self._running.cancel()
            await asyncio.wait({self._running})

    @property
    def connected(self) -> bool:
        """True while joined to the router."""
        return self._link.joined.is_set()

    async def _joined(self, link: Link) -> None:
        self._ours.clear()
        await link.subscribe(self._uris.added, lambda node: self._hear("added", node))
        await link.subscribe(self._uris.subtracted, lambda node: self._hear("subtracted", node))

    def _hear(self, what: str, node: Any) -> None:
        if isinstance(node, dict) and isinstance(node.get("name"), str):
            self._ours.pop(node["name"], None)
            heard = Node(node["name"], str(node.get("description") or ""), "up" if what == "added" else "away")
            for listener in self._listeners:
                listener.put((what, heard))

    # asking

    async def nodes(self) -> list[Node]:
        """The data nodes that are up or known to be away, by name. Raises NoHub."""
        listed = await self._ask_hub(self._uris.hub_nodes)
        try:
            return [Node(**{key: node[key] for key in Node._fields}) for node in listed]
        except (TypeError, KeyError) as error:
            raise ConsumerError(f"the hub's listing is not as docs/protocol.md says: {error!r:.200}") from error

    async def fields(self, node: str, start: float = 0, end: float = 0) -> tuple[dict[str, Field], dict[str, Timeline]]:
        """The fields of a node and its timelines; their intervals are those between two times, null without samples."""
        return _decoded(node, wire.decode_fields, await self._ask(node, "get_fields", start, end))

    async def data(
        self,
        node: str,
        fields: Sequence[str],
        start: float = -3600.0,
        end: float = 0.0,
        *,
        max_points: int | None = None,
        reduce: str | None = None,
        min_stride: float | None = None,
        since: dict[str, tuple[str, int]] | None = None,
        bin: int | None = None,  # noqa: A002  # its name on the wire
        deadline: float | None = None,
    ) -> Answer:
        """Samples of the fields; with `max_points` (or `bin`, a width in ns) reduced for a screen, every spike kept.

        Raises NodeUnknown, NodeAway, NoAnswer, NoHub, or ConsumerError with the node's own sentence.
        """
        options = {"max_points": max_points, "reduce": reduce, "since": since, "bin": bin}
        given = {name: value for name, value in options.items() if value is not None}
        if not await self.is_ours(node):
            query = parse_query(
                fields, start, end, min_stride, max_points=max_points, reduce=reduce, bin=bin, now=time.time_ns()
            )
            return reduction.reduce_answer(await self._data_in_lists(node, fields, start, end, deadline), query)
        parts: list[Any] = []
        last = await self._ask(
            node, "get_data", list(fields), start, end, min_stride,
            deadline=deadline, on_progress=parts.append, columns="typed", **given,
        )  # fmt: skip
        if last is False:
            raise ConsumerError(
                f"the answer of {node} would be too large: ask for fewer fields, less time or max_points"
            )
        return wire.assemble([_decoded(node, wire.decode_answer, part) for part in (*parts, last)])

    async def _data_in_lists(
        self, node: str, fields: Sequence[str], start: float, end: float, deadline: float | None
    ) -> Answer:
        known, _ = await self.fields(node)
        lists = await self._ask(node, "get_data", list(fields), start, end, deadline=deadline)
        if lists is False:
            raise ConsumerError(f"the answer of {node} would be too large: ask for fewer fields or less time")
        return _decoded(node, lambda coded: wire.from_lists(coded, known), lists)

    async def _ask(self, node: str, what: str, *args: Any, deadline: float | None = None, **options: Any) -> Any:
        await self._reach(deadline)
        try:
            return await self._link.call(self._uris.node(node, what), *args, deadline=deadline, **options)
        except WampError as error:
            raise await self._explain(node, error) from error

    async def _explain(self, node: str, error: WampError) -> ConsumerError:
        """The error of a call to a node in the words of this module."""
        if error.kind in ("late", "canceled"):
            return NoAnswer(f"{node} did not answer: {error}")
        if error.kind == "lost":
            return NoHub(str(error))
        if error.kind not in ("no_such_procedure", "not_authorized"):
            return ConsumerError(f"{node}: {error}")
        try:
            listed = [each.name for each in await self.nodes()]
        except NoHub:
            return NodeAway(f"the data node {node} is not connected (and the hub is away)")
        if node in listed:
            return NodeAway(f"the data node {node} is away: it is known to the hub, but not connected")
        return NodeUnknown(f"there is no data node {node!r}; the hub knows {', '.join(listed) or 'none'}")

    async def _ask_hub(self, uri: str) -> Any:
        await self._reach(None)
        try:
            return await self._link.call(uri)
        except WampError as error:
            if error.kind == "no_such_procedure":
                raise NoHub("the router is there, but no hub: start it with `sisock up` or `sisock hub`") from error
            raise NoHub(f"the hub cannot be asked: {error}") from error

    async def _reach(self, deadline: float | None) -> None:
        """Wait until joined. Raises NoHub with the trouble after the deadline."""
        if self._link.joined.is_set():
            return
        if self._running is not None and self._running.done():
            raise ConsumerError("this consumer is closed: make another") from self._running.exception()
        limit = self._settings.deadline if deadline is None else deadline
        try:
            await asyncio.wait_for(self._link.joined.wait(), limit)
        except TimeoutError:
            raise NoHub(self._link.trouble or f"not joined within {limit:g} s") from None

    async def ask(self, requests: Sequence[Request], deadline: float) -> list[Answer | ConsumerError]:
        """Answers to several requests, asked at the same time; one that fails is its error and costs no other."""

        async def one(request: Request) -> Answer | ConsumerError:
            try:
                async with asyncio.timeout(deadline):
                    node, fields, start, end, most, reduce = request
                    return await self.data(node, fields, start, end, max_points=most, reduce=reduce, deadline=deadline)
            except TimeoutError:
                if not self.connected:
                    return NoHub(self._link.trouble or "not joined to the router")
                return NoAnswer(f"{request.node} did not answer within {deadline:g} s")
            except ConsumerError as error:
                return error

        return list(await asyncio.gather(*(one(request) for request in requests)))

    # following

    @contextlib.contextmanager
    def watching(self) -> Iterator[Inbox[tuple[str, Node]]]:
        """An inbox into which `("added" | "subtracted", node)` comes as nodes come and go."""
        inbox: Inbox[tuple[str, Node]] = Inbox(_MOST_EVENTS)
        self._listeners.append(inbox)
        try:
            yield inbox
        finally:
            self._listeners.remove(inbox)

    async def events(self) -> AsyncGenerator[tuple[str, Node], None]:
        """`("added" | "subtracted", node)` as nodes come and go, from now on."""
        with self.watching() as inbox:
            while True:
                yield await inbox.get()

    def live(self, node: str, fields: Sequence[str] | None = None, last: float = 0.0) -> AsyncGenerator[Frame, None]:
        """Frames of the node from now on, after those of the `last` seconds; each sample once.

        Goes on through lost connections and restarts of the node: what the node still has is made up for.
        """
        return following.follow(self, node, fields, last)

    async def subscribe(self, node: str, heard: Callable[[Frame], None]) -> Callable[[], Awaitable[None]]:
        """Call `heard` with each live frame of the node as it comes, at most once; what comes back ends that."""

        def decode(event: Any) -> None:
            try:
                heard(wire.decode_frame(event))
            except wire.WireError as error:
                log.warning("%s: a live frame was left out: %s", node, error)

        await self._reach(None)
        try:
            return await self._link.subscribe(self._uris.node(node, "live"), decode)
        except WampError as error:
            raise await self._explain(node, error) from error

    async def is_ours(self, node: str) -> bool:
        """True if the node speaks our extension; those in the old way know only lists."""
        if node not in self._ours:
            known, _ = await self.fields(node, 0, 0)
            self._ours[node] = known.get("health.state", Field()).timeline == health.TIMELINE
        return self._ours[node]

    def on_lost(self, call: Callable[[], None]) -> Callable[[], None]:
        """Call when the connection is lost; what comes back ends that."""
        self._link.lost.append(call)
        return lambda: self._link.lost.remove(call)


def _decoded(node: str, decode: Callable[[Any], T], coded: Any) -> T:
    """What a node sent; nonsense is an error that names the node."""
    try:
        return decode(coded)
    except wire.WireError as error:
        raise ConsumerError(f"{node} answers nonsense: {error}") from error
