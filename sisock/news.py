"""News of data nodes that come and go, as the hub publishes them: in order, and no faster than the router passes them on.

Our own consumers hear all that has gathered while the last news were on their way, in one event: a thousand nodes that come
at once are few events. Existing consumers hear of each node by itself, and are told a few at a time.
"""

import asyncio
import logging
from itertools import groupby
from typing import NamedTuple

from sisock.inbox import Inbox
from sisock.wamp import Link, WampError

log = logging.getLogger(__name__)
_MOST = 10_000  # news that wait; beyond these the oldest go
_TOGETHER = 500  # news in one event
_PAUSE = 0.05  # seconds after an event in which the next gathers
_AT_ONCE = 8  # events to existing consumers that are on their way


class _Item(NamedTuple):
    what: str  # "added" or "subtracted"
    node: dict[str, str]
    allowed: tuple[str, ...] | None  # the principals that may hear of it; None: all


class News:
    """What is to be told, and who tells it."""

    def __init__(self, link: Link) -> None:
        """Tell through this link."""
        self._link, self._uris = link, link.settings.uris
        self._together, self._each = Inbox[_Item](_MOST), Inbox[_Item](_MOST)

    def tell(self, what: str, node: dict[str, str], allowed: list[str] | None) -> None:
        """Have it told that a node was `added` or `subtracted`, to all or to these principals."""
        item = _Item(what, node, None if allowed is None else tuple(allowed))
        self._together.put(item)
        self._each.put(item)

    @property
    def waiting(self) -> int:
        """News that are still to be told."""
        return len(self._together) + len(self._each)

    async def run(self) -> None:
        """Tell, until cancelled."""
        async with asyncio.TaskGroup() as telling:
            telling.create_task(self._tell_together())
            telling.create_task(self._tell_each())

    async def _tell_together(self) -> None:
        while True:
            items = [await self._together.get(), *self._together.waiting(_TOGETHER - 1)]
            for allowed, some in groupby(items, key=lambda item: item.allowed):
                news = [[item.what, item.node] for item in some]
                await self._publish(self._uris.news, news, allowed)
            await asyncio.sleep(_PAUSE)

    async def _tell_each(self) -> None:
        free = asyncio.Semaphore(_AT_ONCE)
        topics = {"added": self._uris.added, "subtracted": self._uris.subtracted}

        async def tell(item: _Item) -> None:
            try:
                await self._publish(topics[item.what], item.node, item.allowed)
            finally:
                free.release()

        async with asyncio.TaskGroup() as telling:
            while True:
                items = [await self._each.get(), *self._each.waiting(_TOGETHER - 1)]
                heard = {what for what, topic in topics.items() if await self._is_heard(topic)}
                for item in items:
                    if item.what in heard:
                        await free.acquire()
                        telling.create_task(tell(item))

    async def _is_heard(self, topic: str) -> bool:
        """Whether anybody listens: a thousand events for nobody would keep the router from the others."""
        try:
            return await self._link.call("wamp.subscription.lookup", topic) is not None
        except WampError as error:
            log.debug("hub: whether %s is heard is not known: %s", topic, error)
            return True

    async def _publish(self, topic: str, said: object, allowed: tuple[str, ...] | None) -> None:
        try:
            await self._link.tell(topic, said, eligible=None if allowed is None else list(allowed))
        except WampError as error:
            log.debug("hub: nobody heard on %s: %s", topic, error)
