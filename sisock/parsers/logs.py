"""Lines of loggers as rows: a time and values; what is torn or garbage is told, what carries no data is counted."""

from sisock.parsers import csv_text
from sisock.parsers.headed import DATA, HEAD, Headed
from sisock.parsers.moments import reader
from sisock.parsers.records import CsvLines, JsonLines, time_of
from sisock.parsers.told import Lines

FORMATS = ("log", "ma", "json", "csv")


def lines(form: str, zone: str = "UTC", time: str = "", first: bytes = b"") -> Lines:
    """What reads a log of this format; `first` is its first line, `time` the name of its times.

    Raises ValueError with the cure.
    """
    if form in ("log", "ma"):
        return Headed(zone, only_data=form == "ma")
    moment = reader(zone=zone)
    return JsonLines(moment, time) if form == "json" else CsvLines(moment, time, first)


def likely(some: list[bytes]) -> str:
    """The format that most of these lines, the first of a log, are of."""
    if sum(DATA in line for line in some) and sum(bool(HEAD.search(line)) for line in some):
        return "ma"
    if 2 * sum(line.lstrip().startswith(b"{") for line in some) > len(some):
        return "json"
    titles = _titles(some[0]) if some else []
    with_time = bool(time_of(dict.fromkeys(titles)))
    headed = any(HEAD.match(line.lstrip(b" \t[")) for line in some)
    return "csv" if len(titles) > 1 and (with_time or not headed) else "log"


def _titles(first: bytes) -> list[str]:
    """The names that a first line of cells would be; none where it cannot be one."""
    try:
        return csv_text.titles_of(first.decode("utf-8-sig").strip())
    except ValueError:
        return []
