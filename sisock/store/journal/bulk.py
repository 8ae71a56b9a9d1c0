"""Large rows of a journal, in files of their own beside it: they are written once, not twice as SQLite does."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple


class Place(NamedTuple):
    """Where a body lies: the number of its file, and the first byte."""

    file: int
    at: int


class Bulk:
    """Files to which bodies are appended, numbered in their order; each is removed when it holds nothing any more."""

    def __init__(self, folder: Path, most: int) -> None:
        """Begin a file of its own, and another one whenever it has so many bytes."""
        self._folder, self._most = folder, most
        self.number = max(self._numbers(), default=0)
        self._file = -1  # descriptor of the last file, which alone is written to
        self._at = 0
        self._synced = (0, 0)

    def append(self, body: bytes) -> Place:
        """Write a body; it is safe after `sync`."""
        if self._file < 0 or self._at >= self._most:
            self._begin()
        place = Place(self.number, self._at)
        left = memoryview(body)
        while left:
            left = left[os.pwrite(self._file, left, self._at + len(body) - len(left)) :]
        self._at += len(body)
        return place

    def sync(self) -> None:
        """Return when all that was appended is on disk."""
        if self._synced != (self.number, self._at) and self._file >= 0:
            os.fdatasync(self._file)
        self._synced = self.number, self._at

    @contextmanager
    def undone(self) -> Iterator[None]:
        """What is appended within is cut off again where something is raised."""
        file, at = self._file, self._at
        try:
            yield
        except BaseException:
            if self._file == file and file >= 0:
                os.ftruncate(file, at)
                self._at = at
            else:
                self.close()
            raise

    def read(self, place: Place, size: int) -> bytes | None:
        """A body; None where it was removed meanwhile."""
        try:
            with self._path(place.file).open("rb", buffering=0) as file:
                return os.pread(file.fileno(), size, place.at)
        except FileNotFoundError:
            return None

    def remove_below(self, number: int) -> None:
        """Remove the files with lower numbers."""
        for each in self._numbers():
            if each < number:
                self._path(each).unlink(missing_ok=True)

    def close(self) -> None:
        """Write to another file next time."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _begin(self) -> None:
        self.sync()
        self.close()
        self._folder.mkdir(exist_ok=True)
        self.number += 1
        self._file = os.open(self._path(self.number), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        self._at = 0
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(folder)  # the file's name is on disk, too
        finally:
            os.close(folder)

    def _numbers(self) -> list[int]:
        return (
            [int(each.name) for each in self._folder.iterdir() if each.name.isdigit()] if self._folder.is_dir() else []
        )

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:08}"
