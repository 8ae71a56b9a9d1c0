"""A dashboard as Grafana reads it from a file."""

from collections.abc import Sequence
from typing import Any

from sisock.grafana.doors import Door

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
_ANNOTATING = ("simplejson", "simpod")  # the doors that have annotations
_ANNOTATIONS = (  # name, question, colour
    ("nodes", "", "rgba(255, 96, 96, 1)"),
    ("alerts", "events with alert", "rgba(255, 152, 48, 1)"),
    ("commands", "events with command", "rgba(87, 148, 242, 1)"),
)
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


def annotations(doors: Sequence[Door]) -> list[dict[str, Any]]:
    """Nodes that come and go, and what nodes tell that are tagged `alert` or `command`.

    Through the first of the doors that has annotations: none where it is Prometheus or Infinity alone.
    """
    door = next((each for each in doors if each.name in _ANNOTATING), None)
    return [] if door is None else [_annotation(door, *each) for each in _ANNOTATIONS]


def _annotation(door: Door, name: str, asked: str, color: str) -> dict[str, Any]:
    known = {"name": name, "datasource": door.reference, "enable": True, "iconColor": color}
    if door.name == "simplejson":
        return {**known, "query": asked}
    return {**known, "target": {"refId": "Anno", "target": asked, "payload": {}, "editorMode": "code"}}
