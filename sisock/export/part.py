"""The part of a file that is written: it grows at its end, and goes on where it was sound."""

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

_LENGTH = 8  # bytes that tell the length of a chunk


class PartError(Exception):
    """The part cannot be gone on with; says why and the cure."""


class Part:
    """The file, held by one export at a time, without what was written after it was last noted to be sound."""

    def __init__(self, path: Path, size: int) -> None:
        """Go on after so many bytes."""
        self.path = path
        self._file = path.open("r+b" if path.exists() else "w+b")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if self._file.seek(0, os.SEEK_END) < size:
                raise PartError(f"{path} has less than was written: delete it and its .json to begin anew")
        except BlockingIOError as error:
            self._file.close()
            raise PartError(f"another export writes {path} now: wait for it, or choose another file") from error
        except PartError:
            self._file.close()
            raise
        self._file.truncate(size)
        self._file.seek(size)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._file.close()

    def append(self, content: bytes, *, chunk: bool = False) -> int:
        """Write at the end; how many bytes that were. `chunk`: with its length, so that `chunks` finds it."""
        head = len(content).to_bytes(_LENGTH, "little") if chunk else b""
        return self._file.write(head) + self._file.write(content)

    def sound(self) -> None:
        """Bring to the disk what was written."""
        self._file.flush()
        os.fsync(self._file.fileno())

    def chunks(self) -> Iterator[bytes]:
        """The chunks from the first on."""
        self._file.seek(0)
        while length := self._file.read(_LENGTH):
            yield self._file.read(int.from_bytes(length, "little"))
