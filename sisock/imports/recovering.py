"""What a logger wrote before it died becomes samples: all that can be read, once; the rest is told, and kept apart."""

import hashlib
import json
import os
import re
import stat
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from sisock.imports import seeking
from sisock.imports.pieces import Pieces
from sisock.keys import files
from sisock.parsers import logs
from sisock.parsers.told import Found, Lines
from sisock.parsing import from_json
from sisock.store import incoming
from sisock.store.quarantine import Quarantine

_BLOCK = 4 * 2**20
_LONGEST = 2**16  # bytes of a line
_SEAL = 64  # bytes before a place by which a log is known again
_HEAD = 2**20  # bytes by which the format is known
_ZEROS = re.compile(rb"\0+")
_CUT = "the log ends within it"
_TOO_LONG = f"it is longer than {_LONGEST} bytes"


class RecoverFailed(Exception):
    """A log cannot be read; says why, and the cure."""


class Wanted(NamedTuple):
    """Whose samples a log has, how it is to be read, and which part of it, in ns."""

    node: str
    timeline: str
    units: Mapping[str, str] = {}
    form: str = ""
    zone: str = "UTC"
    time: str = ""
    start: int | None = None
    end: int | None = None


@dataclass
class Recovered:
    """How far a log has been read, and what was in it. On disk between pieces: what is interrupted goes on there."""

    at: int = 0  # bytes
    seal: str = ""
    lines: int = 0  # with values
    unreadable: int = 0
    others: int = 0  # lines that carry no data
    skipping: bool = False  # within a line that is too long
    done: bool = False
    sources: list[str] = field(default_factory=list)  # of the pieces
    rows: int = 0  # in these
    types: dict[str, Any] = field(default_factory=dict)


def recover(
    path: Path, wanted: Wanted, archive: Path, quarantine: Quarantine, progress: Callable[[float], None],
    fresh: Callable[[], None] = lambda: None,
) -> Recovered:  # fmt: skip
    """Put the samples of a log where the archive takes them. Raises RecoverFailed, OSError.

    `fresh` is called where nothing of it was read before.
    """
    if not stat.S_ISREG(path.stat().st_mode):
        raise RecoverFailed(f"{path} is no regular file: write what comes from it to one, and recover that")
    with path.open("rb") as file:
        job = _Job(path, file, wanted, archive, quarantine)
        job.run(progress, fresh)
    return job.state


def finish(path: Path, wanted: Wanted, archive: Path) -> None:
    """Forget how far it was: all of it is in the archive."""
    _state_path(path, wanted, archive).unlink(missing_ok=True)


class _Job:
    """One log being read."""

    def __init__(self, path: Path, file: BinaryIO, wanted: Wanted, archive: Path, quarantine: Quarantine) -> None:
        self._path, self._file, self._wanted, self._quarantine = path, file, wanted, quarantine
        self._size = os.fstat(file.fileno()).st_size
        self._lines = self._reader(file.read(_HEAD))
        self._ranged = not (wanted.start is None and wanted.end is None)
        self._inside, self._others = wanted.start is None, 0
        self._note = _state_path(path, wanted, archive)
        told = json.dumps([*wanted[:2], dict(wanted.units), *wanted[3:6]])
        self._pieces = Pieces(wanted.node, wanted.timeline, wanted.units, archive, told)
        self.state = self._restored()

    def _reader(self, head: bytes) -> Lines:
        some = [line for line in head.split(b"\n")[:-1] if line.strip(b"\0 \r\t")][:200]
        if not some:
            raise RecoverFailed(f"{self._path} has no whole line in its first {_HEAD} bytes")
        try:
            form = self._wanted.form or logs.likely(some)
            if self._wanted.time and form in ("log", "ma"):
                cure = "leave out --time, or say --format json or csv"
                raise RecoverFailed(f"{self._path} is a log whose lines begin with their times: {cure}")
            return logs.lines(form, self._wanted.zone, self._wanted.time, some[0])
        except ValueError as error:
            raise RecoverFailed(f"{self._path}: {error}") from error

    def run(self, progress: Callable[[float], None], fresh: Callable[[], None]) -> None:
        """Read all of it that is wanted, from where it was left."""
        start, end = self._wanted.start, self._wanted.end
        first, beyond = seeking.window(self._file, self._size, start, end, self._lines.time)
        if not self.state.at:
            fresh()
        at = max(first, self.state.at)
        while at < beyond and not self.state.done:
            self._file.seek(at)
            block = self._file.read(_BLOCK)
            if not block:
                break
            at += self._take(block, last=len(block) < _BLOCK or at + len(block) >= self._size)
            if self._pieces.full:
                self._keep(at)
            progress((at - first) / max(1, beyond - first))
        self.state.done = True
        self._keep(at)

    def _take(self, block: bytes, *, last: bool) -> int:
        """Read the whole lines of a block; how many bytes these have."""
        end = len(block) if last else block.rfind(b"\n") + 1
        if not end and (len(block) > _LONGEST or self.state.skipping):
            if not self.state.skipping:
                self._refuse(_TOO_LONG, block)
            self.state.skipping = True
            return len(block)
        whole = block[:end]
        if b"\0" in whole:
            whole = _ZEROS.sub(b"\0\n", whole)  # a line of its own behind them may be whole
        *lines, rest = whole.split(b"\n")
        if self.state.skipping and lines:
            lines, self.state.skipping = lines[1:], False
        self._read(lines)
        if rest.strip() and not self.state.skipping:
            self._refuse(_CUT, rest)
        return end

    def _read(self, lines: list[bytes]) -> None:
        read, add, count = self._lines.read, self._pieces.add, 0
        for line in lines:
            if len(line) > _LONGEST:
                self._refuse(_TOO_LONG, line)
                continue
            found = read(line)
            if self._ranged and not self._is_inside(found):
                continue
            if found is not None:
                wrong = add(*found)
                if wrong:
                    self._refuse(wrong, line)
                count += 1
            if self._lines.refused:
                self._refuse_all()
        self.state.lines += count
        self.state.others += self._lines.others
        self._lines.others = self._others = 0

    def _is_inside(self, found: Found | None) -> bool:
        """Whether a line is in the range that is wanted; one without values is where the last one with some was."""
        start, end = self._wanted.start, self._wanted.end
        if found is not None:
            self._inside = (start is None or found[0] >= start) and (end is None or found[0] < end)
        if not self._inside:
            self._lines.refused.clear()
            self._lines.others = self._others
        self._others = self._lines.others
        return self._inside

    def _refuse_all(self) -> None:
        for reason, payload in self._lines.refused:
            self._refuse(reason, payload)
        self._lines.refused.clear()

    def _refuse(self, reason: str, payload: bytes) -> None:
        self.state.unreadable += 1
        self._quarantine.add(str(self._path.absolute()), reason, payload)
        if not self.state.unreadable % 500:
            self._quarantine.write()

    def _keep(self, at: int) -> None:
        """Write a piece, and note how far that is."""
        state = self.state
        if len(self._pieces):
            state.rows += len(self._pieces)
            state.sources.append(self._pieces.write())
        self._quarantine.write()
        state.at, state.seal, state.types = at, self._seal(at), dict(self._pieces.types)
        files.write(self._note, json.dumps(asdict(state)))

    def _restored(self) -> Recovered:
        """How far it was, where the log is still the same up to there."""
        try:
            state = Recovered(**from_json(self._note.read_bytes()))
        except (OSError, ValueError, TypeError):
            return Recovered()
        if state.seal != self._seal(state.at) or (state.done and state.at != self._size and self._wanted.end is None):
            return Recovered()
        self._pieces.types = dict(state.types)
        return state

    def _seal(self, at: int) -> str:
        self._file.seek(max(0, at - _SEAL))
        return self._file.read(min(at, _SEAL)).hex()


def _state_path(path: Path, wanted: Wanted, archive: Path) -> Path:
    told = json.dumps([str(path.absolute()), *wanted[:2], dict(wanted.units), *wanted[3:]])
    name = hashlib.blake2b(told.encode(), digest_size=16).hexdigest()
    return incoming.folder(archive) / f"recover-{name}.json"
