"""A small HTTP server that stands for Grafana Live: takes what is pushed, and fails on demand."""

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

TOKEN = "glsa_of_a_service_account"


def token_file(folder: Path) -> Path:
    """A file with the token."""
    path = folder / "token"
    path.write_text(TOKEN + "\n")
    return path


def wait_for(what: Callable[[], object], seconds: float = 20.0) -> None:
    """Wait until `what()`."""
    until = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < until
        time.sleep(0.01)


class Push(NamedTuple):
    """What was pushed: path, headers, lines, and by which connection."""

    path: str
    headers: dict[str, str]
    body: bytes
    connection: int

    @property
    def lines(self) -> list[str]:
        return self.body.decode().splitlines()


class Live:
    """What came, and how the next requests are answered: `fail` takes a status, "cut" or "never"."""

    def __init__(self) -> None:
        self.pushes: list[Push] = []
        self.news = threading.Condition()
        self.failing: list[int | str] = []
        self.always: int | str | None = None
        self.released = threading.Event()
        self.port = 0
        self.connections = 0
        self._open: set[socket.socket] = set()

    @property
    def lines(self) -> list[str]:
        """All lines that were taken."""
        return [line for push in list(self.pushes) for line in push.lines]

    def wait(self, enough: Any, seconds: float = 20.0) -> None:
        """Wait until `enough()`."""
        with self.news:
            assert self.news.wait_for(enough, seconds), (len(self.pushes), self.lines[-3:])

    def how(self) -> int | str:
        """How this request is answered."""
        if self.always is not None:
            return self.always
        return self.failing.pop(0) if self.failing else 200

    def hang_up(self) -> None:
        """Break off all connections that are open."""
        for each in list(self._open):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


def _handler(live: Live) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            super().setup()
            live.connections += 1
            self.number = live.connections
            live._open.add(self.connection)

        def finish(self) -> None:
            live._open.discard(self.connection)
            with contextlib.suppress(OSError):
                super().finish()

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            how = live.how()
            if how == "never":
                live.released.wait(20)
            if how in ("cut", "never"):
                self.close_connection = True
                return
            status = how if self.headers["Authorization"] == f"Bearer {TOKEN}" else 401
            if status == 200:
                with live.news:
                    live.pushes.append(Push(self.path, dict(self.headers), body, self.number))
                    live.news.notify_all()
            told = b"{}" if status == 200 else b'{"message":"no"}'
            self.send_response(int(status))
            self.send_header("Content-Length", str(len(told)))
            self.end_headers()
            self.wfile.write(told)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    return Handler


@contextlib.contextmanager
def serving(port: int = 0, certificate: Path | None = None, live: Live | None = None) -> Iterator[Live]:
    """Grafana on loopback, over TLS with this certificate and key in one file."""
    live = live or Live()

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: Any) -> None:
            """Who hung up, hung up."""

    server = Server(("127.0.0.1", port), _handler(live))
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    live.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield live
    finally:
        live.released.set()
        server.shutdown()
        thread.join()
        live.hang_up()
        server.server_close()
