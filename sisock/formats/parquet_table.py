"""Parquet files: their row groups, of which only the columns asked for are read."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from sisock.formats.columns import About, kind_of
from sisock.formats.errors import unreadable
from sisock.formats.moments import time_column, unit_of
from sisock.formats.table import Rows, Table, Terms

FOREIGN = (pa.ArrowException, ValueError, KeyError)  # what Arrow raises for what stands in a file
_BATCH = 65_536  # rows decoded together where all are read


class ParquetTable(Table):
    """A Parquet file; marks are rows. What was decoded last is kept, for row groups may be large.

    It is written once: a longer one is another one.
    """

    columnar = True

    def __init__(self, path: Path, time: str) -> None:
        """Read its footer, and some times."""
        self._lock = threading.Lock()
        self._kept: tuple[int, tuple[str, ...], pa.Table] | None = None
        with unreadable("it is no whole Parquet file (yet)", *FOREIGN):
            self._file = pq.ParquetFile(pa.OSFile(str(path)))
            schema = self._file.schema_arrow
            self.time = time_column({field.name: field.type for field in schema}, time)
            self.titles: Mapping[str, About] = abouts(schema, self.time)
            counts = [self._file.metadata.row_group(i).num_rows for i in range(self._file.num_row_groups)]
            self._begins = np.concatenate(([0], np.cumsum(counts))).astype(np.int64)
            self.length = int(self._begins[-1])
            self.unit = unit_of(self._first_times())

    def _first_times(self) -> pa.ChunkedArray:
        batch = next(self._file.iter_batches(1000, columns=[self.time]), None)
        empty = pa.chunked_array([], self._file.schema_arrow.field(self.time).type)
        return empty if batch is None else pa.chunked_array([batch.column(0)])

    def read(self, begin: int, end: int, titles: Sequence[str]) -> Rows:
        """These rows."""
        first = int(np.searchsorted(self._begins, begin, "right")) - 1
        beyond = int(np.searchsorted(self._begins, end))
        wanted = (self.time, *titles)
        with unreadable(f"rows {begin} to {end} cannot be read", *FOREIGN), self._lock:
            parts = []
            for number in range(first, beyond):
                start = int(self._begins[number])
                whole = self._group(number, wanted)
                parts.append(whole.slice(max(0, begin - start), min(end - start, len(whole)) - max(0, begin - start)))
            table = pa.concat_tables(parts)
            return Rows(table.column(self.time), {title: table.column(title) for title in titles})

    def stream(self, titles: Sequence[str]) -> Iterator[tuple[Rows, float]]:
        """All rows, of a row group no more than is decoded at a time."""
        row = 0
        batches = self._file.iter_batches(_BATCH, columns=[self.time, *titles], use_threads=False)
        while True:
            with unreadable(f"it cannot be read from row {row + 1} on", *FOREIGN):
                batch = next(batches, None)
                if batch is None:
                    return
                batch.validate(full=True)  # Parquet lets bytes be texts that are none
                row += batch.num_rows
                table = pa.Table.from_batches([batch])
                rows = Rows(table.column(self.time), {title: table.column(title) for title in titles})
            yield rows, row / max(1, self.length)

    def _group(self, number: int, wanted: tuple[str, ...]) -> pa.Table:
        if self._kept is None or self._kept[:2] != (number, wanted):
            self._kept = None  # before there are two in memory
            group = self._file.read_row_group(number, columns=list(wanted))
            group.validate(full=True)
            self._kept = number, wanted, group
        return self._kept[2]


def abouts(schema: pa.Schema, time: str) -> dict[str, About]:
    """The columns of a schema that can be fields."""
    found = {}
    for field in schema:
        kind = kind_of(field.type)
        if kind is not None and field.name != time:
            said: Mapping[bytes, Any] = field.metadata or {}
            units, text = said.get(b"units") or said.get(b"unit"), said.get(b"description")
            found[field.name] = About(
                kind, units and units.decode("utf-8", "replace"), text and text.decode("utf-8", "replace")
            )
    return found


def open_tables(path: Path, terms: Terms) -> dict[str, Table]:
    """The one table of the file."""
    return {"": ParquetTable(path, terms.time)}
