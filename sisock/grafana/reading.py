"""The fleet as dashboards need it, read through a consumer, once and whenever it has changed."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, Protocol

from sisock.errors import ConsumerError, NoAnswer, NoHub
from sisock.frames import Answer, Field, Timeline
from sisock.grafana.seen import Seen, seen
from sisock.inbox import Inbox
from sisock.listing import Node
from sisock.times import NS

log = logging.getLogger(__name__)
_AT_ONCE = 64  # nodes asked at the same time
_SETTLED = 1.0  # seconds without news after which the fleet is read
_LONGEST = 10  # times that these are waited for, where news do not end
_AGAIN = 60.0  # seconds after which fields are looked at without news
_RETRY = 1.0  # seconds between questions to a hub that is away
_OLD = 7 * 86400 * NS  # an archive whose newest sample is older is not added to any more
_MOST_DATED = 50  # fields of an archive whose first and last samples are looked for


class Source(Protocol):
    """What this needs of a consumer."""

    async def nodes(self) -> list[Node]:
        """Which nodes there are."""

    async def fields(
        self, node: str, start: float = ..., end: float = ...
    ) -> tuple[dict[str, Field], dict[str, Timeline]]:
        """What a node has."""

    async def sample(self, node: str, fields: Sequence[str], t: float = ..., which: Any = ...) -> Answer:
        """Of each field the sample nearest to t."""

    def watching(self) -> AbstractContextManager[Inbox[tuple[str, Node]]]:
        """Nodes as they come and go."""


class Fleet(NamedTuple):
    """All nodes; the names of those that are away, of those whose fields could not be read, and of sensitive ones left out."""

    nodes: tuple[Seen, ...]
    away: frozenset[str]
    unread: frozenset[str]
    hidden: frozenset[str]


async def read_fleet(source: Source, *, sensitive: bool = False) -> Fleet:
    """The fleet as it is now, with or without sensitive nodes. Raises NoHub, NoAnswer."""
    every = await source.nodes()
    listed = [node for node in every if sensitive or not node.sensitive]
    hidden = frozenset(node.name for node in every if node.sensitive and not sensitive)
    free = asyncio.Semaphore(_AT_ONCE)

    async def read(node: Node) -> Seen | None:
        async with free:
            return await _read(source, node)

    found = await asyncio.gather(*map(read, listed))
    unread = frozenset(node.name for node, made in zip(listed, found, strict=True) if made is None)
    nodes = tuple(made or _unread(node) for node, made in zip(listed, found, strict=True))
    return Fleet(nodes, frozenset(node.name for node in listed if node.state != "up"), unread, hidden)


async def follow_fleet(
    source: Source, tell: Callable[[str], None], *, sensitive: bool = False
) -> AsyncGenerator[Fleet, None]:
    """The fleet now, and again whenever nodes came or went, once that has settled.

    Waits for a hub that is away; `tell` hears why, once.
    """
    known, told = dict[str, Seen](), ""
    with source.watching() as news:
        while True:
            try:
                fleet = await read_fleet(source, sensitive=sensitive)
            except (NoHub, NoAnswer) as trouble:
                if str(trouble) != told:
                    told = str(trouble)
                    tell(f"{told}; waiting")
                await asyncio.sleep(_RETRY)
                continue
            told = ""
            known |= {node.name: node for node in fleet.nodes if node.name not in fleet.unread}
            yield fleet._replace(nodes=tuple(known.get(node.name, node) for node in fleet.nodes))
            await _changed(news)


async def _changed(news: Inbox[tuple[str, Node]]) -> None:
    """Wait for news, and until they have settled; fields change without any, so that this ends after a while."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(news.get(), _AGAIN)
        for _ in range(_LONGEST):
            await asyncio.sleep(_SETTLED)
            if not news.waiting(1_000_000):
                return


async def _read(source: Source, node: Node) -> Seen | None:
    """The node, None where it does not tell its fields."""
    try:
        fields, _ = await source.fields(node.name, 0, 0)
        kind = _kind(node)
        span = await _span(source, node.name, list(fields)) if kind == "archive" else None
    except ConsumerError as error:
        log.info("%s: no dashboard is made: %s", node.name, error)
        return None
    return seen(node.name, node.description, fields, kind, span)


def _unread(node: Node) -> Seen:
    return Seen(node.name, node.description, {}, _kind(node))


def _kind(node: Node) -> str:
    return "archive" if node.info.get("kind") == "archive" else "live"


async def _span(source: Source, node: str, fields: Sequence[str]) -> tuple[int, int] | None:
    """When an archive's first and last samples are, in ns; None where it is still added to, and where it has none."""
    own = [field for field in fields if not field.startswith("health.")][:_MOST_DATED]
    if not own:
        return None
    first, last = [await source.sample(node, own, t, which) for t, which in ((1.0, "after"), (0.0, "at"))]
    began = [int(part.points.t[0]) for part in first.parts if len(part.points.t)]
    ended = [int(part.points.t[-1]) for part in last.parts if len(part.points.t)]
    if not began or not ended or max(ended) > time.time_ns() - _OLD:
        return None
    return min(began), max(ended)
