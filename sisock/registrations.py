"""What the router itself knows: who is there, and which session offers which node's `get_data`, or answers for its past."""

import asyncio
from typing import NamedTuple

from sisock.fleet.recorders import Kept
from sisock.wamp import Link, WampError

_AT_ONCE = 64  # questions to the router under way at a time
_MOST_LOOKED_AT = 1000  # sessions


class Holder(NamedTuple):
    """A data node's name, the session that offers it, and the principal of that session."""

    name: str
    session: int
    authid: str


async def is_offered_by(link: Link, name: str, session: int) -> bool:
    """True if the router has that session for the node's `get_data`."""
    found = await link.call("wamp.registration.lookup", link.settings.uris.node(name, "get_data"))
    return found is not None and session in await link.call("wamp.registration.list_callees", found)


async def offered(link: Link) -> tuple[list[Holder], list[Kept]]:
    """All data nodes that the router has, and all that recorders keep."""
    limit = asyncio.Semaphore(_AT_ONCE)

    async def one(registration: int) -> Holder | Kept | None:
        async with limit:
            return await offer(link, registration)

    registrations = (await link.call("wamp.registration.list"))["exact"]
    found = await asyncio.gather(*(one(registration) for registration in registrations))
    return [each for each in found if isinstance(each, Holder)], [each for each in found if isinstance(each, Kept)]


async def offer(link: Link, registration: int) -> Holder | Kept | None:
    """Which node's data, or which node's past, is offered by this registration; None if it is neither, or just gone."""
    uris = link.settings.uris
    try:
        uri = (await link.call("wamp.registration.get", registration))["uri"]
        node, archive = uris.nodes_of_existing.fullmatch(uri), uris.archives.fullmatch(uri)
        sessions = await link.call("wamp.registration.list_callees", registration) if node or archive else []
        if not sessions:
            return None
        authid = (await link.call("wamp.session.get", sessions[0]))["authid"]
    except WampError as error:
        if error.kind in ("lost", "late"):
            raise
        return None
    if archive:
        return Kept(registration, archive[1], sessions[0], authid)
    return Holder(node[1], sessions[0], authid) if node else None


async def signed_in(link: Link) -> set[str]:
    """The principals whose sessions the router has; of very many sessions only some are looked at."""
    limit = asyncio.Semaphore(_AT_ONCE)

    async def one(session: int) -> str:
        async with limit:
            try:
                return str((await link.call("wamp.session.get", session))["authid"])
            except WampError as error:
                if error.kind in ("lost", "late"):
                    raise
                return ""  # it has just gone

    sessions = (await link.call("wamp.session.list"))[:_MOST_LOOKED_AT]
    return set(await asyncio.gather(*map(one, sessions)))
