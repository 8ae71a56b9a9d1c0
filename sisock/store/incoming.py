"""Files that wait to be taken into an archive: Parquet in its `incoming` folder, put there by whoever imports.

Each is whole once it is there. Its columns are `time` (ns, UTC) and one for each field, its metadata `sisock`: JSON
with `v`, `node`, `timeline`, `fields` as in segments, and `source`, which is another one for other content.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from sisock.frames import Column, Field, Frame
from sisock.parsing import from_json
from sisock.store import parquet
from sisock.uris import check_field, check_node

VERSION = 1
_ROWS = 262_144  # taken at once


class IncomingError(Exception):
    """A file cannot be taken; says why, and the cure."""


class Incoming(NamedTuple):
    """A file that waits: where it is, whose samples it has, and how many."""

    path: Path
    node: str
    timeline: str
    fields: Mapping[str, Field]
    source: str
    rows: int


class Progress(NamedTuple):
    """How far a file has been taken: samples that were taken, of how many."""

    file: Incoming
    done: int


def folder(archive: Path) -> Path:
    """Where such files of an archive lie."""
    return archive / "incoming"


def waiting(archive: Path) -> list[Path]:
    """The files that wait, in the order of their names."""
    return sorted(folder(archive).glob("*.parquet"))


def about(node: str, timeline: str, fields: Mapping[str, Field], source: str) -> dict[str, str]:
    """The metadata that such a file has to have."""
    told = {"v": VERSION, "node": node, "timeline": timeline, "fields": parquet.described(fields), "source": source}
    return {"sisock": json.dumps(told, ensure_ascii=False)}


def opened(path: Path) -> Incoming:
    """What a file says of itself. Raises IncomingError."""
    try:
        metadata = pq.read_metadata(path)
        told = from_json((metadata.metadata or {})[b"sisock"])
        if told["v"] != VERSION:
            raise IncomingError(f"{path} has format version {told['v']}: a newer sisock made it, use that one")
        node, timeline = check_node(told["node"]), check_field(told["timeline"], "timeline")
        fields = {check_field(name): _field(each, timeline) for name, each in told["fields"].items()}
        return Incoming(path, node, timeline, fields, told["source"], metadata.num_rows)
    except (OSError, pa.ArrowException, KeyError, ValueError, TypeError, AttributeError) as error:
        raise IncomingError(f"{path} cannot be taken ({error}): remove it, and import its source again") from error


def _field(told: Mapping[str, Any], timeline: str) -> Field:
    return Field(told.get("description"), timeline, told.get("type", "number"), told.get("units"))


def frames(file: Incoming, first: int) -> Iterator[Frame]:
    """Its samples from this row on, in the order of time within each frame. Raises IncomingError."""
    try:
        reader, at = pq.ParquetFile(file.path, page_checksum_verification=True), 0
        for batch in reader.iter_batches(_ROWS, use_threads=False):
            batch.validate(full=True)
            if at + len(batch) > first:
                yield _frame(file, batch.slice(max(0, first - at)))
            at += len(batch)
    except (OSError, pa.ArrowException, KeyError, ValueError) as error:
        raise IncomingError(f"{file.path} is damaged ({error}): remove it, and import its source again") from error


def _frame(file: Incoming, batch: Any) -> Frame:
    table = pa.Table.from_batches([batch])
    t = parquet.times(table.column("time"))
    order = None if (t[1:] >= t[:-1]).all() else np.argsort(t, kind="stable")
    columns: dict[str, Column] = {}
    for name in file.fields:
        column = parquet.column(table.column(parquet.stored_name(name)), _kind(table, name))
        columns[name] = column if order is None else column.rows(order)
    return Frame(file.timeline, t if order is None else t[order], columns)


def _kind(table: Any, name: str) -> str:
    kind = table.schema.field(parquet.stored_name(name)).type
    kinds = {pa.float64(): "f8", pa.int64(): "i8", pa.bool_(): "b1", pa.string(): "text"}
    return kinds[kind]
