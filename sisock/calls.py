"""A consumer's calls to nodes, archives and the hub: every failure is a sentence of its own."""

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from sisock.errors import ConsumerError, NoAnswer, NodeAway, NodeUnknown, NoHub
from sisock.listing import Node, read_node
from sisock.wamp import Link, WampError
from sisock.wire import WireError

T = TypeVar("T")
_REFUSED = ("no_such_procedure", "not_authorized")


class Absent(Exception):
    """Nobody offers what was called, or not to this consumer: `Calls.why_absent` says more."""


class Calls:
    """Calls through one link, which is kept up from `start` to `stop`."""

    def __init__(self, link: Link) -> None:
        """Call through this link."""
        self.link, self._uris = link, link.settings.uris
        self._running: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Join, and stay joined."""
        self._running = asyncio.ensure_future(self.link.run())

    async def stop(self) -> None:
        """Leave."""
        await self.link.leave()
        if self._running is not None:
            self._running.cancel()
            await asyncio.wait({self._running})

    async def reach(self, deadline: float | None = None) -> None:
        """Wait until joined. Raises NoHub with the trouble after the deadline."""
        if self.link.joined.is_set():
            return
        if self._running is not None and self._running.done():
            raise ConsumerError("this consumer is closed: make another") from self._running.exception()
        limit = self.link.settings.deadline if deadline is None else deadline
        try:
            await asyncio.wait_for(self.link.joined.wait(), limit)
        except TimeoutError:
            raise NoHub(self.link.trouble or f"not joined within {limit:g} s") from None

    async def node(self, node: str, what: str, *args: Any, deadline: float | None = None, **options: Any) -> Any:
        """What a procedure of the node returns; raises Absent where there is none, or a ConsumerError."""
        return await self._call(node, self._uris.node(node, what), *args, deadline=deadline, **options)

    async def archive(self, node: str, what: str, *args: Any, deadline: float | None = None, **options: Any) -> Any:
        """What a procedure of the node's archive returns; raises Absent where there is none, or a ConsumerError."""
        about = f"the archive of {node}"
        return await self._call(about, self._uris.archive(node, what), *args, deadline=deadline, **options)

    async def _call(self, about: str, uri: str, *args: Any, deadline: float | None, **options: Any) -> Any:
        await self.reach(deadline)
        try:
            return await self.link.call(uri, *args, deadline=deadline, **options)
        except WampError as error:
            if error.kind in _REFUSED:
                raise Absent from error
            raise _explained(about, error) from error

    async def explain(self, node: str, error: WampError) -> ConsumerError:
        """The error of what was asked of a node in the words of the client."""
        return await self.why_absent(node) if error.kind in _REFUSED else _explained(node, error)

    async def nodes(self) -> list[Node]:
        """The data nodes that are up or known to be away, by name. Raises NoHub."""
        await self.reach()
        try:
            listed = await self.link.call(self._uris.hub_nodes)
        except WampError as error:
            if error.kind == "no_such_procedure":
                raise NoHub("the router is there, but no hub: start it with `sisock up` or `sisock hub`") from error
            raise NoHub(f"the hub cannot be asked: {error}") from error
        try:
            return [read_node(node) for node in listed]
        except (TypeError, KeyError) as error:
            raise ConsumerError(f"the hub's listing is not as docs/protocol.md says: {error!r:.200}") from error

    async def measures(self) -> dict[str, int]:
        """How the hub is doing, by name; empty where it does not tell. Raises NoHub."""
        await self.reach()
        try:
            told = await self.link.call(self._uris.measures)
        except WampError:
            return {}
        return {str(name): n for name, n in told.items() if isinstance(n, int)} if isinstance(told, dict) else {}

    async def why_absent(self, node: str) -> ConsumerError:
        """What to tell of a node that nobody offers."""
        try:
            listed = [each.name for each in await self.nodes()]
        except NoHub:
            return NodeAway(f"the data node {node} is not connected (and the hub is away)")
        if node in listed:
            return NodeAway(f"the data node {node} is away: it is known to the hub, but not connected")
        return NodeUnknown(f"there is no data node {node!r}; the hub knows {', '.join(listed) or 'none'}")


def decoded(node: str, decode: Callable[[Any], T], coded: Any) -> T:
    """What a node sent; nonsense is an error that names the node."""
    try:
        return decode(coded)
    except WireError as error:
        raise ConsumerError(f"{node} answers nonsense: {error}") from error


def _explained(about: str, error: WampError) -> ConsumerError:
    """The error of a call in the words of the client."""
    if error.kind in ("late", "canceled"):
        return NoAnswer(f"{about} did not answer: {error}")
    if error.kind == "lost":
        return NoHub(str(error))
    return ConsumerError(f"{about}: {error}")
