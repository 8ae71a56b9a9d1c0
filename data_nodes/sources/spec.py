"""The table of a source, checked: every mistake in it is told with the cure."""

import datetime
import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from data_nodes.sources.options import COMMON, FIELD, KINDS, Option
from sisock.frames import Field
from sisock.nodes.base import check_not_health
from sisock.parsers.choosing import Wanted, make
from sisock.parsers.moments import Moment, reader
from sisock.parsers.patterns import Expression
from sisock.parsers.rows import Parse
from sisock.uris import check_field

_DEFAULTS: Mapping[str, Any] = {
    "interval": 10.0, "timeout": 10.0, "most": 4 * 2**20, "exits": [0], "begin": "end", "longest": 65_536, "baud": 9600,
}  # fmt: skip
_MOST_ROWS = 10_000


@dataclass(frozen=True)
class Spec:
    """A source as it is wanted."""

    where: str  # the table, for sentences
    kind: str  # one of KINDS
    options: Mapping[str, Any]  # as given, with defaults
    fields: Mapping[str, Field]
    parse: Parse
    moment: Moment
    wanted: Wanted
    ignore: Expression | None  # lines in which it is found are left out
    folder: Path  # relative paths are from here

    def path(self, name: str) -> Path | None:
        """The file that a setting names; None where it is not given."""
        given = self.options.get(name)
        return None if given is None else self.folder / Path(given).expanduser()


def kind_of(table: Mapping[str, Any]) -> list[str]:
    """The kinds of source that a table names: one, where it is sound."""
    return [kind for kind in KINDS if kind in table]


def read(where: str, table: Mapping[str, Any], folder: Path) -> Spec:
    """The source that a table describes; raises ValueError with the cure. `where` names the table."""
    kind = _kind(where, table)
    options = {**COMMON, **KINDS[kind]}
    for name, value in table.items():
        _check(f"{where}: ", name, value, options, f"a {kind} source" if kind != "url" else "a url")
    given = {**_DEFAULTS, **({"most": _MOST_ROWS} if kind == "database" else {}), **table}
    fields = _fields(where, given)
    texts = frozenset(name for name, field in fields.items() if field.type == "string")
    wanted = Wanted(_parser(where, kind, table), table.get("regex", ""), tuple(table.get("columns", ())),
                    table.get("delimiter", ""), table.get("records", ""), texts)  # fmt: skip
    try:
        moment = reader(table.get("time_format", ""), table.get("zone", "UTC"))
        parse = make(wanted)
        ignore = Expression(table["ignore"]) if "ignore" in table else None
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error
    for needed in ("time_format", "zone"):
        if needed in table and "time" not in table:
            raise ValueError(
                f'{where}: {needed} is about a time, and there is none: give time = "…", the field that is it'
            )
    _check_query(where, table)
    return Spec(where, kind, given, fields, parse, moment, wanted, ignore, folder)


def _kind(where: str, table: Mapping[str, Any]) -> str:
    kinds = kind_of(table)
    if len(kinds) == 1:
        return kinds[0]
    if kinds:
        raise ValueError(f"{where} has {' and '.join(kinds)}: make a table of each, for each is a node")
    near = [hit for name in table for hit in difflib.get_close_matches(name, KINDS, 1)]
    hint = f": did you mean {near[0]!r}?" if near else ""
    every = ", ".join(f"{kind} = {options[kind].example}" for kind, options in KINDS.items())
    raise ValueError(f"{where} says no source{hint or f': give one of {every}'}")


def _check(where: str, name: str, value: Any, options: Mapping[str, Option], of: str) -> None:
    if name not in options:
        near = difflib.get_close_matches(name, options, 1)
        cure = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(options)}"
        raise ValueError(f"{where}{name!r:.60} is no setting of {of}: {cure}")
    option = options[name]
    if not option.fits(value):
        raise ValueError(f"{where}{name} = {_shown(value)} cannot be: give {option.kind}, as {name} = {option.example}")


def _shown(value: Any) -> str:
    text = "true" if value is True else "false" if value is False else repr(value)
    return text if len(text) <= 60 else f"{text[:60]}…"


def _fields(where: str, given: Mapping[str, Any]) -> dict[str, Field]:
    """Units, descriptions and types, on the timeline of the source."""
    timeline = given.get("timeline", "samples")
    fields: dict[str, Field] = {}
    for name, said in given.get("fields", {}).items():
        told = {"units": said} if isinstance(said, str) else said
        if not isinstance(told, dict):
            raise ValueError(
                f'{where}: the field {name!r:.60} is {_shown(said)}: give its units, as {name} = "°C", or a table'
            )
        check = partial(_check, f"{where}: the field {name!r:.60}: ", options=FIELD, of="a field")
        for each, value in told.items():
            check(each, value)
        fields[name] = Field(told.get("description"), timeline, told.get("type", "number"), told.get("units"))
    try:
        check_not_health("", check_field(timeline, "timeline"))
        for name in (*fields, *given.get("columns", ())):
            check_not_health(check_field(name), timeline)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error
    return fields


def _parser(where: str, kind: str, table: Mapping[str, Any]) -> str:
    """The parser that is said, or that follows from what is said."""
    implied = {"regex": "regex", "columns": "csv", "delimiter": "csv", "records": "json"}
    follows = {implied[name]: name for name in implied if name in table}
    parser = table.get("parser") or next(iter(follows), "json" if kind == "url" else "auto")
    for other, name in follows.items():
        if other != parser:
            raise ValueError(
                f"{where}: {name} is for parser = {other!r}, and this is {parser!r}: leave out one of them"
            )
    if parser == "regex" and "regex" not in table:
        raise ValueError(f"{where}: parser = \"regex\" needs regex = '(?P<name>…)', with a named group for each field")
    return str(parser)


def _check_query(where: str, table: Mapping[str, Any]) -> None:
    if "database" not in table:
        return
    if "query" not in table:
        raise ValueError(f'{where} says no query: give query = "SELECT …", whose columns are fields')
    query = table["query"]
    if ("last" in table) != (":last" in query):
        raise ValueError(
            f'{where}: rows come once where both are said: last = "id", and WHERE id > :last ORDER BY id in the query'
        )
    if ("last" in table) != ("first" in table):
        raise ValueError(f"{where}: last and first go together: give first = 0, or whatever comes before the first row")
    if isinstance(table.get("first"), datetime.time):
        raise ValueError(f"{where}: first is a time of the day: give a date, a number or a text")
