"""Data sources and the provider of dashboards, as Grafana is provisioned with them.

Source: https://grafana.com/docs/grafana/latest/administration/provisioning/
"""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from sisock.grafana.dashboards import TAG
from sisock.grafana.doors import Door

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Bridge(NamedTuple):
    """Where Grafana reaches the bridge, and where it finds the token: a text that Grafana replaces, never the token."""

    url: str
    token: str | None = None


def token_in_file(path: str) -> str:
    """The token as the content of a file that Grafana reads; raises ValueError where the path cannot be written so."""
    if not path.startswith("/") or not path.isprintable() or set(path) & set("{}$"):
        raise ValueError(
            f"{path!r:.200} is no path that Grafana can be told: give an absolute one without {{, }} and $"
        )
    return f"$__file{{{path}}}"


def token_in_environment(name: str) -> str:
    """The token as a variable of Grafana's environment; raises ValueError where that is no name of one."""
    if not _VARIABLE.fullmatch(name):
        raise ValueError(f"{name!r:.80} cannot name an environment variable: use letters, digits and _")
    return f"$__env{{{name}}}"


def data_sources(doors: Sequence[Door], bridge: Bridge) -> dict[str, Any]:
    """The file of data sources: one for each door, the first of them Grafana's default."""
    return {"apiVersion": 1, "datasources": [_source(door, bridge, default=door is doors[0]) for door in doors]}


def _source(door: Door, bridge: Bridge, *, default: bool) -> dict[str, Any]:
    url = bridge.url.replace("$", "$$")
    more: dict[str, Any] = {}
    if door.name == "prometheus":
        more = {"httpMethod": "POST", "prometheusType": "Prometheus", "timeInterval": "1s"}
    elif door.name == "infinity":
        more = {"allowedHosts": [url]}
    source: dict[str, Any] = {
        "name": door.title,
        "uid": door.uid,
        "type": door.type,
        "access": "proxy",
        "url": url,
        "isDefault": default,
        "editable": False,
    }
    if bridge.token is None:
        return {**source, "jsonData": more} if more else source
    return {
        **source,
        "jsonData": {**more, "httpHeaderName1": "Authorization"},
        "secureJsonData": {"httpHeaderValue1": f"Bearer {bridge.token}"},
    }


def provider(folder: str) -> dict[str, Any]:
    """The file that tells Grafana where the dashboards are, in this folder; what it loads is not edited there."""
    return {
        "apiVersion": 1,
        "providers": [
            {
                "name": TAG,
                "orgId": 1,
                "folder": TAG,
                "type": "file",
                "disableDeletion": False,
                "updateIntervalSeconds": 10,
                "allowUiUpdates": False,
                "options": {"path": folder.replace("$", "$$")},
            }
        ],
    }
