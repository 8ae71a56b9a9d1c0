"""What the bridge says as a Prometheus of what is missing, makes no sense or is not supported."""

import time

import pytest

from grafana_json.app import create_app
from sisock.errors import NoHub
from sisock.settings import Settings
from tests.memory import MONDAY, memory
from tests.promql import ask, client_of, strict


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


def test_a_failing_node_is_not_asked_twice(client, source):
    ask(client, "up")
    source.stopped.add("host")
    source.asked.clear()
    ask(client, "cpu")
    assert [node for requests in source.asked for node, _ in requests] == ["host"]


def test_nobody_is_up_while_there_is_no_router_or_hub(source, client):
    """An alert on `up` has to notice the largest outage of all."""
    ask(client, "up")
    source.connected = False
    for query in ("up", "up < 1", "min_over_time(up[5m])", 'absent(up{node="host"})'):
        response = client.get("/api/v1/query", query_string={"query": query})
        assert (response.status_code, strict(response)["errorType"]) == (503, "unavailable")


def test_a_hub_that_went_while_the_router_stays_is_noticed_too(source, client):
    ask(client, "up")

    def gone():
        raise NoHub("the hub did not answer within 3 s")

    source.nodes = gone
    assert ask(client, "up", time.time())["error"] == "the hub did not answer within 3 s"
