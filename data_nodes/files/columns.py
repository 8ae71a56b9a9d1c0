"""Columns of files, whatever their format, as Arrow holds them: which can be fields, and their values."""

from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from sisock.frames import Column, Type, texts

KINDS: dict[str, Type] = {"f8": "number", "i8": "number", "b1": "bool", "text": "string"}
_PLAIN: dict[str, tuple[pa.DataType, Any, Any]] = {
    "f8": (pa.float64(), 0.0, np.float64),
    "i8": (pa.int64(), 0, np.int64),
    "b1": (pa.uint8(), 0, np.uint8),
}


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


def to_column(values: pa.ChunkedArray, kind: str) -> Column:
    """The values as this kind; null is missing. Raises pyarrow.ArrowException where they are of another one."""
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    missing = pc.is_null(values).to_numpy() if values.null_count else None
    if kind == "text":
        return Column(texts(value or "" for value in values.to_pylist()), missing)
    plain = _plain(values, kind)
    return Column(plain.astype(bool) if kind == "b1" else plain, missing)


def _plain(values: pa.ChunkedArray, kind: str) -> NDArray[Any]:
    """The values as they lie in memory, anything in the place of nulls. Arrow's own way would import pandas."""
    arrow, filler, dtype = _PLAIN[kind]
    if values.null_count:
        values = values.cast(arrow, safe=False).fill_null(filler)
    return flat(values.cast(arrow, safe=False), dtype)


def flat(values: pa.ChunkedArray, dtype: Any) -> NDArray[Any]:
    """Values without nulls, of a type whose width is that of the dtype. Shape (n,)."""
    parts = []
    for chunk in values.chunks:
        buffer = chunk.buffers()[1]
        if buffer is not None and len(chunk):
            parts.append(np.frombuffer(buffer, dtype, len(chunk), chunk.offset * np.dtype(dtype).itemsize))
    if len(parts) == 1:
        return parts[0]
    return np.concatenate(parts) if parts else np.empty(0, dtype)
