"""What every file format gives: columns, and their values piece by piece, with what could not be read."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol

_MOST_TOLD = 20


class ImportFailed(Exception):
    """A file cannot be imported; says why, and the cure."""


class WiderError(Exception):
    """A column that began with whole numbers goes on with others: it has to be read anew as these."""

    def __init__(self, column: str) -> None:
        """Name the column."""
        super().__init__(column)
        self.column = column


class About(NamedTuple):
    """A column: the kind of its values ("f8", "i8", "b1", "text"), and what the file says of it."""

    kind: str
    units: str | None = None
    description: str | None = None


class Piece(NamedTuple):
    """Rows of a file: the time as it stands there, columns as Arrow arrays, the number of each row for people."""

    time: Any
    columns: Mapping[str, Any]
    lines: Any


@dataclass
class Troubles:
    """What could not be read: how much, and the first of it as sentences."""

    rows: int = 0  # left out
    cells: int = 0  # taken as missing
    told: list[str] = field(default_factory=list)

    def row(self, line: int, why: str) -> None:
        """A row is left out."""
        self.rows += 1
        self._tell(line, f"{why}; the row is left out")

    def cell(self, line: int, why: str) -> None:
        """A cell has no value that can be read."""
        self.cells += 1
        self._tell(line, f"{why}; it counts as missing")

    def _tell(self, line: int, sentence: str) -> None:
        if len(self.told) < _MOST_TOLD:
            self.told.append(f"line {line}: {sentence}")


class Source(Protocol):
    """A file that is open."""

    time: str
    columns: Mapping[str, About]
    rows: int | None  # in all, where that is known

    def pieces(self) -> Iterator[tuple[Piece, float]]:
        """All rows, and which share of the file is behind them."""
        ...


def open_source(path: Path, time: str | None, troubles: Troubles, wider: frozenset[str]) -> Source:
    """The file by its ending; `wider` are columns of which is known that they are not whole numbers only.

    Raises ImportFailed, OSError.
    """
    ending = path.suffix.lower()
    if ending in (".csv", ".tsv", ".txt", ".dat"):
        from sisock.imports.csv import CsvSource

        return CsvSource(path, time, troubles, wider)
    if ending in (".parquet", ".pq"):
        from sisock.imports.columnar import ParquetSource

        return ParquetSource(path, time)
    if ending in (".arrow", ".feather", ".ipc"):
        from sisock.imports.columnar import ArrowSource

        return ArrowSource(path, time)
    if ending in (".h5", ".hdf5", ".hdf"):
        from sisock.imports.hdf5 import Hdf5Source

        return Hdf5Source(path, time)
    raise ImportFailed(f"{path}: {ending or 'no ending'} is no known format: name it .csv, .parquet, .arrow or .h5")


_NAMES = ("time", "timestamp", "datetime", "date", "utc", "t", "ts", "unixtime", "epoch")


def time_of(path: Path, names: Mapping[str, bool], given: str | None) -> str:
    """The column that is the time: the one given, or the first of a usual name or of a type of time (true).

    Raises ImportFailed with the cure.
    """
    if given is not None:
        if given in names:
            return given
        raise ImportFailed(f"{path} has no column {given!r}: it has {', '.join(list(names)[:20])}")
    lower = {name.lower(): name for name in reversed(list(names))}
    found = [lower[name] for name in _NAMES if name in lower] + [name for name, is_time in names.items() if is_time]
    if not found:
        raise ImportFailed(
            f"{path}: none of its columns is known as the time: name it with --time ({', '.join(list(names)[:20])})"
        )
    return found[0]
