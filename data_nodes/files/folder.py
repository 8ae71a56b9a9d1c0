"""The files below a folder, and whether each is as it was."""

import os
from contextlib import suppress
from pathlib import Path

from sisock.formats.table import FORMATS

Status = list[int]  # size, time of the last change in ns, inode


def look(folder: Path, pattern: str) -> dict[str, Status]:
    """The files of known formats by their paths below the folder, in the order of these.

    Raises OSError where the folder itself is not there.
    """
    os.scandir(folder).close()
    found: dict[str, Status] = {}
    for path in folder.glob(pattern):
        if path.suffix.lower() in FORMATS and not path.name.startswith("."):
            with suppress(OSError):  # gone meanwhile
                status = path.stat()
                if path.is_file():
                    found[path.relative_to(folder).as_posix()] = [status.st_size, status.st_mtime_ns, status.st_ino]
    return dict(sorted(found.items()))
