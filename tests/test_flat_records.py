"""Flat records: what an outlet writes is what a node reads, and what is no sample is refused with a reason."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import cbor2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from sisock.frames import Column, Field, Frame, column
from sisock.records import Mapping, Received, frames, written
from sisock.records.mapping import mapping
from sisock.times import NS

T = 1_700_000_000 * NS
NOW = T + 3600 * NS
PLAIN = Mapping(device="")
SCHEMA = Draft202012Validator(json.loads((Path(__file__).parents[1] / "docs" / "record.schema.json").read_text()))


def read(*payloads: object, how: Mapping = PLAIN, t: int | None = None, known=None):
    coded = [each if isinstance(each, bytes) else json.dumps(each).encode() for each in payloads]
    return frames([Received(each, t) for each in coded], how, NOW, known)


def values(frame: Frame, name: str) -> list[object]:
    found = frame.columns[name]
    gone = np.zeros(len(frame), bool) if found.missing is None else found.missing
    return [None if missing else value for value, missing in zip(found.values.tolist(), gone, strict=True)]


VALUES = st.one_of(
    st.lists(st.none() | st.integers(-(2**63), 2**63 - 1), min_size=3, max_size=3),
    st.lists(st.none() | st.floats(allow_nan=False), min_size=3, max_size=3),
    st.lists(st.none() | st.booleans(), min_size=3, max_size=3),
    st.lists(st.none() | st.text(st.characters(codec="utf-8"), max_size=20), min_size=3, max_size=3),
)
NAMES = st.sampled_from(["a", "t", "_t", "__seq", "node", "timeline", "epoch", "größe", 'say "x"'])


@given(st.dictionaries(NAMES, VALUES, min_size=1))
def test_what_is_written_is_read_again(fields):
    fields["always"] = [1, 2, 3]
    columns = {name: column(each) for name, each in fields.items() if any(v is not None for v in each)}
    frame = Frame("records", np.array([T, T, T + 1]), columns, "abc", 10)
    sent = list(written("lsof", frame))
    for each in sent:
        SCHEMA.validate(json.loads(each.value))
    made = frames([Received(each.value) for each in sent], Mapping(), NOW)
    assert made.refused == []
    (again,) = made.frames
    assert again.timeline == "lsof/records"
    assert again.t.tolist() == [T, T, T + 1]
    odd = {"NaN", "Infinity", "-Infinity"}
    for name, each in columns.items():
        if not odd & {v for v in fields[name] if isinstance(v, str)}:
            assert values(again, f"lsof/{name}") == values(Frame("", frame.t, {"x": each}), "x")


@pytest.mark.parametrize("wrong", [{"t": 1.5}, {"t": 2**63}, {"seq": -1}, {"node": "a::b"}, {"x": None}, {"x": [1]}])
def test_the_schema_tells_what_is_no_record(wrong):
    (record,) = written("lsof", Frame("records", np.array([T]), {"x": column([1])}, "abc", 10))
    assert not SCHEMA.is_valid({**json.loads(record.value), **wrong})


def test_a_record_has_the_identity_of_its_sample_and_only_numbers_that_json_has():
    frame = Frame("s", np.array([T, T + 5]), {"x": Column(np.array([np.nan, np.inf]))}, "e1", 7)
    first, second = written("host", frame)
    assert (first.key, second.key) == (b"e1:s:5", b"e1:s:6")
    assert json.loads(first.value) == {"node": "host", "timeline": "s", "t": T, "epoch": "e1", "seq": 5, "x": "NaN"}
    made = frames([Received(first.value), Received(second.value)], Mapping(), NOW)
    assert np.isnan(made.frames[0].columns["host/x"].values[0])
    assert np.isposinf(made.frames[0].columns["host/x"].values[1])


def test_a_sample_that_comes_twice_counts_once():
    frame = Frame("s", np.array([T]), {"x": column([1])}, "e1", 1)
    (one,) = written("host", frame)
    made = frames([Received(one.value), Received(one.value)], Mapping(), NOW)
    assert [len(each) for each in made.frames] == [1]
    assert made.refused == []


@pytest.mark.parametrize(
    "told",
    [
        T, T / NS, T // 10**6, T // 10**3, "2023-11-14T22:13:20Z", "2023-11-14 22:13:20", str(T), "1700000000",
        "2023-11-15T00:13:20+02:00",
    ],
)  # fmt: skip
def test_times_come_in_many_forms(told):
    assert read({"t": told, "x": 1}).frames[0].t.tolist() == [T]


def test_cbor_is_read_as_json_is():
    coded = cbor2.dumps({"t": datetime.fromtimestamp(T // NS, UTC), "x": 1.5, "in": {"y": "a"}})
    (frame,) = read(coded).frames
    assert frame.t.tolist() == [T]
    assert {name: values(frame, name) for name in frame.columns} == {"x": [1.5], "in/y": ["a"]}


def test_a_bare_value_and_a_list_of_records_are_messages_too():
    assert values(read(b"21.5", t=T).frames[0], "value") == [21.5]
    assert values(read([{"t": T, "x": 1}, {"t": T + 1, "x": 2}]).frames[0], "x") == [1, 2]


def test_fields_are_chosen_and_named():
    how = mapping({"time": "when", "unit": "ms", "fields": {"tmp": "temperature"}, "device": "id", "timeline": ""})
    made = read({"when": T // 10**6, "tmp": 4, "other": 5, "id": "fridge"}, how=how)
    (frame,) = made.frames
    assert frame.timeline == "fridge/samples"
    assert list(frame.columns) == ["fridge/temperature"]


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        (b"", "it is empty"),
        (b"\xff\xff", "not CBOR"),
        (b"{", "not JSON"),
        (b'"\xe9"', r"neither JSON nor UTF-8 \(byte 2\)"),
        (b"[" * 100_000, "too deep"),
        (b"\x81" * 100_000, "too deep|not CBOR"),
        (cbor2.dumps({"t": T, "x": cbor2.CBORTag(258, [1])}), "semantic tag 258"),
        ({"t": T}, "no field with a value"),
        ({"x": 1}, "no time"),
        ({"t": True, "x": 1}, "True is no time"),
        ({"t": 10**400, "x": 1}, "is no time"),
        ({"t": "yesterday", "x": 1}, "'yesterday' is no time"),
        ({"t": T + 10 * 366 * 86400 * NS, "x": 1}, "its clock is wrong: it is of 2033"),
        ({"t": -5, "x": 1}, "its clock is wrong"),
        ({"t": T, "x": [1, 2]}, r"'x' cannot hold it: \[1, 2\] came"),
        ({"t": T, "x": 10**400}, "has no room"),
        ({"t": T, "x": "a" * 70_000}, "has no room"),
        ({"t": T, "a::b": 1}, "cannot name a field"),
        ({"t": T, "x": 1, "timeline": "a\nb"}, "cannot name a timeline"),
        ([1, 2], "a list of other things"),
    ],
)  # fmt: skip
def test_what_is_no_sample_is_refused_with_a_reason(payload, why):
    made = read(payload)
    assert made.frames == []
    assert any(re.search(why, each.reason) for each in made.refused), made.refused


def test_what_is_wrong_in_a_record_costs_only_itself():
    made = read({"t": T, "x": 1, "y": [1]}, {"t": T + 1, "x": "text", "z": 2}, b"junk", {"t": T + 2, "x": 3})
    (frame,) = made.frames
    assert frame.t.tolist() == [T, T + 1, T + 2]
    assert values(frame, "x") == [1, None, 3]
    assert values(frame, "z") == [None, 2, None]
    assert [each.message for each in made.refused] == [0, 1, 2]
    assert "'x' was a number before: 'text' came" in made.refused[1].reason


def test_a_field_keeps_type_and_timeline_from_one_time_to_the_next():
    known = {"x": Field(timeline="samples", type="string")}
    assert "was a string before" in read({"t": T, "x": 1}, known=known).refused[0].reason
    made = read({"t": T, "x": "a", "timeline": "other"}, known=known)
    assert "is on the timeline 'samples'" in made.refused[0].reason


@given(st.binary(max_size=200) | st.recursive(st.none() | st.booleans() | st.floats() | st.text() | st.integers(),
       lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)).map(cbor2.dumps))  # fmt: skip
def test_whatever_comes_is_taken_or_refused(payload):
    made = frames([Received(payload, T)], PLAIN, NOW)
    for frame in made.frames:
        assert all(len(each.values) == len(frame) for each in frame.columns.values())


@pytest.mark.parametrize(
    ("table", "why"),
    [
        ({"time": 5}, "time = 5 says nothing"),
        ({"unit": "h"}, "unit = 'h' is unknown: give one of s, ms, us, ns"),
        ({"form": "avro"}, "give one of json, cbor"),
        ({"fields": "x"}, "give a list of keys"),
        ({"colour": "red"}, "colour = 'red' says nothing about records"),
        ({"units": {"x": 5}}, "units"),
    ],
)  # fmt: skip
def test_a_mapping_that_cannot_be_is_refused_with_the_cure(table, why):
    with pytest.raises(ValueError, match=why):
        mapping(table)


@pytest.mark.parametrize("record", [{"a": 10**6000}, {"a": [10**6000]}, {"node": 10**6000, "a": 1}, {"time": 10**6000}])
def test_a_number_with_more_digits_than_python_writes_is_refused_and_the_others_are_there(record):
    payloads = [cbor2.dumps(each) for each in ({"b": 1}, record, {"b": 2})]
    made = frames([Received(each, T) for each in payloads], Mapping(form="cbor"), NOW)
    assert [each.message for each in made.refused] == [1]
    assert [value for frame in made.frames for value in values(frame, "b") if "b" in frame.columns] == [1, 2]


def test_records_with_a_key_each_take_no_more_room_than_they_have_values_and_those_beyond_are_refused(monkeypatch):
    monkeypatch.setattr("sisock.records.fields._MOST", 900)
    monkeypatch.setattr("sisock.records.reading._MOST_CELLS", 10_000)
    made = read([{f"k{number}": number} for number in range(1000)], t=T)
    assert max(len(frame) * len(frame.columns) for frame in made.frames) < 11_000
    there = {
        name: [value for value in values(frame, name) if value is not None]
        for frame in made.frames
        for name in frame.columns
    }
    assert there == {f"k{number}": [number] for number in range(900)}
    assert [each.reason for each in made.refused] == [
        f"'k{number}' is one field more than 900" for number in range(900, 1000)
    ]


def test_records_with_few_different_keys_are_one_frame(monkeypatch):
    monkeypatch.setattr("sisock.records.reading._MOST_CELLS", 10)
    made = read([{"a": number, "b": 1} for number in range(1000)], t=T)
    assert [len(frame) for frame in made.frames] == [1000]
