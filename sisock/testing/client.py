"""A plain blocking WAMP client that can also say what no decent client would."""

import base64
import contextlib
import hashlib
import hmac
import itertools
import json
import os
import socket
import ssl
import struct
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import cbor2
from nacl.signing import SigningKey

from sisock.keys import Key
from sisock.keys.key import Shown

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
_ROLES: dict[str, dict[str, Any]] = {role: {} for role in ("caller", "callee", "publisher", "subscriber")}


class HandshakeRefused(Exception):
    """The router refused the WebSocket; `status` is its HTTP status."""

    def __init__(self, status: int) -> None:
        super().__init__(f"the router refused the WebSocket with HTTP status {status}")
        self.status = status


class Refused(Exception):
    """An error or abort that came back: `uri`, and its arguments."""

    def __init__(self, uri: str, arguments: list[Any]) -> None:
        super().__init__(uri, *arguments)
        self.uri = uri
        self.arguments = arguments


class Client:
    """One connection. Every method blocks, at most `timeout` seconds for each message."""

    def __init__(
        self,
        url: str,
        *,
        host: str | None = None,
        origin: str | None = None,
        serializer: str = "cbor",
        ca: Path | None = None,
        show: Shown | None = None,
        timeout: float = 10.0,
    ) -> None:
        parts = urlsplit(url)
        self._json = serializer == "json"
        self._buffer = b""
        self._requests = itertools.count(1)
        self.session = 0  # the session's id, once it has joined
        self.events: list[list[Any]] = []  # EVENT messages that came while another answer was awaited
        self.socket = socket.create_connection((parts.hostname or "", parts.port or 80), timeout)
        try:
            if parts.scheme == "wss":
                context = ssl.create_default_context(cafile=ca)
                if show is not None:
                    context.load_cert_chain(show.chain, show.key)
                self.socket = context.wrap_socket(self.socket, server_hostname=parts.hostname)
            self._handshake(parts.path, host or parts.netloc, origin, f"wamp.2.{serializer}")
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Drop the connection."""
        self.socket.close()

    def join(self, realm: str, authid: str, key: Key) -> dict[str, Any]:
        """Sign in with a key; return the welcome's details, or raise Refused."""

        def sign(extra: dict[str, Any]) -> str:
            signed = SigningKey(bytes.fromhex(key.private)).sign(bytes.fromhex(extra["challenge"]))
            return signed.signature.hex() + str(extra["challenge"])

        return self._join(realm, authid, "cryptosign", sign, {"pubkey": key.public})

    def join_anonymously(self, realm: str) -> dict[str, Any]:
        """Join where anybody may; return the welcome's details, or raise Refused."""
        return self._join(realm, None, "anonymous", str)

    def join_with_token(self, realm: str, authid: str, token: str) -> dict[str, Any]:
        """Sign in with a ticket; return the welcome's details, or raise Refused."""
        return self._join(realm, authid, "ticket", lambda _: token)

    def join_with_secret(self, realm: str, authid: str, secret: str) -> dict[str, Any]:
        """Sign in by WAMP-CRA; return the welcome's details, or raise Refused."""

        def sign(extra: dict[str, Any]) -> str:
            digest = hmac.new(secret.encode(), extra["challenge"].encode(), hashlib.sha256).digest()
            return base64.b64encode(digest).decode()

        return self._join(realm, authid, "wampcra", sign)

    def call(self, uri: str, *args: Any, options: dict[str, Any] | None = None, **kwargs: Any) -> Any:
        """Return the first positional result."""
        answer = self._ask([48, next(self._requests), options or {}, uri, list(args), kwargs])
        return answer[3][0] if len(answer) > 3 and answer[3] else None

    def register(self, uri: str, **options: Any) -> int:
        """Return the registration's id."""
        return int(self._ask([64, next(self._requests), options, uri])[2])

    def subscribe(self, uri: str, **options: Any) -> int:
        """Return the subscription's id."""
        return int(self._ask([32, next(self._requests), options, uri])[2])

    def publish(self, uri: str, *args: Any, **options: Any) -> int:
        """Return the publication's id."""
        return int(self._ask([16, next(self._requests), {"acknowledge": True, **options}, uri, list(args)])[2])

    def send(self, message: list[Any]) -> None:
        """Send a WAMP message."""
        payload = json.dumps(message).encode() if self._json else cbor2.dumps(message)
        self.send_frame(payload, TEXT if self._json else BINARY)

    def receive(self) -> list[Any]:
        """Return the next WAMP message; raise ConnectionError where the router closed."""
        while True:
            opcode, payload = self._frame()
            if opcode == PING:
                self.send_frame(payload, PONG)
            elif opcode == CLOSE:
                raise ConnectionResetError(f"the router closed: {payload[2:].decode(errors='replace')}")
            elif opcode in (TEXT, BINARY):
                return list(json.loads(payload) if self._json else cbor2.loads(payload))

    def send_frame(self, payload: bytes, opcode: int = BINARY) -> None:
        """Send a WebSocket frame."""
        size = len(payload)
        length = (
            struct.pack("!B", 0x80 | size)
            if size < 126
            else struct.pack("!BH", 0x80 | 126, size)
            if size < 65536
            else struct.pack("!BQ", 0x80 | 127, size)
        )
        mask = b"\0\0\0\0"  # masking is for proxies; a mask of zeros is a valid one
        self.socket.sendall(bytes([0x80 | opcode]) + length + mask + payload)

    def closed(self) -> bool:
        """Wait until the router closes the connection; False if it does not in time."""
        with contextlib.suppress(ConnectionError):
            try:
                while True:
                    self.receive()
            except TimeoutError:
                return False
        return True

    def _handshake(self, path: str, host: str, origin: str | None, protocol: str) -> None:
        key = base64.b64encode(os.urandom(16)).decode()
        lines = [f"GET {path} HTTP/1.1", f"Host: {host}", "Upgrade: websocket", "Connection: Upgrade"]
        lines += [f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13", f"Sec-WebSocket-Protocol: {protocol}"]
        lines += [f"Origin: {origin}"] if origin is not None else []
        self.socket.sendall("\r\n".join([*lines, "", ""]).encode())
        while b"\r\n\r\n" not in self._buffer:
            self._more()
        head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        status = int(head.split()[1])
        if status != 101:
            self.close()
            raise HandshakeRefused(status)

    def _join(
        self, realm: str, authid: str | None, method: str, sign: Any, extra: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        details = {"roles": _ROLES, "authmethods": [method], "authextra": extra or {}}
        details |= {} if authid is None else {"authid": authid}
        self.send([1, realm, details])
        answer = self.receive()
        if answer[0] == 4:
            self.send([5, sign(answer[2]), {}])
            answer = self.receive()
        if answer[0] != 2:
            raise Refused(answer[2], [answer[1].get("message")])
        self.session = int(answer[1])
        return {"session": self.session, **answer[2]}

    def _ask(self, message: list[Any]) -> list[Any]:
        self.send(message)
        while True:
            answer = self.receive()
            if answer[0] == 36:
                self.events.append(answer)
            elif answer[0] == 8:
                raise Refused(answer[4], answer[5] if len(answer) > 5 else [])
            else:
                return answer

    def _frame(self) -> tuple[int, bytes]:
        head = self._take(2)
        size = head[1] & 0x7F
        if size == 126:
            (size,) = struct.unpack("!H", self._take(2))
        elif size == 127:
            (size,) = struct.unpack("!Q", self._take(8))
        return head[0] & 0x0F, self._take(size)

    def _take(self, size: int) -> bytes:
        while len(self._buffer) < size:
            self._more()
        taken, self._buffer = self._buffer[:size], self._buffer[size:]
        return taken

    def _more(self) -> None:
        data = self.socket.recv(65536)
        if not data:
            raise ConnectionResetError("the router dropped the connection")
        self._buffer += data
