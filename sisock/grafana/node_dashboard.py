"""The dashboard of a data node, made of its fields, their units and types."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sisock.grafana.annotations import annotations
from sisock.grafana.dashboards import LIVE, NODE_TAG, dashboard
from sisock.grafana.doors import Door
from sisock.grafana.drawing import booleans, lines, newest
from sisock.grafana.groups import Group, by_unit, chunks, of_type
from sisock.grafana.layout import WIDTH, Row, Sized, laid_out
from sisock.grafana.panels import UP_AWAY, states, words
from sisock.grafana.plain import plain
from sisock.grafana.promql import prometheus, quoted
from sisock.grafana.seen import Seen
from sisock.times import NS

MOST_OPEN = 20  # panels that are drawn at once
MOST_PANELS = 400  # of a dashboard
_MOST_NEWEST = 8  # fields whose newest value stands at the top
_MOST_WORDS = 20  # fields of a state timeline
_MOST_DESCRIBED = 12  # fields described in a panel's help
_DAY = 86400 * NS


def node_dashboard(node: Seen, doors: Sequence[Door]) -> dict[str, Any]:
    """The dashboard: newest values, states, lines by unit, and the node's health at the bottom.

    Numbers come through the first of the doors, texts through the first that has them.
    """
    door, texts = doors[0], next((each for each in doors if each.texts), None)
    whole, node = node, _asked(node, door, texts)
    panels = _panels(node, door, texts)
    shown, left_out = panels[:MOST_PANELS], len(panels) - MOST_PANELS
    first, rest = shown[:MOST_OPEN], shown[MOST_OPEN:]
    rows = [
        Row(f"More: {part[0].panel['title']} …", part, closed=True)
        for part in (rest[at : at + MOST_OPEN] for at in range(0, len(rest), MOST_OPEN))
    ]
    top = [*_top(node, door), *first, *_missing(node, texts, left_out, len(whole.fields) - len(node.fields))]
    return dashboard(
        node.uid,
        f"sisock: {node.name}",
        node.description,
        laid_out(top, [*rows, Row("Health", _health(node, door, texts))]),
        tags=[NODE_TAG],
        time=_time(node),
        annotations=annotations(doors, node.name),
    )


def _asked(node: Seen, door: Door, texts: Door | None) -> Seen:
    """The node with those of its fields for which its door can ask."""
    doors = {"string": texts or door}
    return node._replace(
        fields={name: field for name, field in node.fields.items() if doors.get(field.type, door).takes(name)}
    )


def _panels(node: Seen, door: Door, texts: Door | None) -> list[Sized]:
    """All panels of the node's fields, those of booleans and texts first."""
    bools, strings = of_type(node.fields, "bool"), of_type(node.fields, "string")
    made = [
        Sized(booleans(door, _titled("States", part, bools), node.name, part), WIDTH, _height(len(part)))
        for part in chunks(bools, _MOST_WORDS)
    ]
    if texts and texts.texts:
        made += [
            Sized(
                states(_titled("Texts", part, strings), texts.reference, texts.texts(node.name, part)),
                WIDTH,
                _height(len(part)),
            )
            for part in chunks(strings, _MOST_WORDS)
        ]
    joined = node.kind == "archive"
    return made + [Sized(_lines(node, door, group, joined=joined)) for group in by_unit(node.fields)]


def _lines(node: Seen, door: Door, group: Group, *, joined: bool) -> dict[str, Any]:
    told = [f"{plain(name)}: {plain(text)}" for name in group.fields if (text := node.fields[name].description)]
    described = "\n\n".join(told) if len(told) <= _MOST_DESCRIBED else ""
    return lines(door, group.title, node.name, group.fields, group.units, described=described, joined=joined)


def _titled(what: str, part: Sequence[str], fields: Sequence[str]) -> str:
    return what if len(part) == len(fields) else f"{what}: {part[0]} …"


def _height(fields: int) -> int:
    return min(12, 3 + fields)


def _top(node: Seen, door: Door) -> list[Sized]:
    """The newest values: of all numbers where these are few, else of those that share their panel with no other."""
    numbers = of_type(node.fields, "number")
    single = [group.fields[0] for group in by_unit(node.fields) if len(group.fields) == 1]
    chosen = numbers if len(numbers) <= _MOST_NEWEST else single[:_MOST_NEWEST]
    units = {name: node.fields[name].units for name in chosen}
    return [Sized(newest(door, "Newest", node.name, units), WIDTH, 4)] if units else []


def _missing(node: Seen, texts: Door | None, left_out: int, unasked: int) -> list[Sized]:
    """What of the node's fields this dashboard does not show, and how to see it."""
    strings = of_type(node.fields, "string")
    told = [f"{left_out} more panels would be too many: look at their fields in Explore."] if left_out > 0 else []
    if strings and texts is None:
        told.append(
            f"Texts ({', '.join(map(plain, strings[:_MOST_NEWEST]))}) need a door that has them: "
            "`sisock grafana provision` with a further `--door simpod` shows them here."
        )
    if unasked:
        told.append(
            f"{unasked} {'fields have names' if unasked > 1 else 'field has a name'} with `$…` or `[[…`, where Grafana would "
            "put values of its own. The Prometheus door can ask for those that are no texts: `sisock grafana provision` "
            "with `--door prometheus` first shows them."
        )
    return [Sized(words("Not shown", "\n\n".join(told)), WIDTH, 3)] if told else []


def _health(node: Seen, door: Door, texts: Door | None) -> list[Sized]:
    """Whether the node is up, how long its last attempts took, and how they went."""
    made = []
    if door.name == "prometheus":
        up = prometheus(f"up{{node={quoted(node.name)}}}", "{{node}}")
        made.append(Sized(states("Up or away", door.reference, [up], UP_AWAY), 8, 4))
    if node.healthy:
        made.append(Sized(lines(door, "Time an attempt takes", node.name, ["health.took"], "s"), 8, 4))
        if texts and texts.texts:
            asked = texts.texts(node.name, ["health.state", "health.error"])
            made.append(Sized(states("State", texts.reference, asked), 8, 4))
    return made


def _time(node: Seen) -> tuple[str, str, str]:
    """The last hour; of an archive that is not added to any more all of it."""
    if node.kind != "archive":
        return LIVE
    if node.span is None:
        return "now-30d", "now", "5m"
    first, last = node.span
    return _iso(first // _DAY * _DAY), _iso((last // _DAY + 1) * _DAY), ""


def _iso(ns: int) -> str:
    return f"{datetime.fromtimestamp(ns // NS, UTC):%Y-%m-%dT%H:%M:%S}.000Z"
