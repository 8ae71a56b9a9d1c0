"""Which nodes are recorded."""

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple

from sisock.listing import Node


class Choice(NamedTuple):
    """All nodes but sensitive ones, archives and recorders; or those that match a pattern of `only`.

    A pattern is one of names, or behind `#` one of tags.
    """

    only: Sequence[str] = ()
    but: Sequence[str] = ()

    def __call__(self, node: Node) -> bool:
        """Whether this node is recorded."""
        if _matches(node, self.but) or node.info.get("kind") == "recorder":
            return False
        if self.only:
            return _matches(node, self.only)
        return not node.sensitive and node.info.get("kind") != "archive"


def _matches(node: Node, patterns: Sequence[str]) -> bool:
    named = any(fnmatchcase(node.name, each) for each in patterns)
    tagged = [each.removeprefix("#") for each in patterns if each.startswith("#")]
    return named or any(fnmatchcase(tag, each) for tag in node.tags for each in tagged)
