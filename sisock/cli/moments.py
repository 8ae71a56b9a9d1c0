"""Times as people write them on a command line, as the door takes them."""

import math
import re
from datetime import UTC, datetime

from sisock.times import parse_duration

_RELATIVE = re.compile(r"now(?:\s*-\s*(.+))?")
EVERYTHING = (1.0, 0.0)


def moment(text: str) -> float:
    """Read `2017-07-14T00:00Z`, `2017-07-14`, `now`, `now-2d` or UNIX seconds as a time of the door.

    A time without an offset is UTC. Raises ValueError with the cure.
    """
    relative = _RELATIVE.fullmatch(text.strip())
    if relative:
        return -parse_duration(relative[1]) if relative[1] else 0.0
    try:
        seconds = float(text)
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
        return moment(start) if start else EVERYTHING[0], moment(end or "now")
    return -parse_duration(last or "1h"), 0.0
