"""What Grafana itself makes of the answers in SimpleJSON's form: values, types, units and notices."""

import json
import threading
import time

import pytest

from grafana_json.app import create_app
from sisock.grafana import units
from sisock.settings import Settings
from tests.grafana_data import grafana as grafana_process
from tests.memory import MONDAY

SPAN = {"from": "2026-02-02T00:00:00Z", "to": "2026-02-02T04:00:00Z"}


@pytest.fixture(scope="module")
def grafana():
    with grafana_process() as process:
        yield process


@pytest.fixture
def ask(grafana, source):
    client = create_app(source, Settings(bridge_deadline=0.5)).test_client()

    def ask(text, kind="timeserie", **more):
        target = {"target": text, "refId": "A", "type": kind}
        response = client.post("/query", json={"range": SPAN, "maxDataPoints": 500, "targets": [target], **more})
        assert response.status_code == 200
        return grafana.frames(json.loads(response.data))

    yield ask
    source.let_go.set()


def test_every_unit_is_one_that_grafana_knows(grafana):
    assert set(units.IDS.values()) - grafana.units() == set()


def test_a_series_of_numbers_has_times_values_and_a_unit(ask):
    (frame,) = ask("weather::temperature")
    time, value = frame.fields
    assert (frame.ref, time.type, value.type, value.shown_as) == ("A", "time", "number", "weather::temperature")
    assert time.values == [(MONDAY + 60 * minute) * 1000 for minute in (0, 1, 2, 5)]
    assert value.values == [1.5, None, None, 4.25]
    assert (value.config, frame.notices) == ({"unit": "celsius"}, [])


def test_a_bridge_that_has_just_started_knows_units_from_its_first_answer_on(grafana, source):
    read, asked = source.fields, threading.Event()

    def fields(*given):
        asked.wait(5)  # the names are read more slowly than the samples
        time.sleep(0.1)
        return read(*given)

    def ask(*given):
        asked.set()
        return answer(*given)

    source.fields, answer, source.ask = fields, source.ask, ask
    client = create_app(source, Settings()).test_client()
    body = {"range": SPAN, "targets": [{"target": "weather::temperature", "refId": "A", "type": "timeserie"}]}
    ((_, value),) = [frame.fields for frame in grafana.frames(json.loads(client.post("/query", json=body).data))]
    assert value.config == {"unit": "celsius"}


def test_a_reduced_series_says_so_at_the_panel(ask):
    (frame,) = ask("host::cpu")
    assert 300 < frame.length <= 500
    assert max(frame.fields[1].values) == 99.0
    ((severity, text),) = frame.notices
    assert severity == "info"
    assert "of 10,000 samples are shown: minimum and maximum of each" in text


def test_a_table_has_a_column_of_its_own_type_for_each_field(ask):
    (frame,) = ask("weather::(sky|rain|wind)", "table")
    assert [(field.name, field.type) for field in frame.fields] == [
        ("Time", "time"),
        ("weather::sky", "string"),
        ("weather::rain", "string"),
        ("weather::wind", "number"),
    ]
    assert frame.field("weather::sky").values == ["clear", None, 'a "cloud"', "ü"]
    assert frame.field("weather::rain").values == ["false", None, "true", "false"]
    assert frame.field("weather::wind").values == [1, 2, 3, 4]


@pytest.mark.parametrize("kind", ["timeserie", "table"])
def test_a_node_that_does_not_answer_is_a_notice_at_an_empty_frame(ask, source, kind):
    source.stopped.add("host")
    (frame,) = ask("host::cpu", kind)
    assert (frame.length, [field.type for field in frame.fields]) == (0, ["time", "number"])
    assert frame.notices == [("error", "host did not answer within 3 s")]
