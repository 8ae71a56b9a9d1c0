"""Times as others write them, as nanoseconds since 1970 UTC; None where one is none that an int64 can hold."""

import math
import re
from datetime import UTC, datetime, timedelta, tzinfo

from sisock.times import LAST, NS

_SIZES = ((1e11, NS), (1e14, 10**6), (1e17, 10**3))  # UNIX times below these are seconds, ms, us; else ns
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_BEYOND = re.compile(r"[.,]\d{6}(\d{1,3})")  # what Python leaves off


def unit_of(size: float) -> int:
    """The ns that one unit of UNIX times of this size has."""
    return next((unit for below, unit in _SIZES if size < below), 1)


def of_number(value: float, unit: int = 0) -> int | None:
    """A UNIX time in units of so many ns, 0: by its size; whole numbers exactly, others to the microsecond."""
    unit = unit or unit_of(abs(value))
    if not abs(value) < 2**63 / unit:  # nor NaN
        return None
    if isinstance(value, int):
        return value * unit if abs(value * unit) <= LAST else None
    whole = math.floor(value)
    return whole * unit + round((value - whole) * (unit / 1000)) * 1000


def of_text(text: str, zone: tzinfo = UTC) -> int | None:
    """A time of ISO 8601, of the zone where it says none; `/` may stand for `-`."""
    text = text.strip()
    try:
        moment = datetime.fromisoformat(text.replace("/", "-"))
    except ValueError:
        return None
    t, beyond = of_datetime(moment, zone), _BEYOND.search(text)
    return t + int(beyond[1].ljust(3, "0")) if t is not None and beyond else t


def of_datetime(moment: datetime, zone: tzinfo = UTC) -> int | None:
    """A time as Python holds it."""
    try:
        t = ((moment if moment.tzinfo else moment.replace(tzinfo=zone)) - _EPOCH) // _MICROSECOND * 1000
    except OverflowError:
        return None
    return t if abs(t) < LAST - 1000 else None
