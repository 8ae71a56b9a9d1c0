"""JSON, or a JSON value in each line: objects are rows, what lies deeper has names joined by a slash."""

import json
from collections.abc import Iterator
from typing import Any

from sisock.parsers.rows import MOST_VALUES, Parse, Parsed, Refused, Row
from sisock.parsing import from_json

_DEEPEST = 16
_SHOWN = 2000  # characters of a record that are kept with its reason


def parser(records: str = "") -> Parse:
    """Make one; `records` is where the list of rows lies, as in `data/items`, by default the whole."""

    def parse(text: str) -> Parsed:
        parsed = Parsed([], [])
        for piece, value in _documents(text, parsed):
            try:
                found = _at(value, records)
            except LookupError:
                parsed.refused.append(Refused(f"there is no {records!r} in it", piece))
                continue
            for record in found if _is_list_of_objects(found) else [found]:
                _add(record, piece if record is value else json.dumps(record)[:_SHOWN], parsed)
        return parsed

    return parse


def _documents(text: str, parsed: Parsed) -> Iterator[tuple[str, Any]]:
    """The one JSON value that the text is, else one a line."""
    if not text.strip():
        return
    try:
        yield text, from_json(text)
    except ValueError as error:
        lines = [line for line in text.splitlines() if line.strip()]
        if len(lines) == 1 or text.lstrip()[:2].split() in (["{"], ["["]):
            parsed.refused.append(Refused(_no_json(error), text))
            return
        for line in lines:
            try:
                yield line, from_json(line)
            except ValueError as wrong:
                parsed.refused.append(Refused(_no_json(wrong), line))


def _no_json(error: ValueError) -> str:
    """Why, without where: what is refused is counted by its reason."""
    return f"it is no JSON: {getattr(error, 'msg', error)}"


def _at(value: Any, path: str) -> Any:
    """What lies there; raises LookupError where nothing does."""
    for name in filter(None, path.split("/")):
        if isinstance(value, list) and name.isdecimal():
            value = value[int(name)]
        elif isinstance(value, dict):
            value = value[name]
        else:
            raise LookupError(name)
    return value


def _is_list_of_objects(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, dict) for each in value)


def _add(record: Any, text: str, parsed: Parsed) -> None:
    try:
        values = dict(flat(record))
    except ValueError as error:
        parsed.refused.append(Refused(str(error), text))
        return
    if values:
        parsed.rows.append(Row(values, text))
    else:
        parsed.refused.append(Refused("there are no values in it", text))


def as_flat(found: dict[str, Any]) -> dict[str, Any]:
    """The object with what lies deeper in it at its top; raises ValueError where that is too much."""
    for value in found.values():
        if isinstance(value, (dict, list)):
            return dict(flat(found))
    return found if len(found) <= MOST_VALUES else dict(flat(found))


def flat(value: Any, name: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    """What is in it, with its names from the root on; raises ValueError where that is too much."""
    if depth > _DEEPEST:
        raise ValueError(f"objects lie more than {_DEEPEST} deep in it")
    if isinstance(value, (dict, list)):
        if len(value) > MOST_VALUES:
            raise ValueError(f"more than {MOST_VALUES} values are in it")
        items = value.items() if isinstance(value, dict) else enumerate(value)
        count = 0
        for key, each in items:
            for found in flat(each, f"{name}/{key}" if name else str(key), depth + 1):
                count += 1
                if count > MOST_VALUES:
                    raise ValueError(f"more than {MOST_VALUES} values are in it")
                yield found
    else:
        yield name or "value", value
