"""A folder of files as timelines: what is there, what each file belongs to, and which table a piece is of."""

import json
import os
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from pathlib import Path

from data_nodes.files.home import hold, open_state
from data_nodes.files.naming import fields_of, series_of
from data_nodes.files.pieces import Piece
from data_nodes.files.timeline import FileTimeline
from data_nodes.names import as_field, split_title
from sisock.formats.columns import KINDS, About
from sisock.formats.errors import UnreadableError
from sisock.formats.table import Table, Terms, open_tables
from sisock.frames import Field

_OPEN = 32  # files kept open


class Catalog:
    """The timelines of a folder, and their files. One thread changes it, any may read."""

    def __init__(
        self, folder: Path, home: Path, *, time: str = "", units: Mapping[str, str] | None = None, taken: set[str]
    ) -> None:
        """Take up what the folder `home`, which is ours, has of it. `taken`: names that fields and timelines cannot have.

        Raises ValueError where a newer sisock made it, or another process has it.
        """
        self._held = hold(home)
        self.folder, self._home, self._time, self._units, self._taken = folder, home, time, dict(units or {}), taken
        self.state = open_state(home, {"folder": str(folder.resolve()), "time": time})
        self._tables: OrderedDict[tuple[str, str], Table] = OrderedDict()
        self._lock = threading.Lock()
        self.timelines: dict[str, FileTimeline] = {}
        for key, (number, name) in self.state.timelines().items():
            self._take_up(key, number, name)

    def _take_up(self, key: str, number: int, name: str) -> FileTimeline:
        made = FileTimeline(number, name, self.state, self.table_of, self._home / "tiers" / str(number))
        made.fields = {
            field: Field(*about) for field, about in json.loads(self.state.note(f"fields {number}") or "{}").items()
        }
        self.timelines = {**self.timelines, key: made}
        return made

    def close(self) -> None:
        """Let all files go."""
        for timeline in self.timelines.values():
            timeline.close()
        self.state.close()
        os.close(self._held)

    # tables

    def open(self, path: str) -> dict[str, Table]:
        """The tables of a file as it is now. Raises UnreadableError or OSError."""
        tables = open_tables(self.folder / path, Terms(self._time, split_title))
        with self._lock:
            for key in [key for key in self._tables if key[0] == path]:
                del self._tables[key]
            for part, table in tables.items():
                self._tables[path, part] = table
            while len(self._tables) > max(_OPEN, len(tables)):
                self._tables.popitem(last=False)
        return tables

    def table_of(self, piece: Piece) -> Table:
        """The table that a piece is of. Raises UnreadableError or OSError."""
        with self._lock:
            if (piece.path, piece.part) in self._tables:
                self._tables.move_to_end((piece.path, piece.part))
                return self._tables[piece.path, piece.part]
        tables = self.open(piece.path)
        if piece.part not in tables:
            raise UnreadableError(f"there is no {piece.part!r} in it any more")
        return tables[piece.part]

    # timelines

    def timeline_for(self, path: str, part: str) -> FileTimeline:
        """The timeline that a table of a file belongs to."""
        series = series_of(path, part, self.folder.resolve().name)
        key = _key(series, path)
        if key not in self.timelines:
            names = {each.timeline for each in self.timelines.values()} | self._taken
            name = as_field(series)
            if name in names:
                name = as_field(f"{series[:180]} ({_suffix(path)})")
            while name in names:
                name = f"{name[:190]}+"
            return self._take_up(key, self.state.begin(key, name), name)
        return self.timelines[key]

    def named(self, path: str) -> frozenset[str]:
        """The timelines that there are of a file by its name, where it has one table."""
        key = _key(series_of(path, "", self.folder.resolve().name), path)
        return frozenset({self.timelines[key].timeline} if key in self.timelines else ())

    def fields_for(self, timeline: FileTimeline, titles: Mapping[str, About]) -> dict[str, tuple[str, str]]:
        """The fields that these columns are, each with its title and kind; new ones are taken up."""
        others = {
            name for each in self.timelines.values() if each is not timeline for name in each.fields
        } | self._taken
        found = fields_of(timeline.timeline, titles, timeline.fields, others)
        more = {
            name: Field(about.description or title, timeline.timeline, KINDS[about.kind], about.units)
            for name, (title, about) in found.items()
        }
        if more != {name: timeline.fields.get(name) for name in more}:
            timeline.fields = {**timeline.fields, **more}
            self.state.put(f"fields {timeline.number}", json.dumps(timeline.fields))
        return {name: (title, about.kind) for name, (title, about) in found.items()}

    def fields(self) -> dict[str, Field]:
        """All fields that there are samples of, with the units that were told for them."""
        return {
            name: field._replace(units=self._units.get(name.removeprefix(f"{each.timeline}/"), field.units))
            for each in self.timelines.values()
            if each.pieces or each.late
            for name, field in each.fields.items()
        }

    # files

    def lose(self, path: str) -> Iterator[FileTimeline]:
        """Have nothing of a file any more; the timelines whose tiers are stale for it, and have to be mended."""
        with self.state.change():
            losing = [each for each in self.timelines.values() if each.lose(path)]
            self.state.forget([path])
        with self._lock:
            for key in [key for key in self._tables if key[0] == path]:
                del self._tables[key]
        for each in losing:
            each.drop(path)
            yield each


def _key(series: str, path: str) -> str:
    return json.dumps([series, _suffix(path)])


def _suffix(path: str) -> str:
    return Path(path).suffix.lower().lstrip(".")
