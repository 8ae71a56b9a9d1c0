"""Whatever expression is asked, the bridge answers soon and in Prometheus's form: never an error of its own."""

import json

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from grafana_json.app import create_app
from sisock.frames import Column, Field, Frame
from sisock.settings import Settings
from sisock.times import NS
from tests.laboratory_samples import made
from tests.memory import Memory
from tests.promql import START, asked

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


# what is computed -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "query",
    [
        "topk(2000, " * 50 + "sisock" + ")" * 50,
        "quantile without () (0.5, " * 25 + "sisock" + ")" * 25,
        "day_of_month(" * 50 + "sisock" + ")" * 50,
        "sisock" + " + 1" * 400,
        "quantile_over_time(0.5, (sisock > bool 0)[1000s:1s])",
    ],
    ids=["topk", "quantile", "calendar", "sum", "quantile over time"],
)
def test_what_takes_too_much_computing_is_refused_before_it_is_done(query):
    answer = asked(many(500), "query_range", query=f"count({query})", start=START, end=START + 1999, step=1)
    assert (answer["errorType"], "takes too much computing" in answer["error"]) == ("execution", True)


@pytest.mark.parametrize(
    "query",
    ["topk(2000, " * 50 + "sisock" + ")" * 50, "sisock" + " + 1" * 400, "sisock" + " + sisock" * 20],
    ids=["topk", "sum", "many"],
)
def test_what_is_seen_to_be_too_much_asks_no_node(query):
    frame = Frame("samples", np.array([START]) * NS, {f"f{i}": Column(np.ones(1)) for i in range(500)})
    source = Memory({"n": (dict.fromkeys(frame.columns, Field()), frame)})
    client = create_app(source, Settings(bridge_deadline=2)).test_client()
    answer = asked(client, "query_range", query=query, start=START, end=START + 1999, step=1)
    assert (answer["errorType"], source.asked) == ("execution", [])


def test_a_long_sum_is_still_a_sum(client):
    answer = asked(client, "query", query="1" + "+1" * 498, time=START)
    assert answer["data"]["result"][1] == "499"


def test_values_are_counted_at_once_and_too_many_are_refused_at_once():
    client, given = many(500), {"start": START, "end": START + 1999, "step": 1}
    answer = asked(client, "query_range", query="count_values('v', vector(time()))", **given)
    assert "more than 1000 series" in answer["error"]
    answer = asked(client, "query_range", query="count_values('v', sisock > bool 0)", **given)
    ((counted),) = answer["data"]["result"]
    assert (counted["metric"], set(map(tuple, counted["values"]))) == (
        {"v": "1"},
        {(START + at, "500") for at in range(360)},
    )


def test_computing_ends_when_the_time_is_over():
    client = many(500)
    given = {"start": START, "end": START + 1999, "step": 1, "timeout": "0.2"}
    answer = asked(client, "query_range", query=f"count(sisock{' + 1' * 180})", **given)
    assert (answer["errorType"], "took too long" in answer["error"]) == ("timeout", True)
