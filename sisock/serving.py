"""A data node at the router: its procedures offered, its name announced, its samples published."""

import asyncio
import logging
import time
from collections.abc import Sequence
from typing import Any

import sisock
from sisock import batch, sizes, wire
from sisock.answering import Answering
from sisock.batch import Batch
from sisock.frames import Frame
from sisock.keys import Key
from sisock.nodes.base import Joining, Journaled, Remembering, Service
from sisock.nodes.query import parse_cursor
from sisock.past import Kept
from sisock.settings import Settings
from sisock.wamp import Call, Handler, Link, WampError

log = logging.getLogger(__name__)


class NameTaken(Exception):
    """Another data node has the name; says what to do."""


async def serve(
    service: Service, settings: Settings, key: Key, ready: "asyncio.Future[str] | None" = None, tags: Sequence[str] = ()
) -> None:
    """Run the node at the router until cancelled; `ready` gets a line when the hub has it.

    Raises NameTaken if another node has its name and keeps it, WampError if the router refuses what it offers.
    """
    await Serving(service, settings, key, ready, tags).run()


class Serving:
    """One node at work and its link."""

    def __init__(
        self, service: Service, settings: Settings, key: Key, ready: "asyncio.Future[str] | None" = None,
        tags: Sequence[str] = (),
    ) -> None:  # fmt: skip
        """Serve under the service's own name with its key."""
        self._tags = list(tags)
        self._service, self._settings, self._uris = service, settings, settings.uris
        self._journaled = service if isinstance(service, Journaled) and service.has_journal else None
        self._ready = ready
        if isinstance(service, Joining):
            service.join(settings, key)
        self._freed = asyncio.Event()
        self._unpublished: set[str] = set()  # timelines that had a sample too large for a message
        self.link = Link(settings, service.name, key, self._joined)
        self._answering = Answering(service.name, service, self.link)
        if isinstance(service, Remembering):
            service.past = Kept(self.link, service.name)

    async def run(self) -> None:
        """Measure and serve until cancelled."""
        link = asyncio.ensure_future(self.link.run())
        work = asyncio.ensure_future(self._service.run(self._publish))
        try:
            ended, _ = await asyncio.wait({link, work}, return_when=asyncio.FIRST_COMPLETED)
            for task in ended:
                task.result()
        finally:
            work.cancel()
            await asyncio.wait({work}, timeout=1)  # an author's code may take its time, and so may the disk
            await self._leave()
            link.cancel()
            await asyncio.wait({link, work}, timeout=2)

    async def _leave(self) -> None:
        """Send what is still to be sent and tell the hub, so that nobody has to find out."""
        if self.link.joined.is_set():
            try:
                await self.link.call(self._uris.subtract, self._service.name, self.link.session_id, deadline=1)
            except WampError as error:
                log.debug("%s: not subtracted: %s", self._service.name, error)
            await self.link.leave()

    # joining

    async def _joined(self, link: Link) -> None:
        name, uris = self._service.name, self._uris
        await link.subscribe(uris.subtracted, self._subtracted)
        await link.subscribe(uris.hub_started, self._hub_started)
        await self._claim(link, uris.node(name, "get_fields"), self._answering.get_fields)
        await self._claim(link, uris.node(name, "get_data"), self._answering.get_data, sized=True)
        await self._claim(link, uris.node(name, "get_sample"), self._answering.get_sample)
        if self._journaled is not None:
            await self._claim(link, uris.node(name, "read_from"), self._read_from, sized=True)
        await self._announce()

    async def _claim(self, link: Link, uri: str, handler: Handler, *, sized: bool = False) -> None:
        """Register; a name that is taken may be our own of a moment ago, so wait until the router would know."""
        patience = self._settings.ping_interval + self._settings.ping_timeout + 1
        until = time.monotonic() + patience
        while True:
            self._freed.clear()
            try:
                return await link.register(uri, handler, sized=sized)
            except WampError as error:
                if error.kind != "procedure_already_exists":
                    raise
            if time.monotonic() > until:
                raise NameTaken(
                    f"the hub already has a data node called {self._service.name!r}: stop it, or start this one with --name"
                )
            try:
                await asyncio.wait_for(self._freed.wait(), 1)
            except TimeoutError:
                log.debug("%s: the name is still taken", self._service.name)

    def _subtracted(self, node: Any) -> None:
        if isinstance(node, dict) and node.get("name") == self._service.name:
            self._freed.set()

    async def _hub_started(self) -> None:
        await self._announce()

    async def _announce(self) -> None:
        """Tell the hub of this node; without a hub, wait for its call."""
        service, link = self._service, self.link
        info: dict[str, Any] = {"v": 1, "kind": service.kind, "version": sisock.__version__}
        if self._journaled is not None:
            info["journal"] = True
        if self._tags:
            info["tags"] = self._tags
        try:
            added = await link.call(self._uris.add, service.name, service.description, link.session_id, info=info)
        except WampError as error:
            log.info("%s: waiting for the hub: %s", service.name, error)
            return
        if not added:
            log.warning("%s: the hub says that another session has this name", service.name)
            return
        log.info("%s: the hub lists it", service.name)
        if self._ready is not None and not self._ready.done():
            now = time.time_ns()
            fields, _ = await service.get_fields(now, now)
            if not self._ready.done():  # a hub that has just started makes us tell it twice
                self._ready.set_result(f"{len(fields)} fields")

    # answering

    async def _read_from(self, call: Call) -> Any:
        try:
            epoch, position, limit = parse_cursor(*call.args, **call.kwargs)
        except (TypeError, ValueError) as error:
            raise WampError("bad_request", str(error).removeprefix("parse_cursor() ")) from error
        return batch.encode(await self._answering.asked(self._fitting(epoch, position, min(limit, self.link.limit))))

    async def _fitting(self, epoch: str | None, position: int, limit: int) -> Batch:
        """What the journal has from a cursor on, of so many bytes; a single sample that is larger is left out, counted."""
        assert self._journaled is not None  # offered only then
        while True:
            found = await self._journaled.read_from(epoch, position, limit)
            if batch.size(found) <= self.link.limit:
                return found
            if found.samples == 1:
                return found._replace(frames=(), streams=(), dropped=found.dropped + 1)
            limit //= 2

    def _publish(self, frame: Frame) -> None:
        uri = self._uris.node(self._service.name, "live")
        try:
            for part in sizes.split_frame(frame, self.link.limit):
                self.link.publish(uri, wire.encode_frame(part))
        except ValueError as error:
            if frame.timeline not in self._unpublished:
                self._unpublished.add(frame.timeline)
                log.warning("%s: not published: %s", self._service.name, error)
