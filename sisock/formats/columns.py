"""Columns of files, whatever their format, as Arrow holds them: which can be fields, and their values."""

from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sisock.frames import Column, Type
from sisock.store import parquet

KINDS: dict[str, Type] = {"f8": "number", "i8": "number", "b1": "bool", "text": "string"}
TYPES = {"f8": pa.float64(), "i8": pa.int64(), "b1": pa.bool_(), "text": pa.string()}


class About(NamedTuple):
    """A column that is a field: the kind of its values, and what the file says of it."""

    kind: str
    units: str | None = None
    description: str | None = None


def kind_of(kind: pa.DataType) -> str | None:
    """How values of this type are kept: "f8", "i8", "b1" or "text"; None where they are no field."""
    types = pa.types
    if types.is_dictionary(kind):
        return kind_of(kind.value_type)
    if types.is_boolean(kind):
        return "b1"
    if types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind):
        return "text"
    if types.is_integer(kind) and not types.is_uint64(kind):
        return "i8"
    if types.is_floating(kind) or types.is_decimal(kind) or types.is_uint64(kind) or types.is_null(kind):
        return "f8"
    return None


def as_kind(values: pa.ChunkedArray, kind: str) -> pa.ChunkedArray:
    """The values as this kind. Raises pyarrow.ArrowException where they are of another one."""
    return values if values.type == TYPES[kind] else values.cast(TYPES[kind], safe=False)


def to_column(values: pa.ChunkedArray, kind: str) -> Column:
    """The values as this kind; null is missing. Raises pyarrow.ArrowException where they are of another one."""
    return parquet.column(as_kind(values, kind), kind)


def plain(values: pa.ChunkedArray, kind: str) -> NDArray[Any]:
    """The values as they lie in memory, zero in the place of nulls. Shape (n,)."""
    return np.asarray(to_column(values, kind).values)
