"""Points of line protocol as frames: what a series is called say rules, and what cannot be taken is told line by line."""

import fnmatch
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from data_nodes.admitting import Fields, printable
from sisock.frames import Frame
from sisock.parsers.line_grammar import Series
from sisock.parsers.lines import Lines, Points, Refused
from sisock.times import NS, utc

NAME = "{host}/{measurement}/{tags}"
_MOST_SERIES = 50_000  # whose names are remembered
_MOST_NAMES = 50_000  # of their fields: far more than a gateway takes
_PLACE = re.compile(r"\{([^{}]*)\}")
_EARLIEST = 365 * 86400 * NS  # of 1971: what is before is of another precision than was said


class Rule(NamedTuple):
    """What series of a measurement are called: `{measurement}`, `{TAG}`, and `{tags}` for all other tags."""

    measurement: str  # a pattern, as of file names
    name: str


class Taken(NamedTuple):
    """What became of a text of lines."""

    frames: list[Frame]
    rows: int
    refused: list[Refused]
    lines: list[str]


def rules(given: Sequence[Mapping[str, Any]], default: str = NAME) -> list[Rule]:
    """The rules of a configuration, the default last. Raises ValueError with the cure."""
    found = []
    for each in given:
        if set(each) != {"measurement", "name"} or not all(isinstance(value, str) for value in each.values()):
            raise ValueError(f'{dict(each)!r:.100} is no rule: write {{ measurement = "cpu*", name = "{NAME}" }}')
        found.append(Rule(each["measurement"], each["name"]))
    for rule in (*found, Rule("*", default)):
        if not _PLACE.sub("", rule.name).replace("/", "") and not _PLACE.search(rule.name):
            raise ValueError(f"name = {rule.name!r:.80} names nothing: write {NAME!r}")
    return [*found, Rule("*", default)]


class Naming:
    """Points of series, named by rules. For one thread at a time."""

    def __init__(self, by: Sequence[Rule], fields: Fields, ahead: float = 86400.0) -> None:
        """Name by the first rule that fits; times more than `ahead` seconds after now are those of a wrong clock."""
        self._rules, self._fields, self._ahead = by, fields, round(ahead * NS)
        self._lines = Lines()
        self._timelines: dict[Series, str] = {}
        self._names: dict[tuple[Series, str], str] = {}
        self._owners: dict[str, Series] = {}  # field -> the series that it is of: known ones are not forgotten

    def take(self, text: str, now: int, precision: str = "ns") -> Taken:
        """The frames in a text. Raises ValueError for an unknown precision."""
        parsed = self._lines.read(text, now, precision)
        frames: list[Frame] = []
        refused = list(parsed.refused)
        for points in parsed.points:
            made, why = self._frame(self._in_time(points, now, refused))
            if made is not None:
                frames.append(made)
            refused += [Refused(line, "; ".join(why)) for line in points.lines.tolist() if why]
        return Taken(frames, sum(map(len, frames)), sorted(refused), parsed.lines)

    def _frame(self, points: Points) -> tuple[Frame | None, list[str]]:
        if not len(points.t):
            return None, []
        timeline = self._timeline(points.series)
        columns, why = {}, []
        for key, column in points.columns.items():
            name = self._names.get((points.series, key)) or self._name(points.series, timeline, key)
            if name:
                columns[name] = column
            else:
                why.append(f"{timeline}/{key} is what another series is called, too: name one of them by a rule")
        frame, reasons = self._fields.admit(Frame(timeline, points.t, columns))
        return (frame if columns else None), [*why, *reasons]

    def _name(self, series: Series, timeline: str, key: str) -> str:
        """The name of a field, noted; empty where another series has it."""
        name = printable(f"{timeline}/{key}")
        if self._owners.setdefault(name, series) != series:
            return ""
        self._names[series, key] = name
        return name

    def _in_time(self, points: Points, now: int, refused: list[Refused]) -> Points:
        """The rows whose time can be."""
        sound = (points.t >= _EARLIEST) & (points.t <= now + self._ahead)
        if sound.all():
            return points
        for row in (~sound).nonzero()[0].tolist():
            told = f"it is of {utc(int(points.t[row]))}: is the precision right, and its clock?"
            refused.append(Refused(int(points.lines[row]), told))
        kept = {key: column.rows(sound) for key, column in points.columns.items()}
        return Points(points.series, points.t[sound], kept, points.lines[sound])

    def _timeline(self, series: Series) -> str:
        if len(self._timelines) > _MOST_SERIES or len(self._names) > _MOST_NAMES:
            self._timelines.clear()
            self._names.clear()
            known = self._fields.known  # of which two series must not become one
            self._owners = {name: owner for name, owner in self._owners.items() if name in known}
        found = self._timelines.get(series)
        if found is None:
            rule = next(rule for rule in self._rules if fnmatch.fnmatchcase(series.measurement, rule.measurement))
            found = self._timelines[series] = printable(name_of(series, rule.name))
        return found


def name_of(series: Series, template: str) -> str:
    """What a series is called; what it has no tag for is left out."""
    tags = dict(series.tags)
    placed = set(_PLACE.findall(template))
    rest = "/".join(f"{key}={value}" for key, value in series.tags if key not in placed)
    values = {**tags, "measurement": series.measurement, "tags": rest}
    parts = [_PLACE.sub(lambda place: values.get(place[1], ""), part) for part in template.split("/")]
    return "/".join(part for part in parts if part) or series.measurement
