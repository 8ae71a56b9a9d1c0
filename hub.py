"""The hub: which data nodes are there, told to whoever asks. Run it as `python hub.py`, or `sisock hub`."""

import asyncio
import json
import logging
import sys
import time
from collections import deque
from typing import Any

from sisock import keys, notify, program, registrations, settings
from sisock.fleet.kept import KeptTable, Principals
from sisock.fleet.presence import Entry, Presence
from sisock.fleet.recorders import Kept, Recorders
from sisock.fleet.rules import Policy, may_offer, may_see, read_policy
from sisock.uris import check_node
from sisock.wamp import Call, Link, WampError

log = logging.getLogger(__name__)
_LEFT = 10_000  # sessions remembered that are over
_SETTLE = 0.2  # seconds in which changes are gathered before they are written
_LOOK = 1.0  # seconds between looks at the principals' folder
_LONGEST = 1_000  # characters of a description, and of what a node says of itself


class Hub:
    """The fleet's logic bound to its URIs."""

    def __init__(self, configured: settings.Settings) -> None:
        """Begin with the table of before, if there is one."""
        self._settings, self._uris = configured, configured.uris
        self._dirty = asyncio.Event()
        self._presence = Presence(time.time_ns, self._dirty.set)
        self._table = KeptTable(configured.state / "hub" / "nodes.json")
        self._table.recall(self._presence)
        self._principals = Principals(configured.state)
        self._policy: Policy = read_policy(keys.compile_policy(configured.state))
        self._recorders = Recorders()
        self._left: deque[int] = deque(maxlen=_LEFT)  # sessions that are over
        self._link = Link(configured, "hub", keys.ensure_key(configured.state, "hub"), self._joined)

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._link.run())
            tasks.create_task(self._keep_table())
            tasks.create_task(self._watch_principals())

    async def _joined(self, link: Link) -> None:
        uris = self._uris
        await self._renew_policy()
        self._recorders.clear()
        await link.subscribe("wamp.session.on_leave", self._on_leave)
        await link.subscribe("wamp.registration.on_create", self._on_create)
        await link.subscribe("wamp.registration.on_delete", self._on_delete)
        for uri, handler in (
            (uris.add, self._add),
            (uris.subtract, self._subtract),
            (uris.get_data_node, self._get_data_node),
            (uris.hub_nodes, self._nodes),
        ):
            await link.register(uri, handler)
        await self._rebuild()
        link.publish(uris.hub_started)
        notify.ready(f"{len(self._presence.up())} data nodes")

    # what nodes and consumers call

    async def _add(self, call: Call) -> bool:
        name, description, *_ = (*call.args, None, None)
        info = _said(call.kwargs.get("info"))
        try:
            check_node(name)
        except ValueError as error:
            raise WampError("bad_request", str(error)) from error
        if not may_offer(self._policy, call.authid, name) or call.session is None:
            raise WampError(
                "not_authorized",
                f"{call.authid!r} may not be the data node {name!r}: admit it with `sisock principal add`",
            )
        holder = self._presence.holder(name)
        if holder not in (None, call.session):
            if not await registrations.is_offered_by(self._link, name, call.session):
                return False
            self._gone([self._presence[name]], "another session has its name now")
        if call.session in self._left:
            return False
        text = str(description or "")[:_LONGEST]
        if self._presence.add(name, text, call.session, call.authid or "", info):
            self._tell(self._uris.added, self._presence[name])
        return True

    async def _subtract(self, call: Call) -> None:
        name = call.args[0] if call.args else None
        entry = self._presence.subtract(name, call.session) if isinstance(name, str) and call.session else None
        self._gone([entry] if entry else [], "it said goodbye")

    async def _get_data_node(self, call: Call) -> list[dict[str, str]]:
        return [entry.public for entry in self._presence.up() if may_see(self._policy, call.authid, entry.name)]

    async def _nodes(self, call: Call) -> list[dict[str, Any]]:
        return [
            entry.listed(sensitive=entry.name in self._policy.sensitive, kept_by=self._recorders.of(entry.name))
            for entry in self._presence
            if may_see(self._policy, call.authid, entry.name)
        ]

    # what the router tells

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
            self._tell(self._uris.subtracted, entry, why)

    def _tell(self, topic: str, entry: Entry, why: str = "") -> None:
        """Publish that a node came or went, to those who may see it (and to the node's own principal)."""
        log.info("hub: %s %s", entry.name, f"subtracted: {why}" if why else "added")
        allowed = None
        if entry.name in self._policy.sensitive:
            allowed = [name for name in self._policy.principals if may_see(self._policy, name, entry.name)] + [
                entry.authid
            ]
        self._link.publish(topic, entry.public, eligible=allowed)

    async def _rebuild(self) -> None:
        """Bring the table in line with the router's own: nodes need not know that the hub was away."""
        found, archives = await registrations.offered(self._link)
        there = [
            each for each in found if each.session not in self._left and may_offer(self._policy, each.authid, each.name)
        ]
        new, gone = self._presence.reconcile(there)
        self._gone(gone, "the router does not know it any more")
        for entry in new:
            self._tell(self._uris.added, entry)
        for kept in archives:
            self._keeps(kept)

    # what is kept

    async def _keep_table(self) -> None:
        """Write the table after changes."""
        while True:
            await self._dirty.wait()
            await asyncio.sleep(_SETTLE)
            self._dirty.clear()
            self._table.write(self._presence)
            notify.status(f"{len(self._presence.up())} data nodes")

    async def _watch_principals(self) -> None:
        """Hand the router a new policy when somebody is admitted, changed or dismissed."""
        while True:
            await asyncio.sleep(_LOOK)
            if self._link.joined.is_set() and self._principals.changed():
                try:
                    await self._renew_policy()
                except WampError as error:
                    log.warning("hub: the router did not take the policy, once more in a moment: %s", error)

    async def _renew_policy(self) -> None:
        snapshot, stamps = self._principals.read()
        if snapshot is None:
            return
        await self._link.call(self._uris.set_policy, snapshot)
        self._policy = read_policy(snapshot)
        self._principals.taken(stamps)
        log.info("hub: policy of %d principals handed to the router", len(self._policy.principals))


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
