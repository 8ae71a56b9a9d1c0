"""What waits in the folder of an archive is taken, with a bar that shows how far that is."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

if TYPE_CHECKING:
    from sisock.store.archive import Archive
    from sisock.store.incoming import Incoming

_STEPS = 1000


class File(NamedTuple):
    """A file that waited: how many of its rows are taken now, and how many had been before."""

    file: "Incoming"
    rows: int
    before: int


class Taken(NamedTuple):
    """What was taken; why not all of it could be."""

    files: list[File]
    replaced: int = 0  # samples that gave way to later ones at the same time
    refused: int = 0
    error: str | None = None
    by_recorder: bool = False  # one that runs takes it


def take(place: Path) -> Taken:
    """Take what is there, unless a recorder does."""
    from sisock.program import keep_many_open
    from sisock.store.archive import Archive
    from sisock.store.incoming import IncomingError
    from sisock.store.opening import InUseError

    keep_many_open()
    files: dict[Path, File] = {}
    try:
        with Archive(place) as archive:
            before = _counts(archive)
            with bar("taking") as progress:
                for step in archive.take_incoming():
                    known = files.get(step.file.path, File(step.file, 0, step.done))
                    files[step.file.path] = known._replace(rows=step.done)
                    progress(step.done / max(1, step.file.rows))
            after = _counts(archive)
    except InUseError:
        return Taken([], by_recorder=True)
    except IncomingError as error:
        return Taken([], error=str(error))
    replaced, refused = (after.get(what, 0) - before.get(what, 0) for what in ("replaced", "refused"))
    return Taken(list(files.values()), replaced, refused)


def _counts(archive: "Archive") -> dict[str, int]:
    counts: dict[str, int] = {}
    for series in archive.timelines():
        for what, count in series.counts.items():
            counts[what] = counts.get(what, 0) + count
    return counts


@contextmanager
def bar(label: str) -> Iterator[Callable[[float], None]]:
    """A progress bar on a terminal; what comes back tells it the share that is done."""
    if not sys.stderr.isatty():
        yield lambda share: None
        return
    with click.progressbar(length=_STEPS, label=label, file=sys.stderr) as shown:
        yield lambda share: shown.update(max(0, round(share * _STEPS) - shown.pos))


def unit(text: str) -> tuple[str, str]:
    """What `--field NAME=UNIT` says."""
    name, given, units = text.rpartition("=")
    if not given:
        raise click.UsageError(f"--field {text} gives no unit: write --field NAME=UNIT")
    return name, units
