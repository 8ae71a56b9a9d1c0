"""Messages as frames: what each key means says the mapping; what cannot be a sample is refused, with a reason."""

from collections.abc import Mapping as Table
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sisock.frames import Column, Field, Frame, texts
from sisock.records.fields import Fields, Part, Refused
from sisock.records.mapping import Mapping
from sisock.records.moments import moment
from sisock.records.payloads import Record, UnreadableError, records
from sisock.times import utc
from sisock.uris import check_field

_MOST_CELLS = 2**20  # rows by fields of a frame whose records have different keys


class Received(NamedTuple):
    """A message as it came, and what is known without looking into it."""

    payload: bytes
    t: int | None = None  # when it was sent, or came, in ns
    device: str = ""
    timeline: str = "samples"


class Made(NamedTuple):
    """What became of messages."""

    frames: list[
        Frame
    ]  # one for each timeline, or some where its records have very many keys, in the order in which they came
    refused: list[Refused]


Seen = dict[tuple[Any, ...], set[Any]]  # what identifies samples but for its last part, and these last parts


def frames(
    received: Sequence[Received],
    how: Mapping,
    now: int,
    known: Table[str, Field] | None = None,
    seen: Seen | None = None,
) -> Made:
    """The samples in messages. A field keeps the type that it has in `known`, or in the first of them.

    Those that `seen` knows came before; it learns of these.
    """
    making = _Frames(how, now, known or {}, {} if seen is None else seen)
    for number, message in enumerate(received):
        making.take(number, message)
    return making.made()


class _Shape:
    """Records of a timeline that have the same keys: their values row by row, and which rows and messages they are."""

    def __init__(self, timeline: "_Timeline", keys: Sequence[Any]) -> None:
        self.timeline, self.keys = timeline, keys
        self.rows: list[int] = []
        self.messages: list[int] = []
        self.values: list[Any] = []


class _Timeline:
    """A timeline in the making."""

    def __init__(self, name: str, prefix: str) -> None:
        self.name, self.prefix = name, prefix
        self.t: list[int] = []
        self.shapes: dict[tuple[Any, ...], _Shape] = {}
        self.keys: set[Any] = set()

    def add(self, number: int, record: Record, t: int) -> None:
        """Take a record of a message."""
        keys = tuple(record)
        shape = self.shapes.get(keys)
        if shape is None:
            shape = self.shapes[keys] = _Shape(self, keys)
            self.keys.update(keys)
        shape.rows.append(len(self.t))
        shape.messages.append(number)
        shape.values.append(record.values())
        self.t.append(t)

    @property
    def is_full(self) -> bool:
        """Whether a frame of it would have very many cells, most of them without a value."""
        return len(self.shapes) > 1 and len(self.t) * len(self.keys) > _MOST_CELLS


class _Frames:
    """Frames in the making."""

    def __init__(self, how: Mapping, now: int, known: Table[str, Field], seen: Seen) -> None:
        self._how, self._latest, self._seen = how, now + how.ahead, seen
        self._fields = Fields(how, known)
        self._timelines: dict[tuple[Any, Any], _Timeline] = {}  # device, timeline
        self._full: list[_Timeline] = []
        self._refused: list[Refused] = []

    def take(self, number: int, message: Received) -> None:
        """Take what a message holds."""
        try:
            for record in records(message.payload, self._how.form):
                self._take_one(number, message, record)
        except UnreadableError as error:
            self._refused.append(Refused(number, str(error)))

    def made(self) -> Made:
        """All that was taken."""
        frames = [frame for each in (*self._full, *self._timelines.values()) if len(frame := self._frame(each))]
        return Made(frames, sorted(self._refused, key=lambda each: each.message))

    def _take_one(self, number: int, message: Received, record: Record) -> None:
        try:
            self._take(number, message, record)
        except ValueError as error:
            self._refused.append(Refused(number, str(error)))

    def _take(self, number: int, message: Received, record: Record) -> None:
        how = self._how
        if self._is_again(record):
            return
        t = self._time(record.get(how.time), message)
        of = record.get(how.device, message.device), record.get(how.timeline, message.timeline)
        timeline = self._timeline(*of)
        timeline.add(number, record, t)
        if timeline.is_full:
            self._full.append(self._timelines.pop(of))

    def _is_again(self, record: Record) -> bool:
        """Whether the same sample was taken before."""
        identity = tuple(map(record.get, self._how.identity))
        if not identity or None in identity:
            return False
        try:
            numbers = self._seen.setdefault(identity[:-1], set())
            before = len(numbers)
            numbers.add(identity[-1])
        except TypeError:  # it has a list
            return False
        return len(numbers) == before

    def _time(self, value: Any, message: Received) -> int:
        t = message.t if value is None else moment(value, self._how.unit)
        if t is None:
            raise UnreadableError("it has no time, and its message has none either")
        if not self._how.earliest <= t <= self._latest:
            raise UnreadableError(f"its clock is wrong: it is of {_told(t)}")
        return t

    def _timeline(self, device: Any, timeline: Any) -> _Timeline:
        try:
            found = self._timelines.get((device, timeline))
        except TypeError:
            raise UnreadableError("its device or its timeline is no name") from None
        if found is None:
            prefix = f"{device}/" if device not in (None, "") else ""
            name = timeline if timeline not in (None, "") else "samples"
            found = _Timeline(check_field(f"{prefix}{name}", "timeline"), prefix)
            self._timelines[device, timeline] = found
        return found

    def _frame(self, timeline: _Timeline) -> Frame:
        """The samples of a timeline; rows without a value are none."""
        size = len(timeline.t)
        some = np.zeros(size, bool)
        parts: dict[str, list[Part]] = {}
        for shape in timeline.shapes.values():
            refused, before = self._refused, len(self._refused)
            for key, values in zip(shape.keys, zip(*shape.values, strict=True), strict=True):
                part = self._fields.part(timeline.name, timeline.prefix, key, values, shape, refused)
                if part is not None:
                    some[part.rows] = True
                    parts.setdefault(part.name, []).append(part)
            told = {each.message for each in refused[before:]}
            lone = [at for at, row in zip(shape.messages, shape.rows, strict=True) if not some[row] and at not in told]
            refused += [Refused(at, "it has no field with a value") for at in lone]
        columns = {name: _column(each, size) for name, each in parts.items()}
        frame = Frame(timeline.name, np.array(timeline.t, np.int64), columns)
        return frame if some.all() else frame.rows(some)


def _told(t: int) -> str:
    try:
        return utc(t)
    except (ValueError, OverflowError):
        return f"{t} ns since 1970"


def _column(parts: list[Part], size: int) -> Column:
    """The values of a field as a column, missing where no part has any."""
    if len(parts) == 1:
        (one,) = parts
        made = Column(_array(one.values))
        return made if len(one.rows) == size else made.spread(np.array(one.rows, np.intp), size)
    made = Column(_array([value for part in parts for value in part.values]))
    return made.spread(np.array([row for part in parts for row in part.rows], np.intp), size)


def _array(values: Sequence[Any]) -> NDArray[Any]:
    """Values of one type as an array."""
    if isinstance(values[0], str):
        return texts(values)
    made = np.array(values)
    return made if made.dtype.kind in "bf" or made.dtype == np.int64 else np.array(values, np.float64)
