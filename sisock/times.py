"""Seconds at the door, int64 nanoseconds inside."""

import math
import re
from datetime import UTC, datetime

NS = 1_000_000_000
FIRST, LAST = -(2**63), 2**63 - 1  # what an int64 can hold
_UNITS = {"ms": 1e-3, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800, "y": 31557600}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d|w|y)")


def to_ns(seconds: float) -> int:
    """Convert seconds to nanoseconds, exact to the microsecond for today's UNIX times; clamp to int64."""
    if abs(seconds) >= 9.2e9:  # before anything else: a whole number may be too large for a float
        return LAST if seconds > 0 else FIRST
    if math.isnan(seconds):
        raise ValueError("a time must be a number of seconds, not NaN")
    whole = math.floor(seconds)
    return whole * NS + round((seconds - whole) * 1e6) * 1000


def to_seconds(ns: int) -> float:
    """Convert nanoseconds to float seconds."""
    return ns / NS


def at_the_door(ns: int, now: int) -> float:
    """Convert nanoseconds to a time of the door: what lies before 1970 is told as so long before now."""
    return ns / NS if ns > 0 else (ns - now) / NS


def utc(ns: int) -> str:
    """The time for people, to the second: `2026-01-31 23:59:59 UTC`."""
    return f"{datetime.fromtimestamp(ns // NS, UTC):%Y-%m-%d %H:%M:%S} UTC"


def moment(t: float, now: int) -> int:
    """Convert a time of the door to nanoseconds: positive is UNIX time, zero or negative is now + t."""
    return to_ns(t) if t > 0 else max(FIRST, min(LAST, now + to_ns(t)))


def window(start: float, end: float, now: int) -> tuple[int, int]:
    """Convert a range of the door to `[start, end)` in nanoseconds; `(1, 0)` means everything."""
    for t in (start, end):
        if isinstance(t, bool) or not isinstance(t, (int, float)):
            raise ValueError(f"{t!r:.80} is not a time: give seconds, positive for UNIX time, 0 or less for ago")
    if (start, end) == (1, 0):
        return FIRST, LAST
    return moment(start, now), moment(end, now)


def parse_duration(text: str) -> float:
    """Read `90s`, `15m`, `1h`, `2d` … as seconds."""
    match = _DURATION.fullmatch(text.strip())
    if not match:
        raise ValueError(f"{text!r} is not a duration: write a number and one of {', '.join(_UNITS)}, as in 15m")
    return float(match[1]) * _UNITS[match[2]]
