"""Rows as CSV, as RFC 4180 has it: a line of names, then a line a row; every value as it was.

Nothing is a missing value, `""` an empty text; numbers have as many digits as they need, `NaN`, `inf` and `-inf` are
written so. Safe for spreadsheets: a text that would be taken for a formula gets an apostrophe before it; which ones these are:
OWASP, "CSV Injection".
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from grafana_json.rows.tables import Block, Cells, Constant, Moments, Table, times_of
from sisock.frames import Column

_BLOCK = 16_384  # rows
_SPECIAL = frozenset('",\r\n')
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
_BOM = b"\xef\xbb\xbf"  # by which Excel knows UTF-8


def written(table: Table, time: str, *, safe: bool = False) -> Iterator[bytes]:
    """The file in pieces; `safe`: for spreadsheets."""
    names = b",".join(_quoted(head.name, safe) for head in table.heads)
    yield (_BOM if safe else b"") + names + b"\r\n"
    for block in table.pieces(_BLOCK):
        yield _lines(block, time, safe)


def _lines(block: Block, time: str, safe: bool) -> bytes:
    columns = [cells_of(cells, block.rows, time, safe=safe) for cells in block.cells]
    return b"\r\n".join(map(b",".join, zip(*columns, strict=True))) + b"\r\n"


def cells_of(cells: Cells, rows: int, time: str, *, safe: bool = False) -> list[bytes]:
    """Each value as it stands in CSV, of one row at least."""
    if isinstance(cells, Constant):
        return [b"" if cells.text is None else _quoted(cells.text, safe)] * rows
    if isinstance(cells, Moments):
        stamped = times_of(cells.t, time)
        texts = numbers(stamped) if stamped.dtype.kind == "i" else [text.encode() for text in stamped.tolist()]
    elif cells.type == "string":
        texts = [_quoted(text, safe) for text in cells.values.tolist()]
    else:
        texts = _odd(numbers(cells.values), cells)
    if cells.missing is None:
        return texts
    return [b"" if gone else text for text, gone in zip(texts, cells.missing.tolist(), strict=True)]


def numbers(values: NDArray[Any]) -> list[bytes]:
    """Numbers and booleans in the fewest digits that read as the same again; `null` where these are none."""
    return orjson.dumps(np.ascontiguousarray(values), option=orjson.OPT_SERIALIZE_NUMPY)[1:-1].split(b",")


def _odd(texts: list[bytes], column: Column) -> list[bytes]:
    """The texts, with NaN and infinities, which JSON does not have, in their places."""
    if column.values.dtype.kind == "f":
        for row in np.flatnonzero(~np.isfinite(column.values)).tolist():
            value = column.values[row]
            texts[row] = b"NaN" if np.isnan(value) else b"inf" if value > 0 else b"-inf"
    return texts


def _quoted(text: str, safe: bool) -> bytes:
    if safe and text.startswith(_FORMULA):
        text = f"'{text}"
    if text and _SPECIAL.isdisjoint(text):
        return text.encode()
    return ('"' + text.replace('"', '""') + '"').encode()
