"""CSV files: whatever their separator and header, every line that cannot be read told by its number."""

import csv
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv

from sisock.imports.moments import to_ns
from sisock.imports.source import About, ImportFailed, Piece, Troubles, WiderError, time_of

_HEAD = 2**20  # bytes by which the columns are known
_BLOCK = 2**22
_NOTHING = ["", "NA", "N/A", "n/a", "null", "NULL", "None", "-"]  # cells without a value
_BOOLS = {"true": True, "false": False}


class CsvSource:
    """A CSV file with a header, perhaps after comments (#) and empty lines."""

    rows: int | None = None

    def __init__(self, path: Path, time: str | None, troubles: Troubles, wider: frozenset[str]) -> None:
        """Read its first lines. Raises ImportFailed."""
        self._path, self._troubles = path, troubles
        with path.open("rb") as file:
            head = file.read(_HEAD)
        self._encoding = _encoding_of(head)
        lines = head.decode(self._encoding, "replace").removeprefix("\ufeff").splitlines()
        self._skipped = next((i for i, line in enumerate(lines) if line.strip() and not line.startswith("#")), None)
        if self._skipped is None:
            raise ImportFailed(f"{path} is empty: it needs a line of column names and lines of values")
        title = lines[self._skipped]
        self._delimiter = "\t" if path.suffix.lower() == ".tsv" else max(",;\t", key=title.count)
        self._names = _unlike(next(csv.reader([title], delimiter=self._delimiter)), troubles, self._skipped + 1)
        first = self._parsed(pa.BufferReader(head[: head.rfind(b"\n") + 1] or head), silent=True)
        table = next(iter(first), None)
        held: dict[str, Any] = {name: pa.array([], pa.string()) for name in self._names}
        if table is not None:
            held = {name: table.column(name) for name in self._names}
        self.time = time_of(path, {name: _is_moment(values) for name, values in held.items()}, time)
        self.columns: Mapping[str, About] = {
            name: About(_kind_of(values, wider=name in wider)) for name, values in held.items() if name != self.time
        }

    def pieces(self) -> Iterator[tuple[Piece, float]]:
        """All rows, and which share of the file is behind them."""
        size = max(1, self._path.stat().st_size)
        assert self._skipped is not None  # else it would not be open
        line = self._skipped + 2
        with self._path.open("rb") as file:
            self._bad: list[int] = []
            for batch in self._parsed(file):
                skipped, self._bad = self._bad, []
                numbers = _numbers(line, batch.num_rows, skipped)
                line += batch.num_rows + len(skipped)
                columns = {name: self._values(name, batch.column(name), numbers) for name in self.columns}
                yield Piece(batch.column(self.time), columns, numbers), file.tell() / size

    def _parsed(self, source: Any, *, silent: bool = False) -> Iterator[pa.RecordBatch]:
        """All cells as texts."""

        def odd(row: Any) -> str:
            if not silent:
                line = row.number or 0
                self._bad.append(line)
                if row.text.strip():
                    wrong = f"it has {row.actual_columns} cells instead of {row.expected_columns}"
                    self._troubles.row(line, wrong)
            return "skip"

        try:
            yield from arrow_csv.open_csv(
                source,
                arrow_csv.ReadOptions(
                    column_names=self._names, skip_rows=(self._skipped or 0) + 1, use_threads=False,
                    block_size=_BLOCK, encoding=self._encoding,
                ),
                arrow_csv.ParseOptions(
                    delimiter=self._delimiter, invalid_row_handler=odd, ignore_empty_lines=len(self._names) == 1
                ),
                arrow_csv.ConvertOptions(
                    column_types=dict.fromkeys(self._names, pa.string()), null_values=_NOTHING,
                    strings_can_be_null=True, quoted_strings_can_be_null=False,
                ),
            )  # fmt: skip
        except pa.ArrowException as error:
            if "Empty CSV" not in str(error):
                raise ImportFailed(f"{self._path} is no CSV that can be read: {error}") from error

    def _values(self, name: str, texts: Any, lines: Any) -> Any:
        """The cells of a column as its kind; what cannot be read is null, and told."""
        kind = self.columns[name].kind
        if kind == "text":
            return texts
        if kind == "b1":
            made = [_BOOLS.get(text.strip().lower()) if text else None for text in texts.to_pylist()]
            return self._told(name, texts, pa.array(made, pa.bool_()), lines)
        try:
            return pc.cast(texts, pa.int64() if kind == "i8" else pa.float64())
        except pa.ArrowInvalid:
            return self._slowly(name, texts, kind, lines)

    def _slowly(self, name: str, texts: Any, kind: str, lines: Any) -> Any:
        numbers = [None if text is None else _float(text) for text in texts.to_pylist()]
        if kind == "i8":
            there = [n for n in numbers if n is not None]
            if not all(n.is_integer() and abs(n) < 2**53 for n in there):
                raise WiderError(name)
            return self._told(name, texts, pa.array([None if n is None else int(n) for n in numbers]), lines)
        return self._told(name, texts, pa.array(numbers, pa.float64()), lines)

    def _told(self, name: str, texts: Any, made: Any, lines: Any) -> Any:
        """The values, of which it is told where there is none though there was a text."""
        for row in np.flatnonzero(_nulls(made) & ~_nulls(texts)).tolist():
            self._troubles.cell(
                int(lines[row]), f"{name} is {texts[row].as_py()!r:.60}, which is no value like those before"
            )
        return made


def _nulls(values: Any) -> Any:
    return np.array(values.is_null().to_pylist(), bool)


def _numbers(line: int, rows: int, skipped: list[int]) -> Any:
    """The numbers of so many lines from this one on, without those that were skipped."""
    every = np.arange(line, line + rows + len(skipped))
    return every[~np.isin(every, skipped)][:rows]


def _encoding_of(head: bytes) -> str:
    try:
        head[: head.rfind(b"\n") + 1].decode()
    except UnicodeDecodeError:
        return "latin-1"
    return "utf-8"


def _unlike(names: list[str], troubles: Troubles, line: int) -> list[str]:
    """The names with a number behind those that stood there before, which is told."""
    seen: Counter[str] = Counter()
    made = []
    for at, given in enumerate(names, 1):
        name = given.strip() or f"column {at}"
        seen[name] += 1
        if seen[name] > 1:
            troubles.told.append(f"line {line}: there are several columns {name!r}; this one is {name} ({seen[name]})")
        made.append(f"{name} ({seen[name]})" if seen[name] > 1 else name)
    return made


def _is_moment(values: Any) -> bool:
    there = values.drop_null()
    if not len(there) or _float(there[0].as_py()) is not None:
        return False
    found = to_ns(
        there.slice(0, 100).combine_chunks() if isinstance(there, pa.ChunkedArray) else there.slice(0, 100), 0
    )
    return 2 * int(found[1].sum()) > len(found[1])


def _kind_of(values: Any, *, wider: bool) -> str:
    """The kind of most cells."""
    there = [text for text in values.to_pylist() if text is not None]
    numbers = [n for text in there if (n := _float(text)) is not None]
    if there and 2 * len(numbers) < len(there):
        return "b1" if all(text.strip().lower() in _BOOLS for text in there) else "text"
    whole = bool(numbers) and not wider and len(numbers) == len(there) and all(_is_whole(text) for text in there)
    return "i8" if whole else "f8"


def _is_whole(text: str) -> bool:
    return text.strip().lstrip("+-").isdigit() and len(text.strip()) < 19


def _float(text: str) -> float | None:
    try:
        return None if "_" in text else float(text)
    except ValueError:
        return None
