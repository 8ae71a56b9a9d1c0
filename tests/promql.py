"""Asking the bridge as a Prometheus, in tests."""

import json

import numpy as np

from grafana_json.app import create_app
from sisock.frames import Column, Field, Frame
from sisock.settings import Settings
from tests.memory import MONDAY, Memory

DAY = 86_400


def strict(response):
    """The answer, which must be JSON without NaN or Infinity."""

    def refuse(constant):
        raise AssertionError(f"{constant} is no JSON")

    return json.loads(response.data, parse_constant=refuse)


def ask(client, query, at=MONDAY, **more):
    return strict(client.get("/api/v1/query", query_string={"query": query, "time": at, **more}))


def over(client, query, start, end, step, **more):
    given = {"query": query, "start": start, "end": end, "step": step, **more}
    return strict(client.get("/api/v1/query_range", query_string=given))


def numbers(answer):
    """The values of the only series by time."""
    assert answer["status"] == "success", answer
    ((only),) = answer["data"]["result"]
    listed = only["values"] if "values" in only else [only["value"]]
    return {t: float(value) for t, value in listed}


def one_node(t, values, name="x", units=None, **more):
    """A consumer with one node that has one field; times in seconds."""
    ns = np.asarray(np.round(np.asarray(t, float) * 1000), np.int64) * 10**6
    return Memory({"n": ({name: Field(units=units, **more)}, Frame("samples", ns, {name: Column(np.asarray(values))}))})


def client_of(source):
    return create_app(source, Settings(bridge_deadline=0.5)).test_client()
