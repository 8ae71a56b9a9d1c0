"""A machine's certificate is renewed by itself when two thirds of its life are over, and as often tried as it takes."""

import asyncio
import logging

from sisock.keys import certificates
from sisock.keys.key import shown
from sisock.wamp import Link, WampError

log = logging.getLogger(__name__)
_LOOK = 6 * 3600.0  # seconds between looks


async def keep_renewed(link: Link) -> None:
    """Look at the certificate of who is signed in by this link, for ever; at once where there is none."""
    while shown(link.settings.state, link.name).is_there():
        await link.joined.wait()
        await renew(link)
        await asyncio.sleep(_LOOK)


async def renew(link: Link) -> None:
    """Get another certificate where that is due; the next connection shows it. What fails is logged."""
    state, name = link.settings.state, link.name
    try:
        if certificates.is_due(shown(state, name).chain):
            asked = await asyncio.to_thread(certificates.request, state, name)
            certificates.keep(state, name, str(await link.call(link.settings.uris.renew, asked)))
            log.info("%s: its certificate is renewed", name)
    except (WampError, ValueError, OSError) as error:
        log.warning("%s: its certificate is not renewed, tried again later: %s", name, error)
