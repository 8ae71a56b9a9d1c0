"""Messages as frames: a number, a text, true or false, a record of JSON or CBOR, line protocol."""

import math
import re
from collections.abc import Mapping as Table
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from data_nodes import senml
from data_nodes.admitting import Fields, printable
from data_nodes.joining import joined
from data_nodes.mqtt.topics import Rule
from data_nodes.points import Naming
from sisock import records
from sisock.frames import Frame, column, is_number
from sisock.records.mapping import Mapping

_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")
_ODD = re.compile(r"[+-]?(?:nan|inf|infinity)", re.IGNORECASE)  # numbers that are none
_BOOLEANS = {"true": True, "false": False}
_LONGEST_TEXT = 65_536  # characters
_SINGLY = 100  # refused parts of a message that are told by themselves


class Message(NamedTuple):
    """A message as it came: when, in ns, and under which number of the broker's (0: it is not acknowledged)."""

    topic: str
    payload: bytes
    t: int
    mid: int
    again: bool  # the broker had sent it before
    retained: bool


class Refused(NamedTuple):
    """A message, or a part of it, that is no sample, and why."""

    message: Message
    reason: str


class Made(NamedTuple):
    """What became of messages."""

    frames: list[Frame]
    refused: list[Refused]


class Payloads:
    """Reads messages by the rules of their topics."""

    def __init__(self, rules: Sequence[Rule], how: Mapping, naming: Naming, fields: Fields) -> None:
        """Name by the first rule that fits; records as `how` says, lines as `naming` does."""
        self._rules, self._how, self._naming, self._fields = rules, how, naming, fields

    def read(self, messages: Sequence[Message]) -> Made:
        """The samples in messages; those of one timeline with the same fields are rows of one frame."""
        self._frames: list[Frame] = []
        self._refused: list[Refused] = []
        single: dict[tuple[str, str], list[tuple[Message, Any]]] = {}
        flat: dict[str, list[tuple[Message, str]]] = {}
        for message in messages:
            name, form = self._rule(message.topic)
            form = _form(message.payload) if form == "auto" else form
            if form == "lines":
                self._lines(message)
            elif form == "senml":
                self._senml(message, name)
            elif form in ("json", "cbor"):
                flat.setdefault(form, []).append((message, name))
            else:
                try:
                    value = self._single(message.payload, name, form)
                except ValueError as error:
                    self._refused.append(Refused(message, str(error)))
                    continue
                kind = "number" if is_number(value) else type(value).__name__
                single.setdefault((name, kind), []).append((message, value))
        for form, some in flat.items():
            self._records(form, some)
        for (name, _), values in single.items():
            t = np.array([message.t for message, _ in values], np.int64)
            self._admit(Frame(name, t, {name: column([value for _, value in values])}), [m for m, _ in values])
        return Made(joined(self._frames), self._refused)

    def _single(self, payload: bytes, name: str, form: str) -> Any:
        """The value that a payload is; a text such as `nan` only of a field that has texts. Raises ValueError."""
        value = single_value(payload, text=form == "text")
        if isinstance(value, float) and not math.isfinite(value):
            known = self._fields.known.get(name)
            if known is not None and known.type == "string":
                return single_value(payload, text=True)
        return value

    def _rule(self, topic: str) -> tuple[str, str]:
        for rule in self._rules:
            if (name := rule.name(topic)) is not None:
                return printable(name), rule.form
        return printable(topic), "auto"

    def _admit(self, frame: Frame, of: Sequence[Message], units: Table[str, str | None] | None = None) -> None:
        good, reasons = self._fields.admit(frame, units)
        self._frames += [] if good is None else [good]
        self._refused += [Refused(message, "; ".join(reasons)) for message in of if reasons]

    def _refuse(self, message: Message, parts: Sequence[Refused]) -> None:
        """Tell the first parts of a message by themselves, and the others together."""
        self._refused += parts[:_SINGLY]
        if more := parts[_SINGLY:]:
            self._refused.append(Refused(message, f"{len(more)} more of the same message: {more[0].reason}"))

    def _records(self, form: str, some: list[tuple[Message, str]]) -> None:
        received = [records.Received(m.payload, m.t, name, "samples") for m, name in some]
        made = records.frames(received, _with(self._how, form), max(m.t for m, _ in some), self._fields.known)
        of: dict[int, list[Refused]] = {}
        for each in made.refused:
            of.setdefault(each.message, []).append(Refused(some[each.message][0], each.reason))
        for number, refused in of.items():
            self._refuse(some[number][0], refused)
        for frame in made.frames:
            self._admit(frame, [some[0][0]])

    def _lines(self, message: Message) -> None:
        try:
            text = message.payload.decode()
        except UnicodeDecodeError as error:
            self._refused.append(Refused(message, f"byte {error.start + 1} is not UTF-8"))
            return
        taken = self._naming.take(text, message.t)
        self._frames += taken.frames
        self._refuse(message, [
            Refused(message._replace(payload=taken.lines[at].encode()), f"line {at + 1}: {why}") for at, why in taken.refused
        ])  # fmt: skip

    def _senml(self, message: Message, name: str) -> None:
        read = senml.from_json if message.payload.lstrip()[:1] == b"[" else senml.from_cbor
        try:
            readings, odd = read(message.payload, message.t)
        except senml.Unreadable as error:
            self._refused.append(Refused(message, str(error)))
            return
        self._refuse(message, [Refused(message, why) for why in odd])
        rows: dict[str, list[senml.Reading]] = {}
        for each in readings:
            if each.value is not None:
                rows.setdefault(printable(f"{name}/{each.name}"), []).append(each)
        for field, some in rows.items():
            t = np.array([each.t for each in some], np.int64)
            try:
                values = column([each.value for each in some])
            except (TypeError, ValueError) as error:
                self._refused.append(Refused(message, f"{field!r:.80}: {error}"))
                continue
            self._admit(Frame(field, t, {field: values}), [message], {field: some[0].units})


def single_value(payload: bytes, *, text: bool = False) -> Any:
    """The value that a payload is. Raises ValueError with the reason."""
    try:
        written = payload.decode().strip()
    except UnicodeDecodeError as error:
        raise ValueError(f"it is neither text nor a record: byte {error.start + 1} is not UTF-8") from error
    if not written:
        raise ValueError("it is empty")
    if len(written) > _LONGEST_TEXT:
        raise ValueError(f"a text of {len(written)} characters: {_LONGEST_TEXT} at the most")
    if text:
        return written
    if _INTEGER.fullmatch(written):
        return int(written)
    if _NUMBER.fullmatch(written):
        if math.isinf(number := float(written)):
            raise ValueError("it is a number too large for a float64")
        return number
    if _ODD.fullmatch(written):
        return float(written)
    return _BOOLEANS.get(written.lower(), written)


def _form(payload: bytes) -> str:
    """What a payload is, by its first byte."""
    first = payload.lstrip()[:1]
    if first in (b"{", b"["):
        return "json"
    return "cbor" if payload[:1] >= b"\x80" and _is_container(payload[0]) and not _is_text(payload) else "single"


def _is_container(first: int) -> bool:
    """Whether CBOR begins a list or a map with this byte."""
    return first >> 5 in (4, 5)


def _is_text(payload: bytes) -> bool:
    try:
        payload.decode()
    except UnicodeDecodeError:
        return False
    return True


def _with(how: Mapping, form: str) -> Mapping:
    return Mapping(**{**{key: value for key, value in vars(how).items() if key != "own"}, "form": form})
