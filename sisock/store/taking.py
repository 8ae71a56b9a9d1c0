"""Imported files on their way into an archive: piece by piece, each once, whatever comes in between."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from sisock.store import incoming
from sisock.store.incoming import IncomingError, Progress

if TYPE_CHECKING:
    from sisock.store.archive import Archive


def take(archive: "Archive", folder: Path) -> Iterator[Progress]:
    """Take what waits, and say how far it has come, between any two of which others may write by the same thread.

    How far a file has been taken is noted together with its samples. Raises IncomingError after all that can be taken
    was, OSError where the disk does not take it.
    """
    errors = []
    for path in incoming.waiting(folder):
        try:
            yield from _take(archive, path)
        except IncomingError as error:
            path.rename(path.with_suffix(".refused"))
            errors.append(f"{error}; it is {path.stem}.refused now")
    if errors:
        raise IncomingError("; ".join(errors))


def _take(archive: "Archive", path: Path) -> Iterator[Progress]:
    file = incoming.opened(path)
    key = f"imported {file.node} {file.timeline} {file.source}"
    done = archive.noted(key)
    yield Progress(file, done)
    for frame in incoming.frames(file, done):
        done += len(frame)
        archive.write_noted(file.node, frame, file.fields, {key: str(done)})
        yield Progress(file, done)
    path.unlink()
