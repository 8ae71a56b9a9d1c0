"""What whoever speaks to a Prometheus asks and is answered; the golden cases, as Grafana sends them, lie in cases/prometheus."""

import json
import re
import urllib.request
from pathlib import Path

import pytest

from grafana_json.app import create_app
from grafana_json.prometheus import asked, door, evaluate, fetching, grammar, regexes, selecting, vectors
from grafana_json.prometheus.evaluate import Evaluation
from grafana_json.prometheus.functions import OF_NUMBERS
from grafana_json.prometheus.overtime import FUNCTIONS
from sisock.settings import Settings
from tests.bridge import serving
from tests.described import Described
from tests.memory import MONDAY
from tests.promql import ask, numbers, over, strict

CASES = sorted((Path(__file__).parent / "cases" / "prometheus").glob("*.json"))


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
        asked.MOST_STEPS, evaluate.MOST_INNER, selecting.MOST_SERIES, vectors.MOST_VALUES, door.MOST_ANSWERED,
        grammar.LONGEST, grammar.MOST_TOKENS, grammar.DEEPEST, grammar.MOST_PATTERNS,
        regexes.LONGEST, regexes.MOST_GROUPS, fetching.MOST_RAW, fetching.MOST_EXACT,
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
