"""Cells of CSV files one by one: what a column is made of, and its values where some cannot be read."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sisock.formats.instants import number_in, of_texts
from sisock.formats.moments import is_time

NOTHING = ["", "NA", "na", "N/A", "n/a", "NaN", "nan", "null", "NULL", "None", "none", "-"]  # cells without a value
_BOOLS = {"true": True, "false": False, "1": True, "0": False}
_TIME = pa.timestamp("ns", "UTC")


def settled(table: pa.Table, decimal: str = ".") -> dict[str, pa.DataType]:
    """The type of each column by its first rows: float64, int64, bool, a timestamp or string.

    What Arrow took for texts may be numbers or times but for some cells.
    """
    return {name: _settled(table.column(name), decimal) for name in table.column_names}


def _settled(values: pa.ChunkedArray, decimal: str) -> pa.DataType:
    kind = values.type
    if is_time(kind):
        return pa.timestamp("ns", getattr(kind, "tz", None))
    if kind in (pa.int64(), pa.float64(), pa.bool_(), pa.null()):
        return pa.float64() if kind == pa.null() else kind
    there = [text for text in values.to_pylist() if text] if pa.types.is_string(kind) else []
    if there:
        if 2 * sum(number_in(text.replace(decimal, ".")) is not None for text in there) >= len(there):
            return pa.float64()
        if 2 * int(of_texts(there)[1].sum()) >= len(there):
            return _TIME
    return pa.string()


def cast(values: pa.ChunkedArray, kind: pa.DataType, decimal: str = ".") -> pa.ChunkedArray:
    """Texts as values of this type; null where one is none."""
    if kind == pa.string():
        return values
    if decimal != ".":
        values = pc.replace_substring(values, decimal, ".")
    with suppress(pa.ArrowInvalid):
        return pc.cast(values, kind)
    texts = values.to_pylist()
    made: list[Any]
    if kind == pa.bool_():
        made = [_BOOLS.get(text.strip().lower()) if text else None for text in texts]
    elif kind == pa.int64():
        made = [_whole(text) for text in texts]
    else:
        made = [number_in(text) for text in texts]
    return pa.chunked_array([pa.array(made, kind)])


def lost(texts: pa.ChunkedArray, made: pa.ChunkedArray) -> Iterator[tuple[int, str]]:
    """The cells that have no value though there is a text, each with its row."""
    if made.null_count > texts.null_count:
        for row in np.flatnonzero(pc.and_(pc.is_null(made), pc.is_valid(texts)).to_numpy()).tolist():
            text = texts[row].as_py()
            if text.strip() not in NOTHING:
                yield row, text


def _whole(text: str | None) -> int | None:
    try:
        value = int(text) if text and "_" not in text else None
    except ValueError:
        return None
    return None if value is None or abs(value) >= 2**63 else value
