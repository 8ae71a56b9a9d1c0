"""The series of a panel, asked of all their nodes at the same time, each with the label of how it came about."""

from typing import Any, NamedTuple

import numpy as np

from grafana_json.directory import Directory
from grafana_json.query import Panel, Target
from grafana_json.source import Source
from grafana_json.targets import Broken, Known, Tags, Wanted, needs_known, resolve
from sisock.consumer import Request
from sisock.errors import ConsumerError
from sisock.frames import Answer, Column, Frame, Part, Times
from sisock.reduction import PER_BIN
from sisock.times import NS
from sisock.uris import JOINT

_MS = 1_000_000  # ns
_UNITS = ((86400 * NS, "d"), (3600 * NS, "h"), (60 * NS, "min"), (NS, "s"), (10**6, "ms"), (10**3, "µs"), (1, "ns"))
_DRAWN = {
    "minmax": "minimum and maximum",
    "m4": "first, minimum, maximum and last",
    "band": "minimum, maximum and mean",
    "std": "standard deviation",
}
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

    def described(self) -> dict[str, Any]:
        """The label as answers have it: lengths and times in ms."""
        width = {} if self.bin is None else {"bin": self.bin / _MS}
        gaps = [[start // _MS, end // _MS] for start, end in self.gaps]
        return {"method": self.method, "samples": self.samples, **width, "gaps": gaps}


class Origin(NamedTuple):
    """What a series is of."""

    node: str
    field: str
    tags: tuple[str, ...] = ()
    description: str | None = None


class Series(NamedTuple):
    """One series of a panel: points of shape (n,); no points and no label where the node did not answer.

    `more`: further columns on the same times, such as ("min", column) of a band; `of` is None for a target that is none.
    """

    name: str
    target: Target
    t: Times
    column: Column
    unit: str | None = None
    label: Label | None = None
    notices: tuple[Notice, ...] = ()
    of: Origin | None = None
    more: tuple[tuple[str, Column], ...] = ()


class _Call(NamedTuple):
    """What fields of one node can be asked for together."""

    node: str
    reduce: str
    points: int


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
        tags = self._directory.tags()
        series = resolve(panel, known, tags)
        wanted = [each for each in series if isinstance(each, Wanted)]
        answers = self._ask(panel, wanted)
        known = self._directory.at_hand(
            {each.node for each in wanted}
        )  # a bridge that has just started learns meanwhile
        return [
            _broken(each)
            if isinstance(each, Broken)
            else self._series(each, answers[_call(each, panel)], _origin(each, known, tags), known)
            for each in series
        ]

    def _ask(self, panel: Panel, wanted: list[Wanted]) -> dict["_Call", Answer | ConsumerError]:
        """One call for each node, and each way in which its samples are reduced."""
        fields: dict[_Call, dict[str, None]] = {}
        for each in wanted:
            fields.setdefault(_call(each, panel), {})[each.field] = None
        requests = [
            Request(call.node, tuple(names), panel.start, panel.end, max_points=call.points, reduce=call.reduce)
            for call, names in fields.items()
        ]
        answers = self._source.ask(requests, self._deadline) if requests else []
        return dict(zip(fields, answers, strict=True))

    def _series(self, wanted: Wanted, answer: Answer | ConsumerError, of: Origin, known: Known) -> Series:
        nothing = Series(wanted.name, wanted.target, *_NOTHING, of=of)
        if isinstance(answer, ConsumerError):
            return nothing._replace(notices=(Notice("error", str(answer)),))
        notices = tuple(Notice("warning", text) for text in answer.notices)
        part = _part(answer, wanted.field)
        if part is None or not len(part.points):
            notices = (*notices, self._why_empty(wanted))
            return nothing._replace(label=Label(answer.method, 0, None, ()), notices=notices)
        about = known.get(wanted.node, {}).get(wanted.field)
        points = part.points
        if part.samples > len(points):
            notices = (*notices, Notice("info", _reduced(answer, part)))
        reduced = part.samples > len(points) or answer.method in PER_BIN
        label = Label(answer.method if reduced else "raw", part.samples, answer.bin, part.gaps)
        unit = about.units if about and answer.method != "count" else None
        column, more = points.columns[wanted.field], _beside(points, wanted.field)
        return Series(wanted.name, wanted.target, points.t, column, unit, label, notices, of, more)

    def _why_empty(self, wanted: Wanted) -> Notice:
        fields = self._directory.fields(wanted.node)
        if fields is not None and wanted.field not in fields:
            return Notice("error", f"{wanted.node} has no field {wanted.field!r:.80}: see what it has with /search")
        return Notice("info", f"{wanted.name} has no samples in this range")


def _broken(broken: Broken) -> Series:
    return Series(broken.name, broken.target, *_NOTHING, notices=(Notice("error", broken.why),))


def _call(wanted: Wanted, panel: Panel) -> _Call:
    return _Call(wanted.node, wanted.target.reduce, wanted.target.points or panel.points)


def _origin(wanted: Wanted, known: Known, tags: Tags) -> Origin:
    about = known.get(wanted.node, {}).get(wanted.field)
    return Origin(wanted.node, wanted.field, tuple(tags.get(wanted.node, ())), about.description if about else None)


def _beside(points: Frame, field: str) -> tuple[tuple[str, Column], ...]:
    """What a band has of the field beside its mean."""
    named = {each: points.columns.get(f"{field}{JOINT}{each}") for each in ("min", "max")}
    return tuple((name, column) for name, column in named.items() if column is not None)


def _part(answer: Answer, field: str) -> Part | None:
    return next((part for part in answer.parts if field in part.points.columns), None)


def _reduced(answer: Answer, part: Part) -> str:
    width = f" of each {duration(answer.bin)}" if answer.bin else ""
    return (
        f"{len(part.points):,} of {part.samples:,} samples are shown: {_DRAWN.get(answer.method, answer.method)}{width}"
    )


def duration(ns: int) -> str:
    """A length of time for people, to two or three digits: `41.2 min`."""
    size, unit = next(each for each in _UNITS if ns >= each[0] or each[0] == 1)
    return f"{ns / size:.3g} {unit}"
