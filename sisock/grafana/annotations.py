"""What dashboards mark over their graphs: nodes that come and go, alerts, commands."""

from collections.abc import Sequence
from typing import Any

from sisock.grafana.doors import Door
from sisock.grafana.promql import prometheus, quoted

_RED, _ORANGE, _BLUE = "rgba(255, 96, 96, 1)", "rgba(255, 152, 48, 1)", "rgba(87, 148, 242, 1)"
_TOLD = (("alerts", "alert", _ORANGE), ("commands", "command", _BLUE))  # of nodes with these tags
_STEP = "60s"  # within which Grafana takes samples that are true for one stretch


def annotations(doors: Sequence[Door], node: str = "") -> list[dict[str, Any]]:
    """Nodes that come and go, one where it is named, and what nodes tell that are tagged `alert` or `command`.

    Through the first door of the JSON plugins, which tell texts and exact times; else through Prometheus, by which
    booleans are stretches; none where there is neither.
    """
    by_name = {door.name: door for door in doors}
    if "simplejson" in by_name or "simpod" in by_name:
        door = next(each for each in doors if each.name in ("simplejson", "simpod"))
        nodes = _asked(door, "nodes", node, _RED)
        return [nodes, *(_asked(door, name, f"events with {tag}", color) for name, tag, color in _TOLD)]
    if "prometheus" in by_name:
        door = by_name["prometheus"]
        away = f"1 - up{{node={quoted(node)}}}" if node else "1 - up"
        return [
            _computed(door, "nodes away", away, "{{node}} is away", _RED),
            *(_computed(door, name, _true_of(tag), "{{node}} {{field}}", color) for name, tag, color in _TOLD),
        ]
    return []


def _asked(door: Door, name: str, asked: str, color: str) -> dict[str, Any]:
    if door.name == "simplejson":
        return {**_known(door, name, color), "query": asked}
    target = {"refId": "Anno", "target": asked, "payload": {}, "editorMode": "code"}
    return {**_known(door, name, color), "target": target}


def _computed(door: Door, name: str, expression: str, title: str, color: str) -> dict[str, Any]:
    """What is above zero is marked; older Grafanas look for the expression beside the target."""
    asked = {**prometheus(expression, title), "refId": "Anno"}
    told = {"expr": expression, "step": _STEP, "titleFormat": title, "textFormat": "", "tagKeys": "node,field"}
    return {**_known(door, name, color), "target": asked, **told}


def _true_of(tag: str) -> str:
    """Where a boolean of a node with the tag was true within a step; numbers have units, as a rule, or other values."""
    return f'max_over_time(sisock{{tags=~".*,{tag},.*",unit=""}}[$__interval]) == 1'


def _known(door: Door, name: str, color: str) -> dict[str, Any]:
    return {"name": name, "datasource": door.reference, "enable": True, "iconColor": color}
