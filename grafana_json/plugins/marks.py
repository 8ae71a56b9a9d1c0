"""Annotations: what is marked in a panel's window, of any source, whichever way Grafana then wants to have it.

A source of them is a function in SOURCES: it is asked for a window and a text, and tells nothing where the text does not
mean it.
"""

import heapq
import html
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np

from grafana_json.changes import MOST_SHOWN
from grafana_json.plugins.names import nodes_with
from grafana_json.query import Panel, RequestError, Target
from grafana_json.series import Notice, Series, duration
from grafana_json.targets import MOST_SERIES
from grafana_json.views import View
from sisock.nodes import health
from sisock.times import NS
from sisock.uris import JOINT

_WENT = {"up": "came", "away": "went away"}
_EVENTS = ("string", "bool")  # the types of fields that tell what happens, not how much there is of something
_LONGEST_TITLE, _LONGEST_TEXT = 100, 2000  # characters
_POINTS = 2000  # that a series is looked at with: shorter gaps than some of its bins may go unseen


class Mark(NamedTuple):
    """Something that happened at a time, or until another, in ns; what `find` gives has title and text as HTML."""

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
    """What series `node::field` tell: what happened, and stretches without samples."""
    if JOINT not in window.text:
        return Told()
    series, troubles = _fetched(view, window, (Target(window.text, None),))
    return Told(_latest(mark for each in series for mark in (*_gaps(each), *_events(each))), troubles)


def of_tagged(view: View, window: Window) -> Told:
    """`events with TAG`: what happened in all texts and booleans of the nodes that have the tag."""
    match window.text.split(None, 2):
        case ["events", "with", tag] if JOINT not in window.text:
            targets = tuple(_events_with(view, tag.strip()))
            if len(targets) > MOST_SERIES:
                told = (
                    f"the nodes with {tag:.80} have {len(targets)} texts and booleans, and {MOST_SERIES} are looked at"
                )
                raise RequestError(f"{told}: give the tag to fewer")
            series, troubles = _fetched(view, window, targets)
            return Told(_latest(mark for each in series for mark in _events(each)), troubles)
        case _:
            return Told()


def _events_with(view: View, tag: str) -> Iterator[Target]:
    known, tags = view.directory.known(), view.directory.tags()
    for node in sorted(nodes_with(tag, known, tags)):
        for field, about in known[node].items():
            if (
                about.type in _EVENTS and field not in health.FIELDS
            ):  # how the node itself does is no event of what it tells
                yield Target(f"{node}{JOINT}{field}", None)


def _fetched(view: View, window: Window, targets: tuple[Target, ...]) -> tuple[list[Series], tuple[Notice, ...]]:
    """The series, and what went wrong with them."""
    if not targets:
        return [], ()
    series = view.panels.fetch(Panel(window.start, window.end, _POINTS, targets, ()))
    troubles = dict.fromkeys(notice for each in series for notice in each.notices if notice.severity != "info")
    return series, tuple(troubles)


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
        told = text.strip()[:_LONGEST_TEXT]
        if told and text != before:
            yield Mark(at, None, told.splitlines()[0][:_LONGEST_TITLE], told, _named(series))
        before = text


def _stretches(series: Series) -> Iterator[Mark]:
    """From each sample that is true until the next that is not; no further than samples go on coming."""
    t, on = series.t, series.column.values & series.column.present()
    ends = np.append(t[1:], t[-1])  # until when each sample holds, where the next one does not go on with it
    goes_on = np.append(on[1:], False)
    for start, end in reversed(series.label.gaps if series.label else ()):
        before = int(np.searchsorted(t, end)) - 1  # which, of reduced samples, is not the one with which the gap begins
        if before >= 0:
            ends[before], goes_on[before] = max(start, int(t[before])), False
    begins = on & ~np.concatenate(([False], (on & goes_on)[:-1]))
    told = series.of.description if series.of and series.of.description else "true"
    for at, until in zip(t[begins].tolist(), ends[on & ~goes_on].tolist(), strict=True):
        yield Mark(at, until if until > at else None, series.name, told, _named(series))


def _named(series: Series) -> tuple[str, ...]:
    """The node, its field, and the tags of the node."""
    return () if series.of is None else (series.of.node, series.of.field, *series.of.tags)


SOURCES: tuple[Callable[[View, Window], Told], ...] = (comings_and_goings, of_series, of_tagged)


def find(view: View, window: Window) -> Told:
    """What all sources tell of the window, in order; the last 5000."""
    told = [source(view, window) for source in SOURCES]
    notices = tuple(notice for each in told for notice in each.notices)
    latest = _latest(mark for each in told for mark in each.marks)
    return Told(tuple(each._replace(title=_html(each.title), text=_html(each.text)) for each in latest), notices)


def _html(text: str) -> str:
    """The text so that Grafana shows it as it is.

    It takes titles and texts for HTML, though not tags, and where it has AngularJS (7 to 10) also for templates: what is
    in two elements is none.
    """
    return html.escape(text, quote=False).replace("{{", "{<span>{</span>")


def _latest(marks: Iterable[Mark]) -> tuple[Mark, ...]:
    """The last 5000, in order: very many are made, and no more than these held."""
    return tuple(sorted(heapq.nlargest(MOST_SHOWN, marks, key=_order), key=_order))


def _order(mark: Mark) -> tuple[int, str]:
    return mark.at, mark.title
