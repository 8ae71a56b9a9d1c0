"""Where the files of an archive lie: below a folder of this machine."""

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from sisock.durable import sync

Range = tuple[int, int]  # first byte, and one past the last
CURE = "see that the disk has room, and that it may be written to"


class AwayError(OSError):
    """What the files lie in cannot be reached now, or not in time: they may be as they should. Says so, and the cure."""


class Blob(Protocol):
    """A file that is open to be read."""

    def fetch(self, ranges: Sequence[Range], into: memoryview) -> list[Range]:
        """Read these bytes to the same places of `into`; the ranges that cannot be read, as far as these are known."""
        ...


class Storage(Protocol):
    """Files by name; a name may have folders, parted by `/`. Everything raises OSError (AwayError among them)."""

    def write(self, name: str, parts: Sequence[memoryview]) -> None:
        """Write a file that is not there; what cannot be written whole is not there afterwards."""
        ...

    def sync(self, names: Sequence[str]) -> None:
        """See that these files, and that they are there, is on disk."""
        ...

    def open(self, name: str) -> Blob:
        """Open a file to be read."""
        ...

    def size(self, name: str) -> int:
        """Bytes of a file."""
        ...

    def remove(self, name: str) -> None:
        """Remove a file; one that is not there is fine."""
        ...

    def set_aside(self, name: str) -> str:
        """Move a file out of the way, and where to."""
        ...

    def names(self) -> list[str]:
        """All files there are."""
        ...

    def doubt(self, name: str) -> None:
        """Read a file anew from now on: what was read of it was wrong."""
        ...


class Folder:
    """A folder of this machine."""

    def __init__(self, root: Path, aside: Path) -> None:
        """Keep the files below this folder, which is made when needed; what is not wanted goes to the other one."""
        self._root, self._aside = root, aside

    def __str__(self) -> str:
        return str(self._root)

    def write(self, name: str, parts: Sequence[memoryview]) -> None:
        """Write a file that is not there; what cannot be written whole is not there afterwards."""
        with _told():
            self._write(self._root / name, parts)

    def _write(self, path: Path, parts: Sequence[memoryview]) -> None:
        _make(path.parent)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            for part in parts:
                at = 0
                while at < len(part):
                    at += os.write(descriptor, part[at:])
        except BaseException:
            with contextlib.suppress(OSError):
                path.unlink()
            raise
        finally:
            os.close(descriptor)

    def sync(self, names: Sequence[str]) -> None:
        """See that these files, and that they are there, is on disk."""
        paths = [self._root / name for name in names]
        with _told():
            for path in [*paths, *dict.fromkeys(path.parent for path in paths)]:
                sync(path)

    def open(self, name: str) -> "OpenFile":
        """Open a file to be read."""
        return OpenFile(self._root / name)

    def size(self, name: str) -> int:
        """Bytes of a file."""
        return (self._root / name).stat().st_size

    def remove(self, name: str) -> None:
        """Remove a file; one that is not there is fine."""
        with _told():
            (self._root / name).unlink(missing_ok=True)

    def set_aside(self, name: str) -> str:
        """Move a file out of the way, and where to."""
        target = self._aside / name
        _make(target.parent)
        (self._root / name).rename(target)
        return str(target)

    def doubt(self, name: str) -> None:
        """Read a file anew from now on: it always is."""

    def names(self) -> list[str]:
        """All files there are."""
        return sorted(self._within(str(self._root)))

    def _within(self, folder: str) -> Iterator[str]:
        with contextlib.suppress(FileNotFoundError), os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    yield from self._within(entry.path)
                else:
                    yield os.path.relpath(entry.path, self._root)


class OpenFile:
    """A file of this machine. It is read, not mapped: a bad disk is an error then, not the end of the process."""

    def __init__(self, path: Path) -> None:
        """Open it; it is closed when nobody has it any more."""
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def __del__(self) -> None:
        with contextlib.suppress(AttributeError, OSError):
            os.close(self._descriptor)

    def fetch(self, ranges: Sequence[Range], into: memoryview) -> list[Range]:
        """Read these bytes to the same places of `into`; the ranges that cannot be read."""
        bad = []
        for first, beyond in ranges:
            try:
                got = os.preadv(self._descriptor, [into[first:beyond]], first)
            except OSError:
                got = 0
            if got < beyond - first:
                bad.append((first, beyond))
        return bad


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """Raise what is raised in this block with the cure."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, f"{error.strerror}: {CURE}", error.filename) from error


def _make(folder: Path) -> None:
    """See that a folder is there, and on disk."""
    if folder.is_dir():
        return
    _make(folder.parent)
    folder.mkdir(mode=0o700, exist_ok=True)
    sync(folder.parent)
