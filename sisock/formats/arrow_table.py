"""Arrow IPC files (Feather too): their record batches, of which only the columns asked for are read.

They are read, not mapped into memory: were one cut by its owner while it is mapped, that would end the process.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import ipc

from sisock.formats.columns import About
from sisock.formats.errors import unreadable
from sisock.formats.moments import time_column, unit_of
from sisock.formats.parquet_table import FOREIGN, abouts
from sisock.formats.table import Rows, Table, Terms


class ArrowTable(Table):
    """An Arrow IPC file; marks are rows. It is written once: a longer one is another one."""

    columnar = True

    def __init__(self, path: Path, time: str) -> None:
        """Read its schema and its times, for nothing else tells how long its batches are."""
        self._path = path
        self._kept: tuple[int, tuple[str, ...], pa.RecordBatch] | None = None
        with unreadable("it is no whole Arrow file (yet)", *FOREIGN):
            with pa.OSFile(str(path)) as file:
                self._schema = ipc.open_file(file).schema
            self.time = time_column({field.name: field.type for field in self._schema}, time)
            self.titles: Mapping[str, About] = abouts(self._schema, self.time)
            with pa.OSFile(str(path)) as file:
                reader, _ = self._reader(file, ())
                counts, self.unit = [], 1
                for number in range(reader.num_record_batches):
                    batch = _batch(reader, number)
                    counts.append(batch.num_rows)
                    if len(counts) == 1:
                        self.unit = unit_of(pa.chunked_array([batch.column(0).slice(0, 1000)]))
            self._begins = np.concatenate(([0], np.cumsum(counts))).astype(np.int64)
            self.length = int(self._begins[-1])

    def _reader(self, file: pa.NativeFile, titles: Sequence[str]) -> tuple[ipc.RecordBatchFileReader, list[str]]:
        """The file open for the time and these columns, and what they are called in the order in which they come."""
        chosen = sorted({self._schema.get_field_index(name) for name in (self.time, *titles)})
        options = ipc.IpcReadOptions(included_fields=chosen)
        return ipc.open_file(file, options=options), [self._schema.names[each] for each in chosen]

    def read(self, begin: int, end: int, titles: Sequence[str]) -> Rows:
        """These rows."""
        first = int(np.searchsorted(self._begins, begin, "right")) - 1
        beyond = int(np.searchsorted(self._begins, end))
        with unreadable(f"rows {begin} to {end} cannot be read", *FOREIGN), pa.OSFile(str(self._path)) as file:
            reader, names = self._reader(file, titles)
            parts = []
            for number in range(first, beyond):
                start, batch = int(self._begins[number]), self._kept_batch(reader, number, tuple(names))
                skipped = max(0, begin - start)
                parts.append(batch.slice(skipped, min(end - start, batch.num_rows) - skipped))
        table = pa.Table.from_batches(parts)
        return Rows(table.column(names.index(self.time)), {title: table.column(names.index(title)) for title in titles})

    def _kept_batch(self, reader: ipc.RecordBatchFileReader, number: int, names: tuple[str, ...]) -> pa.RecordBatch:
        """A record batch; the last one is kept, for they may be large."""
        kept = self._kept
        if kept is None or kept[:2] != (number, names):
            kept = self._kept = number, names, _batch(reader, number)
        return kept[2]


def _batch(reader: ipc.RecordBatchFileReader, number: int) -> pa.RecordBatch:
    """A record batch that is as it says: Arrow itself would read texts from wherever their positions lie."""
    batch = reader.get_batch(number)
    batch.validate(full=True)
    return batch


def open_tables(path: Path, terms: Terms) -> dict[str, Table]:
    """The one table of the file."""
    return {"": ArrowTable(path, terms.time)}
