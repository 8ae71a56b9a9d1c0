"""Connections, bounded in number, time and size, so that nobody can keep others out.

waitress itself stops to accept once it has its most connections, and takes a byte now and then for activity.
Here the connection that has waited longest, of the address that has most, gives way to the next one, and a request has a
time to arrive in.
"""

import json
import socket
import time
from collections import Counter
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, NamedTuple

from waitress.buffers import OverflowableBuffer  # type: ignore[import-untyped]  # waitress has no types
from waitress.channel import HTTPChannel  # type: ignore[import-untyped]
from waitress.parser import HTTPRequestParser  # type: ignore[import-untyped]
from waitress.server import TcpWSGIServer  # type: ignore[import-untyped]
from waitress.task import ErrorTask  # type: ignore[import-untyped]
from waitress.utilities import RequestEntityTooLarge  # type: ignore[import-untyped]

from sisock import interfaces
from sisock.web.turns import Caller, Dispatcher

_IDLE = 60  # seconds without a byte until a connection is closed
_TAKEN = 10.0  # seconds in which some of an answer has to be taken for which a thread waits
_FORGOTTEN = 1.0  # seconds of waiting after which to look whether somebody still waits for the answer
Refused = Callable[[str, Mapping[str, str], str], None]  # address, headers, sentence
_OF_STRANGERS = 65_536  # bytes of a body
_LONGEST_HEADER = 32 * 2**10  # bytes
_PIECE = 65_536  # bytes that are read at a time


class Limits(NamedTuple):
    """What requests may take."""

    largest: int  # bytes of a body
    connections: int = 400  # at a time
    arrival: float = 10.0  # seconds a request may take to arrive
    in_memory: int = 2**62  # bytes of a body; what is beyond lies in a file
    refused: Refused = lambda *_: None  # told of what came so wrong or so large that the app never has it
    admits: Callable[[str], bool] = lambda _: True  # whether who sends this Authorization may send large bodies
    peer: Callable[[str, int], str] = lambda host, _port: host  # the address of whoever comes from this host and port


class Request(HTTPRequestParser):  # type: ignore[misc]
    """A request as it arrives; a body that is too large is read to its end, for the refusal to be heard, not kept."""

    too_large = False
    expect_continue: bool
    error: Any

    def received(self, data: bytes) -> int:
        """Take what arrived; how many bytes of it belong to this request."""
        taken: int = super().received(data)
        most = self._most()
        if self.body_rcv is not None and len(self.body_rcv) > most:
            self.too_large = True
            self.body_rcv.buf.close()
            self.body_rcv.buf = OverflowableBuffer(self.adj.limits.largest)
        if self.expect_continue and self.content_length > most:  # whoever asks first is told before sending
            self.too_large = self.completed = True
            self.expect_continue = False
        if self.completed or self.error is not None:
            self.expect_continue = False  # who has said all, or is refused, is not told to go on first
        if self.completed and self.too_large and self.error is None:
            more = "" if most == self.adj.limits.largest else " without the token"
            self.error = RequestEntityTooLarge(f"a request may be {most} bytes long at the most{more}")
        return taken

    def _most(self) -> int:
        """Bytes that its body may have."""
        limits: Limits = self.adj.limits
        admitted = limits.largest <= _OF_STRANGERS or limits.admits(self.headers.get("AUTHORIZATION", ""))
        return limits.largest if admitted else _OF_STRANGERS


class Refusal(ErrorTask):  # type: ignore[misc]
    """A request that is not even a request, refused with a sentence as all others."""

    def execute(self) -> None:
        """Answer and close."""
        error = self.request.error
        self.channel.adj.limits.refused(str(self.channel.addr[0]), self.request.headers, str(error.body))
        body = json.dumps({"error": str(error.body)}).encode()
        self.status = f"{error.code} {HTTPStatus(error.code).phrase}"
        self.response_headers.append(("Content-Type", "application/json"))
        self.set_close_on_finish()
        self.content_length = len(body)
        self.write(body)


class Connection(HTTPChannel):  # type: ignore[misc]
    """One connection, which knows since when it has been waiting for the rest of a request."""

    parser_class = Request
    error_task_class = Refusal
    since = 0.0
    requests: list[Any]

    def __init__(self, server: Any, sock: socket.socket, addr: Any, adj: Any, map: Any = None) -> None:  # noqa: A002  # waitress's word
        """As waitress makes it, from the address of whoever is behind it."""
        peer = adj.limits.peer(str(addr[0]), int(addr[1]))
        super().__init__(server, sock, (peer, *addr[1:]), adj, map)
        self.sender = interfaces.sender(peer)

    @property
    def caller(self) -> Caller:
        """Who asks, by its next request."""
        said = self.requests[0].headers if self.requests else {}
        return Caller(self.sender, said.get("AUTHORIZATION", ""), said.get("USER_AGENT", ""))

    def service(self) -> None:
        """Answer the next request, unless whoever asked has gone while it waited."""
        if time.time() - self.last_activity < _FORGOTTEN or not self._is_left():
            super().service()
            return
        with self.requests_lock:
            self.close_when_flushed = True
            for each in self.requests:
                each.close()
            self.requests = []
        self.server.pull_trigger()

    def _is_left(self) -> bool:
        """Whether the other side has closed the connection; its requests are not read meanwhile."""
        try:
            return bool(self.socket.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b"")
        except BlockingIOError:
            return False
        except OSError:
            return True

    def received(self, data: bytes) -> Any:
        """Take what arrived."""
        before = self.request
        done = super().received(data)
        if self.request is not before:
            self.since = time.time()
        return done

    def write_soon(self, data: Any) -> Any:
        """Take a part of an answer; it is idle only from when there was something to send."""
        if not self.total_outbufs_len:
            self.last_activity = time.time()
        return super().write_soon(data)

    def readable(self) -> bool:
        """Whether to read. Once closed never, or the next connection would get what is meant for this one."""
        return bool(self.connected and super().readable())

    def writable(self) -> bool:
        """Whether to write; once closed never."""
        return bool(self.connected and super().writable())

    @property
    def waiting_since(self) -> float:
        """When the request began to arrive, or the last byte went either way where there is none."""
        return self.since if self.request is not None else float(self.last_activity)

    def is_stale(self, now: float) -> bool:
        """Whether to give it up: its request does not arrive, its answer is not taken, or nothing happens."""
        if self.requests and not self.total_outbufs_len:
            return False  # it is being answered
        late = self.request is not None and now - self.since > self.adj.limits.arrival
        return late or now - float(self.last_activity) > (_TAKEN if self.requests else _IDLE)


class Server(TcpWSGIServer):  # type: ignore[misc]
    """Keeps room for the next connection at any time."""

    channel_class = Connection

    def readable(self) -> Any:
        """Whether to accept; makes room first, before the connections are asked whether they read."""
        if len(self.active_channels) >= self.adj.limits.connections:
            there = list(self.active_channels.values())
            waiting, of = [each for each in there if not each.requests], Counter(each.sender for each in there)
            if waiting:
                min(waiting, key=lambda each: (-of[each.sender], each.waiting_since)).handle_close()
        return super().readable()

    def maintenance(self, now: float) -> None:
        """Close connections that are given up."""
        for each in list(self.active_channels.values()):
            if each.is_stale(now):
                each.handle_close()


def make_server(app: Callable[..., Any], listening: socket.socket, threads: int, limits: Limits) -> Server:
    """A server of the app on the socket, which answers in so many threads requests within the limits."""
    server = Server(
        app,
        _sock=listening,
        dispatcher=Dispatcher(threads),
        bind_socket=False,
        sockinfo=(listening.family, listening.type, listening.proto, listening.getsockname()),
        ident="sisock",
        connection_limit=2 * limits.connections,  # only reached where so many requests are being answered
        cleanup_interval=1,
        max_request_header_size=_LONGEST_HEADER,
        max_request_body_size=2**62,  # `Request` knows better
        inbuf_overflow=min(limits.in_memory, limits.largest),
        recv_bytes=_PIECE,
        asyncore_use_poll=True,
    )
    server.adj.limits = limits
    return server
