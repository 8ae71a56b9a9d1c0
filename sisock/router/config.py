"""Crossbar's configuration: the template with the settings put in."""

import json
import re
from pathlib import Path
from typing import Any

from sisock import shipped
from sisock.interfaces import everywhere
from sisock.router.certificate import certificate
from sisock.router.doors import hosts, origins
from sisock.settings import Settings

SHADOW = Path(__file__).parent / "shadow"
_AUTHENTICATOR = {"type": "function", "create": "sisock.router.authenticator.create"}


def render(settings: Settings) -> dict[str, Any]:
    """Return the configuration of this router; the template's own additions are kept."""
    config: dict[str, Any] = json.loads(shipped.path("config.json").read_text(encoding="utf-8"))
    worker = config["workers"][0]
    worker["options"]["pythonpath"] = [str(SHADOW)]
    _realm(settings, worker)
    web = worker["transports"][0]
    web["max_connections"] = settings.connections
    web["endpoint"].update(interface=settings.interface, port=settings.router_port, **_version(settings))
    web["paths"]["/"]["extra"]["folder"] = str(_page())
    web["paths"]["ws"]["options"].update(_options(settings), allowed_origins=_patterns(settings))
    if settings.tls_port:
        worker["transports"].append(_encrypted(settings, web, settings.tls_port))
    if settings.legacy_port:
        worker["transports"].append(_legacy(settings, web))
    return config


def _realm(settings: Settings, worker: dict[str, Any]) -> None:
    realm = worker["realms"][0]
    realm["name"] = settings.realm
    for role in realm["roles"]:
        if "authorizer" in role:
            role["authorizer"] = settings.uris.authorize
        if role["name"] == "internal":
            role["permissions"][0]["uri"] = f"{settings.prefix}.router."
    worker["components"][0]["realm"] = settings.realm


def _options(settings: Settings) -> dict[str, int]:
    """WebSocket options that follow from the settings; Crossbar counts in ms."""
    return {
        "auto_ping_interval": round(settings.ping_interval * 1000),
        "auto_ping_timeout": round(settings.ping_timeout * 1000),
        "max_message_size": settings.message_limit,
        "max_frame_size": settings.message_limit,
    }


def _patterns(settings: Settings) -> list[str]:
    """Origins as patterns for Crossbar's own check, which writes IPv6 without brackets and cannot match hosts exactly.

    Where any address may be ours they let foreign pages by: sisock.router.connection has the last word.
    """
    spelled = [re.sub(r"[\[\]]", "", each) for each in origins(settings)]
    plain = [f"http://*:{settings.router_port}"] * everywhere(settings.interface)
    encrypted = [f"https://*:{settings.tls_port}"] * bool(settings.tls_port and everywhere(settings.tls_interface))
    return plain + encrypted + spelled


def _encrypted(settings: Settings, web: dict[str, Any], port: int) -> dict[str, Any]:
    """The same over TLS."""
    chain, key = certificate(settings, hosts(settings))
    endpoint = {**web["endpoint"], "interface": settings.tls_interface, "port": port}
    endpoint.pop("version", None)
    return {**web, "endpoint": {**endpoint, "tls": {"certificate": str(chain), "key": str(key)}}}


def _legacy(settings: Settings, web: dict[str, Any]) -> dict[str, Any]:
    """A TLS listener for existing clients: JSON too, and WAMP-CRA, but no page."""
    ws = web["paths"]["ws"]
    serializers = ["cbor", "msgpack", "json"]
    auth = {**ws["auth"], "wampcra": _AUTHENTICATOR}
    paths = {"/": {"type": "path", "paths": {}}, "ws": {**ws, "serializers": serializers, "auth": auth}}
    return {**_encrypted(settings, web, settings.legacy_port), "paths": paths}


def _version(settings: Settings) -> dict[str, int]:
    return {"version": 6} if ":" in settings.interface else {}


def _page() -> Path:
    try:
        return shipped.path("page")
    except FileNotFoundError:
        return Path(shipped.__file__).parent.parent / "js" / "dist"  # may be built while the router runs
