"""A file that grows, is rotated and cut: its lines, each once, and the place up to which they were read."""

import errno
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from stat import S_ISREG
from typing import NamedTuple

from data_nodes.sources.lines import too_long
from sisock.parsers.rows import Refused
from sisock.parsing import from_json

_BLOCK = 2**20
_SEAL = 256  # bytes before a place by which a file is known again
_ROTATED = re.compile(r"[-.](old|\d[\d_.T-]*)")  # what is put behind the name of a file that is rotated away
_BACK = 2**16  # bytes looked at for the beginning of the last line


class Batch(NamedTuple):
    """Lines that are whole, what is none, the place behind them, and the first line of the file that they are in."""

    lines: list[bytes]
    refused: list[Refused]
    place: str
    head: bytes
    moved: bool

    def __bool__(self) -> bool:
        return self.moved


class Place(NamedTuple):
    """How far a file was read: which one, to which byte, the bytes before it, and whether that is within a long line."""

    inode: int
    at: int
    seal: str
    skipping: bool = False


class Follower:
    """One file, by its path. Everything may raise OSError; FileNotFoundError as long as there is none."""

    def __init__(self, path: Path, longest: int, begin: str) -> None:
        """Take lines of so many bytes; `begin` at "end", "beginning" or some "last" lines where nothing is known."""
        self._path, self._longest, self._begin = path, longest, begin
        self._file = -1
        self._at, self._seal, self._skipping = 0, b"", False
        self._head = b""
        self._lost: list[Refused] = []

    @property
    def place(self) -> str:
        """How far it was read, for `resume`."""
        return self._place() if self._file >= 0 else json.dumps(Place(0, 0, "")._asdict())

    def resume(self, place: str | None) -> None:
        """Go on where the place of before says, in the file as it is called now; begin where there is none."""
        known = _place(place)
        if known is None:
            if self._path.is_file():
                self._open(self._path, 0)
                self._skip_to_begin()
            return
        found = [path for path in (self._path, *self._siblings()) if _is(path, known)]
        if found:
            self._open(min(found, key=lambda path: path.stat().st_ino != known.inode), known.at)
            self._skipping = known.skipping
        elif known.at:
            self._lost.append(
                Refused("the file is not there any more as it was read: lines may be missing", str(place))
            )

    def read(self) -> Batch:
        """The next lines, of one file; nothing is in it where nothing has come."""
        if self._file < 0:
            self._open(self._path, 0)
        if self._was_cut():
            self._begin_anew()
        batch = self._next()
        if batch or not (following := self._successor()):
            return batch
        rest = os.pread(self._file, self._longest + 1, self._at)
        if b"\n" in rest:  # it has grown meanwhile
            return self._next()
        self._open(following, 0)
        torn = [Refused("the file ended within this line", rest.decode("utf-8", "backslashreplace"))] if rest else []
        return Batch([], torn, self._place(), self._head, moved=True)

    def close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
        self._file = -1

    def _open(self, path: Path, at: int) -> None:
        opened = _opened(path)
        self.close()
        self._file = opened
        self._at, self._skipping = at, False
        self._seal = os.pread(self._file, min(at, _SEAL), max(0, at - _SEAL))
        self._head = b""

    def _next(self) -> Batch:
        block = os.pread(self._file, max(_BLOCK, self._longest + 1), self._at)
        end = block.rfind(b"\n") + 1
        refused, self._lost = self._lost, []
        lines = block[:end].split(b"\n")[:-1]
        if lines and self._skipping:
            lines, self._skipping = lines[1:], False
        if not end and (len(block) > self._longest or self._skipping):
            if not self._skipping:
                refused.append(too_long(block, self._longest))
            end, self._skipping = len(block), True
        refused += [too_long(line, self._longest) for line in lines if len(line) > self._longest]
        if end:
            self._seal = (self._seal + block[:end])[-_SEAL:]
            self._at += end
        if lines and not self._head:
            self._head = os.pread(self._file, self._longest, 0).partition(b"\n")[0].rstrip(b"\r")
        whole = [line.rstrip(b"\r") for line in lines if len(line) <= self._longest]
        return Batch(whole, refused, self._place(), self._head, moved=bool(end or refused))

    def _place(self) -> str:
        return json.dumps(Place(os.fstat(self._file).st_ino, self._at, self._seal.hex(), self._skipping)._asdict())

    def _was_cut(self) -> bool:
        return os.pread(self._file, len(self._seal), self._at - len(self._seal)) != self._seal

    def _begin_anew(self) -> None:
        """Go on in the copy that was made before the file was cut, if there is one; else at its beginning."""
        place = Place(0, self._at, self._seal.hex(), self._skipping)
        copy = next((path for path in self._siblings() if _is(path, place)), None)
        if copy is None:
            self._open(self._path, 0)
        else:
            self._open(copy, self._at)
            self._skipping = place.skipping

    def _successor(self) -> Path | None:
        """The file that comes after the one that is open, if that was rotated away and something is in the next."""
        own = os.fstat(self._file)
        try:
            current = self._path.stat()
        except FileNotFoundError:
            return None
        if (current.st_dev, current.st_ino) == (own.st_dev, own.st_ino) or not current.st_size:
            return None
        later = [
            (stat.st_mtime_ns, path) for path, stat in self._stats() if S_ISREG(stat.st_mode) and _later(stat, own)
        ]
        return min(later)[1] if later else self._path

    def _stats(self) -> Iterator[tuple[Path, os.stat_result]]:
        for path in self._siblings():
            try:
                yield path, path.stat()
            except FileNotFoundError:  # renamed meanwhile
                continue

    def _siblings(self) -> list[Path]:
        """What the file may have been renamed or copied to."""
        name = self._path.name
        return [each for each in self._path.parent.iterdir() if _is_rotated(each.name, name)]

    def _skip_to_begin(self) -> None:
        """To the line that is being written, or some lines before it."""
        if self._begin == "beginning":
            return
        size = os.fstat(self._file).st_size
        last = os.pread(self._file, min(size, _BACK), max(0, size - _BACK))
        ends = [at for at, byte in enumerate(last) if byte == 10]
        wanted = -21 if self._begin == "last" else -1
        whole = len(last) == size
        if len(ends) >= -wanted:
            at = size - len(last) + ends[wanted] + 1
        else:
            at = 0 if whole else size - len(last) + (ends[0] + 1 if ends else len(last))
        self._open(self._path, at)


def _is_rotated(name: str, own: str) -> bool:
    return name.startswith(own) and bool(_ROTATED.fullmatch(name[len(own) :]))


def _later(stat: os.stat_result, own: os.stat_result) -> bool:
    return stat.st_mtime_ns > own.st_mtime_ns and (stat.st_dev, stat.st_ino) != (own.st_dev, own.st_ino)


def _place(text: str | None) -> Place | None:
    """What a place of before says; None where it says nothing."""
    try:
        place = Place(**from_json(text)) if text else None
        sound = place is None or (isinstance(place.at, int) and place.at >= 0 and bytes.fromhex(place.seal) is not None)
    except (ValueError, TypeError):
        return None
    return place if sound else None


def _opened(path: Path) -> int:
    """A file, open; a pipe in its place would keep us waiting, and is none. Raises FileNotFoundError, OSError."""
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    if not S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise FileNotFoundError(errno.ENOENT, "is no file", str(path))
    return file


def _is(path: Path, place: Place) -> bool:
    """Whether the file is the one that was read so far: by the bytes there, at its very beginning by its number."""
    try:
        with os.fdopen(_opened(path), "rb") as file:
            if not place.at:
                return os.fstat(file.fileno()).st_ino == place.inode
            seal = bytes.fromhex(place.seal)
            file.seek(place.at - len(seal))
            return file.read(len(seal)) == seal
    except (OSError, ValueError):
        return False
