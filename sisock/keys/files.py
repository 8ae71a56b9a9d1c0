"""Private files that are there whole or not at all, whoever else writes at the same time."""

import contextlib
import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def private_folder(folder: Path) -> Path:
    """Return the folder, made with mode 0700 where it, or one above it, was missing."""
    for missing in [each for each in reversed(folder.parents) if not each.exists()]:
        missing.mkdir(mode=0o700, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def write(path: Path, text: str) -> None:
    """Put the text in place of whatever the file held; readable by its owner only."""
    temporary = _temporary(path, text)
    temporary.replace(path)


def write_once(path: Path, text: str) -> bool:
    """Make the file unless it exists; say whether this call made it."""
    temporary = _temporary(path, text)
    try:
        os.link(temporary, path)
    except FileExistsError:
        return False
    finally:
        temporary.unlink()
    return True


def _temporary(path: Path, text: str) -> Path:
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=private_folder(path.parent))  # mode 0600
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise
    return Path(name)


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold a folder, which is made where it is not there, against others who change what lies in it."""
    handle = os.open(private_folder(folder), os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
