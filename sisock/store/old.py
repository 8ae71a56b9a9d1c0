"""What a timeline has given up: samples that are no longer kept singly, for which its tiers stand from then on."""

import json
import logging
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from sisock.durable import sync
from sisock.parsing import from_json
from sisock.times import FIRST

log = logging.getLogger(__name__)
_NAME = "old"


class Old(NamedTuple):
    """Times in ns: samples `[first, beyond)` went; before `raw_from`, where blocks of bins end, tiers are the truth.

    `lean` is the exponent of the finest bins that are complete there. Before `cut` there are no bins either. `lost` are
    stretches in which blocks were damaged: nothing can make them anew.
    """

    first: int
    beyond: int
    raw_from: int
    lean: int
    cut: int = FIRST
    lost: tuple[tuple[int, int], ...] = ()

    @property
    def ends(self) -> tuple[int, int] | None:
        """What tiers have of it; None if they have nothing."""
        return (max(self.first, self.cut), self.beyond) if self.cut < self.beyond else None

    def packed(self) -> str:
        """As text."""
        return json.dumps(self)


def unpacked(text: str) -> Old | None:
    """What `packed` made the text of; None of an empty one."""
    return _of(json.loads(text)) if text else None


def _of(parts: list[Any]) -> Old:
    first, beyond, raw_from, lean, cut, lost = parts
    return Old(first, beyond, raw_from, lean, cut, tuple((start, end) for start, end in lost))


class Told(NamedTuple):
    """What tiers tell where the index is lost: of which timeline they are, and what is old of it."""

    node: str
    timeline: str
    fields: dict[str, list[Any]]  # each as the parts of a Field
    kinds: dict[str, list[str]]
    accounts: dict[str, int]  # epoch -> one past its last sequence
    old: Old


def save(folder: Path, told: Told) -> None:
    """Put this beside the tiers, on disk when it returns. Raises OSError."""
    text = json.dumps([*told[:-1], list(told.old)])
    fresh, path = folder / f"{_NAME}.new", folder / _NAME
    with fresh.open("w") as file:
        file.write(f"{zlib.crc32(text.encode()):08x} {text}\n")
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    sync(folder)


def saved(tiers: Path) -> Iterator[Told]:
    """What `save` put below this folder of all timelines; what is damaged is logged."""
    for path in sorted(tiers.glob(f"*/*/{_NAME}")):
        sum_, _, text = path.read_text(errors="replace").rstrip("\n").partition(" ")
        if sum_ != f"{zlib.crc32(text.encode('utf-8', 'replace')):08x}":
            log.error("%s is damaged: bins of samples that went, in its folder, cannot be used", path)
            continue
        try:
            node, timeline, fields, kinds, accounts, old = from_json(text)
            told = Told(node, timeline, fields, kinds, accounts, _of(old))
        except (ValueError, TypeError) as error:
            log.error("%s is none of this archive's: %s", path, error)
            continue
        yield told
