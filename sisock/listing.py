"""Data nodes as the hub lists them."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple


class Node(NamedTuple):
    """A data node as the hub lists it; `since` is int64 ns: for how long it has been up or away.

    `kept_by`: the recorders that keep its past and answer for it.
    """

    name: str
    description: str
    state: str = "up"
    since: int = 0
    sensitive: bool = False
    info: dict[str, Any] = {}  # noqa: RUF012  # never changed in place
    kept_by: tuple[str, ...] = ()

    @property
    def tags(self) -> list[str]:
        """Words by which nodes are chosen together."""
        tags = self.info.get("tags")
        return [tag for tag in tags if isinstance(tag, str)] if isinstance(tags, list) else []

    @property
    def health(self) -> str:
        """`no data` or `failed` where a node that is up said so of itself, within seconds; else empty."""
        said = self.info.get("health")
        return said if self.state == "up" and said in ("no data", "failed") else ""


def read_node(listed: Mapping[str, Any]) -> Node:
    """A node of the hub's listing; raises KeyError or TypeError for anything else."""
    known = {key: listed[key] for key in Node._fields if key != "kept_by"}
    return Node(**known, kept_by=tuple(listed.get("kept_by", ())))


def read_news(news: object) -> Iterator[tuple[str, Node]]:
    """`("added" | "subtracted", node)` of an event of the hub; what is no news is left out."""
    for each in news if isinstance(news, (list, tuple)) else ():
        match each:
            case ["added" | "subtracted" as what, {"name": str(name), **more}]:
                description = str(more.get("description") or "")
                yield what, Node(name, description, "up" if what == "added" else "away")
