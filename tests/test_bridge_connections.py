"""Connections that are half open, slow or too large keep nobody else out of the bridge."""

import contextlib
import http.client
import json
import socket
import time

import pytest

from sisock.web import connections
from tests.bridge import serving

LARGEST = 10_000
PATIENCE = 20.0
ASKS_FIRST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x5\r\nExpect: 100-continue\r\n\r\n"


def app(environ, start_response):
    body = environ["wsgi.input"].read()
    answer = b"x" * 30_000_000 if environ["PATH_INFO"] == "/large" else str(len(body)).encode()
    start_response("200 OK", [("Content-Length", str(len(answer)))])
    return [answer]


@pytest.fixture
def port(monkeypatch):
    monkeypatch.setattr(connections, "_IDLE", 2.0)
    monkeypatch.setattr(connections, "_TAKEN", 2.0)
    with serving(app, 2, LARGEST, connections=40, arrival=1.0) as port:
        yield port


def ask(port, body=b"", **headers):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request("POST", "/", body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def half_open(port, stack, text=b"POST / HTTP/1.1\r\nHost: a\r\n", source="127.0.0.1"):
    connection = stack.enter_context(socket.create_connection(("127.0.0.1", port), PATIENCE, (source, 0)))
    connection.sendall(text)
    return connection


def test_half_sent_requests_keep_nobody_out():
    patient = serving(app, 2, LARGEST, connections=40, arrival=10 * PATIENCE)  # nobody waits until these are given up
    with patient as port, contextlib.ExitStack() as stack:
        for _ in range(110):
            half_open(port, stack)
        assert ask(port, b"abc") == (200, b"3")


def test_whoever_has_most_connections_makes_room_not_who_was_there_first():
    patient = serving(app, 2, LARGEST, connections=40, arrival=10 * PATIENCE)
    with patient as port, contextlib.ExitStack() as stack:
        slow = half_open(port, stack, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n", "127.0.0.3")
        ask(port)
        for _ in range(110):
            half_open(port, stack, source="127.0.0.2")
        assert ask(port, b"abc") == (200, b"3")
        slow.sendall(b"abc")
        assert slow.recv(100).startswith(b"HTTP/1.1 200 OK")


def test_a_request_that_trickles_in_is_given_up(port):
    with contextlib.ExitStack() as stack:
        connection = half_open(port, stack)
        connection.settimeout(0.1)
        began = time.monotonic()
        with contextlib.suppress(ConnectionError):
            while time.monotonic() - began < PATIENCE:
                connection.sendall(b"a")
                with contextlib.suppress(TimeoutError):
                    if connection.recv(100) == b"":
                        break
        assert 0.9 < time.monotonic() - began < PATIENCE


def test_answers_that_nobody_takes_cost_no_worker(port):
    with contextlib.ExitStack() as stack:
        for _ in range(4):
            half_open(port, stack, b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n" * 3)
        assert ask(port, b"abc") == (200, b"3")


def test_a_thread_does_not_wait_for_long_for_who_takes_nothing(port, monkeypatch):
    monkeypatch.setattr(connections, "_IDLE", 10 * PATIENCE)
    with contextlib.ExitStack() as stack:
        for _ in range(2):
            half_open(port, stack, b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
        assert ask(port, b"abc") == (200, b"3")


@pytest.mark.parametrize("size", [LARGEST, LARGEST + 1, 20_000_000])
def test_a_body_that_is_too_large_is_refused_in_a_sentence(port, size):
    status, answer = ask(port, b"x" * size)
    if size == LARGEST:
        assert (status, answer) == (200, str(size).encode())
    else:
        assert status == 413
        assert json.loads(answer) == {"error": f"a request may be {LARGEST} bytes long at the most"}


def test_a_body_in_pieces_that_is_too_large_is_refused_in_a_sentence(port):
    status, answer = ask(port, iter([b"x" * 1000] * 5000))
    assert (status, list(json.loads(answer))) == (413, ["error"])
    assert ask(port, iter([b"x" * 100] * 5)) == (200, b"500")


def test_who_asks_first_is_told_before_sending(port):
    with contextlib.ExitStack() as stack:
        head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999\r\nExpect: 100-continue\r\n\r\n"
        assert half_open(port, stack, head).recv(1000).startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize("rest", [b"Content-Length: 0\r\n\r\n", b"\r\n"])
def test_who_asks_first_and_sends_no_body_is_answered(port, rest):
    with contextlib.ExitStack() as stack:
        head = b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
        assert half_open(port, stack, head + rest).recv(1000).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    "text",
    [
        b"nonsense\r\n\r\n",
        ASKS_FIRST,
        b"GET / HTTP/1.1\r\na b: c\r\n\r\n",
        (b"GET / HTTP/1.1\r\na: " + b"b" * 2**15)[: 2**15],
    ],
)
def test_what_is_no_request_is_refused_in_a_sentence(port, text):
    with contextlib.ExitStack() as stack:
        answer = half_open(port, stack, text).makefile("rb").read()
        assert answer.startswith(b"HTTP/1.")
        assert list(json.loads(answer.partition(b"\r\n\r\n")[2])) == ["error"]
