"""What an author's `sample` or `parse` returned, as frames: checked value by value, the good ones kept."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from sisock.frames import TEXT, Column, Field, Frame
from sisock.uris import check_field

MOST_FIELDS = 10_000
_LONGEST_TEXT = 65_536
_MOST_ERRORS = 3


class Schema:
    """The fields of a node as they are declared and seen: each keeps its type and its timeline."""

    def __init__(self, declared: Mapping[str, Field], current: Callable[[], Mapping[str, Field]] = dict) -> None:
        """Begin with what the author declared; `current` is asked for units when an unknown field is met."""
        self.fields: dict[str, Field] = dict(declared)
        self._current = current
        self._seen: set[str] = set()

    def frames(self, returned: Any, now: int) -> tuple[list[Frame], str | None]:
        """The frames in what was returned, and a sentence on what was refused (or None)."""
        frames: list[Frame] = []
        errors: list[str] = []
        for each in _listed(returned):
            frame = self._frame(each, now, errors.append)
            if frame is not None and len(frame) and frame.columns:
                frames.append(frame)
        more = f" (and {len(errors) - _MOST_ERRORS} more)" if len(errors) > _MOST_ERRORS else ""
        return frames, "; ".join(errors[:_MOST_ERRORS]) + more if errors else None

    def _frame(self, each: Any, now: int, refuse: Callable[[str], None]) -> Frame | None:
        if isinstance(each, Frame):
            columns = {name: c for name, c in each.columns.items() if self._admit(name, c, each.timeline, refuse)}
            return _ascending(Frame(each.timeline, each.t, columns))
        if not isinstance(each, Mapping):
            refuse(f"sample() returned {type(each).__name__}: return a dict of field and value, a Frame, or a list of them")
            return None
        columns = {}
        for name, value in each.items():
            one = _one(name, value, refuse)
            timeline = self.fields[name].timeline if name in self.fields else "samples"
            if one is not None and self._admit(name, one, timeline, refuse):
                columns[name] = one
        return Frame("samples", np.array([now], np.int64), columns)

    def _admit(self, name: Any, column: Column, timeline: str, refuse: Callable[[str], None]) -> bool:
        """True if the field is (or can become) one of the node's."""
        if name not in self._seen:
            return self._meet(name, column, timeline, refuse)
        known = self.fields[name]
        if column.type != known.type or timeline != known.timeline:
            refuse(f"{name!r} is a {known.type} on {known.timeline!r}, but a {column.type} on {timeline!r} came")
            return False
        return True

    def _meet(self, name: Any, column: Column, timeline: str, refuse: Callable[[str], None]) -> bool:
        try:
            check_field(name)
        except ValueError as error:
            refuse(str(error))
            return False
        if len(self._seen) >= MOST_FIELDS:
            refuse(f"more than {MOST_FIELDS} fields: make several nodes of it")
            return False
        declared = self.fields.get(name) or self._current().get(name)
        known = declared or Field()
        if declared and column.type != known.type:
            refuse(f"{name!r} is declared as a {known.type}, but a {column.type} came")
            return False
        self.fields[name] = known._replace(timeline=timeline, type=column.type)
        self._seen.add(name)
        return True


def _listed(returned: Any) -> Iterable[Any]:
    return returned if isinstance(returned, (list, tuple)) else [returned]


def _one(name: Any, value: Any, refuse: Callable[[str], None]) -> Column | None:
    """A column of one value; None (a missing value) or a foreign type gives no column."""
    if isinstance(value, (bool, np.bool_)):
        return Column(np.array([value], bool))
    if isinstance(value, (int, np.integer)) and -(2**63) <= value < 2**63:
        return Column(np.array([value], np.int64))
    if isinstance(value, (int, float, np.number)) and not isinstance(value, np.complexfloating):
        return Column(np.array([value], np.float64))
    if isinstance(value, str):
        if len(value) <= _LONGEST_TEXT:
            return Column(np.array([value.encode("utf-8", "replace").decode()], TEXT))
        refuse(f"{name!r:.80} has a text of {len(value)} characters: {_LONGEST_TEXT} at the most")
    elif value is not None:
        refuse(f"{name!r:.80} is of type {type(value).__name__}: give a number, a text, True or False, or None")
    return None


def _ascending(frame: Frame) -> Frame:
    """The frame in the order of time."""
    return frame.rows(np.argsort(frame.t, kind="stable")) if (np.diff(frame.t) < 0).any() else frame
