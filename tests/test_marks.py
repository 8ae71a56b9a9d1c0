"""What the fields of nodes tell as annotations: texts where they change, booleans while they are true."""

from functools import cache

import numpy as np
import pytest

from grafana_json.app import create_app
from sisock.frames import Field, Frame, column
from sisock.nodes import health
from sisock.settings import Settings
from sisock.times import NS
from tests.memory import MONDAY, Memory

SPAN = {"from": "2026-02-02T00:00:00.000Z", "to": "2026-02-02T04:00:00.000Z"}


def frame(seconds, **columns):
    t = (np.asarray(seconds) + MONDAY) * NS
    return Frame("samples", t, {name: column(values) for name, values in columns.items()})


@pytest.fixture
def source():
    alerts = {"warm": Field(type="bool", description="above 30 degrees"), "C": Field(units="C")}
    commands = {"done": Field(type="string"), "busy": Field(type="bool")}
    made = Memory(
        {
            "watch": (alerts, frame([0, 10, 20, 30, 40], warm=[False, True, True, False, True], C=[1, 2, 3, 4, 5])),
            "relay": (
                commands,
                frame([5, 6, 7, 8], done=["on\nby ann", "on\nby ann", "", None], busy=[None, True, True, True]),
            ),
        }
    )
    made.tags = {"watch": ["alert"], "relay": ["command"]}
    return made


@pytest.fixture
def asked(source):
    @cache  # not before a test has said what there is: the bridge reads it at once
    def client():
        made = create_app(source, Settings(bridge_deadline=0.5)).test_client()
        made.post("/search")  # which waits for that
        return made

    def ask(text):
        listed = client().post("/annotations", json={"range": SPAN, "annotation": {"name": "x", "query": text}}).json
        return [
            (each["time"] / 1000 - MONDAY, each.get("timeEnd", 0) / 1000 - MONDAY, each["title"], each["tags"])
            for each in listed
        ]

    return ask


def test_a_boolean_is_marked_while_it_is_true(asked):
    tags = ["watch", "warm", "alert"]
    assert asked("watch::warm") == [(10, 30, "watch::warm", tags), (40, -MONDAY, "watch::warm", tags)]


def test_a_text_is_marked_where_it_changes_by_its_first_line(asked):
    assert asked("relay::done") == [(5, -MONDAY, "on", ["relay", "done", "command"])]


def test_what_is_missing_is_not_true(asked):
    assert asked("relay::busy") == [(6, 8, "relay::busy", ["relay", "busy", "command"])]


def test_a_boolean_is_not_marked_through_a_gap(source, asked):
    seconds = [*range(60), *range(660, 720)]
    source.frames["watch"] = ({"warm": Field(type="bool")}, frame(seconds, warm=[True] * 120))
    assert [each[:3] for each in asked("watch::warm")] == [
        (0, 59, "watch::warm"),
        (59, 660, "gap in watch::warm"),
        (660, 719, "watch::warm"),
    ]


def test_a_boolean_is_not_marked_through_a_gap_where_it_is_reduced_either(source, asked):
    seconds = [*range(3990), *range(7200, 11200)]
    source.frames["watch"] = ({"warm": Field(type="bool")}, frame(seconds, warm=[True] * 7990))
    before, gap, after = asked("watch::warm")
    assert [each[:2] for each in (before, gap)] == [(0, 3989), (3989, 7200)]
    assert after[0] == 7200
    assert 11_170 < after[1] <= 11_199


def test_several_gaps_between_two_points_end_a_stretch_once(source, asked):
    seconds = [*range(8000), 8010, 8020, *range(8030, 12_000)]
    source.frames["watch"] = ({"warm": Field(type="bool")}, frame(seconds, warm=[True] * len(seconds)))
    stretches = [each[:2] for each in asked("watch::warm") if not each[2].startswith("gap")]
    assert stretches[0] == (0, 7999)
    assert all(begin < end <= 12_000 or end == -MONDAY for begin, end in stretches)
    assert [begin for begin, _ in stretches] == sorted({begin for begin, _ in stretches})


def test_events_with_a_tag_are_no_gaps(source, asked):
    seconds = [0, 1, 2, 3, 500, 501, 900]
    done = frame(seconds, done=["a", "b", "c", "d", "e", "f", "g"])
    source.frames["relay"] = ({"done": Field(type="string")}, done)
    assert [each[2] for each in asked("events with command")] == ["a", "b", "c", "d", "e", "f", "g"]
    assert "gap in relay::done" in [each[2] for each in asked("relay::done")]


def test_events_are_those_of_all_nodes_with_the_tag(asked):
    assert [each[2] for each in asked("events with alert")] == ["watch::warm", "watch::warm"]
    assert [each[2] for each in asked("events with (alert|command)")] == [
        "on",
        "relay::busy",
        "watch::warm",
        "watch::warm",
    ]


def test_a_tag_of_too_many_fields_is_refused_with_the_cure(source):
    source.frames["watch"] = ({f"f{number}": Field(type="bool") for number in range(1001)}, frame([1], f1=[True]))
    client = create_app(source, Settings(bridge_deadline=0.5)).test_client()
    answer = client.post("/annotations", json={"range": SPAN, "annotation": {"query": "events with alert"}})
    told = "the nodes with alert have 1001 texts and booleans, and 1000 are looked at: give the tag to fewer"
    assert (answer.status_code, answer.json) == (400, {"error": told})


def test_how_a_tagged_node_itself_does_is_no_event(source, asked):
    fields = {"warm": Field(type="bool"), **health.FIELDS}
    columns = {"warm": [True], "health.state": ["failed"], "health.error": ["the sensor is gone"]}
    source.frames["watch"] = (fields, frame([5], **columns))
    assert [each[2] for each in asked("events with alert")] == ["watch::warm"]
    assert [each[2] for each in asked("watch::health.error")] == ["the sensor is gone"]


@pytest.mark.parametrize(
    "text",
    [
        "watch::C",
        "events with nothing",
        "events with",
        "events",
        "events with alert::x",
        "events with (((",
        "events with \\",
    ],
)
def test_numbers_and_other_words_tell_nothing(asked, text):
    assert asked(text) == []


def test_of_a_text_that_is_very_long_the_beginning_is_told(source):
    source.frames["watch"] = ({"a": Field(type="string")}, frame([1], a=["\n  \n\nfirst\n" + "x" * 100_000]))
    client = create_app(source, Settings(bridge_deadline=0.5)).test_client()
    (told,) = client.post("/annotations", json={"range": SPAN, "annotation": {"query": "watch::a"}}).json
    assert (told["title"], told["text"][:6], len(told["text"])) == ("first", "first\n", 2000)


def test_of_very_much_that_happens_the_last_is_told(source, asked):
    series = 20
    seconds = np.arange(1000) * 10
    fields = {f"f{number:02}": Field(type="string") for number in range(series)}
    texts = {name: [f"{name} {at}" for at in seconds.tolist()] for name in fields}
    source.frames["watch"] = (fields, frame(seconds, **texts))
    told = asked("events with alert")
    assert len(told) == 5000
    assert (told[0][0], told[-1][0]) == (7500, 9990)
    assert [each[2] for each in told[-2:]] == ["f18 9990", "f19 9990"]


def test_what_happens_at_one_time_is_in_order_of_its_names(source, asked):
    happening = frame([3], b=[True], a=["warm"])
    source.frames["watch"] = ({"b": Field(type="bool"), "a": Field(type="string")}, happening)
    assert [each[2] for each in asked("events with alert")] == ["warm", "watch::b"]
    assert [each[2] for each in asked("watch::(b|a)")] == ["warm", "watch::b"]


HOSTILE = "<img src=x onerror=alert(1)> {{{constructor.constructor('alert(1)')()}} 1 < 2 & &lt;"
SHOWN = (
    "&lt;img src=x onerror=alert(1)&gt; {<span>{</span>{constructor.constructor('alert(1)')()}} 1 &lt; 2 &amp; &amp;lt;"
)


@pytest.mark.parametrize("form", ["SimpleJSON", "simPod"])
def test_what_others_wrote_is_shown_as_it_is_though_grafana_takes_annotations_for_html_and_templates(source, form):
    alerts = {HOSTILE: Field(type="bool", description=HOSTILE), "said": Field(type="string")}
    source.frames["watch"] = alerts, frame([0, 9], **{HOSTILE: [True, True], "said": [HOSTILE, HOSTILE]})
    told = texts(source, form, "events with alert")
    assert told == {SHOWN: SHOWN, f"watch::{SHOWN}": SHOWN}


def texts(source, form, text):
    """The titles and texts of what is marked, as this plugin gets them."""
    client = create_app(source, Settings(bridge_deadline=0.5)).test_client()
    if form == "SimpleJSON":
        asked = {"range": SPAN, "annotation": {"query": text}}
        return {each["title"]: each["text"] for each in client.post("/annotations", json=asked).json}
    (answer,) = client.post("/query", json={"range": SPAN, "targets": [{"refId": "Anno", "target": text}]}).json
    named = dict(zip([each["name"] for each in answer["schema"]["fields"]], answer["data"]["values"], strict=True))
    return dict(zip(named["title"], named["text"], strict=True))
