"""What a client trusts and shows where the router is reached by TLS."""

import ssl

from sisock.keys import certificates
from sisock.keys.key import shown
from sisock.settings import Settings
from sisock.uris import NODE
from sisock.wamp.session import WampError


def trusting(settings: Settings, name: str) -> ssl.SSLContext:
    """What to trust, and what to show: the certificate of this machine, where it has one. Raises WampError."""
    files = shown(settings.state, name) if NODE.fullmatch(name) else None  # others' routers know other names
    try:
        context = ssl.create_default_context(cafile=settings.trusted)
        if files is not None and files.is_there():
            if certificates.has_ended(files.chain):
                raise WampError("not_authorized", f"{files.chain} has ended: ask for an invitation with --rekey")
            context.load_cert_chain(files.chain, files.key)
    except ValueError as error:
        raise WampError("not_authorized", str(error)) from error
    return context
