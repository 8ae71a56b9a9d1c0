"""Who may ask the bridge: host names, web origins and the bearer token."""

import base64
import contextlib
import hmac
from pathlib import Path
from typing import NamedTuple

from werkzeug.datastructures import Headers

from sisock.interfaces import loopback
from sisock.keys.api_tokens import ApiToken, read
from sisock.keys.token_file import read_token
from sisock.settings import Settings

_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


class Refusal(NamedTuple):
    """Why a request is not answered."""

    status: int
    sentence: str


WITHOUT_TOKEN = Refusal(
    401,
    "the bridge asks for its token, or one of `sisock principal token`: send the header 'Authorization: Bearer TOKEN'",
)
UNKNOWN_TOKEN = Refusal(
    401, "this token is unknown, has ended or was replaced: `sisock principal token` makes another; send all of it"
)

EMBEDDED = Refusal(
    403,
    "pages of other sites may not ask the bridge: add their origin to SISOCK_ORIGINS, and have them ask with CORS",
)


def is_embedded(headers: Headers) -> bool:
    """Whether a browser says that it asks for a page of another site, not for a person who follows a link.

    For images, scripts and frames browsers send no Origin, but these (https://www.w3.org/TR/fetch-metadata/).
    """
    if headers.get("Sec-Fetch-Site", "none") in ("none", "same-origin"):
        return False
    return (headers.get("Sec-Fetch-Mode"), headers.get("Sec-Fetch-Dest")) != ("navigate", "document")


class Gate(NamedTuple):
    """The host names and origins that are allowed, and the token; None where none is needed."""

    hosts: frozenset[str]
    origins: frozenset[str]
    token: str | None

    def refusal(self, host: str, origin: str | None, *, embedded: bool = False) -> Refusal | None:
        """Why a request with these headers is refused; None if it is not. `embedded`: a page of another site made it."""
        name = _without_port(host)
        if name not in self.hosts:
            return Refusal(403, f"the bridge is not known as {name!r:.80}: add the name to SISOCK_HOSTS")
        if origin is not None and not self.allows(origin):
            return Refusal(403, f"pages of {origin!r:.80} may not ask the bridge: add it to SISOCK_ORIGINS")
        if origin is None and embedded:
            return EMBEDDED
        return None

    def who(self, authorization: str) -> ApiToken | Refusal | None:
        """Whose token this header carries; None for the bridge's own, or where none is needed and none is given."""
        given = _given(authorization)
        if self.token is not None and _same(given, self.token):
            return None
        if self.token is None and not authorization:
            return None
        with contextlib.suppress(ValueError):
            return read(given)
        return UNKNOWN_TOKEN if given else WITHOUT_TOKEN

    def allows(self, origin: str) -> bool:
        """Whether pages of this origin may ask."""
        return _plain(origin) in self.origins


def make_gate(settings: Settings) -> Gate:
    """The gate that the settings describe; raises ValueError where the bridge would be open to a network."""
    token = _read_token(settings.bridge_token)
    if token is None and not loopback(settings.interface):
        raise ValueError(
            f"the bridge must not listen on {settings.interface} without a token: "
            "write a long random text to a file and set SISOCK_BRIDGE_TOKEN to its path"
        )
    listening = f"[{settings.interface}]" if ":" in settings.interface else settings.interface
    hosts = {*_LOOPBACK, listening.lower(), *(_without_port(host) for host in _listed(settings.hosts))}
    return Gate(frozenset(hosts), frozenset(map(_plain, _listed(settings.origins))), token)


def _read_token(path: str) -> str | None:
    if not path:
        return None
    try:
        return read_token(Path(path))
    except FileNotFoundError as error:
        raise ValueError(f"the bridge's token cannot be read: {error}: set SISOCK_BRIDGE_TOKEN to its file") from error


def _given(authorization: str) -> str:
    """The token in the header: `Bearer TOKEN`, or the name and secret of an API token as `Basic` has them."""
    scheme, _, rest = authorization.partition(" ")
    if scheme.lower() != "basic":
        return rest if scheme.lower() == "bearer" else ""
    try:
        return base64.b64decode(rest, validate=True).decode().replace(":", ".", 1)
    except ValueError:
        return ""


def _listed(names: str) -> list[str]:
    return [name.strip() for name in names.split(",") if name.strip()]


def _without_port(host: str) -> str:
    name, colon, port = host.rpartition(":")
    return (name if colon and port.isdecimal() else host).lower()


def _plain(origin: str) -> str:
    return origin.lower().rstrip("/")


def _same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode())
