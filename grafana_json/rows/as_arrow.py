"""Rows as a stream of Arrow: times are timestamps in ns, units stand in the fields' metadata, the rest in the schema's."""

import io
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from grafana_json.rows.as_csv import cells_of
from grafana_json.rows.tables import Cells, Constant, Head, Moments, Table
from sisock.frames import Column

_BATCH = 65_536  # rows


def is_there() -> bool:
    """Whether pyarrow is installed."""
    try:
        import pyarrow  # noqa: F401  # whether it is there
    except ImportError:
        return False
    return True


def written(table: Table, about: Mapping[str, Any]) -> Iterator[bytes]:
    """The stream in pieces; `about` is the JSON behind the key `sisock`."""
    import pyarrow as pa

    schema = pa.schema([_field(head) for head in table.heads], metadata={"sisock": orjson.dumps(about)})
    sink = _Sink()
    with pa.ipc.new_stream(sink, schema) as stream:
        for block in table.pieces(_BATCH):
            arrays = [_array(head, cells, block.rows) for head, cells in zip(table.heads, block.cells, strict=True)]
            stream.write_batch(pa.RecordBatch.from_arrays(arrays, schema=schema))
            yield sink.taken()
    yield sink.taken()


class _Sink(io.RawIOBase):
    """What is written, until it is taken."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._parts.append(bytes(data))
        return len(self._parts[-1])

    def taken(self) -> bytes:
        """All of it since the last time."""
        parts, self._parts = self._parts, []
        return b"".join(parts)


def _type(head: Head) -> Any:
    import pyarrow as pa

    kinds = {"time": pa.timestamp("ns", tz="UTC"), "number": pa.float64(), "whole": pa.int64(), "bool": pa.bool_()}
    return kinds.get(head.kind, pa.string())


def _field(head: Head) -> Any:
    import pyarrow as pa

    told = {"unit": head.unit, "node": head.node, "field": head.field}
    return pa.field(head.name, _type(head), metadata={key: value for key, value in told.items() if value is not None})


def _array(head: Head, cells: Cells, rows: int) -> Any:
    import pyarrow as pa

    if isinstance(cells, Constant):
        return pa.repeat(pa.scalar(cells.text, pa.string()), rows)
    if isinstance(cells, Moments):
        return pa.array(cells.t, _type(head), mask=cells.missing)
    if cells.type == "string":
        return pa.array(cells.values.tolist(), pa.string(), mask=cells.missing)
    if head.kind == "mixed":
        return pa.array([text.decode() for text in cells_of(_all(cells), rows, "ns")], pa.string(), mask=cells.missing)
    return pa.array(cells.values, mask=cells.missing).cast(_type(head), safe=False)


def _all(column: Column) -> Column:
    return Column(column.values)
