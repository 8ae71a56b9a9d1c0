"""What Grafana is given at its start: valid, of one piece, and with targets that there are."""

import json
from pathlib import Path

import pytest
import yaml

import grafana_json
from data_nodes.host.node import Host
from data_nodes.weather.node import Weather
from grafana_json.query import Panel, parse_targets
from grafana_json.targets import Wanted, resolve
from sisock.nodes import health

FOLDER = Path(grafana_json.__file__).parent / "provisioning"
DASHBOARDS = sorted((FOLDER / "dashboards").glob("*.json"))
WHERE_THERE_ARE_DISKS = ("host::io/.*/read", "host::io/.*/written")


def test_the_data_source_is_the_bridge_and_carries_its_token():
    (source,) = yaml.safe_load((FOLDER / "datasources" / "sisock.yaml").read_text())["datasources"]
    assert (source["type"], source["access"], source["isDefault"]) == ("grafana-simple-json-datasource", "proxy", True)
    assert source["jsonData"]["httpHeaderName1"] == "Authorization"
    assert source["secureJsonData"]["httpHeaderValue1"].startswith("Bearer $__file{")


def test_the_dashboards_are_found_where_compose_mounts_them():
    (provider,) = yaml.safe_load((FOLDER / "dashboards" / "sisock.yaml").read_text())["providers"]
    compose = yaml.safe_load((FOLDER.parents[1] / "compose.yaml").read_text())
    mounts = dict(volume.split(":")[:2] for volume in compose["services"]["grafana"]["volumes"])
    assert f"{mounts['./grafana_json/provisioning']}/dashboards" == provider["options"]["path"]
    assert DASHBOARDS


@pytest.mark.parametrize("path", DASHBOARDS, ids=[path.stem for path in DASHBOARDS])
def test_every_panel_asks_for_what_there_is(path):
    dashboard = json.loads(path.read_text())
    known = {"host": {**Host().fields, **health.FIELDS}, "weather": {**Weather().fields, **health.FIELDS}}
    for panel in dashboard["panels"]:
        assert panel["datasource"]["uid"] == "sisock"
        for target in panel["targets"]:
            series = resolve(Panel(0, 1, 10, parse_targets([target]), ()), known)
            there = [each for each in series if isinstance(each, Wanted) and each.field in known[each.node]]
            assert there == series or target["target"] in WHERE_THERE_ARE_DISKS, target


def test_dashboards_and_panels_have_ids_of_their_own():
    dashboards = [json.loads(path.read_text()) for path in DASHBOARDS]
    assert len({dashboard["uid"] for dashboard in dashboards}) == len(dashboards)
    for dashboard in dashboards:
        ids = [panel["id"] for panel in dashboard["panels"]]
        assert len(set(ids)) == len(ids)
