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
    heads = sum(bool(HEAD.match(line.lstrip(b" \t["))) for line in some)
    first = some[0].decode("utf-8-sig", "replace") if some else ""
    titles = (
        csv_text.cells_of(first.strip(), csv_text.delimiter_of(first)) if first.isprintable() or first.strip() else []
    )
    named = bool(time_of(dict.fromkeys(titles)))
    return (
        "csv"
        if (named and len(titles) > 1) or (not heads and len(titles) > 1 and not some[0].startswith(b"{"))
        else "log"
    )
