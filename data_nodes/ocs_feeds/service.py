"""The gateway at work: it knows where the routers are, and has the nodes of its agents served beside it."""

import asyncio
import logging
from typing import TYPE_CHECKING

from data_nodes.ocs_feeds.agent import Agent
from sisock.keys import Key
from sisock.nodes.base import Host, NoData, Opener, Publish
from sisock.nodes.receiving import ReceivingService
from sisock.settings import Settings

if TYPE_CHECKING:
    from data_nodes.ocs_feeds.node import OcsFeeds

log = logging.getLogger(__name__)
_AGAIN = 60.0  # seconds before a node that could not be served is tried again


class FeedsService(ReceivingService):
    """A node that receives, and brings others."""

    host: Host | None = None  # set by who serves the node

    def __init__(self, node: "OcsFeeds", *, ring: int, journal: Opener | None) -> None:
        """Begin when `join` has said where the router is."""
        super().__init__(node, ring=ring, journal=journal)
        self.agents: dict[str, Agent] = {}
        self._at: tuple[Settings, Key] | None = None
        self._serving: set[asyncio.Task[None]] = set()

    def join(self, settings: Settings, key: Key) -> None:
        """Know where our own router is."""
        self._at = settings, key

    def at(self) -> tuple[Settings, Key]:
        """Settings of our own router and the node's key there; raises NoData where nobody serves it."""
        if self._at is None:
            raise NoData("feeds are heard where the node runs: nothing is heard on trial")
        return self._at

    async def run(self, publish: Publish) -> None:
        """Work until cancelled, and let the nodes of the agents end with it."""
        try:
            await super().run(publish)
        finally:
            for task in self._serving:
                task.cancel()
            if self._serving:
                await asyncio.wait(self._serving, timeout=5)

    def begin(self, node: Agent) -> None:
        """Have this node served from now on."""
        self.agents[node.agent] = node
        self._serving.add(asyncio.create_task(self._serve(node)))

    async def _serve(self, node: Agent) -> None:
        """Serve until cancelled; where that fails it is told, and tried again."""
        assert self.host is not None  # nothing is begun without
        told = ""
        while True:
            try:
                await self.host(node)
            except Exception as error:  # noqa: BLE001  # whatever it is, the other agents go on
                if str(error) != told:
                    log.error("%s: %s is not served for now: %s", self.name, node.name, error)
                told = str(error)
            await asyncio.sleep(_AGAIN)
