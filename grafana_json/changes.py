"""The comings and goings of data nodes, remembered for annotations."""

import threading
from collections import deque
from collections.abc import Collection
from typing import NamedTuple

from grafana_json.lookup import Work
from grafana_json.patterns import Pieces, expand, matches
from grafana_json.query import RequestError

_MOST = 1000  # changes remembered of a node
_MOST_NODES = 10_000
_SAME = 10 * 10**9  # ns within which two reports are of the same change
MOST_SHOWN = 5000  # in an answer
_MOST_NAMES = 200  # alternatives in an annotation's query


class Change(NamedTuple):
    """A node came ("up") or went ("away") at a time in ns."""

    at: int
    node: str
    state: str
    description: str


class Changes:
    """The last comings and goings, of whatever thread reports them."""

    def __init__(self) -> None:
        """Nothing is known at first."""
        self._kept: dict[str, deque[Change]] = {}
        self._hidden = False
        self._lock = threading.Lock()

    def add(self, change: Change) -> None:
        """Remember a change, once: a listing and an event tell of the same one at slightly different times."""
        with self._lock:
            kept = self._kept.setdefault(change.node, deque(maxlen=_MOST))
            if not _is_known(change, [each for each in kept if abs(each.at - change.at) < _SAME]):
                kept.append(change)
            if len(self._kept) > _MOST_NODES:
                del self._kept[next(iter(self._kept))]

    def hide(self) -> None:
        """Tell nothing until it is known again which nodes may be told of."""
        with self._lock:
            self._hidden = True

    def reveal(self, nodes: Collection[str]) -> None:
        """Where all was hidden, tell of these nodes again, and forget the others."""
        with self._lock:
            if self._hidden:
                self._kept = {name: kept for name, kept in self._kept.items() if name in nodes}
                self._hidden = False

    def of(self, node: str) -> list[Change]:
        """The changes of one node."""
        with self._lock:
            return [] if self._hidden else list(self._kept.get(node, ()))

    def between(self, start: int, end: int, text: str) -> list[Change]:
        """The changes with `start <= at < end` of nodes whose name contains the text, in order; the last 5000.

        The text may hold alternatives, `(a|b)`; raises RequestError where these are too many.
        """
        names = _names(text)
        with self._lock:
            if self._hidden:
                return []
            Work().spend(names, len(self._kept))
            nodes = [kept for node, kept in self._kept.items() if any(matches(name, node.lower()) for name in names)]
            chosen = [each for kept in nodes for each in kept if start <= each.at < end]
        return sorted(chosen)[-MOST_SHOWN:]


def _is_known(change: Change, near: list[Change]) -> bool:
    """Whether the same change is among those near in time, with none to the contrary between the two."""
    return any(
        each.state == change.state
        and not any(
            other.state != change.state and min(each.at, change.at) < other.at < max(each.at, change.at)
            for other in near
        )
        for each in near
    )


def _names(text: str) -> list[Pieces]:
    try:
        return [("", *map(str.lower, pieces), "") for pieces in expand(text.strip(), _MOST_NAMES)]
    except ValueError as error:
        raise RequestError(str(error)) from None
