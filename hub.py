"""The hub: which data nodes are there, told to whoever asks. Run it as `python hub.py`, or `sisock hub`."""

import asyncio
import contextlib
import json
import logging
import sys
import time
from collections import deque
from collections.abc import Mapping
from typing import Any

from sisock import keys, lasting, notify, program, proving, registrations, settings
from sisock.admission import Admission
from sisock.fleet.ledger import Ledger
from sisock.fleet.presence import Entry, Presence
from sisock.fleet.recorders import Kept, Recorders
from sisock.fleet.rules import may_hear, may_offer, may_see
from sisock.keys import Principal
from sisock.news import News
from sisock.uris import check_node
from sisock.wamp import Call, Handler, Link, WampError

log = logging.getLogger(__name__)
_LEFT = 10_000  # sessions remembered that are over
_SETTLE = 0.2  # seconds in which changes are gathered before they are written
_SOON = 1.0  # seconds in which nodes prove themselves to a hub that has just come, while others wait for its table
_ASKED_AT_ONCE = 32  # nodes that are called back at the same time
_BACK = 0.2  # seconds between attempts to join: before all the others, who wait for the hub
_LARGEST = 6_000  # bytes that the listing of a node takes at the most
_LONGEST = 1_000  # characters of a description, and of what a node says of itself


class Hub:
    """The fleet's logic bound to its URIs."""

    def __init__(self, configured: settings.Settings) -> None:
        """Begin with the table of before, if there is one."""
        self._settings, self._uris = configured, configured.uris
        self._dirty = asyncio.Event()
        self._presence = Presence(time.time_ns, self._dirty.set)
        self._ledger = Ledger(configured.state, self._presence)
        self._admission = Admission(configured, self._ledger)
        self._recorders = Recorders()
        self._proving: set[tuple[int, str]] = set()  # sessions that are asked for a proof, and in which name
        self._asking = asyncio.Semaphore(_ASKED_AT_ONCE)
        self._left: deque[int] = deque(maxlen=_LEFT)  # sessions that are over
        self._link = Link(configured, "hub", keys.ensure_key(configured.state, "hub"), self._joined, _BACK)
        self._news = News(self._link)

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._link.run())
            tasks.create_task(self._news.run())
            tasks.create_task(self._keep_books())
            tasks.create_task(self._admission.watch(self._link))

    async def _joined(self, link: Link) -> None:
        uris = self._uris
        self._signed_in(link.name)  # nobody tells a session of itself
        await self._admission.hand_over(link)
        self._recorders.clear()
        await link.subscribe("wamp.session.on_join", self._on_join)
        await link.subscribe("wamp.session.on_leave", self._on_leave)
        await link.subscribe(uris.refused, self._on_refused)
        await link.subscribe("wamp.registration.on_create", self._on_create)
        await link.subscribe("wamp.registration.on_delete", self._on_delete)
        rebuilt: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        for uri, handler in (
            (uris.add, self._add),
            (uris.subtract, self._subtract),
            (uris.get_data_node, self._get_data_node),
            (uris.hub_nodes, self._nodes),
            (uris.measures, self._measures),
            *self._admission.procedures(link),
        ):
            await link.register(uri, _after(rebuilt, handler), sized=uri == uris.hub_nodes)
        try:
            await self._rebuild()
            rebuilt.set_result(None)
        finally:
            rebuilt.cancel()  # where it failed: who waits waits no more
        link.publish(uris.hub_started)
        if unseen := self._ledger.unseen(self._admission.policy.principals):
            for name in unseen & await registrations.signed_in(link):
                self._signed_in(name)  # before there was a hub to hear of it
        lasting.settle()
        notify.ready(self._presence.summary)

    # what nodes and consumers call

    async def _add(self, call: Call) -> bool | dict[str, Any]:
        name, description, *_ = (*call.args, None, None)
        info = _said(call.kwargs.get("info"))
        try:
            check_node(name)
        except ValueError as error:
            raise WampError("bad_request", str(error)) from error
        principal = self._admission.policy.principals.get(call.authid or "")
        if not may_offer(self._admission.policy, call.authid, name) or call.session is None or principal is None:
            raise WampError(
                "not_authorized",
                f"{call.authid!r} may not be the data node {name!r}: admit it with `sisock principal add`",
            )
        if self._presence.holder(name) != call.session:
            await self._see_proof(name, call.session, principal)
        holder = self._presence.holder(name)
        if holder not in (None, call.session):
            if not await registrations.is_offered_by(self._link, name, call.session):
                return False
            self._gone([self._presence[name]], "another session has its name now")
        if call.session in self._left:
            return False
        text = str(description or "")[:_LONGEST]
        if self._presence.add(name, text, call.session, call.authid or "", info):
            self._tell("added", self._presence[name])
        return _reply(self._settings, info)

    async def _see_proof(self, name: str, session: int, principal: Principal, within: float = proving.WITHIN) -> None:
        """Call the node back, as it cannot be told from others without; raises WampError, and notes it, where it fails."""
        if (session, name) in self._proving:
            raise WampError("unproven", f"{name} is being asked to prove its key already")
        self._proving.add((session, name))
        try:
            async with self._asking:  # a thousand at once would all be late
                await proving.prove(self._link, name, session, principal.keys, within)
        except WampError as error:
            log.warning("hub: %s is not listed: %s", name, error)
            if error.kind == "not_authorized":
                self._on_refused(name, str(error))
            raise
        finally:
            self._proving.discard((session, name))

    async def _subtract(self, call: Call) -> None:
        name = call.args[0] if call.args else None
        entry = self._presence.subtract(name, call.session) if isinstance(name, str) and call.session else None
        self._gone([entry] if entry else [], "it said goodbye")

    async def _get_data_node(self, call: Call) -> list[dict[str, str]]:
        return [
            entry.public for entry in self._presence.up() if may_see(self._admission.policy, call.authid, entry.name)
        ]

    async def _nodes(self, call: Call) -> list[dict[str, Any]]:
        policy, kept = self._admission.policy, self._recorders.by_node()
        listed = [
            entry.listed(sensitive=entry.name in policy.sensitive, kept_by=kept.get(entry.name, ()))
            for entry in self._presence
            if may_see(policy, call.authid, entry.name) and not self._is_dismissed(entry, kept)
        ]
        if len(listed) * _LARGEST > self._link.limit and len(json.dumps(listed)) > self._link.limit:
            raise WampError("failed", f"{len(listed)} nodes are more than a message may list: set SISOCK_MESSAGE_LIMIT")
        return listed

    async def _measures(self, _: Call) -> dict[str, int]:
        """How the hub is doing."""
        sessions = await self._link.call("wamp.session.count")
        return {"sessions": sessions, "news_waiting": self._news.waiting, "refused": self._ledger.refusals}

    # what the router tells

    def _on_join(self, session: Any, *_: Any) -> None:
        if isinstance(session, dict):
            self._signed_in(session.get("authid"))

    def _signed_in(self, principal: object) -> None:
        self._ledger.signed_in(principal)
        self._dirty.set()

    def _on_refused(self, name: Any, why: Any, times: Any = 1, *_: Any) -> None:
        self._ledger.refused(name, why, times)
        self._dirty.set()

    def _on_leave(self, session: Any, *_: Any) -> None:
        self._left.append(session)
        self._recorders.leave(session)
        self._gone(self._presence.leave(session), "its connection ended")

    async def _on_create(self, _: Any, registration: Any, *__: Any) -> None:
        """Look who offers what, where it may be a recorder that answers for a node's past."""
        if isinstance(registration, dict) and self._uris.archives.fullmatch(str(registration.get("uri"))):
            self._keeps(await registrations.offer(self._link, registration["id"]))

    def _on_delete(self, _: Any, registration: Any, *__: Any) -> None:
        self._recorders.delete(registration)

    def _keeps(self, kept: object) -> None:
        """Note what a recorder offers, as the router lets nobody else do, and its node, which may be gone for long."""
        if isinstance(kept, Kept) and kept.session not in self._left:
            self._recorders.add(kept)
            self._presence.recall(kept.node)
            log.info("hub: the past of %s is kept by %s", kept.node, kept.authid)

    def _gone(self, entries: list[Entry], why: str) -> None:
        for entry in entries:
            self._tell("subtracted", entry, why)

    def _tell(self, what: str, entry: Entry, why: str = "") -> None:
        """Have it told that a node came or went, to those who may see it (and to the node's own principal)."""
        log.info("hub: %s %s", entry.name, f"{what}: {why}" if why else what)
        allowed = may_hear(self._admission.policy, entry.name)
        self._news.tell(what, entry.public, None if allowed is None else [*allowed, entry.authid])

    async def _rebuild(self) -> None:
        """Bring the table in line with the router's own: nodes need not know that the hub was away.

        Who came meanwhile is called back first; who does not answer soon tells of itself later.
        """
        found, archives = await registrations.offered(self._link)
        proven = await asyncio.gather(*(self._is_proven(each) for each in found))
        there = [each for each, yes in zip(found, proven, strict=True) if yes and each.session not in self._left]
        new, gone = self._presence.reconcile(there)
        self._gone(gone, "the router does not know it any more")
        for entry in new:
            self._tell("added", entry)
        for kept in archives:
            self._keeps(kept)

    async def _is_proven(self, holder: registrations.Holder) -> bool:
        """Whether a node that the router has is the one of the table of before, or proves now that it may be that node."""
        principal = self._admission.policy.principals.get(holder.authid)
        if principal is None or not may_offer(self._admission.policy, holder.authid, holder.name):
            return False
        if self._presence.holder(holder.name) == holder.session:
            return True
        with contextlib.suppress(WampError):
            await self._see_proof(holder.name, holder.session, principal, _SOON)
            return True
        return False

    def _is_dismissed(self, entry: Entry, kept: Mapping[str, list[str]]) -> bool:
        """Whether a node is away for good: who offered it may not sign in any more, and no recorder keeps its past."""
        gone = entry.authid and entry.authid not in self._admission.policy.principals
        return bool(gone and entry.session is None and entry.name not in kept)

    # what is kept

    async def _keep_books(self) -> None:
        """Write them after changes."""
        pause = _SETTLE
        while True:
            await self._dirty.wait()
            await asyncio.sleep(pause)
            self._dirty.clear()
            began = time.monotonic()
            self._ledger.write(self._admission.policy.principals)
            pause = max(_SETTLE, 10 * (time.monotonic() - began))  # a large fleet takes longer to write
            notify.status(self._presence.summary)


def _after(rebuilt: asyncio.Future[None], handler: Handler) -> Handler:
    """The handler, once the table is rebuilt: nobody is told what was before, and nobody who comes meanwhile is lost."""

    async def answer(call: Call) -> Any:
        await asyncio.shield(rebuilt)
        return await handler(call)

    return answer


def _reply(configured: settings.Settings, info: Mapping[str, Any]) -> bool | dict[str, Any]:
    """What a node that is listed gets: true, as ever, or a table for one that says what it wants to know."""
    wants = info.get("wants")
    if not isinstance(wants, list):
        return True
    known = {"kafka": {"bootstrap": configured.kafka, "topic": configured.kafka_topic}}
    return {"added": True, **{what: known[what] for what in wants if isinstance(what, str) and what in known}}


def _said(info: Any) -> dict[str, Any]:
    """What a node says of itself, if it is a small table."""
    try:
        return info if isinstance(info, dict) and len(json.dumps(info)) <= _LONGEST else {}
    except (TypeError, ValueError):
        return {}


def main() -> int:
    """Run the hub until a signal ends it."""
    configured = settings.read()

    async def work() -> None:
        await Hub(configured).run()

    return program.run(work(), configured.log_level)


if __name__ == "__main__":
    sys.exit(main())
