"""The door for Grafana's SimpleJSON plugin."""

from collections.abc import Callable, Iterable
from itertools import groupby
from typing import Any

import numpy as np
from flask import Blueprint, Response

from grafana_json.exchange import body, reply
from grafana_json.query import KEYS, RequestError, checked, optional, parse_panel, parse_range, shown
from grafana_json.series import Series
from grafana_json.targets import attribute, search
from grafana_json.units import grafana_unit
from grafana_json.views import View
from sisock.frames import Column
from sisock.times import NS

MOST_FOUND = 5000  # names in a listing
_MS = 1_000_000  # ns
_ECHOED = ("name", "datasource", "enable", "hide", "iconColor", "query", "type")  # what Grafana knows an annotation by
_LONGEST_ECHO = 200  # characters


def door(view: Callable[[], View]) -> Blueprint:
    """The procedures of the plugin, all but `/`, which all doors share; each answers with what its caller may see."""
    at = Blueprint("simplejson", __name__)

    @at.post("/search")
    def find() -> Response:
        asked = checked(body(), dict, "the request", "an object")
        text = optional(asked.get("target"), "", "target", "the text to look for")
        return reply(search(text, view().directory.known(), MOST_FOUND))

    @at.post("/query")
    def query() -> Response:
        return reply(render(view().panels.fetch(parse_panel(body()))))

    @at.post("/annotations")
    def annotations() -> Response:
        """Nodes that came and went."""
        asked = checked(body(), dict, "the request", "an object")
        start, end = parse_range(asked.get("range"))
        about = checked(asked.get("annotation"), dict, "annotation", 'an object as {"name": "nodes", "query": ""}')
        text = optional(about.get("query"), "", "annotation.query", "names of nodes, or nothing for all")
        changes = view().directory.changes
        found = changes.between(int(start * NS), int(end * NS), text) if about.get("enable", True) else []
        echo = _echo(about)
        return reply([{"annotation": echo, **change.described()} for change in found])

    @at.post("/tag-keys")
    def tag_keys() -> Response:
        return reply([{"type": "string", "text": key} for key in KEYS])

    @at.post("/tag-values")
    def tag_values() -> Response:
        """What an ad-hoc filter can be set to."""
        key = checked(body(), dict, "the request", "an object").get("key")
        if key not in KEYS:
            raise RequestError(f"the key {shown(key)} is unknown: use one of {', '.join(KEYS)}")
        known = view().directory.known()
        values = {attribute(key, node, field, known) for node in known for field in known[node]}
        return reply([{"text": value} for value in sorted(values - {""})[:MOST_FOUND]])

    return at


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
        together = list(of_target)
        elements += map(_timeserie, together) if target.kind == "timeserie" else map(_table, _by_axis(together))
    return elements


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
    label = series.label
    if label is None:
        return {}
    width = {} if label.bin is None else {"bin": label.bin / _MS}
    gaps = [[start // _MS, end // _MS] for start, end in label.gaps]
    return {"method": label.method, "samples": label.samples, **width, "gaps": gaps}


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
