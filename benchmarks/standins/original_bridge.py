"""A data node and a Grafana bridge that work the original's way: what benchmarks/bridge.py is measured against.

`original_bridge.py node URL FOLDER`: parses the text file at each request and answers lists, as JSON over WebSocket.
`original_bridge.py bridge URL PORT`: one reactor answers HTTP and calls the node; `json.dumps` of zipped pairs.
Both are Twisted in one thread, and do nothing else: no session check, no reduction, no labels, no sign-in.
"""

import json
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

from autobahn.twisted.wamp import ApplicationRunner, ApplicationSession
from autobahn.wamp.serializer import JsonSerializer
from twisted.internet import reactor
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Site

from sisock import notify

REALM = "test_realm"
PREFIX = "org.simonsobservatory.consumer"


class Node(ApplicationSession):  # type: ignore[misc]  # autobahn is not typed
    """Serves the two-column files of a folder as `weather`."""

    async def onJoin(self, details: Any) -> None:  # noqa: N802  # autobahn's name
        await self.register(self.get_data, f"{PREFIX}.weather.get_data")
        notify.ready()

    def get_data(self, fields: list[str], start: float, end: float, min_stride: float | None = None) -> dict[str, Any]:
        """All samples of the window, as lists; the file is in the order of time."""
        times, values = [], []
        with (Path(self.config.extra["folder"]) / f"{fields[0]}.dat").open() as file:
            for line in file:
                if line.startswith("#"):
                    continue
                at, value = line.split()
                t = float(at)
                if t >= end:
                    break
                if t >= start:
                    times.append(t)
                    values.append(float(value))
        return {"data": {fields[0]: values}, "timeline": {"samples": {"t": times, "finalized_until": None}}}


class Bridge(ApplicationSession):  # type: ignore[misc]  # autobahn is not typed
    """Answers Grafana as long as it is joined."""

    def onJoin(self, details: Any) -> None:  # noqa: N802  # autobahn's name
        reactor.listenTCP(self.config.extra["port"], Site(Query(self)), interface="127.0.0.1")
        notify.ready()


class Query(Resource):  # type: ignore[misc]  # Twisted is untyped to mypy here
    """POST of a SimpleJSON query."""

    isLeaf = True  # noqa: N815  # Twisted's name

    def __init__(self, session: Bridge) -> None:
        super().__init__()
        self._session = session

    def render_POST(self, request: Any) -> int:  # noqa: N802  # Twisted's name
        """Answer later, when the node has."""
        asked = json.loads(request.content.read())
        start, end = (datetime.fromisoformat(asked["range"][key]).timestamp() for key in ("from", "to"))
        target = asked["targets"][0]["target"]
        node, field = target.split("::")
        called = self._session.call(f"{PREFIX}.{node}.get_data", [field], start, end)
        called.addCallback(_answer, request, target, field)
        return int(NOT_DONE_YET)


def _answer(result: dict[str, Any], request: Any, target: str, field: str) -> None:
    times = [t * 1000 for t in result["timeline"]["samples"]["t"]]
    points = list(zip(result["data"][field], times, strict=True))
    request.setHeader(b"Content-Type", b"application/json")
    body = json.dumps([{"target": target, "datapoints": points}]).encode()
    request.setHeader(b"Content-Length", str(len(body)).encode())
    request.write(body)
    request.finish()


def main(what: str, url: str, argument: str) -> None:
    """Run until a signal ends it."""
    extra = {"folder": argument} if what == "node" else {"port": int(argument)}
    runner = ApplicationRunner(url, REALM, extra=extra, serializers=[JsonSerializer()])
    runner.run(Node if what == "node" else Bridge, auto_reconnect=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
