"""Tokens of the page: a file named by the token's hash is the token's right, its content when it ends."""

import secrets
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

from sisock.keys.files import write
from sisock.times import NS

MOST = 1000  # tokens of a kind that are kept; the oldest go first


def new_page_token(state: Path, seconds: float = 3600.0) -> str:
    """Make a one-time token with which the page signs in, valid for so many seconds."""
    return Tokens(state / "router" / "tokens").new(seconds)


class Tokens:
    """Tokens of one kind, in one folder: only their hashes are at rest."""

    def __init__(self, folder: Path, clock: Callable[[], int] = time.time_ns) -> None:
        self._folder = folder
        self._clock = clock

    def new(self, seconds: float) -> str:
        """Make a token; it holds 256 random bits."""
        self._sweep()
        token = secrets.token_urlsafe(32)
        write(self._path(token), str(self._clock() + int(seconds * NS)))
        return token

    def expires(self, token: str) -> int | None:
        """Return when the token ends (ns); None if it is unknown or has ended."""
        try:
            expires = int(self._path(token).read_text(encoding="ascii"))
        except (OSError, ValueError):
            return None
        return expires if expires > self._clock() else None

    def consume(self, token: str) -> bool:
        """Use up the token; say whether it was valid. Of two that come with it only one hears yes."""
        valid = self.expires(token) is not None
        try:
            self._path(token).unlink()
        except OSError:
            return False
        return valid

    def _path(self, token: str) -> Path:
        return self._folder / sha256(token.encode("utf-8", "surrogatepass")).hexdigest()

    def _sweep(self) -> None:
        """Remove what has ended, and the oldest beyond the most that are kept."""
        if not self._folder.is_dir():
            return
        ends: list[tuple[int, Path]] = []
        for path in self._folder.glob("[0-9a-f]*"):
            try:
                ends.append((int(path.read_text(encoding="ascii")), path))
            except (OSError, ValueError):
                ends.append((0, path))
        ends.sort(key=lambda each: each[0])
        now = self._clock()
        for number, (end, path) in enumerate(ends):
            if end <= now or number < len(ends) - MOST:
                path.unlink(missing_ok=True)
