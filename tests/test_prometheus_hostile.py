"""Whatever expression is asked, the bridge answers soon and in Prometheus's form: never an error of its own."""

import json
import re
import time

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import HealthCheck, example, given, settings
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
from tests.laboratory_samples import BEGIN, made
from tests.memory import Memory

SOON = 10.0  # seconds of processor: without a bound it would be minutes
START = BEGIN // 1000
quick = settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])

labels = st.sampled_from(["node", "field", "unit", "__name__", "x"])
patterns = st.sampled_from(
    ["al.*", "(a|b)+", "", ".+", "(a*)*b", "[^x]{1,3}", "(?i)ALPHA", "temperature|level", "(((", "\\d"]
)
matchers = st.builds(
    lambda name, op, value: f"{name}{op}{json.dumps(value)}", labels, st.sampled_from(["=", "!=", "=~", "!~"]), patterns
)
names = st.sampled_from(["temperature", "requests", "pump_on", "load", "level", "sisock", "up", "nothing", ""])
lengths = st.sampled_from(["1ms", "1s", "5m", "1h", "1d", "100y", "0s"])
selectors = st.builds(lambda name, some: f"{name}{{{','.join(some)}}}", names, st.lists(matchers, max_size=3))
times = st.sampled_from(
    ["", "", "", " offset 5m", " offset -1y", " @ 0", " @ 1e15", " @ start()", " @ end() offset 3s", " offset 9000y"]
)
instants = st.builds(lambda selector, when: selector + when, selectors, times)
ranges = st.builds(lambda selector, length, when: f"{selector}[{length}]{when}", selectors, lengths, times)
OVER_TIME = [
    "avg_over_time",
    "min_over_time",
    "count_over_time",
    "rate",
    "irate",
    "delta",
    "changes",
    "deriv",
    "stddev_over_time",
]
PLAIN = [
    "abs",
    "sqrt",
    "ln",
    "round",
    "absent",
    "scalar",
    "timestamp",
    "sort",
    "hour",
    "sgn",
    "vector",
    "histogram_quantile",
    "exp",
]
AGGREGATIONS = ["sum", "avg", "count", "min", "topk", "quantile", "stddev", "count_values", "group", "bottomk"]
OPERATORS = [
    "+",
    "-",
    "*",
    "/",
    "%",
    "^",
    "==",
    ">",
    "<= bool",
    "and",
    "or",
    "unless",
    "atan2",
    "+ on(node)",
    "* on(node) group_left(unit)",
    "/ ignoring(field)",
]
numbers = st.sampled_from(["0", "1", "-1", "NaN", "Inf", "1e308", "0.5", "time()", "1e-320"])
expressions = st.recursive(
    instants | numbers | st.builds(lambda name, of: f"{name}({of})", st.sampled_from(OVER_TIME), ranges),
    lambda inner: (
        st.builds(lambda name, of: f"{name}({of})", st.sampled_from(PLAIN), inner)
        | st.builds(lambda op, a, b: f"({a}) {op} ({b})", st.sampled_from(OPERATORS), inner, inner)
        | st.builds(
            lambda op, by, of: f"{op} {by} ({of})",
            st.sampled_from(AGGREGATIONS),
            st.sampled_from(["", "by (node)", "without (node, field)"]),
            inner,
        )
        | st.builds(
            lambda op, k, of: f"{op}({k}, {of})", st.sampled_from(AGGREGATIONS), numbers | st.just('"v"'), inner
        )
        | st.builds(lambda of, a, b: f"max_over_time(({of})[{a}:{b}])", inner, lengths, lengths)
        | st.builds(
            lambda of, pattern: f'label_replace({of}, "x", "$1$2${{name}}", "node", {json.dumps(pattern)})',
            inner,
            patterns,
        )
        | st.builds(lambda of: f"-{of}", inner)
    ),
    max_leaves=6,
)
moments = st.sampled_from(
    [str(START + 3600), "0", "-1", "1e9", "9e9", "9.3e9", "NaN", "2026-02-02T01:00:00Z", "x", "", "-9e9"]
)


@pytest.fixture(scope="module")
def client():
    source, _ = made()
    return create_app(source, Settings(bridge_deadline=2)).test_client()


def asked(client, path, **given):
    """The answer, which is in the form of Prometheus, without NaN in it."""
    began = time.process_time()
    response = client.post(f"/api/v1/{path}", data=given)

    def refuse(constant):
        raise AssertionError(f"{constant} is no JSON")

    answer = json.loads(response.data, parse_constant=refuse)
    assert time.process_time() - began < SOON
    assert response.status_code in (200, 400, 422, 503), answer
    assert (answer["status"] == "success") == (response.status_code == 200)
    assert response.status_code == 200 or set(answer) == {"status", "errorType", "error"}
    return answer


@quick
@given(expressions, moments)
@example("temperature @ 1e15", "0")
def test_any_expression_at_an_instant_has_an_answer(client, expression, at):
    asked(client, "query", query=expression, time=at)


@quick
@given(expressions, moments, moments, st.sampled_from(["60", "1h", "1ms", "0", "-1", "7s", "1e30", "x"]))
def test_any_expression_over_a_range_has_an_answer(client, expression, start, end, step):
    asked(client, "query_range", query=expression, start=start, end=end, step=step)


@quick
@given(st.text(max_size=60) | st.text(alphabet="ab{}()[]\"'=~!,.*+-5m:@ \\", max_size=80))
def test_any_text_has_an_answer(client, text):
    for path, name in (("query", "query"), ("series", "match[]"), ("labels", "match[]")):
        asked(client, path, **{name: text})


@pytest.mark.parametrize(
    "query",
    [
        "1" + "+1" * 5_000,  # overflows the parser's stack
        "(" * 5_000 + "1" + ")" * 5_000,
        "abs(" * 5_000 + "a" + ")" * 5_000,
        "a[1h:1m]" * 300,
        "-" * 2_000 + "a",
        "1" + "-1" * 498,
        '{a=~"' + "(" * 60 + "a*" + ")*" * 60 + '"}',
        '{node=~"(a{900}){900}"}',
        '{node=~"' + "(a|b)*a(a|b){300}" + '"}',
        "max_over_time(" * 20 + "temperature" + "[1d:1s])" * 20,
        "avg_over_time(temperature[1d:1ms])",
        "a" * 60_000,
        '"' + "a" * 60_000,
        "(1" + "+1" * 480 + ")[1h:1m]",
        "temperature offset 99999999y",
        "temperature[99999999y]",
        "rate(temperature[290y])",
        'count_values("v", rate(temperature[1m])[1h:1s])',
    ],
    ids=range(18),
)
def test_what_would_hurt_has_an_answer(client, query):
    asked(client, "query", query=query, time=START + 7000)
    asked(client, "query_range", query=query, start=START, end=START + 7200, step=1)


def test_no_more_steps_than_prometheus_has(client):
    given = {"query": "temperature", "start": 0, "step": 1}
    assert asked(client, "query_range", end=11_000, **given)["status"] == "success"
    assert "11000" in asked(client, "query_range", end=11_001, **given)["error"]


# regular expressions ----------------------------------------------------------------------------

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


# what is held at the same time ------------------------------------------------------------------


def many(fields):
    """A client of a bridge with one node of so many fields."""
    names = [f"f{i}" for i in range(fields)]
    columns = {name: Column(np.ones(2)) for name in names}
    frame = Frame("samples", np.array([START, START + 60]) * NS, columns)
    return create_app(Memory({"n": (dict.fromkeys(names, Field()), frame)}), Settings(bridge_deadline=2)).test_client()


@pytest.mark.parametrize(
    "query",
    [
        " or ".join(f'label_replace(sisock, "k", "{i}", "", "")' for i in range(7)),
        " + ".join(["sisock"] * 7),
        "sisock or (sisock or (sisock or (sisock or (sisock or (sisock or sisock)))))",
    ],
    ids=["or", "plus", "nested"],
)
def test_the_values_of_a_request_are_counted_over_all_its_selectors(query):
    given = {"start": START, "end": START + 999, "step": 1}
    answer = asked(many(500), "query_range", query=query, **given)
    assert (answer.get("errorType"), "too much for one answer" in answer.get("error", "")) == ("execution", True)
    assert asked(many(10), "query_range", query=query, **given)["status"] == "success"


@pytest.mark.parametrize(
    "query", ['count_values("v", floor(vector(time() / 20)))', f"max_over_time((sisock @ {START})[1y:1y])"]
)
def test_what_becomes_of_few_values_is_counted_too(query):
    answer = asked(many(500), "query_range", query=query, start=START, end=START + 10_999, step=1)
    assert "too much for one answer" in answer["error"]


@pytest.mark.parametrize("pattern", ["\\\\Qa.b\\\\E", "a\\\\C"])
def test_what_the_page_says_is_refused_in_selectors_is(client, pattern):
    assert "illegal regex" in asked(client, "query", query=f'x{{a=~"{pattern}"}}')["error"]
    replaced = f'label_replace(vector(1), "a", "b", "a", "{pattern}")'
    assert asked(client, "query", query=replaced)["status"] == "success"
