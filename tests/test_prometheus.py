"""What whoever speaks to a Prometheus asks and is answered; the golden cases, as Grafana sends them, lie in cases/prometheus."""

import json
import math
import re
import time
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grafana_json.app import create_app
from grafana_json.prometheus import asked, door, evaluate, fetching, grammar, selecting
from grafana_json.prometheus.evaluate import Evaluation
from grafana_json.prometheus.functions import OF_NUMBERS
from grafana_json.prometheus.naming import metric_name, series_of
from grafana_json.prometheus.overtime import FUNCTIONS
from grafana_json.prometheus.samples import of_bins, of_values
from grafana_json.prometheus.windows import Windows, fold
from sisock import reduction
from sisock.frames import Column, Field, Frame, Query
from sisock.listing import Node
from sisock.settings import Settings
from sisock.times import NS
from tests.bridge import serving
from tests.described import Described
from tests.memory import MONDAY, Memory, memory

CASES = sorted((Path(__file__).parent / "cases" / "prometheus").glob("*.json"))
DAY = 86_400


@pytest.fixture
def source():
    return memory()


@pytest.fixture
def client(source):
    yield create_app(source, Settings(bridge_deadline=0.5)).test_client()
    source.let_go.set()


def strict(response):
    """The answer, which must be JSON without NaN or Infinity."""

    def refuse(constant):
        raise AssertionError(f"{constant} is no JSON")

    return json.loads(response.data, parse_constant=refuse)


def ask(client, query, at=MONDAY, **more):
    return strict(client.get("/api/v1/query", query_string={"query": query, "time": at, **more}))


def over(client, query, start, end, step, **more):
    given = {"query": query, "start": start, "end": end, "step": step, **more}
    return strict(client.get("/api/v1/query_range", query_string=given))


def numbers(answer):
    """The values of the only series by time."""
    assert answer["status"] == "success", answer
    ((only),) = answer["data"]["result"]
    listed = only["values"] if "values" in only else [only["value"]]
    return {t: float(value) for t, value in listed}


def one_node(t, values, name="x", units=None, **more):
    """A consumer with one node that has one field; times in seconds."""
    ns = np.asarray(np.round(np.asarray(t, float) * 1000), np.int64) * 10**6
    return Memory({"n": ({name: Field(units=units, **more)}, Frame("samples", ns, {name: Column(np.asarray(values))}))})


def client_of(source):
    return create_app(source, Settings(bridge_deadline=0.5)).test_client()


# as Grafana asks --------------------------------------------------------------------------------


@pytest.mark.parametrize("path", CASES, ids=[path.stem for path in CASES])
def test_what_grafana_sends_is_answered_as_before_and_as_described(client, path):
    case = json.loads(path.read_text())
    method = case.get("method", "POST")
    form = {"data": case["form"]} if "form" in case else {}
    response = client.open(case["path"], method=method, **form)
    assert (response.status_code, strict(response)) == (case.get("status", 200), case["answer"])
    described = Described(client.get("/openapi.json").json)
    name = case["path"].partition("?")[0].replace("/__name__/", "/{name}/").replace("/node/", "/{name}/")
    assert described.operation(name, method).trouble_answered(response.status_code, case["answer"]) is None


def test_the_version_says_whose_rules_are_followed(client):
    data = strict(client.get("/api/v1/status/buildinfo"))["data"]
    assert data["version"] == "3.0.0"
    assert data["revision"].startswith("sisock ")


# names ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "metric"),
    [
        ("cpu", "cpu"),
        ("cpu (core 0)", "cpu_core_0"),
        ("mem.free", "mem_free"),
        ("network/eth0/received", "network_eth0_received"),
        ("4K stage", "_4K_stage"),
        ("温度", "_"),
        ("a__b_", "a__b_"),
        ("a:b", "a:b"),
        ("up", "up_"),
        ("sisock", "sisock_"),
    ],
)
def test_a_metric_is_called_as_the_field_as_far_as_it_may(field, metric):
    assert metric_name(field) == metric


@given(st.text(min_size=1, max_size=30))
def test_every_field_has_a_legal_name(field):
    name = metric_name(field)
    assert name.isascii()
    assert name.replace(":", "_").isidentifier()
    assert name not in ("up", "sisock")


def test_labels_are_node_field_unit_and_tags():
    node = Node("n", "", info={"tags": ["lab", "cold"]})
    up, field = series_of(node, {"a b": Field(units="K"), "word": Field(type="string")})
    assert field.labels == {"__name__": "a_b", "field": "a b", "node": "n", "unit": "K", "tags": ",cold,lab,"}
    assert up.labels == {"__name__": "up", "node": "n", "tags": ",cold,lab,"}


def test_fields_whose_names_become_the_same_stay_apart(client):
    fields = {"a.b": Field(), "a b": Field()}
    t = np.array([MONDAY * NS])
    columns = {"a.b": Column(np.array([1.0])), "a b": Column(np.array([2.0]))}
    client = client_of(Memory({"n": (fields, Frame("samples", t, columns))}))
    found = {each["metric"]["field"]: each["value"][1] for each in ask(client, "a_b")["data"]["result"]}
    assert found == {"a.b": "1", "a b": "2"}
    assert numbers(ask(client, 'a_b{field="a b"}')) == {MONDAY: 2}


def test_every_field_can_be_asked_for_by_its_labels_alone(client):
    assert numbers(ask(client, 'sisock{node="host",field="mem.free"}', MONDAY + 1)) == numbers(
        ask(client, "mem_free", MONDAY + 1)
    )
    everything = ask(client, "count(sisock)", MONDAY)
    assert numbers(everything) == {MONDAY: 6}
    assert numbers(ask(client, 'count({__name__=~".+",field!=""})', MONDAY)) == {MONDAY: 6}


def test_texts_are_no_series_and_booleans_are_numbers(client):
    assert ask(client, "sky")["data"]["result"] == []
    assert numbers(over(client, "rain", MONDAY, MONDAY + 300, 300)) == {MONDAY: 0, MONDAY + 300: 0}
    assert numbers(ask(client, "max_over_time(rain[10m])", MONDAY + 300)) == {MONDAY + 300: 1}


def test_nan_is_no_sample_and_infinity_is(client):
    values = numbers(over(client, "temperature", MONDAY, MONDAY + 120, 60))
    assert values == {MONDAY: 1.5, MONDAY + 60: 1.5, MONDAY + 120: -math.inf}
    assert numbers(ask(client, "temperature / 0", MONDAY + 300)) == {MONDAY + 300: math.inf}


def test_up_is_one_for_a_node_that_is_there_and_zero_for_one_that_went(source, client):
    now = round(time.time())
    ask(client, "up")
    for hear in source.callbacks:
        hear("subtracted", Node("host", "", "away", (now - 600) * NS))
        hear("added", Node("host", "", "up", (now - 300) * NS))
    assert numbers(ask(client, 'up{node="host"}', now)) == {now: 1}
    assert numbers(ask(client, 'up{node="host"}', now - 400)) == {now - 400: 0}
    assert numbers(ask(client, 'min_over_time(up{node="host"}[15m])', now)) == {now: 0}
    half = numbers(ask(client, 'avg_over_time(up{node="host"}[10m])', now))
    assert half == {now: pytest.approx(0.5, abs=0.05)}
    assert ask(client, "up", MONDAY - 10)["data"]["result"] == []
    assert ask(client, "up", now + 3600)["data"]["result"] == []


# windows ----------------------------------------------------------------------------------------


@given(st.lists(st.floats(-1e6, 1e6), max_size=40), st.data())
def test_a_fold_is_what_is_in_each_window(values, data):
    edges = st.integers(0, len(values))
    windows = data.draw(st.lists(st.tuples(edges, edges).map(sorted), min_size=1, max_size=10))
    low, high = (np.array(each, np.intp) for each in zip(*windows, strict=True))
    sums, most = (fold(ufunc, np.array(values), low, high) for ufunc in (np.add, np.maximum))
    for i, (a, b) in enumerate(windows):
        if b > a:
            assert sums[i] == pytest.approx(sum(values[a:b]), abs=1e-6)
            assert most[i] == max(values[a:b])


@given(st.lists(st.tuples(st.integers(0, 90), st.integers(-50, 50)), min_size=1, max_size=60), st.integers(1, 3))
def test_windows_that_fit_bins_hold_what_is_after_their_begin_up_to_their_end(samples, factor):
    """Samples at the very edges of bins belong to the window that ends there, one of equal times aside."""
    samples = sorted(dict(samples).items())
    t, values = (np.array(each) for each in zip(*samples, strict=True))
    frame = Frame("t", t.astype(np.int64), {"x": Column(values.astype(float))})
    answer = reduction.answer([frame], Query(("x",), -1, 91, bin=10, reduce="bins"), {})
    made = of_bins(reduction.bins_from(answer.parts[0].points, "x"), 10, (-1, 91), aligned=True)
    until = np.arange(0, 91, 10)
    windows = Windows(until - 10 * factor, until)
    low, high = windows.held(made)
    raw = of_values(t.astype(np.int64), values.astype(float))
    first, beyond = windows.held(raw)
    assert (fold(np.add, made.count, low, high)[high > low] == (beyond - first)[high > low]).all()
    assert ((high > low) == (beyond > first)).all()
    total, expected = fold(np.add, made.total, low, high), fold(np.add, raw.total, first, beyond)
    assert total[high > low] == pytest.approx(expected[high > low])
    closed = np.searchsorted(t, windows.after, "left")
    greatest, least = fold(np.maximum, made.high, low, high), fold(np.maximum, raw.high, first, beyond)
    outer = fold(np.maximum, raw.high, closed, beyond)
    assert ((greatest >= least) & (greatest <= outer))[high > low].all()


def test_a_sample_at_the_begin_of_a_window_is_not_in_it_and_one_at_its_end_is():
    client = client_of(one_node([MONDAY, MONDAY + 60, MONDAY + 120], [1.0, 2.0, 4.0]))
    assert numbers(over(client, "sum_over_time(x[1m])", MONDAY, MONDAY + 120, 60)) == {
        MONDAY: 1, MONDAY + 60: 2, MONDAY + 120: 4,
    }  # fmt: skip
    assert numbers(over(client, "x", MONDAY, MONDAY + 120, 60)) == {MONDAY: 1, MONDAY + 60: 2, MONDAY + 120: 4}


OF_ALL = [*(f"{name}_over_time(x[5m])" for name in ("sum", "count", "avg", "max", "stddev", "last", "present")), "x"]
OF_ENDS = ["min_over_time(x[5m])", "first_over_time(x[5m])", "rate(x[5m])", "delta(x[5m])", "increase(x[5m] offset 1m)"]


@pytest.mark.parametrize(
    ("query", "fraction"), [*((query, 0) for query in OF_ALL), *((query, 0.5) for query in (*OF_ALL, *OF_ENDS))]
)
def test_bins_have_the_values_of_the_samples_where_windows_fit(query, fraction, monkeypatch):
    """Where a sample lies on a window's begin, firsts, rates and what is least in a rise may take it in: not asked here."""
    values = np.cumsum(np.random.default_rng(3).integers(0, 5, 7200)).astype(float)
    client = client_of(one_node(MONDAY + np.arange(7200) + fraction, values))
    exact = numbers(over(client, query, MONDAY + 600, MONDAY + 7000, 60))
    monkeypatch.setattr(fetching, "MOST_RAW", 0)
    answer = over(client, query, MONDAY + 600, MONDAY + 7000, 60)
    assert "infos" not in answer
    assert numbers(answer) == pytest.approx(exact, rel=1e-9)


@pytest.mark.parametrize("query", [*OF_ALL, *OF_ENDS])
def test_very_many_samples_are_answered_nearly_and_that_is_said(query, monkeypatch):
    query = query.replace("5m", "1h")
    t = np.arange(0, 2 * DAY, 10) + 0.5
    client = client_of(one_node(MONDAY + t, t / 10))
    window = MONDAY + 7200, MONDAY + 2 * DAY, 3600
    expected = numbers(over(client, query, *window))
    for name in ("MOST_RAW", "MOST_EXACT"):
        monkeypatch.setattr(fetching, name, 0)
    answer = over(client, query, *window)
    assert any("windows begin and end where these do" in each for each in answer["infos"])
    found = numbers(answer)
    assert found.keys() == expected.keys()
    a_bin = 55 if query == "x" or re.match("min|max|last|first", query) else 1  # what the field rises in 550 s
    for at, value in expected.items():
        assert found[at] == pytest.approx(value, rel=0.08 if "stddev" in query else 0.005, abs=a_bin)


def test_windows_that_are_short_against_the_step_still_hold_something(monkeypatch):
    for name in ("MOST_RAW", "MOST_EXACT"):
        monkeypatch.setattr(fetching, name, 0)
    t = np.arange(0, 30 * DAY, 10)
    client = client_of(one_node(MONDAY + t, t % 7))
    for query in ("avg_over_time(x[1m])", "rate(x[1m])", "x", "last_over_time(x[10s])"):
        values = numbers(over(client, query, MONDAY + DAY, MONDAY + 30 * DAY - 1, 6 * 3600))
        assert len(values) == 116


def test_an_instant_over_very_much_is_exact(monkeypatch):
    monkeypatch.setattr(fetching, "MOST_RAW", 0)
    rng = np.random.default_rng(5)
    values = rng.normal(size=20_000)
    source = one_node(MONDAY + np.arange(20_000) + 0.25, values)
    client = client_of(source)
    for name, expected in (
        ("sum", values.sum()),
        ("max", values.max()),
        ("stddev", values.std()),
        ("last", values[-1]),
        ("count", 20_000),
    ):
        answer = ask(client, f"{name}_over_time(x[1d])", MONDAY + 20_001.123)
        assert list(numbers(answer).values()) == [pytest.approx(expected)]
        assert "infos" not in answer


def test_what_needs_every_sample_says_so_where_there_are_too_many(client, monkeypatch):
    monkeypatch.setattr(fetching, "MOST_ONLY_RAW", 100)
    answer = over(client, "irate(cpu[5m])", MONDAY, MONDAY + 9000, 60)
    assert answer["errorType"] == "execution"
    assert "needs the samples themselves" in answer["error"]


# staleness --------------------------------------------------------------------------------------


def test_a_sample_stands_for_five_minutes():
    client = client_of(one_node(MONDAY + np.arange(0, 600, 10), np.arange(60.0)))
    values = numbers(over(client, "x", MONDAY + 590, MONDAY + 1200, 10))
    assert max(values) == MONDAY + 590 + 290


def test_a_sample_of_a_slow_node_stands_for_three_of_its_intervals():
    client = client_of(one_node(MONDAY + np.arange(0, DAY, 3600), np.arange(24.0)))
    last = MONDAY + 23 * 3600
    values = numbers(over(client, "x", last - 7200, last + 6 * 3600, 600))
    assert min(values) == last - 7200
    assert max(values) == last + 3 * 3600 - 600
    daily = client_of(one_node(MONDAY + np.arange(0, 30 * DAY, DAY), np.arange(30.0)))
    assert numbers(ask(daily, "x", MONDAY + 29 * DAY + 2.5 * DAY)) == {MONDAY + 31.5 * DAY: 29}
    assert ask(daily, "x", MONDAY + 29 * DAY + 3.1 * DAY)["data"]["result"] == []


def test_the_lookback_can_be_said(client):
    assert ask(client, "wind", MONDAY + 400, lookback_delta="1m")["data"]["result"] == []
    assert numbers(ask(client, "wind", MONDAY + 330, lookback_delta="1m")) == {MONDAY + 330: 4}


# counters ---------------------------------------------------------------------------------------


def test_a_counter_that_begins_anew_within_a_bin_is_made_up_for(monkeypatch):
    monkeypatch.setattr(fetching, "MOST_RAW", 0)
    values = np.concatenate((np.arange(100, 400), np.arange(0, 300))).astype(float)
    client = client_of(one_node(MONDAY + np.arange(600) + 0.5, values))
    found = numbers(over(client, "increase(x[10m])", MONDAY + 540, MONDAY + 660, 60))
    assert found[MONDAY + 600] == pytest.approx(600, rel=0.005)


# what is missing --------------------------------------------------------------------------------


def test_a_node_that_does_not_answer_is_warned_of_and_the_others_answer(source, client):
    ask(client, "up")
    source.stopped.add("host")
    answer = ask(client, "sum by (node) (sisock)", MONDAY)
    assert [each["metric"] for each in answer["data"]["result"]] == [{"node": "weather"}]
    assert answer["warnings"] == ["host did not answer within 3 s"]


def test_where_no_node_answers_there_is_no_empty_answer(source, client):
    ask(client, "up")
    source.stopped.add("host")
    response = client.get("/api/v1/query", query_string={"query": "cpu > 5", "time": MONDAY})
    assert response.status_code == 503
    assert strict(response) == {
        "status": "error", "errorType": "unavailable", "error": "host did not answer within 3 s",
    }  # fmt: skip


def test_without_a_hub_the_error_is_of_prometheus_form(source):
    source.connected = False
    client = client_of(source)
    for path in ("query?query=up", "labels", "label/node/values", "metadata", "series?match[]=up"):
        response = client.get(f"/api/v1/{path}")
        assert response.status_code == 503
        assert strict(response)["errorType"] == "unavailable"


def test_refusals_are_of_prometheus_form(tmp_path):
    path = tmp_path / "token"
    path.write_text("long-random-text\n")
    client = create_app(memory(), Settings(bridge_token=str(path))).test_client()
    for headers, status, kind in (({}, 401, "unauthorized"), ({"Host": "evil.example"}, 403, "forbidden")):
        response = client.get("/api/v1/query?query=up", headers=headers)
        assert (response.status_code, strict(response)["errorType"]) == (status, kind)
    good = client.get("/api/v1/query?query=1", headers={"Authorization": "Bearer long-random-text"})
    assert good.status_code == 200
    assert list(strict(client.get("/metrics_of_others", headers={"Authorization": "Bearer long-random-text"}))) == [
        "error"
    ]


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("query", "no expression found"),
        ("query?query=x&time=yesterday", "time='yesterday' is not a time"),
        ("query?query=x&timeout=-1", "timeout='-1' leaves nothing"),
        ("query?query=x&limit=-1", "limit='-1' is not a whole number"),
        ("query_range?query=x&start=0&end=9", "step is missing"),
        ("query_range?query=x&end=9&step=1", "start is missing"),
        ("query_range?query=x&start=9&end=0&step=1", "ends before it begins"),
        ("query_range?query=x&start=0&end=9&step=0", "a step of zero"),
        ("query_range?query=x[5m]&start=0&end=9&step=1", "a range such as x[5m] is no value"),
        ("query_range?query=%27a%27&start=0&end=9&step=1", "a text has no values over time"),
        ("series", "match[] is missing"),
        ("series?match[]=rate(x[5m])", "is not a selector"),
        ("labels?match[]=x%20offset%205m", "is not a selector"),
        ("label/node/values?start=x", "start='x' is not a time"),
    ],
)
def test_what_makes_no_sense_is_400_with_a_sentence(client, path, sentence):
    response = client.get(f"/api/v1/{path}")
    assert (response.status_code, strict(response)["errorType"]) == (400, "bad_data")
    assert sentence in strict(response)["error"]


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("histogram_quantile(0.9, cpu)", "histogram_quantile() is not supported"),
        ("cpu + fill(0) cpu", "fill() is not supported"),
        ("limitk(1, cpu)", "the aggregation limitk is not supported"),
        ("sum_over_time(cpu[10y:1s])", "50000 at the most"),
    ],
)
def test_what_is_not_supported_is_422_and_says_what_is(client, query, sentence):
    response = client.get("/api/v1/query", query_string={"query": query, "time": MONDAY})
    assert (response.status_code, strict(response)["errorType"]) == (422, "execution")
    assert sentence in strict(response)["error"]


def test_a_limit_leaves_series_out_and_says_so(client):
    answer = ask(client, "sisock", limit=2)
    assert len(answer["data"]["result"]) == 2
    assert answer["warnings"] == ["results truncated due to limit"]
    names = strict(client.get("/api/v1/labels?limit=1"))
    assert (names["data"], names["warnings"]) == (["__name__"], ["results truncated due to limit"])


def test_times_and_durations_are_read_as_prometheus_reads_them(client):
    expected = over(client, "cpu", MONDAY, MONDAY + 5400, 5400)
    assert over(client, "cpu", "2026-02-02T00:00:00Z", "2026-02-02T02:30:00+01:00", "1h30m") == expected
    assert over(client, "cpu", f"{MONDAY}.000", f"{MONDAY + 5400}", "5.4e3") == expected


def test_few_bins_and_no_samples_are_asked_for_however_many_there_are(monkeypatch):
    """Cost follows the steps: a year of samples is asked for in no more than 64 bins a step."""
    monkeypatch.setattr(fetching, "MOST_EXACT", 100_000)
    heard = []

    class Spy(Memory):
        def ask(self, requests, *more):
            heard.extend(requests)
            return super().ask(requests, *more)

    t = np.arange(0, 365 * DAY, 60)
    ns = (MONDAY + t) * NS
    client = client_of(Spy({"n": ({"x": Field()}, Frame("samples", ns, {"x": Column(t * 1.0)}))}))
    over(client, "avg_over_time(x[1d])", MONDAY, MONDAY + 365 * DAY, DAY)
    bins = [request for request in heard if request.statistics == ("sum",)]
    assert len(bins) == 1
    assert bins[0].bin & (bins[0].bin - 1) == 0  # as archives keep them
    assert 365 * DAY * NS / bins[0].bin <= 64 * 366


def test_a_failing_node_is_not_asked_twice(client, source):
    ask(client, "up")
    source.stopped.add("host")
    source.asked.clear()
    ask(client, "cpu")
    assert [node for requests in source.asked for node, _ in requests] == ["host"]


def test_what_is_said_to_be_understood_is_and_nothing_else():
    page = (Path(__file__).parents[1] / "docs" / "prometheus.md").read_text()
    understood = page.partition("## What is understood")[2].partition("- Not:")[0]
    said = set(re.findall(r"`(\w+)`", understood)) - {
        "_over_time",
        "bool",
        "on",
        "ignoring",
        "by",
        "without",
        "or",
        "offset",
    }
    said -= {"and", "unless", "group_left", "group_right", "promql"}
    over_time = {name.removesuffix("_over_time") for name in (*FUNCTIONS, "quantile_over_time", "predict_linear")}
    trigonometric = {f"{kind}{name}{end}" for kind in ("", "a") for name in ("sin", "cos", "tan") for end in ("", "h")}
    assert said == over_time | (OF_NUMBERS.keys() - trigonometric) | Evaluation._SPECIAL.keys() - {"quantile_over_time"} | {
        "avg", "sum", "min", "max", "count", "group", "stddev", "stdvar", "quantile", "topk", "bottomk", "count_values",
    }  # fmt: skip


def test_the_limits_of_the_page_are_those_of_the_code():
    page = (
        (Path(__file__).parents[1] / "docs" / "prometheus.md")
        .read_text()
        .replace(" million", "000000")
        .replace(",", "")
    )
    for limit in (
        asked.MOST_STEPS, evaluate.MOST_INNER, selecting.MOST_SERIES, selecting.MOST_VALUES, door.MOST_ANSWERED,
        grammar.LONGEST, grammar.MOST_TOKENS, grammar.DEEPEST, fetching.MOST_RAW, fetching.MOST_EXACT,
    ):  # fmt: skip
        assert str(limit) in page.replace(" 000000", "000000"), limit


def test_the_answer_of_a_whole_process_can_be_read(source):
    """Through real connections, with the request as Grafana sends it."""
    app = create_app(source, Settings(bridge_deadline=0.5))
    with serving(app, 2, 2**18) as port:
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/api/v1/query_range",
            b"end=1769990460&query=cpu%7Bnode%3D%22host%22%7D&start=1769990400&step=60",
            {"Content-Type": "application/x-www-form-urlencoded", "User-Agent": "Grafana/11.1.0"},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            assert numbers(json.load(answer)).keys() == {MONDAY, MONDAY + 60}
