"""Which nodes and fields there are, as rows."""

from collections.abc import Iterable, Mapping

import numpy as np

from grafana_json.rows.tables import Block, Head, Moments, Table, column_of_texts
from sisock.consumer import Node
from sisock.frames import Column, Field
from sisock.uris import JOINT

MOST_LISTED = 100_000  # fields
_OF_A_NODE = ("node", "state", "since", "description", "tags", "sensitive", "kept_by")
_OF_A_FIELD = ("target", "node", "field", "type", "unit", "timeline", "description")
_KINDS = {"since": "time", "sensitive": "bool"}


def nodes(listed: Iterable[Node]) -> Table:
    """A row for each node, by name."""
    every = sorted(listed, key=lambda node: node.name)
    cells = (
        column_of_texts([node.name for node in every]),
        column_of_texts([node.state for node in every]),
        Moments(np.array([node.since for node in every], np.int64)),
        column_of_texts([node.description for node in every]),
        column_of_texts([", ".join(node.tags) for node in every]),
        Column(np.array([node.sensitive for node in every], bool)),
        column_of_texts([", ".join(node.kept_by) for node in every]),
    )
    return Table(_heads(_OF_A_NODE), (Block(len(every), cells),))


def fields(known: Mapping[str, Mapping[str, Field]]) -> Table:
    """A row for each field of each node, by node; the first hundred thousand."""
    every = [(node, name, field) for node in sorted(known) for name, field in known[node].items()][:MOST_LISTED]
    cells = (
        column_of_texts([f"{node}{JOINT}{name}" for node, name, _ in every]),
        column_of_texts([node for node, _, _ in every]),
        column_of_texts([name for _, name, _ in every]),
        column_of_texts([field.type for _, _, field in every]),
        column_of_texts([field.units for _, _, field in every]),
        column_of_texts([field.timeline for _, _, field in every]),
        column_of_texts([field.description for _, _, field in every]),
    )
    return Table(_heads(_OF_A_FIELD), (Block(len(every), cells),))


def _heads(names: Iterable[str]) -> tuple[Head, ...]:
    return tuple(Head(name, _KINDS.get(name, "string")) for name in names)
