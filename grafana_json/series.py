"""The series of a panel, asked of all their nodes at the same time, each with the label of how it came about."""

from typing import NamedTuple

import numpy as np

from grafana_json.directory import Directory
from grafana_json.query import Panel, Target
from grafana_json.source import Source
from grafana_json.targets import Broken, Known, Wanted, needs_known, resolve
from sisock.consumer import Request
from sisock.errors import ConsumerError
from sisock.frames import Answer, Column, Part, Times
from sisock.times import NS

_UNITS = ((86400 * NS, "d"), (3600 * NS, "h"), (60 * NS, "min"), (NS, "s"), (10**6, "ms"), (10**3, "µs"), (1, "ns"))
_NOTHING = (np.empty(0, np.int64), Column(np.empty(0, np.float64)))


class Notice(NamedTuple):
    """What the person at the panel should know; severity is "info", "warning" or "error"."""

    severity: str
    text: str


class Label(NamedTuple):
    """How the points came about: method, samples behind them, width of a bin and gaps in ns."""

    method: str
    samples: int
    bin: int | None
    gaps: tuple[tuple[int, int], ...]


class Series(NamedTuple):
    """One series of a panel: points of shape (n,); no points and no label where the node did not answer."""

    name: str
    target: Target
    t: Times
    column: Column
    unit: str | None = None
    label: Label | None = None
    notices: tuple[Notice, ...] = ()


class Panels:
    """Answers panels: what Grafana's doors have in common."""

    def __init__(self, source: Source, directory: Directory, deadline: float) -> None:
        """Wait `deadline` seconds for each node."""
        self._source, self._directory, self._deadline = source, directory, deadline

    def fetch(self, panel: Panel) -> list[Series]:
        """The series of the panel in the order of its targets; raises RequestError where these are too many.

        A node that is away, unknown or too slow costs its own series only: these say so in their notices.
        """
        known = self._directory.known() if needs_known(panel) else self._directory.at_hand()
        series = resolve(panel, known)
        answers = self._ask(panel, [each for each in series if isinstance(each, Wanted)])
        return [
            _broken(each) if isinstance(each, Broken) else self._series(each, answers[each.node], known)
            for each in series
        ]

    def _ask(self, panel: Panel, wanted: list[Wanted]) -> dict[str, Answer | ConsumerError]:
        """One call for each node."""
        fields: dict[str, dict[str, None]] = {}
        for each in wanted:
            fields.setdefault(each.node, {})[each.field] = None
        requests = [
            Request(node, tuple(names), panel.start, panel.end, max_points=panel.points, reduce="minmax")
            for node, names in fields.items()
        ]
        answers = self._source.ask(requests, self._deadline) if requests else []
        return dict(zip(fields, answers, strict=True))

    def _series(self, wanted: Wanted, answer: Answer | ConsumerError, known: Known) -> Series:
        if isinstance(answer, ConsumerError):
            return Series(wanted.name, wanted.target, *_NOTHING, notices=(Notice("error", str(answer)),))
        notices = tuple(Notice("warning", text) for text in answer.notices)
        part = _part(answer, wanted.field)
        if part is None or not len(part.points):
            notices = (*notices, self._why_empty(wanted))
            return Series(
                wanted.name, wanted.target, *_NOTHING, label=Label(answer.method, 0, None, ()), notices=notices
            )
        about = known.get(wanted.node, {}).get(wanted.field)
        points = part.points
        if part.samples > len(points):
            notices = (*notices, Notice("info", _reduced(answer, part)))
        label = Label(answer.method if part.samples > len(points) else "raw", part.samples, answer.bin, part.gaps)
        unit = about.units if about else None
        return Series(wanted.name, wanted.target, points.t, points.columns[wanted.field], unit, label, notices)

    def _why_empty(self, wanted: Wanted) -> Notice:
        fields = self._directory.fields(wanted.node)
        if fields is not None and wanted.field not in fields:
            return Notice("error", f"{wanted.node} has no field {wanted.field!r:.80}: see what it has with /search")
        return Notice("info", f"{wanted.name} has no samples in this range")


def _broken(broken: Broken) -> Series:
    return Series(broken.name, broken.target, *_NOTHING, notices=(Notice("error", broken.why),))


def _part(answer: Answer, field: str) -> Part | None:
    return next((part for part in answer.parts if field in part.points.columns), None)


def _reduced(answer: Answer, part: Part) -> str:
    width = f" of each {duration(answer.bin)}" if answer.bin else ""
    kept = {"minmax": f"minimum and maximum{width}"}.get(answer.method, f"{answer.method}{width}")
    return f"{len(part.points):,} of {part.samples:,} samples are shown: {kept}"


def duration(ns: int) -> str:
    """A length of time for people, to two or three digits: `41.2 min`."""
    size, unit = next(each for each in _UNITS if ns >= each[0] or each[0] == 1)
    return f"{ns / size:.3g} {unit}"
