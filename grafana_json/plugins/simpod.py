"""What simPod's JSON plugin asks, read.

It speaks on the same paths as SimpleJSON. It never says what type a target is, which SimpleJSON always does.
"""

from collections.abc import Iterator
from typing import Any

from grafana_json.query import (
    MOST_TARGETS,
    Panel,
    RequestError,
    Target,
    checked,
    optional,
    parse_filters,
    parse_options,
    parse_points,
    parse_range,
    parse_ref,
    shown,
)
from sisock.uris import JOINT

ANNOTATIONS = "Anno"  # the letter under which Grafana asks for annotations
_OF_A_FILTER = ("filters", "timeRange")  # what only Grafana's newer editors of filters say


def is_query(body: Any) -> bool:
    """Whether a query is simPod's."""
    targets = body.get("targets") if isinstance(body, dict) else None
    return isinstance(targets, list) and bool(targets) and all(_is_target(each) for each in targets)


def _is_target(given: Any) -> bool:
    return isinstance(given, dict) and "type" not in given


def is_filter(body: Any) -> bool:
    """Whether a question about ad-hoc filters is of an editor as new as simPod's."""
    return isinstance(body, dict) and any(key in body for key in _OF_A_FILTER)


def parse_panel(body: Any) -> Panel:
    """The panel of a query; raises RequestError."""
    body = checked(body, dict, "the request", "an object")
    start, end = parse_range(body.get("range"))
    points = parse_points(body.get("maxDataPoints"), body.get("intervalMs"), end - start)
    lines = optional(body.get("targets"), [], "targets", "a list")
    if len(lines) > MOST_TARGETS:
        raise RequestError(f"{len(lines)} targets are too many for one panel: use {MOST_TARGETS} at the most")
    filters = (*parse_filters(body.get("adhocFilters")), *parse_filters(body.get("filters")))
    targets = tuple(target for line in lines for target in _targets(line))
    return Panel(start, end, points, targets, tuple(dict.fromkeys(filters)))


def parse_annotation(body: Any) -> str | None:
    """What annotations are asked for; None where it is series that are. Raises RequestError."""
    first = body["targets"][0]
    if first.get("refId") != ANNOTATIONS:
        return None
    text: str = optional(first.get("target"), "", "target", "names of nodes, a series node::field, or nothing")
    return text


def _targets(given: Any) -> Iterator[Target]:
    """The targets of a line: one that was typed, or one for each field that was chosen; none where it is hidden."""
    given = checked(given, dict, "a target", 'an object as {"target": "node::field"}')
    text = optional(given.get("target"), "", "target", "a node, or a text as node::field")
    said = _payload(given.get("payload"))
    fields, (reduce, points) = _fields(said.get("field")), parse_options(said)
    if given.get("hide") or not text:
        return
    names = [text] if JOINT in text or not fields else [f"{text}{JOINT}{field}" for field in fields]
    for name in names:
        yield Target(name, parse_ref(given.get("refId")), "timeserie", reduce, points)


def _payload(given: Any) -> dict[str, Any]:
    """What the form, or whoever typed it, says besides; nothing may come as an empty text."""
    form = 'an object as {"field": ["temperature"], "reduce": "mean", "points": 500}'
    said: dict[str, Any] = {} if given == "" else optional(given, {}, "payload", form)
    return said


def _fields(given: Any) -> list[str]:
    """The fields that are chosen, each once; a field alone may come as a text."""
    listed = optional([given] if isinstance(given, str) else given, [], "payload.field", "a list of names of fields")
    if not all(isinstance(each, str) for each in listed):
        raise RequestError(f"payload.field is {shown(listed)}: it must be a list of names of fields")
    return [each for each in dict.fromkeys(listed) if each]
