"""Names and descriptions of others in what Grafana reads: as they are, whatever stands in them."""

import html
import json
import re

import promql_parser
import pytest
import yaml

from sisock.frames import Field
from sisock.grafana.doors import DOORS
from sisock.grafana.plain import plain
from sisock.grafana.promql import selector
from sisock.grafana.seen import Seen
from tests.grafana_data import grafana
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


# markup


HOSTILE = (
    "![x](https://evil.example/p.png) <img src=x> `a` **b** [c](d) &lt; www.evil.example a@evil.example\n\n# e\n| f |"
)
ACTIVE = re.compile(r"[`*_\[\]()<>#!|~@:.{}$\\]|&(?!#\d+;)")  # what markup is made of


def shown(markdown: str) -> str:
    """The text that a page shows for entities."""
    return html.unescape(markdown)


def test_markdown_shows_a_text_as_it_is_and_has_no_markup_from_it():
    made = plain(HOSTILE)
    assert shown(made) == " ".join(HOSTILE.split())
    assert not ACTIVE.search(re.sub(r"&#\d+;", "", made))
    assert plain("how busy, in % of °C") == "how busy, in % of °C"


def test_grafanas_own_markdown_makes_a_paragraph_of_it_and_no_more():
    texts = [
        HOSTILE,
        "# a",
        "1. a",
        "- a",
        "a\n---",
        "    a",
        "***",
        "| a |\n|---|",
        "[x]: https://evil.example",
        "\\*a*",
    ]
    with grafana() as library:
        made = library.markdown([f"{plain(text)}: b" for text in texts])
        assert "<img" in library.markdown([HOSTILE])[0]
    for text, page in zip(texts, made, strict=True):
        assert re.fullmatch(r"<p>[^<>]*</p>\s*", page)
        assert shown(page.strip()[3:-4]) == " ".join(text.split()) + ": b"


def test_names_and_descriptions_are_plain_text_in_panels():
    fields = {"a": Field(HOSTILE), "b": Field("one", units="K"), HOSTILE: Field(type="string")}
    page = page_of(Seen("n", "", fields, healthy=False), "prometheus")
    described = [panel["description"] for panel in every_panel(page) if panel.get("description")]
    (told,) = [panel["options"]["content"] for panel in page["panels"] if panel["type"] == "text"]
    assert f"a: {plain(HOSTILE)}" in described
    assert "b: one" in described
    assert plain(HOSTILE) in told
    for text in (*described, told):
        assert "evil.example" not in text
        assert "<" not in text


@pytest.mark.parametrize("name", ["{{ externalURL }}", "{{{a}}}", "{{{{", "{{- `x` -}}", "a{", "{ {"])
def test_a_rule_says_a_name_as_it_is_and_runs_no_template_of_it(name: str):
    node = Seen("n", "", {name: Field(units="%")}, healthy=False)
    (group,) = yaml.safe_load(provisioned(("prometheus",), [node])["alerting/sisock.yaml"])["groups"]
    summary = group["rules"][-1]["annotations"]["summary"]
    opening = '{{ "{{" }}'
    assert "{{" not in summary.replace(opening, "")
    assert summary.replace(opening, "{{") == f"{name} of n is above 90."
    assert group["rules"][0]["annotations"]["summary"] == "The data node {{ .Labels.node }} is away."
