"""What Grafana is given at its start: valid, of one piece, the same for the same fleet, with all fields in it."""

import contextlib
import json
import random
import re
from pathlib import Path

import promql_parser
import pytest
import yaml

from data_nodes.host.node import Host
from data_nodes.weather.node import Weather
from grafana_json.app import create_app
from grafana_json.query import Panel, parse_targets
from grafana_json.targets import Wanted, resolve
from sisock.errors import NoAnswer, NodeAway, NoHub
from sisock.frames import Field
from sisock.grafana import reading
from sisock.grafana import yaml as ours
from sisock.grafana.doors import DOORS
from sisock.grafana.groups import by_unit
from sisock.grafana.marking import as_json, as_yaml, is_ours
from sisock.grafana.node_dashboard import MOST_OPEN, MOST_PANELS
from sisock.grafana.promql import reference, selector
from sisock.grafana.provisioning import Pages, files, remove, write
from sisock.grafana.seen import Seen, seen
from sisock.grafana.sources import Bridge, token_in_environment, token_in_file
from sisock.inbox import Inbox
from sisock.listing import Node
from sisock.nodes import health
from sisock.settings import Settings
from tests.grafana_types import complaints, every_panel
from tests.memory import MONDAY, memory
from tests.provisioned import BRIDGE, FOLDER, HOST, ODD, dashboards, fleet, provisioned

ROOT = Path(__file__).parents[1]
EVERY_DOOR = [("prometheus",), ("prometheus", "simpod"), ("simpod",), ("simplejson",), ("infinity",)]


def parsed(name: str, doors=("prometheus",), nodes=None):
    return yaml.safe_load(provisioned(doors, nodes)[name])


def expressions(dashboard) -> str:
    return "\n".join(target.get("expr", "") for panel in every_panel(dashboard) for target in panel.get("targets", ()))


# as Grafana has it


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


# what is in a dashboard


def unquoted(text: str) -> str:
    return re.sub(r"\\(?:x(..)|(.))", lambda found: found[2] or chr(int(found[1], 16)), text)


def asks_for(dashboard, field: str) -> bool:
    found = re.findall(r'field(=~?)"((?:[^"\\]|\\.)*)"', expressions(dashboard))
    return any(unquoted(v) == field if how == "=" else re.fullmatch(unquoted(v), field) for how, v in found)


def test_every_field_of_a_node_is_asked_for_texts_through_another_door():
    page = dashboards()["sisock-node-host"]
    asked = {name for name in HOST if asks_for(page, name)}
    assert asked == {name for name, field in HOST.items() if field.type != "string"}
    assert not asks_for(page, "cpu/99")


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


def test_names_with_any_characters_are_asked_for_as_they_are():
    assert selector("n", [ODD]) == 'sisock{node="n",field="say \\"x\\"\\\\(y|z).*\\x24[°]"}'
    quoted = re.search(r'field=~"(.*)"}', selector("n", [ODD, "b"]))
    pattern = unquoted(quoted[1])
    assert re.fullmatch(pattern, ODD)
    assert re.fullmatch(pattern, "b")
    assert not re.fullmatch(pattern, ODD.replace(".", "x"))


def test_fields_of_one_unit_that_belong_together_share_a_panel_and_numbers_count():
    groups = by_unit(seen("host", "", HOST).fields)
    assert [(g.title, len(g.fields), g.units) for g in groups if "network" in g.title] == [
        ("network, 1 of 2", 8, "B/s"),
        ("network, 2 of 2", 8, "B/s"),
    ]
    cores = [field for group in groups for field in group.fields if field.startswith("cpu")]
    assert cores == ["cpu", *(f"cpu/{core}" for core in range(12))]
    assert any({"cpu", "cpu/0"} <= set(g.fields) for g in groups)
    assert {g.title: g.units for g in groups if "memory" in g.title} == {"memory/usage": "%", "memory/used": "B"}


def test_panels_of_one_name_say_their_unit():
    fields = {"net/a": Field(units="B/s"), "net/b": Field(units="B/s"), "net/c": Field(units="1/s"), "net/d": Field(units="1/s")}  # fmt: skip
    assert [group.title for group in by_unit(fields)] == ["net (B/s)", "net (1/s)"]


def test_units_are_grafanas():
    page = dashboards()["sisock-node-host"]
    units = {p["title"]: p["fieldConfig"]["defaults"].get("unit") for p in page["panels"] if p["type"] == "timeseries"}
    assert units["network, 1 of 2"] == "binBps"
    assert units[ODD] == "furlong"
    assert units["Time an attempt takes"] == "s"


def test_a_line_has_every_spike_of_each_step():
    page = dashboards()["sisock-node-old"]
    panel = next(p for p in page["panels"] if p["title"] == "x, y")
    assert [t["expr"] for t in panel["targets"]] == [
        'max_over_time(sisock{node="old",field=~"x|y"}[$__interval])',
        'min_over_time(sisock{node="old",field=~"x|y"}[$__interval])',
    ]
    filled = {o["matcher"]["options"]: {p["id"]: p["value"] for p in o["properties"]} for o in panel["fieldConfig"]["overrides"]}  # fmt: skip
    assert filled["x"]["custom.fillBelowTo"] == "x (min)"
    assert filled["y (min)"]["custom.hideFrom"]["legend"] is True


def test_booleans_and_texts_are_states_and_texts_come_through_the_door_that_has_them():
    page = dashboards(("prometheus", "simpod"))["sisock-node-host"]
    states = {p["title"]: p for p in page["panels"] if p["type"] == "state-timeline"}
    assert states["States"]["targets"][0]["expr"] == 'avg_over_time(sisock{node="host",field="door"}[$__interval])'
    assert [m["type"] for m in states["States"]["fieldConfig"]["defaults"]["mappings"]] == ["value", "range"]
    assert states["Texts"]["datasource"]["uid"] == "sisock-simpod"
    assert states["Texts"]["targets"][0]["target"] == "host::mode"
    assert states["State"]["targets"][0]["target"] == "host::health.state"


def test_what_prometheus_cannot_show_is_told_with_the_cure():
    (told,) = [p for p in dashboards()["sisock-node-host"]["panels"] if p["type"] == "text"]
    assert "mode" in told["options"]["content"]
    assert "--door simpod" in told["options"]["content"]


def test_of_many_panels_some_twenty_are_open_and_the_rest_is_in_closed_rows():
    page = dashboards()["sisock-node-wide"]
    rows = [p for p in page["panels"] if p["type"] == "row"]
    assert len([p for p in page["panels"] if p["type"] != "row"]) <= MOST_OPEN + 5
    assert [row["collapsed"] for row in rows] == [True] * (len(rows) - 1) + [False]
    assert rows[-1]["title"] == "Health"
    assert all(len(row["panels"]) <= MOST_OPEN for row in rows)
    assert sum(len(row["panels"]) for row in rows) > 400 - MOST_OPEN - 1
    drawn = [p for p in every_panel(page) if p["type"] == "timeseries"]
    assert len(drawn) == MOST_PANELS + 1
    (told,) = [p for p in page["panels"] if p["type"] == "text"]
    assert told["options"]["content"].startswith("100 more panels")


def test_an_archive_that_is_not_added_to_opens_at_its_own_time_others_at_the_last_hour():
    assert dashboards()["sisock-node-weather"]["time"] == {
        "from": "2011-01-26T00:00:00.000Z",
        "to": "2013-10-23T00:00:00.000Z",
    }
    assert dashboards()["sisock-node-host"]["time"] == {"from": "now-1h", "to": "now"}


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


# data sources


def test_data_sources_name_the_token_and_never_have_it():
    sources = parsed("datasources/sisock.yaml", tuple(DOORS))["datasources"]
    assert [source["type"] for source in sources] == [
        "prometheus",
        "simpod-json-datasource",
        "grafana-simple-json-datasource",
        "yesoreyeram-infinity-datasource",
    ]
    assert [source["isDefault"] for source in sources] == [True, False, False, False]
    for source in sources:
        assert source["url"] == "http://bridge:5000"
        assert source["jsonData"]["httpHeaderName1"] == "Authorization"
        assert source["secureJsonData"] == {"httpHeaderValue1": "Bearer $__file{/secrets/bridge.token}"}
    assert sources[3]["jsonData"]["allowedHosts"] == ["http://bridge:5000"]


def test_without_a_token_no_header_is_sent():
    text = files([], [DOORS["prometheus"]], Bridge("http://127.0.0.1:5000"), FOLDER)["datasources/sisock.yaml"]
    (source,) = yaml.safe_load(text)["datasources"]
    assert "secureJsonData" not in source


@pytest.mark.parametrize("path", ["relative", "/a}b", "/a$b", "/a\nb", ""])
def test_a_path_that_grafana_would_read_otherwise_is_refused(path: str):
    with pytest.raises(ValueError, match="no path that Grafana can be told"):
        token_in_file(path)


def test_a_token_may_be_in_grafanas_environment():
    assert token_in_environment("SISOCK_SECRET") == "$__env{SISOCK_SECRET}"
    with pytest.raises(ValueError, match="cannot name an environment variable"):
        token_in_environment("A B")


def test_grafana_is_told_where_the_dashboards_are_and_that_they_are_not_its_own_to_change():
    (provider,) = parsed("dashboards/sisock.yaml")["providers"]
    assert provider["options"]["path"] == "/etc/grafana/provisioning/dashboards"
    assert provider["allowUiUpdates"] is False


def test_compose_mounts_what_is_written_where_grafana_looks_and_where_it_was_written():
    services = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    writer, grafana = services["provision"], services["grafana"]
    assert writer["entrypoint"][-1] == FOLDER
    assert f"provisioning:{FOLDER}" in writer["volumes"]
    assert f"provisioning:{FOLDER}:ro" in grafana["volumes"]
    made = {f"{FOLDER}/{name}" for name in provisioned()}
    assert grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"] in made
    assert writer["healthcheck"]["test"][-1] == f"{FOLDER}/{list(provisioned())[-1]}"  # which is written last


# alert rules


def test_alert_rules_are_paused_examples_on_the_prometheus_door():
    (group,) = parsed("alerting/sisock.yaml")["groups"]
    rules = {rule["uid"]: rule for rule in group["rules"]}
    assert len(rules) == len(group["rules"])
    assert all(rule["isPaused"] is True and len(rule["uid"]) <= 40 for rule in rules.values())
    assert all(rule["title"].startswith("Example: ") for rule in rules.values())
    for rule in rules.values():
        query, threshold = rule["data"]
        assert query["datasourceUid"] == "sisock-prometheus"
        assert (threshold["datasourceUid"], rule["condition"]) == ("__expr__", threshold["refId"])
        assert threshold["model"]["expression"] == query["refId"]
    assert rules["sisock-node-away"]["data"][0]["model"]["expr"] == "up"
    silent = rules["sisock-silent-host"]
    assert silent["noDataState"] == "Alerting"
    assert silent["data"][0]["model"]["expr"] == 'count_over_time(sisock{node="host",field="health.took"}[600s])'
    assert "sisock-silent-weather" not in rules  # an archive
    assert rules["sisock-above-limit"]["data"][1]["model"]["conditions"][0]["evaluator"]["type"] == "gt"


def test_an_alerts_text_has_no_variable_of_the_environment():
    node = Seen("n", "", {"$HOME": Field()}, healthy=False)
    (group,) = parsed("alerting/sisock.yaml", nodes=[node])["groups"]
    assert "$$HOME" in group["rules"][-1]["title"]
    assert group["rules"][-1]["data"][0]["model"]["expr"] == 'max_over_time(sisock{node="n",field="\\x24HOME"}[5m])'


def test_without_the_prometheus_door_there_are_no_alert_rules():
    assert "alerting/sisock.yaml" not in provisioned(("simpod",))


# following


class Hub:
    """A source that is away at first, then has nodes that come."""

    def __init__(self) -> None:
        self.trouble: list[Exception] = [NoHub("there is no router"), NoHub("there is no router"), NoAnswer("late")]
        self.listed = [Node("a", ""), Node("gone", "", "away"), Node("secret", "", sensitive=True)]
        self.news: Inbox[tuple[str, Node]] = Inbox(100)

    async def nodes(self):
        if self.trouble:
            raise self.trouble.pop(0)
        return self.listed

    async def fields(self, node, start, end):
        if node == "gone":
            raise NodeAway("gone is away")
        return {"x": Field(), **health.FIELDS}, {}

    @contextlib.contextmanager
    def watching(self):
        yield self.news


async def test_a_hub_that_is_away_is_waited_for_and_told_once_and_what_was_known_stays(monkeypatch: pytest.MonkeyPatch):
    for name in ("_RETRY", "_SETTLED"):
        monkeypatch.setattr(reading, name, 0.01)
    hub, told = Hub(), list[str]()
    fleets = reading.follow_fleet(hub, told.append)
    first = await anext(fleets)
    assert told == ["there is no router; waiting", "late; waiting"]
    assert [node.name for node in first.nodes] == ["a", "gone"]
    assert (first.away, first.unread, first.hidden) == ({"gone"}, {"gone"}, {"secret"})
    for at in range(5):
        hub.listed.append(Node(f"new{at}", ""))
        hub.news.put(("added", hub.listed[-1]))
    second = await anext(fleets)
    assert len(second.nodes) == 7
    hub.listed[0] = Node("a", "", "away")
    hub.listed[-1] = hub.listed[-1]._replace(sensitive=True)
    hub.fields = _nothing
    hub.news.put(("subtracted", hub.listed[0]))
    third = await anext(fleets)
    assert third.nodes == second.nodes[:-1]  # as they were when they told their fields
    assert third.hidden == {"secret", "new4"}
    assert "a" in third.unread & third.away
    await fleets.aclose()


async def _nothing(node, start, end):
    raise NodeAway(f"{node} is away")


# files


def test_yaml_reads_back_as_it_was_written():
    odd = [
        "",
        "true",
        "No",
        "null",
        "1",
        "1e5",
        "0x1f",
        "- a",
        "a: b",
        "#x",
        "é\u2028\x85\x7f\ufeff😀",
        'q"\\',
        "a\nb\t",
    ]
    data = {
        "texts": odd, "nested": [[1, [2.5]], {"a": {"b": [None, True]}, "c": []}], "empty": {}, "é: #": {"k": "v"},
        "on": -3, "paths": ["/a/b-c", "http://h:1/x", "a b", "$__file{/x}"],
    }  # fmt: skip
    assert yaml.safe_load(ours.dump(data)) == data


def test_our_files_are_known_until_somebody_edits_them():
    page = {"uid": "x", "description": "what it is", "panels": []}
    for text, edited in (
        (as_json(page), as_json(page).replace('"x"', '"y"')),
        (as_json({"uid": "x"}), as_json({"uid": "x"}).replace("Made", "made")),
        (as_yaml({"ab": 1}, "about"), as_yaml({"ab": 1}, "about").replace("ab: 1", "ab: 2")),
    ):
        assert is_ours(text)
        assert not is_ours(edited)
    assert is_ours(json.dumps(json.loads(as_json(page)), indent=4))  # laid out otherwise, the same
    assert not any(map(is_ours, ["", "{", "{}", "[]", '{"description": 5}', "# a comment", "{" * 100_000]))


def test_files_are_written_whole_only_where_they_changed_and_never_where_they_are_not_ours(tmp_path: Path):
    texts = provisioned()
    assert set(write(tmp_path, texts).changed) == set(texts)
    assert {str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file()} == set(texts)
    before = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*") if p.is_file()}
    assert write(tmp_path, texts) == ((), ())
    assert {p: p.stat().st_mtime_ns for p in before} == before

    mine = tmp_path / "dashboards/sisock-node-host.json"
    mine.write_text(mine.read_text().replace("sisock: host", "my own host"))
    foreign = tmp_path / "datasources/sisock.yaml"
    foreign.write_bytes(b"apiVersion: 1\n# \xff mine")
    kept = mine.read_bytes(), foreign.read_bytes()
    other = provisioned(nodes=[seen("host", "another description", HOST)])
    written = write(tmp_path, {**other, "datasources/sisock.yaml": "new"})
    assert set(written.edited) == {"dashboards/sisock-node-host.json", "datasources/sisock.yaml"}
    assert (mine.read_bytes(), foreign.read_bytes()) == kept
    assert (tmp_path / "dashboards/sisock-node-old.json").exists()  # of a node that is there no more


def test_the_dashboard_of_a_node_that_is_away_stays_as_it_is(tmp_path: Path):
    name = "dashboards/sisock-node-host.json"
    write(tmp_path, {name: "{}"}, {name})
    assert (tmp_path / name).read_text() == "{}"
    texts = provisioned()
    (tmp_path / name).write_text(texts[name])
    changed = {**texts, name: texts[name].replace("this machine", "what is kept of it")}
    assert name not in write(tmp_path, changed, {name}).changed
    assert (tmp_path / name).read_text() == texts[name]


def test_the_dashboard_of_a_node_that_few_may_see_is_removed_unless_somebody_edited_it(tmp_path: Path):
    texts = provisioned()
    write(tmp_path, texts)
    names = [f"dashboards/sisock-node-{name}.json" for name in ("host", "old", "none")]
    mine = tmp_path / names[1]
    mine.write_text(mine.read_text().replace("sisock: old", "mine"))
    assert remove(tmp_path, names) == ((names[0],), (names[1],))
    assert {str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file()} == set(texts) - {names[0]}
    assert remove(tmp_path, names) == ((), (names[1],))


def test_panels_are_lettered_as_in_grafana():
    assert [reference(at) for at in (0, 25, 26, 701, 702)] == ["A", "Z", "AA", "ZZ", "AAA"]
