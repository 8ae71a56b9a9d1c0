"""The fields that keys of records are, and their values: looked at together where they are all of one type."""

from collections.abc import Mapping as Table
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from sisock.frames import Field, Type
from sisock.records.mapping import Mapping
from sisock.uris import check_field

_LONGEST = 65_536  # characters of a text
_MOST = 10_000  # fields of all messages, as a node may have
_LARGEST = 1 << 1023  # what a float64 still holds
_ODD = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}
_KINDS: dict[type, Type] = {bool: "bool", int: "number", float: "number", str: "string"}


class Refused(NamedTuple):
    """Why a message, or a part of it, is no sample."""

    message: int  # which one
    reason: str


class Part(NamedTuple):
    """Values of a field, and of which rows they are."""

    name: str
    rows: Sequence[int]
    values: Sequence[Any]


class Of(Protocol):
    """What values are of: rows, and messages."""

    rows: list[int]
    messages: list[int]


class Fields:
    """What is known of fields: each keeps its type and its timeline."""

    def __init__(self, how: Mapping, known: Table[str, Field]) -> None:
        """Name keys as the mapping says; `known` fields are as they were."""
        self._how, self._known = how, known
        self._new: dict[str, Field] = {}

    def part(
        self, timeline: str, prefix: str, key: Any, values: Sequence[Any], of: Of, refused: list[Refused]
    ) -> Part | None:
        """The values of a key that can be samples of a field; None where there are none. Others are refused."""
        try:
            name = self._name(prefix, key)
            self._check_room(name)
        except ValueError as error:
            refused += [Refused(message, str(error)) for message in of.messages]
            return None
        if not name:
            return None
        expected = self._expected(name, timeline, values)
        if expected is None or expected.timeline != timeline or not _are(values, expected.type):
            return self._some(name, timeline, expected, values, of, refused)
        return Part(name, of.rows, values)

    def _name(self, prefix: str, key: Any) -> str:
        """The field that a key is; empty where it is none. Raises ValueError where it cannot be one."""
        how, name = self._how, key
        if how.fields:
            name = how.fields.get(key, "")
        elif key in how.own:
            name = ""
        elif isinstance(key, str) and key.startswith("_") and key.lstrip("_") in how.own:
            name = key[1:]
        return check_field(f"{prefix}{name}" if isinstance(name, str) else name) if name != "" else ""

    def _check_room(self, name: str) -> None:
        there = name in self._known or name in self._new or not name
        if not there and len(self._known) + len(self._new) >= _MOST:
            raise ValueError(f"{name!r} is one field more than {_MOST}")

    def _expected(self, name: str, timeline: str, values: Sequence[Any]) -> Field | None:
        """The field as it is known, or as the first of its values makes it; None where none of them can."""
        field = self._known.get(name) or self._new.get(name)
        if field is None:
            first = next((value for value in values if type(value) in _KINDS), None)
            if first is None:
                return None
            kind = "number" if isinstance(first, str) and first in _ODD else _KINDS[type(first)]
            field = self._new[name] = Field(timeline=timeline, type=kind)
        return field

    def _some(
        self, name: str, timeline: str, expected: Field | None, values: Sequence[Any], of: Of, refused: list[Refused]
    ) -> Part | None:
        """Those of the values that can be."""
        rows, sound = list[int](), list[Any]()
        for row, message, value in zip(of.rows, of.messages, values, strict=True):
            if value is None:
                continue
            odd = expected is not None and expected.type == "number" and isinstance(value, str) and value in _ODD
            why = None if odd and expected and expected.timeline == timeline else _why(value, expected, timeline)
            if why:
                refused.append(Refused(message, f"{name!r} {why}: {_shown(value)} came"))
            else:
                rows.append(row)
                sound.append(_ODD[value] if odd else value)
        return Part(name, rows, sound) if rows else None


def _shown(value: Any) -> str:
    try:
        return f"{value!r:.60}"
    except (ValueError, RecursionError):  # a number with more digits than Python writes, or lists too deep
        return "one too large to be shown"


def _are(values: Sequence[Any], kind: Type) -> bool:
    """Whether all values can be of a field of this type, without a closer look."""
    types = set(map(type, values))
    if kind == "string":
        return types == {str} and max(map(len, values)) <= _LONGEST
    if kind == "bool":
        return types == {bool}
    return types == {float} or (types <= {int, float} and min(values) > -_LARGEST and max(values) < _LARGEST)


def _why(value: Any, field: Field | None, timeline: str) -> str | None:
    """Why a value cannot be one of the field."""
    kind = _KINDS.get(type(value))
    if kind is None or field is None:
        return "cannot hold it"
    if field.timeline != timeline:
        return f"is on the timeline {field.timeline!r}, and came on {timeline!r}"
    if kind != field.type:
        return f"was a {field.type} before"
    too_long = isinstance(value, str) and len(value) > _LONGEST
    return "has no room for it" if too_long or (type(value) is int and abs(value) >= _LARGEST) else None
