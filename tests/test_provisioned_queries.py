"""What panels and rules ask is what the doors of the bridge answer."""

import json
import re

import numpy as np
import promql_parser
import pytest
import yaml

from data_nodes.host.node import Host
from data_nodes.weather.node import Weather
from grafana_json.app import create_app
from grafana_json.query import Panel, parse_targets
from grafana_json.targets import Wanted, resolve
from sisock.frames import Field, Frame, column
from sisock.grafana.doors import DOORS
from sisock.grafana.provisioning import files
from sisock.grafana.seen import seen
from sisock.nodes import health
from sisock.settings import Settings
from sisock.times import NS
from tests.grafana_types import every_panel
from tests.memory import MONDAY, memory
from tests.provisioned import BRIDGE, FOLDER, dashboards, expressions, parsed


@pytest.mark.parametrize("kind", [Host, Weather])
def test_every_panel_asks_for_what_there_is(kind):
    fields = {**kind().fields, **health.FIELDS}
    made = files([seen("here", "", fields)], [DOORS["simplejson"]], BRIDGE, FOLDER)
    asked = [t for p in every_panel(json.loads(made["dashboards/sisock-node-here.json"])) for t in p.get("targets", ())]
    series = [each for t in asked for each in resolve(Panel(0, 1, 10, parse_targets([t]), ()), {"here": fields})]
    assert all(isinstance(each, Wanted) for each in series)
    assert {each.field for each in series} == set(fields)


@pytest.mark.parametrize("door", ["simplejson", "simpod"])
def test_the_bridge_answers_what_panels_ask(door: str):
    source = memory()
    nodes = [seen(name, "", fields) for name, (fields, _) in source.frames.items()]
    client = create_app(source, Settings()).test_client()
    window = {"from": "2026-02-02T00:00:00Z", "to": "2026-02-02T01:00:00Z"}
    answered = 0
    for node in nodes:
        page = json.loads(files([node], [DOORS[door]], BRIDGE, FOLDER)[f"dashboards/{node.uid}.json"])
        for panel in (each for each in every_panel(page) if each.get("targets")):
            asked = {"range": window, "intervalMs": 1000, "maxDataPoints": 100, "targets": panel["targets"]}
            answer = client.post("/query", json=asked)
            assert answer.status_code == 200, answer.text
            assert len(answer.json) == len(panel["targets"])
            assert '"severity":"error"' not in answer.text
            answered += 1
    assert answered >= 6


@pytest.mark.parametrize("doors", [["simplejson"], ["prometheus", "simpod"]])
def test_the_bridge_answers_what_dashboards_ask_for_annotations(doors):
    source = memory()
    source.tags["weather"] = ["alert", "command"]
    node = seen("weather", "", source.frames["weather"][0])
    made = files([node], [DOORS[door] for door in doors], BRIDGE, FOLDER)
    client = create_app(source, Settings()).test_client()
    client.post("/search")  # which waits until the bridge knows what is there
    window = {"from": "2026-02-02T00:00:00Z", "to": "2026-02-02T01:00:00Z"}
    for page in (json.loads(made[f"dashboards/{uid}.json"]) for uid in (node.uid, "sisock-fleet")):
        listed = page["annotations"]["list"]
        assert [each["name"] for each in listed] == ["nodes", "alerts", "commands"]
        assert {each["datasource"]["uid"] for each in listed} == {f"sisock-{doors[-1]}"}
        found = [_annotated(client, window, each) for each in listed]
        assert "came" in found[0]
        assert found[1] == found[2] > ""


def test_the_prometheus_door_has_annotations_where_it_is_alone():
    source = memory()
    open_at = [False, True, True, False]
    frame = Frame(
        "s", (np.arange(4) * 30 + MONDAY) * NS, {"open": column(open_at), "level": column([1.0, 2.0, 1.0, 2.0])}
    )
    source.frames["door"] = ({"open": Field(type="bool"), "level": Field(units="m")}, frame)
    source.tags["door"] = ["alert"]
    node = seen("door", "", source.frames["door"][0])
    made = files([node], [DOORS["prometheus"]], BRIDGE, FOLDER)
    client = create_app(source, Settings()).test_client()
    client.post("/search")
    for page in (json.loads(made[f"dashboards/{uid}.json"]) for uid in (node.uid, "sisock-fleet")):
        nodes, alerts, commands = page["annotations"]["list"]
        window = {"start": MONDAY, "end": MONDAY + 120, "step": "30s"}
        found = {}
        for each in (nodes, alerts, commands):
            assert each["expr"] == each["target"]["expr"]
            plain = each["expr"].replace("$__interval", "30s")
            answer = client.post("/api/v1/query_range", data={"query": plain, **window})
            assert answer.status_code == 200, answer.text
            found[each["name"]] = answer.json["data"]["result"]
        assert {value for of in found["nodes away"] for _, value in of["values"]} <= {"0"}
        ((labels, times),) = [(of["metric"], [t for t, _ in of["values"]]) for of in found["alerts"]]
        assert labels["field"] == "open"
        assert times == [MONDAY + 30, MONDAY + 60]
        assert found["commands"] == []


def _annotated(client, window, annotation) -> str:
    """The titles of what an annotation of a dashboard is answered, asked as its plugin asks."""
    if "target" not in annotation:
        answer = client.post("/annotations", json={"range": window, "annotation": annotation})
        return " ".join(each["title"] for each in answer.json)
    answer = client.post("/query", json={"range": window, "targets": [annotation["target"]]})
    return " ".join(answer.json[0]["data"]["values"][2])


def test_the_prometheus_door_answers_what_panels_and_rules_ask():
    source = memory()
    nodes = [seen(name, "", fields) for name, (fields, _) in source.frames.items()]
    client = create_app(source, Settings()).test_client()
    window = {"start": "2026-02-02T00:00:00Z", "end": "2026-02-02T01:00:00Z", "step": "60s"}
    written = files(nodes, [DOORS["prometheus"]], BRIDGE, FOLDER)
    rules = yaml.safe_load(written["alerting/sisock.yaml"])["groups"][0]["rules"]
    asked = {rule["data"][0]["model"]["expr"] for rule in rules}
    for node in nodes:
        asked |= set(filter(None, expressions(json.loads(written[f"dashboards/{node.uid}.json"])).splitlines()))
    found = 0
    for each in asked:
        plain = re.sub(r"\$__(rate_)?(interval|range)", "60s", each)
        answer = client.post("/api/v1/query_range", data={"query": plain, **window})
        assert answer.status_code == 200, (each, answer.text)
        found += bool(answer.json["data"]["result"])
    assert found >= 4


def test_the_infinity_door_answers_what_panels_ask():
    source = memory()
    nodes = [seen(name, "", fields) for name, (fields, _) in source.frames.items()]
    client = create_app(source, Settings()).test_client()
    begin, end = (str(each * 1000) for each in (MONDAY, MONDAY + 3600))
    answered = 0
    for node in nodes:
        page = json.loads(files([node], [DOORS["infinity"]], BRIDGE, FOLDER)[f"dashboards/{node.uid}.json"])
        for target in (each for panel in every_panel(page) for each in panel.get("targets", ())):
            asked = {each["key"]: each["value"] for each in target["url_options"]["params"]}
            asked = {key: {"${__from}": begin, "${__to}": end}.get(value, value) for key, value in asked.items()}
            answer = client.get(target["url"], query_string=asked)
            if "::health." not in asked["target"]:  # these nodes in memory have none
                assert answer.status_code == 200, (asked, answer.text)
                assert {"time", "value"} <= set(answer.json[0])
                answered += 1
    assert answered >= 4


def test_every_expression_is_promql():
    for uid, page in dashboards().items():
        for asked in filter(None, expressions(page).splitlines()):
            plain = re.sub(r"\$__(rate_)?(interval|range)", "1m", asked)
            assert promql_parser.parse(plain), (uid, asked)
    for rule in parsed("alerting/sisock.yaml")["groups"][0]["rules"]:
        assert promql_parser.parse(rule["data"][0]["model"]["expr"])
