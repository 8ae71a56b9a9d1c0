"""The time of a record, whatever form it has, as nanoseconds since 1970 UTC."""

from datetime import datetime
from typing import Any

from sisock import timestamps
from sisock.parsers.rows import value_in
from sisock.records.mapping import UNITS
from sisock.records.payloads import UnreadableError
from sisock.times import LAST

_NS = 10**17  # UNIX times from here on are ns


def moment(value: Any, unit: str = "") -> int:
    """A UNIX time, ISO 8601 (UTC where no zone is given), or a time of CBOR. Raises UnreadableError."""
    if type(value) is int and _NS <= value <= LAST and not unit:
        return value
    found = value_in(value) if isinstance(value, str) else value
    if isinstance(found, datetime):
        t = timestamps.of_datetime(found)
    elif isinstance(found, str):
        t = timestamps.of_text(found)
    elif isinstance(found, (int, float)) and not isinstance(found, bool):
        t = timestamps.of_number(found, UNITS.get(unit, 0))
    else:
        t = None
    if t is None:
        raise UnreadableError(f"{value!r:.60} is no time")
    return t
