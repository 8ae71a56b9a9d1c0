"""CSV files: read by the places where every some thousand lines begin, so that a window is found by seeking."""

import csv
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv

from sisock.formats.columns import About, kind_of
from sisock.formats.csv_cells import NOTHING, cast, lost, settled
from sisock.formats.errors import Troubles, UnreadableError, WiderError
from sisock.formats.instants import number_in
from sisock.formats.moments import is_time, time_column, unit_of
from sisock.formats.table import ROWS, Rows, Table, Terms
from sisock.parsers.moments import NAMES

_HEAD = 2**20  # bytes by which a file's columns are known
_BLOCK = 4 * 2**20  # bytes looked at together
_LONGEST = 16 * 2**20  # bytes of a line; what is longer is none
_TAIL = 256  # bytes before a mark by which a file that has grown is known again
_DELIMITERS = ",;\t"


class CsvTable(Table):
    """A CSV file with or without a header; marks are bytes. A last line without its newline is beyond the last mark."""

    columnar = False

    def __init__(self, path: Path, terms: Terms) -> None:
        """Read its first lines."""
        self._path, self._wider = path, terms.wider
        self.length = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(_HEAD)
        whole = head[: head.rfind(b"\n") + 1]
        self._encoding = _encoding_of(whole)
        self._begin, first = _first_row(whole, self._encoding)
        if "\r" in first or (not whole and b"\r" in head.rstrip()):
            raise UnreadableError("its lines end with CR alone, as on old Macs: make it LF (tr '\\r' '\\n')")
        if not first:
            raise UnreadableError("it is empty: it needs a line of column names and whole lines of values")
        self.first = whole.count(b"\n", 0, self._begin) + 1
        self._delimiter = "\t" if path.suffix.lower() == ".tsv" else max(_DELIMITERS, key=first.count)
        cells = next(csv.reader([first], delimiter=self._delimiter), [])
        if _is_data(cells, terms.time):
            titles: list[tuple[str, str | None]] = [(f"column {at}", None) for at in range(1, len(cells) + 1)]
        else:
            titles = self._unlike([terms.split(cell) for cell in cells])
            self._begin += len(_line_at(whole, self._begin))
            self.first += 1
        self._names = [name for name, _ in titles]
        self._settle(whole[self._begin :] or head[self._begin :], terms.time, dict(titles))

    def _unlike(self, titles: Sequence[tuple[str, str | None]]) -> list[tuple[str, str | None]]:
        """The titles with a number behind those that stood there before, which is told, and one where there is none."""
        seen: Counter[str] = Counter()
        result = []
        self.heading = Troubles()
        for at, (given, units) in enumerate(titles, 1):
            title = given or f"column {at}"
            seen[title] += 1
            name = f"{title} ({seen[title]})" if seen[title] > 1 else title
            if name != title:
                self.heading.tell(self.first, f"there are several columns {title!r}; this one is {name}")
            result.append((name, units))
        return result

    def _settle(self, lines: bytes, time: str, units: Mapping[str, str | None]) -> None:
        """Know the types of the columns by the first lines, and which one is the time."""
        types = self._guess(lines, ".")
        if self._delimiter == ";" and pa.string() in types.values():
            others = self._guess(lines, ",")
            if list(others.values()).count(pa.string()) < list(types.values()).count(pa.string()):
                types = others
            else:
                self._decimal = "."
        self.time = time_column(types, time)
        self._types = {name: self._plain(name, kind) for name, kind in types.items()}
        self.titles: Mapping[str, About] = {
            name: About(kind_of(kind) or "text", units[name]) for name, kind in self._types.items() if name != self.time
        }
        times = self._rows(lines, ()).time
        self.unit = unit_of(times)
        if is_time(types[self.time]):
            self._types[self.time] = times.type  # texts, where some of them are read only as such

    def _guess(self, lines: bytes, decimal: str) -> dict[str, pa.DataType]:
        self._decimal = decimal
        return settled(self._parse(lines, {}, self._names)[0], decimal)

    def _plain(self, name: str, kind: pa.DataType) -> pa.DataType:
        """How a column is read that looks like this: whole numbers may go on with fractions."""
        if name == self.time:
            return kind
        if kind == pa.int64() and (self._wider is None or name in self._wider):
            return pa.float64()
        return pa.string() if is_time(kind) else kind

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

    def stream(self, titles: Sequence[str]) -> Iterator[tuple[Rows, float]]:
        """All lines, the last one with or without its newline, and which share of the file is behind them."""
        with self._path.open("rb") as file:
            file.seek(self._begin)
            rest = b""
            while block := file.read(_BLOCK):
                lines, newline, rest = (rest + block).rpartition(b"\n")
                if newline:
                    yield self._rows(lines + newline, titles), file.tell() / max(1, self.length)
            yield self._rows(rest, titles), 1.0

    def _rows(self, lines: bytes, titles: Sequence[str]) -> Rows:
        wanted = [self.time, *titles]
        types = {name: self._types[name] for name in wanted}
        try:
            table, skipped, troubles = self._parse(lines, types, wanted)
        except pa.ArrowException:  # one cell is enough: each by itself then
            table, skipped, troubles = self._parse(lines, dict.fromkeys(wanted, pa.string()), wanted)
            at = np.delete(np.arange(len(table) + len(skipped)), skipped)
            columns = {name: self._cells(name, table.column(name), at, troubles) for name in titles}
            time = table.column(self.time)
            if pa.types.is_floating(types[self.time]):
                time = pc.replace_substring(time, self._decimal, ".")
            return Rows(time, columns, skipped, troubles)
        return Rows(table.column(self.time), {title: table.column(title) for title in titles}, skipped, troubles)

    def _cells(self, name: str, texts: pa.ChunkedArray, at: Any, troubles: Troubles) -> pa.ChunkedArray:
        """The cells of a column as its type. Raises WiderError where it was to be known whether all are whole."""
        made = cast(texts, self._types[name], self._decimal)
        for row, text in lost(texts, made):
            if made.type == pa.int64() and number_in(text) is not None:
                raise WiderError(name)
            troubles.cell(int(at[row]), f"{name} is {text!r:.60}, which is no value like those before")
        return made

    def _parse(
        self, lines: bytes, types: Mapping[str, pa.DataType], wanted: Sequence[str], *, threads: bool = True
    ) -> tuple[pa.Table, list[int], Troubles]:
        """The columns wanted, which lines are no rows, and those of them that have more cells or fewer."""
        skipped: list[int] = []
        troubles = Troubles()
        beyond = 0  # lines of rows before that have several

        def skip(row: Any) -> str:
            nonlocal beyond
            at = (row.number or 1) - 1 + beyond  # threads do not know the number
            more = row.text.count("\n")
            skipped.extend(range(at, at + more + 1))
            beyond += more
            if row.text.strip():
                quote = f", for a quote in it is not closed within the next {more:,} lines" if more else ""
                troubles.row(
                    at, f"it has {row.actual_columns} cells instead of {row.expected_columns}{quote}", more + 1
                )
            return "skip"

        if not lines.strip():
            return pa.table({name: pa.array([], types.get(name, pa.null())) for name in wanted}), [], troubles
        table = arrow_csv.read_csv(
            pa.BufferReader(lines if lines.isascii() else _decoded(lines, self._encoding, troubles)),
            arrow_csv.ReadOptions(
                column_names=self._names, block_size=max(_HEAD, min(len(lines), _LONGEST)), use_threads=threads
            ),
            arrow_csv.ParseOptions(
                delimiter=self._delimiter, invalid_row_handler=skip, ignore_empty_lines=len(self._names) == 1
            ),
            arrow_csv.ConvertOptions(
                column_types=dict(types), include_columns=list(wanted), null_values=NOTHING, strings_can_be_null=True,
                quoted_strings_can_be_null=pa.string() not in types.values(), decimal_point=self._decimal,
            ),
        )  # fmt: skip
        if skipped and threads:
            return self._parse(lines, types, wanted, threads=False)
        if len(self._names) > 1:  # or empty lines are none of them
            ends = np.count_nonzero(np.frombuffer(lines, np.uint8) == 10) + (not lines.endswith(b"\n"))
            troubles.joined = max(0, int(ends) - len(table) - len(skipped))
        return table, skipped, troubles

    def number(self, mark: int) -> int:
        """The number for people of the line that begins at a byte: those before it are counted."""
        count, left = 1, mark
        with self._path.open("rb") as file:
            while left > 0 and (block := file.read(min(_BLOCK, left))):
                count += block.count(b"\n")
                left -= len(block)
        return count

    def seal(self, at: int) -> str | None:
        """A checksum of its header and of some bytes before this one."""
        with self._path.open("rb") as file:
            head = file.read(self._begin)
            file.seek(max(0, at - _TAIL))
            tail = file.read(min(at, _TAIL))
        return f"{zlib.crc32(tail, zlib.crc32(head)):08x}" if len(tail) == min(at, _TAIL) else None


def _encoding_of(head: bytes) -> str:
    try:
        head.decode()
    except UnicodeDecodeError:
        return "latin-1"
    return "utf-8"


def _decoded(lines: bytes, encoding: str, troubles: Troubles) -> bytes:
    """The lines in UTF-8; those of them that are not in this encoding are told."""
    try:
        return lines.decode(encoding).encode()
    except UnicodeDecodeError:
        for at, line in enumerate(lines.split(b"\n")):
            if _encoding_of(line) != encoding:
                troubles.letter(
                    at, "it has letters that are no UTF-8 and come as '\ufffd': import a copy in UTF-8 (iconv)"
                )
        return lines.decode(encoding, "replace").encode()


def _first_row(head: bytes, encoding: str) -> tuple[int, str]:
    """Where the first line is that is neither blank nor a comment, and what it says."""
    at = 3 if head.startswith(b"\xef\xbb\xbf") else 0
    while at < len(head):
        line = _line_at(head, at)
        text = line.decode(encoding).strip()
        if text and not text.startswith("#"):
            return at, text
        at += len(line)
    return at, ""


def _line_at(head: bytes, at: int) -> bytes:
    end = head.find(b"\n", at)
    return head[at:] if end < 0 else head[at : end + 1]


def _is_data(cells: Sequence[str], time: str) -> bool:
    """Whether a first row is one of values: a header has no number or time in it."""
    if time in cells or {cell.strip().lower() for cell in cells} & set(NAMES):
        return False
    kinds = settled(pa.table({str(at): [cell.strip()] for at, cell in enumerate(cells)}))
    return any(kind != pa.string() for kind in kinds.values())


def open_tables(path: Path, terms: Terms) -> dict[str, Table]:
    """The one table of the file."""
    return {"": CsvTable(path, terms)}
