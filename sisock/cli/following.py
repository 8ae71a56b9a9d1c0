"""Follow the chosen fields of nodes, those that come later included."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from sisock.cli.asking import check_fields
from sisock.cli.choosing import Choice
from sisock.cli.failures import Failure
from sisock.errors import ConsumerError, NodeUnknown
from sisock.exits import Exit
from sisock.frames import Column, Frame

if TYPE_CHECKING:
    from sisock.consumer import Consumer, Node

log = logging.getLogger(__name__)
_LOOK = 30.0  # seconds after which it is looked for nodes without news of any
Take = Callable[[str, Frame], None]


async def follow(consumer: "Consumer", chosen: Choice, take: Take) -> None:
    """Hand over each frame of what is chosen, until cancelled. Raises Failure where what is named is not there.

    A node that is away is waited for; one that is listed and not chosen any more, as it became sensitive, is left.
    """
    tasks: dict[str, asyncio.Task[None]] = {}
    left: set[asyncio.Task[None]] = set()  # which are about to end
    await _check(consumer, chosen)
    try:
        with consumer.watching() as news:
            while True:
                listed = await _listed(consumer)
                wanted = set(chosen.nodes(listed))
                for node in listed:
                    task = tasks.get(node.name)
                    if node.name not in wanted and task is not None:
                        task.cancel()
                        left.add(tasks.pop(node.name))
                        task.add_done_callback(left.discard)
                    elif node.name in wanted and node.state == "up" and (task is None or task.done()):
                        tasks[node.name] = asyncio.create_task(_follow(consumer, node.name, chosen, take))
                try:
                    await asyncio.wait_for(news.get(), _LOOK)
                    news.waiting(1_000_000)
                except TimeoutError:
                    log.debug("no news of nodes: looked for them")
    finally:
        for task in tasks.values():
            task.cancel()
        await asyncio.gather(*tasks.values(), *left, return_exceptions=True)


async def _check(consumer: "Consumer", chosen: Choice) -> None:
    """Raise NodeUnknown or Failure where a node or field that is named is not there."""
    listed = {node.name: node for node in await consumer.nodes()}
    for node, fields in chosen.plain.items():
        if node not in listed:
            raise NodeUnknown(f"there is no data node {node!r}: `sisock ls` lists them")
        if fields and listed[node].state == "up":
            check_fields(node, fields, (await consumer.fields(node))[0])


async def _listed(consumer: "Consumer") -> "list[Node]":
    """All nodes; none where the hub does not answer."""
    try:
        return await consumer.nodes()
    except ConsumerError as error:
        log.info("nodes are not listed: %s", error)
        return []


async def _follow(consumer: "Consumer", node: str, chosen: Choice, take: Take) -> None:
    """Hand over the frames of one node; ends where there is no such node any more."""
    try:
        async for frame in consumer.live(node):
            names = chosen.fields(node, list(frame.columns))
            if names:
                take(node, frame.only(names))
    except ConsumerError as error:
        log.info("%s: followed no further: %s", node, error)


async def newest(consumer: "Consumer", chosen: Choice) -> list[tuple[str, Frame]]:
    """The newest sample of each chosen field, those of one timeline and time in one frame. Raises ConsumerError."""
    await _check(consumer, chosen)
    found: list[tuple[str, Frame]] = []
    for node in chosen.nodes(await consumer.nodes()):
        try:
            names = chosen.fields(node, list((await consumer.fields(node))[0]))
            found += [(node, frame) for frame in await _newest(consumer, node, names)]
        except ConsumerError as error:
            if node in chosen.plain:
                raise
            log.info("%s: left out: %s", node, error)
    return found


async def _newest(consumer: "Consumer", node: str, names: Sequence[str]) -> list[Frame]:
    answer = await consumer.sample(node, names) if names else None
    together: dict[tuple[str, int], dict[str, Column]] = {}
    for part in answer.parts if answer else ():
        if len(part.points):
            together.setdefault((part.of, int(part.points.t[0])), {}).update(part.points.columns)
    return [Frame(of, np.array([t], np.int64), columns) for (of, t), columns in together.items()]


class Pace:
    """Hands frames on as they come, or of each timeline the newest row, once in so long."""

    def __init__(self, put: Take, every: float | None) -> None:
        """Hand on to `put`; `every`: seconds between rows of one timeline."""
        if every is not None and every <= 0:
            raise Failure("--every: longer than 0s", Exit.USAGE)
        self._put, self._every = put, every
        self._newest: dict[tuple[str, str], Frame] = {}

    def take(self, node: str, frame: Frame) -> None:
        """Take a frame that came."""
        if self._every is None:
            self._put(node, frame)
        elif len(frame):
            row = frame.in_time().rows(slice(-1, None))
            before = self._newest.get((node, frame.timeline))
            if before is None or row.t[0] >= before.t[0]:
                self._newest[node, frame.timeline] = row

    async def run(self) -> None:
        """Hand on what is newest, until cancelled."""
        while self._every is not None:
            await asyncio.sleep(self._every)
            for (node, _), row in self._newest.items():
                self._put(node, row)
            self._newest.clear()
