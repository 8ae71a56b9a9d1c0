"""Names and descriptions of others in what Grafana reads: as they are, whatever stands in them."""

import json
import re

import promql_parser
import pytest
import yaml

from sisock.frames import Field
from sisock.grafana.doors import DOORS
from sisock.grafana.promql import selector
from sisock.grafana.seen import Seen
from tests.grafana_types import every_panel
from tests.provisioned import ODD, provisioned

# what Grafana puts values in place of, in a provisioned file or a panel
REPLACED = re.compile(r"\$(\w+)|\[\[(\w+?)(?::(\w+))?\]\]|\$\{(\w+)(?:\.([^:^}]+))?(?::([^}]+))?\}|\$__\w+\{")
NAMES = ["$__file{/nonexistent}", "$__interval", "${__user.email}", "$HOME", "[[__from]]", "[[[x]]]"]


def page_of(node: Seen, *doors: str):
    return json.loads(provisioned(doors, [node])[f"dashboards/{node.uid}.json"])


def asked(page) -> list:
    return [target for panel in every_panel(page) for target in panel.get("targets", ())]


def unquoted(expression: str) -> str:
    """The text of the matcher of `field`, as PromQL reads it."""
    (value,) = [each.value for each in promql_parser.parse(expression).matchers.matchers if each.name == "field"]
    return value


# variables


@pytest.mark.parametrize("name", [*NAMES, ODD])
def test_promql_asks_for_a_name_as_it_is_and_has_nothing_that_grafana_replaces(name: str):
    alone, two = selector("n", [name]), selector("n", [name, "b"])
    assert unquoted(alone) == name
    assert re.fullmatch(unquoted(two), name)
    assert re.fullmatch(unquoted(two), "b")
    for expression in (alone, two):
        assert not REPLACED.search(expression)
        assert "$" not in expression
        assert "[[" not in expression


@pytest.mark.parametrize("name", NAMES)
def test_no_rule_and_no_query_of_a_panel_has_a_variable_from_a_name(name: str):
    node = Seen("n", "", {name: Field(units="%"), "b": Field(type="bool")}, healthy=False)
    (group,) = yaml.safe_load(provisioned(("prometheus",), [node])["alerting/sisock.yaml"])["groups"]
    for rule in group["rules"]:
        assert "$" not in json.dumps(rule["data"])
        assert "$" not in (rule["title"] + rule["annotations"]["summary"]).replace("$$", "")
    expressions = [target["expr"] for target in asked(page_of(node, "prometheus"))]
    assert expressions
    assert not any(REPLACED.search(re.sub(r"\[\$__(interval|range)\]", "", each)) for each in expressions)


@pytest.mark.parametrize("door", ["simpod", "simplejson", "infinity"])
def test_a_door_that_cannot_ask_for_a_name_leaves_it_out_and_says_so(door: str):
    names = [*NAMES, ODD]
    node = Seen("n", "", {name: Field() for name in names} | {"t$x": Field(type="string")}, healthy=False)
    page = page_of(node, door)
    told = json.dumps(asked(page)).replace("${__from}", "").replace("${__to}", "")
    assert not REPLACED.search(told)
    assert json.dumps(ODD)[1:-1] in told
    (text,) = [panel for panel in page["panels"] if panel["type"] == "text"]
    assert "7 fields" in text["options"]["content"]
    assert "Prometheus" in text["options"]["content"]
    assert not REPLACED.search(text["options"]["content"])


def test_texts_that_another_door_cannot_ask_for_are_told_too():
    node = Seen("n", "", {"$HOME": Field(), "${a}": Field(type="string")}, healthy=False)
    page = page_of(node, "prometheus", "simpod")
    assert [target.get("expr", "")[:11] for target in asked(page) if "expr" in target]
    assert not any("target" in target for target in asked(page))
    (text,) = [panel for panel in page["panels"] if panel["type"] == "text"]
    assert "1 field" in text["options"]["content"]


def test_only_what_would_be_replaced_is_left_out():
    for name in ("a$", "$[x]", "a$ b", "[a]", "[ [a]]"):
        assert all(door.takes(name) for door in DOORS.values())
    assert DOORS["prometheus"].takes("$HOME")
    assert not any(DOORS[door].takes("$HOME") for door in ("simpod", "simplejson", "infinity"))
