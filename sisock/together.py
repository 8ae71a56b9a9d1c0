"""Several questions asked at the same time: each has an answer of its own, and one that fails costs no other."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import NamedTuple, Protocol

from sisock.errors import ConsumerError, NoAnswer, NoHub
from sisock.frames import Answer, Field, Timeline
from sisock.listing import Node
from sisock.nearest import Which
from sisock.uris import fields_of

Reply = Answer | ConsumerError
_AT_ONCE = 64  # nodes asked for an instant at the same time


class Request(NamedTuple):
    """One question among several that are asked at the same time; times, `ns` and `statistics` as in `Consumer.data`."""

    node: str
    fields: tuple[str, ...]
    start: float
    end: float
    max_points: int | None = None
    reduce: str | None = None
    bin: int | None = None  # ns
    ns: tuple[int, int] | None = None
    statistics: tuple[str, ...] = ()


class Asking(Protocol):
    """What is needed of a consumer; each of these raises ConsumerError."""

    async def nodes(self) -> list[Node]: ...  # as there
    async def fields(self, node: str) -> tuple[dict[str, Field], dict[str, Timeline]]: ...
    async def sample(self, node: str, fields: Sequence[str], *, which: Which, ns: int, deadline: float) -> Answer: ...
    async def data(
        self, node: str, fields: Sequence[str], start: float, end: float, *, max_points: int | None, reduce: str | None,
        bin: int | None, ns: tuple[int, int] | None, statistics: Sequence[str], deadline: float,  # noqa: A002
    ) -> Answer: ...  # fmt: skip
    def why_not(self) -> str:
        """Why there is no router; empty where there is one."""


async def ask(
    consumer: Asking, requests: Sequence[Request], deadline: float, take: Callable[[Request, Reply], None] | None
) -> list[Reply]:
    """As `Consumer.ask`."""

    async def one(request: Request) -> Reply:
        node, fields, start, end, most, reduce, width, ns, wanted = request
        asking = consumer.data(
            node,
            fields,
            start,
            end,
            max_points=most,
            reduce=reduce,
            bin=width,
            ns=ns,
            statistics=wanted,
            deadline=deadline,
        )
        reply = await _within(consumer, node, asking, deadline)
        if take is not None:
            take(request, reply)
        return reply

    if len(requests) == 1:  # as most are, and a task less is a tenth of what it costs
        return [await one(requests[0])]
    return list(await asyncio.gather(*map(one, requests)))


async def instant(
    consumer: Asking, ns: int, targets: Iterable[str] | None, which: Which, deadline: float
) -> dict[str, Reply]:
    """As `Consumer.instant`, at so many ns since 1970."""
    wanted = fields_of([node.name for node in await consumer.nodes()] if targets is None else targets)
    at_once = asyncio.Semaphore(_AT_ONCE)

    async def one(node: str, names: Sequence[str] | None) -> Answer:
        known = list((await consumer.fields(node))[0]) if names is None else names
        return await consumer.sample(node, known, which=which, ns=ns, deadline=deadline)

    async def in_turn(node: str, names: Sequence[str] | None) -> Reply:
        async with at_once:
            return await _within(consumer, node, one(node, names), deadline)

    found = await asyncio.gather(*(in_turn(*each) for each in wanted.items()))
    return dict(zip(wanted, found, strict=True))


async def _within(consumer: Asking, node: str, asking: Awaitable[Answer], deadline: float) -> Reply:
    """What the node answers within so many seconds, or why not."""
    try:
        async with asyncio.timeout(deadline):
            return await asking
    except TimeoutError:
        return NoHub(why) if (why := consumer.why_not()) else NoAnswer(f"{node} did not answer within {deadline:g} s")
    except ConsumerError as error:
        return error
