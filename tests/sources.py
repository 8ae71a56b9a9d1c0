"""Sources at work without a router."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from data_nodes.sources import loading
from data_nodes.sources.source import Source
from sisock.nodes import Service
from sisock.store.journal import Journal
from sisock.store.quarantine import counts, path_of
from tests.nodes import Published, data, working


def made(folder: Path, table: str, name: str = "made") -> Source:
    """The source of a table."""
    path = folder / f"{name}.toml"
    path.write_text(table)
    (kind,) = loading.nodes(path)
    node = kind()
    node.home = folder
    return node


@contextlib.asynccontextmanager
async def at_work(folder: Path, table: str) -> AsyncIterator[tuple[Service, Published]]:
    """The source of a table at work, with a journal in the folder."""
    service = made(folder, table).service(journal=lambda: Journal(folder / "journal.sqlite"))
    async with working(service) as published:
        yield service, published


async def until(published: Published, n: int) -> int:
    """Wait until so many samples have come; how many have."""

    def enough(frames: list[Any]) -> bool:
        return _count(frames) >= n

    return _count(await published.until(enough))


def _count(frames: list[Any]) -> int:
    return sum(len(frame) for frame in frames if frame.timeline not in ("health", "received"))


def refused(folder: Path, name: str = "made") -> dict[str, int]:
    """How often what was refused for which reason; from disk, where a node writes it at its end."""
    return {each.reason: each.n for each in counts(folder, name)} if path_of(folder, name).exists() else {}


__all__ = ["at_work", "data", "made", "refused", "until", "working"]
