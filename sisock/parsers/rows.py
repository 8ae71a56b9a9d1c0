"""What a parser makes of a text: rows of values, and what it could not read, each with its reason."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

Value = int | float | bool | str | None
MOST_VALUES = 10_000  # of one row


class Row(NamedTuple):
    """Values by their names, and the text that they stand in."""

    values: dict[str, Any]
    text: str


class Refused(NamedTuple):
    """A text, or a part of it, that is no row; why, as a sentence."""

    reason: str
    text: str


class Parsed(NamedTuple):
    """All of a text: nothing of it is in neither."""

    rows: list[Row]
    refused: list[Refused]


Parse = Callable[[str], Parsed]


def value_in(text: str) -> Value:
    """The number, true or false that a text is, else the text itself; None where it is empty."""
    text = text.strip()
    if not text:
        return None
    if "_" not in text:  # Python would read 1_000
        for kind in (int, float):
            try:
                return kind(text)
            except ValueError:
                continue
    return {"true": True, "false": False}.get(text.lower(), text)


def gathered(pairs: Iterable[tuple[str, Any]]) -> Iterator[dict[str, Any]]:
    """Rows made of names and values one after the other: a name that comes again begins the next row."""
    row: dict[str, Any] = {}
    for name, value in pairs:
        if name in row or len(row) >= MOST_VALUES:
            yield row
            row = {}
        row[name] = value
    if row:
        yield row
