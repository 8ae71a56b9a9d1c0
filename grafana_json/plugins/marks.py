"""Annotations: what is marked in a panel's window, of any source, whichever way Grafana then wants to have it.

A source of them is a function in SOURCES: it is asked for a window and a text, and tells nothing where the text does not
mean it.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from grafana_json.changes import MOST_SHOWN
from grafana_json.plugins.names import nodes_with
from grafana_json.query import Panel, Target
from grafana_json.series import Notice, Series, duration
from grafana_json.views import View
from sisock.times import NS
from sisock.uris import JOINT

_WENT = {"up": "came", "away": "went away"}
_EVENTS = ("string", "bool")  # the types of fields that tell what happens, not how much there is of something
_LONGEST_TITLE = 100  # characters
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


def of_series(view: View, window: Window) -> Told:
    """What the series that the text stands for tell: what happened, and stretches without samples."""
    targets = _targets(view, window.text)
    series = view.panels.fetch(Panel(window.start, window.end, _POINTS, targets, ())) if targets else []
    marks = [mark for each in series for mark in (*_gaps(each), *_events(each))]
    troubles = dict.fromkeys(notice for each in series for notice in each.notices if notice.severity != "info")
    return Told(tuple(marks), tuple(troubles))


def _targets(view: View, text: str) -> tuple[Target, ...]:
    """`node::field`, or `events with TAG`: all texts and booleans of the nodes that have the tag."""
    match text.split(None, 2):
        case ["events", "with", tag] if JOINT not in text:
            known, tags = view.directory.known(), view.directory.tags()
            names = [
                f"{node}{JOINT}{field}"
                for node in sorted(nodes_with(tag.strip(), known, tags))
                for field, about in known[node].items()
                if about.type in _EVENTS
            ]
            return tuple(Target(name, None) for name in names)
        case _:
            return (Target(text, None),) if JOINT in text else ()


def _gaps(series: Series) -> Iterator[Mark]:
    for start, end in series.label.gaps if series.label else ():
        told = f"no samples for {duration(end - start)}"
        yield Mark(start, end, f"gap in {series.name}", told, (*_named(series), "gap"))


def _events(series: Series) -> Iterator[Mark]:
    """Texts where they change, and the stretches through which a boolean is true."""
    column = series.column
    if not len(series.t) or column.type not in _EVENTS:
        return
    if column.type == "bool":
        yield from _stretches(series)
        return
    before = ""
    there = np.flatnonzero(column.present())
    for at, text in zip(series.t[there].tolist(), column.values[there].tolist(), strict=True):
        if text and text != before:
            yield Mark(at, None, text.splitlines()[0][:_LONGEST_TITLE], text, _named(series))
        before = text


def _stretches(series: Series) -> Iterator[Mark]:
    """From each sample that is true until the next that is not; no further than samples go on coming."""
    t, on = series.t, series.column.values & series.column.present()
    silent = np.isin(t, [start for start, _ in (series.label.gaps if series.label else ())])
    stops = np.flatnonzero(~on | silent | (np.arange(len(t)) == len(t) - 1))
    begins = np.flatnonzero(on & ~np.concatenate(([False], (on & ~silent)[:-1])))
    for begin, stop in zip(begins.tolist(), stops[np.searchsorted(stops, begins)].tolist(), strict=True):
        at, until = int(t[begin]), int(t[stop])
        told = series.of.description if series.of and series.of.description else "true"
        yield Mark(at, until if until > at else None, series.name, told, _named(series))


def _named(series: Series) -> tuple[str, ...]:
    """The node, its field, and the tags of the node."""
    return () if series.of is None else (series.of.node, series.of.field, *series.of.tags)


SOURCES: tuple[Callable[[View, Window], Told], ...] = (comings_and_goings, of_series)


def find(view: View, window: Window) -> Told:
    """What all sources tell of the window, in order; the last 5000."""
    told = [source(view, window) for source in SOURCES]
    marks = sorted((mark for each in told for mark in each.marks), key=lambda mark: (mark.at, mark.title))
    return Told(tuple(marks[-MOST_SHOWN:]), tuple(notice for each in told for notice in each.notices))
