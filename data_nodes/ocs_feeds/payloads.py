"""What a feed that is not recorded may carry, which is anything: as values with names."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

_DEEPEST = 4  # dictionaries within each other that become names
_MOST = 200  # values of a message that get a name of their own
_LONGEST = 65_536  # characters
Value = bool | int | float | str


def values(message: Any, *, as_text: bool = False) -> dict[str, Value]:
    """A value for each leaf of a dictionary, named by the way to it; anything else is one value, or a text of JSON.

    So is a dictionary that is too deep, has too many leaves or two of one name, and, `as_text`, every message.
    """
    if not as_text and isinstance(message, Mapping):
        try:
            return dict(_distinct(_leaves(message, "", _DEEPEST)))
        except _NotFlat:
            pass
    elif not as_text and isinstance(message, (bool, int, float, str)):
        return {"value": message}
    return {"message": as_json(message)}


class _NotFlat(Exception):
    """There are no names for this dictionary."""


def _leaves(message: Mapping[Any, Any], way: str, deeper: int) -> Iterator[tuple[str, Value]]:
    for key, value in message.items():
        name = f"{way}{key}"
        if isinstance(value, Mapping):
            if not deeper:
                raise _NotFlat
            yield from _leaves(value, f"{name}.", deeper - 1)
        elif isinstance(value, (bool, int, float, str)):
            yield name, value
        elif value is not None:
            yield name, as_json(value)


def _distinct(leaves: Iterator[tuple[str, Value]]) -> Iterator[tuple[str, Value]]:
    seen: set[str] = set()
    for name, value in leaves:
        if name in seen or len(seen) >= _MOST:
            raise _NotFlat
        seen.add(name)
        yield name, value


def as_json(value: Any) -> str:
    """The value as JSON, its beginning where it is long; what JSON has no word for as Python writes it."""
    try:
        return json.dumps(value, ensure_ascii=False, default=str)[:_LONGEST]
    except (TypeError, ValueError, RecursionError):
        return _as_python(value)


def _as_python(value: Any) -> str:
    try:
        return repr(value)[:_LONGEST]
    except RecursionError:
        return f"{type(value).__name__}, too deep to be written"
