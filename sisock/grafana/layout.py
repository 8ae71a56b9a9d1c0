"""Panels in their places: two beside each other, and what is too much in rows that open at a click."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from sisock.grafana.panels import Panel

WIDTH = 24  # of a dashboard, in Grafana's units


class Sized(NamedTuple):
    """A panel and how large it is."""

    panel: Panel
    width: int = 12
    height: int = 8


class Row(NamedTuple):
    """Panels under a title; closed ones are fetched when they are opened."""

    title: str
    panels: Sequence[Sized]
    closed: bool = False


def laid_out(top: Iterable[Sized], rows: Iterable[Row]) -> list[dict[str, Any]]:
    """All panels with place and number, in reading order; numbers are the same for the same panels."""
    page = _Page()
    placed = page.flow(top)
    for row in rows:
        (head,) = page.flow(
            [Sized({"type": "row", "title": row.title, "collapsed": row.closed, "panels": []}, WIDTH, 1)]
        )
        below = page.y
        inside = page.flow(row.panels)
        if row.closed:
            placed.append({**head, "panels": inside})
            page.y = below  # what is closed takes no place
        else:
            placed += [head, *inside]
    return placed


class _Page:
    """Where the next panel comes, and its number."""

    def __init__(self) -> None:
        self.y = 0
        self._number = 0

    def flow(self, panels: Iterable[Sized]) -> list[dict[str, Any]]:
        """The panels from left to right and down; the next comes below them."""
        placed, x, tallest = list[dict[str, Any]](), 0, 0
        for panel, width, height in panels:
            if x + width > WIDTH:
                self.y, x, tallest = self.y + tallest, 0, 0
            self._number += 1
            place = {"x": x, "y": self.y, "w": width, "h": height}
            placed.append({"id": self._number, "gridPos": place, **panel})
            x, tallest = x + width, max(tallest, height)
        self.y += tallest
        return placed
