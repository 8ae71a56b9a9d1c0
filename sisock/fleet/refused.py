"""Who was refused in the name of a principal: kept by the hub, read by `sisock principal ls`."""

import contextlib
import json
from pathlib import Path
from typing import Any, NamedTuple

from sisock.keys import files
from sisock.parsing import from_json

MOST = 1_000  # names of which it is kept; who was refused longest ago goes first


class Refused(NamedTuple):
    """How often somebody was refused under one name; when, and why, the last time."""

    times: int
    last: int  # ns
    why: str


class Refusals:
    """Refusals by name, as a file."""

    def __init__(self, path: Path) -> None:
        """Keep them here; what cannot be read is begun anew."""
        self._path = path
        self._names = read_refused(path)

    def note(self, name: str, why: str, ns: int, times: int = 1) -> None:
        """Somebody who came by this name was refused, so many times."""
        before = self._names.pop(name, None)
        self._names[name] = Refused(before.times + times if before else times, ns, why)
        while len(self._names) > MOST:
            del self._names[next(iter(self._names))]

    def of(self, name: str) -> dict[str, Any] | None:
        """Who was refused under this name."""
        found = self._names.get(name)
        return found._asdict() if found else None

    def forget(self, name: str) -> None:
        """Know nothing of this name any more: who had it is gone, or has begun anew."""
        if self._names.pop(name, None):
            self.write()

    def write(self) -> None:
        """Keep them, if there are or were any."""
        if self._names or self._path.exists():
            with contextlib.suppress(OSError):  # told where the hub's table is written
                files.write(self._path, json.dumps(self._names, indent=1) + "\n")


def refused_file(state: Path) -> Path:
    """Where the hub keeps who was refused."""
    return state / "hub" / "refused.json"


def read_refused(path: Path) -> dict[str, Refused]:
    """Who was refused, by name; nothing where that is not known."""
    try:
        kept = from_json(path.read_text(encoding="utf-8"))
        return {str(name): Refused(int(times), int(last), str(why)) for name, (times, last, why) in kept.items()}
    except (OSError, ValueError, TypeError, AttributeError, OverflowError):
        return {}
