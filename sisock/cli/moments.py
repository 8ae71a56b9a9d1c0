"""Times as people write them on a command line, as the door takes them."""

import math
import re
import time
from datetime import UTC, datetime

from sisock import times
from sisock.times import parse_duration

_YEAR = re.compile(r"\d{4}", re.ASCII)
_RELATIVE = re.compile(r"now(?:\s*-\s*(.+))?")
EVERYTHING = (1.0, 0.0)


def moment(text: str) -> float:
    """Read `2017-07-14T00:00Z`, `2017-07-14`, `2017`, `now`, `now-2d` or UNIX seconds as a time of the door.

    A time without an offset is UTC; four digits are a year. Raises ValueError with the cure.
    """
    relative = _RELATIVE.fullmatch(text.strip())
    if relative:
        return -parse_duration(relative[1]) if relative[1] else 0.0
    try:
        seconds = _read(f"{text}-01-01").timestamp() if _YEAR.fullmatch(text) else float(text)
    except ValueError:
        seconds = _read(text).timestamp()
    if not math.isfinite(seconds) or seconds <= 0:
        raise ValueError(f"{text!r} is not after 1970: give a later time, or --last all for everything")
    return seconds


def _read(text: str) -> datetime:
    try:
        when = datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"{text!r} is not a time: write 2017-07-14T00:00Z, now, now-2d or UNIX seconds") from error
    return when if when.tzinfo else when.replace(tzinfo=UTC)


def span(last: str | None, start: str | None, end: str | None) -> tuple[float, float]:
    """The range of the door that --last, or --start and --end, ask for; the last hour where nothing is given."""
    if last and (start or end):
        raise ValueError("--last does not go together with --start and --end: give one or the other")
    if last == "all":
        return EVERYTHING
    if start or end:
        first, until = moment(start) if start else EVERYTHING[0], moment(end or "now")
        now = time.time_ns()
        if times.moment(first, now) >= times.moment(until, now):
            raise ValueError(f"--start {start} is not before {f'--end {end}' if end else 'now'}: give an earlier one")
        return first, until
    return -parse_duration(last or "1h"), 0.0
