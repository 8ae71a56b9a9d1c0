"""What an author returned, as frames: the good values are kept, each refusal is a sentence."""

import math
from decimal import Decimal
from enum import IntEnum
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sisock.frames import TEXT, Column, Field, Frame, column
from sisock.nodes.rows import Schema
from tests.made import NAMES

NOW = 1_763_000_000_000_000_000


def taken(returned, declared=None, **more):
    schema = Schema(declared or {}, **more)
    frames, refused = schema.frames(returned, NOW)
    values = {name: c.values.tolist() for frame in frames for name, c in frame.columns.items()}
    return values, refused


class Colour(IntEnum):
    RED = 3


@pytest.mark.parametrize(
    ("value", "kept", "kind"),
    [
        (1, 1, "number"), (1.5, 1.5, "number"), (-(2**63), -(2**63), "number"), (2**63, 2.0**63, "number"),
        (math.inf, math.inf, "number"), (np.float32(0.5), 0.5, "number"), (np.uint64(2**64 - 1), 2.0**64, "number"),
        (np.int8(-1), -1, "number"), (np.longdouble(2), 2.0, "number"), (Colour.RED, 3, "number"),
        (True, True, "bool"), (np.False_, False, "bool"),
        ("a", "a", "string"), ("", "", "string"), (np.str_("n"), "n", "string"), ("x\ud800", "x?", "string"),
        ("x" * 65_536, "x" * 65_536, "string"),
    ],
)  # fmt: skip
def test_good_values_are_kept_with_their_type(value, kept, kind):
    schema = Schema({})
    (frame,), refused = schema.frames({"a": value}, NOW)
    assert refused is None
    assert (frame.timeline, frame.t.tolist(), frame.columns["a"].values.tolist()) == ("samples", [NOW], [kept])
    assert schema.fields == {"a": Field(type=kind)}


@pytest.mark.parametrize(
    "value",
    [
        [1],
        (1,),
        {"b": 1},
        {1},
        b"a",
        1j,
        np.complex64(1),
        np.timedelta64(1),
        np.datetime64("2026-01-01"),
        np.array(5),
        np.array([1]),
        Decimal(1),
        Fraction(1),
        object(),
        type,
        range(3),
        10**400,
        "x" * 65537,
    ],
)
def test_other_values_are_refused_with_a_sentence_and_cost_no_other(value):
    values, refused = taken({"first": 1, "a": value, "last": 2})
    assert values == {"first": [1], "last": [2]}
    assert refused.startswith("'a' ")
    assert len(refused) < 300


def test_none_is_a_missing_value_and_nan_a_number():
    values, refused = taken({"a": None, "b": math.nan})
    assert (list(values), refused) == (["b"], None)


@pytest.mark.parametrize("name", [5, None, b"a", ("a",), "", "x::y", "a\n", "x" * 201, True, math.nan])
def test_a_name_outside_the_grammar_costs_only_its_field(name):
    values, refused = taken({name: 1, "good": 2})
    assert values == {"good": [2]}
    assert "cannot name a field: use 1 to 200 printable characters" in refused


@pytest.mark.parametrize(
    "returned", [5, "text", b"", 1.5, True, {1, 2}, object(), np.array([1]), iter(()), column([1])._replace]
)
def test_what_is_no_sample_is_told_what_would_be_one(returned):
    values, refused = taken(returned)
    assert values == {}
    assert refused.startswith(
        f"sample() returned {type(returned).__name__}: return a dict of field and value, a Frame, or a list"
    )


def test_nothing_is_fine():
    for returned in ({}, [], (), [{}], {"a": None}):
        assert taken(returned) == ({}, None)


def test_a_field_keeps_its_type_and_a_good_value_comes_through_again():
    schema = Schema({})
    schema.frames({"a": 1, "b": "x"}, NOW)
    frames, refused = schema.frames({"a": "one", "b": "y"}, NOW)
    assert [list(frame.columns) for frame in frames] == [["b"]]
    assert refused == "'a' was a number before, and a string came: a field keeps its kind"
    (frame,), refused = schema.frames({"a": 2.5}, NOW)
    assert (frame.columns["a"].values.tolist(), refused) == ([2.5], None)


def test_a_declared_type_and_units_hold():
    declared = {"a": Field("what", type="bool", units="V")}
    assert taken({"a": 1}, declared) == ({}, "'a' is declared as a bool, but a number came")
    schema = Schema(declared)
    schema.frames({"a": True}, NOW)
    assert schema.fields["a"] == Field("what", "samples", "bool", "V")


def test_a_dict_is_a_sample_on_each_timeline_that_its_fields_are_declared_on():
    schema = Schema({"slow": Field(timeline="hourly"), "fast": Field()})
    frames, refused = schema.frames({"slow": 1, "fast": 2, "new": 3}, NOW)
    assert refused is None
    assert {frame.timeline: list(frame.columns) for frame in frames} == {"hourly": ["slow"], "samples": ["fast", "new"]}
    assert schema.fields["slow"].timeline == "hourly"


def test_fields_declared_later_are_looked_up_once_a_sample():
    looks = []

    def current():
        looks.append(1)
        return {f"f{number}": Field(timeline="late", units="K") for number in range(100)}

    schema = Schema({}, current)
    (frame,), _ = schema.frames({f"f{number}": number for number in range(100)}, NOW)
    assert (frame.timeline, schema.fields["f7"].units, len(looks)) == ("late", "K", 1)


def test_fields_that_cannot_be_looked_up_cost_no_value():
    def current():
        raise OSError("the disk is gone")

    values, refused = taken({"a": 1}, current=current)
    assert (values, refused) == ({"a": [1]}, "the node's fields could not be found: OSError: the disk is gone")


# very many, very long


def test_a_million_fields_are_refused_with_a_sentence_and_the_first_are_kept():
    schema = Schema({})
    million = {f"f{number}": number for number in range(1_000_000)}
    for _ in range(2):
        (frame,), refused = schema.frames(million, NOW)
        assert len(frame.columns) == 10_000
        assert refused == "1000000 fields came at once: 10000 at the most, make several nodes of it"
    assert len(schema.fields) == 10_000


def test_ever_new_fields_end_at_the_bound_and_the_known_ones_go_on():
    schema = Schema({})
    for batch in range(3):
        frames, refused = schema.frames({"known": 1, **{f"f{batch}.{number}": 1 for number in range(6_000)}}, NOW)
        assert "known" in frames[0].columns
    assert "more than 10000 fields: make several nodes of it" in refused
    assert refused.endswith("more)")
    assert len(schema.fields) == 10_000
    assert len(refused) < 1000


def test_a_million_dicts_are_refused_with_the_way_to_do_it():
    frames, refused = Schema({}).frames([{}] * 1_000_000, NOW)
    assert frames == []
    assert refused == "sample() returned a list of 1000000: 10000 at the most, a Frame takes any number of rows"


def test_the_texts_of_a_sample_fit_into_a_message():
    values, refused = taken({f"f{number}": "x" * 65_536 for number in range(20)} | {"n": 1})
    assert len(values) == 17
    assert "'f16' has no room beside the other texts: 1048576 characters a sample at the most" in refused
    texts = {f"f{number}": Column(np.array(["", "x" * 65_536], TEXT)) for number in range(20)}
    values, refused = taken(Frame("t", np.array([1, 2]), {**texts, "n": column([1, 2])}))
    assert len(values) == 17
    assert "no room beside the other texts" in refused


# frames


def test_a_frame_keeps_its_rows_on_its_own_timeline():
    schema = Schema({"a": Field(units="V")})
    frame = Frame("scans", np.array([3, 3, 5]), {"a": column([1, None, 3]), "b": column(["x", "y", "z"])})
    (kept,), refused = schema.frames(frame, NOW)
    assert refused is None
    assert (kept.timeline, kept.t.tolist()) == ("scans", [3, 3, 5])
    assert kept.columns["a"].present().tolist() == [True, False, True]
    assert schema.fields == {"a": Field(None, "scans", "number", "V"), "b": Field(None, "scans", "string")}


def test_rows_are_put_in_the_order_of_time_and_equal_times_stay_in_theirs():
    frame = Frame("t", np.array([5, 1, 5, 3]), {"a": column([1, 2, 3, 4])})
    (kept,), _ = Schema({}).frames(frame, NOW)
    assert (kept.t.tolist(), kept.columns["a"].values.tolist()) == ([1, 3, 5, 5], [2, 4, 1, 3])


def test_the_author_may_use_his_arrays_again():
    t, values = np.array([1, 2]), np.array([10.0, 20.0])
    (kept,), _ = Schema({}).frames(Frame("t", t, {"a": Column(values)}), NOW)
    t[:], values[:] = 0, 0
    assert (kept.t.tolist(), kept.columns["a"].values.tolist()) == ([1, 2], [10.0, 20.0])


@pytest.mark.parametrize(
    "values",
    [
        np.array([1, 2], np.int16),
        np.array([1, 2], np.float32),
        np.array([1, 2], ">f8"),
        [1, 2],
        (True, False),
        ["a", None],
    ],
)
def test_columns_of_other_makes_are_settled(values):
    given_column = Column(values) if isinstance(values, np.ndarray) else values
    (kept,), refused = Schema({}).frames(Frame("t", np.array([1, 2], np.int32), {"a": given_column}), NOW)
    assert refused is None
    assert kept.t.dtype == np.int64
    assert kept.columns["a"].values.dtype in (np.dtype("<f8"), np.dtype("<i8"), np.dtype(bool), TEXT)


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (column([1]), "1 values for 2 times"), (Column(np.zeros((2, 2))), "no column"), ([[1], [2]], "not of one type"),
        (Column([1, 2]), "holds an array"), (Column(np.array([1, 2]), np.array([True])), "marked by as many booleans"),
        (Column(np.array(["a", "b"])), "holds an array"), (np.array([1j, 2j]), "not of one type"), (5, "not iterable"),
        ([10**400, 1], "too large"), (column(["x" * 65_537, ""]), "65537 characters"), (None, "not iterable"),
    ],
)  # fmt: skip
def test_a_broken_column_costs_only_itself(broken, said):
    values, refused = taken(Frame("t", np.array([1, 2]), {"a": broken, "good": column([1, 2])}))
    assert values == {"good": [1, 2]}
    assert refused.startswith("'a': ")
    assert said in refused


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        (Frame("t", np.array([1.5, 2.5]), {"a": column([1, 2])}), "are of type float64: give int64, nanoseconds since 1970"),
        (Frame("t", ["now"], {"a": column([1])}), "give int64"), (Frame("t", np.zeros((2, 2), int), {}), "give one time a row"),
        (Frame("a::b", np.array([1]), {"a": column([1])}), "cannot name a timeline"),
        (Frame("", np.array([1]), {"a": column([1])}), "cannot name a timeline"),
        (Frame(None, np.array([1]), {"a": column([1])}), "cannot name a timeline"),
        (Frame("health", np.array([1]), {"a": column([1])}), "is taken by the health that every node has"),
    ],
)  # fmt: skip
def test_a_frame_that_is_none_is_refused_with_a_sentence(frame, said):
    values, refused = taken([frame, {"good": 1}])
    assert values == {"good": [1]}
    assert said in refused


def test_health_is_the_node_s_own():
    values, refused = taken({"health.state": "fine", "health.other": 1})
    assert values == {"health.other": [1]}
    assert "'health.state' on 'samples' is taken by the health that every node has: use other names" in refused


def test_a_field_stays_on_its_timeline():
    schema = Schema({})
    schema.frames({"a": 1}, NOW)
    frames, refused = schema.frames(Frame("other", np.array([1]), {"a": column([1]), "b": column([2])}), NOW)
    assert [list(frame.columns) for frame in frames] == [["b"]]
    assert refused == "'a' is on the timeline 'samples', and came on 'other': a field stays on one"


def test_a_list_is_several_of_them():
    values, refused = taken([{"a": 1}, Frame("t", np.array([1, 2]), {"b": column([1, 2])}), 5])
    assert values == {"a": [1], "b": [1, 2]}
    assert "sample() returned int" in refused


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4) | st.binary(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(NAMES | st.integers(), inner, max_size=3)
        | st.builds(
            Frame,
            st.just("t") | st.integers(),
            st.lists(st.integers(-9, 9), max_size=3).map(np.array),
            st.dictionaries(NAMES, inner),
        )
    ),
    max_leaves=8,
)


@given(st.lists(ANY, max_size=4))
def test_whatever_is_returned_gives_sound_frames_and_sentences(samples):
    schema = Schema({})
    for returned in samples:
        frames, refused = schema.frames(returned, NOW)
        assert refused is None or 0 < len(refused) < 2000
        for frame in frames:
            assert len(frame)
            assert (np.diff(frame.t) >= 0).all()
            for name, made in frame.columns.items():
                assert made.values.shape == frame.t.shape
                assert schema.fields[name].type == made.type
                assert schema.fields[name].timeline == frame.timeline
