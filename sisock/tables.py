"""Answers as tables of pandas or polars, one for each time axis."""

from typing import TYPE_CHECKING, Any

import numpy as np

from sisock.frames import Answer, Column

if TYPE_CHECKING:
    import pandas
    import polars


def to_pandas(answer: Answer) -> "dict[str, pandas.DataFrame]":
    """A DataFrame for each axis of the answer: indexed by UTC time, a column for each field, missing values as NA."""
    import pandas as pd

    tables = {}
    for part in answer.parts:
        index = pd.DatetimeIndex(part.points.t.view("datetime64[ns]"), name="time").tz_localize("UTC")
        columns = {
            name: pd.array(_values(column), dtype=_PANDAS[column.type]) for name, column in part.points.columns.items()
        }
        tables[part.points.timeline] = pd.DataFrame(columns, index=index)
    return tables


def to_polars(answer: Answer) -> "dict[str, polars.DataFrame]":
    """A DataFrame for each axis of the answer: the column `time` in UTC, a column for each field, missing values null."""
    import polars as pl

    tables = {}
    for part in answer.parts:
        time = pl.Series("time", part.points.t.view("datetime64[ns]")).dt.replace_time_zone("UTC")
        columns = [pl.Series(name, _values(column), strict=False) for name, column in part.points.columns.items()]
        tables[part.points.timeline] = pl.DataFrame([time, *columns])
    return tables


_PANDAS = {"number": "Float64", "string": "string", "bool": "boolean"}


def _values(column: Column) -> Any:
    """The values, None where there is none; numbers without missing ones stay an array."""
    if column.missing is None and column.type != "string":
        return column.values
    values = column.values.astype(object)
    if column.missing is not None:
        values[np.flatnonzero(column.missing)] = None
    return values.tolist()
