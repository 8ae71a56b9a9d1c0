"""API tokens: a text `NAME.SECRET` with which a script, or Grafana, is a principal for a while."""

import re
import secrets
import time
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from sisock.keys.key import Ticket
from sisock.times import NS
from sisock.uris import NODE

_SECRET = re.compile(r"[A-Za-z0-9_-]{43}")
_TEXT = re.compile(rf"({NODE.pattern})\.([A-Za-z0-9_-]{{43}})")


def looks_so(ticket: str) -> bool:
    """Whether a ticket has the form of a token's secret, which no password has."""
    return _SECRET.fullmatch(ticket) is not None


class ApiToken(NamedTuple):
    """Whose token it is, and its secret, which is the ticket to sign in with."""

    name: str
    secret: str

    def __str__(self) -> str:
        return f"{self.name}.{self.secret}"

    @property
    def ticket(self) -> Ticket:
        """What to sign in with."""
        return Ticket(self.secret)


def make(name: str, seconds: float) -> tuple[ApiToken, dict[str, Any]]:
    """A token good for so many seconds, and the entry that a principal has of it: only its hash."""
    token = ApiToken(name, secrets.token_urlsafe(32))
    until = time.time_ns() + int(seconds * NS)
    return token, {"sha256": sha256(token.secret.encode()).hexdigest(), "until": until}


def read(text: str) -> ApiToken:
    """The token that a text is. Raises ValueError with the cure where it is none."""
    match = _TEXT.fullmatch(text.strip())
    if match is None:
        raise ValueError("this is no API token: copy all of what `sisock principal token` printed")
    return ApiToken(*match.groups())


def read_file(path: str) -> ApiToken:
    """The token in a file. Raises ValueError with the cure where there is none."""
    try:
        return read(Path(path).expanduser().read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise ValueError(f"SISOCK_TOKEN={path}: {why}") from error
