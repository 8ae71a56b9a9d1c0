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
from sisock.keys.proof import of_node, sign
from sisock.nodes import health
from sisock.nodes.base import Joining, Journaled, Remembering, Service
from sisock.nodes.query import parse_cursor
from sisock.past import Kept
from sisock.renewing import keep_renewed
from sisock.settings import Settings
from sisock.streaming import stream
from sisock.wamp import Call, Handler, Link, WampError

log = logging.getLogger(__name__)
_FIRST_AGAIN, _LAST_AGAIN = 1.0, 10.0  # seconds between attempts to be listed
_HEARD_WITHIN = 60.0  # seconds for the hub to list it: it may have a thousand others to ask first
_LONGEST_NONCE = 128  # characters
_CALM = 5.0  # seconds in which changes of health are gathered: a thousand nodes that fail at once cost the hub 200 calls a second
_AGAIN = 0.25  # seconds before a name that is taken is tried again; to hear of each node that leaves would cost more


class NameTaken(Exception):
    """Another data node has the name; says what to do."""


async def serve(
    service: Service, settings: Settings, key: Key, ready: "asyncio.Future[str] | None" = None,
    tags: Sequence[str] = (), kafka: object = False,
) -> None:  # fmt: skip
    """Run the node at the router until cancelled; `ready` gets a line when the hub has it.

    `kafka`: whether its journal goes to Kafka too, as the configuration says it.
    Raises NameTaken if another node has its name and keeps it, WampError if the router refuses what it offers.
    """
    await Serving(service, settings, key, ready, tags, kafka).run()


class Serving:
    """One node at work and its link."""

    def __init__(
        self, service: Service, settings: Settings, key: Key, ready: "asyncio.Future[str] | None" = None,
        tags: Sequence[str] = (), kafka: object = False,
    ) -> None:  # fmt: skip
        """Serve under the service's own name with its key."""
        self._tags = list(tags)
        self._service, self._settings, self._uris = service, settings, settings.uris
        self._journaled = service if isinstance(service, Journaled) and service.has_journal else None
        self._stream = stream(service, settings, kafka)
        self._ready = ready
        self._key = key
        self._telling = False  # whether the hub is being told
        self._listed = False  # by the hub that is there now
        self._state = self._told = "ok"  # the node's health, and what the hub was told last
        self._changed = asyncio.Event()  # these differ
        self._announcing: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if isinstance(service, Joining):
            service.join(settings, key)
        self._unpublished: set[str] = set()  # timelines that had a sample too large for a message
        self.link = Link(settings, service.name, key, self._joined)
        self._answering = Answering(service.name, service, self.link)
        if isinstance(service, Remembering):
            service.past = Kept(self.link, service.name)

    async def run(self) -> None:
        """Measure and serve until cancelled."""
        link = asyncio.ensure_future(self.link.run())
        work = asyncio.ensure_future(self._service.run(self._publish))
        renewing = asyncio.ensure_future(keep_renewed(self.link))
        telling = asyncio.ensure_future(self._keep_told())
        if self._stream is not None:
            self._stream.start()
        try:
            ended, _ = await asyncio.wait({link, work}, return_when=asyncio.FIRST_COMPLETED)
            for task in ended:
                task.result()
        finally:
            if self._stream is not None:
                await asyncio.to_thread(self._stream.stop)
            work.cancel()
            await asyncio.wait({work}, timeout=1)  # an author's code may take its time, and so may the disk
            self._announcing.cancel()
            renewing.cancel()
            telling.cancel()
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
        offered: dict[str, Handler] = {
            "get_fields": self._answering.get_fields, "get_sample": self._answering.get_sample, "prove": self._prove,
        }  # fmt: skip
        claims = [self._claim(link, uris.node(name, what), handler) for what, handler in offered.items()]
        if self._journaled is not None:
            claims.append(self._claim(link, uris.node(name, "read_from"), self._read_from, sized=True))
        await asyncio.gather(link.subscribe(uris.hub_started, self._hub_started), *claims)
        await self._claim(  # last: makes it listed
            link, uris.node(name, "get_data"), self._answering.get_data, sized=True
        )
        await self._hub_started()

    async def _claim(self, link: Link, uri: str, handler: Handler, *, sized: bool = False) -> None:
        """Register; a name that is taken may be our own of a moment ago, so wait until the router would know."""
        patience = self._settings.ping_interval + self._settings.ping_timeout + 1
        until = time.monotonic() + patience
        while True:
            try:
                return await link.register(uri, handler, sized=sized)
            except WampError as error:
                if error.kind != "procedure_already_exists":
                    raise
            if time.monotonic() > until:
                raise NameTaken(
                    f"the hub already has a data node called {self._service.name!r}: stop it, or start this one with --name"
                )
            log.debug("%s: the name is still taken", self._service.name)
            await asyncio.sleep(_AGAIN)

    async def _hub_started(self) -> None:
        """Be listed by a hub that does not know of this node."""
        self._listed = False
        await self._tell_hub()

    async def _tell_hub(self) -> None:
        """Tell the hub of this node, again and again where it could not make sure of it; without one, wait for its call."""
        if self._telling:  # it hears so anyway
            return
        self._telling = True
        try:
            again = await self._announce()
        finally:
            self._telling = False
        self._announcing.cancel()
        if again:
            self._announcing = asyncio.ensure_future(self._announce_again())

    async def _announce_again(self) -> None:
        delay = _FIRST_AGAIN
        await asyncio.sleep(delay)
        while await self._announce():
            delay = min(_LAST_AGAIN, 2 * delay)
            await asyncio.sleep(delay)

    async def _keep_told(self) -> None:
        """Tell the hub where the node's health has become another, for its listing."""
        while True:
            await self._changed.wait()
            await asyncio.sleep(_CALM)
            self._changed.clear()
            if self._state != self._told and self.link.joined.is_set():  # who joins later tells of it then
                await self._tell_hub()

    async def _announce(self) -> bool:
        """Tell the hub of this node; True if that has to be done again."""
        service, link = self._service, self.link
        info: dict[str, Any] = {"v": 1, "kind": service.kind, "version": sisock.__version__}
        if self._journaled is not None:
            info["journal"] = True
        if self._tags:
            info["tags"] = self._tags
        if self._stream is not None and self._stream.asks:
            info["wants"] = ["kafka"]
        self._told = self._state
        if self._told != "ok":
            info["health"] = self._told
        try:
            added = await link.call(
                self._uris.add, service.name, service.description, link.session_id, info=info, deadline=_HEARD_WITHIN
            )
        except WampError as error:
            log.info("%s: waiting for the hub: %s", service.name, error)
            return error.kind in ("unproven", "late")
        if not added:
            log.warning("%s: the hub says that another session has this name", service.name)
            return False
        if not self._listed:
            log.info("%s: the hub lists it", service.name)
        self._listed = True
        if self._stream is not None:
            self._stream.told(added.get("kafka") if isinstance(added, dict) else None)
        if self._ready is not None and not self._ready.done():
            now = time.time_ns()
            fields, _ = await service.get_fields(now, now)
            if not self._ready.done():  # a hub that has just started makes us tell it twice
                self._ready.set_result(f"{len(fields)} fields")
        return False

    async def _prove(self, call: Call) -> str:
        """Show the hub that this is the node by the name it is called by, and has its key."""
        name = self._service.name
        match call.args:
            case (called, str(nonce)) if called == name and len(nonce) <= _LONGEST_NONCE:
                return sign(self._key, of_node(name, self.link.session_id, nonce))
        raise WampError("bad_request", f"this is {name}: it proves no other name, and signs short texts only")

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
        if frame.timeline == health.TIMELINE and len(frame):
            self._state = str(frame.columns["health.state"].values[-1])
            if self._state != self._told:
                self._changed.set()
        uri = self._uris.node(self._service.name, "live")
        try:
            for part in sizes.split_frame(frame, self.link.limit):
                self.link.publish(uri, wire.encode_frame(part))
        except ValueError as error:
            if frame.timeline not in self._unpublished:
                self._unpublished.add(frame.timeline)
                log.warning("%s: not published: %s", self._service.name, error)
