"""What simPod's JSON plugin asks and is answered; the golden cases, in the shapes it sends, lie in cases/simpod."""

import json
from pathlib import Path

import numpy as np
import pytest

from grafana_json.app import create_app
from grafana_json.plugins import marks, simpod
from grafana_json.plugins.marks import Mark, Told
from grafana_json.query import REDUCTIONS, RequestError, Target
from sisock import reduction
from sisock.consumer import Node
from sisock.frames import Column, Field, Frame
from sisock.settings import Settings
from sisock.times import NS
from tests.memory import MONDAY, Memory

CASES = sorted((Path(__file__).parent / "cases" / "simpod").glob("*.json"))
SPAN = {"from": "2026-02-02T00:00:00.000Z", "to": "2026-02-02T04:00:00.000Z"}


def line(target, ref="A", **more):
    return {"target": target, "refId": ref, **more}


def query(client, *lines, **more):
    response = client.post("/query", json={"range": SPAN, "targets": list(lines), **more})
    return response.status_code, json.loads(response.data)


def shown(answer):
    return [each["schema"]["name"] for each in answer[1]]


def counting(gap):
    """A node that counts seconds, 60 before a gap of so many seconds and 60 after it."""
    t = (np.concatenate([np.arange(60), np.arange(60) + 60 + gap]) + MONDAY) * NS
    return Memory({"counter": ({"n": Field()}, Frame("samples", t, {"n": Column(np.arange(120.0))}))})


@pytest.mark.parametrize("path", CASES, ids=[path.stem for path in CASES])
def test_golden_requests_are_answered_as_before(client, path):
    case = json.loads(path.read_text())
    response = client.post(case["path"], json=case["request"])
    assert response.content_type == "application/json"
    assert (response.status_code, json.loads(response.data)) == (case.get("status", 200), case["answer"])


@pytest.mark.parametrize(
    ("targets", "ours"),
    [
        ([line("host::cpu")], True),
        ([line("host::cpu"), line("host", payload={"field": ["cpu"]})], True),
        ([line("host::cpu", type="timeserie")], False),
        ([line("host::cpu", type=None)], False),
        ([line("host::cpu"), line("host::cpu", type="table")], False),
        ([], False),
        (["host::cpu"], False),
        (None, False),
    ],
)
def test_a_query_without_types_is_simpods(targets, ours):
    assert simpod.is_query({"targets": targets}) is ours


def test_a_form_asks_for_each_field_that_was_chosen():
    payload = {"field": ["cpu", "mem.*", "cpu", ""], "reduce": "mean", "points": "50"}
    lines = [line("host", payload=payload), line("host::cpu", "B", payload=""), line("host::cpu", hide=True), line("")]
    panel = simpod.parse_panel({"range": SPAN, "targets": lines, "filters": None})
    assert panel.targets == (
        Target("host::cpu", "A", "timeserie", "mean", 50),
        Target("host::mem.*", "A", "timeserie", "mean", 50),
        Target("host::cpu", "B", "timeserie", "minmax", None),
    )


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"target": 7}, "target is 7: it must be a node, or a text as node::field"),
        ({"payload": [1]}, "payload is [1]: it must be an object as"),
        ({"payload": "x"}, "payload is 'x'"),
        ({"payload": {"field": {"a": 1}}}, "payload.field is {'a': 1}: it must be a list of names of fields"),
        ({"payload": {"field": [1]}}, "payload.field is [1]"),
        ({"payload": {"reduce": "bins"}}, "reduce='bins' is unknown: use one of minmax, m4, band"),
        ({"payload": {"reduce": 1}}, "reduce is 1: it must be a text"),
        ({"payload": {"points": "many"}}, "points='many' is not a number above zero"),
        ({"payload": {"points": "-5"}}, "points=-5.0 is not a number above zero"),
        ({"payload": {"points": "nan"}}, "points=nan is not a number above zero"),
        ({"payload": {"points": True}}, "points=True is not a number above zero"),
    ],
)
def test_a_senseless_line_is_a_sentence_in_simpods_form(client, change, sentence):
    status, answer = query(client, {**line("host"), **change})
    assert (status, answer["error"]["code"]) == (400, 400)
    assert sentence in answer["error"]["message"]


def test_too_many_lines_are_refused(client):
    status, answer = query(client, *[line("host::cpu")] * 201)
    assert (status, "201 targets are too many" in answer["error"]["message"]) == (400, True)


def test_whoever_asks_is_refused_in_their_own_form(client, source):
    assert client.post("/query", data=b"{").json["error"].startswith("the request is not JSON")
    for path in ("/metrics", "/variable", "/metric-payload-options"):
        broken, large = client.post(path, data=b"["), client.post(path, data=b" " * 300_000)
        assert (broken.status_code, broken.json["error"]["code"]) == (400, 400)
        assert (large.status_code, large.json["error"]["code"]) == (413, 413)
    plain = client.post("/tag-values", json={"key": "colour"})
    newer = client.post("/tag-values", json={"key": "colour", "filters": [], "timeRange": SPAN})
    assert (
        plain.json["error"]
        == newer.json["error"]["message"]
        == ("the key 'colour' is unknown: use one of node, field, unit, type, tag")
    )
    source.connected = False
    unborn = create_app(source, Settings(bridge_deadline=0.2)).test_client()
    answer = unborn.post("/metrics", json={})
    assert (answer.status_code, answer.json) == (503, {"error": {"code": 503, "message": "there is no router"}})


@pytest.mark.parametrize("reduce", REDUCTIONS)
def test_every_reduction_of_the_form_is_the_nodes_own(client, reduce):
    status, (frame,) = query(client, line("host::cpu", payload={"reduce": reduce, "points": 40}), maxDataPoints=900)
    assert status == 200
    assert frame["schema"]["meta"]["custom"]["method"] == reduce
    assert 0 < len(frame["data"]["values"][0]) <= 40
    spike = any(99.0 in values for values in frame["data"]["values"][1:])
    assert spike or reduce not in ("minmax", "m4", "band")


def test_a_bin_that_begins_before_the_window_is_there_with_its_only_sample():
    t = (np.arange(20) * 60 + MONDAY + 3) * NS
    source = Memory({"slow": ({"n": Field()}, Frame("samples", t, {"n": Column(np.arange(20.0))}))})
    client = create_app(source, Settings(bridge_deadline=0.5)).test_client()
    window = {"from": "2026-02-02T00:00:02Z", "to": "2026-02-02T00:20:00Z"}
    body = {"range": window, "targets": [line("slow::n", payload={"reduce": "mean", "points": 60})]}
    (frame,) = client.post("/query", json=body).json
    assert frame["data"]["values"][1] == list(range(20))
    assert frame["data"]["values"][0][0] < (MONDAY + 2) * 1000


def test_reductions_are_those_of_the_nodes_but_for_joining():
    assert set(REDUCTIONS) == set(reduction.METHODS) - {"bins"}


def test_targets_of_one_node_are_asked_together_where_they_want_the_same(client, source):
    many = {"payload": {"reduce": "mean", "points": "100"}}
    query(client, line("host::cpu"), line("host::mem.free", "B"), line("host::cpu", "C", **many))
    assert source.asked == [[("host", ("cpu", "mem.free")), ("host", ("cpu",))]]


def test_filters_look_at_tags_and_take_several_values(client):
    everything = line(".*::.*")

    def nodes(*filters, key="filters"):
        return {each.split("::")[0] for each in shown(query(client, everything, **{key: list(filters)}))}

    assert nodes({"key": "tag", "operator": "=", "value": "roof"}) == {"weather"}
    assert nodes({"key": "tag", "operator": "!=", "value": "slow"}) == {"host"}
    assert nodes({"key": "tag", "operator": "=~", "value": "(lab|ro.*)"}) == {"host", "weather"}
    assert nodes({"key": "tag", "operator": "!~", "value": ".*"}) == set()
    assert nodes({"key": "unit", "operator": "=|", "value": "B", "values": ["B", "%"]}, key="adhocFilters") == {"host"}
    assert nodes({"key": "node", "operator": "!=|", "value": "", "values": ["host"]}) == {"weather"}


def test_values_of_a_filter_are_those_that_pass_the_others(client):
    def found(key, *filters):
        return [each["text"] for each in client.post("/tag-values", json={"key": key, "filters": list(filters)}).json]

    assert found("tag") == ["lab", "roof", "slow"]
    assert found("node", {"key": "tag", "operator": "=", "value": "lab"}) == ["host"]
    assert found("field", {"key": "type", "operator": "=", "value": "bool"}) == ["rain"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("nodes", ["host", "weather"]),
        ("tags", ["lab", "roof", "slow"]),
        ("fields of weather", ["rain", "sky", "temperature", "wind"]),
        ("fields of (weather|host)", ["cpu", "cpu (core 0)", "mem.free", "rain", "sky", "temperature", "wind"]),
        ("fields  of nobody", []),
        ("nodes with (roof|x)", ["weather"]),
        ("nodes with .*", ["host", "weather"]),
        ("CPU", ["host::cpu", "host::cpu (core 0)"]),
        ("fields of", []),
    ],
)
def test_variables_of_both_plugins_are_nodes_fields_tags_or_targets(client, text, found):
    assert client.post("/search", json={"target": text}).json == found
    answer = client.post("/variable", json={"payload": {"target": text}, "range": SPAN})
    assert answer.json == [{"__text": name, "__value": name} for name in found]


def test_a_variable_without_a_question_lists_targets(client):
    assert len(client.post("/variable", json={}).json) == 7


@pytest.mark.parametrize(
    ("asked", "values"),
    [
        ({"metric": "host", "name": "field"}, ["cpu", "cpu (core 0)", "mem.free"]),
        ({"metric": "(weather|x)", "name": "field"}, ["rain", "sky", "temperature", "wind"]),
        ({"metric": "$node", "name": "field"}, []),
        ({"name": "reduce"}, list(REDUCTIONS)),
        ({"metric": "host", "name": "points"}, []),
    ],
)
def test_options_of_the_form(client, asked, values):
    assert [each["value"] for each in client.post("/metric-payload-options", json=asked).json] == values


def test_comings_goings_and_gaps_are_marked_for_both_plugins():
    source = counting(gap=600)
    client = create_app(source, Settings(bridge_deadline=0.5)).test_client()
    client.post("/search")
    source.tell("subtracted", Node("counter", "counts", "away", (MONDAY + 30) * NS))

    def asked(text):
        (frame,) = query(client, line(text, "Anno"))[1]
        names = [field["name"] for field in frame["schema"]["fields"]]
        rows = [dict(zip(names, row, strict=True)) for row in zip(*frame["data"]["values"], strict=True)]
        listed = client.post("/annotations", json={"range": SPAN, "annotation": {"name": "x", "query": text}}).json
        assert [{k: v for k, v in row.items() if v is not None} for row in rows] == [
            {k: v for k, v in each.items() if k != "annotation"} for each in listed
        ]
        return [(row["time"] // 1000 - MONDAY, row["timeEnd"], row["title"], row["tags"]) for row in rows]

    assert asked("count") == [
        (0, None, "counter came", ["counter", "up"]),
        (30, None, "counter went away", ["counter", "away"]),
    ]
    end = (MONDAY + 660) * 1000
    assert asked("counter::.*") == [(59, end, "gap in counter::n", ["counter", "n", "gap"])]
    assert asked("nobody") == []


def test_annotations_of_a_node_that_does_not_answer_say_so(client, source):
    source.stopped.add("host")
    (frame,) = query(client, line("host::cpu", "Anno"))[1]
    assert frame["schema"]["meta"]["notices"] == [{"severity": "error", "text": "host did not answer within 3 s"}]


def test_a_further_source_of_annotations_is_a_function(client, monkeypatch):
    alert = Mark(MONDAY * NS, None, "too warm", "", ("alert",))
    monkeypatch.setattr(marks, "SOURCES", (*marks.SOURCES, lambda view, window: Told((alert,))))
    (frame,) = query(client, line("nobody", "Anno"))[1]
    assert frame["data"]["values"][2] == ["too warm"]


def test_simplejson_may_say_how_it_wants_its_points(client):
    def asked(**more):
        target = {"target": "host::cpu", "refId": "A", "type": "timeserie", **more}
        answer = client.post("/query", json={"range": SPAN, "targets": [target], "maxDataPoints": 50}).json
        return [(each["target"], each["meta"]["custom"]["method"], len(each["datapoints"]) <= 50) for each in answer]

    usual = [("host::cpu", "minmax", True)]
    assert asked(payload={"reduce": "mean"}) == asked(data={"reduce": "mean"}) == [("host::cpu", "mean", True)]
    assert asked(payload={"reduce": "band"}) == [
        (name, "band", True) for name in ("host::cpu", "host::cpu::min", "host::cpu::max")
    ]
    for ignored in ({"reduce": "median"}, {"points": -1}, "reduce", None, [1]):
        assert asked(data=ignored) == asked(payload=ignored) == usual


def test_an_annotation_is_asked_in_a_window():
    with pytest.raises(RequestError, match="range is missing"):
        simpod.parse_panel({"targets": [line("x", "Anno")]})
