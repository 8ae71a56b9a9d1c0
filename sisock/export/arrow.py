"""Samples as Arrow and Parquet: int64 nanoseconds in UTC, a column a field, nulls where values are missing."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from sisock.frames import Column, Field, Frame, Times

_GROUP = 65_536  # rows of a row group or record batch, about
_GROUP_BYTES = 4 * 2**20  # and its bytes, about: there may be thousands of columns
_KINDS = {"<i8": "int64", "<f8": "float64", "|b1": "bool", "utf8": "string"}


class Head(NamedTuple):
    """A column of a table: its name, what it is of, how its values were made, and the dtypes that came."""

    name: str
    field: Field
    method: str
    kinds: Sequence[str] = ()


def kind_of(column: Column) -> str:
    """The dtype of a column's values: int64, float64, bool or string."""
    return _KINDS.get(column.values.dtype.str, "string")


def type_of(head: Head) -> Any:
    """The Arrow type that holds all values that came; raises ValueError where none does."""
    import pyarrow as pa

    kinds = set(head.kinds) or {{"number": "float64", "bool": "bool", "string": "string"}[head.field.type]}
    if len(kinds) > 1 and not kinds <= {"int64", "float64"}:
        raise ValueError(
            f"{head.name} has values of the types {', '.join(sorted(kinds))} in this range: "
            "export them apart with --start and --end, or as csv"
        )
    types = {"int64": pa.int64(), "float64": pa.float64(), "bool": pa.bool_(), "string": pa.string()}
    return types["float64" if len(kinds) > 1 else min(kinds)]


def schema(heads: Sequence[Head], about: Mapping[str, str] | None = None) -> Any:
    """The schema: the time, then a column for each head with its units, description and method as metadata."""
    import pyarrow as pa

    fields = [pa.field("time", pa.timestamp("ns", tz="UTC"), nullable=False)]
    for head in heads:
        told = {"units": head.field.units or "", "description": head.field.description or "", "method": head.method}
        fields.append(pa.field(head.name, type_of(head), metadata=told))
    return pa.schema(fields, metadata=dict(about or {}))


def table(t: Times, columns: Sequence[Column], names: Sequence[str]) -> Any:
    """The samples as an Arrow table, in the types that they have."""
    import pyarrow as pa

    arrays = [pa.array(t, pa.timestamp("ns", tz="UTC")), *map(_array, columns)]
    return pa.Table.from_arrays(arrays, names=["time", *names])


def _array(column: Column) -> Any:
    import pyarrow as pa

    if column.type == "string":
        return pa.array(column.values.tolist(), pa.string(), mask=column.missing)
    return pa.array(column.values, mask=column.missing)


def conform(samples: Any, to: Any) -> Any:
    """The table in this schema: nulls for a column that it lacks."""
    import pyarrow as pa

    arrays = [
        samples.column(each.name).cast(each.type, safe=False)
        if each.name in samples.column_names
        else pa.nulls(len(samples), each.type)
        for each in to
    ]
    return pa.Table.from_arrays(arrays, schema=to)


# parts, and what becomes of them ----------------------------------------------------------------


def encode(frame: Frame) -> bytes:
    """The frame as a chunk of a part: a whole Arrow stream."""
    import pyarrow as pa

    samples = table(frame.t, list(frame.columns.values()), list(frame.columns))
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, samples.schema, options=pa.ipc.IpcWriteOptions(compression="lz4")) as stream:
        stream.write_table(samples)
    return sink.getvalue().to_pybytes()  # type: ignore[no-any-return]  # pyarrow is not typed


def decode(chunk: bytes) -> Any:
    """The table of a chunk."""
    import pyarrow as pa

    with pa.ipc.open_stream(chunk) as stream:
        return stream.read_all()


def write(path: Path, kind: str, chunks: Iterable[Any], to: Any) -> int:
    """Write the tables, all in this schema, as one Parquet or Arrow file; how many rows these are."""
    import pyarrow as pa
    from pyarrow import parquet

    rows = 0
    with pa.OSFile(str(path), "wb") as sink:
        make = parquet.ParquetWriter if kind == "parquet" else pa.ipc.new_file
        with make(sink, to, **(_compact(to) if kind == "parquet" else {})) as writer:
            for each in _in_groups(chunks):
                writer.write_table(each)
                rows += len(each)
    return rows


def _compact(to: Any) -> dict[str, Any]:
    """How Parquet stores measured numbers in little room: bytes of doubles apart, steps of whole numbers."""
    import pyarrow as pa

    encoding = {each.name: "BYTE_STREAM_SPLIT" for each in to if pa.types.is_float64(each.type)}
    encoding |= {each.name: "DELTA_BINARY_PACKED" for each in to if each.name == "time" or pa.types.is_int64(each.type)}
    words = [each.name for each in to if pa.types.is_string(each.type)]
    return {"compression": "zstd", "column_encoding": encoding, "use_dictionary": words or False}


def _in_groups(tables: Iterable[Any]) -> Iterator[Any]:
    """The same rows in tables of a like number of them: many small row groups make a slow file."""
    import pyarrow as pa

    waiting: list[Any] = []
    for each in tables:
        waiting.append(each)
        if sum(map(len, waiting)) >= _GROUP or sum(one.nbytes for one in waiting) >= _GROUP_BYTES:
            yield pa.concat_tables(waiting).combine_chunks()
            waiting = []
    if waiting:
        yield pa.concat_tables(waiting).combine_chunks()
