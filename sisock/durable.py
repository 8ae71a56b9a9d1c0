"""What is written is on disk, whatever happens next."""

import os
from pathlib import Path


def sync(path: Path) -> None:
    """See that a file, or what a folder lists, is on disk. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
