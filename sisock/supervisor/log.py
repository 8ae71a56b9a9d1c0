"""What a part says, on disk and never more than twice the limit."""

import contextlib
import os
from pathlib import Path


class Log:
    """A part's output as `path` and, once that is full, `path`.1; `last` is the last line that says something."""

    def __init__(self, path: Path, limit: int = 2**20) -> None:
        self.last = ""
        self._path, self._limit = path, limit
        self._file = self._open()

    def write(self, output: bytes) -> None:
        """Append the output; where the file is full it becomes `.1` and a new one begins."""
        lines = output.decode(errors="replace").strip().splitlines()
        self.last = next((line.strip() for line in reversed(lines) if line.strip()), self.last)[:300]
        with contextlib.suppress(OSError):  # a full disk costs the log, not the parts
            self._append(output[-self._limit :])

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    def _append(self, output: bytes) -> None:
        if os.fstat(self._file).st_size + len(output) > self._limit:
            self._path.replace(self._path.with_name(self._path.name + ".1"))
            full, self._file = self._file, self._open()
            os.close(full)
        os.write(self._file, output)

    def _open(self) -> int:
        return os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
