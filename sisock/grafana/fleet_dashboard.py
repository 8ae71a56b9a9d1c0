"""The dashboard of the fleet: which nodes are up, how old their newest samples are, how they are."""

from collections.abc import Sequence
from typing import Any

from sisock.grafana.annotations import annotations
from sisock.grafana.dashboards import NODE_TAG, dashboard
from sisock.grafana.doors import Door
from sisock.grafana.layout import WIDTH, Sized, laid_out
from sisock.grafana.panels import UP_AWAY, dashboards, series, stat, states, table
from sisock.grafana.promql import Target, prometheus, reference
from sisock.grafana.seen import NODE_UID, Seen

UID = "sisock-fleet"
_MOST_STATES = 100  # nodes in a panel of states
_TOOK = 'sisock{field="health.took"}'
_TIME = ("now-1h", "now", "30s")


def fleet_dashboard(nodes: Sequence[Seen], doors: Sequence[Door]) -> dict[str, Any]:
    """All nodes at a glance, each with a link to its own dashboard."""
    door, texts = doors[0], next((each for each in doors if each.texts), None)
    panels = _by_metrics(nodes, door) if door.name == "prometheus" else _by_fields(nodes, door)
    if texts and texts.texts:
        asked = _of_all(texts.texts, nodes, "health.state")
        panels.append(Sized(states("What nodes say of themselves", texts.reference, asked), WIDTH, 8))
    panels.append(Sized(dashboards("The dashboards of the nodes", NODE_TAG), WIDTH, 10))
    described = "Which data nodes are up or away, and how they are."
    return dashboard(
        UID,
        "sisock: all nodes",
        described,
        laid_out(panels, []),
        time=_TIME,
        annotations=annotations(doors),
    )


def _by_metrics(nodes: Sequence[Seen], door: Door) -> list[Sized]:
    source = door.reference
    return [
        Sized(stat("Up", source, [prometheus("sum(up)", "up", instant=True)]), 4, 4),
        Sized(stat("Away", source, [prometheus("count(up) - sum(up)", "away", instant=True)]), 4, 4),
        Sized(series("Time an attempt takes", source, [prometheus(_TOOK, "{{node}}")], "s"), 16, 8),
        Sized(_table(nodes, source), WIDTH, 10),
        Sized(states("Up or away", source, [prometheus("up", "{{node}}")], UP_AWAY), WIDTH, 10),
    ]


def _table(nodes: Sequence[Seen], source: dict[str, str]) -> dict[str, Any]:
    """A row for each node: state, age of its newest sample, how long its last attempt took."""
    asked = [
        prometheus(f"max by (node) ({each})", "", at, instant=True, table=True)
        for at, each in enumerate(("up", f"time() - timestamp({_TOOK})", _TOOK))
    ]
    names = {"node": "Node", "Value #A": "State", "Value #B": "Newest sample", "Value #C": "Attempt took"}
    order = {"node": 0, "Value #A": 1, "Value #B": 2, "Value #C": 3}
    steps = [
        {"id": "merge", "options": {}},
        {"id": "organize", "options": {"excludeByName": {"Time": True}, "renameByName": names, "indexByName": order}},
    ]
    return table("Nodes", source, asked, [*_columns(), *_links(nodes)], steps)


def _columns() -> list[dict[str, Any]]:
    return [
        _column("State", {"mappings": UP_AWAY, "custom.cellOptions": {"type": "color-text"}}),
        _column("Newest sample", {"unit": "s", "decimals": 0}),
        _column("Attempt took", {"unit": "s"}),
    ]


def _links(nodes: Sequence[Seen]) -> list[dict[str, Any]]:
    """A link in the cell of the name; none where a name is too long to be in a uid, as the list below has them all."""
    if any(node.uid != NODE_UID + node.name for node in nodes):
        return []
    link = {"title": "its dashboard", "url": f"/d/{NODE_UID}${{__data.fields.Node}}", "targetBlank": False}
    return [_column("Node", {"links": [link]})]


def _column(name: str, properties: dict[str, Any]) -> dict[str, Any]:
    listed = [{"id": each, "value": value} for each, value in properties.items()]
    return {"matcher": {"id": "byName", "options": name}, "properties": listed}


def _by_fields(nodes: Sequence[Seen], door: Door) -> list[Sized]:
    asked = _of_all(door.numbers, nodes, "health.took")
    return [Sized(series("Time an attempt takes", door.reference, asked, "s"), WIDTH, 8)]


def _of_all(ask: Any, nodes: Sequence[Seen], field: str) -> list[Target]:
    """The targets for one field of each node that has it, numbered anew."""
    there = [node for node in nodes if node.healthy][:_MOST_STATES]
    targets = [target for node in there for target in ask(node.name, [field])]
    return [{**target, "refId": reference(at)} for at, target in enumerate(targets)]
