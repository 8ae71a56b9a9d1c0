"""Answers as Grafana's own columnar frames: nanoseconds, NaN and infinities, texts and booleans are what they are.

Source: `DataFrameJSON` of `@grafana/data`.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grafana_json.oddities import oddities
from grafana_json.plugins.marks import Mark, Told
from grafana_json.series import Notice, Series, duration
from sisock.frames import Column, Times
from sisock.grafana.units import grafana_unit
from sisock.uris import JOINT

_MS = 1_000_000  # ns
_EXACT = 2**53  # beyond it a float64 leaves out whole numbers
_TYPES = {"number": "number", "string": "string", "bool": "boolean"}

Schema = dict[str, Any]
Values = list[Any] | NDArray[Any]


def frame(series: Series) -> dict[str, Any]:
    """The frame of a series: its times, its values, and what a band has beside them."""
    columns = [("", series.column), *series.more]
    t, broken = with_gaps(series.t, [column for _, column in columns], series.label.gaps if series.label else ())
    fields = [_time(), *(_field(series, name, column) for name, column in columns)]
    notices = [*series.notices, *_about_gaps(series), *_about_numbers(series)]
    meta = {
        **({"custom": series.label.described()} if series.label else {}),
        **({"notices": [notice._asdict() for notice in notices]} if notices else {}),
    }
    made, odd = zip(*map(_encoded, broken), strict=True)
    nanos = t % _MS
    return {
        "schema": {**_ref(series.target.ref), "name": series.name, "meta": meta, "fields": fields},
        "data": {
            "values": [t // _MS, *made],
            "entities": [None, *odd],
            "nanos": [nanos if nanos.any() else None, *[None] * len(made)],
        },
    }


def annotations(told: Told, ref: str | None) -> dict[str, Any]:
    """The frame of annotations, in the columns by whose names Grafana knows them; times in ms."""
    columns: dict[str, tuple[str, list[Any]]] = {
        "time": ("time", [mark.at // _MS for mark in told.marks]),
        "timeEnd": ("time", [_end(mark) for mark in told.marks]),
        "title": ("string", [mark.title for mark in told.marks]),
        "text": ("string", [mark.text for mark in told.marks]),
        "tags": ("other", [mark.tags for mark in told.marks]),
    }
    fields = [{"name": name, "type": kind, "config": {}} for name, (kind, _) in columns.items()]
    meta = {"notices": [notice._asdict() for notice in told.notices]} if told.notices else {}
    return {
        "schema": {**_ref(ref), "name": "annotations", "meta": meta, "fields": fields},
        "data": {"values": [values for _, values in columns.values()]},
    }


def with_gaps(t: Times, columns: Sequence[Column], gaps: Sequence[tuple[int, int]]) -> tuple[Times, list[Column]]:
    """The points with one without a value in each gap between them, for a line to break there. Shape (n + gaps,)."""
    middles = np.array([start + (end - start) // 2 for start, end in gaps], np.int64)
    before = np.searchsorted(t, middles)
    between = (before > 0) & (before < len(t))
    before, first = np.unique(before[between], return_index=True)  # several gaps may lie between two points
    if not len(before):
        return t, list(columns)
    rows = np.delete(np.arange(len(t) + len(before)), before + np.arange(len(before)))
    longer = np.insert(t, before, middles[between][first])
    return longer, [column.spread(rows, len(longer)) for column in columns]


def _time() -> Schema:
    return {"name": "Time", "type": "time", "config": {}}


def _field(series: Series, beside: str, column: Column) -> Schema:
    """One field of values; its name can be changed at the panel, which a `displayName` of ours would rule out."""
    suffix = f"{JOINT}{beside}" if beside else ""
    unit, of = grafana_unit(series.unit), series.of
    config = {"displayNameFromDS": f"{series.name}{suffix}", "unit": unit, "description": of and of.description}
    labels = {} if of is None else {"node": of.node, "field": of.field, "tags": ",".join(of.tags)}
    return {
        "name": f"{of.field if of else 'Value'}{suffix}",
        "type": _TYPES[column.type],
        "config": {key: value for key, value in config.items() if value},
        "labels": {key: value for key, value in labels.items() if value},
    }


def _encoded(column: Column) -> tuple[Values, dict[str, list[int]] | None]:
    """The values as JSON can say them, and where NaN and infinities are, which it cannot."""
    values, missing = column.values, column.missing
    if values.dtype.kind != "f":
        listed = values.tolist() if missing is not None or column.type == "string" else values
        gone = () if missing is None else np.flatnonzero(missing).tolist()
        for row in gone:
            listed[row] = None
        return listed, None
    return (values if missing is None else np.where(missing, np.nan, values)), oddities(column) or None


def _about_gaps(series: Series) -> list[Notice]:
    gaps = series.label.gaps if series.label else ()
    if not gaps:
        return []
    longest = duration(max(end - start for start, end in gaps))
    many = "a gap" if len(gaps) == 1 else f"{len(gaps)} gaps, the longest"
    return [Notice("info", f"{series.name} has {many} of {longest}")]


def _about_numbers(series: Series) -> list[Notice]:
    """What has to be said of whole numbers that a browser cannot hold."""
    values = series.column.values
    if values.dtype.kind != "i" or not ((values > _EXACT) | (values < -_EXACT)).any():
        return []
    return [Notice("warning", f"{series.name} has whole numbers beyond 2^53: Grafana shows them rounded")]


def _end(mark: Mark) -> int | None:
    return None if mark.until is None else mark.until // _MS


def _ref(ref: str | None) -> dict[str, str]:
    return {} if ref is None else {"refId": ref}
