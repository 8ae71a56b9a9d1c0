"""Files on their way into tiers: what is new, has grown, has changed or is gone, a piece of about a million rows at a time."""

import logging
import threading
from collections.abc import Callable, Collection, Iterator
from typing import Any, NamedTuple

import pyarrow as pa

from data_nodes.files.catalog import Catalog
from data_nodes.files.folder import Status, look
from data_nodes.files.pieces import Piece
from data_nodes.files.scanning import Scan, groups_of, joined, outline, scan
from data_nodes.files.timeline import FileTimeline
from sisock.formats.table import Table

log = logging.getLogger(__name__)
_MOST_TOLD = 20
_SMALL = 8 * 2**20  # bytes of a file of lines up to which it is looked through before it is indexed
UNREADABLE = (OSError, ValueError, KeyError, TypeError, pa.ArrowException)  # whatever a file may hold


class Progress(NamedTuple):
    """How far the files are indexed."""

    percent: float = 0.0
    files: int = 0  # that there are
    waiting: int = 0  # that are not indexed, or not up to their end


class Indexer:
    """Keeps a catalog in line with its folder. `troubles` says of each file what is wrong with it."""

    def __init__(
        self,
        catalog: Catalog,
        pattern: str,
        told: Callable[[], None] = lambda: None,
        stop: threading.Event | None = None,
    ) -> None:
        """`told` is called when there is something new to tell; where `stop` is set, a round ends soon."""
        self.progress = Progress()
        self.troubles: dict[str, str] = {}
        self.away: str | None = None  # why the folder cannot be looked at
        self._catalog, self._pattern, self._told = catalog, pattern, told
        self._stop = stop or threading.Event()
        self._wrong: dict[str, Status] = {}  # files that could not be read as they were
        self._gone: dict[str, str] = {}
        self._sizes: dict[str, int] = {}
        self._of: dict[str, frozenset[str]] = {}  # file -> names of timelines
        self._waiting: tuple[str, ...] = ()

    def notices(self, of: Collection[str] | None = None) -> list[str]:
        """What is wrong, or goes on, as sentences; `of`: with the files of these timelines only."""

        def about(path: str) -> bool:
            return of is None or not self._names(path).isdisjoint(of)

        found = [self.away] if self.away else []
        if any(map(about, self._waiting)):
            found.append(f"tiers are being built: {min(99, int(self.progress.percent))} %")
        told = [f"{path}: {why}" for path, why in sorted((self._gone | self.troubles).items()) if about(path)]
        more = len(told) - _MOST_TOLD
        return [*found, *told[:_MOST_TOLD], *([f"and {more} more files like these"] if more > 0 else [])]

    def _names(self, path: str) -> frozenset[str]:
        """The timelines that a file is, or was, a part of; as its name says where it was never opened."""
        return self._of.get(path) or self._catalog.named(path)

    def _note(self, path: str, timeline: FileTimeline) -> FileTimeline:
        self._of[path] = self._of.get(path, frozenset()) | {timeline.timeline}
        return timeline

    def round(self) -> None:
        """Look once, and index what is to be; until `stop` is set."""
        for timeline in self._catalog.timelines.values():
            timeline.mend()  # what a sudden end left
        try:
            found = look(self._catalog.folder, self._pattern)
        except OSError as error:
            self._say(f"the folder {self._catalog.folder} cannot be looked at: {error.strerror}")
            return
        noted = self._catalog.state.files()
        if noted and not found:
            self._say(
                f"the folder {self._catalog.folder} is empty: what was indexed of it is kept until there are files"
            )
            return
        self._say(None)
        self._gone = {path: why for path, why in self._gone.items() if path not in found}
        for path in [path for path in noted if path not in found]:
            self._lose(path, "it has vanished")
        for path in [path for path in self._wrong if path not in found]:
            del self._wrong[path], self.troubles[path]
        self._sizes = {path: status[0] for path, status in found.items()}
        work = [path for path, status in found.items() if self._is_new(path, status, noted.get(path))]
        self._tell(work, 0.0)
        for path in work:
            if path not in noted and not self._stop.is_set():
                self._outline(path)
        for number, path in enumerate(work):
            if self._stop.is_set():
                break
            self._file(path, found[path], noted.get(path), work[number:])
            self._tell(work[number + 1 :], 0.0)
        for timeline in self._catalog.timelines.values():
            timeline.settle()

    def _say(self, away: str | None) -> None:
        if away != self.away:
            self.away = away
            if away:
                log.warning("%s", away)
            self._told()

    def _is_new(self, path: str, status: Status, noted: dict[str, Any] | None) -> bool:
        if path in self._wrong:
            return self._wrong[path] != status
        return noted is None or noted["status"] != status or not noted.get("whole")

    def _tell(self, work: list[str], done: float) -> None:
        """Tell how far it is: `done` of the first file of the work."""
        left = sum(self._sizes[path] for path in work) - (done * self._sizes[work[0]] if work else 0)
        percent = 100.0 * (1 - left / max(1, sum(self._sizes.values()))) if work else 100.0
        self.progress = Progress(percent, len(self._sizes), len(work))
        self._waiting = tuple(work)
        self._told()

    def _lose(self, path: str, why: str) -> None:
        rows = sum(
            each.rows for timeline in self._catalog.timelines.values() for each in timeline.pieces if each.path == path
        )
        for timeline in self._catalog.lose(path):
            self._note(path, timeline).mend()
        self._gone[path] = f"{why}: {rows} samples are no longer shown"
        log.warning("%s: %s", path, self._gone[path])

    # a file

    def _outline(self, path: str) -> None:
        """Know the pieces of a file that is new, so that it is answered before it is in the tiers."""
        try:
            for part, table in self._catalog.open(path).items():
                if table.columnar or self._sizes[path] <= _SMALL:
                    timeline = self._note(path, self._catalog.timeline_for(path, part))
                    fields = self._catalog.fields_for(timeline, table.titles)
                    pieces = tuple(outline(table, path, part, fields))
                    with timeline.lock:
                        timeline.late[path] = (*timeline.late.get(path, ()), *pieces)
        except UNREADABLE as error:
            log.debug("%s: %s", path, error)  # it is told when it is indexed

    def _file(self, path: str, status: Status, noted: dict[str, Any] | None, work: list[str]) -> None:
        """Index what is new of a file; what cannot be read costs only itself."""
        self.troubles.pop(path, None)
        self._wrong.pop(path, None)
        try:
            tables = self._catalog.open(path)
            if noted is not None and noted["status"] != status and not _grown(noted, tables):
                self._lose(path, "it has changed and is indexed anew")
                noted = None
            about = {**(noted or {"bad": 0, "seals": {}}), "status": status, "whole": False}
            for part, table in tables.items():
                self._table(path, part, table, about, work)
            if self._stop.is_set():
                return
            self._gone.pop(path, None)
            self._catalog.state.file(path, {**about, "whole": True})
            if about["bad"]:
                first = f"; the first in line {about['line']}" if "line" in about else ""
                self._wonder(path, f"{about['bad']} lines or values could not be read and are left out{first}")
        except UNREADABLE as error:
            self._wrong[path] = status
            self._wonder(path, f"it cannot be read: {error}")
        for timeline in self._catalog.timelines.values():
            with timeline.lock:
                timeline.late.pop(path, None)

    def _wonder(self, path: str, what: str) -> None:
        self.troubles[path] = what
        log.warning("%s: %s", path, what)

    def _table(self, path: str, part: str, table: Table, about: dict[str, Any], work: list[str]) -> None:
        timeline = self._note(path, self._catalog.timeline_for(path, part))
        fields = self._catalog.fields_for(timeline, table.titles)
        adding = _Adding(timeline, table, path, part, fields, about)
        for mark in adding.run():
            self._tell(work, min(1.0, mark / max(1, table.length)))
            if self._stop.is_set():
                return


class _Adding(NamedTuple):
    """A table on its way into its timeline."""

    timeline: FileTimeline
    table: Table
    path: str
    part: str
    fields: dict[str, tuple[str, str]]
    about: dict[str, Any]

    def run(self) -> Iterator[int]:
        """Add all that is new, a piece at a time; up to which mark it is added."""
        last = self.timeline.last_of(self.path, self.part)
        if last is not None and last.fields == self.fields:
            room = groups_of(self.table) - (len(last.marks) - 2)
            marks = self.table.marks(int(last.marks[-2]), room)
            if marks[-1] > last.marks[-1]:
                self._grow(last, marks)
                yield marks[-1]
        at = self._at()
        while len(marks := self.table.marks(at, groups_of(self.table))) > 1 and marks[-1] > at:
            self._add(marks)
            at = marks[-1]
            yield at

    def _at(self) -> int:
        last = self.timeline.last_of(self.path, self.part)
        return 0 if last is None else int(last.marks[-1])

    def _add(self, marks: list[int]) -> None:
        found = scan(self.table, self.path, self.part, marks, self.fields)
        if found is not None:
            self._seal(marks[-1], found)
            piece = found.piece
            self.timeline.add(piece, (piece.low, piece.high + 1), found.frames, self.path, self.about)

    def _grow(self, last: Piece, marks: list[int]) -> None:
        """Let the last piece grow: its last group was not full."""
        again = scan(self.table, self.path, self.part, marks, {})
        new = scan(self.table, self.path, self.part, [int(last.marks[-1]), marks[-1]], self.fields)
        if again is not None and new is not None:
            self._seal(marks[-1], new)
            piece = joined(last, again.piece, new.piece.rows)
            self.timeline.add(piece, (new.piece.low, new.piece.high + 1), new.frames, self.path, self.about)

    def _seal(self, mark: int, found: Scan) -> None:
        self.about["bad"] += found.bad
        if found.odd is not None and "line" not in self.about:
            begin, lines = found.odd
            self.about["line"] = self.table.number(begin) + lines
        self.about["seals"][self.part] = [mark, self.table.seal(mark)]


def _grown(noted: dict[str, Any], tables: dict[str, Table]) -> bool:
    """Whether a file is the one that was noted, and has only grown."""
    seals = noted["seals"]
    return bool(seals) and all(
        part in tables and seal is not None and tables[part].length >= mark and tables[part].seal(mark) == seal
        for part, (mark, seal) in seals.items()
    )
