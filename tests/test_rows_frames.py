"""What Grafana itself makes of rows as a data frame: values, types, units, labels and notices."""

import json
import math

import numpy as np
import pytest

from grafana_json.app import create_app
from sisock.frames import Field, Frame, column
from sisock.settings import Settings
from sisock.times import NS
from tests.grafana_data import grafana as grafana_process
from tests.memory import MONDAY, Memory

T = np.array([MONDAY * NS, MONDAY * NS + 1, MONDAY * NS + 999_999_999], np.int64)


@pytest.fixture(scope="module")
def grafana():
    with grafana_process() as process:
        yield process


@pytest.fixture(scope="module")
def ask(grafana):
    fields = {"a": Field(units="C"), "b": Field(type="string"), "c": Field(type="bool")}
    columns = {
        "a": column([math.nan, math.inf, -math.inf]),
        "b": column(["=1", None, "ü"]),
        "c": column([True, None, False]),
    }
    client = create_app(Memory({"n": (fields, Frame("t", T, columns))}), Settings(bridge_deadline=0.5)).test_client()

    def ask(**said):
        answer = client.get(
            "/api/data", query_string={"from": "2026-02-02", "to": "2026-02-03", "format": "frame", **said}
        )
        assert answer.status_code == 200
        (frame,) = grafana.frames([json.loads(answer.data)])
        return frame

    return ask


def test_nanoseconds_nan_and_infinities_come_through(ask):
    frame = ask(target=["n::a", "n::b", "n::c", "nobody::x"])
    time, a, b, c = frame.fields
    assert (time.type, time.values, time.nanos) == (
        "time",
        [MONDAY * 1000, MONDAY * 1000, MONDAY * 1000 + 999],
        [0, 1, 999_999],
    )
    assert math.isnan(a.values[0])
    assert a.values[1:] == [math.inf, -math.inf]
    assert (a.type, a.config, a.labels) == ("number", {"unit": "celsius"}, {"node": "n", "field": "a"})
    assert (b.type, b.values) == ("string", ["=1", None, "ü"])
    assert (c.type, c.values) == ("boolean", [True, None, False])
    assert frame.notices == [("error", "there is no data node 'nobody'")]
    assert [each["target"] for each in frame.meta["custom"]["series"]] == ["n::a", "n::b", "n::c"]


def test_a_long_frame_of_several_kinds_has_its_values_as_texts(ask):
    frame = ask(target=["n::a", "n::b", "n::c"], shape="long")
    assert [field.name for field in frame.fields] == ["time", "node", "field", "value", "unit"]
    assert frame.field("value").type == "string"
    assert frame.field("value").values == ["NaN", "inf", "-inf", "=1", None, "ü", "true", None, "false"]
