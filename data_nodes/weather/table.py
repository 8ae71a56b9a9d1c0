"""CSV with a header row of `name [unit]`: one column is the time, each other one is a field."""

import csv
import io
from collections import Counter
from collections.abc import Sequence

import numpy as np

from data_nodes.names import split_title
from sisock.formats.instants import of_texts
from sisock.frames import TEXT, Column, Field, Frame
from sisock.times import NS

_DELIMITERS = ",;\t"
_TIMES = ("time", "timestamp", "datetime", "date", "utc", "t")
_NOTHING = ("", "na", "n/a", "nan", "null", "none", "-")  # how a cell without a value may be written


class Table:
    """A CSV file, known by its header row and, once there are any, its first rows."""

    def __init__(self, start: bytes) -> None:
        """Read the header row; raise ValueError while it is not complete, or if it names no field."""
        self.begins, header = _first_row(start)
        if not header:
            raise ValueError("there is no header row (yet)")
        self._delimiter = max(_DELIMITERS, key=header.count)
        self._titles = _unlike([split_title(title) for title in self._cells(header)])
        if len(self._titles) < 2:
            raise ValueError("the header row has no field beside the time")
        lower = [title.lower() for title, _ in self._titles]
        self._time = next((lower.index(each) for each in _TIMES if each in lower), 0)
        self._types: dict[int, str] = {}  # column -> number or string, as its first rows say

    @property
    def fields(self) -> dict[str, Field]:
        """A field for each column but the time; its type is known after the first rows."""
        return {
            title: Field(title, "", "string" if self._types.get(at) == "string" else "number", units)
            for at, (title, units) in enumerate(self._titles)
            if at != self._time
        }

    def parse(self, lines: bytes) -> tuple[Frame, int]:
        """The samples of whole lines in the order of the file, and how many lines or cells could not be read."""
        texts = [line for line in lines.decode("utf-8", "replace").replace("\r", "").split("\n") if line.strip()]
        rows = [self._cells(line) for line in texts if not line.startswith("#")]
        whole = [row for row in rows if len(row) == len(self._titles)]
        t, readable = of_texts([row[self._time] for row in whole], NS)
        kept = [row for row, good in zip(whole, readable, strict=True) if good]
        unreadable = len(rows) - len(kept)
        columns = {}
        for at in range(len(self._titles)):
            if at != self._time:
                columns[self._titles[at][0]], odd = self._column(at, [row[at].strip() for row in kept])
                unreadable += odd
        return Frame("", t[readable], columns), unreadable

    def _cells(self, line: str) -> list[str]:
        """The cells of a line; a line with an open quote is taken as it is, so that it cannot swallow the next."""
        if '"' not in line:
            return line.split(self._delimiter)
        try:
            return next(csv.reader([line], delimiter=self._delimiter), [])
        except csv.Error:
            return []

    def _column(self, at: int, cells: Sequence[str]) -> tuple[Column, int]:
        """The cells as numbers or texts, and how many of them were neither."""
        there = [cell.lower() not in _NOTHING for cell in cells]
        numbers = [_number(cell) if some else None for cell, some in zip(cells, there, strict=True)]
        read = sum(number is not None for number in numbers)
        if any(there):
            self._types.setdefault(at, "number" if 2 * read >= sum(there) else "string")
        if self._types.get(at) == "string":
            missing = ~np.array(there, bool)
            return Column(np.array(cells, TEXT), missing if missing.any() else None), 0
        values = np.array([np.nan if number is None else number for number in numbers], np.float64)
        return Column(values), sum(there) - read


def _first_row(start: bytes) -> tuple[int, str]:
    """The first line that is neither blank nor a comment, and where the next one begins."""
    file = io.BytesIO(start)
    for line in file:
        text = line.decode("utf-8-sig", "replace").strip()
        if text and not text.startswith("#"):
            return file.tell(), text
    return 0, ""


def _number(cell: str) -> float | None:
    try:
        return None if "_" in cell else float(cell)
    except ValueError:
        return None


def _unlike(titles: list[tuple[str, str | None]]) -> list[tuple[str, str | None]]:
    """The titles with a number behind those that stood there before."""
    seen: Counter[str] = Counter()
    result = []
    for title, units in titles:
        seen[title] += 1
        result.append((f"{title} ({seen[title]})" if seen[title] > 1 else title, units))
    return result
