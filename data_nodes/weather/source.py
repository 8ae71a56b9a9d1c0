"""One file of the archive, read as far as it is complete, and read on where it grows."""

from collections.abc import Callable
from os import stat_result
from pathlib import Path
from typing import BinaryIO, Protocol

import numpy as np

from data_nodes.weather.dat import Dat
from data_nodes.weather.table import Table
from sisock.frames import Field, Frame, concat

_BLOCK = 16 * 2**20  # bytes read at a time; no line is longer
_TAIL = 256  # bytes before the end of what was read, by which a file that went on is told from another one


class Format(Protocol):
    """What a file's format has to say and do."""

    begins: int

    @property
    def fields(self) -> dict[str, Field]:
        """The fields of the file by their titles; the timeline is "" where the file does not name one."""

    def parse(self, lines: bytes) -> tuple[Frame, int]:
        """Samples of whole lines, and how many could not be read."""


FORMATS: dict[str, Callable[[bytes], Format]] = {".dat": Dat, ".csv": Table}


class Source:
    """A file and its samples so far, in the order of time; of equal times the later line holds."""

    def __init__(self, path: Path) -> None:
        """Nothing is read yet."""
        self.path = path
        self._mark: tuple[int, int, int] | None = None
        self._forget()

    def _forget(self) -> None:
        self.format: Format | None = None
        self.frame: Frame | None = None
        self.problem = "there is nothing in it (yet)"
        self.unreadable = self.repeated = 0
        self._offset, self._tail = 0, b""

    def refresh(self, status: stat_result) -> bool:
        """Read what is new; true if there was anything. Raises OSError if the file cannot be read."""
        mark = (status.st_ino, status.st_size, status.st_mtime_ns)
        if mark == self._mark:
            return False
        with self.path.open("rb") as file:
            if not self._goes_on(file, mark):
                self._forget()
            self._mark = mark
            self._read(file)
        return True

    @property
    def oddities(self) -> str:
        """What a reader of the samples should know, or nothing."""
        return self.problem or (f"{self.unreadable} unreadable values left out" if self.unreadable else "")

    def _goes_on(self, file: BinaryIO, mark: tuple[int, int, int]) -> bool:
        """True if the file is the one we know and has only grown."""
        if self._mark is None or mark[0] != self._mark[0] or mark[1] <= self._mark[1]:
            return False
        file.seek(self._offset - len(self._tail))
        return file.read(len(self._tail)) == self._tail

    def _read(self, file: BinaryIO) -> None:
        frames = [self.frame] if self.frame is not None else []
        while lines := self._next_lines(file):
            if self.format is None:
                try:
                    self.format = FORMATS[self.path.suffix.lower()](lines)
                except ValueError as error:
                    self.problem = str(error)
                    return
                self.problem = ""
                self._advance(lines[: self.format.begins])
                continue
            frame, unreadable = self.format.parse(lines)
            self.unreadable += unreadable
            frames.append(frame)
            self._advance(lines)
        if frames:
            self.frame = settle(concat(frames))
            self.repeated += sum(map(len, frames)) - len(self.frame)

    def _next_lines(self, file: BinaryIO) -> bytes:
        """The next whole lines; nothing where the last one is not complete yet."""
        file.seek(self._offset)
        block = file.read(_BLOCK)
        end = block.rfind(b"\n") + 1
        return block[:end] if end or len(block) < _BLOCK else block  # one endless line is junk, not to be waited for

    def _advance(self, lines: bytes) -> None:
        self._offset += len(lines)
        self._tail = (self._tail + lines[-_TAIL:])[-_TAIL:]


def settle(frame: Frame) -> Frame:
    """The frame in the order of time, and of equal times only the last row."""
    if (frame.t[1:] > frame.t[:-1]).all():
        return frame
    ordered = frame.rows(np.argsort(frame.t, kind="stable"))
    return ordered.rows(np.append(ordered.t[1:] != ordered.t[:-1], True))
