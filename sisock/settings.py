"""Every setting with its default: the only reader of the environment."""

import os
import sys
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sisock.uris import Uris

_BOUNDS = {
    "router_port": (1, 65535),
    "bridge_port": (1, 65535),
    "legacy_port": (0, 65535),
    "tls_port": (0, 65535),
    "bridge_workers": (1, 1000),
    "bridge_memory": (0, 10**6),
    "connections": (1, 10**6),
    "message_limit": (2**16, 2**30),
}
_YES_NO = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False, "": False}
_LEVELS = ("debug", "info", "warning", "error")


def _state() -> Path:
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(base) / "sisock"


@dataclass(frozen=True)
class Settings:
    """What can be set. Each is read from SISOCK_<NAME>; options of the commands come before it."""

    state: Path = Path()  # keys, policy, logs and data; default ~/.local/state/sisock
    realm: str = "test_realm"  # the WAMP realm; existing programs hard-code this one
    prefix: str = "org.simonsobservatory"  # what every URI begins with; likewise
    router: str = ""  # the router's address, ws:// or wss://; default: the one noted in the state directory
    token: str = ""  # file with an API token, by which commands and scripts sign in; default: their key
    router_ca: str = ""  # PEM file of the authority of its certificate, for wss://; default: as enrolled
    interface: str = "127.0.0.1"  # where router and bridge listen
    router_port: int = 8080  # WebSocket under /ws, the page under /
    bridge_port: int = 5000  # the Grafana bridge
    bridge_token: str = ""  # file with the bearer token of the bridge; needed beyond loopback
    bridge_workers: int = 8  # threads that answer Grafana
    bridge_deadline: float = 3.0  # seconds after which a node that does not answer costs a panel its series
    bridge_memory: int = 64  # MiB of answers that the bridge keeps for others who ask the same
    plaintext: bool = False  # true: the router may listen beyond loopback unencrypted, as behind a proxy
    tls_port: int = 0  # TLS listener for other machines, which serves the same; 0: none
    legacy_port: int = 0  # TLS listener for existing WAMP-CRA clients; 0: none
    tls_interface: str = ""  # where these two listen; default: on every address of IPv4
    tls_certificate: str = ""  # certificate chain of these listeners, PEM; default: of one's own authority
    tls_key: str = ""  # its private key, PEM
    hosts: str = ""  # further host names, comma-separated, under which router and bridge may be addressed
    origins: str = ""  # further web origins, comma-separated, whose pages may connect
    nodes: str = "weather,sensors,lsof,host,recorder"  # what `sisock up` starts
    connections: int = 4000  # connections that each listener of the router takes; those beyond are refused
    message_limit: int = 16 * 2**20  # bytes of the largest WAMP message
    ping_interval: float = 2.0  # seconds between pings of a connection
    ping_timeout: float = 3.0  # seconds without a pong after which it is given up
    deadline: float = 10.0  # seconds a call may take
    ring: int = 6 * 2**20  # bytes of recent samples a node keeps in memory
    journal: int = 256 * 2**20  # bytes of samples a node keeps on disk, in the state directory; 0: none
    journal_age: float = 7 * 86400.0  # seconds after which they go from there; 0: however old
    archive: str = ""  # where a recorder keeps the past of other nodes; default: archive/ in the state directory
    archive_segments: str = ""  # URL where its samples lie, s3://BUCKET/PATH; default: in that folder
    kafka: str = ""  # Kafka of nodes that stream there and name none, HOST:PORT,…; read by the hub
    kafka_topic: str = "sisock.{node}"  # their topics; {node} stands for a node's name
    log_level: str = "info"  # debug, info, warning, error
    config: Path = Path("sisock.toml")  # configuration of the data nodes, a table each

    @property
    def uris(self) -> Uris:
        """The URIs below the prefix."""
        return Uris(self.prefix)

    @property
    def trusted(self) -> str | None:
        """PEM file of the authority that the router's certificate has to be of; None: those that this system trusts."""
        enrolled = self.state / "ca.pem"
        return self.router_ca or (str(enrolled) if enrolled.is_file() else None)

    @property
    def url(self) -> str:
        """The router's WebSocket address: the one set, else the one that `sisock up` noted, else the default."""
        noted = self.state / "router.url"
        if self.router:
            return self.router
        return noted.read_text().strip() if noted.is_file() else f"ws://127.0.0.1:{self.router_port}/ws"


def read(**given: Any) -> Settings:
    """Settings from the environment, with those given (and not None) in their place.

    Raises ValueError with the name of the setting where a value cannot be read.
    """
    values: dict[str, Any] = {"state": _state()}
    for each in fields(Settings):
        text = os.environ.get(f"SISOCK_{each.name.upper()}")
        value = given.pop(each.name, None)
        if value is None and text is not None:
            value = text
        if value is not None:
            values[each.name] = _convert(each.name, value, type(each.default))
    if given:
        raise ValueError(f"unknown setting {min(given)!r}: see `sisock settings`")
    return Settings(**values)


def _convert(name: str, value: Any, kind: type[Any]) -> Any:
    if kind is bool and not isinstance(value, bool):
        if str(value).lower() not in _YES_NO:
            raise ValueError(f"SISOCK_{name.upper()}={value!r}: not true or false")
        return _YES_NO[str(value).lower()]
    try:
        converted: Any = kind(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(
            f"SISOCK_{name.upper()}={value!r}: not a valid {kind.__name__.removeprefix('Posix').lower()}"
        ) from error
    least, most = _BOUNDS.get(name, (0, sys.maxsize))
    if kind in (int, float) and not least <= converted <= most:
        raise ValueError(f"SISOCK_{name.upper()}={value!r}: not a number from {least} to {most}")
    if issubclass(kind, Path):
        return converted.expanduser()
    if name == "log_level" and converted not in _LEVELS:
        raise ValueError(f"SISOCK_{name.upper()}={value!r}: not one of {', '.join(_LEVELS)}")
    if name == "router" and converted and not is_address(converted):
        raise ValueError(
            f"SISOCK_ROUTER={value!r}: not a router's address, write ws://HOST:PORT/ws or wss://HOST:PORT/ws"
        )
    return converted


def is_address(text: str) -> bool:
    """True for what a client can connect to."""
    try:
        where = urlsplit(text)
        sound = where.scheme in ("ws", "wss") and bool(where.hostname) and where.port != 0
    except ValueError:  # its port, or an IPv6 address
        return False
    return sound and text.isprintable() and not set(text) & set(" #@")


def environment(settings: Settings) -> dict[str, str]:
    """The environment of a child process that shall see these settings (and nothing less than ours)."""
    given = {f"SISOCK_{each.name.upper()}": str(getattr(settings, each.name)) for each in fields(Settings)}
    return inherited(**given)


def inherited(**more: str) -> dict[str, str]:
    """The environment of a child process that shall see ours, and more."""
    return {**os.environ, **more}


def notify_socket() -> str:
    """Where systemd or `sisock up` listens for this process to be ready (NOTIFY_SOCKET); empty if nobody does."""
    return os.environ.get("NOTIFY_SOCKET", "")
