"""The time of a record, whatever form it has, as nanoseconds since 1970 UTC."""

import math
from datetime import UTC, datetime, timedelta
from typing import Any

from sisock.formats import instants
from sisock.records.mapping import UNITS
from sisock.records.payloads import UnreadableError
from sisock.times import LAST

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NS = 10**17
_SIZES = ((1e11, "s"), (1e14, "ms"), (1e17, "us"))  # UNIX times below these are of these units, else ns


def moment(value: Any, unit: str = "") -> int:
    """A UNIX time, ISO 8601 (UTC where no zone is given), or a time of CBOR. Raises UnreadableError."""
    if type(value) is int and _NS <= value <= LAST and not unit:
        return value
    if isinstance(value, datetime):
        aware = value if value.tzinfo else value.replace(tzinfo=UTC)
        return (aware - _EPOCH) // timedelta(microseconds=1) * 1000
    if isinstance(value, str):
        return _of_text(value, unit)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) < 2**64:  # nor NaN
        raise UnreadableError(f"{value!r:.60} is no time")
    return _of_number(value, unit)


def _of_number(value: float, unit: str) -> int:
    size = abs(value)
    ns = UNITS[unit or next((name for below, name in _SIZES if size < below), "ns")]
    if size >= 2**63 / ns:
        raise UnreadableError(f"{value!r:.60} is no time")
    if isinstance(value, int):
        return value * ns
    whole = math.floor(value)
    return whole * ns + round((value - whole) * ns / 1000) * 1000  # exact to the microsecond


def _of_text(text: str, unit: str) -> int:
    number = instants.number_in(text)
    if number is not None and abs(number) < 2**64:
        return _of_number(int(text) if text.strip().lstrip("-").isdigit() and len(text) < 20 else number, unit)
    t, sound = instants.of_texts([text])
    if not sound[0] or abs(int(t[0])) > LAST:
        raise UnreadableError(f"{text!r:.60} is no time")
    return int(t[0])
