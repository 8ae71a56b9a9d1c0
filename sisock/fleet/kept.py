"""What the hub finds in the state directory: the table of before, and the principals that make the policy."""

import contextlib
import logging
from pathlib import Path
from typing import Any

from sisock.fleet.presence import Presence
from sisock.keys import compile_policy, files

log = logging.getLogger(__name__)
Stamps = frozenset[tuple[str, int, int]]


class KeptTable:
    """The hub's table as a file: a hub that starts again knows who was there."""

    def __init__(self, path: Path) -> None:
        """Keep it here."""
        self._path, self._trouble = path, ""

    def recall(self, presence: Presence) -> None:
        """Take over the table of before, if there is one that can be read."""
        try:
            if self._path.exists():
                presence.load(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            log.warning("hub: starting with an empty table: %s: %s", self._path, error)

    def write(self, presence: Presence) -> None:
        """Keep the table; where that fails the hub works on, and says so once."""
        trouble = ""
        try:
            files.write(self._path, presence.dump())
        except OSError as error:
            trouble = f"the table is not kept, a hub that starts again will not know who was there: {error}"
        if trouble and trouble != self._trouble:
            log.error("hub: %s", trouble)
        self._trouble = trouble


class Principals:
    """The principals' files as a policy, and whether they have changed since it was taken."""

    def __init__(self, state: Path) -> None:
        """Look into this state directory."""
        self._state = state
        self._taken: Stamps = frozenset()

    def changed(self) -> bool:
        """True if somebody was admitted, changed or dismissed since the last `taken`."""
        return self._stamps() != self._taken

    def read(self) -> tuple[dict[str, Any] | None, Stamps]:
        """The policy, and what to tell `taken` with; no policy where a file cannot be read, which is logged once."""
        stamps = self._stamps()
        try:
            return compile_policy(self._state), stamps
        except (OSError, ValueError) as error:
            log.error("hub: the policy stays as it was: %s", error)
            self._taken = stamps
            return None, stamps

    def taken(self, stamps: Stamps) -> None:
        """Note that the router has the policy that was read with these stamps."""
        self._taken = stamps

    def _stamps(self) -> Stamps:
        """Name, time and size of each file."""
        found = set()
        for path in (self._state / "principals").glob("*.json"):
            with contextlib.suppress(FileNotFoundError):  # dismissed just now
                about = path.stat()
                found.add((path.name, about.st_mtime_ns, about.st_size))
        return frozenset(found)
