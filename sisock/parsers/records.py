"""Logs of records: an object of JSON in each line, or cells that the first line names."""

from collections.abc import Mapping
from typing import Any

from sisock.parsers import csv_text
from sisock.parsers.json_text import as_flat
from sisock.parsers.moments import NAMES, Moment
from sisock.parsers.told import Found, NoRow, Told
from sisock.parsing import from_json


class JsonLines(Told):
    """An object of JSON in each line."""

    def __init__(self, moment: Moment, time: str) -> None:
        """The time is what is called so, or what is usually called."""
        super().__init__()
        self._moment, self._time = moment, time

    def row(self, line: bytes) -> Found | None:
        if not line.strip():
            return None
        try:
            found = from_json(line)
        except UnicodeDecodeError:
            raise
        except ValueError as error:
            raise NoRow(f"it is no JSON: {getattr(error, 'msg', error)}") from error
        if not isinstance(found, dict):
            raise NoRow("it is no object of JSON")
        name = self._time or time_of(found)
        if not name or found.get(name) is None:
            raise NoRow("there is no time in it")
        t = self._moment(found.pop(name))
        return t, as_flat(found)


class CsvLines(Told):
    """Cells in each line, named in the first."""

    def __init__(self, moment: Moment, time: str, first: bytes) -> None:
        """`first`: the line of names. Raises ValueError with the cure."""
        super().__init__()
        head = first.decode("utf-8-sig", "replace").strip()
        between = csv_text.delimiter_of(head)
        titles = csv_text.titles_of(head, between)
        name = time or time_of(dict.fromkeys(titles))
        if not name or name not in titles:
            raise ValueError(
                f"none of its columns is known as the time: name it with --time ({', '.join(titles[:20])})"
            )
        self._moment, self._name = moment, name
        self._parse = csv_text.parser(titles, between, frozenset((name,)))

    def row(self, line: bytes) -> Found | None:
        parsed = self._parse(line.decode("utf-8-sig"))
        for refused in parsed.refused:
            raise NoRow(refused.reason)
        for row in parsed.rows:
            t = self._moment(row.values.pop(self._name))
            return t, row.values
        return None


def time_of(names: Mapping[str, Any]) -> str:
    """The name among these that is usual for a time; empty where none is."""
    lower = {name.lower(): name for name in reversed(list(names))}
    return next((lower[name] for name in NAMES if name in lower), "")
