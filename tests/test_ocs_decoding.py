"""What the decoder of OCS feeds makes of messages: orderly, odd and senseless ones."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_nodes.ocs_feeds.decoding import Decoder, Limits
from sisock.frames import Field, Frame
from sisock.nodes.rows import Schema
from sisock.times import NS

NOW = 1_790_000_000 * NS
S = NOW // NS


def info(record=True, **more):
    """What an agent says of a feed."""
    whole = {
        "agent_address": "observatory.LSA22", "agg_params": {"frame_length": 60}, "feed_name": "temperatures",
        "address": "observatory.LSA22.feeds.temperatures", "record": record, "session_id": "1790000000.5",
        "agent_class": "Lakeshore372Agent",
    }  # fmt: skip
    return {**whole, **more}


def block(data, timestamps, name="temps", **more):
    return {name: {"block_name": name, "data": data, "timestamps": timestamps, "influxdb_tags": None, **more}}


def decode(message, *, feed="temperatures", decoder=None, record=True, now=NOW, **more):
    return (decoder or Decoder(**more)).decode(feed, ([message, info(record)],), now)


def values(made):
    """Values by field of all frames but those on the agent."""
    return {
        name: [None if gone else value for gone, value in zip(missing(one), one.values.tolist(), strict=True)]
        for frame in made.frames
        if not frame.timeline.endswith("agent")
        for name, one in frame.columns.items()
    }


def missing(column):
    return np.zeros(len(column.values), bool) if column.missing is None else column.missing


def timelines(made):
    return {frame.timeline: frame.t.tolist() for frame in made.frames}


# what is recorded


def test_each_block_is_a_timeline_and_each_field_keeps_its_kind_and_its_times():
    message = {
        **block({"ch1": [4.5, math.nan], "ok": [True, False], "state": ["cold", "warm"], "n": [1, 2]}, [S - 60.5, S - 60]),
        **block({"p": [1e-6, None]}, [S - 2, S - 1.25], "pressure"),
    }  # fmt: skip
    made = decode(message)
    assert not made.refused
    assert timelines(made) == {
        "temperatures.temps": [NOW - 60_500_000_000, NOW - 60 * NS],
        "temperatures.pressure": [NOW - 2 * NS, NOW - 1_250_000_000],
        "agent": [NOW],
    }
    found = values(made)
    assert math.isnan(found["temperatures.ch1"].pop())
    assert found == {
        "temperatures.ch1": [4.5], "temperatures.ok": [True, False], "temperatures.state": ["cold", "warm"],
        "temperatures.n": [1, 2], "temperatures.p": [1e-6, None],
    }  # fmt: skip


def test_tags_may_be_there_or_not_and_a_block_without_a_name_has_that_of_its_key():
    tagged = block({"a": [1]}, [S], influxdb_tags={"a": {"channel": 1, "_field": "value"}})
    bare = {"other": {"data": {"b": [2]}, "timestamps": [S]}}
    made = decode({**tagged, **bare})
    assert not made.refused
    assert values(made) == {"temperatures.a": [1], "temperatures.b": [2]}
    assert set(timelines(made)) == {"temperatures.temps", "temperatures.other", "agent"}


def test_whole_numbers_then_fractions_are_one_field():
    schema, decoder = Schema({}), Decoder()
    for given_ in ([1, 2], [1.5], [2, 2.5], [2**70], [3]):
        made = decode(block({"a": given_}, [S] * len(given_)), decoder=decoder)
        frames, refused = schema.frames(made.frames, NOW)
        assert (refused, made.refused) == (None, [])
        assert any("temperatures.a" in frame.columns for frame in frames)
    assert schema.fields["temperatures.a"] == Field(timeline="temperatures.temps", type="number")


def test_a_field_that_is_in_two_blocks_has_the_second_ones_name_in_its_own_also_after_a_restart():
    decoder = Decoder()
    made = decode({**block({"a": [1]}, [S], "one"), **block({"a": [2]}, [S], "two")}, decoder=decoder)
    assert values(made) == {"temperatures.a": [1], "temperatures.two.a": [2]}
    after = Decoder(notes=made.notes)
    made = decode(block({"a": [3]}, [S], "two"), decoder=after)
    assert values(made) == {"temperatures.two.a": [3]}
    assert values(decode(block({"a": [4]}, [S], "one"), decoder=after)) == {"temperatures.a": [4]}


def test_names_begin_with_the_agents_where_all_are_in_one_node():
    made = decode(block({"ch1": [4.5]}, [S]), before="LSA22.")
    assert values(made) == {"LSA22.temperatures.ch1": [4.5]}
    assert set(timelines(made)) == {"LSA22.temperatures.temps", "LSA22.agent"}


def test_what_an_agent_says_of_itself_is_told_once_and_when_it_changes():
    decoder = Decoder()
    first, same = (decode(block({"a": [1]}, [S]), decoder=decoder) for _ in range(2))
    (told,) = [each for each in first.frames if each.timeline == "agent"]
    assert {name: one.values.tolist() for name, one in told.columns.items()} == {
        "agent.session": ["1790000000.5"], "agent.class": ["Lakeshore372Agent"], "agent.address": ["observatory.LSA22"],
    }  # fmt: skip
    assert "agent" not in timelines(same)
    restarted = decoder.decode("temperatures", ([block({"a": [1]}, [S]), info(session_id="9")],), NOW)
    assert "agent" in timelines(restarted)


# what is odd


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (None, "nothing came where a dictionary of blocks has to be"),
        ({}, "where a dictionary of blocks has to be"),
        ([1, 2], "(list) came where a dictionary of blocks has to be"),
        ({"temps": 5}, "it has no 'data'"),
        ({"temps": {"timestamps": [S]}}, "it has no 'data'"),
        ({"temps": {"data": {"a": [1]}}}, "no list of 'timestamps'"),
        ({"temps": {"data": [1], "timestamps": [S]}}, "it has no 'data'"),
        (block({"a": [1, 2]}, [S]), "field 'a': 2 values came for 1 timestamps"),
        (block({"a": 1}, [S]), "field 'a': 1 (int) came where a list of values has to be"),
        (block({"a": [{"b": 1}]}, [S]), "field 'a': values of type dict are not of one type"),
        (block({"a": [1, "x"]}, [S, S]), "field 'a': values of type int, str are not of one type"),
        (block({"a": [[1], [2]]}, [S, S]), "field 'a': values of type list are not of one type"),
        (block({"a": [10**400]}, [S]), "field 'a': a number is too large"),
        (block({"a": [1]}, [math.nan]), "nan is no time"),
        (block({"a": [1]}, ["now"]), "'now' is no time"),
        (block({"a": [1]}, [True]), "True is no time"),
        (block({"a": [1]}, [1e300]), "1e+300 is no time"),
        (block({"a": [1]}, [0]), "1 of 1 samples are of 1970-01-01 00:00:00 UTC, which is too far from now"),
        (block({"a": [1]}, [S + 10**8]), "which is too far from now: set the clock of the agent"),
    ],
)  # fmt: skip
def test_what_cannot_be_taken_is_refused_with_the_reason(message, reason):
    made = decode(message)
    assert [frame.timeline for frame in made.frames] == ["agent"]
    (refused,) = made.refused
    assert reason in refused
    assert refused.startswith("temperatures")


def test_what_is_sound_beside_it_is_taken():
    message = {
        **block({"good": [1, 2], "short": [1], "odd": [1, "x"]}, [S - 1, S]),
        "broken": {"data": {}},
        **block({"late": [5, 6, 7]}, [S - 10**8, S, S - 1], "clock"),
    }
    made = decode(message)
    assert values(made) == {"temperatures.good": [1, 2], "temperatures.late": [6, 7]}
    assert len(made.refused) == 4


def test_names_of_any_kind_become_fields_and_none_takes_the_place_of_another():
    made = decode(block({"a::b": [1], "a:b": [2], "\n": [3], "": [4], "x" * 500: [5], 7: [6]}, [S]))
    assert values(made)["temperatures.a:b"] == [1]
    assert len(values(made)) == 5
    assert "called 'temperatures.a:b' already" in made.refused[0]
    frames, refused = Schema({}).frames(made.frames, NOW)
    assert (len(frames), refused) == (2, None)


def test_feeds_called_as_what_every_node_has_are_told_apart_from_it():
    for feed in ("health", "received", "agent"):
        made = decode({"state": "odd", "samples": 5, "session": 1}, feed=feed, record=False)
        frames, refused = Schema({}).frames(made.frames, NOW)
        assert refused is None
        assert {frame.timeline for frame in frames} == {f"{feed}_", "agent"}


def test_ten_thousand_fields_are_taken_and_no_more():
    fields = {f"f{i}": [i] for i in range(9_999)}
    decoder = Decoder()
    assert len(values(decode(block(fields, [S]), decoder=decoder))) == 9_999
    made = decode(block({"g1": [1], "g2": [2], "f1": [3]}, [S]), decoder=decoder)
    assert values(made) == {"temperatures.g1": [1], "temperatures.f1": [3]}
    assert "more than 10000 fields of one agent" in made.refused[0]


def test_limits_of_time_are_those_that_were_set():
    tight = {"limits": Limits(behind=10 * NS, ahead=NS)}
    assert values(decode(block({"a": [1, 2, 3]}, [S - 11, S - 9, S + 2]), **tight)) == {"temperatures.a": [2]}


# what is not recorded


@pytest.mark.parametrize(
    ("message", "found"),
    [
        ({"acq": 2, "init_lakeshore": 3}, {"acq": [2], "init_lakeshore": [3]}),
        ({"a": {"b": {"c": 1.5}, "d": True}, "e": "x", "n": None}, {"a.b.c": [1.5], "a.d": [True], "e": ["x"]}),
        ({"list": [1, 2], 5: "five"}, {"list": ["[1, 2]"], "5": ["five"]}),
        (3, {"value": [3]}),
        ("on", {"value": ["on"]}),
        ([1, {"a": None}], {"message": ['[1, {"a": null}]']}),
        (None, {"message": ["null"]}),
        (b"\xff", {"message": ["\"b'\\\\xff'\""]}),
        ({"a": {"b": {"c": {"d": {"e": {"f": 1}}}}}}, {"message": ['{"a": {"b": {"c": {"d": {"e": {"f": 1}}}}}}']}),
        ({"a.b": 1, "a": {"b": 2}}, {"message": ['{"a.b": 1, "a": {"b": 2}}']}),
    ],
)
def test_a_payload_that_is_not_recorded_is_a_row_at_the_time_when_it_came(message, found):
    made = decode(message, record=False)
    assert not made.refused
    assert values(made) == {f"temperatures.{name}": value for name, value in found.items()}
    assert timelines(made)["temperatures"] == [NOW]


def test_payloads_may_be_texts_or_left_out():
    assert values(decode({"acq": 2}, record=False, unrecorded="text")) == {"temperatures.message": ['{"acq": 2}']}
    assert values(decode({"acq": 2}, record=False, unrecorded="none")) == {}


def test_a_payload_with_very_many_values_or_very_deep_is_one_text():
    many = values(decode({str(i): i for i in range(201)}, record=False))
    assert list(many) == ["temperatures.message"]
    deep = []
    for _ in range(5000):
        deep = [deep]
    assert list(values(decode({"a": deep}, record=False))) == ["temperatures.a"]


@pytest.mark.parametrize(
    "args", [(), (1,), ([1],), ([1, 2],), ([1, {}],), ([{}, {"record": "yes"}],), ([1, info()], 2)]
)
def test_what_is_no_event_of_a_feed_is_refused(args):
    made = Decoder().decode("x", args, NOW)
    assert made.frames == []
    assert "this is no event of a feed" in made.refused[0]


# what nobody thought of

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.binary(max_size=4)
ANY = st.recursive(
    SCALARS, lambda x: st.lists(x, max_size=4) | st.dictionaries(st.text(max_size=5) | st.integers(), x, max_size=4)
)
TIMES = st.lists(st.floats(S - 10, S + 10) | st.integers(S - 10, S + 10) | SCALARS, max_size=4)
VALUES = (
    st.lists(st.floats() | st.integers(), max_size=4)
    | st.lists(st.text(max_size=3), max_size=4)
    | st.lists(SCALARS, max_size=4)
)
BLOCK = st.fixed_dictionaries(
    {}, optional={
        "block_name": st.text(max_size=4) | SCALARS, "timestamps": TIMES | ANY, "influxdb_tags": ANY,
        "data": st.dictionaries(st.text(max_size=4), VALUES | ANY, max_size=4) | ANY,
    },
)  # fmt: skip
MESSAGE = st.dictionaries(st.text(max_size=4) | st.integers(), BLOCK | ANY, max_size=3) | ANY
INFO = st.builds(lambda record, more: {**info(record), **more}, st.booleans(), st.dictionaries(
    st.sampled_from(["session_id", "agent_class", "agent_address", "record"]), ANY, max_size=1)) | ANY  # fmt: skip


@given(st.lists(st.tuples(st.text(max_size=8), MESSAGE, INFO), max_size=4), st.sampled_from(["fields", "text", "none"]))
def test_any_message_becomes_frames_that_a_node_takes_or_is_refused_in_sentences(messages, unrecorded):
    decoder, schema = Decoder(unrecorded=unrecorded), Schema({})
    for feed, message, given_ in messages:
        made = decoder.decode(feed, ([message, given_],), NOW)
        assert all(isinstance(each, str) and each for each in made.refused)
        for frame in made.frames:
            assert isinstance(frame, Frame)
            assert all(len(one.values) == len(frame) > 0 for one in frame.columns.values())
        taken, refused = schema.frames(made.frames, NOW)
        assert refused is None or "before, and a" in refused or "Surrogate" in refused, refused
        assert sum(map(len, taken)) <= sum(map(len, made.frames))


@pytest.mark.parametrize(
    "event",
    [([{"x": 1}, info(record=False, session_id=10**5000)],), ([{10**5000: 1}, info(record=False)],),
     ([{10**5000: {}}, info()],), ([block({10**5000: [1]}, [S]), info()],), ([10**5000, info()],)],
)  # fmt: skip
def test_a_number_with_more_digits_than_python_writes_is_refused_in_a_sentence(event):
    assert "Exceeds the limit" in Decoder().decode("temperatures", event, NOW).refused[0]
