"""What travels: round trips, and what comes of junk."""

import contextlib
import json
import math

import cbor2
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sisock.frames import TEXT, Answer, Column, Field, Frame, Part, Timeline, column
from sisock.times import NS
from sisock.wire import (
    WireError,
    decode_answer,
    decode_column,
    decode_fields,
    decode_frame,
    encode_answer,
    encode_column,
    encode_fields,
    encode_frame,
    from_lists,
    to_lists,
)
from tests.made import answers, columns, frames, same_column, same_frame

JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.binary(max_size=17),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5) | st.integers(), inner, max_size=3),
    max_leaves=6,
)


def travelled(coded):
    """What arrives at the other side of a CBOR connection."""
    return cbor2.loads(cbor2.dumps(coded))


# round trips


@given(st.integers(0, 9).flatmap(columns))
@example(Column(np.array(["a\0", "", "\0", "é\0"], TEXT)))
@example(Column(np.array([0.0, -0.0, math.nan, math.inf, -math.inf])))
@example(Column(np.array([2**63 - 1, -(2**63)])))
def test_a_column_arrives_as_it_was_sent(sent):
    assert same_column(decode_column(travelled(encode_column(sent))), sent)


def test_a_number_column_is_its_little_endian_bytes():
    coded = encode_column(Column(np.array([1, 2, 3])[::2], np.array([False, True])))
    assert coded == {"dtype": "<i8", "data": b"\1" + b"\0" * 7 + b"\3" + b"\0" * 7, "missing": b"\0\1"}


def test_a_text_column_is_utf8_end_to_end_and_its_offsets():
    coded = encode_column(column(["ab", "", "é"]))
    assert coded == {"dtype": "utf8", "data": "abé".encode(), "offsets": np.array([0, 2, 2, 4], "<u4").tobytes()}


def test_a_text_column_of_a_page_written_by_others_may_be_torn():
    coded = {"dtype": "utf8", "data": "é".encode() + b"\xff", "offsets": np.array([0, 1, 3], "<u4").tobytes()}
    assert decode_column(coded).values.tolist() == ["\ufffd", "\ufffd\ufffd"]


@given(answers())
def test_an_answer_arrives_as_it_was_sent(sent):
    got = decode_answer(travelled(encode_answer(sent)))
    assert (got.method, got.bin, got.notices) == (sent.method, sent.bin, sent.notices)
    assert len(got.parts) == len(sent.parts)
    for a, b in zip(got.parts, sent.parts, strict=True):
        assert same_frame(a.points, b.points)
        assert a[1:] == b[1:]


@given(frames())
def test_a_live_frame_arrives_as_it_was_sent(sent):
    assert same_frame(decode_frame(travelled(encode_frame(sent))), sent)


def test_fields_and_timelines_arrive_as_they_were_sent():
    fields = {"a": Field("what it is", "t", "string", "V"), "b": Field()}
    timelines = {"t": Timeline(1.5, ("a",)), "samples": Timeline(None, ("b",))}
    assert decode_fields(travelled(encode_fields(fields, timelines))) == (fields, timelines)


# malformed input

GOOD_COLUMN = encode_column(column([1.0, None, 3.0]))
GOOD_TEXT = encode_column(column(["ab", "c"]))


@pytest.mark.parametrize(
    "coded",
    [
        None, 5, "x", b"x", [], {}, {"dtype": "<f8"}, {"data": b""},
        {**GOOD_COLUMN, "dtype": "<f4"}, {**GOOD_COLUMN, "dtype": ">f8"}, {**GOOD_COLUMN, "dtype": "O"},
        {**GOOD_COLUMN, "dtype": None}, {**GOOD_COLUMN, "dtype": ["<f8"]}, {**GOOD_COLUMN, "data": b"1234567"},
        {**GOOD_COLUMN, "data": "12345678"}, {**GOOD_COLUMN, "data": None}, {**GOOD_COLUMN, "data": [1.0]},
        {**GOOD_COLUMN, "missing": b"\0"}, {**GOOD_COLUMN, "missing": None}, {**GOOD_COLUMN, "missing": [0, 1, 0]},
        {**GOOD_TEXT, "offsets": b""}, {**GOOD_TEXT, "offsets": b"\0\0\0"}, {**GOOD_TEXT, "offsets": None},
        {**GOOD_TEXT, "offsets": np.array([0, 2], "<u4").tobytes()},  # ends too early
        {**GOOD_TEXT, "offsets": np.array([0, 2**32 - 1], "<u4").tobytes()},  # claims 4 GB
        {**GOOD_TEXT, "offsets": np.array([0, 3, 2, 3], "<u4").tobytes()},  # descends
        {**GOOD_TEXT, "offsets": np.array([1, 3], "<u4").tobytes()},  # leaves out the beginning
        {**GOOD_TEXT, "data": "abc"}, {"dtype": "utf8", "data": b""},
    ],
)  # fmt: skip
def test_a_malformed_column_is_a_wire_error(coded):
    with pytest.raises(WireError):
        decode_column(coded)


def an_answer(**axis):
    frame = Frame("t", np.array([1, 2]), {"a": column([1, 2])}, "e", 2)
    coded = encode_answer(Answer((Part(frame, "t", 2, 2, ((1, 2),)),)))
    coded["timelines"]["t"].update(axis)
    return coded


@pytest.mark.parametrize(
    "axis",
    [
        {"t": None}, {"t": encode_column(column([1.0, 2.0]))}, {"t": encode_column(column([1, None]))},
        {"t": encode_column(column([2, 1]))}, {"t": encode_column(column([1]))}, {"seq": "two"}, {"seq": math.inf},
        {"seq": []}, {"gaps": None}, {"gaps": [1]}, {"gaps": [[1, 2, 3]]}, {"gaps": [[math.inf, math.nan]]},
        {"samples": None}, {"samples": "many"}, {"samples": math.inf}, {"finalized_until": "now"},
        {"finalized_until": math.nan},
    ],
)  # fmt: skip
def test_a_lying_axis_is_a_wire_error(axis):
    with pytest.raises(WireError):
        decode_answer(an_answer(**axis))


@pytest.mark.parametrize(
    "change",
    [
        {"v": 2}, {"v": None}, {"timelines": None}, {"timelines": []}, {"timelines": {"t": 5}}, {"timelines": {}},
        {"timelines": {7: an_answer()["timelines"]["t"]}, "data": {}}, {"data": None}, {"data": {"a": None}},
        {"data": {"a": {**encode_column(column([1, 2])), "timeline": "other"}}},
        {"data": {"a": {**encode_column(column([1, 2])), "timeline": ["t"]}}},
        {"data": {5: {**encode_column(column([1, 2])), "timeline": "t"}}},
        {"data": {"a": {**encode_column(column([1, 2, 3])), "timeline": "t"}}},
        {"label": None}, {"label": {}}, {"label": {"method": "raw", "bin": "wide", "notices": []}},
        {"label": {"method": "raw", "bin": math.inf, "notices": []}},
        {"label": {"method": "raw", "bin": None, "notices": None}},
    ],
)  # fmt: skip
def test_a_malformed_answer_is_a_wire_error(change):
    with pytest.raises(WireError):
        decode_answer({**an_answer(), **change})


def test_an_error_is_short_whatever_came():
    with pytest.raises(WireError) as error:
        decode_answer({**an_answer(), "timelines": {"x" * 10_000_000: 1}})
    assert len(str(error.value)) < 1000


def test_a_newer_version_is_told_as_such():
    with pytest.raises(WireError, match="version 2 of the wire format is unknown here: bring both sides up to date"):
        decode_answer({**an_answer(), "v": 2})


def test_a_live_event_has_one_timeline():
    with pytest.raises(WireError, match="0 timelines instead of one"):
        decode_frame({"v": 1, "timelines": {}, "data": {}})


@given(JUNK)
def test_junk_raises_a_wire_error_and_nothing_else(junk):
    for decode in (
        decode_column,
        decode_answer,
        decode_frame,
        decode_fields,
        lambda each: from_lists(each, {"a": Field()}),
    ):
        with contextlib.suppress(WireError):
            decode(junk)


@given(JUNK, st.data())
def test_junk_anywhere_in_a_good_answer_raises_a_wire_error_and_nothing_else(junk, data):
    coded = an_answer()
    paths = [("v",), ("timelines",), ("data",), ("label",), ("timelines", "t"), ("data", "a")]
    paths += [("timelines", "t", key) for key in coded["timelines"]["t"]] + [
        ("data", "a", key) for key in coded["data"]["a"]
    ]
    paths += [("label", key) for key in coded["label"]]
    *path, last = data.draw(st.sampled_from(paths))
    place = coded
    for step in path:
        place = place[step]
    place[last] = junk
    for decode in (decode_answer, decode_frame):
        with contextlib.suppress(WireError):
            decode(coded)


@given(st.binary(max_size=40), st.binary(max_size=40), st.sampled_from(["<f8", "<i8", "|b1", "utf8"]))
def test_any_bytes_are_a_column_or_a_wire_error(data, more, dtype):
    try:
        got = decode_column({"dtype": dtype, "data": data, "offsets": more, "missing": more})
    except WireError:
        return
    assert len(got.values) == len(got.missing)


# existing callers


def test_lists_have_the_shape_that_existing_callers_know():
    t = np.array([1_500_000_000 * NS, 1_500_000_001 * NS + NS // 2])
    values = {"a": column([1.5, math.nan]), "b": column(["x", None]), "c": column([True, False]), "d": column([1, 2])}
    answer = Answer((Part(Frame("t", t, values, "e", 2), "t", 1_500_000_001 * NS, 2),))
    assert to_lists(answer, ["a", "b", "c", "d", "unknown"]) == {
        "data": {"a": [1.5, None], "b": ["x", None], "c": [True, False], "d": [1, 2], "unknown": []},
        "timeline": {"t": {"t": [1_500_000_000.0, 1_500_000_001.5], "finalized_until": 1_500_000_001.0}},
    }


def test_a_timeline_without_data_does_not_appear():
    empty = Part(Frame("empty", np.empty(0, np.int64), {"a": column([])}), "empty", None, 0)
    bare = Part(Frame("bare", np.array([1]), {}), "bare", None, 1)
    assert to_lists(Answer((empty, bare)), ["a", "b"]) == {"data": {"a": [], "b": []}, "timeline": {}}


@given(answers())
def test_lists_are_always_valid_json(answer):
    fields = [name for part in answer.parts for name in part.points.columns]
    lists = to_lists(answer, fields)
    assert json.loads(json.dumps(lists, allow_nan=False)) == lists
    for part in answer.parts:
        for name in part.points.columns:
            assert len(lists["data"][name]) == len(part.points)


@given(st.lists(st.integers(0, 4 * 10**15), min_size=1, max_size=9))
def test_times_in_lists_are_exact_to_the_microsecond(microseconds):
    t = np.array(sorted(microseconds)) * 1000
    lists = to_lists(Answer((Part(Frame("t", t, {"a": column(t)}), "t", None, len(t)),)), ["a"])
    assert [round(second * 1e6) * 1000 for second in lists["timeline"]["t"]["t"]] == t.tolist()
    assert from_lists(lists, {"a": Field(timeline="t")}).parts[0].points.t.tolist() == t.tolist()


KNOWN = {"sine": Field(timeline="t"), "state": Field(timeline="t", type="string"), "odd": Field(timeline="u")}


def test_an_answer_in_the_old_way_becomes_one_of_ours():
    lists = {
        "data": {"sine": [0.5, None], "state": ["up", "down"], "odd": [], "unheard of": [1, 2]},
        "timeline": {"t": {"t": [1_500_000_000.25, 1_500_000_001], "finalized_until": 1_500_000_001}},
    }
    (part,) = from_lists(lists, KNOWN).parts
    assert part.points.t.tolist() == [1_500_000_000 * NS + NS // 4, 1_500_000_001 * NS]
    assert part.points.columns["sine"].present().tolist() == [True, False]
    assert part.points.columns["state"].values.tolist() == ["up", "down"]
    assert (part.of, part.samples, part.finalized_until, part.points.seq) == ("t", 2, 1_500_000_001 * NS, None)
    assert set(part.points.columns) == {"sine", "state"}


def test_unsorted_times_of_existing_nodes_are_put_in_order():
    lists = {"data": {"sine": [3, 1, 2]}, "timeline": {"t": {"t": [30, 10, 20], "finalized_until": None}}}
    (part,) = from_lists(lists, KNOWN).parts
    assert part.points.t.tolist() == [10 * NS, 20 * NS, 30 * NS]
    assert part.points.columns["sine"].values.tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    "lists",
    [
        None, False, [], "x", {}, {"data": {}}, {"data": [], "timeline": {}}, {"data": {}, "timeline": []},
        {"data": {"sine": [1]}, "timeline": {"t": {}}}, {"data": {"sine": [1]}, "timeline": {"t": {"t": None}}},
        {"data": {"sine": [1]}, "timeline": {"t": {"t": [1, 2]}}}, {"data": {"sine": 5}, "timeline": {"t": {"t": [1]}}},
        {"data": {"sine": [1, "a"]}, "timeline": {"t": {"t": [1, 2]}}},
        {"data": {"sine": [[1]]}, "timeline": {"t": {"t": [1]}}}, {"data": {"sine": [10**400]}, "timeline": {"t": {"t": [1]}}},
        {"data": {"sine": [1]}, "timeline": {"t": {"t": [math.nan]}}},
        {"data": {"sine": [1]}, "timeline": {"t": {"t": [math.inf]}}},
        {"data": {"sine": [1]}, "timeline": {"t": {"t": [1e300]}}},
        {"data": {"sine": [1]}, "timeline": {"t": {"t": [[1]]}}},
        {"data": {"sine": [1]}, "timeline": {"t": {"t": [1], "finalized_until": math.inf}}},
        {"data": {"sine": [1]}, "timeline": {"t": {"t": [1], "finalized_until": "x"}}},
    ],
)  # fmt: skip
def test_what_is_no_answer_in_the_old_way_is_a_wire_error(lists):
    with pytest.raises(WireError):
        from_lists(lists, KNOWN)


def test_a_text_in_the_place_of_a_time_is_refused_and_not_repeated():
    with pytest.raises(WireError, match="this is not an answer"):
        from_lists({"data": {}, "timeline": {"t": {"t": [], "finalized_until": "a"}}}, {})
