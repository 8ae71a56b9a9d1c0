"""Dashboards as Grafana has them: valid, of one piece, the same for the same fleet."""

import json
import random
import re
from pathlib import Path

import pytest

from grafana_json.app import create_app
from sisock.grafana.doors import DOORS
from sisock.grafana.promql import reference
from sisock.grafana.provisioning import Pages, files
from sisock.grafana.seen import seen
from sisock.nodes import health
from sisock.settings import Settings
from tests.grafana_types import complaints, every_panel
from tests.memory import memory
from tests.provisioned import BRIDGE, FOLDER, dashboards, expressions, fleet, parsed, provisioned

EVERY_DOOR = [("prometheus",), ("prometheus", "simpod"), ("simpod",), ("simplejson",), ("infinity",)]


def test_grafanas_own_types_accept_every_dashboard(tmp_path: Path):
    every = {
        f"{'_'.join(doors)}_{uid}".replace("-", "_"): page
        for doors in EVERY_DOOR
        for uid, page in dashboards(doors).items()
        if uid != "sisock-node-wide" or doors == ("prometheus",)
    }
    assert complaints(every, tmp_path) == []


def test_grafanas_own_types_refuse_what_is_not_theirs(tmp_path: Path):
    page = dashboards()["sisock-node-old"]
    panel = next(each for each in page["panels"] if each["type"] == "timeseries")
    panel["fieldConfig"]["defaults"]["custom"]["showPoints"] = "perhaps"
    page["graphTooltip"] = 7
    said = "\n".join(complaints({"page": page}, tmp_path))
    assert '"perhaps"' in said
    assert "Type '7' is not assignable" in said


@pytest.mark.parametrize("doors", EVERY_DOOR, ids="+".join)
def test_every_panel_has_a_number_and_a_place_of_its_own_and_names_a_data_source_that_is_there(doors):
    uids = {source["uid"] for source in parsed("datasources/sisock.yaml", doors)["datasources"]}
    for uid, page in dashboards(doors).items():
        panels = list(every_panel(page))
        assert len({panel["id"] for panel in panels}) == len(panels)
        taken = set()
        for panel in page["panels"]:
            at = panel["gridPos"]
            cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
            assert not cells & taken
            assert at["x"] + at["w"] <= 24
            taken |= cells
        named = {panel["datasource"]["uid"] for panel in panels if "datasource" in panel}
        assert named <= uids | {"${metrics}"} if uid == "sisock-bridge" else named <= uids


def test_uids_are_short_enough_their_own_and_the_same_as_those_of_the_files():
    names = ["host", "a" * 27, "a" * 28, "b" * 63, "b" * 62 + "c"]
    uids = [seen(name, "", {}).uid for name in names]
    assert len(set(uids)) == len(uids)
    assert all(len(uid) <= 40 and re.fullmatch(r"[A-Za-z0-9_-]+", uid) for uid in uids)
    assert uids[:2] == ["sisock-node-host", f"sisock-node-{'a' * 27}"]
    for name, text in provisioned().items():
        if name.endswith(".json"):
            assert name == f"dashboards/{json.loads(text)['uid']}.json"


def test_the_same_fleet_in_any_order_is_the_same_bytes():
    shuffled = fleet()
    random.Random(1).shuffle(shuffled)
    backwards = [seen(n.name, n.description, dict(reversed(n.fields.items())) | (health.FIELDS if n.healthy else {}), n.kind, n.span) for n in shuffled]  # fmt: skip
    assert provisioned(nodes=backwards) == provisioned()


def test_dashboards_that_are_remembered_are_those_that_would_be_made():
    doors = [DOORS["prometheus"]]
    pages, first = Pages(doors), fleet()
    changed = [node._replace(description="another") if node.name == "host" else node for node in first]
    for nodes in (first, changed, first):
        assert files(nodes, doors, BRIDGE, FOLDER, pages) == files(nodes, doors, BRIDGE, FOLDER)


def test_panels_are_lettered_as_in_grafana():
    assert [reference(at) for at in (0, 25, 26, 701, 702)] == ["A", "Z", "AA", "ZZ", "AAA"]


def test_the_fleet_links_to_each_node_unless_a_name_is_too_long_for_that():
    short = [node for node in fleet() if len(node.name) < 28]
    page = json.loads(files(short, [DOORS["prometheus"]], BRIDGE, FOLDER)["dashboards/sisock-fleet.json"])
    (table,) = [p for p in page["panels"] if p["type"] == "table"]
    links = [o for o in table["fieldConfig"]["overrides"] if o["properties"][0]["id"] == "links"]
    assert links[0]["properties"][0]["value"][0]["url"] == "/d/sisock-node-${__data.fields.Node}"
    assert "/d/sisock-node" not in json.dumps(dashboards()["sisock-fleet"])
    (listed,) = [p for p in dashboards()["sisock-fleet"]["panels"] if p["type"] == "dashlist"]
    assert listed["options"]["tags"] == ["sisock-node"]
    assert "sisock-node" in dashboards()["sisock-node-host"]["tags"]


def test_the_bridge_is_watched_by_all_the_measures_that_it_has_of_itself():
    asked = set(re.findall(r"sisock_\w+", expressions(dashboards()["sisock-bridge"])))
    client = create_app(memory(), Settings()).test_client()
    client.get("/")
    offered = set(re.findall(r"^# TYPE (sisock_\w+)", client.get("/metrics").text, re.MULTILINE))
    bases = {re.sub("_bucket$", "", name) for name in asked}
    assert bases <= offered
    assert {name for name in offered - bases if not name.endswith("_created")} <= {
        name for name in offered if name.startswith("sisock_hub_")
    }
