"""An address that answers: asked by GET now and then, within limits; certificates are verified, no redirect is followed."""

import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping
from email.message import Message
from http.client import HTTPException
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from data_nodes.sources.http import Deadline, opener
from data_nodes.sources.source import Polled
from sisock.interfaces import loopback
from sisock.keys.token_file import read_token
from sisock.nodes import Intake
from sisock.parsers.rows import Parsed

_PIECE = 2**16


class UrlError(Exception):
    """An address did not give what it should; says why."""


class Url(Polled):
    """What an address answers."""

    async def ask(self, intake: Intake) -> tuple[Parsed, Mapping[str, str] | None]:
        """Ask once."""
        said = self.spec.options
        token, authority = self.spec.path("token_file"), self.spec.path("ca_file")
        raw = await self.thread.run(fetch, said["url"], said["timeout"], said["most"], token, authority)
        try:
            text = raw.decode(said.get("encoding", "utf-8"))
        except UnicodeDecodeError as error:
            raise UrlError(
                f"the answer's letters are not {error.encoding}: say with encoding = what they are"
            ) from error
        return await self.read(text), None


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A token goes to nobody but whom it was given for."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> None:
        fp.close()
        raise UrlError(f"{_plain(req.full_url)} is elsewhere, says the server: write url = {_plain(newurl)!r} instead")


def fetch(url: str, timeout: float, most: int, token_file: Path | None = None, ca_file: Path | None = None) -> bytes:
    """What the address answers, of so many bytes within so many seconds. Raises UrlError, OSError."""
    request = urllib.request.Request(url, headers={"Accept": "application/json, text/csv, text/plain, */*;q=0.1"})  # noqa: S310  # checked
    if token_file is not None:
        request.add_unredirected_header("Authorization", f"Bearer {_token(url, token_file)}")
    context = ssl.create_default_context(cafile=ca_file)
    try:
        with opener(Deadline(timeout), context, _NoRedirect()).open(request) as answer:
            return _all(answer, url, most)
    except urllib.error.HTTPError as error:
        error.close()
        cure = ": give a token_file whose token may read it" if error.code in (401, 403) else ""
        raise UrlError(f"{_plain(url)} answered {error.code} {error.reason}{cure}") from error
    except urllib.error.URLError as error:
        late = isinstance(error.reason, TimeoutError)
        raise UrlError(_late(url, timeout) if late else f"{_plain(url)} cannot be asked: {error.reason}") from error
    except TimeoutError as error:
        raise UrlError(_late(url, timeout)) from error
    except (HTTPException, ValueError) as error:
        raise UrlError(f"{_plain(url)} did not answer as HTTP does: {type(error).__name__} {error}") from error


def _all(answer: Any, url: str, most: int) -> bytes:
    got = bytearray()
    while piece := answer.read1(_PIECE):
        got += piece
        if len(got) > most:
            raise UrlError(f"{_plain(url)} answered more than {most} bytes: raise most, or ask for less")
    return bytes(got)


def _late(url: str, timeout: float) -> str:
    return f"{_plain(url)} had not answered after {timeout:g} s"


def _token(url: str, path: Path) -> str:
    """The token of a file, for an address that nobody listens to on the way."""
    where = urlsplit(url)
    if where.scheme != "https" and not loopback(where.hostname or ""):
        raise UrlError(f"a token is not sent to {_plain(url)}, where anybody can read it: write https://")
    try:
        return read_token(path)
    except ValueError as error:
        raise UrlError(str(error)) from error


def _plain(url: str) -> str:
    """The address without what may be secret in it."""
    where = urlsplit(url)
    return where._replace(query="…" if where.query else "", fragment="").geturl()


def check(url: str) -> None:
    """Raise ValueError with the cure where this is no address that can be asked."""
    try:
        where = urlsplit(url)
        sound = where.scheme in ("http", "https") and bool(where.hostname) and where.port != 0
    except ValueError:
        sound = False
    if not sound or not url.isascii() or not url.isprintable() or " " in url:
        raise ValueError(f"url = {url!r:.80} is no address that can be asked: write http://… or https://…")
    if where.username or where.password:
        raise ValueError("url has a name or password in it: put a token into a file, and give token_file")
