"""A table in a file: what every format has to say and do, and how one is opened."""

import importlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import pyarrow as pa

from sisock import extras
from sisock.formats.columns import About
from sisock.formats.errors import Troubles, UnreadableError

ROWS = 16_384  # rows of a group: what is read for one sample where the format allows
FORMATS = {  # suffix: the module that reads it, of this package
    ".csv": "csv_table", ".tsv": "csv_table", ".parquet": "parquet_table", ".pq": "parquet_table",
    ".arrow": "arrow_table", ".feather": "arrow_table", ".ipc": "arrow_table", ".h5": "hdf5_table",
    ".hdf5": "hdf5_table", ".hdf": "hdf5_table",
}  # fmt: skip
LOOSE = {".txt": "csv_table", ".dat": "csv_table"}  # only where one is named: such a file may be anything
EXTRAS = {"hdf5_table": "hdf5"}  # modules that need more than pyarrow
_AT_ONCE = 4 * ROWS  # rows read together where all are read


def as_it_stands(title: str) -> tuple[str, str | None]:
    """A column's title, and no units."""
    return title.strip(), None


class Terms(NamedTuple):
    """How a file is to be understood."""

    time: str = ""  # the column that is the time, where it is there
    split: Callable[[str], tuple[str, str | None]] = as_it_stands  # title and units of a column of lines of text
    wider: frozenset[str] | None = None  # columns of them that are not whole numbers only; None: any may go on so


class Rows(NamedTuple):
    """What was read: the time as it stands in the file, the columns asked for, and what could not be read."""

    time: pa.ChunkedArray
    columns: Mapping[str, pa.ChunkedArray]
    skipped: Sequence[int] = ()  # lines that were no rows, of those read, from 0
    troubles: Troubles | None = None  # lines as above


class Table(Protocol):
    """A table that is open. Everything raises UnreadableError or OSError.

    Marks are places in it, ascending: rows, or bytes. A group of at most ROWS rows lies between two of them.
    """

    time: str  # the column that is the time
    titles: Mapping[str, About]  # every column that can be a field
    length: int  # the last mark there can be, as far as it is known
    unit: int  # ns that one unit of its times is, where these are numbers
    columnar: bool  # whether some columns can be read without the others
    first: int = 1  # the number of its first row for people
    heading: Troubles | None = None  # what is odd about its titles

    def marks(self, at: int, most: int) -> list[int]:
        """The marks of the next groups from `at` on (0: the beginning), `most` groups; one mark at most: there are none."""
        end = min(self.length, at + most * ROWS)  # where any row can be one
        return [*range(at, end, ROWS), end]

    def read(self, begin: int, end: int, titles: Sequence[str]) -> Rows:
        """What lies between two marks."""
        raise NotImplementedError

    def number(self, mark: int) -> int:
        """The number for people of the row or line that begins at a mark."""
        return self.first + mark

    def seal(self, at: int) -> str | None:
        """A sign by which it is known again up to this mark, once it has grown; None where it can only be another one."""
        return None

    def stream(self, titles: Sequence[str]) -> Iterator[tuple[Rows, float]]:
        """All rows in their order, and which share of the table is behind them."""
        for begin in range(0, self.length, _AT_ONCE):
            end = min(self.length, begin + _AT_ONCE)
            yield self.read(begin, end, titles), end / self.length


def open_tables(path: Path, terms: Terms) -> dict[str, Table]:
    """The tables in a file by their names, "" where it has one. Raises UnreadableError or OSError."""
    ending = path.suffix.lower()
    name = (FORMATS | LOOSE).get(ending)
    if name is None:
        raise UnreadableError(f"{ending or 'no ending'} is no known format: name it .csv, .parquet, .arrow or .h5")
    try:
        module: Any = importlib.import_module(f"sisock.formats.{name}")
    except ModuleNotFoundError as error:
        extra = EXTRAS.get(name, "archive")
        raise UnreadableError(f"reading it needs {error.name}: {extras.command(extra)}") from error
    tables: dict[str, Table] = module.open_tables(path, terms)
    return tables
