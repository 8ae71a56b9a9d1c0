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
    web["endpoint"].update(interface=settings.interface, port=settings.router_port, **_version(settings))
    web["paths"]["/"]["extra"]["folder"] = str(_page())
    web["paths"]["ws"]["options"].update(_options(settings), allowed_origins=_patterns(settings))
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
    return [f"http://*:{settings.router_port}"] * everywhere(settings.interface) + spelled


def _legacy(settings: Settings, web: dict[str, Any]) -> dict[str, Any]:
    """A TLS listener for existing clients: JSON too, and WAMP-CRA."""
    chain, key = certificate(settings, hosts(settings))
    ws = web["paths"]["ws"]
    serializers = ["cbor", "msgpack", "json"]
    auth = {**ws["auth"], "wampcra": _AUTHENTICATOR}
    tls = {"certificate": str(chain), "key": str(key)}
    return {
        **web,
        "endpoint": {**web["endpoint"], "port": settings.legacy_port, "tls": tls},
        "paths": {"/": {"type": "path", "paths": {}}, "ws": {**ws, "serializers": serializers, "auth": auth}},
    }


def _version(settings: Settings) -> dict[str, int]:
    return {"version": 6} if ":" in settings.interface else {}


def _page() -> Path:
    try:
        return shipped.path("page")
    except FileNotFoundError:
        return Path(shipped.__file__).parent.parent / "js" / "dist"  # may be built while the router runs
