"""What a message holds, JSON or CBOR, as flat records."""

import contextlib
import json
from collections.abc import Callable, Iterator
from math import isinf
from typing import Any, NoReturn

_fast: Callable[[bytes], Any] | None
try:
    from orjson import loads as _fast
except ModuleNotFoundError:  # it is there with most extras
    _fast = None

Record = dict[str, Any]
MOST = 100_000  # records of a message
_DEEPEST = 8  # objects in objects
_VALUE = "value"  # the key of a message that is nothing but a value
_TAGS = (
    4,
    5,
    25,
    *range(28, 31),
    *range(35, 38),
    52,
    54,
    100,
    256,
    258,
    260,
    261,
    1004,
    43000,
)  # neither times nor numbers


class UnreadableError(ValueError):
    """A message, or a value in it, holds nothing that a sample could be; says why."""


def records(payload: bytes, form: str = "") -> list[Record]:
    """The records of a message: one, or those of a list. A bare value has the key `value`. Raises UnreadableError."""
    if not payload:
        raise UnreadableError("it is empty")
    is_cbor = payload[0] >= 0x80 if not form else form == "cbor"
    found = _cbor(payload) if is_cbor else _json(payload)
    if isinstance(found, dict):
        return [flat(found)]
    if not isinstance(found, list):
        return [{_VALUE: found}]
    if len(found) > MOST:
        raise UnreadableError(f"it is a list of {len(found)} records: {MOST} at the most")
    if not all(isinstance(each, dict) for each in found):
        raise UnreadableError("it is a list of other things than records")
    return [flat(each) for each in found]


def flat(record: Record) -> Record:
    """The record without objects within it: their keys are joined."""
    if dict not in set(map(type, record.values())):
        return record
    return dict(_joined(record, "", 0))


def _joined(record: Record, before: str, depth: int) -> Iterator[tuple[str, Any]]:
    if depth > _DEEPEST:
        raise UnreadableError("objects lie too deep in it")
    for key, value in record.items():
        if isinstance(value, dict):
            yield from _joined(value, f"{before}{key}/", depth + 1)
        else:
            yield f"{before}{key}", value


def _json(payload: bytes) -> Any:
    with contextlib.suppress(ValueError):
        if _fast is not None:
            return _fast(payload)
    try:  # it knows NaN, and says what is wrong
        return _plain(payload)
    except UnicodeDecodeError as error:
        raise UnreadableError(f"it is neither JSON nor UTF-8 (byte {error.start + 1})") from error
    except RecursionError as error:
        raise UnreadableError("lists and objects lie too deep in it") from error
    except ValueError as error:
        raise UnreadableError(f"it is not JSON: {error}") from error


def _plain(payload: bytes) -> Any:
    """As the standard library reads it; a number too large for a float64 is no infinity."""
    return json.loads(payload, parse_float=_float)


def _float(text: str) -> float:
    number = float(text)
    if isinf(number):
        raise ValueError(f"{text:.40} is too large for a float64")
    return number


def _cbor(payload: bytes) -> Any:
    import cbor2

    try:
        found = cbor2.loads(
            payload, strict_hashable_types=True, semantic_decoders=dict.fromkeys(_TAGS, _refuse), tag_hook=_refuse
        )
    except RecursionError as error:
        raise UnreadableError("lists and objects lie too deep in it") from error
    except Exception as error:  # what may be raised is more than the library says
        raise UnreadableError(f"it is not CBOR that holds records: {error!s:.200}") from error
    return found


def _refuse(*_: object) -> NoReturn:
    raise ValueError("it has tags other than those of times and large numbers")
