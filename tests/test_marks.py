"""What the fields of nodes tell as annotations: texts where they change, booleans while they are true."""

import numpy as np
import pytest

from grafana_json.app import create_app
from sisock.frames import Field, Frame, column
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
    client = create_app(source, Settings(bridge_deadline=0.5)).test_client()

    def ask(text):
        listed = client.post("/annotations", json={"range": SPAN, "annotation": {"name": "x", "query": text}}).json
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


def test_events_are_those_of_all_nodes_with_the_tag(asked):
    assert [each[2] for each in asked("events with alert")] == ["watch::warm", "watch::warm"]
    assert [each[2] for each in asked("events with (alert|command)")] == [
        "on",
        "relay::busy",
        "watch::warm",
        "watch::warm",
    ]


@pytest.mark.parametrize("text", ["watch::C", "events with nothing", "events with", "events", "events with alert::x"])
def test_numbers_and_other_words_tell_nothing(asked, text):
    assert asked(text) == []


def test_what_happens_at_one_time_is_in_order_of_its_names(source, asked):
    happening = frame([3], b=[True], a=["warm"])
    source.frames["watch"] = ({"b": Field(type="bool"), "a": Field(type="string")}, happening)
    assert [each[2] for each in asked("events with alert")] == ["warm", "watch::b"]
    assert [each[2] for each in asked("watch::(b|a)")] == ["warm", "watch::b"]
