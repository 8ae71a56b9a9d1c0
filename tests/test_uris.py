"""The grammar of names and targets."""

import contextlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sisock.uris import Uris, check_field, check_node, fields_of, split_target

NODES = st.from_regex(re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,62}", re.ASCII), fullmatch=True)
FIELDS = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=200).filter(
    lambda name: "::" not in name
)


@pytest.mark.parametrize("name", ["a", "Z", "weather", "host-2", "a_b-c", "x" * 63])
def test_a_node_is_named_by_a_letter_and_up_to_62_letters_digits_and_dashes(name):
    assert check_node(name) == name


@pytest.mark.parametrize(
    "name",
    [
        *("", "1a", "_a", "-a", "a b", "a.b", "a/b", "a:b", "a::b", "é", "aé", "a٣", "a\n", "\na", "a\0", "x" * 64),
        *(None, 1, True, b"a", ["a"], {"a": 1}),
    ],
)
def test_other_names_of_nodes_are_refused_with_the_cure(name):
    with pytest.raises(ValueError, match="cannot name a data node: use a letter"):
        check_node(name)


@pytest.mark.parametrize(
    "name", ["a", "temperature °C", "cpu.0", "a:b", ":", "a:", "x/y", "温度", "😀", " ", "x" * 200]
)
def test_a_field_is_named_by_any_printable_text(name):
    assert check_field(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "x" * 201,
        "a::b",
        "::",
        "a\n",
        "a\tb",
        "a\0",
        "\x7f",
        "\u200b",
        "\ud800",
        "\u2028",
        None,
        1,
        1.5,
        True,
        b"a",
        (),
        [],
    ],
)
def test_other_names_of_fields_are_refused_with_the_cure(name):
    with pytest.raises(ValueError, match="cannot name a field: use 1 to 200 printable"):
        check_field(name)


def test_a_timeline_follows_the_grammar_of_fields_under_its_own_name():
    assert check_field("scans", "timeline") == "scans"
    with pytest.raises(ValueError, match="cannot name a timeline"):
        check_field("a::b", "timeline")


def test_a_refusal_is_short_whatever_was_given():
    with pytest.raises(ValueError, match="cannot name") as refusal:
        check_field("x" * 10_000_000)
    assert len(str(refusal.value)) < 200


@given(NODES, FIELDS)
def test_a_target_is_a_node_and_a_field(node, field):
    assert split_target(f"{node}::{field}") == (node, field)


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("weather", "is not a target: write it as node::field"),
        ("weather:temp", "'weather:temp' is not a target: did you mean weather::temp"),
        ("", "is not a target"),
        (None, "is not a target"),
        (7, "is not a target"),
        (["a::b"], "is not a target"),
        ("::temp", "cannot name a data node"),
        ("we ather::temp", "cannot name a data node"),
        ("weather::", "cannot name a field"),
        ("weather::a::b", "cannot name a field"),
        ("weather::a\n", "cannot name a field"),
    ],
)
def test_anything_else_is_no_target_and_told_why(target, said):
    with pytest.raises(ValueError, match=said):
        split_target(target)


def test_colons_at_the_edge_belong_to_the_field():
    assert split_target("a:::b") == ("a", ":b")
    assert split_target("a::b:") == ("a", "b:")


@given(st.one_of(st.text(), st.none(), st.integers(), st.binary(), st.lists(st.text())))
def test_checks_return_the_name_or_raise_a_value_error(junk):
    for check in (check_node, check_field, split_target):
        with contextlib.suppress(ValueError):
            check(junk)


@given(NODES, st.sampled_from(["org.simonsobservatory", "a", "a+b"]))
def test_the_uri_of_a_node_s_answer_tells_its_name(node, prefix):
    uris = Uris(prefix)
    match = uris.nodes_of_existing.fullmatch(uris.node(node, "get_data"))
    assert match is not None
    assert match[1] == node
    assert not uris.nodes_of_existing.fullmatch(uris.node(node, "get_fields"))
    assert not uris.nodes_of_existing.fullmatch(uris.get_data_node)


def test_existing_programs_find_their_uris():
    uris = Uris()
    assert [uris.add, uris.subtract, uris.get_data_node, uris.added, uris.subtracted, uris.node("x", "get_data")] == [
        "org.simonsobservatory.data_node.add",
        "org.simonsobservatory.data_node.subtract",
        "org.simonsobservatory.consumer.get_data_node",
        "org.simonsobservatory.consumer.data_node_added",
        "org.simonsobservatory.consumer.data_node_subtracted",
        "org.simonsobservatory.consumer.x.get_data",
    ]


def test_targets_may_be_whole_nodes():
    assert fields_of(["a::x", "b", "a::y", "a::x", "b::z", "c::x", "c"]) == {"a": ["x", "y"], "b": None, "c": None}
    for wrong in ("a b", "::x", "a::", "a::b::c"):
        with pytest.raises(ValueError, match=r"use |write it"):
            fields_of([wrong])


def test_one_colon_where_two_belong_is_told():
    with pytest.raises(ValueError, match=r"'host:load/1' is not a target: did you mean host::load/1\?"):
        fields_of(["weather", "host:load/1"])
    with pytest.raises(ValueError, match="':cpu' cannot name a data node"):
        fields_of([":cpu"])


def test_an_archive_is_known_by_its_uri():
    uris = Uris("org.example")
    assert uris.archives.fullmatch(uris.archive("weather", "get_data"))[1] == "weather"
    assert not uris.archives.fullmatch(uris.archive("weather", "get_fields"))
    assert not uris.archives.fullmatch(uris.node("weather", "get_data"))
