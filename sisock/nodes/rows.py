"""What an author's `sample` or `parse` returned, as frames: checked value by value, the good ones kept."""

from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any

import numpy as np

from sisock.frames import TEXT, Column, Field, Frame, column, is_number, texts
from sisock.nodes.base import MOST_FIELDS, check_not_health, sentence
from sisock.uris import check_field

_MOST_FRAMES = 10_000  # dicts or Frames in one list
_LONGEST_TEXT = 65_536  # characters
_LONGEST_ROW = 2**20  # characters of all texts of one sample
_SHOWN = 3
_Columns = dict[str, Column]


class Refusals:
    """Sentences on what was refused: the first few, and how many more there were."""

    def __init__(self) -> None:
        """Begin with none."""
        self._shown: list[str] = []
        self._count = 0

    def __call__(self, sentence: str) -> None:
        """Add one."""
        self._count += 1
        if self._count <= _SHOWN:
            self._shown.append(sentence)

    def __str__(self) -> str:
        more = f" (and {self._count - _SHOWN} more)" if self._count > _SHOWN else ""
        return "; ".join(self._shown) + more


class Schema:
    """The fields of a node as they are declared and seen: each keeps its type and its timeline."""

    def __init__(self, declared: Mapping[str, Field], current: Callable[[], Mapping[str, Field]] = dict) -> None:
        """Begin with what the author declared; `current` is asked for more when an unknown field is met."""
        self.fields: dict[str, Field] = dict(declared)
        self._current = current
        self._looked_up: Mapping[str, Field] | None = None
        self._seen: set[str] = set()

    def frames(self, returned: Any, now: int) -> tuple[list[Frame], str | None]:
        """The frames in what was returned, and a sentence on what was refused (or None)."""
        self._looked_up = None
        refuse = Refusals()
        listed = returned if isinstance(returned, (list, tuple)) else [returned]
        if len(listed) > _MOST_FRAMES:
            refuse(
                f"sample() returned a list of {len(listed)}: {_MOST_FRAMES} at the most, a Frame takes any number of rows"
            )
        frames: list[Frame] = []
        for each in listed[:_MOST_FRAMES]:
            if isinstance(each, Frame):
                frames += self._of_frame(each, refuse)
            elif isinstance(each, Mapping):
                frames += self._of_row(each, now, refuse)
            else:
                kind = type(each).__name__
                refuse(f"sample() returned {kind}: return a dict of field and value, a Frame, or a list of them")
        return frames, str(refuse) or None

    def _of_row(self, row: Mapping[Any, Any], now: int, refuse: Refusals) -> list[Frame]:
        """One sample for each timeline that the fields are declared on."""
        by_timeline: dict[str, _Columns] = {}
        room = _LONGEST_ROW
        for name, value in _items(row, refuse):
            one = _one(name, value, refuse)
            if one is None:
                continue
            known = self._known(name, refuse)
            timeline = known.timeline if known else "samples"
            length = len(value) if isinstance(value, str) else 0
            if length > room:
                refuse(
                    f"{name!r:.80} has no room beside the other texts: {_LONGEST_ROW} characters a sample at the most"
                )
            elif self._admit(name, one, timeline, refuse):
                by_timeline.setdefault(timeline, {})[name] = one
                room -= length
        t = np.array([now], np.int64)
        return [Frame(timeline, t, columns) for timeline, columns in by_timeline.items()]

    def _of_frame(self, frame: Frame, refuse: Refusals) -> list[Frame]:
        """The frame in the order of time, with the columns that are as they should be, in memory of its own."""
        try:
            timeline = check_field(frame.timeline, "timeline")
            t = _times(frame)
        except (TypeError, ValueError) as error:
            refuse(str(error))
            return []
        columns: _Columns = {}
        room = np.full(len(t), _LONGEST_ROW)
        for name, given in _items(frame.columns, refuse):
            one = _many(name, given, room, refuse)
            if one is not None and self._admit(name, one, timeline, refuse):
                columns[name] = one
        if not len(t) or not columns:
            return []
        return [Frame(timeline, t, columns).rows(np.argsort(t, kind="stable"))]

    def _admit(self, name: Any, column: Column, timeline: str, refuse: Refusals) -> bool:
        """True if the field is (or can become) one of the node's."""
        if name not in self._seen:
            return self._meet(name, column, timeline, refuse)
        known = self.fields[name]
        if column.type != known.type:
            refuse(f"{name!r} was a {known.type} before, and a {column.type} came: a field keeps its kind")
            return False
        if timeline != known.timeline:
            refuse(f"{name!r} is on the timeline {known.timeline!r}, and came on {timeline!r}: a field stays on one")
            return False
        return True

    def _meet(self, name: Any, column: Column, timeline: str, refuse: Refusals) -> bool:
        try:
            check_field(name)
            check_not_health(name, timeline)
        except ValueError as error:
            refuse(str(error))
            return False
        if len(self._seen) >= MOST_FIELDS:
            refuse(f"more than {MOST_FIELDS} fields: make several nodes of it")
            return False
        declared = self._known(name, refuse)
        if declared and column.type != declared.type:
            refuse(f"{name!r} is declared as a {declared.type}, but a {column.type} came")
            return False
        self.fields[name] = (declared or Field())._replace(timeline=timeline, type=column.type)
        self._seen.add(name)
        return True

    def _known(self, name: Any, refuse: Refusals) -> Field | None:
        """What the author declared of the field, at the beginning or since."""
        if name in self.fields:
            return self.fields[name]
        if self._looked_up is None:
            try:
                self._looked_up = self._current()
            except Exception as error:  # noqa: BLE001  # an author's code may raise anything; the values are kept
                self._looked_up = {}
                refuse(f"the node's fields could not be found: {sentence(error)}")
        return self._looked_up.get(name)


def _items(given: Mapping[Any, Any], refuse: Refusals) -> Any:
    """The fields that came, or the first of very many."""
    if len(given) > MOST_FIELDS:
        refuse(f"{len(given)} fields came at once: {MOST_FIELDS} at the most, make several nodes of it")
    return islice(given.items(), MOST_FIELDS)


def _one(name: Any, value: Any, refuse: Refusals) -> Column | None:
    """A column of one value; None (a missing value) or a foreign type gives no column."""
    if isinstance(value, (bool, np.bool_)):
        return Column(np.array([value], bool))
    if isinstance(value, (int, np.integer)) and is_number(value) and -(2**63) <= value < 2**63:
        return Column(np.array([value], np.int64))
    if isinstance(value, str):
        if len(value) <= _LONGEST_TEXT:
            return Column(texts([value]))
        refuse(f"{name!r:.80} has a text of {len(value)} characters: {_LONGEST_TEXT} at the most")
    elif is_number(value):
        try:
            return Column(np.array([value], np.float64))
        except OverflowError:
            refuse(f"{name!r:.80} is a number too large for a float64")
    elif value is not None:
        refuse(f"{name!r:.80} is of type {type(value).__name__}: give a number, a text, True or False, or None")
    return None


def _many(name: Any, given: Any, room: Any, refuse: Refusals) -> Column | None:
    """A column of a frame in its own memory; what its texts take is taken from the room of each row."""
    try:
        made = column(given)
        if len(made.values) != len(room):
            raise ValueError(f"{len(made.values)} values for {len(room)} times")
        if made.values.dtype == TEXT:
            lengths = np.strings.str_len(made.values)
            if (lengths > _LONGEST_TEXT).any():
                raise ValueError(f"a text of {lengths.max()} characters: {_LONGEST_TEXT} at the most")
            if (lengths > room).any():
                raise ValueError(f"no room beside the other texts: {_LONGEST_ROW} characters a sample at the most")
            room -= lengths
    except (TypeError, ValueError) as error:
        refuse(f"{name!r:.80}: {error}")
        return None
    return made


def _times(frame: Frame) -> Any:
    """The times of a frame; raises TypeError or ValueError with the cure where they are none."""
    t = np.asarray(frame.t)
    if t.dtype.kind != "i" and t.size:
        raise TypeError(f"the times of {frame.timeline!r} are of type {t.dtype}: give int64, nanoseconds since 1970")
    if t.ndim != 1:
        raise ValueError(f"the times of {frame.timeline!r} have the shape {t.shape}: give one time a row")
    return t.astype(np.int64)
