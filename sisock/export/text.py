"""Samples as CSV: every value as it was, and a missing one apart from an empty text or NaN."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from sisock.frames import Column, Times

_SPECIAL = frozenset('",\r\n')


def head(names: Iterable[str]) -> str:
    """The line of names."""
    return ",".join(["time", *map(_quoted, names)]) + "\n"


def lines(times: Sequence[str], columns: Sequence[Column]) -> str:
    """A line for each time. Missing is nothing, an empty text `""`; numbers in as many digits as they need."""
    rows = zip(times, *map(cells, columns), strict=True)
    return "".join([",".join(row) + "\n" for row in rows])


def cells(column: Column) -> list[str]:
    """Each value as it stands in CSV."""
    listed: list[Any] = column.values.tolist()
    if column.type == "string":
        texts = [_quoted(text) for text in listed]
    elif column.type == "bool":
        texts = ["true" if value else "false" for value in listed]
    else:
        texts = [repr(value) for value in listed]
        if column.values.dtype.kind == "f" and np.isnan(column.values).any():
            texts = ["NaN" if text == "nan" else text for text in texts]
    if column.missing is None:
        return texts
    return ["" if gone else text for text, gone in zip(texts, column.missing.tolist(), strict=True)]


def _quoted(text: str) -> str:
    if text and _SPECIAL.isdisjoint(text):
        return text
    return '"' + text.replace('"', '""') + '"'


def nanoseconds(t: Times) -> list[str]:
    """The times in ns since 1970."""
    return [str(each) for each in t.tolist()]


def stamps(t: Times) -> list[str]:
    """The times as ISO 8601 in UTC, all to the nanosecond: a column that programs read has one form."""
    texts: list[str] = t.astype("datetime64[ns]").astype(str).tolist()
    return [f"{text}Z" for text in texts]
