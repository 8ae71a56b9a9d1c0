"""By which host names the router may be addressed, and which web pages may connect."""

import ipaddress
import socket
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
    own = [each.lower() for each in _interfaces(settings) if not everywhere(each)]
    machine = [socket.gethostname().lower()] * bool(settings.tls_port or settings.legacy_port)
    return list(
        dict.fromkeys(each for each in ["127.0.0.1", "localhost", "::1", *own, *machine, *named(settings)] if each)
    )


def named(settings: Settings) -> list[str]:
    """The further host names that the settings give; a port behind one means nothing here."""
    given = [each.strip() for each in settings.hosts.split(",") if each.strip()]
    return [(each if _is_address(each) else _split(f"//{each}")[0] or each).lower() for each in given]


def _interfaces(settings: Settings) -> list[str]:
    """Where the listeners listen."""
    return [settings.interface, *([settings.tls_interface] if settings.tls_port or settings.legacy_port else [])]


def origins(settings: Settings) -> list[str]:
    """Web origins whose pages may connect: the router's own page, and those configured."""
    ports = [("http", settings.router_port), *([("https", settings.tls_port)] if settings.tls_port else [])]
    own = [f"{scheme}://{bracketed(host)}:{port}" for scheme, port in ports for host in hosts(settings)]
    return own + [each.strip() for each in settings.origins.split(",") if each.strip()]


def host_allowed(settings: Settings, header: str | None) -> bool:
    """Whether a request with this Host header is meant for us, and not a name that a foreign page made point here."""
    host = _split(f"//{header}")[0] if header else None
    if not host:
        return False
    return host in hosts(settings) or (any(map(everywhere, _interfaces(settings))) and _is_address(host))


def origin_allowed(settings: Settings, header: str | None, host: str | None) -> bool:
    """Whether a page from this origin may connect; what is not a browser has none."""
    if header is None:
        return True
    origin = _origin(header)
    if origin is None:
        return False
    if origin in {_origin(each) for each in origins(settings)}:
        return True
    same = host is not None and origin == _origin(f"{origin.scheme}://{host}")
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
