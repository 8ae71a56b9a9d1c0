"""Whose request comes next: what one caller asks for costs no other its answer."""

import contextlib
import http.client
import socket
import threading

import pytest

from sisock.web import connections
from sisock.web.turns import Caller, Turns
from tests.bridge import serving

PATIENCE = 20.0
THREADS = 8
GREEDY, MODEST, GUEST = (Caller("::1", "", name) for name in ("greedy", "modest", "guest"))
ELSEWHERE = Caller("::2", "", "greedy")


class Waiting:
    """A task of a caller."""

    def __init__(self, caller):
        self.caller = caller


def turns(*callers, threads=THREADS):
    made = Turns()
    made.threads = threads
    for each in callers:
        made.append(Waiting(each))
    return made


def begun(made):
    """Whose tasks begin until none may."""
    found = []
    while (next_one := made.begin()) is not None:
        assert next_one[0] == next_one[1].caller
        found.append(next_one[0])
    return found


@pytest.mark.parametrize(("threads", "most"), [(1, 1), (2, 1), (4, 3), (8, 6), (32, 24)])
def test_no_caller_has_all_threads(threads, most):
    made = turns(*[GREEDY] * 50, threads=threads)
    assert begun(made) == [GREEDY] * most
    assert len(made) == 50 - most


def test_the_last_threads_are_for_who_has_none():
    made = turns(*[GREEDY] * 50)
    begun(made)
    for each in (MODEST, GUEST, GUEST, ELSEWHERE):
        made.append(Waiting(each))
    assert begun(made) == [ELSEWHERE, MODEST]
    made.end(GREEDY)
    assert begun(made) == [GUEST]


def test_who_has_fewest_is_next_and_among_equals_who_has_waited_longest():
    made = turns(GREEDY, GREEDY, MODEST, GREEDY, GUEST, threads=100)
    assert begun(made) == [GREEDY, MODEST, GUEST, GREEDY, GREEDY]


def test_one_address_is_no_more_for_having_many_names():
    names = [Caller("::1", "", f"name {number}") for number in range(10)]
    made = turns(*names, ELSEWHERE, ELSEWHERE)
    assert begun(made)[:4].count(ELSEWHERE) == 2
    made = turns(*names)
    assert len(begun(made)) == THREADS - 1
    made.append(Waiting(ELSEWHERE))
    assert begun(made) == [ELSEWHERE]


def test_what_has_ended_is_forgotten():
    made = turns(*[GREEDY] * 8)
    for caller in begun(made):
        made.end(caller)
    assert begun(made) == [GREEDY] * 2
    assert len(made) == 0
    made.append(Waiting(MODEST))
    assert made.popleft().caller == MODEST
    with pytest.raises(IndexError):
        made.popleft()


# on the wire ------------------------------------------------------------------------------------


class Slow:
    """An application that answers `/slow` only when it is let go."""

    def __init__(self):
        self.let_go, self.begun, self.asked = threading.Event(), threading.Semaphore(0), []

    def __call__(self, environ, start_response):
        self.asked.append(environ["PATH_INFO"])
        if environ["PATH_INFO"] == "/slow":
            self.begun.release()
            self.let_go.wait(PATIENCE)
        start_response("200 OK", [("Content-Length", "0")])
        return []


@pytest.fixture
def slow():
    app = Slow()
    yield app
    app.let_go.set()


def asking(port, path, program, stack):
    connection = stack.enter_context(socket.create_connection(("127.0.0.1", port), PATIENCE))
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\nUser-Agent: {program}\r\n\r\n".encode())
    return connection


def test_who_asks_for_what_takes_long_keeps_no_other_waiting(slow):
    with serving(slow, THREADS, 100) as port, contextlib.ExitStack() as stack:
        for _ in range(3 * THREADS):
            asking(port, "/slow", "greedy", stack)
        for _ in range(6):
            assert slow.begun.acquire(timeout=PATIENCE)
        for _ in range(3):
            other = stack.enter_context(
                contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE))
            )
            other.request("GET", "/", headers={"User-Agent": "modest"})
            assert other.getresponse().status == 200
        slow.let_go.set()


def test_what_nobody_waits_for_any_more_is_not_asked(slow, monkeypatch):
    monkeypatch.setattr(connections, "_FORGOTTEN", 0.0)
    with serving(slow, 1, 100) as port, contextlib.ExitStack() as stack:
        asking(port, "/slow", "a", stack)
        assert slow.begun.acquire(timeout=PATIENCE)
        for _ in range(10):
            asking(port, "/cancelled", "a", stack).close()
        last = asking(port, "/waited-for", "a", stack)
        slow.let_go.set()
        assert last.recv(100).startswith(b"HTTP/1.1 200 ")
    assert slow.asked == ["/slow", "/waited-for"]
