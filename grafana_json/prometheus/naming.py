"""How fields are called here: the name of the metric, and the labels (docs/decisions/0013-prometheus-names.md)."""

import re
from collections.abc import Mapping
from typing import NamedTuple

from grafana_json.prometheus.vectors import NAME, Labels
from sisock.consumer import Node
from sisock.frames import Field

ANY = "sisock"  # the metric under which every field can be asked for by its labels
UP = "up"  # whether a node is there
_ILLEGAL = re.compile(r"[^a-zA-Z0-9_:]+")


class Series(NamedTuple):
    """A field as a series, or with the field "" whether its node is there."""

    node: str
    field: str
    labels: Labels


def metric_name(field: str) -> str:
    """The field's name with `_` in place of what a metric's name cannot have: `cpu (core 0)` is `cpu_core_0`."""
    name = _ILLEGAL.sub("_", field)
    if name != field:
        name = name.strip("_")
    if not name or name[0].isdigit():
        name = f"_{name}"
    return f"{name}_" if name in (ANY, UP) else name


def series_of(node: Node, fields: Mapping[str, Field]) -> list[Series]:
    """The fields of a node that have numbers or booleans, and whether it is there."""
    tags = sorted(set(node.tags))
    common = {"node": node.name, **({"tags": f",{','.join(tags)},"} if tags else {})}
    every = [Series(node.name, "", {NAME: UP, **common})]
    for name, field in fields.items():
        if field.type != "string":
            unit = {"unit": field.units} if field.units else {}
            every.append(Series(node.name, name, {NAME: metric_name(name), "field": name, **common, **unit}))
    return every


def as_any(series: Series) -> Series:
    """The field under the name that all have."""
    return series._replace(labels={**series.labels, NAME: ANY})
