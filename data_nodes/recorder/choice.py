"""Which nodes are recorded."""

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple

from sisock.listing import Node


class Choice(NamedTuple):
    """All nodes but sensitive ones, archives and recorders; or those whose names match a pattern of `only`."""

    only: Sequence[str] = ()
    but: Sequence[str] = ()

    def __call__(self, node: Node) -> bool:
        """Whether this node is recorded."""
        if _matches(node.name, self.but) or node.info.get("kind") == "recorder":
            return False
        if self.only:
            return _matches(node.name, self.only)
        return not node.sensitive and node.info.get("kind") != "archive"


def _matches(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)
