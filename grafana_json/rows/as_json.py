"""Rows as JSON: an array of flat objects, or the columns of a data frame, which has NaN, infinities and labels."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, repeat
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from grafana_json.oddities import oddities
from grafana_json.rows.as_csv import cells_of, numbers
from grafana_json.rows.tables import Block, Cells, Constant, Head, Moments, Table, listed, times_of
from sisock.frames import Column
from sisock.grafana.units import grafana_unit

_BLOCK = 16_384  # rows
_TYPES = {"whole": "number", "bool": "boolean", "mixed": "string"}  # Grafana's words


def written(table: Table, time: str) -> Iterator[bytes]:
    """The array in pieces; what JSON does not have is null."""
    names, begun = [head.name for head in table.heads], b"["
    for block in table.pieces(_BLOCK):
        yield begun + _objects(names, block, time)
        begun = b","
    yield b"[]" if begun == b"[" else b"]"


def _objects(names: list[str], block: Block, time: str) -> bytes:
    """An object for each row, with commas between: what all rows have alike is made once."""
    alike, parts = b"{", list[Iterable[bytes]]()
    for number, (name, cells) in enumerate(zip(names, block.cells, strict=True)):
        alike += (b"," if number else b"") + orjson.dumps(name) + b":"
        if isinstance(cells, Constant):
            alike += orjson.dumps(cells.text)
        else:
            parts += (repeat(alike, block.rows), _tokens(cells, time))
            alike = b""
    parts.append(repeat(alike + b"},", block.rows))
    return b"".join(chain.from_iterable(zip(*parts, strict=True)))[:-1]


def _tokens(cells: Moments | Column, time: str) -> list[bytes]:
    """Each value as it stands in JSON."""
    if isinstance(cells, Moments):
        stamped = times_of(cells.t, time)
        tokens = numbers(stamped) if stamped.dtype.kind == "i" else [orjson.dumps(each) for each in stamped.tolist()]
    elif cells.type == "string":
        tokens = [orjson.dumps(text) for text in cells.values.tolist()]
    else:
        tokens = numbers(cells.values)
    if cells.missing is None:
        return tokens
    return [b"null" if gone else token for token, gone in zip(tokens, cells.missing.tolist(), strict=True)]


def frame(table: Table, about: Mapping[str, Any], time: str) -> Iterator[bytes]:
    """The frame in pieces, in the form that Grafana's `toDataFrame` takes; times are ms, what is finer stands in `nanos`.

    Source: `@grafana/data`, `DataFrameJSON`.
    """
    meta = {"custom": {key: value for key, value in about.items() if key != "notices"}, "notices": about["notices"]}
    schema = {"meta": meta, "fields": [_field(head) for head in table.heads]}
    columns = list(zip(*(block.cells for block in table.blocks), strict=True)) or [()] * len(table.heads)
    rows = [block.rows for block in table.blocks]
    yield b'{"schema":' + orjson.dumps(schema) + b',"data":{"values":['
    for number, (head, column) in enumerate(zip(table.heads, columns, strict=True)):
        yield (b"," if number else b"") + _values(head, column, rows)
    entities = [
        None if head.kind == "mixed" else _entities(column, rows)
        for head, column in zip(table.heads, columns, strict=True)
    ]
    nanos = [_nanos(column) for column in columns]
    yield b'],"entities":' + orjson.dumps(entities) + b',"nanos":' + orjson.dumps(nanos) + b"}}"


def _field(head: Head) -> dict[str, Any]:
    config = {"unit": grafana_unit(head.unit)} if head.unit else {}
    labels = {} if head.node is None else {"labels": {"node": head.node, "field": head.field}}
    return {"name": head.name, "type": _TYPES.get(head.kind, head.kind), "config": config, **labels}


def _values(head: Head, column: tuple[Cells, ...], rows: list[int]) -> bytes:
    if head.kind == "mixed":
        texts = [_texts(cells, count) for cells, count in zip(column, rows, strict=True) if count]
    else:
        texts = [listed(cells, count, "ms") for cells, count in zip(column, rows, strict=True)]
    return orjson.dumps(list(chain.from_iterable(texts)))


def _texts(cells: Cells, rows: int) -> list[str | None]:
    """Values of a column that has several kinds, as texts."""
    if isinstance(cells, Column) and cells.type != "string":
        return [text.decode() or None for text in cells_of(cells, rows, "ms")]
    return listed(cells, rows, "ms")


def _entities(column: tuple[Cells, ...], rows: list[int]) -> dict[str, list[int]] | None:
    """In which rows there is what JSON has no number for."""
    found: dict[str, list[int]] = {}
    for cells, before in zip(column, np.cumsum([0, *rows]).tolist(), strict=False):
        for name, at in oddities(cells).items() if isinstance(cells, Column) else ():
            found.setdefault(name, []).extend(row + before for row in at)
    return found or None


def _nanos(column: tuple[Cells, ...]) -> list[int] | None:
    """What the times are finer than milliseconds; None where they are not."""
    finer: list[NDArray[np.int64]] = [cells.t % 1_000_000 for cells in column if isinstance(cells, Moments)]
    if not any(each.any() for each in finer):
        return None
    return list(chain.from_iterable(each.tolist() for each in finer))
