"""Functions that change labels: `label_replace` and `label_join`."""

import re
from collections.abc import Sequence

from grafana_json.prometheus.matching import pattern_of
from grafana_json.prometheus.regexes import Budget
from grafana_json.prometheus.trouble import cannot
from grafana_json.prometheus.vectors import Labels, Vector, distinct
from grafana_json.query import shown

_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_REFERENCE = re.compile(r"\$(?:\$|(\w+)|\{(\w+)\})", re.ASCII)
_LONGEST = 2_000  # characters of a label's value


def replace(vector: Vector, target: str, replacement: str, source: str, pattern: str, budget: Budget) -> Vector:
    """Set a label to the replacement, in which `$1` stands for a group, where the pattern is the source label's value.

    Raises QueryError, also where the budget is spent.
    """
    _check(target)
    compiled = pattern_of(pattern, budget, groups=True)
    known: dict[str, str | None] = {}
    for labels in vector.labels:
        value = labels.get(source, "")
        if value not in known:
            found = compiled.find(value)
            known[value] = None if found is None else _expanded(replacement, found)
    changed = [_with(labels, target, known[labels.get(source, "")]) for labels in vector.labels]
    return distinct(vector._replace(labels=changed))


def _expanded(replacement: str, found: dict[str, str]) -> str:
    return _REFERENCE.sub(lambda m: found.get(m[1] or m[2], "") if m[1] or m[2] else "$", replacement)[:_LONGEST]


def join(vector: Vector, target: str, between: str, sources: Sequence[str]) -> Vector:
    """Set a label to the values of others, put together."""
    _check(target)
    changed = [
        _with(labels, target, between.join(labels.get(each, "") for each in sources)[:_LONGEST])
        for labels in vector.labels
    ]
    return distinct(vector._replace(labels=changed))


def _with(labels: Labels, name: str, value: str | None) -> Labels:
    """The labels with this one set; an empty value is none at all."""
    if value is None:
        return labels
    rest = {key: each for key, each in labels.items() if key != name}
    return {**rest, name: value} if value else rest


def _check(name: str) -> None:
    if not _LABEL.fullmatch(name):
        raise cannot(f"{shown(name)} is not the name of a label: use letters, digits and _")
