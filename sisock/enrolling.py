"""How a new machine becomes a principal: with an invitation it leaves the public key that it has made, once."""

import asyncio
import contextlib
import http.client
import ssl
import tempfile
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from sisock.errors import ConsumerError
from sisock.keys import certificates, files
from sisock.keys.invitations import AUTHORITY, Invitation, proof
from sisock.keys.key import ensure_key, one_certificate, shown
from sisock.settings import Settings
from sisock.wamp import Link, WampError

_REACHED_WITHIN = 5.0  # seconds
_ADMITTED_WITHIN = 10.0  # seconds for the hub to hand the router the new principal
_LARGEST = 2**16  # bytes of a certificate
_NOT_TAKEN = "this invitation is mistyped, is used, has ended or was taken back: ask for another"


class EnrollError(ConsumerError):
    """Enrolling failed; says why, and the cure."""


class Enrolled(NamedTuple):
    """What this machine is now, and where the router is."""

    name: str
    router: str


async def enroll(
    settings: Settings, invitation: Invitation, tell: Callable[[str], None], *, certificate: bool = False
) -> Enrolled:
    """Trust the authority of the invitation, sign in with it, leave this machine's public key, and sign in with that.

    With `certificate` it makes an RSA key, too, and gets an X.509 certificate for that, which it shows at TLS from then on.
    What nodes and consumers need to sign in is in the state directory afterwards; `tell` hears what is done. Whoever was
    admitted before, and has not heard of it, is admitted now. Raises EnrollError, and changes nothing but for the key of this
    machine, where the router is not the one of the invitation, or refuses.
    """
    name, url = invitation.name, f"wss://{invitation.address}/ws"
    with tempfile.TemporaryDirectory() as folder:
        trusted = ""
        if invitation.root:
            pem = await _authority(invitation)
            trusted = str(Path(folder, "ca.pem"))
            files.write(Path(trusted), pem)
            tell(f"the router at {invitation.address} is the one of the invitation")
        else:  # what this machine was told to trust before does not count; what it shows does
            (Path(folder) / "keys").symlink_to(files.private_folder(settings.state / "keys").absolute())
        there = replace(settings, state=settings.state if trusted else Path(folder), router=url, router_ca=trusted)
        if not (await _admitted_before(there, settings, invitation)):
            async with _joined(Link(there, invitation.principal, invitation.key), refused=_NOT_TAKEN) as link:
                request = []
                if certificate:
                    tell("making an RSA key of 4096 bits")
                    request.append(await asyncio.to_thread(certificates.request, settings.state, name))
                try:
                    admitted = await link.call(settings.uris.enroll, *proof(settings.state, invitation), *request)
                except WampError as error:
                    raise EnrollError(f"the hub does not admit this machine: {error}") from error
                if certificate:
                    certificates.keep(settings.state, name, str(admitted["certificate"]))
                else:
                    shown(settings.state, name).chain.unlink(missing_ok=True)  # of an enrolment before
            tell(f"{name} is admitted")
        _keep(settings, url, pem if trusted else "")
        async with _joined(Link(there, name, ensure_key(settings.state, name)), _ADMITTED_WITHIN):
            tell("signed in with the key of this machine")
    return Enrolled(name, url)


def _keep(settings: Settings, url: str, pem: str) -> None:
    """Leave where the router is, and whom to trust, for all that sign in from here."""
    if pem:
        files.write(settings.state / "ca.pem", pem)
    else:
        (settings.state / "ca.pem").unlink(missing_ok=True)
    files.write(settings.state / "router.url", url + "\n")


async def _admitted_before(there: Settings, settings: Settings, invitation: Invitation) -> bool:
    """Whether this machine has been admitted and only did not hear so."""
    if not (settings.state / "keys" / f"{invitation.name}.key").is_file():
        return False
    with contextlib.suppress(EnrollError):
        async with _joined(Link(there, invitation.principal, invitation.key), refused=_NOT_TAKEN):
            return False  # the invitation is good
    with contextlib.suppress(EnrollError):
        async with _joined(Link(there, invitation.name, ensure_key(settings.state, invitation.name)), _REACHED_WITHIN):
            return True
    return False


async def _authority(invitation: Invitation) -> str:
    """The certificate of the router's authority, as it serves it: it need not be trusted, its SHA-256 is known."""
    try:
        async with asyncio.timeout(_REACHED_WITHIN):
            pem, found = one_certificate(await asyncio.to_thread(_fetched, invitation.address))
    except (OSError, ValueError, http.client.HTTPException, TimeoutError) as error:
        why = str(error) or f"no answer within {_REACHED_WITHIN:g} s"
        raise EnrollError(f"the router at {invitation.address} cannot be asked for its certificate: {why}") from error
    if found != invitation.root:
        raise EnrollError(
            f"the router at {invitation.address} is not the one of the invitation: its authority has the fingerprint "
            f"{found}, the invitation says {invitation.root}. Somebody may be in between: nothing was sent; ask whoever "
            "invited you"
        )
    return pem


def _fetched(address: str) -> str:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    where = urlsplit(f"//{address}")
    connection = http.client.HTTPSConnection(where.hostname or "", where.port, timeout=_REACHED_WITHIN, context=context)
    try:
        connection.request("GET", f"/{AUTHORITY}")
        return connection.getresponse().read(_LARGEST).decode("ascii")
    finally:
        connection.close()


@contextlib.asynccontextmanager
async def _joined(link: Link, within: float = _REACHED_WITHIN, refused: str = "") -> AsyncIterator[Link]:
    """A link that is joined for as long as the block lasts.

    `refused`: what it means where the router does not let it in, which is not tried again then.
    """
    running = asyncio.ensure_future(link.run())
    try:
        async with asyncio.timeout(within):
            await (link.heard if refused else link.joined).wait()
        if link.refused:
            raise EnrollError(refused)
        yield link
    except TimeoutError:
        raise EnrollError(f"no sign-in: {link.trouble}") from None
    finally:
        await link.leave()
        running.cancel()
        await asyncio.wait({running})
