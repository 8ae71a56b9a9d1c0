"""What Grafana itself makes of the answers in simPod's form: values, types, units, notices, gaps, nanoseconds."""

import json
import math
import re
from pathlib import Path

import numpy as np
import pytest

from grafana_json.plugins.columnar import with_gaps
from sisock.consumer import Node
from sisock.frames import TEXT, Column, Field, Frame
from sisock.times import NS
from tests.grafana_data import grafana as grafana_process
from tests.memory import MONDAY, Memory

CASES = sorted((Path(__file__).parent / "cases" / "simpod").glob("query_*.json"))
SPAN = {"from": "2026-02-02T00:00:00Z", "to": "2026-02-02T04:00:00Z"}
BIG = 2**53 + 1


@pytest.fixture(scope="module")
def grafana():
    with grafana_process() as process:
        yield process


def of_every_kind():
    """A node whose six samples have a gap of ten minutes in their middle, and times that no ms can say."""
    t = np.array([0, 1, 2, 602, 603, 604], np.int64) * NS + MONDAY * NS + np.array([0, 1, 999_999, 0, 7, 0])
    missing = np.array([False, True, False, False, False, False])
    columns = {
        "number": Column(np.array([1.5, 0.0, np.nan, np.inf, -np.inf, -0.25]), missing),
        "count": Column(np.array([1, 0, -3, BIG, 5, 6], np.int64), missing),
        "small": Column(np.arange(6, dtype=np.int64)),
        "open": Column(np.array([True, False, False, True, True, False]), missing),
        "text": Column(np.array(["a", "", "ü\n", '"', "", "z"], TEXT), missing),
    }
    fields = {
        "number": Field("how warm it is", units="degC"),
        "count": Field(units="widgets"),
        "small": Field(),
        "open": Field(type="bool"),
        "text": Field(type="string"),
    }
    source = Memory({"kinds": (fields, Frame("samples", t, columns)), "idle": ({"x": Field()}, Frame("s", t[:0], {}))})
    source.tags = {"kinds": ["cold", "roof"]}
    return source


@pytest.fixture
def source():
    return of_every_kind()


@pytest.fixture
def ask(grafana, client):
    client.post("/search")  # so that the fields are known

    def ask(target, payload=None, ref="A"):
        line = {"target": target, "refId": ref, "payload": payload or {}}
        response = client.post("/query", json={"range": SPAN, "maxDataPoints": 500, "targets": [line]})
        assert response.status_code == 200
        return grafana.frames(json.loads(response.data))

    return ask


def same(found, wanted):
    return all(
        math.isnan(a) if isinstance(b, float) and math.isnan(b) else (a, type(a) is bool) == (b, type(b) is bool)
        for a, b in zip(found, wanted, strict=True)
    )


@pytest.mark.parametrize(
    ("field", "kind", "values"),
    [
        ("number", "number", [1.5, None, math.nan, None, math.inf, -math.inf, -0.25]),
        ("count", "number", [1, None, -3, None, BIG - 1, 5, 6]),
        ("small", "number", [0, 1, 2, None, 3, 4, 5]),
        ("open", "boolean", [True, None, False, None, True, True, False]),
        ("text", "string", ["a", None, "ü\n", None, '"', "", "z"]),
    ],
)
def test_every_kind_of_value_is_what_it_is_and_a_gap_is_a_gap(ask, field, kind, values):
    (frame,) = ask(f"kinds::{field}")
    time, value = frame.fields
    assert (frame.ref, frame.name, frame.length) == ("A", f"kinds::{field}", 7)
    assert (value.name, value.type, value.shown_as) == (field, kind, f"kinds::{field}")
    assert same(value.values, values)
    assert (time.name, time.type) == ("Time", "time")
    assert [ms - MONDAY * 1000 for ms in time.values] == [0, 1000, 2000, 302_000, 602_000, 603_000, 604_000]
    assert time.nanos == [0, 1, 999_999, 499_999, 0, 7, 0]
    assert ("info", f"kinds::{field} has a gap of 10 min") in frame.notices


def test_what_a_browser_rounds_is_told(ask):
    told = ("warning", "kinds::count has whole numbers beyond 2^53: Grafana shows them rounded")
    assert told in ask("kinds::count")[0].notices
    assert told not in ask("kinds::small")[0].notices


def test_a_field_has_its_unit_its_labels_and_what_it_is(ask):
    (frame,) = ask("kinds::number")
    value = frame.field("number")
    assert (value.config["unit"], value.config["description"]) == ("celsius", "how warm it is")
    assert value.labels == {"node": "kinds", "field": "number", "tags": "cold,roof"}
    assert ask("kinds::count")[0].field("count").config["unit"] == "widgets"


def test_whole_milliseconds_need_no_nanoseconds(grafana, client, source):
    fields, frame = source.frames["kinds"]
    source.frames["kinds"] = (fields, Frame("samples", frame.t // NS * NS, frame.columns))
    body = {"range": {**SPAN, "to": "2026-02-02T00:00:03Z"}, "targets": [{"target": "kinds::small", "refId": "A"}]}
    (made,) = grafana.frames(client.post("/query", json=body).json)
    assert made.field("Time").nanos is None


def test_a_band_is_three_fields_on_one_axis(ask):
    (frame,) = ask("kinds", {"field": ["small"], "reduce": "band", "points": "100"})
    assert [(field.name, field.type, field.shown_as) for field in frame.fields[1:]] == [
        ("small", "number", "kinds::small"),
        ("small::min", "number", "kinds::small::min"),
        ("small::max", "number", "kinds::small::max"),
    ]
    mean, low, high = (field.values for field in frame.fields[1:])
    assert {len(field.values) for field in frame.fields} == {frame.length}
    assert [each for each in zip(low, mean, high, strict=True) if each[0] is not None] == [(0, 1, 2), (3, 4, 5)]
    assert [each for each in mean if each is None] == [None]


def test_a_count_has_no_unit_and_says_what_it_is(ask):
    (frame,) = ask("kinds::number", {"reduce": "count", "points": "2"})
    assert "unit" not in frame.field("number").config
    assert frame.meta["custom"]["method"] == "count"


@pytest.mark.parametrize(
    ("target", "notice"),
    [
        ("idle::x", ("info", "idle::x has no samples in this range")),
        ("kinds::colour", ("error", "kinds has no field 'colour': see what it has with /search")),
        ("nobody::x", ("error", "there is no data node 'nobody'")),
        ("kinds", ("error", "'kinds' is not a target: write it as node::field")),
        ("nothing::.*", ("error", "nothing matches 'nothing::.*': see what there is with /search")),
    ],
)
def test_an_empty_answer_says_why(ask, target, notice):
    (frame,) = ask(target)
    assert (frame.length, [field.type for field in frame.fields]) == (0, ["time", "number"])
    assert (frame.name, frame.ref, frame.notices) == (target, "A", [notice])


def test_a_node_that_does_not_answer_costs_its_own_frame(ask, source):
    source.stopped.add("idle")
    broken, good = ask("(idle::x|kinds::small)")
    assert (broken.length, broken.notices) == (0, [("error", "idle did not answer within 3 s")])
    assert good.length == 7


def test_annotations_are_columns_of_one_frame(ask, source):
    source.tell("subtracted", Node("idle", "the idle", "away", (MONDAY + 60) * NS))
    (frame,) = ask("idle", ref="Anno")
    assert [(field.name, field.type) for field in frame.fields] == [
        ("time", "time"),
        ("timeEnd", "time"),
        ("title", "string"),
        ("text", "string"),
        ("tags", "other"),
    ]
    assert frame.ref == "Anno"
    assert [field.values for field in frame.fields] == [
        [MONDAY * 1000, (MONDAY + 60) * 1000],
        [None, None],
        ["idle came", "idle went away"],
        ["the idle", "the idle"],
        [["idle", "up"], ["idle", "away"]],
    ]
    (gaps,) = ask("kinds::(small|text)", ref="Anno")
    rows = zip(*(gaps.field(name).values for name in ("time", "timeEnd", "title")), strict=True)
    assert [row for row in rows if row[2].startswith("gap in ")] == [
        ((MONDAY + 2) * 1000, (MONDAY + 602) * 1000, name) for name in ("gap in kinds::small", "gap in kinds::text")
    ]
    assert ask("nobody", ref="Anno")[0].length == 0


def test_values_of_a_variable_are_a_frame_of_texts_and_values(grafana, client):
    made = grafana.frame(client.post("/variable", json={"payload": {"target": "nodes"}, "range": SPAN}).json)
    assert {field.name: field.values for field in made.fields} == {
        "__text": ["idle", "kinds"],
        "__value": ["idle", "kinds"],
    }
    assert grafana.frame(client.post("/variable", json={"payload": {"target": "fields of x"}}).json).length == 0


@pytest.mark.parametrize("path", CASES, ids=[path.stem for path in CASES])
def test_golden_answers_are_frames_to_grafana(grafana, path):
    case = json.loads(path.read_text())
    if case.get("status", 200) == 200:
        made = grafana.frames(case["answer"])
        assert [frame.ref for frame in made] == [frame["schema"]["refId"] for frame in case["answer"]]
        assert all(frame.length for frame in made)


def test_a_response_is_json_to_the_letter(client):
    text = client.post("/query", json={"range": SPAN, "targets": [{"target": "kinds::number"}]}).text
    assert re.search(r"NaN[^\"]|Infinity", text) is None


def test_a_gap_breaks_a_line_once_wherever_it_lies():
    t = np.array([10, 20, 50, 60], np.int64)
    column = Column(np.array([1, 2, 3, 4], np.int64))

    def broken(*gaps):
        times, (values,) = with_gaps(t, [column], gaps)
        gone = values.missing.tolist() if values.missing is not None else [False] * len(times)
        return [(at, None if no else v) for at, v, no in zip(times.tolist(), values.values.tolist(), gone, strict=True)]

    whole = [(10, 1), (20, 2), (50, 3), (60, 4)]
    assert broken() == broken((0, 4)) == broken((70, 90)) == whole
    assert broken((20, 50)) == broken((20, 50), (30, 48)) == [*whole[:2], (35, None), *whole[2:]]
    assert broken((10, 20), (50, 60)) == [whole[0], (15, None), *whole[1:3], (55, None), whole[3]]
    empty = with_gaps(t[:0], [column.rows(slice(0, 0))], ((1, 2),))
    assert (len(empty[0]), len(empty[1][0].values)) == (0, 0)
