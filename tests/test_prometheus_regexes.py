"""Regular expressions of the bridge as a Prometheus: what they match, and that what they cost is bounded."""

import re
import time

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grafana_json.app import create_app
from grafana_json.prometheus.grammar import parse
from grafana_json.prometheus.matching import Catalog, Finder, Selector
from grafana_json.prometheus.regexes import Budget, Pattern, PatternError
from grafana_json.prometheus.trouble import QueryError
from sisock.frames import Column, Field, Frame
from sisock.listing import Node
from sisock.settings import Settings
from sisock.times import NS
from tests.laboratory_samples import made
from tests.memory import Memory
from tests.promql import SOON, START, asked


@pytest.fixture(scope="module")
def client():
    source, _ = made()
    return create_app(source, Settings(bridge_deadline=2)).test_client()


PIECES = [
    "a",
    "b",
    ".",
    "a*",
    "b+?",
    "(a|b)",
    "[^a]",
    "[a-c]{2}",
    "a{1,2}",
    "(?:ab|a)(c?)",
    "\\.",
    "\\d",
    "()",
    "^",
    "$",
    "(a*)*",
    "x|y",
]


@given(st.lists(st.sampled_from(PIECES), max_size=6).map("".join), st.text(alphabet="abc.1x\n", max_size=8))
def test_patterns_match_what_re2_and_python_match(pattern, text):
    theirs = pc.match_substring_regex(pa.array([text]), f"^(?s:{pattern})$")[0].as_py()
    found = re.fullmatch(pattern, text, re.DOTALL)
    automaton = Pattern(pattern, groups=True)
    assert automaton.matches(text) is theirs is (found is not None)
    groups = automaton.find(text)
    assert (groups is not None) is theirs
    if found is not None and "*)*" not in pattern:  # of a group that matched nothing Python remembers something else
        assert groups == {"0": text, **{str(i + 1): each or "" for i, each in enumerate(found.groups())}}


@pytest.mark.parametrize(
    "pattern",
    ["(", ")", "a{2,1}", "[", "[b-a]", "*", "a{1001}", "\\y", "(?<a", "(?z)", "\\p{Nobody}", "\\xzz", "(?P<n>"],
)
def test_a_pattern_that_cannot_be_read_says_why(pattern):
    with pytest.raises(PatternError):
        Pattern(pattern)


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("(?i)GÄRTEN", "gärten", True),
        ("[[:alpha:]]+[[:^alpha:]]", "abc1", True),
        ("[^\\W]+[\\d-]", "a_1-", True),
        ("\\Qa.b*\\E+", "a.b**", True),
        ("\\x41\\x{1F600}\\t", "A😀\t", True),
        ("a.c", "a\nc", True),
        ("", "", True),
        ("a|", "", True),
        ("[]a]+", "]a", True),
        ("a{,2}", "a{,2}", True),
        ("(?i:a)b", "Ab", True),
        ("(?i:a)b", "AB", False),
    ],
)
def test_patterns_are_read_as_re2_reads_them(pattern, text, expected):
    assert Pattern(pattern).matches(text) is expected
    assert pc.match_substring_regex(pa.array([text]), f"^(?s:{pattern})$")[0].as_py() is expected


def test_hostile_patterns_among_many_names_are_refused_soon():
    node = Node("n", "")
    fields = {"n": {f"{'ab' * 80}{i}": Field() for i in range(10_000)}}
    catalog = Catalog({"n": node}, fields)
    began = time.process_time()
    every = ",".join(f'field=~"(a|b)*a(a|b){{{count}}}[0-9]*"' for count in (41, 51, 61))
    with pytest.raises(QueryError, match="takes too long"):
        Finder(catalog).find(Selector.of(parse(f"{{{every}}}")))
    assert time.process_time() - began < SOON


REPLACED = 'label_replace({field!=""}, "a", "$1", "field", "%s")'


@pytest.mark.parametrize(
    ("query", "why"),
    [
        (REPLACED % f"(?:{'()' * 2300}.)*", "more than 50 groups"),
        (" or ".join([REPLACED % f"(?:{'()' * 45}(?:.?){{400}})*"] * 40), "takes too long"),
        (" or ".join(REPLACED % f"(?i)\\\\pL{{{n}}}[a-z]*" for n in range(1, 41)), "takes too long"),
        (REPLACED % "(?i)\\\\pL{400}", "pattern too large"),
    ],
    ids=["groups", "groups-often", "compiled-often", "compiled-large"],
)
def test_what_regular_expressions_cost_is_bounded_for_the_whole_request(query, why):
    fields = {f"{'ab' * 90}{i}": Field() for i in range(20)}
    columns = {name: Column(np.ones(1)) for name in fields}
    source = Memory({"n": (fields, Frame("samples", np.array([START * NS]), columns))})
    answer = asked(create_app(source, Settings(bridge_deadline=2)).test_client(), "query", query=query, time=START)
    assert why in answer["error"]


def test_work_is_refused_before_it_is_done():
    spent = []

    class Counting(Budget):
        def spend(self, work):
            spent.append(work)
            super().spend(work)

    pattern = Pattern("(a|b)*" * 50, Counting(), groups=True)
    compiled = sum(spent)
    assert compiled > 50
    pattern.find("ab" * 100)
    assert sum(spent) - compiled > 201
    with pytest.raises(QueryError, match="takes too long"):
        pattern.find("ab" * 10_000_000)


def test_groups_are_few():
    with pytest.raises(PatternError, match="50 groups"):
        Pattern("(a)" * 51, groups=True)
    assert Pattern("(a)" * 51).matches("a" * 51)
    assert Pattern("(a)" * 50, groups=True).find("a" * 50) is not None


MATCHERS = ",".join('a{}~"(?i)\\\\pL{{40}}"'.format("=!"[n % 2]) for n in range(160))


@pytest.mark.parametrize(
    ("path", "name", "texts", "why"),
    [
        ("query", "query", [f"x{{{MATCHERS}}}"], "more than 20 regular expressions"),
        ("query", "query", [" or ".join(['x{a=~"(?i)\\\\pL{40}"}'] * 21)], "more than 20 regular expressions"),
        ("series", "match[]", ['{__name__=~"x",a!~"(?i)\\\\pL{40}"}'] * 100, "more than 20 regular expressions"),
        ("labels", "match[]", [f"x{{a=~'(?i)\\\\pL{{4{n}}}'}}" for n in range(8)], "too large"),
        ("query", "query", [f'x{{a=~ # why "\n "{"(ab|c)*" * 1500}"}}'], "longer than 10000 characters"),
        ("query", "query", [f"x{{a=~`{'ab' * 4000}`,b=~`{'ba' * 4000}`}}"], "10000 characters"),
    ],
    ids=["one-selector", "one-query", "many-selectors", "large", "after-a-comment", "together"],
)
def test_what_the_parser_would_compile_is_counted_before_it_is_parsed(client, path, name, texts, why):
    assert why in asked(client, path, **{name: texts})["error"]


def test_patterns_are_counted_where_they_are_patterns_only(client):
    texts = ",".join('a="=~"' for _ in range(30))
    assert asked(client, "query", query=f'x{{{texts}}} # =~ "" {"=~ " * 30}')["status"] == "success"
    assert asked(client, "query", query='{node=~"alpha|beta",field=~"temp.*"}', time=START + 60)["data"]["result"]


@pytest.mark.parametrize("pattern", ["\\\\Qa.b\\\\E", "a\\\\C"])
def test_what_the_page_says_is_refused_in_selectors_is(client, pattern):
    assert "illegal regex" in asked(client, "query", query=f'x{{a=~"{pattern}"}}')["error"]
    replaced = f'label_replace(vector(1), "a", "b", "a", "{pattern}")'
    assert asked(client, "query", query=replaced)["status"] == "success"
