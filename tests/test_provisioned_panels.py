"""What a node's dashboard shows: all its fields, those that belong together in one panel, the way their kind wants."""

import re

from sisock.frames import Field
from sisock.grafana.groups import by_unit
from sisock.grafana.node_dashboard import MOST_OPEN, MOST_PANELS
from sisock.grafana.promql import selector
from sisock.grafana.seen import seen
from tests.grafana_types import every_panel
from tests.provisioned import HOST, ODD, dashboards, expressions


def test_every_field_of_a_node_is_asked_for_texts_through_another_door():
    page = dashboards()["sisock-node-host"]
    asked = {name for name in HOST if asks_for(page, name)}
    assert asked == {name for name, field in HOST.items() if field.type != "string"}
    assert not asks_for(page, "cpu/99")


def asks_for(dashboard, field: str) -> bool:
    found = re.findall(r'field(=~?)"((?:[^"\\]|\\.)*)"', expressions(dashboard))
    return any(unquoted(v) == field if how == "=" else re.fullmatch(unquoted(v), field) for how, v in found)


def unquoted(text: str) -> str:
    return re.sub(r"\\(?:x(..)|(.))", lambda found: found[2] or chr(int(found[1], 16)), text)


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
