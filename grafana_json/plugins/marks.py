"""Annotations: what is marked in a panel's window, of any source, whichever way Grafana then wants to have it.

A source of them is a function in SOURCES: it is asked for a window and a text, and tells nothing where the text does not
mean it.
"""

from collections.abc import Callable
from typing import NamedTuple

from grafana_json.changes import MOST_SHOWN
from grafana_json.query import Panel, Target
from grafana_json.series import Notice, duration
from grafana_json.views import View
from sisock.times import NS
from sisock.uris import JOINT

_WENT = {"up": "came", "away": "went away"}
_POINTS = 2000  # that a series is looked at with: shorter gaps than some of its bins may go unseen


class Mark(NamedTuple):
    """Something that happened at a time, or until another, in ns."""

    at: int
    until: int | None
    title: str
    text: str
    tags: tuple[str, ...]


class Window(NamedTuple):
    """Start and end in UNIX seconds, and what is asked for there."""

    start: float
    end: float
    text: str


class Told(NamedTuple):
    """What a source tells of a window, and what the person there should know besides."""

    marks: tuple[Mark, ...] = ()
    notices: tuple[Notice, ...] = ()


def comings_and_goings(view: View, window: Window) -> Told:
    """Nodes that came and went, whose name contains the text."""
    if JOINT in window.text:
        return Told()
    found = view.directory.changes.between(int(window.start * NS), int(window.end * NS), window.text)
    return Told(
        tuple(
            Mark(each.at, None, f"{each.node} {_WENT[each.state]}", each.description, (each.node, each.state))
            for each in found
        )
    )


def gaps_of_series(view: View, window: Window) -> Told:
    """Stretches without samples of the series `node::field` that the text stands for."""
    if JOINT not in window.text:
        return Told()
    targets = (Target(window.text, None),)
    series = view.panels.fetch(Panel(window.start, window.end, _POINTS, targets, ()))
    marks = [
        Mark(
            start, end, f"gap in {each.name}", f"no samples for {duration(end - start)}", (*(each.of or ())[:2], "gap")
        )
        for each in series
        for start, end in (each.label.gaps if each.label else ())
    ]
    troubles = dict.fromkeys(notice for each in series for notice in each.notices if notice.severity != "info")
    return Told(tuple(marks), tuple(troubles))


SOURCES: tuple[Callable[[View, Window], Told], ...] = (comings_and_goings, gaps_of_series)


def find(view: View, window: Window) -> Told:
    """What all sources tell of the window, in order; the last 5000."""
    told = [source(view, window) for source in SOURCES]
    marks = sorted(mark for each in told for mark in each.marks)
    return Told(tuple(marks[-MOST_SHOWN:]), tuple(notice for each in told for notice in each.notices))
