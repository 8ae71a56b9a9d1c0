"""The arguments of a call as a query, or a sentence."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sisock.frames import Query
from sisock.nodes.query import parse_query
from sisock.times import FIRST, LAST, NS

NOW = 1_763_000_000 * NS


def test_what_existing_callers_ask():
    assert parse_query(["a", "b"], -60, 0, now=NOW) == Query(("a", "b"), NOW - 60 * NS, NOW)
    assert parse_query(["a"], 1, 0, 1.5, now=NOW) == Query(("a",), FIRST, LAST, 1_500_000_000)
    assert parse_query((), 10, 20, 0, now=NOW) == Query((), 10 * NS, 20 * NS)


def test_what_our_own_callers_ask():
    query = parse_query(["a"], 1, 2, max_points=5, reduce="band", since={"t": ["e", 7]}, now=NOW)
    assert (query.max_points, query.reduce, query.since) == (5, "band", {"t": ("e", 7)})


def test_times_to_the_nanosecond_come_in_place_of_seconds():
    query = parse_query(["a"], 5, 6, ns=[FIRST, 1_700_000_000_000_000_001], now=NOW)
    assert (query.start, query.end) == (FIRST, 1_700_000_000_000_000_001)


def test_what_one_recorder_asks_of_a_node_and_a_node_of_its_archive():
    query = parse_query(["a"], 1, 0, reduce="bins", statistics=["min", "t_min"], own=True, now=NOW)
    assert (query.statistics, query.own) == (("min", "t_min"), True)


def test_a_field_asked_for_twice_is_answered_once():
    assert parse_query(["a", "b", "a"], 1, 2, now=NOW).fields == ("a", "b")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"fields": "a"}, "takes a list of field names first"), ({"fields": None}, "takes a list"),
        ({"fields": ["a", 5]}, "takes a list"), ({"fields": {"a": 1}}, "takes a list"),
        ({"fields": ["a"] * 10_001}, "10001 fields are too many for one call: ask for 10000 at the most"),
        ({"start": "now"}, "'now' is not a time"), ({"start": True}, "not a time"), ({"end": None}, "not a time"),
        ({"end": math.nan}, "not NaN"), ({"start": [1]}, "not a time"),
        ({"min_stride": -1}, "not a number of seconds"), ({"min_stride": "1s"}, "not a number of seconds"),
        ({"min_stride": True}, "not a number of seconds"), ({"min_stride": math.nan}, "not a number of seconds"),
        ({"max_points": 0}, "not a whole number from 1 to 1000000"), ({"max_points": -5}, "not a whole number"),
        ({"max_points": 10.0}, "not a whole number"), ({"max_points": True}, "not a whole number"),
        ({"max_points": "10"}, "not a whole number"), ({"max_points": 10**7}, "not a whole number"),
        ({"reduce": "fft"}, "reduce='fft' is unknown: use one of minmax"), ({"reduce": ["minmax"]}, "is unknown"),
        ({"reduce": 5}, "is unknown"), ({"reduce": {}}, "is unknown"), ({"reduce": ""}, "is unknown"),
        ({"since": 5}, "not of the form"), ({"since": ["t"]}, "not of the form"), ({"since": {"t": 5}}, "not of the form"),
        ({"since": {"t": ["e"]}}, "not of the form"), ({"since": {"t": ["e", "x"]}}, "not of the form"),
        ({"since": {"t": ["e", math.inf]}}, "not of the form"), ({"since": {"t": ["e", None]}}, "not of the form"),
        ({"since": {"t": ["e", 1, 2]}}, "not of the form"),
        ({"ns": 5}, "not two times"), ({"ns": [1]}, "not two times"), ({"ns": [1, 2.0]}, "not a whole number of nano"),
        ({"ns": [1, 2**63]}, "as an int64 holds it"), ({"ns": [True, 2]}, "not a whole number of nanoseconds"),
        ({"statistics": "min"}, "a list of some of count, missing, min"), ({"statistics": ["mode"]}, "a list of some of"),
        ({"statistics": [[]]}, "a list of some of"),
    ],
)  # fmt: skip
def test_what_is_no_query_is_a_sentence(options, said):
    arguments = {"fields": ["a"], "start": 1, "end": 2, **options}
    with pytest.raises(ValueError, match=said):
        parse_query(arguments.pop("fields"), arguments.pop("start"), arguments.pop("end"), **arguments, now=NOW)


@pytest.mark.parametrize("stride", [math.inf, 1e300, 10**400])
def test_an_absurd_stride_is_the_longest_there_is(stride):
    assert parse_query(["a"], 1, 0, stride, now=NOW).min_stride == LAST


def test_a_sentence_is_short_whatever_was_asked():
    with pytest.raises(ValueError, match="unknown") as refusal:
        parse_query(["a"], 1, 0, reduce="x" * 10_000_000, now=NOW)
    assert len(str(refusal.value)) < 200


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3) | st.binary(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3) | st.integers(), inner, max_size=2),
    max_leaves=5,
)


@given(
    st.lists(JUNK, min_size=3, max_size=4),
    st.dictionaries(st.sampled_from(["max_points", "reduce", "since", "ns", "statistics", "own"]), JUNK),
)
def test_junk_is_a_query_or_a_value_error(arguments, options):
    try:
        query = parse_query(*arguments, **options, now=NOW)
    except ValueError:
        return
    assert FIRST <= query.start <= LAST
    assert FIRST <= query.end <= LAST
    assert all(isinstance(name, str) for name in query.fields)
