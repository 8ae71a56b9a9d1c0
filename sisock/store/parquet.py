"""Samples as Parquet that any tool reads, and back: one timeline, in the order of time, with each sample's identity.

Format (docs/archive.md): columns `time` (timestamp ns, UTC), `epoch` and `seq` (identity; null for imported series),
and one for each field; row groups of 8,192 rows; LZ4; values that repeat in dictionaries, other doubles
byte-stream-split, other whole numbers delta-packed; page checksums. The file's metadata holds `sisock`, JSON with the format version, node, timeline and fields.
"""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from sisock.frames import TEXT, Column, Field, texts
from sisock.store.identified import Identified

VERSION = 1
ROWS = 8_192  # of a row group: what is decoded for one sample
OURS = ("time", "epoch", "seq")
_LOOK = 2_048  # values looked at for the choice of an encoding
_TIME = pa.timestamp("ns", "UTC")
_TYPES = {"f8": pa.float64(), "i8": pa.int64(), "b1": pa.bool_(), "text": pa.string()}
_DTYPES: dict[str, Any] = {"f8": np.dtype("f8"), "i8": np.dtype("i8"), "b1": np.dtype("?"), "text": TEXT}
_FILLERS: dict[str, Any] = {"f8": 0.0, "i8": 0, "b1": False, "text": ""}


def kind_of(column: Column) -> str:
    """How a column lies at rest."""
    return {"f": "f8", "i": "i8", "b": "b1", "T": "text"}[column.values.dtype.kind]


def known_kind(kind: str) -> str:
    """Return the kind; raise ValueError if values cannot be of it."""
    if kind not in _TYPES:
        raise ValueError(f"{kind!r:.40} is no kind of values")
    return kind


def stored_name(field: str) -> str:
    """The name of a field's column: its own, unless that is one of ours."""
    return f"field::{field}" if field in OURS else field


def described(fields: Mapping[str, Field]) -> dict[str, dict[str, Any]]:
    """What a file tells of its fields, for whoever finds it without us."""
    return {
        name: {"description": each.description, "type": each.type, "units": each.units} for name, each in fields.items()
    }


# writing ----------------------------------------------------------------------------------------


def coded(samples: Identified, about: Mapping[str, Any]) -> pa.Buffer:
    """The samples as a file."""
    kinds = {stored_name(name): kind_of(column) for name, column in samples.frame.columns.items()}
    words = ["epoch", *(stored_name(name) for name, each in samples.frame.columns.items() if _repeats(each))]
    encodings = {"f8": "BYTE_STREAM_SPLIT", "i8": "DELTA_BINARY_PACKED"}
    encoding = {name: encodings[kind] for name, kind in kinds.items() if kind in encodings and name not in words}
    encoding |= dict.fromkeys(("time", "seq"), "DELTA_BINARY_PACKED")
    out = pa.BufferOutputStream()
    pq.write_table(
        _table(samples, about), out, row_group_size=ROWS, compression="lz4", use_dictionary=words,
        column_encoding=encoding, write_page_checksum=True, write_statistics=["time"],
    )  # fmt: skip
    return out.getvalue()


def _table(samples: Identified, about: Mapping[str, Any]) -> pa.Table:
    frame = samples.frame
    arrays = {
        "time": pa.array(frame.t, _TIME),
        "epoch": _coded_epochs(samples),
        "seq": pa.array(samples.seq, pa.int64(), mask=_nobodys(samples)),
        **{stored_name(name): _array(column, kind_of(column)) for name, column in frame.columns.items()},
    }
    told = {"v": VERSION, **about}
    told["fields"] = {
        name: {"kind": kind_of(column), **told["fields"].get(name, {})} for name, column in frame.columns.items()
    }
    columns = [pa.field(name, each.type, nullable=each.null_count > 0) for name, each in arrays.items()]
    return pa.table(arrays, pa.schema(columns, {"sisock": json.dumps(told, ensure_ascii=False)}))


def _repeats(column: Column) -> bool:
    """Whether a dictionary pays: texts, and numbers of a few steps, as most converters give them."""
    kind, some = kind_of(column), column.values[:_LOOK]
    return kind == "text" or (kind != "b1" and len(some) > 1 and 4 * len(np.unique(some)) < len(some))


def _nobodys(samples: Identified) -> NDArray[np.bool_] | None:
    """True for samples without an identity; None where all have one."""
    return None if None not in samples.epochs else np.array([epoch is None for epoch in samples.epochs])[samples.of]


def _coded_epochs(samples: Identified) -> pa.Array:
    """The epoch of each sample, null where it has none."""
    words = pa.array([epoch or "" for epoch in samples.epochs], pa.string())
    return pa.DictionaryArray.from_arrays(pa.array(samples.of, mask=_nobodys(samples)), words)


def _array(column: Column, kind: str) -> pa.Array:
    if kind == "text":
        listed = column.values.tolist()
        if column.missing is not None:
            listed = [None if gone else text for text, gone in zip(listed, column.missing.tolist(), strict=True)]
        return pa.array(listed, pa.string())
    return pa.array(column.values, _TYPES[kind], mask=column.missing, from_pandas=False)


# reading ----------------------------------------------------------------------------------------
# Straight from Arrow's buffers: its own conversions import pandas, which takes a second and 60 MB.


def times(chunked: pa.ChunkedArray) -> NDArray[np.int64]:
    """Times as int64 ns."""
    return _joined([_fixed(chunk, "i8") for chunk in chunked.chunks], "i8")


def column(chunked: pa.ChunkedArray, kind: str) -> Column:
    """A column of this kind."""
    if kind == "text":
        listed = chunked.to_pylist()
        values = texts("" if text is None else text for text in listed)
        return Column(values, np.array([text is None for text in listed]) if chunked.null_count else None)
    values = _joined([_fixed(chunk, kind) for chunk in chunked.chunks], kind)
    if not chunked.null_count:
        return Column(values)
    missing = np.concatenate([_nulls(chunk) for chunk in chunked.chunks])
    return Column(np.where(missing, _FILLERS[kind], values), missing)


def lost_column(rows: int, kind: str) -> Column:
    """So many missing values of this kind."""
    return Column(np.full(rows, _FILLERS[kind], _DTYPES[kind]), np.ones(rows, bool))


def epochs(chunked: pa.ChunkedArray) -> tuple[tuple[str | None, ...], NDArray[np.int32]]:
    """The epochs there are, and which one each sample is of; the column is read as a dictionary."""
    words: list[str] = []
    parts = [np.empty(0, np.int32)]
    for chunk in chunked.chunks:
        own = np.array([*_numbered(chunk.dictionary.to_pylist(), words), -1], np.int32)
        rows = np.frombuffer(chunk.indices.buffers()[1], np.int32)[chunk.offset : chunk.offset + len(chunk)]
        parts.append(own[np.where(_nulls(chunk.indices), -1, rows)])
    of = np.concatenate(parts)
    return (*words, None), np.where(of < 0, len(words), of).astype(np.int32)


def _numbered(own: list[str], words: list[str]) -> list[int]:
    """The places of these words among all, which are made to hold them."""
    words += [word for word in own if word not in words]
    return [words.index(word) for word in own]


def _fixed(array: pa.Array, kind: str) -> NDArray[Any]:
    """The values of an array of numbers or booleans, anything where there is none."""
    _, data = array.buffers()
    if kind == "b1":
        return _bits(data, array.offset, len(array))
    return np.frombuffer(data, _DTYPES[kind], array.offset + len(array))[array.offset :]


def _nulls(array: pa.Array) -> NDArray[np.bool_]:
    valid = array.buffers()[0]
    return np.zeros(len(array), bool) if valid is None else ~_bits(valid, array.offset, len(array))


def _bits(data: pa.Buffer, offset: int, count: int) -> NDArray[np.bool_]:
    packed = np.frombuffer(data, np.uint8)
    return np.unpackbits(packed, count=offset + count, bitorder="little")[offset:].astype(bool)


def _joined(parts: list[NDArray[Any]], kind: str) -> NDArray[Any]:
    return parts[0] if len(parts) == 1 else np.concatenate([np.empty(0, _DTYPES[kind]), *parts])
