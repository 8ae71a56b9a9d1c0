"""One line of InfluxDB's line protocol, exactly: `measurement,tag=value field=value,… time`.

Source: https://docs.influxdata.com/influxdb/v1/write_protocols/line_protocol_reference/
"""

import math
import re
from typing import NamedTuple

from sisock.frames import Type

LONGEST_TEXT = 65_536  # characters of a text
_LONGEST_LINE = 2**20  # characters
_NAME = r"(?:[^, \n]|(?<=\\)[, ])+"
_KEY = r"(?:[^,= \n]|(?<=\\)[,= ])+"
_STRING = r'"(?:[^"\\]|\\.)*"'
_HEAD = re.compile(rf"(?P<name>{_NAME})(?P<tags>(?:,{_KEY}={_KEY})*)")
_TAG = re.compile(rf",({_KEY})=({_KEY})")
_SET = re.compile(rf'{_KEY}=(?:{_STRING}|[^", \n]+)(?:,{_KEY}=(?:{_STRING}|[^", \n]+))*', re.DOTALL)
_FIELD = re.compile(rf'({_KEY})=({_STRING}|[^", \n]+)(?:,|$)', re.DOTALL)
_TIME = re.compile(r"-?[0-9]+")
_INTEGER = re.compile(r"-?[0-9]+i|[0-9]+u")
_FLOAT = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_ESCAPED_NAME = re.compile(r"\\([, ])")
_ESCAPED_KEY = re.compile(r"\\([,= ])")
_ESCAPED_TEXT = re.compile(r'\\(["\\])')
BOOLEANS = {**dict.fromkeys(("t", "T", "true", "True", "TRUE"), True), **dict.fromkeys(("f", "F", "false", "False", "FALSE"), False)}  # fmt: skip
Value = bool | int | float | str


class LineError(ValueError):
    """A line, or a part of it, is not line protocol; says why."""


class Series(NamedTuple):
    """What a line is of: tags in the order of their keys."""

    measurement: str
    tags: tuple[tuple[str, str], ...]


class Line(NamedTuple):
    """One line: `head` as it was written, and the time as it was written, None where there is none."""

    head: str
    values: dict[str, Value]
    t: int | None


def line(text: str) -> Line:
    """A line that has neither a comment nor blanks around it. Raises LineError."""
    if len(text) > _LONGEST_LINE:
        raise LineError(f"a line of {len(text)} characters: {_LONGEST_LINE} at the most")
    head = _HEAD.match(text)
    if head is None:
        raise LineError("there is no measurement")
    if text[head.end() : head.end() + 1] not in (" ", ""):
        raise LineError(f"after {head[0][-60:]!r} a tag is not written as key=value")
    at = _blanks(text, head.end())
    found = _SET.match(text, at)
    if found is None:
        raise LineError("there are no fields" if at >= len(text) else "its fields are not written as key=value")
    end = _blanks(text, found.end())
    if found.end() == end < len(text):
        raise LineError(f"after {found[0][-60:]!r} a field is not written as key=value")
    return Line(head[0], fields(found[0]), time(text[end:]) if end < len(text) else None)


def series(head: str) -> Series:
    """What stands before the fields. Raises LineError."""
    found = _HEAD.fullmatch(head)
    if found is None:
        raise LineError("it has no measurement, or a tag is not written as key=value")
    tags = [
        (_ESCAPED_KEY.sub(r"\1", key), _ESCAPED_KEY.sub(r"\1", value)) for key, value in _TAG.findall(found["tags"])
    ]
    if len(dict(tags)) < len(tags):
        raise LineError("a tag is there twice")
    return Series(_ESCAPED_NAME.sub(r"\1", found["name"]), tuple(sorted(tags)))


def fields(text: str) -> dict[str, Value]:
    """The fields of a line; of one that is there twice the last. Raises LineError."""
    if '"' not in text and "\\" not in text:
        found = {key: value(written) for key, _, written in (each.partition("=") for each in text.split(","))}
        if "" in found:
            raise LineError("a field has no key")
        return found
    return {_ESCAPED_KEY.sub(r"\1", key): value(written) for key, written in _FIELD.findall(text)}


def value(text: str) -> Value:
    """A value as it is written. Raises LineError."""
    if text[:1] == '"':
        return _text(text)
    if text in BOOLEANS:
        return BOOLEANS[text]
    if _INTEGER.fullmatch(text):
        number = int(text[:-1]) if len(text) < 22 else 2**65
        if not -(2**63) <= number < (2**64 if text[-1] == "u" else 2**63):
            raise LineError(f"{text:.60} is beyond 64 bits")
        return number if number < 2**63 else float(number)
    if _FLOAT.fullmatch(text) and math.isfinite(found := float(text)):
        return found
    raise LineError(f'{text!r:.60} is no value: write 1.5, 15i, 15u, true or "text"')


def time(text: str) -> int:
    """A time as it is written, in the unit of its request. Raises LineError."""
    if not _TIME.fullmatch(text) or len(text) > 20 or not -(2**63) <= int(text) < 2**63:
        raise LineError(f"{text!r:.60} is no time: give a whole number")
    return int(text)


def kind(found: Value) -> Type:
    """The type of a field with this value."""
    return "bool" if isinstance(found, bool) else "string" if isinstance(found, str) else "number"


def _text(text: str) -> str:
    if len(text) < 2 or text[-1] != '"':
        raise LineError("a text is not closed")
    if len(text) - 2 > LONGEST_TEXT:
        raise LineError(f"a text of {len(text) - 2} characters: {LONGEST_TEXT} at the most")
    return _ESCAPED_TEXT.sub(r"\1", text[1:-1])


def _blanks(text: str, at: int) -> int:
    """Where what follows the blanks begins."""
    return len(text) - len(text[at:].lstrip(" "))
