"""Cells of CSV files one by one: what a column is made of, and its values where some cannot be read."""

import pyarrow as pa

from data_nodes.files.moments import of_texts

NOTHING = ["", "NA", "na", "N/A", "n/a", "NaN", "nan", "null", "NULL", "None", "none", "-"]  # cells without a value
_BOOLS = {"true": True, "false": False, "1": True, "0": False}
_TIME = pa.timestamp("ns", "UTC")


def settled(table: pa.Table, *, cells: bool = False) -> dict[str, pa.DataType]:
    """The type of each column by its first rows: float64, int64, bool, a timestamp or string.

    What Arrow took for texts may be numbers or times but for some cells. `cells`: all are texts as yet.
    """
    return {name: _settled(table.column(name), cells=cells) for name in table.column_names}


def _settled(values: pa.ChunkedArray, *, cells: bool) -> pa.DataType:
    kind = values.type
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return pa.timestamp("ns", getattr(kind, "tz", None))
    if kind in (pa.int64(), pa.float64(), pa.bool_(), pa.null()):
        return pa.float64() if kind == pa.null() else kind
    there = [text for text in values.cast(pa.string()).to_pylist() if text] if pa.types.is_string(kind) else []
    if there:
        if 2 * sum(_number(text, ".") is not None for text in there) >= len(there):
            return pa.float64()
        if 2 * int(of_texts(there)[1].sum()) >= len(there):
            return _TIME
    return pa.string()


def cast(values: pa.ChunkedArray, kind: pa.DataType, decimal: str) -> pa.ChunkedArray:
    """Texts as values of this type; null where one is none."""
    if kind == pa.string():
        return values
    texts = values.to_pylist()
    if pa.types.is_timestamp(kind):
        t, readable = of_texts(texts)
        return pa.chunked_array([pa.array(t, pa.timestamp("ns", kind.tz), mask=~readable)])
    if kind == pa.bool_():
        return pa.chunked_array(
            [pa.array([_BOOLS.get(text.strip().lower()) if text else None for text in texts], kind)]
        )
    numbers = [None if text is None else _number(text, decimal) for text in texts]
    if kind == pa.int64():
        whole = [None if each is None else _whole(text) for text, each in zip(texts, numbers, strict=True)]
        return pa.chunked_array([pa.array(whole, kind)])
    return pa.chunked_array([pa.array(numbers, kind)])


def _number(text: str, decimal: str) -> float | None:
    try:
        return None if "_" in text else float(text.replace(decimal, "."))
    except ValueError:
        return None


def _whole(text: str) -> int | None:
    try:
        value = int(text)
    except ValueError:
        return None
    return value if abs(value) < 2**63 else None


def as_kind(values: pa.ChunkedArray, kind: str) -> pa.ChunkedArray:
    """The values, texts as those of another kind: a file may look different now than it did at first."""
    types = {"f8": pa.float64(), "i8": pa.int64(), "b1": pa.bool_()}
    if kind == "text":
        return values.cast(pa.string())
    return cast(values, types[kind], ".") if pa.types.is_string(values.type) else values
