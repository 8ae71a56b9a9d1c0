"""How far a reader of a journal is, in a small file that is whole at any instant."""

import contextlib
import json
import logging
from pathlib import Path
from typing import Any, NamedTuple

from sisock.durable import sync
from sisock.parsing import from_json

log = logging.getLogger(__name__)


class Place(NamedTuple):
    """A cursor in a journal, and what became of the samples before it."""

    epoch: str | None = None  # None: nothing was read yet
    position: int = 0
    sent: int = 0
    dropped: int = 0  # had to go from the journal before they were read
    refused: int = 0  # are no message that can be taken


def load(path: Path) -> Place:
    """What was saved; the beginning where nothing was, or where that is damaged, which is told: then all is sent again."""
    try:
        return _place(from_json(path.read_bytes()))
    except FileNotFoundError:
        return Place()
    except (OSError, ValueError) as error:
        log.warning("%s is no cursor (%s): all that the journal has is sent again", path, error)
        return Place()


def save(path: Path, place: Place) -> None:
    """Have it on disk when this returns. Raises OSError."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    beside = path.with_suffix(".new")
    try:
        beside.write_text(json.dumps({"v": 1, **place._asdict()}), encoding="utf-8")
        sync(beside)
        beside.replace(path)
        sync(path.parent)
    finally:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)


def _place(saved: Any) -> Place:
    if not isinstance(saved, dict) or saved.pop("v", None) != 1:
        raise ValueError("it is not of this version")
    if set(saved) != set(Place._fields) or not isinstance(saved["epoch"], str | None):
        raise ValueError("it is not as it was written")
    if not all(type(saved[name]) is int and saved[name] >= 0 for name in Place._fields[1:]):
        raise ValueError("its numbers are none")
    return Place(**saved)
