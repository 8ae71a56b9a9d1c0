"""The parser that is wanted, made of what a configuration says of it."""

from typing import NamedTuple

from sisock.parsers import csv_text, json_text, keys, numbers, patterns
from sisock.parsers.rows import Parse, Parsed, Refused

PARSERS = ("auto", "json", "csv", "regex", "keys", "numbers")


class Wanted(NamedTuple):
    """How texts are to be read."""

    parser: str = "auto"
    regex: str = ""  # of named groups
    columns: tuple[str, ...] = ()  # of lines of cells
    delimiter: str = ""  # between cells
    records: str = ""  # where in JSON the rows lie
    texts: frozenset[str] = frozenset()  # names whose values are no numbers even where they look so


def make(wanted: Wanted) -> Parse:
    """The parser; raises ValueError with the cure where what is wanted cannot be."""
    if wanted.parser == "json":
        return json_text.parser(wanted.records)
    if wanted.parser == "csv":
        return csv_text.parser(wanted.columns, wanted.delimiter, wanted.texts)
    if wanted.parser == "regex":
        return patterns.parser(wanted.regex, wanted.texts)
    return {"keys": keys.parser(wanted.texts), "numbers": numbers.parse, "auto": _auto(wanted)}[wanted.parser]


def _auto(wanted: Wanted) -> Parse:
    """JSON where a text begins so, numbers where there is nothing else, else pairs."""
    of_json, of_pairs = json_text.parser(wanted.records), keys.parser(wanted.texts)

    def parse(text: str) -> Parsed:
        if text.lstrip()[:1] in ("{", "["):
            return of_json(text)
        parsed = numbers.parse(text)
        if not parsed.refused:
            return parsed
        parsed = of_pairs(text)
        if not parsed.refused:
            return parsed
        reason = "it is neither JSON nor name=value nor numbers alone: say with parser, regex or columns how to read it"
        return Parsed([], [Refused(reason, text)])

    return parse
