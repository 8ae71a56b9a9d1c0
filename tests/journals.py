"""Journals as tests make them: samples of their own, and all that can be read of them."""

import contextlib
import resource
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from sisock.frames import Frame, column
from sisock.store.journal import Journal
from sisock.times import FIRST, LAST, NS

NOW = 1_763_000_000 * NS
ALL = (FIRST, LAST)


@contextlib.contextmanager
def opened(path: Path, **options) -> Iterator[Journal]:
    with contextlib.closing(Journal(path, **options)) as journal:
        yield journal


def frame(journal: Journal, values, *, seq=None, t=None, stream="samples", **more) -> Frame:
    """Values as samples of the journal's epoch, the next ones of the stream."""
    values = list(values)
    first = journal.next_seq(stream) if seq is None else seq
    times = NOW + np.arange(first, first + len(values)) * NS if t is None else np.array(t)
    columns = {"a": column([float(v) for v in values]), **more}
    return Frame(stream, times, columns, journal.epoch, first + len(values))


def add(journal: Journal, values, **options) -> None:
    """Append and commit."""
    stream = options.get("stream", "samples")
    journal.append(stream, frame(journal, values, **options))
    journal.commit()


def all_of(journal: Journal, stream="samples", start=FIRST, end=LAST, **options) -> list[float]:
    found = journal.window(stream, None, start, end, **options)
    return [value for frame in found for value in frame.columns["a"].values.tolist()]


def read_all(journal: Journal, epoch=None, position=0, limit=2**20) -> list[float]:
    """What a reader gets who begins at a cursor."""
    values = []
    while True:
        batch = journal.read_from(epoch, position, limit)
        values += [value for frame in batch.frames for value in frame.columns["a"].values.tolist()]
        epoch, position = batch.epoch, batch.position
        if not batch.more:
            return values


def files(path: Path) -> int:
    """Bytes of all that belongs to a journal."""
    return sum(each.stat().st_size for each in path.parent.rglob("*") if each.is_file())


@contextlib.contextmanager
def no_room(path: Path) -> Iterator[None]:
    """A full disk: no file of this process can grow beyond what the journal has."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    wal = path.with_name(f"{path.name}-wal")
    resource.setrlimit(resource.RLIMIT_FSIZE, (max(wal.stat().st_size, 8192), limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
