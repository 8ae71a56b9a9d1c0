"""The hub calls a data node back before it lists it: only who has the principal's key can answer, from the session that asks."""

import asyncio
import secrets
from collections.abc import Sequence

from sisock.keys.proof import is_signed, of_node
from sisock.wamp import Link, WampError

WITHIN = 5.0  # seconds for a node to answer


async def prove(link: Link, name: str, session: int, keys: Sequence[str], within: float = WITHIN) -> None:
    """Return once whoever offers the data node has signed, with one of these keys, a random text and the session.

    An existing client, which signs in with a secret, has no key: the router's word for it stands alone. Raises WampError:
    `not_authorized` where the proof is wrong, `unproven` where there is none, which may come later.
    """
    nonce = secrets.token_hex(32)
    try:
        async with asyncio.timeout(within):
            if (await link.call("wamp.session.get", session))["authmethod"] == "wampcra":
                return
            signature = await link.call(link.settings.uris.node(name, "prove"), name, nonce)
    except TimeoutError as error:
        raise WampError("unproven", f"{name} does not prove its key within {within:g} s") from error
    except WampError as error:
        older = f"{name} cannot be asked for a proof of its key: is its sisock older than the hub's?"
        missing = error.kind == "no_such_procedure"
        raise WampError("unproven", older if missing else f"{name} does not prove its key: {error}") from error
    if not any(is_signed(public, of_node(name, session, nonce), signature) for public in keys):
        raise WampError("not_authorized", f"{name} has not signed with its principal's key what the hub asked it to")
