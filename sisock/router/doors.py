"""By which host names the router may be addressed, and which web pages may connect."""

import ipaddress
from typing import NamedTuple
from urllib.parse import urlsplit

from sisock.interfaces import bracketed, everywhere
from sisock.settings import Settings

_PORTS = {"http": 80, "https": 443}


class Origin(NamedTuple):
    """A web origin, its port always spelled out."""

    scheme: str
    host: str
    port: int | None


def hosts(settings: Settings) -> list[str]:
    """Host names under which router and page may be addressed, without brackets and ports."""
    given = [each.strip().strip("[]").lower() for each in settings.hosts.split(",")]
    own = [] if everywhere(settings.interface) else [settings.interface.lower()]
    return list(dict.fromkeys(each for each in ["127.0.0.1", "localhost", "::1", *own, *given] if each))


def origins(settings: Settings) -> list[str]:
    """Web origins whose pages may connect: the router's own page, and those configured."""
    own = [f"http://{bracketed(host)}:{settings.router_port}" for host in hosts(settings)]
    return own + [each.strip() for each in settings.origins.split(",") if each.strip()]


def host_allowed(settings: Settings, header: str | None) -> bool:
    """Whether a request with this Host header is meant for us, and not a name that a foreign page made point here."""
    host = _split(f"//{header}")[0] if header else None
    if not host:
        return False
    return host in hosts(settings) or (everywhere(settings.interface) and _is_address(host))


def origin_allowed(settings: Settings, header: str | None, host: str | None) -> bool:
    """Whether a page from this origin may connect; what is not a browser has none."""
    if header is None:
        return True
    origin = _origin(header)
    if origin is None:
        return False
    if origin in {_origin(each) for each in origins(settings)}:
        return True
    same = origin.scheme == "http" and host is not None and origin == _origin(f"http://{host}")
    return same and host_allowed(settings, host)


def _origin(text: str) -> Origin | None:
    host, port = _split(text)
    scheme = text.partition("://")[0].lower()
    return Origin(scheme, host, port or _PORTS.get(scheme)) if host and scheme in _PORTS else None


def _split(text: str) -> tuple[str | None, int | None]:
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return None, None
    return parts.hostname, port


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
