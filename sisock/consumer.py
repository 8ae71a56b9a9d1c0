"""The Python client: which nodes there are, what they have, their samples past and live."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Iterator, Sequence
from types import TracebackType
from typing import Any, Self

from sisock import batch, following, times, together, wire
from sisock.batch import Batch
from sisock.calls import Absent, Calls, decoded
from sisock.errors import ConsumerError, NoAnswer, NodeAway, NodeUnknown, NoHub
from sisock.frames import Answer, Field, Frame, Timeline
from sisock.inbox import Inbox
from sisock.keys import Key, Ticket, api_tokens, ensure_key
from sisock.listing import Node, read_news
from sisock.lists import Asked
from sisock.nearest import Which
from sisock.reading import Reading
from sisock.renewing import keep_renewed
from sisock.settings import Settings
from sisock.times import NS
from sisock.together import Request
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

log = logging.getLogger(__name__)
_MOST_EVENTS = 10_000  # events kept for somebody who iterates slowly; the oldest go first


class Consumer:
    """A consumer's connection: `async with Consumer(settings) as consumer`.

    Times are float seconds: positive is UNIX time, zero or negative is that long ago; ranges are half-open.
    """

    def __init__(self, settings: Settings, name: str | None = None, key: Key | Ticket | None = None) -> None:
        """Join as the principal `name` with this key or ticket.

        Without a name it is that of the token which the settings name (SISOCK_TOKEN), or `cli`; without a key the one in the
        state directory.
        """
        self._settings, self._uris = settings, settings.uris
        if name is None and key is None and settings.token:
            name, key = (token := api_tokens.read_file(settings.token)).name, token.ticket
        name = name or "cli"
        self._link = Link(settings, name, key or ensure_key(settings.state, name), self._joined)
        self._calls = Calls(self._link)
        self._renewing: asyncio.Task[None] | None = None
        self._reading = Reading(self._calls)
        self._listeners: list[Inbox[tuple[str, Node]]] = []

    async def __aenter__(self) -> Self:
        self._calls.start()
        self._renewing = asyncio.ensure_future(keep_renewed(self._link))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        if self._renewing is not None:
            self._renewing.cancel()
        await self._calls.stop()

    @property
    def refused(self) -> bool:
        """True if the router did not let this consumer in the last time it tried."""
        return self._link.refused

    @property
    def connected(self) -> bool:
        """True while joined to the router."""
        return self._link.joined.is_set()

    async def is_refused(self) -> bool:
        """Whether the router does not let this consumer in, as soon as it has said so; False where it says nothing in time."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._link.heard.wait(), self._settings.deadline)
        return self.refused

    @property
    def name(self) -> str:
        """The principal that this consumer signs in as."""
        return self._link.name

    def why_not(self) -> str:
        """Why this consumer is not joined; empty where it is."""
        return "" if self.connected else self._link.trouble or "not joined to the router"

    async def _joined(self, link: Link) -> None:
        self._reading.changed()
        await link.subscribe(self._uris.news, self._hear)

    def _hear(self, news: Any) -> None:
        for what, heard in read_news(news):
            self._reading.changed(heard.name)
            for listener in self._listeners:
                listener.put((what, heard))

    # asking

    async def nodes(self) -> list[Node]:
        """The data nodes that are up or known to be away, by name. Raises NoHub."""
        return await self._calls.nodes()

    async def measures(self) -> dict[str, int]:
        """How the hub is doing: `sessions` at the router, `news_waiting`, `refused` sign-ins; what it tells. Raises NoHub."""
        return await self._calls.measures()

    async def fields(
        self, node: str, start: float = 0, end: float = 0, *, kept: bool = True
    ) -> tuple[dict[str, Field], dict[str, Timeline]]:
        """The fields of a node and its timelines; their intervals are those between two times, null without samples."""
        return await self._reading.fields(node, start, end, kept=kept)

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
        ns: tuple[int, int] | None = None,
        statistics: Sequence[str] = (),
        deadline: float | None = None,
        kept: bool = True,
        own: bool = False,
        in_parts: bool = True,
    ) -> Answer:
        """Samples of the fields; with `max_points` (or `bin`, a width in ns) reduced for a screen, every spike kept.

        `ns`: start and end in nanoseconds since 1970, exact as floats are not, in place of the others. `statistics`: those
        that are wanted of `reduce="bins"`; all, where none is named. `own`: only what the node has itself. Where the node is away its archive is asked, if `kept`, and a notice says so. An answer larger
        than a message comes in parts, or not at all without `in_parts`. Raises NodeUnknown, NodeAway, NoAnswer, NoHub,
        TooLarge, or ConsumerError with the node's own sentence.
        """
        options = {
            "max_points": max_points, "reduce": reduce, "since": since, "bin": bin, "ns": ns and list(ns),
            "own": own or None, "statistics": list(statistics) or None,
        }  # fmt: skip
        given = {name: value for name, value in options.items() if value is not None}
        asked = Asked(fields, start, end, min_stride, given)
        return await self._reading.data(node, asked, deadline, kept=kept, in_parts=in_parts)

    async def sample(
        self,
        node: str,
        fields: Sequence[str],
        t: float = 0.0,
        which: Which = "at",
        *,
        ns: int | None = None,
        deadline: float | None = None,
    ) -> Answer:
        """For each field the last sample that has a value at or before t ("at"), "before" it, or the first "after" it.

        `ns`, nanoseconds since 1970, is t to the last digit: a float is not fine enough to step from one sample to the
        next. Each field has an axis of its own with one sample; none where there is no such sample. Raises as `data`.
        """
        return await self._reading.sample(node, fields, t, which, ns, deadline)

    async def instant(
        self,
        t: float = 0.0,
        targets: Iterable[str] | None = None,
        which: Which = "at",
        *,
        ns: int | None = None,
        deadline: float | None = None,
    ) -> dict[str, Answer | ConsumerError]:
        """`sample` of many fields at one instant, by node: of targets `node` or `node::field`, or of all nodes there are.

        `ns`: the instant in nanoseconds since 1970, exact, in place of t. The nodes are asked at the same time, each within
        the deadline; one that fails is its error and costs no other.
        """
        exact = times.moment(t, time.time_ns()) if ns is None else ns
        limit = self._settings.deadline if deadline is None else deadline
        return await together.instant(self, exact, targets, which, limit)

    async def ask(
        self,
        requests: Sequence[Request],
        deadline: float,
        take: Callable[[Request, Answer | ConsumerError], None] | None = None,
    ) -> list[Answer | ConsumerError]:
        """Answers to several requests, asked at the same time; one that fails is its error and costs no other.

        `take` is called with each request and its answer as soon as that is there.
        """
        return await together.ask(self, requests, deadline, take)

    async def read_from(
        self,
        node: str,
        epoch: str | None = None,
        position: int = 0,
        limit: int | None = None,
        *,
        deadline: float | None = None,
    ) -> Batch:
        """What came to the node's disk from a cursor on, of about `limit` bytes; without an epoch from the oldest there is.

        What comes back says where to go on. Raises NodeUnknown, NodeAway, NoAnswer, NoHub, or ConsumerError, also where
        the node has no journal.
        """
        try:
            coded = await self._calls.node(node, "read_from", epoch, position, limit, deadline=deadline)
        except Absent as absent:
            if any(each.name == node and each.state == "up" for each in await self.nodes()):
                raise ConsumerError(f"{node} has no journal: its samples are not on disk") from absent
            raise await self._calls.why_absent(node) from absent
        return decoded(node, batch.decode, coded)

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

    def live_bins(
        self, node: str, fields: Sequence[str], width: float, *, reduce: str = "band", last: float = 0.0,
        every: float | None = None,
    ) -> AsyncGenerator[Answer, None]:  # fmt: skip
        """The tail of the node in bins of `width` seconds, after that of the `last` seconds, for one viewer.

        An answer each `every` seconds (`width`, if that is not said): the bins that are new, and those that were not
        closed before once more. Who is slow gets fewer answers, with all that came. Interruptions are waited for.
        """
        ns = max(1, round(width * NS))
        return following.follow_bins(self, node, fields, ns, reduce, last, width if every is None else every)

    async def subscribe(self, node: str, heard: Callable[[Frame], None]) -> Callable[[], Awaitable[None]]:
        """Call `heard` with each live frame of the node as it comes, at most once; what comes back ends that."""

        def decode(event: Any) -> None:
            try:
                heard(wire.decode_frame(event))
            except wire.WireError as error:
                log.warning("%s: a live frame was left out: %s", node, error)

        await self._calls.reach()
        try:
            return await self._link.subscribe(self._uris.node(node, "live"), decode)
        except WampError as error:
            raise await self._calls.explain(node, error) from error

    async def is_ours(self, node: str) -> bool:
        """True if the node speaks our extension; those in the old way know only lists."""
        try:
            return await self._reading.is_ours(node)
        except Absent as absent:
            raise await self._calls.why_absent(node) from absent

    def on_lost(self, call: Callable[[], None]) -> Callable[[], None]:
        """Call when the connection is lost; what comes back ends that."""
        self._link.lost.append(call)
        return lambda: self._link.lost.remove(call)
