"""Asking the bridge as a Prometheus, in tests."""

import json
import time

import numpy as np

from grafana_json.app import create_app
from sisock.frames import Column, Field, Frame
from sisock.settings import Settings
from tests.laboratory_samples import BEGIN
from tests.memory import MONDAY, Memory

DAY = 86_400
SOON = 10.0  # seconds of processor: without a bound it would be minutes
START = BEGIN // 1000  # of the samples of the laboratory


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


def asked(client, path, **given):
    """The answer, which is in the form of Prometheus, without NaN in it."""
    began = time.process_time()
    response = client.post(f"/api/v1/{path}", data=given)

    def refuse(constant):
        raise AssertionError(f"{constant} is no JSON")

    answer = json.loads(response.data, parse_constant=refuse)
    assert time.process_time() - began < SOON
    assert response.status_code in (200, 400, 422, 503), answer
    assert (answer["status"] == "success") == (response.status_code == 200)
    assert response.status_code == 200 or set(answer) == {"status", "errorType", "error"}
    return answer
