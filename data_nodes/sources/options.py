"""What may stand in the table of a source: each setting with its type and what it is for."""

import codecs
import datetime
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from sisock.parsers.choosing import PARSERS


class Option(NamedTuple):
    """One setting: an example of it, whether a value can be one, and what it is."""

    example: str
    fits: Callable[[Any], bool]
    kind: str  # of a value, for people
    what: str


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < 1e9


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**40


def _text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _texts(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(map(_text, value))


def _wholes(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, int) and 0 <= each < 256 for each in value)


def _encoding(value: Any) -> bool:
    try:
        return isinstance(value, str) and bool(codecs.lookup(value))
    except (LookupError, ValueError):
        return False


def _one_of(*words: str) -> Callable[[Any], bool]:
    return lambda value: value in words if isinstance(value, str) else False


def _place(value: Any) -> bool:
    return isinstance(value, (int, float, str, datetime.date, datetime.datetime)) and not isinstance(value, bool)


SECONDS, WHOLE, TEXT = "a number above 0", "a whole number above 0", "a text"
COMMON: Mapping[str, Option] = {
    "description": Option('"The freezer in the corridor"', _text, TEXT, "the node's description"),
    "tags": Option('["cryo"]', lambda value: isinstance(value, list), "a list of words", "words to choose nodes by"),
    "sensitive": Option("true", lambda value: isinstance(value, bool), "true or false", "shown to few: see security.md"),
    "kafka": Option("true", lambda value: isinstance(value, (bool, dict)), "true or a table",
                    "its samples go to Kafka, too: see write-a-node.md"),
    "timeline": Option('"samples"', _text, TEXT, "the timeline of its fields"),
    "only": Option('["temp", "fan*"]', _texts, "a list of texts", "the fields that are taken; * is anything"),
    "fields": Option('{ temp = "°C" }', lambda value: isinstance(value, dict), "a table",
                     "units, or a table of units, description, type, for each field"),
    "time": Option('"when"', _text, TEXT, "the field that is the time; default: when it came"),
    "time_format": Option('"%d.%m.%Y %H:%M:%S"', _text, TEXT, "how the time is written, as strptime; default: ISO or UNIX"),
    "zone": Option('"Europe/London"', _text, TEXT, "the zone of times that name none; default: UTC"),
}  # fmt: skip
PARSING: Mapping[str, Option] = {
    "parser": Option('"json"', _one_of(*PARSERS), f"one of {', '.join(PARSERS)}", "how a text is read"),
    "regex": Option(r"'temp=(?P<temp>\S+)'", _text, TEXT, "a regular expression with a named group for each field"),
    "columns": Option('["temp", "hum"]', _texts, "a list of texts", "the names of cells, in lines of them"),
    "delimiter": Option('";"', lambda value: isinstance(value, str) and len(value) == 1, "one character",
                        "what parts cells; default: what stands there of , ; tab, else blanks"),
    "ignore": Option("'^#'", _text, TEXT, "a regular expression: lines in which it is found are left out"),
    "encoding": Option('"latin-1"', _encoding, "the name of an encoding", "of its letters; default: UTF-8"),
    "records": Option('"data/items"', _text, TEXT, "where in JSON the list of rows lies"),
}  # fmt: skip
POLLING: Mapping[str, Option] = {
    "interval": Option("5", _number, SECONDS, "seconds from one time to the next; default: 10"),
    "timeout": Option("10", _number, SECONDS, "seconds that it may take; default: 10"),
}
KINDS: Mapping[str, Mapping[str, Option]] = {
    "command": {
        "command": Option('["sensors", "-j"]', _texts, "a list of texts", "program and arguments; no shell is between"),
        "exits": Option("[0, 1]", _wholes, "a list of exit codes", "exit codes that are no failure; default: 0"),
        "most": Option("1000000", _whole, WHOLE, "bytes that it may print; default: 4 MiB"),
        **POLLING,
        **PARSING,
    },
    "file": {
        "file": Option('"/var/log/freezer.log"', _text, TEXT, "the file to follow; it may be rotated"),
        "begin": Option('"beginning"', _one_of("end", "beginning"), '"end" or "beginning"',
                        "where the first start begins; default: at the end; later ones go on where the last one ended"),
        "longest": Option("65536", _whole, WHOLE, "bytes of a line; longer ones go into quarantine"),
        **PARSING,
    },
    "url": {
        "url": Option('"https://example.org/state.json"', _text, TEXT, "what is asked, by GET"),
        "token_file": Option('"token"', _text, TEXT, "a file whose text is sent as the bearer token"),
        "ca_file": Option('"ca.pem"', _text, TEXT, "the authority of the certificate, in place of the system's"),
        "most": Option("1000000", _whole, WHOLE, "bytes that the answer may have; default: 4 MiB"),
        **POLLING,
        **PARSING,
    },
    "serial": {
        "serial": Option('"/dev/ttyUSB0"', _text, TEXT, "the port"),
        "baud": Option("115200", _whole, WHOLE, "bits a second; default: 9600"),
        "longest": Option("65536", _whole, WHOLE, "bytes of a line; longer ones go into quarantine"),
        **PARSING,
    },
    "database": {
        "database": Option('"postgresql+psycopg://reader@localhost/lab"', _text, TEXT, "the database, as SQLAlchemy names it"),
        "query": Option('"SELECT temp FROM fridge"', _text, TEXT, "one SELECT, whose columns are fields"),
        "password_file": Option('"password"', _text, TEXT, "a file whose text is the password"),
        "last": Option('"id"', _text, TEXT, "the column by which rows come once: the query has :last and is ordered by it"),
        "first": Option("0", _place, "a number, a text or a date", "what :last is at the first start"),
        "most": Option("10000", _whole, WHOLE, "rows taken at once; default: 10,000"),
        **POLLING,
    },
}  # fmt: skip
FIELD: Mapping[str, Option] = {
    "units": Option('"°C"', _text, TEXT, "its units"),
    "description": Option('"top shelf"', _text, TEXT, "what it is"),
    "type": Option('"string"', _one_of("number", "string", "bool"), "one of number, string, bool", "of its values"),
}
