"""Grafana Live over HTTP: lines are posted to `/api/live/push/<stream>`, one connection for all.

Source: https://grafana.com/docs/grafana/latest/setup-grafana/set-up-grafana-live/
"""

import http.client
import re
import ssl
from collections.abc import Sequence
from http import HTTPStatus
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from sisock.interfaces import bracketed, loopback

STREAM = re.compile(r"[A-Za-z0-9_-]{1,60}")
_PATIENCE = 10.0  # seconds without a byte after which Grafana is taken for away
_LONGEST_ANSWER = 65_536  # bytes of an answer that are read


class Address(NamedTuple):
    """Where Grafana is, and the stream of it."""

    secure: bool
    host: str
    port: int
    path: str

    def __str__(self) -> str:
        return f"{'https' if self.secure else 'http'}://{bracketed(self.host)}:{self.port}"


def address(url: str, stream: str) -> Address:
    """The address of a stream below Grafana's URL. Raises ValueError with the cure, also where a token would be seen."""
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        port = 0
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0 or parts.query or parts.username:
        raise ValueError(f"{url!r:.200} is not where a Grafana is: write https://HOST or http://127.0.0.1:3000")
    if not url.isascii() or not url.isprintable() or " " in url:
        raise ValueError(f"{url!r:.200} is no URL: write it in printable ASCII")
    if not STREAM.fullmatch(stream):
        raise ValueError(f"{stream!r:.80} cannot name a stream: use up to 60 letters, digits, '_' or '-'")
    secure = parts.scheme == "https"
    if not secure and not loopback(parts.hostname):
        raise ValueError(f"the token would go to {parts.hostname} in the clear: give an address with https://")
    path = f"{parts.path.rstrip('/')}/api/live/push/{stream}"
    return Address(secure, parts.hostname, port or (443 if secure else 80), path)


class Trouble(Exception):
    """Why lines were not taken: a sentence; `status` is what Grafana answered, None where it did not.

    `lines_refused`: it is the lines that Grafana does not want, so that sending them again is of no use.
    """

    def __init__(self, sentence: str, status: int | None = None, *, lines_refused: bool = False) -> None:
        """Say what happened and the cure."""
        super().__init__(sentence)
        self.status, self.lines_refused = status, lines_refused


class Live:
    """A connection to Grafana, made when it is needed, again where it was lost. For one thread at a time."""

    def __init__(self, where: Address, token: Path, authority: Path | None = None) -> None:
        """Send with the token in that file, read for each connection; over TLS trust `authority`, or the system's.

        Raises OSError or ssl.SSLError where the authority cannot be read.
        """
        self._where, self._token = where, token
        self._tls = ssl.create_default_context(cafile=authority and str(authority)) if where.secure else None
        self._connection: http.client.HTTPConnection | None = None
        self._bearer = ""

    def send(self, lines: Sequence[bytes]) -> None:
        """Have Grafana take the lines; raises Trouble where it does not."""
        body, kept = b"".join(lines), self._connection is not None
        try:
            status, told = self._post(body)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            if kept and isinstance(
                error, (ConnectionError, http.client.BadStatusLine)
            ):  # it hung up while nobody spoke
                self.send(lines)
                return
            raise Trouble(f"Grafana at {self._where} cannot be reached: {_why(error)}") from error
        if not 200 <= status < 300:
            self.close()
            raise self._trouble(status, told)

    def close(self) -> None:
        """Hang up."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _post(self, body: bytes) -> tuple[int, str]:
        if self._connection is None:
            self._bearer = read_token(self._token)
            host, port = self._where.host, self._where.port
            self._connection = (
                http.client.HTTPSConnection(host, port, timeout=_PATIENCE, context=self._tls)
                if self._tls
                else http.client.HTTPConnection(host, port, timeout=_PATIENCE)
            )
        headers = {"Authorization": f"Bearer {self._bearer}", "Content-Type": "text/plain; charset=utf-8"}
        self._connection.request("POST", self._where.path, body, headers)
        answer = self._connection.getresponse()
        told = answer.read(_LONGEST_ANSWER)
        if not answer.isclosed():
            self.close()  # there is more, which nobody waits for
        return answer.status, told.decode("utf-8", "replace")

    def _trouble(self, status: int, told: str) -> Trouble:
        at = self._where
        sentences = {
            HTTPStatus.BAD_REQUEST: f"Grafana at {at} does not take the lines",
            HTTPStatus.UNAUTHORIZED: f"Grafana at {at} does not know the token in {self._token}: make a service account "
            "there (Administration, Users and access), and write a token of it to the file",
            HTTPStatus.FORBIDDEN: f"the token in {self._token} may not push to Grafana at {at}: give its service account "
            "the role Editor",
            HTTPStatus.NOT_FOUND: f"there is no Grafana Live at {at}{at.path}: give the address of a Grafana from 8 on, with "
            "the path below which it is served, and see that [live] max_connections is not 0",
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE: f"what is sent at once is too large for a proxy before Grafana at {at}: "
            "let it take bodies of 1 MiB",
        }  # fmt: skip
        elsewhere = 300 <= status < 400
        said = f"Grafana at {at} answers {status}" + ("" if elsewhere else f": {told[:200].strip() or 'nothing more'}")
        sentence = sentences.get(HTTPStatus(status), "") if status in set(HTTPStatus) else ""
        if elsewhere:
            sentence = f"{said}: give the address to which it sends, https:// perhaps"
        refused = status in (HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        return Trouble(sentence or said, status, lines_refused=refused)


def read_token(path: Path) -> str:
    """The token in a file. Raises Trouble with the cure where there is none."""
    try:
        token = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not text"
        raise Trouble(f"Grafana's token cannot be read from {path}: {why}") from error
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise Trouble(f"{path} holds no token: write that of a service account of Grafana to it, on one line")
    return token


def _why(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({error.verify_message}): name its authority with --authority"
    if isinstance(error, TimeoutError):
        return f"no answer within {_PATIENCE:g} s"
    if isinstance(error, http.client.HTTPException):
        return f"what answers there does not speak HTTP, or breaks off ({type(error).__name__})"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
