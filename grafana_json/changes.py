"""The comings and goings of data nodes, remembered for annotations."""

import threading
from collections import deque
from typing import Any, NamedTuple

from grafana_json.patterns import Pieces, expand, matches
from grafana_json.query import RequestError

_MOST = 10_000  # changes remembered
_SAME = 10 * 10**9  # ns within which two reports are of the same change
_MOST_NAMES = 200  # alternatives in an annotation's query


class Change(NamedTuple):
    """A node came ("up") or went ("away") at a time in ns."""

    at: int
    node: str
    state: str
    description: str

    def described(self) -> dict[str, Any]:
        """Title, text, tags and time of the annotation."""
        went = {"up": "came", "away": "went away"}[self.state]
        return {
            "time": self.at // 1_000_000,
            "title": f"{self.node} {went}",
            "text": self.description,
            "tags": [self.node, self.state],
        }


class Changes:
    """The last comings and goings, of whatever thread reports them."""

    def __init__(self) -> None:
        """Nothing is known at first."""
        self._kept: deque[Change] = deque(maxlen=_MOST)
        self._lock = threading.Lock()

    def add(self, change: Change) -> None:
        """Remember a change, once: a listing and an event tell of the same one at slightly different times."""
        with self._lock:
            if not any(_is_same(change, kept) for kept in self._kept):
                self._kept.append(change)

    def between(self, start: int, end: int, text: str) -> list[Change]:
        """The changes with `start <= at < end` of nodes whose name contains the text, in order.

        The text may hold alternatives, `(a|b)`; raises RequestError where these are too many.
        """
        names = _names(text)
        with self._lock:
            kept = list(self._kept)
        return sorted(c for c in kept if start <= c.at < end and any(matches(name, c.node.lower()) for name in names))


def _is_same(one: Change, other: Change) -> bool:
    return (one.node, one.state) == (other.node, other.state) and abs(one.at - other.at) < _SAME


def _names(text: str) -> list[Pieces]:
    try:
        return [("", *map(str.lower, pieces), "") for pieces in expand(text.strip(), _MOST_NAMES)]
    except ValueError as error:
        raise RequestError(str(error)) from None
