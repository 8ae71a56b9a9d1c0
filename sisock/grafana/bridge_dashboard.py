"""The dashboard of sisock itself: what its bridge measures of its own work and of the nodes it asks.

The measures stand at the bridge's `/metrics`; a Prometheus has to scrape them, and is chosen at the top.
"""

from typing import Any

from sisock.grafana.dashboards import dashboard
from sisock.grafana.layout import WIDTH, Sized, laid_out
from sisock.grafana.panels import series, stat, words
from sisock.grafana.promql import prometheus

UID = "sisock-bridge"
_SOURCE = {"type": "prometheus", "uid": "${metrics}"}
_VARIABLE = {
    "name": "metrics",
    "label": "Prometheus that scrapes the bridge",
    "type": "datasource",
    "query": "prometheus",
    "regex": "/^(?!sisock$).*/",
    "refresh": 1,
    "hide": 0,
    "includeAll": False,
    "multi": False,
    "options": [],
}
_HELP = """These are the bridge's own measures, which it offers at `/metrics`. The Prometheus chosen above has to scrape them:

    scrape_configs:
      - job_name: sisock
        authorization: {credentials_file: /path/to/bridge.token}
        static_configs: [{targets: ["BRIDGE:5000"]}]
"""
_PER_SECOND = "[$__rate_interval]"


def bridge_dashboard() -> dict[str, Any]:
    """Requests, how long they and the nodes take, what failed, and who is joined."""
    top = [
        Sized(stat("Joined to the router", _SOURCE, [prometheus("sisock_bridge_joined", "", instant=True)]), 6, 4),
        Sized(stat("Nodes", _SOURCE, [prometheus("sisock_nodes", "{{state}}", instant=True)]), 6, 4),
        Sized(stat("Requests that wait", _SOURCE, [prometheus("sisock_bridge_waiting", "", instant=True)]), 6, 4),
        Sized(_shared(), 6, 4),
    ]
    return dashboard(
        UID,
        "sisock: the bridge",
        "How the bridge is doing, measured by itself.",
        laid_out([*top, *_lines(), Sized(words("Where this comes from", _HELP), WIDTH, 7)], []),
        time=("now-6h", "now", "30s"),
        variables=[_VARIABLE],
    )


def _shared() -> dict[str, Any]:
    asked = prometheus(f"rate(sisock_bridge_answers_shared_total{_PER_SECOND})", "", instant=True)
    return stat("Answers shared by several askers", _SOURCE, [asked], unit="reqps")


def _lines() -> list[Sized]:
    by_door = f"sum by (door, status) (rate(sisock_bridge_requests_total{_PER_SECOND}))"
    failed = f"sum by (node, why) (rate(sisock_node_calls_failed_total{_PER_SECOND}))"
    return [
        Sized(series("Requests", _SOURCE, [prometheus(by_door, "{{door}} {{status}}")], "reqps")),
        Sized(series("Answered within (95 of 100)", _SOURCE, [_within("sisock_bridge_request_seconds", "door")], "s")),
        Sized(series("Nodes answer within (95 of 100)", _SOURCE, [_within("sisock_node_call_seconds", "node")], "s")),
        Sized(series("Nodes that did not answer", _SOURCE, [prometheus(failed, "{{node}} {{why}}")], "reqps")),
    ]


def _within(metric: str, label: str) -> dict[str, Any]:
    rates = f"sum by (le, {label}) (rate({metric}_bucket{_PER_SECOND}))"
    return prometheus(f"histogram_quantile(0.95, {rates})", f"{{{{{label}}}}}")
