"""CSV files: read by the places where every some thousand lines begin, so that a window is found by seeking."""

import csv
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import csv as arrow_csv

from data_nodes.files.columns import About, kind_of
from data_nodes.files.csv_cells import NOTHING, cast, settled
from data_nodes.files.moments import NAMES, time_column, unit_of
from data_nodes.files.table import ROWS, Rows, Table, UnreadableError
from data_nodes.names import split_title

_HEAD = 2**20  # bytes by which a file's columns are known
_BLOCK = 4 * 2**20  # bytes looked at together for where lines begin
_LONGEST = 16 * 2**20  # bytes of a line; what is longer is none
_TAIL = 256  # bytes before a mark by which a file that has grown is known again
_DELIMITERS = ",;\t"


class CsvTable:
    """A CSV file with or without a header; marks are bytes. The last line counts when it has its newline."""

    columnar = False

    def __init__(self, path: Path, time: str) -> None:
        """Read its first lines."""
        self._path = path
        self.length = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(_HEAD)
        whole = head[: head.rfind(b"\n") + 1]
        self._begin, first = _first_row(whole)
        if not first:
            raise UnreadableError("there is no whole line in it (yet)")
        self._delimiter = "\t" if path.suffix.lower() == ".tsv" else max(_DELIMITERS, key=first.count)
        cells = next(csv.reader([first], delimiter=self._delimiter), [])
        if _is_data(cells):
            titles: list[tuple[str, str | None]] = [(f"column {at}", None) for at in range(1, len(cells) + 1)]
        else:
            titles = _unlike([split_title(cell) for cell in cells])
            self._begin += len(_line_at(whole, self._begin))
        self._names = [name for name, _ in titles]
        self._settle(whole[self._begin :], time, dict(titles))

    def _settle(self, lines: bytes, time: str, units: Mapping[str, str | None]) -> None:
        """Know the types of the columns by the first lines, and which one is the time."""
        self._decimal = "."
        types = settled(self._parse(lines, {}, self._names)[0])
        if self._delimiter == ";" and any(kind == pa.string() for kind in types.values()):
            self._decimal = ","
            types = settled(self._parse(lines, {}, self._names)[0])
        self._time = time_column(types, time)
        self._types = {
            name: pa.string()
            if name != self._time and pa.types.is_timestamp(kind)
            else _plain(kind, name == self._time)
            for name, kind in types.items()
        }
        self.titles: Mapping[str, About] = {
            name: About(kind_of(kind) or "text", units[name])
            for name, kind in self._types.items()
            if name != self._time
        }
        self.unit = unit_of(self._rows(lines, ()).time)

    def marks(self, at: int, most: int) -> list[int]:
        """The next bytes at which groups of lines begin."""
        marks = [max(at, self._begin)]
        with self._path.open("rb") as file:
            file.seek(marks[0])
            lines, place, end = 0, marks[0], marks[0]
            while len(marks) <= most and (block := file.read(_BLOCK)):
                ends = np.flatnonzero(np.frombuffer(block, np.uint8) == 10) + place + 1
                place += len(block)
                wanted = np.arange(ROWS - lines % ROWS - 1, len(ends), ROWS)
                marks += ends[wanted].tolist()
                lines += len(ends)
                end = int(ends[-1]) if len(ends) else place if place - end > _LONGEST else end
        marks = marks[: most + 1]
        return marks if len(marks) > most or end <= marks[-1] else [*marks, end]

    def read(self, begin: int, end: int, titles: Sequence[str]) -> Rows:
        """The lines between these bytes."""
        with self._path.open("rb") as file:
            file.seek(begin)
            lines = file.read(end - begin)
        if len(lines) < end - begin:
            raise UnreadableError(f"it ends before its byte {end}")
        return self._rows(lines, titles)

    def _rows(self, lines: bytes, titles: Sequence[str]) -> Rows:
        wanted = [self._time, *titles]
        types = {name: self._types[name] for name in wanted}
        try:
            table, bad = self._parse(lines, types, wanted)
        except pa.ArrowException:  # one cell is enough: each by itself then
            table, bad = self._parse(lines, dict.fromkeys(wanted, pa.string()), wanted)
            columns = {name: cast(table.column(name), types[name], self._decimal) for name in wanted}
            odd = sum(
                each.null_count - table.column(name).null_count for name, each in columns.items() if name in titles
            )
            table, bad = pa.table(columns), bad + odd
        return Rows(table.column(self._time), {title: table.column(title) for title in titles}, bad)

    def _parse(self, lines: bytes, types: Mapping[str, pa.DataType], wanted: Sequence[str]) -> tuple[pa.Table, int]:
        """The columns wanted, and how many lines had more cells or fewer."""
        bad: list[int] = []

        def skip(_: Any) -> str:
            bad.append(1)
            return "skip"

        if not lines.strip():
            return pa.table({name: pa.array([], types.get(name, pa.null())) for name in wanted}), 0
        if any(kind == pa.string() for kind in types.values()) or not types:
            lines = lines.decode("utf-8", "replace").encode()
        table = arrow_csv.read_csv(
            pa.BufferReader(lines),
            arrow_csv.ReadOptions(column_names=self._names, block_size=max(_HEAD, min(len(lines), _LONGEST))),
            arrow_csv.ParseOptions(delimiter=self._delimiter, invalid_row_handler=skip),
            arrow_csv.ConvertOptions(
                column_types=dict(types), include_columns=list(wanted), null_values=NOTHING, strings_can_be_null=True,
                decimal_point=self._decimal,
            ),
        )  # fmt: skip
        return table, len(bad)

    def seal(self, at: int) -> str | None:
        """A checksum of its header and of some bytes before this one."""
        with self._path.open("rb") as file:
            head = file.read(self._begin)
            file.seek(max(0, at - _TAIL))
            tail = file.read(min(at, _TAIL))
        return f"{zlib.crc32(tail, zlib.crc32(head)):08x}" if len(tail) == min(at, _TAIL) else None


def _plain(kind: pa.DataType, is_time: bool) -> pa.DataType:
    """Whole numbers may go on with fractions, unless they are the time."""
    return pa.float64() if kind == pa.int64() and not is_time else kind


def _first_row(head: bytes) -> tuple[int, str]:
    """Where the first line is that is neither blank nor a comment, and what it says."""
    at = 3 if head.startswith(b"\xef\xbb\xbf") else 0
    while at < len(head):
        line = _line_at(head, at)
        text = line.decode("utf-8", "replace").strip()
        if text and not text.startswith("#"):
            return at, text
        at += len(line)
    return at, ""


def _line_at(head: bytes, at: int) -> bytes:
    end = head.find(b"\n", at)
    return head[at:] if end < 0 else head[at : end + 1]


def _is_data(cells: Sequence[str]) -> bool:
    """Whether a first row is one of values: a header has no number or time in it."""
    if {cell.strip().lower() for cell in cells} & set(NAMES):
        return False
    kinds = settled(pa.table({str(at): [cell.strip()] for at, cell in enumerate(cells)}), cells=True)
    return any(kind != pa.string() for kind in kinds.values())


def _unlike(titles: Sequence[tuple[str, str | None]]) -> list[tuple[str, str | None]]:
    """The titles with a number behind those that stood there before, and a name for those without one."""
    seen: Counter[str] = Counter()
    result = []
    for at, (given, units) in enumerate(titles, 1):
        title = given or f"column {at}"
        seen[title] += 1
        result.append((f"{title} ({seen[title]})" if seen[title] > 1 else title, units))
    return result


def open_tables(path: Path, time: str) -> dict[str, Table]:
    """The one table of the file."""
    return {"": CsvTable(path, time)}
