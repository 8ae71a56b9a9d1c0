"""The door for rows: what is asked by a URL or a body, and what comes back in which form."""

import csv
import io
import json
import sys

import pyarrow as pa
import pytest

from grafana_json.app import create_app
from grafana_json.rows.asking import OF_DATA, of_url, read_data
from sisock.settings import Settings
from sisock.times import NS
from tests.memory import MONDAY

WINDOW = {"from": "2026-02-02", "to": "2026-02-02T00:10:00Z"}
ROW = {"time": MONDAY * 1000, "node": "weather", "field": "wind", "value": 1, "unit": "m/s"}


def data(client, *targets, headers=None, **said):
    return client.get("/api/data", query_string={"target": list(targets), **WINDOW, **said}, headers=headers)


def error(response, status):
    assert response.status_code == status, response.data
    assert response.headers["Cache-Control"] == "no-store"
    (sentence,) = response.json.values()
    return sentence


def test_rows_are_flat_objects_with_times_in_ms(client):
    answer = data(client, "weather::wind")
    assert answer.content_type == "application/json"
    assert answer.json[0] == ROW
    assert [row["value"] for row in answer.json] == [1, 2, 3, 4]
    assert json.loads(answer.headers["Sisock-Label"])["method"] == "raw"
    assert json.loads(answer.headers["Sisock-Units"]) == {"weather::wind": "m/s"}


def test_a_body_asks_the_same(client):
    posted = client.post("/api/data", json={"target": "weather::wind", **WINDOW, "points": None})
    assert posted.json == data(client, "weather::wind").json
    listed = client.post(
        "/api/data", json={"target": ["weather::wind", "weather::(rain|wind)"], **WINDOW, "time": "ns"}
    )
    assert [row["field"] for row in listed.json] == ["wind"] * 4 + ["rain"] * 4
    assert listed.json[0]["time"] == MONDAY * NS
    assert "ETag" not in listed.headers


def test_very_many_samples_come_as_a_thousand_rows_unless_more_are_asked_for(client):
    span = {"to": "2026-02-02T02:46:40Z"}
    answer = data(client, "host::cpu", **span)
    assert 900 < len(answer.json) <= 1000
    assert max(row["value"] for row in answer.json) == 99.0
    label = json.loads(answer.headers["Sisock-Label"])
    assert (label["method"], label["samples"]) == ("minmax", 10_000)
    assert label["bin"] > 1000
    assert len(data(client, "host::cpu", points=10_000, **span).json) == 10_000


@pytest.mark.parametrize("reduce", ["minmax", "m4", "lttb", "stride", "mean"])
def test_reduced_rows_are_of_the_very_window(client, reduce):
    """A picture may be shared by viewers of nearly the same window; rows are what was asked for."""
    inside = {"from": str(MONDAY + 4995), "to": str(MONDAY + 5003)}
    for _ in range(2):
        rows = data(client, "host::cpu", points=4, reduce=reduce, **inside).json
        assert rows[-1]["time"] < (MONDAY + 5003) * 1000
        assert max(row["value"] for row in rows) < 1
        assert reduce == "mean" or rows[0]["time"] >= (MONDAY + 4995) * 1000  # of bins the time is where they begin


def test_bins_lie_side_by_side(client):
    answer = data(client, "host::(cpu|mem.free)", bin="1m", reduce="mean", shape="wide", time="iso")
    assert len(answer.json) == 10
    assert list(answer.json[0]) == ["time", "host::cpu", "host::mem.free"]
    assert answer.json[1]["time"] == "2026-02-02T00:01:00.000Z"
    assert answer.json[1]["host::cpu"] == -answer.json[1]["host::mem.free"]
    band = data(client, "host::cpu", bin="1m", reduce="band", shape="wide").json
    assert all(row["host::cpu::min"] < row["host::cpu"] < row["host::cpu::max"] for row in band)


def test_rows_of_nodes_with_other_times_are_joined(client):
    rows = data(client, "weather::wind", "host::cpu", shape="wide", bin="2m", reduce="count").json
    assert rows[0] == {"time": MONDAY * 1000, "weather::wind": 2, "host::cpu": 120}
    assert rows[3] == {"time": (MONDAY + 360) * 1000, "weather::wind": None, "host::cpu": 120}


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("", "application/json"),
        ("*/*", "application/json"),
        ("text/html,*/*;q=0.8", "application/json"),
        ("text/csv", "text/csv"),
        ("application/json;q=0.5, text/csv", "text/csv"),
        ("text/*", "text/csv"),
        ("application/vnd.apache.arrow.stream, application/json;q=0.1", "application/vnd.apache.arrow.stream"),
    ],
)
def test_the_form_is_what_is_accepted(client, accept, form):
    for path in (
        "/api/nodes",
        "/api/fields",
        "/api/at?target=host::cpu",
        "/api/data?target=weather::wind&from=2026-02-02",
    ):
        answer = client.get(path, headers={"Accept": accept})
        assert (answer.status_code, answer.mimetype) == (200, form)
        assert {"Authorization", "Accept", "Accept-Encoding"} <= set(answer.vary)


def test_a_format_that_is_named_comes_before_what_is_accepted(client):
    assert data(client, "weather::wind", format="csv", headers={"Accept": "text/html"}).mimetype == "text/csv"
    assert "none of which is accepted" in error(data(client, "weather::wind", headers={"Accept": "text/html"}), 406)


def test_without_pyarrow_there_is_no_arrow_and_a_sentence(client, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert "without pyarrow" in error(data(client, "weather::wind", format="arrow"), 406)
    assert data(client, "weather::wind", format="csv").status_code == 200


def test_arrow_carries_units_label_and_notices(client):
    answer = data(client, "weather::wind", "host::cpu", "nobody::x", shape="wide", format="arrow", points=10)
    schema = pa.ipc.open_stream(answer.data).schema
    assert schema.field("host::cpu").metadata == {b"unit": b"%", b"node": b"host", b"field": b"cpu"}
    about = json.loads(schema.metadata[b"sisock"])
    assert [each["target"] for each in about["series"]] == ["weather::wind", "host::cpu"]
    assert (about["series"][1]["method"], about["series"][1]["samples"]) == ("minmax", 600)
    assert about["notices"] == [{"severity": "error", "text": "there is no data node 'nobody'"}]


def test_a_frame_is_what_grafana_takes(client):
    answer = data(client, "weather::temperature", format="frame")
    schema, values = answer.json["schema"], answer.json["data"]
    assert schema["fields"][1] == {
        "name": "weather::temperature",
        "type": "number",
        "config": {"unit": "celsius"},
        "labels": {"node": "weather", "field": "temperature"},
    }
    assert values["values"][1] == [1.5, None, None, 4.25]
    assert values["entities"][1] == {"NaN": [1], "NegInf": [2]}
    assert schema["meta"]["custom"]["series"][0]["samples"] == 4


def test_a_node_that_is_away_costs_only_its_own_rows(client, source):
    source.stopped.add("host")
    answer = data(client, "host::cpu", "weather::wind", "weather::nothing", "nobody::x")
    assert [row["field"] for row in answer.json] == ["wind"] * 4
    notices = json.loads(answer.headers["Sisock-Notices"])
    assert [notice.partition(" ")[0] for notice in notices] == ["host", "weather", "there"]


@pytest.mark.parametrize(
    ("target", "status", "said"),
    [
        ("nobody::x", 404, "there is no data node 'nobody'"),
        ("weather::nothing", 404, "weather has no field 'nothing'"),
        ("nothing.*::like(this|that)", 404, "nothing matches"),
        ("weather", 400, "write it as node::field"),
        ("host::cpu", 503, "did not answer"),
    ],
)
def test_where_nothing_at_all_is_answered_the_status_says_so(client, source, target, status, said):
    client.get("/api/fields")
    source.stopped.add("host")
    for path in ("/api/data", "/api/at"):
        assert said in error(client.get(path, query_string={"target": target}), status)


def test_a_window_without_samples_is_no_rows_and_a_notice(client):
    answer = data(client, "weather::wind", **{"from": "2020-01-01", "to": "2020-01-02"})
    assert answer.json == []
    assert json.loads(answer.headers["Sisock-Notices"]) == ["weather::wind has no samples in this range"]
    assert data(client, "weather::wind", format="csv", to="2026-02-02").data == b"time,node,field,value,unit\r\n"
    assert data(client, "weather::wind", shape="wide", format="csv", to="2026-02-02").data == b"time\r\n"


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ({}, "no target is given"),
        ({"target": ""}, "no target is given"),
        ({"target": "a::b", "pionts": "5"}, "'pionts' is unknown here"),
        ({"target": "a::b", "points": "0"}, "whole number from 1 to 1000000"),
        ({"target": "a::b", "points": "1000001"}, "whole number from 1 to 1000000"),
        ({"target": "a::b", "points": "5", "bin": "1m"}, "does not go together"),
        ({"target": "a::b", "from": ["1", "2"]}, "is given 2 times"),
        ({"target": "a::b", "from": "2026", "to": "-1000y"}, "ends before it begins"),
        ({"target": "a::b", "reduce": "bins"}, "reduce='bins' is unknown"),
        ({"target": "a::b", "shape": "tall"}, "use one of long, wide"),
        ({"target": "a::b", "format": "xlsx"}, "use one of json, csv, sheet, arrow, frame"),
        ({"target": "a::b", "time": "s"}, "use one of ms, iso, ns"),
        ({"target": ["a::b"] * 201}, "201 targets are too many"),
        ({"target": "a::b", "bin": "1ms", "from": "2020-01-01"}, "1000000 at the most"),
        ({"target": [f"a::{i}" for i in range(6)], "points": "1000000"}, "more than 5000000 values"),
        ({"target": [f"a::{i}" for i in range(2)], "points": "1000000", "reduce": "band"}, "more than 5000000 values"),
    ],
)
def test_what_makes_no_sense_is_a_sentence(client, source, said, sentence):
    assert sentence in error(client.get("/api/data", query_string=said), 400)
    assert source.asked == []


def test_what_is_left_empty_is_not_said():
    from werkzeug.datastructures import MultiDict

    said = MultiDict([("target", "a::b"), ("target", ""), ("from", ""), ("points", ""), ("bin", "")])
    asked = read_data(of_url(said, OF_DATA), MONDAY * NS)
    assert (asked.targets, asked.end - asked.start, asked.points, asked.fixed) == (("a::b",), 3600 * NS, 1000, False)


def test_the_last_value_at_an_instant(client):
    def readings(**said):
        answer = client.get("/api/at", query_string={"target": "weather::.*", "t": "2026-02-02T00:01:30Z", **said})
        return {row["field"]: (row["time"], row["value"], row["unit"]) for row in answer.json}

    monday = MONDAY * 1000
    assert readings() == {
        "temperature": (monday, 1.5, "C"),  # what came a minute later is no number
        "sky": (monday, "clear", None),
        "rain": (monday, False, None),
        "wind": (monday + 60_000, 2, "m/s"),
    }
    assert readings(which="after")["temperature"] == (monday + 120_000, None, "C")  # -inf, which JSON does not have
    assert readings(t="2026-02-02", which="before")["wind"] == (None, None, "m/s")
    text = client.get("/api/at?target=weather::(wind|sky)&t=2020-01-01&format=csv").text
    assert list(csv.reader(io.StringIO(text)))[1:] == [
        ["", "weather", "wind", "", "m/s"],
        ["", "weather", "sky", "", ""],
    ]


def test_an_instant_of_a_node_that_is_away_is_a_notice(client, source):
    source.stopped.add("host")
    answer = client.get("/api/at?target=host::cpu&target=weather::wind")
    assert [row["node"] for row in answer.json] == ["weather"]
    assert "did not answer" in json.loads(answer.headers["Sisock-Notices"])[0]


def test_nodes_and_fields_are_listed(client):
    assert [(row["node"], row["state"], row["since"]) for row in client.get("/api/nodes").json] == [
        ("host", "up", MONDAY * 1000),
        ("weather", "up", MONDAY * 1000),
    ]
    fields = client.get("/api/fields").json
    assert {row["target"]: row["unit"] for row in fields}["host::cpu (core 0)"] == "%"
    assert {row["node"] for row in client.get("/api/fields?node=weather").json} == {"weather"}
    assert "no data node 'nobody'" in error(client.get("/api/fields?node=nobody&node=host"), 404)


def test_a_node_that_does_not_tell_its_fields_is_an_error_of_its_own(source):
    source.stopped.add("host")
    source.let_go.set()
    client = create_app(source, Settings(bridge_deadline=0.5)).test_client()
    assert "did not answer" in error(client.get("/api/fields?node=host"), 503)
    assert {row["node"] for row in client.get("/api/fields").json} == {"weather"}


def test_without_a_hub_there_is_a_sentence(client, source):
    source.connected = False
    assert error(client.get("/api/nodes"), 503) == "there is no router"


def test_head_is_get_without_the_rows(client):
    got, head = (
        data(client, "weather::wind"),
        client.head("/api/data", query_string={"target": "weather::wind", **WINDOW}),
    )
    assert head.data == b""
    assert [head.headers[name] for name in ("ETag", "Content-Length")] == [
        got.headers[name] for name in ("ETag", "Content-Length")
    ]
