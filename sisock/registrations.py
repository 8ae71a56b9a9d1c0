"""What the router itself knows of data nodes: which session offers which node's `get_data`."""

import asyncio
from typing import NamedTuple

from sisock.wamp import Link, WampError

_AT_ONCE = 64  # questions to the router under way at a time


class Holder(NamedTuple):
    """A data node's name, the session that offers it, and the principal of that session."""

    name: str
    session: int
    authid: str


async def is_offered_by(link: Link, name: str, session: int) -> bool:
    """True if the router has that session for the node's `get_data`."""
    found = await link.call("wamp.registration.lookup", link.settings.uris.node(name, "get_data"))
    return found is not None and session in await link.call("wamp.registration.list_callees", found)


async def holders(link: Link) -> list[Holder]:
    """All data nodes that the router has."""
    limit = asyncio.Semaphore(_AT_ONCE)

    async def one(registration: int) -> Holder | None:
        async with limit:
            return await _holder(link, registration)

    registrations = (await link.call("wamp.registration.list"))["exact"]
    found = await asyncio.gather(*(one(registration) for registration in registrations))
    return [holder for holder in found if holder is not None]


async def _holder(link: Link, registration: int) -> Holder | None:
    """Who has this registration; None if it is no node's, or just gone."""
    try:
        uri = (await link.call("wamp.registration.get", registration))["uri"]
        match = link.settings.uris.nodes_of_existing.fullmatch(uri)
        sessions = await link.call("wamp.registration.list_callees", registration) if match else []
        if not match or not sessions:
            return None
        return Holder(match[1], sessions[0], (await link.call("wamp.session.get", sessions[0]))["authid"])
    except WampError as error:
        if error.kind in ("lost", "late"):
            raise
        return None
