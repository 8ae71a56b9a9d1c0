"""Messages as frames: what each key means says the mapping; what cannot be a sample is refused, with a reason."""

from collections.abc import Mapping as Table
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from sisock.frames import Field, Frame, Type, column
from sisock.records.mapping import Mapping
from sisock.records.moments import moment
from sisock.records.payloads import Record, UnreadableError, records
from sisock.times import utc
from sisock.uris import check_field

_LONGEST = 65_536  # characters of a text
_ODD = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}
_KINDS: dict[type, Type] = {bool: "bool", int: "number", float: "number", str: "string"}


class Received(NamedTuple):
    """A message as it came, and what is known without looking into it."""

    payload: bytes
    t: int | None = None  # when it was sent, or came, in ns
    device: str = ""
    timeline: str = "samples"


class Refused(NamedTuple):
    """Why a message, or a part of it, is no sample."""

    message: int  # which one
    reason: str


class Made(NamedTuple):
    """What became of messages."""

    frames: list[Frame]  # one for each timeline, in the order in which they came
    refused: list[Refused]


def frames(received: Sequence[Received], how: Mapping, now: int, known: Table[str, Field] | None = None) -> Made:
    """The samples in messages. A field keeps the type that it has in `known`, or in the first of them."""
    made = _Frames(how, now, known or {})
    for number, message in enumerate(received):
        made.take(number, message)
    return Made(made.frames(), made.refused)


class _Rows:
    """The rows of a timeline: of each field which ones have a value, and the values."""

    def __init__(self, timeline: str, prefix: str) -> None:
        self.timeline, self.prefix = timeline, prefix
        self.names: dict[str, str] = {}  # key -> field; empty: it is none
        self.t: list[int] = []
        self.columns: dict[str, tuple[list[int], list[Any]]] = {}


class _Frames:
    """Frames in the making."""

    def __init__(self, how: Mapping, now: int, known: Table[str, Field]) -> None:
        self.refused: list[Refused] = []
        self._how, self._latest, self._known = how, now + how.ahead, known
        self._kinds: dict[str, Type] = {}
        self._homes: dict[str, str] = {}  # field -> its timeline
        self._timelines: dict[tuple[str, str], _Rows] = {}  # device, timeline
        self._seen: set[tuple[Any, ...]] = set()

    def take(self, number: int, message: Received) -> None:
        """Take what a message holds."""
        try:
            found = records(message.payload, self._how.form)
        except UnreadableError as error:
            self.refused.append(Refused(number, str(error)))
            return
        for record in found:
            try:
                self._take(number, message, record)
            except ValueError as error:
                self.refused.append(Refused(number, str(error)))

    def frames(self) -> list[Frame]:
        """All that was taken."""
        return [_frame(rows) for rows in self._timelines.values() if rows.t]

    def _take(self, number: int, message: Received, record: Record) -> None:
        how = self._how
        if self._is_again(record):
            return
        t = self._time(record.get(how.time) if how.time else None, message)
        rows = self._rows(
            _named(record, how.device, message.device), _named(record, how.timeline, message.timeline) or "samples"
        )
        row, some = len(rows.t), False
        for key, value in record.items():
            if value is not None and (name := self._name(rows, key, number)):
                some |= self._put(rows, row, name, value, number)
        if not some:
            raise UnreadableError("it has no field with a value")
        rows.t.append(t)

    def _is_again(self, record: Record) -> bool:
        """Whether the same sample was taken before."""
        if not self._how.identity:
            return False
        identity = tuple(map(record.get, self._how.identity))
        if not all(isinstance(each, (str, int)) for each in identity):
            return False
        before = len(self._seen)
        self._seen.add(identity)
        return len(self._seen) == before

    def _time(self, value: Any, message: Received) -> int:
        t = message.t if value is None else moment(value, self._how.unit)
        if t is None:
            raise UnreadableError("it has no time, and its message has none either")
        if not self._how.earliest <= t <= self._latest:
            raise UnreadableError(f"its clock is wrong: it is of {_told(t)}")
        return t

    def _rows(self, device: str, timeline: str) -> _Rows:
        rows = self._timelines.get((device, timeline))
        if rows is None:
            prefix = f"{device}/" if device else ""
            rows = _Rows(check_field(f"{prefix}{timeline}", "timeline"), prefix)
            self._timelines[device, timeline] = rows
        return rows

    def _name(self, rows: _Rows, key: str, number: int) -> str:
        """The field that a key is; empty where it is none."""
        known = rows.names.get(key)
        if known is not None:
            return known
        try:
            rows.names[key] = self._new_name(rows, key)
        except ValueError as error:
            self.refused.append(Refused(number, str(error)))
            return ""
        return rows.names[key]

    def _new_name(self, rows: _Rows, key: Any) -> str:
        how, name = self._how, key
        if how.fields:
            name = how.fields.get(key, "")
        elif key in how.own:
            name = ""
        elif isinstance(key, str) and key.startswith("_") and key.lstrip("_") in how.own:
            name = key[1:]
        if name == "":
            return ""
        name = check_field(f"{rows.prefix}{name}" if isinstance(name, str) else name)
        known = self._known.get(name)
        home = self._homes.setdefault(name, known.timeline if known else rows.timeline)
        if home != rows.timeline:
            raise UnreadableError(f"{name!r} is on the timeline {home!r}, and came on {rows.timeline!r}")
        return name

    def _put(self, rows: _Rows, row: int, name: str, value: Any, number: int) -> bool:
        """Add a value to a row; False, and refused, where it cannot be one."""
        kind = _KINDS.get(type(value))
        expected = self._kinds.get(name) or self._expected(name, kind, value)
        if kind == "string" and expected == "number" and value in _ODD:
            value, kind = _ODD[value], expected
        if kind is None or kind != expected:
            return self._refuse(number, name, f"was a {expected} before" if kind else "cannot hold it", value)
        if (kind == "string" and len(value) > _LONGEST) or (type(value) is int and abs(value) >= 1 << 1023):
            return self._refuse(number, name, "has no room for it", value)
        at, values = rows.columns.setdefault(name, ([], []))
        if at[-1:] == [row]:
            return self._refuse(number, name, "has two values", value)
        at.append(row)
        values.append(value)
        return True

    def _expected(self, name: str, kind: Type | None, value: Any) -> Type | None:
        """The type of a field, noted where it is new."""
        field = self._known.get(name)
        new: Type | None = "number" if kind == "string" and value in _ODD else kind
        expected = new if field is None else field.type
        if expected is not None:
            self._kinds[name] = expected
        return expected

    def _refuse(self, number: int, name: str, why: str, value: Any) -> bool:
        self.refused.append(Refused(number, f"{name!r} {why}: {value!r:.60} came"))
        return False


def _named(record: Record, key: str, otherwise: str) -> str:
    """The name that stands in a record, or that is known without."""
    found = record.get(key) if key else None
    return otherwise if found is None else str(found)


def _told(t: int) -> str:
    try:
        return utc(t)
    except (ValueError, OverflowError):
        return f"{t} ns since 1970"


def _frame(rows: _Rows) -> Frame:
    size = len(rows.t)
    columns = {}
    for field, (at, values) in rows.columns.items():
        made = column(values)
        columns[field] = made if len(at) == size else made.spread(np.array(at, np.intp), size)
    return Frame(rows.timeline, np.array(rows.t, np.int64), columns)
