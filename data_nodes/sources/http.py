"""HTTP by one deadline: connecting, the handshake of TLS and all that is sent and read have to be done by then."""

import io
import socket
import ssl
import time
import urllib.request
from functools import partial
from http.client import HTTPConnection, HTTPResponse, HTTPSConnection
from typing import Any


class Deadline:
    """When all has to be done."""

    def __init__(self, seconds: float) -> None:
        """So many seconds from now."""
        self._until = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds that are left; raises TimeoutError where none are."""
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left


def opener(
    deadline: Deadline, context: ssl.SSLContext, *handlers: urllib.request.BaseHandler
) -> urllib.request.OpenerDirector:
    """What opens addresses over HTTP by the deadline, and else as these handlers have it.

    Only the look-up of a name can take longer: as long as the system lets it.
    """
    return urllib.request.build_opener(_Http(deadline), _Https(deadline, context), *handlers)


class _Http(urllib.request.HTTPHandler):
    def __init__(self, deadline: Deadline) -> None:
        super().__init__()
        self._deadline = deadline

    def http_open(self, req: urllib.request.Request) -> HTTPResponse:
        return self.do_open(partial(_connection, HTTPConnection, self._deadline), req)


class _Https(urllib.request.HTTPSHandler):
    def __init__(self, deadline: Deadline, context: ssl.SSLContext) -> None:
        super().__init__(context=context)
        self._deadline, self._trusting = deadline, context

    def https_open(self, req: urllib.request.Request) -> HTTPResponse:
        return self.do_open(partial(_connection, HTTPSConnection, self._deadline), req, context=self._trusting)


def _connection(kind: type[HTTPConnection], deadline: Deadline, host: str, **options: Any) -> HTTPConnection:
    """A connection that connects and reads by the deadline."""
    made: Any = kind(host, **options)
    made._create_connection = partial(_connected, deadline)  # noqa: SLF001  # kept there to be replaced
    made.response_class = partial(_response, deadline)
    return made  # type: ignore[no-any-return]


def _connected(deadline: Deadline, address: tuple[str, int], *_: Any) -> socket.socket:
    """A socket that is connected to the first address of a host that answers, each in its share of the time."""
    error = OSError("it has no address")
    found = socket.getaddrinfo(*address, type=socket.SOCK_STREAM)
    for others, (family, kind, protocol, _name, where) in zip(reversed(range(len(found))), found, strict=True):
        made = socket.socket(family, kind, protocol)
        try:
            made.settimeout(deadline.left() / (1 + others))
            made.connect(where)
            made.settimeout(deadline.left())
        except OSError as why:
            made.close()
            error = why
        else:
            return made
    raise error


def _response(deadline: Deadline, connection: socket.socket, *args: Any, **options: Any) -> HTTPResponse:
    return HTTPResponse(_Read(connection, deadline), *args, **options)  # type: ignore[arg-type]  # all that it asks of a socket


class _Read:
    """The reading side of a connection."""

    def __init__(self, connection: socket.socket, deadline: Deadline) -> None:
        self._connection, self._deadline = connection, deadline

    def makefile(self, mode: str) -> io.BufferedReader:
        """Its bytes."""
        return io.BufferedReader(_Bytes(self._connection, self._deadline))


class _Bytes(io.RawIOBase):
    """The bytes of a connection, each waited for no longer than there is time left for all."""

    def __init__(self, connection: socket.socket, deadline: Deadline) -> None:
        self._connection, self._deadline = connection, deadline
        self._raw = connection.makefile("rb", buffering=0)  # keeps the connection, whoever else closes it

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._connection.settimeout(self._deadline.left())
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()
