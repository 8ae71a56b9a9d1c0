"""Which fields of which nodes targets with wildcards stand for."""

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, NamedTuple

from sisock.nodes import health
from sisock.uris import JOINT, check_field, check_node

if TYPE_CHECKING:
    from sisock.consumer import Node

_WILD = frozenset("*?[")


class Choice(NamedTuple):
    """Patterns of nodes, each with those of its fields; None: all but those of its health."""

    patterns: Mapping[str, Sequence[str] | None]

    def nodes(self, listed: "Sequence[Node]") -> list[str]:
        """The names among these that are chosen; those of sensitive nodes only where they are written out."""
        return [
            node.name
            for node in listed
            if node.name in self.patterns
            or (not node.sensitive and any(_matches(pattern, node.name) for pattern in self.patterns))
        ]

    def fields(self, node: str, known: Sequence[str]) -> list[str]:
        """The fields of a node that are chosen, among those known."""
        wanted = [fields for pattern, fields in self.patterns.items() if _matches(pattern, node)]
        return [name for name in known if any(_takes(fields, name) for fields in wanted)]

    @property
    def plain(self) -> dict[str, list[str]]:
        """The nodes that are named without a wildcard, each with its fields that are, which have to be there."""
        named = {node: fields or () for node, fields in self.patterns.items() if not _WILD & set(node)}
        return {node: [each for each in fields if not _WILD & set(each)] for node, fields in named.items()}


def choice(targets: Sequence[str]) -> Choice:
    """What targets `node`, `node::field` choose, where `*` stands for anything; all where there are none.

    Raises ValueError with the cure for other text.
    """
    patterns: dict[str, list[str] | None] = {}
    for target in targets or ("*",):
        node, joint, field = target.partition(JOINT)
        if not _WILD & set(node):
            check_node(node)
        if not joint:
            patterns[node] = None
        elif patterns.setdefault(node, []) is not None:
            fields = patterns[node]
            assert fields is not None
            fields.append(check_field(field))
    return Choice(patterns)


def _matches(pattern: str, text: str) -> bool:
    return pattern == text or fnmatchcase(text, pattern)


def _takes(patterns: Sequence[str] | None, field: str) -> bool:
    if patterns is None:
        return field not in health.FIELDS
    return any(_matches(pattern, field) for pattern in patterns)
