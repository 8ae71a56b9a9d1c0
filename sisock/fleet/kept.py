"""What the hub finds in the state directory: the table of before, and the principals that make the policy."""

import contextlib
import json
import logging
import os
from collections.abc import Container, Mapping
from pathlib import Path
from typing import Any

from sisock.fleet.presence import Presence
from sisock.keys import compile_policy, files
from sisock.parsing import from_json

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


class Seen:
    """When each principal signed in last, as a file that `sisock principal ls` reads."""

    def __init__(self, path: Path) -> None:
        """Keep it here; what cannot be read is begun anew."""
        self._path = path
        self._last = read_seen(path)

    def note(self, principal: object, ns: int) -> None:
        """A principal has signed in."""
        if isinstance(principal, str):
            self._last[principal] = ns

    def last(self, principal: str) -> int | None:
        """When it signed in last, ns; None for never."""
        return self._last.get(principal)

    def write(self, known: Container[str]) -> None:
        """Keep it, for the principals that are known."""
        self._last = {name: ns for name, ns in self._last.items() if name in known}
        with contextlib.suppress(OSError):  # told where the table is written
            files.write(self._path, json.dumps(self._last, indent=1) + "\n")


def seen_file(state: Path) -> Path:
    """Where the hub keeps when principals signed in last."""
    return state / "hub" / "seen.json"


def read_seen(path: Path) -> dict[str, int]:
    """When each principal signed in last, ns; nothing where that is not known."""
    try:
        return {str(name): int(ns) for name, ns in from_json(path.read_text(encoding="utf-8")).items()}
    except (OSError, ValueError, TypeError, AttributeError, OverflowError):
        return {}


class Principals:
    """The principals' files as a policy, and whether they have changed since it was taken."""

    def __init__(self, state: Path, known: Mapping[str, Any]) -> None:
        """Look into this state directory, of which the policy knows these principals."""
        self._state, self._known = state, known
        self._taken: Stamps = frozenset()

    def entry(self, name: str | None) -> Any:
        """The entry of a principal as it was last read; None where there was none."""
        return self._known.get(str(name))

    def changed(self) -> bool:
        """True if somebody was admitted, changed or dismissed since the last `taken`."""
        return self._stamps() != self._taken

    def read(self) -> tuple[dict[str, Any], Stamps]:
        """The policy, and what to tell `taken` with. A file that cannot be read counts as it last did, and is told."""
        stamps = self._stamps()
        snapshot = compile_policy(self._state, self._as_before)
        self._known = snapshot["principals"]
        return snapshot, stamps

    def _as_before(self, name: str, error: Exception) -> Any:
        log.error("hub: %s (until then %s %s)", error, name, "is as before" if name in self._known else "is nobody")
        return self._known.get(name)

    def taken(self, stamps: Stamps) -> None:
        """Note that the router has the policy that was read with these stamps."""
        self._taken = stamps

    def _stamps(self) -> Stamps:
        """Name, time and size of each file."""
        found = set()
        with contextlib.suppress(FileNotFoundError), os.scandir(self._state / "principals") as entries:
            for entry in entries:
                with contextlib.suppress(FileNotFoundError):  # dismissed just now
                    if entry.name.endswith(".json"):
                        about = entry.stat()
                        found.add((entry.name, about.st_mtime_ns, about.st_size))
        return frozenset(found)
