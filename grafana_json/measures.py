"""How the bridge itself is doing, as Prometheus reads it at /metrics."""

import time
from collections.abc import Callable, Iterator

from flask import Flask, Response, g, request
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from grafana_json.directory import Directory
from grafana_json.sharing import Sharing
from grafana_json.source import Reply
from sisock.errors import ConsumerError, NoAnswer, NodeAway, NodeUnknown, NoHub

FORM = "text/plain; version=0.0.4; charset=utf-8"
_WHY = ((NoAnswer, "late"), (NodeAway, "away"), (NodeUnknown, "unknown"), (NoHub, "no hub"), (ConsumerError, "failed"))
_SECONDS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 3.0, 10.0)
_MOST_NODES = 1000  # with measures of their own; those beyond share the name ""


class Measures(Collector):
    """Counts what the bridge does; one for each bridge. Any thread may count."""

    def __init__(self) -> None:
        """Nothing is counted yet."""
        self.waiting: Callable[[], int] = lambda: 0  # requests that wait for a thread
        self._shared: Sharing | None = None
        self._directory: Directory | None = None
        self._nodes: set[str] = set()
        self._doors: dict[tuple[str, int], tuple[Counter, Histogram]] = {}
        self._registry = made = CollectorRegistry()
        named = ("sisock_bridge_requests", "Requests that were answered.", ["door", "status"])
        self._requests = Counter(*named, registry=made)
        named = ("sisock_bridge_request_seconds", "Seconds until an answer was ready.", ["door"])
        self._seconds = Histogram(*named, buckets=_SECONDS, registry=made)
        named = ("sisock_node_call_seconds", "Seconds until a data node had answered.", ["node"])
        self._calls = Histogram(*named, buckets=_SECONDS, registry=made)
        named = ("sisock_node_calls_failed", "Questions that a data node did not answer.", ["node", "why"])
        self._failed = Counter(*named, registry=made)
        made.register(self)

    def _of_door(self, door: str, status: int) -> tuple[Counter, Histogram]:
        """The measures of a door: looked up once, which costs more than to count."""
        made = self._doors.get((door, status))
        if made is None:
            made = self._requests.labels(door, str(status)), self._seconds.labels(door)
            self._doors[door, status] = made
        return made

    def watch(self, shared: Sharing, directory: Directory) -> None:
        """Tell of these, too."""
        self._shared, self._directory = shared, directory

    def answered(self, node: str, reply: Reply, seconds: float) -> None:
        """Count what a data node was asked. Names that nobody knows are made up by callers, and are not kept."""
        known = self._directory is not None and node in self._directory.nodes()
        name = node if known and (node in self._nodes or len(self._nodes) < _MOST_NODES) else ""
        self._nodes.add(name)
        self._calls.labels(name).observe(seconds)
        if isinstance(reply, ConsumerError):
            why = next(why for kind, why in _WHY if isinstance(reply, kind))
            self._failed.labels(name, why).inc()

    def collect(self) -> Iterator[Metric]:
        """What is so at the moment."""
        if self._shared is None or self._directory is None:
            return
        self._directory.at_hand()  # reads again what is old
        shared = CounterMetricFamily(
            "sisock_bridge_answers_shared", "Questions for which nobody was asked: the answer was there, or on its way."
        )
        shared.add_metric([], self._shared.shared)
        yield shared
        joined = int(self._shared.connected)
        yield GaugeMetricFamily("sisock_bridge_joined", "Whether the bridge is joined to the router.", joined)
        yield GaugeMetricFamily("sisock_bridge_waiting", "Requests that wait for a thread.", self.waiting())
        nodes = GaugeMetricFamily("sisock_nodes", "Data nodes that the hub lists.", labels=["state"])
        listed = [node.state for node in self._directory.nodes().values()]
        for state in ("up", "away"):
            nodes.add_metric([state], listed.count(state))
        yield nodes
        for name, value in self._directory.hub().items():
            yield GaugeMetricFamily(f"sisock_hub_{name}", _OF_THE_HUB.get(name, "As the hub tells."), value)

    def text(self) -> bytes:
        """All of it, in Prometheus's text format."""
        return generate_latest(self._registry)

    def count(self, app: Flask, paths: frozenset[str]) -> None:
        """Count the requests of the application; what is not one of its paths is one door, "other"."""

        @app.before_request
        def begin() -> None:
            g.began = time.perf_counter()

        @app.after_request
        def end(response: Response) -> Response:
            rule = request.url_rule.rule.replace("<", "{").replace(">", "}") if request.url_rule else ""
            door = rule if rule in paths else "other"
            requests, seconds = self._of_door(door, response.status_code)
            requests.inc()
            seconds.observe(time.perf_counter() - g.began)
            return response


_OF_THE_HUB = {
    "sessions": "Sessions at the router.",
    "news_waiting": "News of data nodes that wait to be told.",
    "refused": "Times that somebody was refused in the name of a principal.",
}
