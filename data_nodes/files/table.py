"""A table in a file: what every format has to say and do, and how one is opened."""

import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from data_nodes.files.columns import About
from data_nodes.files.moments import to_ns
from sisock.frames import Times

ROWS = 16_384  # rows of a group: what is read for one sample where the format allows
FORMATS = {  # suffix: the module that reads it, of this package
    ".csv": "csv_table", ".tsv": "csv_table", ".parquet": "parquet_table", ".pq": "parquet_table",
    ".arrow": "arrow_table", ".feather": "arrow_table", ".ipc": "arrow_table", ".h5": "hdf5_table",
    ".hdf5": "hdf5_table", ".hdf": "hdf5_table",
}  # fmt: skip
EXTRAS = {"hdf5_table": "hdf5"}  # modules that need more than pyarrow


class UnreadableError(ValueError):
    """A file, or a part of it, cannot be read; says why, and the cure where there is one."""


class Rows(NamedTuple):
    """What was read: the time as it stands in the file, the columns asked for, how many lines were no rows."""

    time: pa.ChunkedArray
    columns: Mapping[str, pa.ChunkedArray]
    bad: int = 0


class Table(Protocol):
    """A table that is open. Everything raises UnreadableError or OSError.

    Marks are places in it, ascending: rows, or bytes. A group of at most ROWS rows lies between two of them.
    """

    titles: Mapping[str, About]  # every column that can be a field
    length: int  # the last mark there can be, as far as it is known
    unit: int  # ns that one unit of its times is, where these are numbers
    columnar: bool  # whether some columns can be read without the others

    def marks(self, at: int, most: int) -> list[int]:
        """The marks of the next groups from `at` on (0: the beginning), `most` groups; one mark at most: there are none."""

    def read(self, begin: int, end: int, titles: Sequence[str]) -> Rows:
        """What lies between two marks."""

    def seal(self, at: int) -> str | None:
        """A sign by which it is known again up to this mark, once it has grown; None where it can only be another one."""


def open_tables(path: Path, time: str) -> dict[str, Table]:
    """The tables in a file by their names, "" where it has one. Raises UnreadableError or OSError."""
    name = FORMATS[path.suffix.lower()]
    try:
        module: Any = importlib.import_module(f"data_nodes.files.{name}")
    except ModuleNotFoundError as error:
        extra = EXTRAS.get(name, "archive")
        raise UnreadableError(f"reading it needs {error.name}: pip install 'sisock[{extra}]'") from error
    try:
        tables: dict[str, Table] = module.open_tables(path, time)
    except UnreadableError:
        raise
    except ValueError as error:  # there is no time in it
        raise UnreadableError(str(error)) from error
    return tables


def times_of(rows: Rows, unit: int) -> tuple[Times, NDArray[np.intp] | None, bool]:
    """The times that can be read in ascending order, the rows that these are (None: all), and whether they ascended."""
    t, readable = to_ns(rows.time, unit)
    chosen: NDArray[np.intp] | None = None
    if not readable.all():
        chosen = np.flatnonzero(readable)
        t = t[chosen]
    if not (t[1:] < t[:-1]).any():
        return t, chosen, True
    order = np.argsort(t, kind="stable")
    return t[order], order if chosen is None else chosen[order], False
