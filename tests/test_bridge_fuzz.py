"""Thousands of senseless requests to every door of the bridge: each is answered soon, in a sentence, as described.

`HOSTILE_CALLS` of the environment says how many each door gets, `HOSTILE_SEED` which.
"""

import contextlib
import logging
import os
import socket
import time
from collections.abc import Iterator
from http.client import HTTPException, HTTPResponse
from io import BytesIO
from zlib import MAX_WBITS, decompress

import orjson
import psutil
import pytest
import zstandard
from flask import Flask
from werkzeug.test import run_wsgi_app

from grafana_json import openapi
from grafana_json.app import create_app
from grafana_json.exchange import LARGEST_REQUEST
from grafana_json.measures import FORM
from sisock.settings import Settings
from tests.bridge import serving
from tests.described import Described
from tests.memory import memory
from tests.mutations import ADDRESSED, GETS, SOUND, Asked, raw, request

CALLS_EACH = int(os.environ.get("HOSTILE_CALLS", "2000"))
RAW_EACH = CALLS_EACH // 10
SEED = int(os.environ.get("HOSTILE_SEED", "1"))
SOON = 5.0  # seconds of a single answer: a second on a machine that does nothing else
GROWTH = 50 * 2**20  # bytes
LONGEST_JUDGED = 20_000  # bytes of an answer: to hold much longer ones against the description takes too long
PATIENCE = 20.0
FORMS = ("text/csv; charset=utf-8; header=present", "application/vnd.apache.arrow.stream", FORM)

pytestmark = pytest.mark.timeout(120 + CALLS_EACH // 20)


@pytest.fixture(scope="module")
def app() -> Iterator[Flask]:
    source = memory()
    app = create_app(source, Settings(bridge_deadline=0.5))
    assert app.test_client().get("/api/nodes?format=arrow").status_code == 200  # what is loaded once is not kept memory
    yield app
    source.let_go.set()


@pytest.fixture(scope="module")
def described() -> Described:
    return Described(openapi.describe(guarded=False))


@pytest.fixture(autouse=True)
def quiet_and_small(app: Flask, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """That no error is logged and no memory kept."""
    before = psutil.Process().memory_info().rss
    with caplog.at_level(logging.ERROR):
        yield
    assert [record.getMessage() for record in caplog.get_records("call")] == [], f"HOSTILE_SEED={SEED}"
    assert psutil.Process().memory_info().rss - before < GROWTH, f"HOSTILE_SEED={SEED}"


def ask(app: Flask, asked: Asked) -> tuple[int, dict[str, str], bytes]:
    """What the application answers to a request that has come through the connections."""
    path, _, query = asked.path.partition("?")
    environ = {
        "REQUEST_METHOD": asked.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": path.encode("utf-8", "replace").decode("latin-1"),
        "QUERY_STRING": query.encode("utf-8", "replace").decode("latin-1"),
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "5000",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "CONTENT_LENGTH": str(len(asked.body)),
        "wsgi.url_scheme": "http",
        "wsgi.input": BytesIO(asked.body),
        "wsgi.input_terminated": True,
    }
    for name, value in asked.headers:
        key = name.upper().replace("-", "_")
        environ["CONTENT_TYPE" if key == "CONTENT_TYPE" else f"HTTP_{key}"] = value.encode().decode("latin-1")
    body, status, headers = run_wsgi_app(app, environ, buffered=True)
    return int(status.split()[0]), dict(headers), plain(b"".join(body), headers.get("Content-Encoding"))


def plain(body: bytes, coding: str | None) -> bytes:
    """The body as it was before it was compressed."""
    if coding is None or not body:
        return body
    return decompress(body, MAX_WBITS | 16) if coding == "gzip" else zstandard.decompress(body, max_output_size=10**9)


def seconds(app: Flask, asked: Asked) -> float:
    began = time.perf_counter()
    ask(app, asked)
    return time.perf_counter() - began


def judge(described: Described, asked: Asked, status: int, headers: dict[str, str], body: bytes) -> None:
    """Fail where the answer is not as described."""
    path = asked.path.partition("?")[0]
    methods = ("GET",) if path in GETS else ("GET", "POST") if path in ADDRESSED else ("POST",)
    if path not in SOUND or asked.method not in ("OPTIONS", *methods):
        assert status in (200, 204, 304, 400, 401, 403, 404, 405, 406, 413, 415, 431, 501, 503)
        assert asked.method == "HEAD" or status in (200, 204) or list(orjson.loads(body)) == ["error"]
        return
    operation = described.operation(path, asked.method)
    if status in (204, 304):
        assert body == b""
        assert operation.trouble_answered(status, None) is None
        return
    if status == 200 and headers["Content-Type"] != "application/json":
        forms = described.document["paths"][path][asked.method.lower()]["responses"]["200"]["content"]
        assert headers["Content-Type"].partition(";")[0] in forms
        return
    assert headers["Content-Type"] == "application/json"
    if len(body) < LONGEST_JUDGED:
        assert operation.trouble_answered(status, orjson.loads(body)) is None
    if status == 200 and asked.method == "POST" and len(asked.body) < LONGEST_JUDGED and path != "/tag-keys":
        assert operation.trouble_asked(orjson.loads(asked.body) if asked.body.strip() else {}) is None


@pytest.mark.parametrize("path", SOUND)
def test_every_request_is_answered_soon_and_as_described(app: Flask, described: Described, path: str) -> None:
    statuses: dict[int, int] = {}
    for number in range(CALLS_EACH):
        asked = request(path, SEED, number)
        began = time.perf_counter()
        status, headers, body = ask(app, asked)
        took = time.perf_counter() - began
        statuses[status] = statuses.get(status, 0) + 1
        try:
            judge(described, asked, status, headers, body)
            assert took < SOON or min(seconds(app, asked) for _ in range(3)) < SOON
        except (AssertionError, ValueError) as error:
            error.add_note(
                f"HOSTILE_SEED={SEED}, request {number} to {path}: {asked!r:.2000} is {status} {body!r:.500}"
            )
            raise
    assert statuses[200] > CALLS_EACH / 50, f"hardly a request of {statuses} came as far as the answers"


@pytest.mark.parametrize("path", SOUND)
def test_bytes_that_are_hardly_http_get_an_answer_or_an_end(app: Flask, path: str) -> None:
    with serving(app, 4, LARGEST_REQUEST) as port:
        answered = 0
        for number in range(RAW_EACH):
            began = time.perf_counter()
            said = raw(path, SEED, number)
            answers = tell(port, said)
            try:
                assert time.perf_counter() - began < PATIENCE
                answered += judge_raw(answers)
            except (AssertionError, ValueError, HTTPException) as error:
                error.add_note(f"HOSTILE_SEED={SEED}, bytes {number} to {path}: {said!r:.2000} are {answers!r:.500}")
                raise
        assert answered > RAW_EACH / 3
        assert tell(port, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").startswith(b"HTTP/1.1 200 ")


def tell(port: int, said: bytes) -> bytes:
    """All that comes back, to the end of the connection."""
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as connection:
        with contextlib.suppress(OSError):  # refused before all of it was said
            connection.sendall(said)
            connection.shutdown(socket.SHUT_WR)
        heard = b""
        with contextlib.suppress(ConnectionError):
            while part := connection.recv(2**16):
                heard += part
        return heard


class Heard(BytesIO):
    """Bytes as http.client reads them of a socket."""

    def makefile(self, mode: str) -> BytesIO:
        return self


def judge_raw(answers: bytes) -> bool:
    """Whether there is an answer; fail where it is none of HTTP, or the bridge's own error."""
    if not answers:
        return False
    answer = HTTPResponse(Heard(answers))  # type: ignore[arg-type]
    answer.begin()
    assert answer.status < 500 or answer.status in (501, 503)
    kind = answer.getheader("Content-Type")
    assert answer.status == 204 or kind == "application/json" or (answer.status == 200 and kind in FORMS)
    return True
