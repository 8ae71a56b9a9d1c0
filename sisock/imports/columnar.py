"""Parquet and Arrow files."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow import ipc

from sisock.imports.source import About, ImportFailed, Piece, time_of

_ROWS = 65_536
_TYPES = {"f8": pa.float64(), "i8": pa.int64(), "b1": pa.bool_(), "text": pa.string()}


def kind_of(kind: Any) -> str | None:
    """How values of an Arrow type are kept; None where they are no field."""
    types = pa.types
    if types.is_dictionary(kind):
        return kind_of(kind.value_type)
    if types.is_boolean(kind):
        return "b1"
    if types.is_string(kind) or types.is_large_string(kind):
        return "text"
    if types.is_integer(kind) and not types.is_uint64(kind):
        return "i8"
    return "f8" if types.is_floating(kind) or types.is_decimal(kind) or types.is_uint64(kind) else None


class _Columnar:
    """What both have in common."""

    rows: int | None = None

    def __init__(self, path: Path, schema: Any, time: str | None) -> None:
        self._path = path
        names = {each.name: pa.types.is_timestamp(each.type) or pa.types.is_date(each.type) for each in schema}
        self.time = time_of(path, names, time)
        self.columns: Mapping[str, About] = {
            each.name: About(kind, _said(each, b"units"), _said(each, b"description"))
            for each in schema
            if each.name != self.time and (kind := kind_of(each.type)) is not None
        }

    def _batches(self) -> Iterator[tuple[Any, float]]:
        raise NotImplementedError

    def pieces(self) -> Iterator[tuple[Piece, float]]:
        """All rows, and which share of the file is behind them."""
        row = 1
        try:
            for batch, share in self._batches():
                columns = {
                    name: pc.cast(batch.column(name), _TYPES[about.kind], safe=False)
                    for name, about in self.columns.items()
                }
                yield Piece(batch.column(self.time), columns, np.arange(row, row + batch.num_rows)), share
                row += batch.num_rows
        except (pa.ArrowException, OSError) as error:
            raise ImportFailed(f"{self._path} cannot be read from row {row} on: {error}") from error


class ParquetSource(_Columnar):
    """A Parquet file."""

    def __init__(self, path: Path, time: str | None) -> None:
        """Read its footer. Raises ImportFailed."""
        try:
            self._file = pq.ParquetFile(path)
        except pa.ArrowException as error:
            raise ImportFailed(f"{path} is no whole Parquet file: {error}") from error
        super().__init__(path, self._file.schema_arrow, time)
        self.rows = self._file.metadata.num_rows

    def _batches(self) -> Iterator[tuple[Any, float]]:
        done = 0
        for batch in self._file.iter_batches(_ROWS, columns=[self.time, *self.columns], use_threads=False):
            done += batch.num_rows
            yield batch, done / max(1, self.rows or 1)


class ArrowSource(_Columnar):
    """An Arrow IPC file (Feather too)."""

    def __init__(self, path: Path, time: str | None) -> None:
        """Read its schema. Raises ImportFailed."""
        try:
            self._file = ipc.open_file(pa.OSFile(str(path)))
        except pa.ArrowException as error:
            raise ImportFailed(f"{path} is no whole Arrow file: {error}") from error
        super().__init__(path, self._file.schema, time)

    def _batches(self) -> Iterator[tuple[Any, float]]:
        for number in range(self._file.num_record_batches):
            yield self._file.get_batch(number), (number + 1) / self._file.num_record_batches


def _said(field: Any, key: bytes) -> str | None:
    told = (field.metadata or {}).get(key)
    return told.decode("utf-8", "replace") if told else None
