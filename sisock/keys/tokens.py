"""Tokens of the page: a file named by the token's hash is the token's right, its content when it ends and whose it is."""

import secrets
import time
from collections import Counter
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

from sisock.keys.files import write
from sisock.times import NS

MOST, MOST_OF_ONE = 1000, 50  # tokens of a kind that are kept, and of these of one owner; the oldest go first


def new_page_token(state: Path, seconds: float = 3600.0) -> str:
    """Make a one-time token with which the page signs in, valid for so many seconds."""
    return Tokens(state / "router" / "tokens").new(seconds)


def sessions(state: Path) -> "Tokens":
    """The tickets with which pages come back."""
    return Tokens(state / "router" / "sessions")


class Tokens:
    """Tokens of one kind, in one folder: only their hashes are at rest."""

    def __init__(self, folder: Path, clock: Callable[[], int] = time.time_ns) -> None:
        self._folder = folder
        self._clock = clock

    def new(self, seconds: float, owner: str = "") -> str:
        """Make a token; it holds 256 random bits."""
        self._sweep()
        token = secrets.token_urlsafe(32)
        write(self._path(token), f"{self._clock() + int(seconds * NS)} {owner}")
        return token

    def find(self, token: str) -> tuple[int, str] | None:
        """When the token ends (ns), and whose it is; None if it is unknown."""
        try:
            end, _, owner = self._path(token).read_text(encoding="utf-8").partition(" ")
            return int(end), owner
        except (OSError, ValueError):
            return None

    def expires(self, token: str, owner: str = "") -> int | None:
        """Return when the token ends (ns); None if it is unknown, another's, or has ended."""
        found = self.find(token)
        return found[0] if found is not None and found[0] > self._clock() and found[1] == owner else None

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
        """Remove what has ended, and the oldest beyond the most that are kept, of one owner and of all."""
        if not self._folder.is_dir():
            return
        kept: list[tuple[int, str, Path]] = []
        for path in self._folder.glob("[0-9a-f]*"):
            try:
                text, _, owner = path.read_text(encoding="utf-8").partition(" ")
                kept.append((int(text), owner, path))
            except (OSError, ValueError):
                path.unlink(missing_ok=True)
        now, of_one = self._clock(), Counter[str]()
        for number, (end, owner, path) in enumerate(sorted(kept, reverse=True)):
            of_one[owner] += 1
            if end <= now or number >= MOST or (owner and of_one[owner] > MOST_OF_ONE):
                path.unlink(missing_ok=True)
