"""The time that a row tells of itself, as nanoseconds since 1970 UTC."""

from collections.abc import Callable
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

from sisock import timestamps
from sisock.parsers.rows import value_in
from sisock.times import NS

NAMES = ("time", "timestamp", "datetime", "date", "utc", "t", "ts", "unixtime", "epoch")  # usual for a time
EARLIEST, LATEST = -2_208_988_800 * NS, 7_258_118_400 * NS  # 1900 and 2200: other times are no measurements

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
        t = timestamps.of_number(found) if isinstance(found, (int, float)) else _of_text(str(value), form, assumed)
        if t is None or isinstance(value, bool):
            raise ValueError("its time cannot be read")
        if not EARLIEST <= t < LATEST:
            raise ValueError("its time is none that a clock can mean: it has to be from 1900 to 2199")
        return t

    return read


def _of_text(text: str, form: str, zone: tzinfo) -> int | None:
    if not form:
        return timestamps.of_text(text, zone)
    try:
        return timestamps.of_datetime(datetime.strptime(text, form), zone)  # noqa: DTZ007  # it has the zone
    except (ValueError, OverflowError):
        return None
