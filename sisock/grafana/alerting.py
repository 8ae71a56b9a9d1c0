"""Examples of alert rules on the Prometheus door, for Grafana's own alerting: all paused until somebody wants them.

Source: https://grafana.com/docs/grafana/latest/alerting/set-up/provision-alerting-resources/file-provisioning/
"""

from collections.abc import Sequence
from typing import Any

from sisock.grafana.dashboards import TAG
from sisock.grafana.doors import Door
from sisock.grafana.groups import of_type
from sisock.grafana.plain import untemplated
from sisock.grafana.promql import selector
from sisock.grafana.seen import Seen, uid

MOST_NODES = 50  # with a rule of their own
_EXPRESSIONS = "__expr__"  # Grafana's data source that computes
_LIMIT = 90.0  # of the example
_WINDOW = 600  # seconds that a rule looks back


def alerting(nodes: Sequence[Seen], door: Door) -> dict[str, Any]:
    """The file of rules: a node is away, a node brings nothing new, a field is above a limit."""
    live = [node for node in nodes if node.kind != "archive" and _heard(node)][:MOST_NODES]
    rules = [_away(door), *(_silent(node, door) for node in live), *(_above(node, door) for node in live[:1])]
    group = {"orgId": 1, "name": "sisock: examples", "folder": TAG, "interval": "1m", "rules": rules}
    return {"apiVersion": 1, "groups": [group]}


def _heard(node: Seen) -> str:
    """The field by which to see whether samples come; empty where the node has none that is a number."""
    return "health.took" if node.healthy else next(iter(of_type(node.fields, "number")), "")


def _away(door: Door) -> dict[str, Any]:
    told = "The data node {{ .Labels.node }} is away."
    return _rule("sisock-node-away", "Example: a node is away", door, "up", ("lt", 1.0), told, "2m", "NoData")


def _silent(node: Seen, door: Door) -> dict[str, Any]:
    """No sample at all is no data: that is what fires."""
    expression = f"count_over_time({selector(node.name, [_heard(node)])}[{_WINDOW}s])"
    told = f"The data node {node.name} has brought no sample for {_WINDOW // 60} minutes."
    title = f"Example: {node.name} brings nothing new"
    return _rule(uid("sisock-silent-", node.name), title, door, expression, ("lt", 1.0), told, "0s", "Alerting")


def _above(node: Seen, door: Door) -> dict[str, Any]:
    numbers = of_type(node.fields, "number")
    field = next((name for name in numbers if node.fields[name].units == "%"), (numbers or ["health.took"])[0])
    expression = f"max_over_time({selector(node.name, [field])}[5m])"
    told = f"{untemplated(field)} of {node.name} is above {_LIMIT:g}."
    title = f"Example: {field} of {node.name} is above {_LIMIT:g}"
    return _rule("sisock-above-limit", title, door, expression, ("gt", _LIMIT), told, "5m", "NoData")


def _rule(
    name: str, title: str, door: Door, expression: str, condition: tuple[str, float], told: str, wait: str, without: str
) -> dict[str, Any]:
    """A rule as Grafana provisions it: the query A, and B, which is 1 where A meets the condition."""
    return {
        "uid": name,
        "title": _literal(title),
        "condition": "B",
        "data": [_query(door, expression), _threshold(*condition)],
        "noDataState": without,
        "execErrState": "Error",
        "for": wait,
        "isPaused": True,
        "annotations": {"summary": _literal(told)},
        "labels": {"from": TAG},
    }


def _literal(text: str) -> str:
    """The text without a variable of the environment in it: Grafana would put its value there."""
    return text.replace("$", "$$")


def _query(door: Door, expression: str) -> dict[str, Any]:
    model = {
        "refId": "A",
        "datasource": door.reference,
        "expr": expression,
        "instant": True,
        "range": False,
        "editorMode": "code",
        "intervalMs": 1000,
        "maxDataPoints": 43200,
    }
    return {
        "refId": "A",
        "relativeTimeRange": {"from": _WINDOW, "to": 0},
        "datasourceUid": door.uid,
        "model": model,
    }


def _threshold(kind: str, limit: float) -> dict[str, Any]:
    evaluator = {"type": kind, "params": [limit]}
    model = {
        "refId": "B",
        "type": "threshold",
        "datasource": {"type": _EXPRESSIONS, "uid": _EXPRESSIONS},
        "expression": "A",
        "conditions": [{"type": "query", "evaluator": evaluator}],
    }
    return {
        "refId": "B",
        "relativeTimeRange": {"from": _WINDOW, "to": 0},
        "datasourceUid": _EXPRESSIONS,
        "model": model,
    }
