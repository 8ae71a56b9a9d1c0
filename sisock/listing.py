"""Data nodes as the hub lists them."""

from typing import Any, NamedTuple


class Node(NamedTuple):
    """A data node as the hub lists it; `since` is int64 ns: for how long it has been up or away."""

    name: str
    description: str
    state: str = "up"
    since: int = 0
    sensitive: bool = False
    info: dict[str, Any] = {}  # noqa: RUF012  # never changed in place
