"""Times as people and Grafana write them in a URL, as nanoseconds since 1970."""

import re
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from grafana_json.query import RequestError, shown
from sisock.formats import instants
from sisock.times import FIRST, LAST, NS, parse_duration, to_ns

_RELATIVE = re.compile(r"(?:now\s*)?([-+])\s*(\d[\d.]*\s*[a-z]+)", re.ASCII)
_NUMBER = re.compile(r"\d+(?:\.\d*)?(?:[eE][-+]?\d{1,4})?", re.ASCII)
_SCALES = ((Decimal(10**11), 9), (Decimal(10**14), 6), (Decimal(10**17), 3))  # numbers below: s, ms, us; else ns
_LOST_PLUS = re.compile(r"(T\S*) (\d\d:?\d\d)$")  # a plus that a URL has made a space
_LONGEST = 100  # characters
_FORMS = "write 2026-01-31T23:59:59Z, -6h, now, or UNIX seconds"


class Moment(NamedTuple):
    """An instant in ns; `fixed`: whether the same text means the same instant at any time."""

    ns: int
    fixed: bool


def moment(given: Any, now: int, what: str) -> Moment:
    """Read ISO 8601 (UTC where it says no offset), `now`, `-6h`, `now-6h`, or UNIX seconds (by their size: ms, µs, ns).

    What an int64 cannot hold is the first or last instant that it can. Raises RequestError.
    """
    text = _text(given, what)
    if text == "now":
        return Moment(now, fixed=False)
    if relative := _RELATIVE.fullmatch(text):
        sign = -1 if relative[1] == "-" else 1
        return Moment(_clamped(now + sign * duration(relative[2], what)), fixed=False)
    if _NUMBER.fullmatch(text):
        return Moment(_of_number(Decimal(text)), fixed=True)
    return Moment(_of_date(_LOST_PLUS.sub(r"\1+\2", text), what), fixed=True)


def duration(given: Any, what: str) -> int:
    """Read `90s`, `15m`, `1h` …, or seconds, as nanoseconds, one at least; raises RequestError."""
    text = _text(given, what)
    try:
        seconds = float(text) if _NUMBER.fullmatch(text) else parse_duration(text)
    except ValueError as error:
        raise RequestError(f"{what}: {error}") from None
    ns = to_ns(seconds)
    if ns < 1:
        raise RequestError(f"{what}={shown(given)} is no time at all: write 90s, 15m or 1h")
    return ns


def _text(given: Any, what: str) -> str:
    """What was given as text. Python writes any float so that it reads as the same again."""
    if isinstance(given, bool) or not isinstance(given, (str, int, float)):
        raise RequestError(f"{what}={shown(given)} is not a time: {_FORMS}")
    text = given if isinstance(given, str) else f"{given:d}" if isinstance(given, int) else repr(given)
    if len(text) > _LONGEST:
        raise RequestError(f"{what}={shown(given)} is too long for a time: {_FORMS}")
    return text.strip()


def _of_number(number: Decimal) -> int:
    if number >= LAST:
        return LAST
    return _clamped(int(number.scaleb(next((digits for below, digits in _SCALES if number < below), 0))))


def _of_date(text: str, what: str) -> int:
    try:
        year = datetime.fromisoformat(text).year
    except ValueError:
        raise RequestError(f"{what}={shown(text)} is not a time: {_FORMS}") from None
    t, sound = instants.of_texts([text])
    return int(t[0]) if sound[0] else LAST if year > 1970 else FIRST


def _clamped(ns: int) -> int:
    return max(FIRST, min(LAST, ns))


HOUR = 3600 * NS
