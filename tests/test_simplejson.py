"""What the SimpleJSON plugin asks and is answered; the golden cases lie in cases/simplejson."""

import json
from pathlib import Path

import numpy as np
import pytest

from grafana_json.app import create_app
from grafana_json.changes import Change, Changes
from grafana_json.exchange import LARGEST_REQUEST
from sisock.consumer import Node
from sisock.frames import Column, Field, Frame
from sisock.settings import Settings
from sisock.times import NS
from tests.memory import MONDAY, Memory, minutes

WITH_POST = "this path is not asked with that method: the header Allow says with which, /openapi.json how"
CASES = sorted((Path(__file__).parent / "cases" / "simplejson").glob("*.json"))


def panel(*targets, start="2026-02-02T00:00:00.000Z", end="2026-02-02T04:00:00.000Z", **more):
    listed = [t if isinstance(t, dict) else {"target": t, "refId": "A", "type": "timeserie"} for t in targets]
    return {"range": {"from": start, "to": end}, "targets": listed, **more}


def strict(response):
    """The answer, which must be JSON without NaN or Infinity."""
    assert response.content_type == "application/json"

    def refuse(constant):
        raise AssertionError(f"{constant} is no JSON")

    return json.loads(response.data, parse_constant=refuse)


def query(client, *targets, **more):
    response = client.post("/query", json=panel(*targets, **more))
    assert response.status_code == 200
    return strict(response)


@pytest.mark.parametrize("path", CASES, ids=[path.stem for path in CASES])
def test_golden_requests_are_answered_as_before(client, path):
    case = json.loads(path.read_text())
    response = client.open(case["path"], method=case.get("method", "POST"), json=case.get("request"))
    assert (response.status_code, strict(response)) == (case.get("status", 200), case["answer"])


def test_a_spike_survives_any_panel_width(client):
    for points in (4, 50, 333, 1000):
        (series,) = query(client, "host::cpu", maxDataPoints=points)
        assert len(series["datapoints"]) <= points
        assert [99.0, (MONDAY + 5003) * 1000] in series["datapoints"]
        assert series["meta"]["custom"]["method"] == "minmax"
        assert series["meta"]["custom"]["samples"] == 10_000
        assert "of 10,000 samples are shown: minimum and maximum" in series["meta"]["notices"][0]["text"]


@pytest.mark.parametrize("points", [200, 1000, 1440])
def test_no_day_of_a_month_loses_its_extremes(points):
    day = 1440 * 60 * NS
    t = (np.arange(20_167) * 60 + MONDAY + 12_345) * NS
    walk = np.cumsum(np.random.default_rng(7).normal(size=len(t)))
    source = Memory({"weather": ({"wind": Field()}, Frame("minutely", t, {"wind": Column(walk)}))})
    client = create_app(source, Settings()).test_client()
    (series,) = query(client, "weather::wind", end="2026-02-28T00:00:00Z", maxDataPoints=points)
    assert len(series["datapoints"]) <= points
    for number in np.unique(t // day):
        shown = [value for value, ms in series["datapoints"] if ms * 1_000_000 // day == number]
        assert walk[t // day == number].min() in shown
        assert walk[t // day == number].max() in shown


def test_points_are_values_before_whole_milliseconds_in_order(client):
    (series,) = query(client, "host::cpu", maxDataPoints=100)
    times = [ms for _, ms in series["datapoints"]]
    assert all(isinstance(ms, int) for ms in times)
    assert times == sorted(times)


def test_fields_of_a_node_are_asked_in_one_call_and_nodes_together(client, source):
    answer = query(client, "host::cpu", "weather::wind", "host::mem.free", "host::cpu")
    assert [series["target"] for series in answer] == ["host::cpu", "weather::wind", "host::mem.free", "host::cpu"]
    assert source.asked == [[("host", ("cpu", "mem.free")), ("weather", ("wind",))]]


def test_a_stopped_node_costs_its_own_series_and_a_notice(client, source):
    source.stopped.add("host")
    broken, good = query(client, "host::cpu", "weather::wind")
    assert (broken["target"], broken["datapoints"]) == ("host::cpu", [])
    assert broken["meta"]["notices"] == [{"severity": "error", "text": "host did not answer within 3 s"}]
    assert len(good["datapoints"]) == 4


@pytest.mark.parametrize(
    ("target", "sentence"),
    [
        ("nobody::cpu", "there is no data node 'nobody'"),
        ("weather", "'weather' is not a target: write it as node::field"),
        ("weather::(a|b)::", "cannot name a field"),
        ("weather::colour", "weather has no field 'colour'"),
    ],
)
def test_a_broken_target_says_why_beside_the_others(client, target, sentence):
    client.post("/search")  # so that the fields are known
    *broken, good = query(client, target, "weather::wind")
    assert all(element["datapoints"] == [] for element in broken)
    assert all(sentence in element["meta"]["notices"][0]["text"] for element in broken)
    assert len(good["datapoints"]) == 4


def test_no_samples_is_another_answer_than_no_field(client):
    client.post("/search")
    (series,) = query(client, "weather::wind", start="2025-01-01", end="2025-01-02")
    assert series["datapoints"] == []
    assert series["meta"]["notices"] == [{"severity": "info", "text": "weather::wind has no samples in this range"}]


def test_variables_and_filters_choose_series(client):
    answer = query(client, r"(host|weather)::(cpu|wind|mem\.free)", adhocFilters=[])
    assert [series["target"] for series in answer if series["datapoints"]] == [
        "host::cpu",
        "host::mem.free",
        "weather::wind",
    ]
    filters = [{"key": "unit", "operator": "=", "value": "%"}]
    answer = query(client, "host::.*", "weather::wind", adhocFilters=filters)
    assert [(series["target"], series["unit"]) for series in answer] == [
        ("host::cpu", "percent"),
        ("host::cpu (core 0)", "percent"),
    ]


def test_tables_hold_the_series_of_one_time_axis(client):
    target = {"target": "weather::(wind|rain|sky)", "refId": "B", "type": "table"}
    (table,) = query(client, target, "host::.*", maxDataPoints=4)[:1]
    assert [column["text"] for column in table["columns"]] == ["Time", "weather::wind", "weather::rain", "weather::sky"]
    assert [column["type"] for column in table["columns"]] == ["time", "number", "string", "string"]
    assert table["rows"][1:3] == [
        [(MONDAY + 60) * 1000, 2, None, None],
        [(MONDAY + 120) * 1000, 3, "true", 'a "cloud"'],
    ]


@pytest.mark.parametrize(
    ("path", "data", "status", "sentence"),
    [
        ("/query", b"{", 400, "the request is not JSON"),
        ("/query", b"\xff\xfe", 400, "the request is not JSON"),
        ("/query", b"[" * 5000, 400, "the request is not JSON"),
        ("/query", b"NaN", 400, "the request is not JSON"),
        ("/query", b"", 400, "range is missing"),
        ("/query", b"[]", 400, "the request is []: it must be an object"),
        ("/query", b" " * (LARGEST_REQUEST + 1), 413, "262144 bytes"),
        ("/search", b'{"target": 5}', 400, "target is 5"),
        ("/search", b'{"target": "%s"}' % (b"(a|b)" * 20), 400, "choose fewer values"),
        ("/annotations", b"{}", 400, "range is missing"),
        ("/annotations", b'{"range": {"from": "2026-01-01", "to": "2026-01-02"}}', 400, "annotation is missing"),
        ("/tag-values", b'{"key": "colour"}', 400, "use one of node, field, unit, type"),
        ("/tag-values", b"7", 400, "the request is 7"),
        ("/nothing", b"{}", 404, "/search, /query, /annotations"),
    ],
)
def test_every_bad_request_is_one_sentence(client, path, data, status, sentence):
    response = client.post(path, data=data)
    assert response.status_code == status
    answer = strict(response)
    assert list(answer) == ["error"]
    assert sentence in answer["error"]


@pytest.mark.parametrize("path", ["//query", "/a//query", "/query/", "//"])
def test_a_path_that_is_nearly_right_is_a_sentence(client, path):
    response = client.post(path, base_url="http://localhost", json={})
    assert (response.status_code, list(strict(response))) == (404, ["error"])


def test_a_wrong_method_is_a_sentence(client):
    response = client.get("/query")
    assert set(response.allow) == {"OPTIONS", "POST"}
    assert (response.status_code, strict(response)["error"]) == (405, WITH_POST)


def test_the_bridge_is_well_while_there_is_a_hub(client, source):
    assert client.get("/").status_code == 200
    source.connected = False
    response = client.get("/")
    assert response.status_code == 503
    assert "not joined to the router" in strict(response)["error"]


def test_without_a_hub_from_the_start_a_search_says_so(source):
    source.connected = False
    client = create_app(source, Settings(bridge_deadline=0.5)).test_client()
    response = client.post("/search", json={"target": ""})
    assert (response.status_code, strict(response)) == (503, {"error": "there is no router"})
    source.connected = True
    assert len(strict(client.post("/search", json={"target": ""}))) == 7


def test_field_lists_are_read_once_and_again_on_news(client, source):
    for _ in range(5):
        client.post("/search", json={"target": ""})
    assert source.listings == 1
    source.frames["new"] = ({"x": Field()}, Frame("samples", minutes(0), {"x": Column(np.array([1.0]))}))
    source.tell("added", Node("new", "it came", "up"))
    assert "new::x" in strict(client.post("/search", json={"target": "new"}))
    assert source.listings == 2


def test_a_node_that_hangs_keeps_no_search_waiting_for_long(source):
    source.stopped.add("host")
    client = create_app(source, Settings(bridge_deadline=0.2)).test_client()
    assert strict(client.post("/search", json={"target": ""})) == [
        "weather::rain",
        "weather::sky",
        "weather::temperature",
        "weather::wind",
    ]
    source.let_go.set()


def test_comings_and_goings_are_annotations(client, source):
    client.post("/search")
    went = (MONDAY + 3600) * NS
    source.tell("subtracted", Node("host", "the host", "away", went))
    source.tell("added", Node("host", "the host", "up", went + 60 * NS))
    asked = {"annotation": {"name": "nodes", "enable": True, "query": "HOST"}, "range": panel()["range"]}
    answer = strict(client.post("/annotations", json=asked))
    assert [(each["time"] // 1000 - MONDAY, each["title"], each["tags"]) for each in answer] == [
        (0, "host came", ["host", "up"]),
        (3600, "host went away", ["host", "away"]),
        (3660, "host came", ["host", "up"]),
    ]
    assert all(each["annotation"] == asked["annotation"] for each in answer)
    asked["annotation"]["enable"] = False
    assert strict(client.post("/annotations", json=asked)) == []


def test_a_change_is_remembered_once_however_it_is_heard():
    changes = Changes()
    told = [(1000, "up"), (1001, "up"), (1004, "away"), (1005, "up"), (1000, "up"), (1004.5, "away"), (1100, "up")]
    for at, state in told:
        changes.add(Change(int(at * NS), "host", state, ""))
    assert [(each.at / NS, each.state) for each in changes.between(0, 2000 * NS, "")] == [
        (1000, "up"),
        (1004, "away"),
        (1005, "up"),
        (1100, "up"),
    ]
