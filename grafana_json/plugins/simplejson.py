"""Answers in the form of Grafana's SimpleJSON plugin."""

from collections.abc import Iterable
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np

from grafana_json.plugins.marks import Mark, Told, Window
from grafana_json.query import checked, optional, parse_range
from grafana_json.series import Series
from sisock.frames import Column
from sisock.grafana.units import grafana_unit
from sisock.uris import JOINT

_MS = 1_000_000  # ns
_ECHOED = ("name", "datasource", "enable", "hide", "iconColor", "query", "type")  # what Grafana knows an annotation by
_LONGEST_ECHO = 200  # characters


class Annotation(NamedTuple):
    """A question for annotations: None where it is not enabled, and what Grafana knows it by."""

    window: Window | None
    echo: dict[str, Any]


def parse_annotation(body: Any) -> Annotation:
    """The question of a request; raises RequestError."""
    asked = checked(body, dict, "the request", "an object")
    start, end = parse_range(asked.get("range"))
    about = checked(asked.get("annotation"), dict, "annotation", 'an object as {"name": "nodes", "query": ""}')
    text = optional(about.get("query"), "", "annotation.query", "names of nodes, or nothing for all")
    return Annotation(Window(start, end, text) if about.get("enable", True) else None, _echo(about))


def annotations(told: Told, echo: dict[str, Any]) -> list[dict[str, Any]]:
    """The elements of an answer: what happened at a time, or from one to another."""
    return [{"annotation": echo, **_mark(mark)} for mark in told.marks]


def _mark(mark: Mark) -> dict[str, Any]:
    until = {} if mark.until is None else {"timeEnd": mark.until // _MS}
    return {"time": mark.at // _MS, "title": mark.title, "text": mark.text, "tags": mark.tags, **until}


def _echo(about: dict[str, Any]) -> dict[str, Any]:
    """What the annotation is known by, as far as it is plain and short."""
    known = {key: about[key] for key in _ECHOED if key in about}
    return {key: value for key, value in known.items() if isinstance(value, bool) or _is_short(value)}


def _is_short(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= _LONGEST_ECHO


def render(series: Iterable[Series]) -> list[dict[str, Any]]:
    """The elements of an answer: a list of [value, ms] for each series, a table for those of one time axis."""
    elements: list[dict[str, Any]] = []
    for target, of_target in groupby(series, key=lambda each: each.target):
        together = [each for one in of_target for each in _apart(one)]
        elements += map(_timeserie, together) if target.kind == "timeserie" else map(_table, _by_axis(together))
    return elements


def _apart(series: Series) -> list[Series]:
    """The columns of a band as series of their own."""
    named = [series._replace(name=f"{series.name}{JOINT}{name}", column=column) for name, column in series.more]
    return [series, *named]


def _timeserie(series: Series) -> dict[str, Any]:
    points = list(zip(_numbers(series.column), _milliseconds(series), strict=True))
    unit = grafana_unit(series.unit)
    return {"target": series.name, "datapoints": points, **({"unit": unit} if unit else {}), **_about([series])}


def _table(together: list[Series]) -> dict[str, Any]:
    columns = [{"text": "Time", "type": "time"}]
    columns += [{"text": s.name, "type": "number" if s.column.type == "number" else "string"} for s in together]
    rows = zip(_milliseconds(together[0]), *(_texts(s.column) for s in together), strict=True)
    return {"type": "table", "columns": columns, "rows": list(rows), **_about(together)}


def _by_axis(series: list[Series]) -> list[list[Series]]:
    """Series that share their times, in the order of the first of them."""
    axes: dict[bytes, list[Series]] = {}
    for each in series:
        axes.setdefault(each.t.tobytes(), []).append(each)
    return list(axes.values())


def _about(together: list[Series]) -> dict[str, Any]:
    """What Grafana keeps beside the points: the query they belong to, and the label."""
    ref = together[0].target.ref
    custom = {s.name: _label(s) for s in together if s.label} if len(together) > 1 else _label(together[0])
    notices = list(dict.fromkeys(notice for s in together for notice in s.notices))
    meta = {"custom": custom, "notices": [notice._asdict() for notice in notices]}
    return {**({} if ref is None else {"refId": ref}), "meta": {key: value for key, value in meta.items() if value}}


def _label(series: Series) -> dict[str, Any]:
    return series.label.described() if series.label else {}


def _milliseconds(series: Series) -> list[int]:
    listed: list[int] = (series.t // _MS).tolist()
    return listed


def _numbers(column: Column) -> list[Any]:
    """Values as a line can show them: booleans as 0 and 1, what is missing as None."""
    return _with_none(column, column.values.view(np.int8) if column.type == "bool" else column.values)


def _texts(column: Column) -> list[Any]:
    """Values as a table can show them: booleans as words, what is missing as None."""
    values = _with_none(column, column.values)
    return [None if v is None else "true" if v else "false" for v in values] if column.type == "bool" else values


def _with_none(column: Column, values: np.typing.NDArray[Any]) -> list[Any]:
    listed: list[Any] = values.tolist()
    if column.missing is None:
        return listed
    return [None if gone else value for value, gone in zip(listed, column.missing.tolist(), strict=True)]
