"""The node `ingest` at work on a free port, and a client of it."""

import contextlib
import http.client
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

from data_nodes.ingest.node import Ingest
from sisock.nodes import Service
from sisock.store.journal import Journal
from tests.nodes import Published, working


class Answer(NamedTuple):
    status: int
    body: Any
    headers: http.client.HTTPMessage


class Client(NamedTuple):
    port: int
    token: str

    def __call__(self, path: str, body: Any = b"", method: str = "POST", **headers: str) -> Answer:
        """Ask once; what is said as JSON."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        given = {"Authorization": f"Token {self.token}", **{k.replace("_", "-"): v for k, v in headers.items()}}
        with contextlib.closing(connection):
            connection.request(method, path, body.encode() if isinstance(body, str) else body, given)
            answer = connection.getresponse()
            told = answer.read()
        is_json = answer.headers.get("Content-Type", "").startswith("application/json")
        return Answer(answer.status, json.loads(told) if is_json else told, answer.headers)


class Running(NamedTuple):
    service: Service
    published: Published
    post: Client


@contextlib.asynccontextmanager
async def ingest(folder: Path, *, interval: float = 0.05, **options: Any) -> AsyncIterator[Running]:
    """The node on a free port with a journal in the folder, ready."""
    node = Ingest(**{"port": 0, **options})
    node.home, node.interval = folder, interval
    service = node.service(journal=lambda: Journal(folder / "ingest.sqlite", patient=True))
    async with working(service) as published:
        await published.until(lambda frames: node.port != 0)
        yield Running(service, published, Client(node.port, node.token()))
