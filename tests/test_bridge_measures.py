"""What the bridge tells of itself at /metrics, read by Prometheus's own parser."""

from prometheus_client.parser import text_string_to_metric_families

from grafana_json.app import create_app
from sisock.settings import Settings
from tests.memory import Memory


def measured(client):
    """Every sample: its name and labels, and its value."""
    answer = client.get("/metrics")
    assert answer.status_code == 200
    families = text_string_to_metric_families(answer.text)
    return {(each.name, *sorted(each.labels.items())): each.value for family in families for each in family.samples}


def panel(*targets):
    span = {"from": "2026-02-02T00:00:00Z", "to": "2026-02-02T01:00:00Z"}
    return {"range": span, "targets": [{"target": each} for each in targets]}


def test_requests_nodes_and_what_was_shared_are_counted(client, source):
    client.post("/search", json={"target": ""})
    for _ in range(3):
        assert client.post("/query", json=panel("host::cpu")).status_code == 200
    assert client.post("/query", json={}).status_code == 400
    client.post("/nowhere/else")
    found = measured(client)
    assert found["sisock_bridge_requests_total", ("door", "/query"), ("status", "200")] == 3
    assert found["sisock_bridge_requests_total", ("door", "/query"), ("status", "400")] == 1
    assert found["sisock_bridge_requests_total", ("door", "other"), ("status", "404")] == 1
    assert found["sisock_bridge_request_seconds_count", ("door", "/query")] == 4
    assert found["sisock_node_call_seconds_count", ("node", "host")] == len(source.asked)
    assert found["sisock_bridge_answers_shared_total",] == 3 - len(source.asked)
    assert found["sisock_nodes", ("state", "up")] == 2
    assert found["sisock_bridge_joined",] == 1
    assert found["sisock_hub_sessions",] == 3


def test_a_node_that_does_not_answer_is_counted_and_names_that_are_made_up_make_no_series(client, source):
    client.post("/search", json={"target": ""})
    source.stopped.add("host")
    client.post("/query", json=panel("host::cpu", "nobody::x", "nobody2::x"))
    found = measured(client)
    assert found["sisock_node_calls_failed_total", ("node", "host"), ("why", "late")] == 1
    assert found["sisock_node_calls_failed_total", ("node", ""), ("why", "unknown")] == 2
    assert not [name for name in found if ("node", "nobody") in name]


def test_without_a_router_it_says_so(client, source):
    source.connected = False
    assert measured(client)["sisock_bridge_joined",] == 0


class Visitor(Memory):
    """The consumer of one who came with a token."""

    refused = False

    def close(self):
        """Nothing is open."""


def test_who_comes_with_an_api_token_is_told_nothing_of_others(source):
    app = create_app(source, Settings(bridge_deadline=0.5), lambda _: Visitor({}))
    answer = app.test_client().get("/metrics", headers={"Authorization": f"Bearer ann.{'s' * 43}"})
    assert answer.status_code == 403
    assert "API tokens" in answer.json["error"]
