"""Answers in Prometheus's own form."""

from typing import Any

import numpy as np
from flask import Response

from grafana_json.exchange import reply
from grafana_json.prometheus.fetching import Notes
from grafana_json.prometheus.trouble import STATUSES, QueryError
from grafana_json.prometheus.vectors import Floats, Millis, Value, Vector, text


def success(data: Any, notes: Notes | None = None) -> Response:
    """200 with the data, and what is to be known of it."""
    about = {} if notes is None else {"warnings": list(notes.warnings), "infos": list(notes.infos)}
    body = {"status": "success", "data": data, **{key: told for key, told in about.items() if told}}
    return reply(body)


def refusal(error: QueryError) -> Response:
    """What is wrong with a query."""
    return reply({"status": "error", "errorType": error.kind, "error": str(error)}, STATUSES[error.kind])


def seconds(ms: int) -> float:
    """A time as Prometheus writes it: seconds, to the millisecond."""
    return ms // 1000 if ms % 1000 == 0 else ms / 1000


def instant(value: Value, ms: int) -> dict[str, Any]:
    """The result of a query at one time."""
    at = seconds(ms)
    if isinstance(value, str):
        return {"resultType": "string", "result": [at, value]}
    if not isinstance(value, Vector):
        return {"resultType": "scalar", "result": [at, text(float(value[0]))]}
    rows = np.flatnonzero(value.there[:, 0]).tolist()
    result = [{"metric": value.labels[row], "value": [at, text(float(value.values[row, 0]))]} for row in rows]
    return {"resultType": "vector", "result": result}


def matrix(value: Vector | Floats, ms: Millis) -> dict[str, Any]:
    """The result of a query over a range: a series without any value is left out."""
    times = [seconds(at) for at in ms.tolist()]
    if not isinstance(value, Vector):
        values = [[at, text(each)] for at, each in zip(times, value.tolist(), strict=True)]
        return {"resultType": "matrix", "result": [{"metric": {}, "values": values}]}
    result: list[dict[str, Any]] = []
    for labels, values_of, there in zip(value.labels, value.values, value.there, strict=True):
        rows = np.flatnonzero(there).tolist()
        if rows:
            listed = values_of.tolist()
            result.append({"metric": labels, "values": [[times[row], text(listed[row])] for row in rows]})
    result.sort(key=lambda each: sorted(each["metric"].items()))
    return {"resultType": "matrix", "result": result}
