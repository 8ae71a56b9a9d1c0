"""A dashboard as Grafana reads it from a file."""

from collections.abc import Sequence
from typing import Any

TAG = "sisock"  # of every dashboard of ours
NODE_TAG = "sisock-node"  # of those of data nodes
_SCHEMA = 38  # of Grafana 10; later ones read it, too
_LINK = {
    "type": "dashboards",
    "title": "All of sisock",
    "tags": [TAG],
    "asDropdown": True,
    "includeVars": False,
    "keepTime": True,
    "targetBlank": False,
    "tooltip": "",
    "icon": "external link",
}
LIVE = ("now-1h", "now", "10s")  # from, to, and how often it is read again


def dashboard(
    uid: str, title: str, description: str, panels: Sequence[Any], *, tags: Sequence[str] = (),
    time: tuple[str, str, str] = LIVE, variables: Sequence[Any] = (), annotations: Sequence[Any] = (),
) -> dict[str, Any]:  # fmt: skip
    """The dashboard of this uid; `time`: from, to and refresh."""
    start, end, refresh = time
    return {
        "uid": uid,
        "title": title,
        "description": description,
        "tags": [TAG, *tags],
        "schemaVersion": _SCHEMA,
        "editable": True,
        "graphTooltip": 1,
        "time": {"from": start, "to": end},
        "timezone": "browser" if refresh else "utc",
        "refresh": refresh,
        "links": [_LINK],
        "annotations": {"list": list(annotations)},
        "templating": {"list": list(variables)},
        "panels": list(panels),
    }
