"""The time that a row tells of itself, as nanoseconds since 1970 UTC."""

import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

from sisock.parsers.rows import value_in
from sisock.times import NS, to_ns

NAMES = ("time", "timestamp", "datetime", "date", "utc", "t", "ts", "unixtime", "epoch")  # usual for a time
EARLIEST, LATEST = -2_208_988_800 * NS, 7_258_118_400 * NS  # 1900 and 2200: other times are no measurements
_UNITS = ((1e11, NS), (1e14, 10**6), (1e17, 10**3))  # UNIX times below these are seconds, ms, us; else ns
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

Moment = Callable[[object], int]


def zone_of(name: str) -> tzinfo:
    """The zone of this name; raises ValueError with the cure."""
    try:
        return UTC if name == "UTC" else ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError(f"{name!r:.60} is no time zone that this machine knows: write one as Europe/London") from error


def reader(form: str = "", zone: str = "UTC") -> Moment:
    """What reads times: UNIX times by their size, ISO 8601, or as `form` says in the way of strptime.

    It raises ValueError where one cannot be read.
    """
    assumed = zone_of(zone)

    def read(value: object) -> int:
        found = value_in(value) if isinstance(value, str) and not form else value
        t = _of_number(found) if isinstance(found, (int, float)) else _of_text(str(value), form, assumed)
        if t is None or isinstance(value, bool):
            raise ValueError("its time cannot be read")
        if not EARLIEST <= t < LATEST:
            raise ValueError("its time is none that a clock can mean: it has to be from 1900 to 2199")
        return t

    return read


def _of_number(value: float) -> int | None:
    """A UNIX time; whole numbers to the nanosecond, others to the microsecond."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    unit = next((unit for below, unit in _UNITS if abs(value) < below), 1)
    return int(value) * unit if isinstance(value, int) or unit == 1 else to_ns(value * (unit / NS))


def _of_text(text: str, form: str, zone: tzinfo) -> int | None:
    try:
        moment = datetime.strptime(text, form) if form else datetime.fromisoformat(text.strip().replace("/", "-"))  # noqa: DTZ007  # below
        aware = moment if moment.tzinfo else moment.replace(tzinfo=zone)
        return (aware - _EPOCH) // _MICROSECOND * 1000
    except (ValueError, OverflowError):
        return None
