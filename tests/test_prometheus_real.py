"""The bridge against a real Prometheus that has the same samples: the same queries, the same values.

Prometheus 2 counts a sample at the very begin of a window to it, Prometheus 3 and the bridge do not: no sample is there.
"""

import json
import random
import subprocess
import urllib.parse
import urllib.request

import pytest

from grafana_json.app import create_app
from grafana_json.exchange import LARGEST_REQUEST
from grafana_json.prometheus import fetching
from sisock.settings import Settings
from tests.bridge import serving
from tests.laboratory_samples import BEGIN, LENGTH, made
from tests.prometheus import ask, difference, prometheus, values_of

START, END = BEGIN // 1000, (BEGIN + LENGTH) // 1000
EVERYTHING = '{__name__=~".+",field!=""}'
OF_BINS = [  # what is made of bins where samples are many
    "temperature",
    '{node="slow",field!=""}',
    'temperature{node=~"al.*|nobody"}',
    'requests{node!~"al.*"} offset 10m',
    f"temperature @ {START + 3000}",
    "temperature offset -3m",
    *(
        f"{name}_over_time(temperature[5m])"
        for name in ("min", "max", "avg", "sum", "count", "last", "stddev", "stdvar")
    ),
    "present_over_time(load[2m])",
    'absent_over_time(load{node="beta"}[10m])',
    "avg_over_time(pump_on[10m])",
    "max_over_time(load[30m] offset 5m)",
    "rate(requests[5m])",
    "increase(requests[10m])",
    "delta(temperature[5m])",
    "rate(requests[2m]) * 60",
    "sum(rate(requests[5m]))",
    "sum by (node) (increase(requests[10m]))",
    "max_over_time(temperature[2m]) - min_over_time(temperature[2m])",
]
OF_SAMPLES = [
    "irate(requests[2m])",
    "idelta(temperature[2m])",
    "changes(pump_on[10m])",
    "resets(requests[30m])",
    "deriv(temperature[5m])",
    "predict_linear(temperature[10m], 600)",
    "quantile_over_time(0.9, temperature[5m])",
    "quantile_over_time(0.25, load[3m])",
    f"count({EVERYTHING})",
    f"sum({EVERYTHING}) by (node)",
    f"avg({EVERYTHING}) without (field, unit)",
    f"min by (unit) ({EVERYTHING})",
    f"max without (node) ({EVERYTHING})",
    f"group({EVERYTHING}) by (field)",
    f"stddev({EVERYTHING})",
    f"stdvar by (node) ({EVERYTHING})",
    f"quantile(0.6, {EVERYTHING})",
    f"topk(2, {EVERYTHING})",
    f"bottomk by (node) (1, {EVERYTHING})",
    'count_values("v", pump_on)',
    "temperature * 2 + 1",
    "temperature > 280",
    "temperature > bool 280",
    "280 < temperature",
    "(requests % 7) ^ 2",
    "requests / 0",
    "-temperature",
    "1 / 3 - time()",
    "temperature - on(node) requests",
    "temperature - ignoring(field, unit) requests",
    "temperature{node='alpha'} / ignoring(node) group_left temperature{node='alpha'}",
    '{__name__=~"load|requests"} * on(node) group_left(unit) temperature',
    "temperature * on(node) group_right() {__name__=~'load|requests'}",
    "temperature == temperature",
    "temperature > on(node) requests",
    "temperature > bool on(node) requests",
    "temperature and on(node) load",
    "temperature unless on(node) load",
    "temperature or level",
    "load or vector(7)",
    "abs(delta(temperature[5m]))",
    "ceil(temperature)",
    "floor(temperature)",
    "round(temperature, 0.5)",
    "clamp(temperature, 275, 282)",
    "clamp_min(temperature, 280)",
    "clamp_max(temperature, 280)",
    "ln(temperature) + log2(temperature) + log10(temperature) + sqrt(temperature)",
    "exp(temperature / 1000)",
    "sgn(delta(temperature[1m]))",
    "scalar(level)",
    "scalar(temperature)",
    "vector(time())",
    "timestamp(temperature)",
    "timestamp(temperature + 0)",
    "absent(nothing{a='b',c!='d'})",
    "absent(load)",
    'label_replace(temperature, "short", "$1", "node", "(.).*")',
    'label_replace(temperature, "node", "x-${1}$2", "node", "(al)(pha)?.*")',
    'label_join(temperature, "both", "/", "node", "field")',
    "sort_desc(temperature)",
    "hour(vector(time())) * 100 + minute()",
    "day_of_week() + day_of_month() + day_of_year() + days_in_month() + month() + year()",
    "max_over_time(rate(requests[2m])[10m:1m] offset 7500ms)",
    "avg_over_time((temperature > 281)[20m:30s] offset 7500ms)",
    "temperature @ start() - temperature @ end()",
    "temperature atan2 on(node) requests",
    "count(temperature) by (nothing)",
    "pi() * deg(vector(1)) + rad(vector(1))",
]
FILTERED = [  # what a comparison filters out is matched with nothing
    "{__name__=~'load|temperature'} > on(node) max by (node) (requests) * 0 + 1000",
    "{__name__=~'load|temperature'} < on(node) max by (node) (requests) * 0 + 1000",
    "{__name__=~'load|temperature'} < ignoring(field, unit) max by (node) (requests) * 0 + 1000",
    "{__name__=~'load|temperature'} > on(node) group_left() max by (node) (requests) * 0 + 1000",
    "max by (node) (requests) * 0 + 1000 < on(node) group_right() {__name__=~'load|temperature'}",
    "max by (node) (requests) * 0 + 1 < on(node) {__name__=~'load|temperature', node='alpha'}",
]
WRONG = [
    "{__name__=~'load|temperature'} > bool on(node) max by (node) (requests) * 0 + 100",
    "{__name__=~'load|temperature'} != on(node) max by (node) (requests) * 0 - 100",
    "{__name__=~'load|temperature'} != ignoring(field, unit) max by (node) (requests) * 0 - 100",
    "temperature + on(unit) requests",
    "{__name__=~'load|requests'} + on(node) {__name__=~'load|requests'}",
    "temperature * on(node) group_left() {__name__=~'load|requests'}",
    "rate(temperature)",
    "temperature{",
    "sum(1)",
    "abs(label_replace({__name__=~'load|requests', node='beta'}, 'field', '', 'field', '.*'))",
]


@pytest.fixture(scope="module")
def sides(peer_of_module, tmp_path_factory):
    """The ports of both."""
    source, samples = made()
    app = create_app(source, Settings(bridge_deadline=10))
    folder = tmp_path_factory.mktemp("prometheus")
    with (
        prometheus(peer_of_module("prometheus"), peer_of_module("promtool"), folder, samples) as theirs,
        serving(app, 4, LARGEST_REQUEST) as ours,
    ):
        yield ours, theirs


@pytest.fixture(scope="module")
def peer_of_module():
    from tests import peers

    return peers.need


def both(sides, path, **given):
    return [ask(port, path, lookback_delta="5m", **given) for port in sides]


@pytest.mark.parametrize("query", [*OF_BINS, *OF_SAMPLES])
def test_a_range_has_the_values_of_a_real_prometheus(sides, query):
    for start, end, step in ((START + 600, END, 60), (START + 1, END + 400, 97)):
        ours, theirs = both(sides, "query_range", query=query, start=start, end=end, step=step)
        assert difference(values_of(ours), values_of(theirs)) is None


@pytest.mark.parametrize("query", [*OF_BINS, *OF_SAMPLES])
def test_an_instant_has_the_values_of_a_real_prometheus(sides, query):
    chance = random.Random(query)
    for at in (chance.randrange(START, END) for _ in range(3)):
        ours, theirs = both(sides, "query", query=query, time=at)
        assert difference(values_of(ours), values_of(theirs)) is None


@pytest.mark.parametrize("query", OF_BINS)
def test_bins_have_the_values_of_a_real_prometheus_where_windows_fit(sides, query, monkeypatch):
    monkeypatch.setattr(fetching, "MOST_RAW", 0)
    for start, end, step in ((START + 600, END, 60), (START + 660, END + 400, 30)):
        ours, theirs = both(sides, "query_range", query=query, start=start, end=end, step=step)
        assert "infos" not in ours
        assert difference(values_of(ours), values_of(theirs), 1e-8) is None
    ours, theirs = both(sides, "query", query=query, time=START + 3333)
    assert difference(values_of(ours), values_of(theirs), 1e-8) is None


@pytest.mark.parametrize("query", FILTERED)
def test_pairs_that_a_comparison_filters_out_are_skipped_as_a_real_prometheus_skips_them(sides, query):
    ours, theirs = both(sides, "query_range", query=query, start=START + 600, end=END, step=60)
    assert values_of(theirs)
    assert difference(values_of(ours), values_of(theirs)) is None


@pytest.mark.parametrize("query", WRONG)
def test_what_is_wrong_is_wrong_on_both_sides(sides, query):
    ours, theirs = both(sides, "query", query=query, time=START + 1800)
    assert theirs["status"] == "error"
    assert (ours["status"], ours.get("errorType")) == (theirs["status"], theirs.get("errorType"))


def test_samples_themselves_are_the_same(sides):
    ours, theirs = both(sides, "query", query="temperature[3m]", time=START + 3600)
    assert difference(values_of(ours), values_of(theirs)) is None


@pytest.mark.parametrize(
    ("path", "given"),
    [
        ("series", {"match[]": ["temperature", '{node="slow",field!=""}']}),
        ("labels", {}),
        ("labels", {"match[]": ["load"]}),
        ("label/node/values", {}),
        ("label/field/values", {"match[]": ['{node=~"a.*"}']}),
        ("label/__name__/values", {"match[]": ['{node="beta",field!=""}']}),
    ],
)
def test_names_are_the_same(sides, path, given):
    window = {"start": START, "end": END}
    ours, theirs = both_names(sides, path, given | window)
    assert ours == theirs


def both_names(sides, path, given):
    """Label values take GET only."""
    query, found = urllib.parse.urlencode(given, doseq=True), []
    for port in sides:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/{path}?{query}", timeout=30) as answer:
            found.append(sorted(json.load(answer)["data"], key=str))
    return found


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (
            ["query", "instant", "--time", str(START + 3600), "URL", 'temperature{node="alpha"}'],
            'temperature{field="temperature", node="alpha", unit="K"} =>',
        ),
        (["query", "range", "--start", str(START), "--end", str(END), "--step", "10m", "URL", "sum(load)"], "{} =>"),
        (["query", "series", "--match", "level", "URL"], '{__name__="level", field="level", node="slow", unit="mm"}'),
        (["query", "labels", "URL", "node"], "alpha\nbeta\nslow"),
    ],
    ids=["instant", "range", "series", "labels"],
)
def test_promtool_reads_the_bridge(sides, peer, command, expected):
    promtool = peer("promtool")
    asked = [f"http://127.0.0.1:{sides[0]}" if each == "URL" else each for each in command]
    done = subprocess.run([promtool, *asked], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert expected in done.stdout
