"""Sources that are addresses, asked of real servers: limits, tokens, certificates."""

import json
import os
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from data_nodes.sources.url import UrlError, fetch
from sisock.keys.authority import Authority
from tests.sources import at_work, data, until


class Server:
    """What the server answers, and what it was asked."""

    def __init__(self) -> None:
        self.answers = {"/": (200, b'{"temp": 20.5, "fans": {"cpu": 1200}}')}
        self.asked: list[tuple[str, str | None]] = []
        self.held, self.port = threading.Event(), 0


@contextmanager
def serving(tls: tuple[Path, Path] | None = None) -> Iterator[Server]:
    server = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            server.asked.append((self.path, self.headers["Authorization"]))
            if self.path == "/slow":
                server.held.wait(60)
            if self.path == "/drip":
                self.send_response(200)
                self.end_headers()
                while not server.held.wait(0.05):
                    self.wfile.write(b"x")
                    self.wfile.flush()
                return
            code, body = server.answers.get(self.path, (404, b""))
            self.send_response(code)
            if code == 302:
                self.send_header("Location", body.decode())
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:  # whoever asked has gone
            pass

    http = Quiet(("127.0.0.1", 0), Handler)
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*tls)
        http.socket = context.wrap_socket(http.socket, server_side=True, do_handshake_on_connect=False)
    server.port = http.server_port
    thread = threading.Thread(target=http.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.held.set()
        http.shutdown()
        http.server_close()
        thread.join(10)


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as made:
        yield made


def ask(server: Server, path: str = "/", timeout: float = 30, most: int = 10_000, **options: Path) -> bytes:
    return fetch(f"http://127.0.0.1:{server.port}{path}", timeout, most, **options)


async def test_what_an_address_answers_are_samples(server, tmp_path):
    table = f"url = 'http://127.0.0.1:{server.port}/'\ninterval = 0.05\n"
    async with at_work(tmp_path, table) as (service, published):
        await until(published, 2)
        found = await data(service, "temp", "fans/cpu")
        assert (found["temp"][0], found["fans/cpu"][0]) == (20.5, 1200)
        server.answers["/"] = 200, b"{}"
        assert (await published.health("failed"))["error"].startswith(
            "nothing of what came could be taken: there are no values"
        )
        server.answers["/"] = 500, b""
        await published.until(
            lambda frames: any(
                "answered 500" in str(f.columns["health.error"].values) for f in frames if "health.error" in f.columns
            )
        )


@pytest.mark.parametrize(
    ("path", "answer", "sentence"),
    [
        ("/no", None, "answered 404 Not Found"),
        ("/401", (401, b""), "answered 401 Unauthorized: give a token_file whose token may read it"),
        ("/big", (200, b"x" * 20_000), "answered more than 10000 bytes: raise most, or ask for less"),
        ("/moved", (302, b"https://elsewhere.example/x"), "is elsewhere, says the server: write url = 'https://elsewhere.example/x' instead"),
    ],
)  # fmt: skip
def test_what_is_no_answer_is_told(server, path, answer, sentence):
    if answer:
        server.answers[path] = answer
    with pytest.raises(UrlError) as error:
        ask(server, path)
    assert sentence in str(error.value)


@pytest.mark.parametrize("path", ["/slow", "/drip"])
def test_who_never_ends_to_answer_is_left_in_time(server, path):
    with pytest.raises(UrlError, match=r"had not answered after 0\.5 s"):
        ask(server, path, timeout=0.5)


GOOD = b"HTTP/1.1 200 OK\r\n"
DRIPPING = {
    "nothing": (b"", b""),
    "the first line": (b"HTTP/1.1 200 ", b"O"),
    "a header": (GOOD + b"X-Long: ", b"x"),
    "headers": (GOOD, b"X: 1\r\n"),
    "100 Continue": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "a body": (GOOD + b"\r\n", b"1"),
    "a body of known length": (GOOD + b"Content-Length: 9999\r\n\r\n", b"1"),
    "chunks": (GOOD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n1\r\n"),
    "the length of a chunk": (GOOD + b"Transfer-Encoding: chunked\r\n\r\n", b"0"),
    "a trailer": (GOOD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"X: 1\r\n"),
    "a redirect": (b"HTTP/1.1 302 Found\r\nLocation: /", b"x"),
}


@contextmanager
def dripping(first: bytes, then: bytes) -> Iterator[int]:
    """The port of a server that answers so, then drip by drip, for ever."""
    listening, over = socket.create_server(("127.0.0.1", 0)), threading.Event()

    def drip(connection: socket.socket) -> None:
        with connection, suppress(OSError):  # whoever asked has gone
            connection.recv(4096)
            connection.sendall(first)
            while not over.wait(0.05):
                connection.sendall(then)

    def serve() -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=drip, args=listening.accept()[:1], daemon=True).start()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listening.getsockname()[1]
    finally:
        over.set()
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join(10)


@pytest.mark.timeout(30)
@pytest.mark.parametrize("what", DRIPPING)
def test_who_drips_for_ever_is_left_in_time(what):
    with dripping(*DRIPPING[what]) as port, pytest.raises(UrlError, match=r"had not answered after 0\.7 s"):
        fetch(f"http://127.0.0.1:{port}/", 0.7, 10_000)


@pytest.mark.timeout(30)
def test_who_never_shakes_hands_is_left_in_time():
    with dripping(b"", b"") as port, pytest.raises(UrlError, match=r"had not answered after 0\.7 s"):
        fetch(f"https://127.0.0.1:{port}/", 0.7, 10_000)


@pytest.mark.timeout(30)
def test_who_takes_no_more_connections_is_left_in_time():
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listening, socket.socket() as first:
        first.connect(listening.getsockname())
        with pytest.raises(UrlError, match=r"had not answered after 0\.7 s"):
            fetch(f"http://127.0.0.1:{listening.getsockname()[1]}/", 0.7, 10_000)


def test_where_the_first_address_of_a_host_is_silent_the_next_one_is_asked(server, monkeypatch):
    with socket.create_server(("127.0.0.2", server.port), backlog=0) as silent, socket.socket() as first:
        first.connect(silent.getsockname())
        both = [(socket.AF_INET, socket.SOCK_STREAM, 0, "", (host, server.port)) for host in ("127.0.0.2", "127.0.0.1")]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: both)
        assert ask(server, timeout=3) == server.answers["/"][1]


async def test_a_sample_fails_where_a_server_drips(tmp_path):
    with dripping(*DRIPPING["100 Continue"]) as port:
        async with at_work(tmp_path, f"url = 'http://127.0.0.1:{port}/'\ninterval = 0.05\ntimeout = 0.3\n") as (
            _,
            published,
        ):
            error = (await published.health("failed"))["error"]
    assert error == f"http://127.0.0.1:{port}/ had not answered after 0.3 s"


def test_where_nobody_listens_is_told():
    with serving() as server:
        pass
    with pytest.raises(UrlError, match="cannot be asked: .*refused"):
        ask(server)


def test_a_token_is_sent_to_whom_it_was_given_for_only(server, tmp_path):
    token = tmp_path / "token"
    token.write_text("s3cret\n")
    ask(server, token_file=token)
    server.answers["/moved"] = 302, f"http://127.0.0.1:{server.port}/".encode()
    with pytest.raises(UrlError, match="is elsewhere"):
        ask(server, "/moved", token_file=token)
    assert server.asked == [("/", "Bearer s3cret"), ("/moved", "Bearer s3cret")]
    with pytest.raises(UrlError, match="a token is not sent to http://example.org/, where anybody can read it"):
        fetch("http://example.org/", 1, 1, token)
    token.write_text("")
    with pytest.raises(UrlError, match="holds no token"):
        ask(server, token_file=token)
    token.unlink()
    os.mkfifo(token)
    with pytest.raises(UrlError, match="is no file"):
        ask(server, token_file=token)


def test_a_certificate_has_to_be_of_an_authority_that_is_trusted(tmp_path):
    authority = Authority(tmp_path / "authority")
    authority.ensure("lab")
    files = tmp_path / "chain.pem", tmp_path / "key.pem"
    for file, text in zip(files, authority.issue(["127.0.0.1"]), strict=True):
        file.write_text(text)
    with serving(files) as server:
        url = f"https://127.0.0.1:{server.port}/"
        assert json.loads(fetch(url, 30, 10_000, ca_file=authority.root))["temp"] == 20.5
        with pytest.raises(UrlError, match="CERTIFICATE_VERIFY_FAILED"):
            fetch(url, 30, 10_000)
        with pytest.raises(UrlError, match="CERTIFICATE_VERIFY_FAILED"):
            fetch(f"https://localhost:{server.port}/", 30, 10_000, ca_file=authority.root)
