"""The hub: which data nodes are there, told to whoever asks. Run it as `python hub.py`, or `sisock hub`."""

import asyncio
import contextlib
import json
import logging
import sys
import time
from collections import deque
from pathlib import Path
from typing import Any

from sisock import keys, notify, program, settings
from sisock.fleet.presence import Entry, Presence
from sisock.fleet.rules import Policy, read_policy, visible
from sisock.keys import files
from sisock.uris import check_node
from sisock.wamp import Call, Link, WampError

log = logging.getLogger(__name__)
_LEFT = 10_000  # sessions remembered that are over
_AT_ONCE = 64  # questions to the router under way at a time
_SETTLE = 0.2  # seconds in which changes are gathered before they are written
_LOOK = 1.0  # seconds between looks at the principals' folder
_LONGEST = 1_000  # characters of a description, and of what a node says of itself


class Hub:
    """The fleet's logic bound to its URIs."""

    def __init__(self, configured: settings.Settings) -> None:
        """Begin with the table of before, if there is one."""
        self._settings, self._uris = configured, configured.uris
        self._file = configured.state / "hub" / "nodes.json"
        self._presence = Presence(time.time_ns, self._changed)
        self._left: deque[int] = deque(maxlen=_LEFT)
        self._dirty = asyncio.Event()
        self._trouble = ""  # why the table cannot be kept
        self._seen: frozenset[tuple[str, int, int]] = frozenset()  # the principals' files that the policy is made of
        self._policy: Policy = read_policy(keys.compile_policy(configured.state))
        self._link = Link(configured, "hub", keys.ensure_key(configured.state, "hub"), self._joined)
        if self._file.exists():
            self._recall()

    def _recall(self) -> None:
        try:
            self._presence.load(self._file.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            log.warning("hub: starting with an empty table: %s: %s", self._file, error)

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._link.run())
            tasks.create_task(self._keep_table())
            tasks.create_task(self._watch_principals())

    async def _joined(self, link: Link) -> None:
        uris = self._uris
        await self._renew_policy()
        await link.subscribe("wamp.session.on_leave", self._on_leave)
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
        if not self._may_offer(call.authid, name) or call.session is None:
            raise WampError(
                "not_authorized",
                f"{call.authid!r} may not be the data node {name!r}: admit it with `sisock principal add`",
            )
        holder = self._presence.holder(name)
        if holder not in (None, call.session):
            if not await self._has_procedures(name, call.session):
                return False
            self._gone([self._presence[name]], "another session has its name now")
        if call.session in self._left:
            return False
        text = str(description or "")[:_LONGEST]
        if self._presence.add(name, text, call.session, call.authid or "", info):
            self._tell(self._uris.added, self._presence[name])
        return True

    async def _has_procedures(self, name: str, session: int) -> bool:
        """True if the router has that session for the node's `get_data`, whatever the table says."""
        found = await self._link.call("wamp.registration.lookup", self._uris.node(name, "get_data"))
        return found is not None and session in await self._link.call("wamp.registration.list_callees", found)

    def _may_offer(self, authid: str | None, name: str) -> bool:
        principal = self._policy.principals.get(authid or "")
        return principal is not None and principal.role == "data_node" and name in principal.names

    def _may_see(self, authid: str | None, name: str) -> bool:
        principal = self._policy.principals.get(authid or "")
        return principal is not None and principal.role != "data_node" and visible(self._policy, principal, name)

    async def _subtract(self, call: Call) -> None:
        name = call.args[0] if call.args else None
        entry = self._presence.subtract(name, call.session) if isinstance(name, str) and call.session else None
        self._gone([entry] if entry else [], "it said goodbye")

    async def _get_data_node(self, call: Call) -> list[dict[str, str]]:
        return [entry.public for entry in self._presence.up() if self._may_see(call.authid, entry.name)]

    async def _nodes(self, call: Call) -> list[dict[str, Any]]:
        return [
            entry.listed(sensitive=entry.name in self._policy.sensitive)
            for entry in self._presence
            if self._may_see(call.authid, entry.name)
        ]

    # what the router tells

    def _on_leave(self, session: Any, *_: Any) -> None:
        self._left.append(session)
        self._gone(self._presence.leave(session), "its connection ended")

    def _gone(self, entries: list[Entry], why: str) -> None:
        for entry in entries:
            self._tell(self._uris.subtracted, entry, why)

    def _tell(self, topic: str, entry: Entry, why: str = "") -> None:
        """Publish that a node came or went, to those who may see it (and to the node's own principal)."""
        log.info("hub: %s %s", entry.name, f"subtracted: {why}" if why else "added")
        allowed = None
        if entry.name in self._policy.sensitive:
            allowed = [name for name in self._policy.principals if self._may_see(name, entry.name)] + [entry.authid]
        self._link.publish(topic, entry.public, eligible=allowed)

    async def _rebuild(self) -> None:
        """Bring the table in line with the router's own: nodes need not know that the hub was away."""
        registrations = (await self._link.call("wamp.registration.list"))["exact"]
        limit = asyncio.Semaphore(_AT_ONCE)

        async def holder(registration: int) -> tuple[str, int, str] | None:
            async with limit:
                return await self._holder(registration)

        found = await asyncio.gather(*(holder(each) for each in registrations))
        there = [each for each in found if each is not None and each[1] not in self._left]
        new, gone = self._presence.reconcile(there)
        self._gone(gone, "the router does not know it any more")
        for entry in new:
            self._tell(self._uris.added, entry)

    async def _holder(self, registration: int) -> tuple[str, int, str] | None:
        """Name, session and authid of the node that has this registration; None if it is no node's, or just gone."""
        call = self._link.call
        try:
            match = self._uris.nodes_of_existing.fullmatch((await call("wamp.registration.get", registration))["uri"])
            sessions = await call("wamp.registration.list_callees", registration) if match else []
            if not match or not sessions:
                return None
            authid = (await call("wamp.session.get", sessions[0]))["authid"]
        except WampError as error:
            if error.kind == "lost":
                raise
            return None
        return (match[1], sessions[0], authid) if self._may_offer(authid, match[1]) else None

    # what is kept

    def _changed(self) -> None:
        self._dirty.set()

    async def _keep_table(self) -> None:
        """Write the table after changes."""
        while True:
            await self._dirty.wait()
            await asyncio.sleep(_SETTLE)
            self._dirty.clear()
            self._write_table()
            notify.status(f"{len(self._presence.up())} data nodes")

    def _write_table(self) -> None:
        """Keep the table for the next start; without a place for it the hub works on."""
        trouble = ""
        try:
            files.write(self._file, self._presence.dump())
        except OSError as error:
            trouble = f"the table is not kept, a hub that starts again will not know who was there: {error}"
        if trouble and trouble != self._trouble:
            log.error("hub: %s", trouble)
        self._trouble = trouble

    async def _watch_principals(self) -> None:
        """Hand the router a new policy when somebody is admitted, changed or dismissed."""
        while True:
            await asyncio.sleep(_LOOK)
            if self._link.joined.is_set() and _stamps(self._settings.state / "principals") != self._seen:
                try:
                    await self._renew_policy()
                except WampError as error:
                    log.warning("hub: the router did not take the policy, once more in a moment: %s", error)

    async def _renew_policy(self) -> None:
        """Compile the policy and hand it to the router; where a principal cannot be read it stays as it was."""
        stamps = _stamps(self._settings.state / "principals")
        try:
            snapshot = keys.compile_policy(self._settings.state)
        except (OSError, ValueError) as error:
            log.error("hub: the policy stays as it was: %s", error)
            self._seen = stamps
            return
        await self._link.call(self._uris.set_policy, snapshot)
        self._policy, self._seen = read_policy(snapshot), stamps
        log.info("hub: policy of %d principals handed to the router", len(self._policy.principals))


def _said(info: Any) -> dict[str, Any]:
    """What a node says of itself, if it is a small table."""
    try:
        return info if isinstance(info, dict) and len(json.dumps(info)) <= _LONGEST else {}
    except (TypeError, ValueError):
        return {}


def _stamps(folder: Path) -> frozenset[tuple[str, int, int]]:
    """Name, time and size of each file: another set means that something has changed."""
    found = set()
    for path in folder.glob("*.json"):
        with contextlib.suppress(FileNotFoundError):  # dismissed just now
            about = path.stat()
            found.add((path.name, about.st_mtime_ns, about.st_size))
    return frozenset(found)


def main() -> int:
    """Run the hub until a signal ends it."""
    configured = settings.read()

    async def work() -> None:
        await Hub(configured).run()

    return program.run(work(), configured.log_level)


if __name__ == "__main__":
    sys.exit(main())
