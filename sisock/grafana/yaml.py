"""Plain data as YAML that Grafana reads: mappings, lists and scalars, no more.

Source: YAML 1.2, of which double-quoted scalars are JSON's strings.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_PLAIN = re.compile(r"[A-Za-z_/][A-Za-z0-9_./:-]*[A-Za-z0-9_/-]")
_WORDS = re.compile(r"true|false|yes|no|on|off|null|y|n", re.IGNORECASE)  # what YAML 1.1 takes for something else
_BREAKS = str.maketrans({"\x7f": "\\x7F", "\x85": "\\N", "\u2028": "\\L", "\u2029": "\\P", "\ufeff": "\\uFEFF"})


def dump(data: Mapping[str, Any]) -> str:
    """The mapping as a block, in its own order."""
    return "\n".join(_mapping(data)) + "\n"


def _mapping(data: Mapping[str, Any]) -> Iterator[str]:
    for key, value in data.items():
        yield from _entry(f"{_scalar(key)}:", value)


def _entry(head: str, value: Any) -> Iterator[str]:
    """What stands behind a key: a scalar on its line, anything else below it."""
    if isinstance(value, Mapping) and value:
        yield head
        yield from (f"  {line}" for line in _mapping(value))
    elif _is_list(value) and value:
        yield head
        yield from (f"  {line}" for line in _list(value))
    else:
        yield f"{head} {_scalar(value)}"


def _list(data: Sequence[Any]) -> Iterator[str]:
    for value in data:
        if isinstance(value, Mapping) and value:
            lines = _mapping(value)
        elif _is_list(value) and value:
            lines = _list(value)
        else:
            lines = iter([_scalar(value)])
        yield f"- {next(lines)}"
        yield from (f"  {line}" for line in lines)


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _scalar(value: Any) -> str:
    if isinstance(value, str) and _PLAIN.fullmatch(value) and not _WORDS.fullmatch(value):
        return value
    return json.dumps(value, ensure_ascii=False, allow_nan=False).translate(_BREAKS)
