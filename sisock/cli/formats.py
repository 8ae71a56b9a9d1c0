"""Series as text for people and programs: table, CSV, JSON, Parquet."""

import math
from collections.abc import Sequence
from typing import Any

from sisock import extras
from sisock.cli.failures import Failure
from sisock.cli.series import Series, side_by_side
from sisock.export import arrow, text
from sisock.frames import Column, Times
from sisock.printable import printable, to_json

_UNITS = {"s": 10**9, "ms": 10**6, "us": 10**3}


def stamps(t: Times) -> list[str]:
    """The times as ISO 8601 in UTC, to the second or as much finer as they need."""
    unit = next((unit for unit, size in _UNITS.items() if not (t % size).any()), "ns")
    texts: list[str] = t.astype("datetime64[ns]").astype(f"datetime64[{unit}]").astype(str).tolist()
    return [f"{text}Z" for text in texts]


def listed(column: Column) -> list[Any]:
    """The values as Python's own; None where there is none."""
    found: list[Any] = column.values.tolist()
    if column.missing is None:
        return found
    return [None if gone else value for value, gone in zip(found, column.missing.tolist(), strict=True)]


def values(column: Column) -> list[Any]:
    """The same as JSON has them: None for NaN and infinities, too."""
    return [finite(value) for value in listed(column)]


def finite(value: Any) -> Any:
    """The value as JSON can have it: None in place of NaN and infinities."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def as_table(series: Sequence[Series], most: int | None = None) -> str:
    """Columns of text under their targets and units; in several tables where one is wider than `most` characters."""
    t, columns = side_by_side(series)
    cells = [stamps(t - t % 1_000_000), *([short(value) for value in listed(column)] for column in columns)]
    heads = ["time (UTC)", *(_head(each) for each in series)]
    widths = [max(map(len, (head, *column))) for head, column in zip(heads, cells, strict=True)]
    rows = [heads, *zip(*cells, strict=True)]
    return "\n".join(_table(rows, widths, beside) for beside in _beside(widths, most))


def _table(rows: Sequence[Sequence[str]], widths: Sequence[int], shown: Sequence[int]) -> str:
    """Lines of the columns that are shown, by their numbers."""
    return "".join("  ".join(row[i].rjust(widths[i]) for i in shown).rstrip() + "\n" for row in rows)


def _beside(widths: Sequence[int], most: int | None) -> list[list[int]]:
    """Which columns fit beside each other, each time after the first one, which is that of the times."""
    found, room = [[0]], 0
    for i, width in enumerate(widths[1:], 1):
        if most is not None and len(found[-1]) > 1 and width + 2 > room:
            found.append([0])
        if len(found[-1]) == 1:
            room = (most or 0) - widths[0]
        found[-1].append(i)
        room -= width + 2
    return found


def _head(series: Series) -> str:
    return f"{series.target} ({series.field.units})" if series.field.units else series.target


def short(value: Any) -> str:
    """The value in a cell of a table."""
    if value is None:
        return ""
    return (
        f"{value:.6g}".replace("nan", "NaN") if isinstance(value, float) else printable(str(value).replace("\n", " "))
    )


def as_csv(series: Sequence[Series]) -> str:
    """A line of names, then a line for each time; empty where there is no value."""
    t, columns = side_by_side(series)
    return text.head(each.target for each in series) + text.lines(stamps(t), columns)


def as_json(series: Sequence[Series]) -> str:
    """An array with an object for each target: its field, its label, times and values."""
    return to_json([_object(each) for each in series]) + "\n"


def _object(series: Series) -> dict[str, Any]:
    answer = series.answer
    return {
        "target": series.target,
        "description": series.field.description,
        "type": series.field.type,
        "units": series.field.units,
        "method": answer.method,
        "samples": answer.samples,
        "notices": list(answer.notices),
        "time": stamps(series.t),
        "values": values(series.column),
    }


def as_parquet(series: Sequence[Series]) -> bytes:
    """A Parquet file: a column of times (ns, UTC) and one for each target; units and labels in the metadata."""
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError as error:
        raise Failure(f"Parquet needs pyarrow: {extras.command('parquet')}") from error
    t, columns = side_by_side(series)
    heads = [
        arrow.Head(each.target, each.field, each.answer.method, (arrow.kind_of(column),))
        for each, column in zip(series, columns, strict=True)
    ]
    samples = arrow.table(t, columns, [head.name for head in heads])
    sink = pa.BufferOutputStream()
    parquet.write_table(arrow.conform(samples, arrow.schema(heads)), sink)
    return bytes(sink.getvalue())
