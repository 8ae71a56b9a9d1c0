"""SenML (RFC 8428), JSON and CBOR: packs of records with base fields, resolved to readings with time and units."""

import json
from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from math import isfinite
from re import compile as pattern
from typing import Any, NamedTuple

from sisock.times import NS

VERSION = 10  # of SenML, that RFC 8428 describes
_RELATIVE = 2**28  # seconds below which a time is one before or after now (section 4.5.3)
_LAST = 2**63 // NS - 1  # seconds that int64 ns can hold
_NAME = pattern(r"[A-Za-z0-9][A-Za-z0-9:./_-]*")
_LABELS = {  # of CBOR: section 6, table 4
    -1: "bver", -2: "bn", -3: "bt", -4: "bu", -5: "bv", -6: "bs",
    0: "n", 1: "u", 2: "v", 3: "vs", 4: "vb", 5: "s", 6: "t", 7: "ut", 8: "vd",
}  # fmt: skip
_NUMBERS = {each: label for label, each in _LABELS.items()}
_VALUES = {"v": "a number", "vs": "a text", "vb": "true or false", "vd": "data"}
_BASES = {"bver", "bn", "bt", "bu", "bv", "bs"}
_UNITS = {"Cel": "°C", "%RH": "%", "%EL": "%", "/": None, "lat": "°", "lon": "°", "deg": "°", "Ohm": "Ω", "kt": "kn"}


class Unreadable(ValueError):
    """What was sent cannot be understood; says why."""


class Reading(NamedTuple):
    """One value: the base name it came with, its whole name, when in ns since 1970; a value of None is missing."""

    base: str
    name: str
    t: int
    value: float | str | bool | None
    units: str | None


def from_json(payload: bytes, now: int) -> tuple[list[Reading], list[str]]:
    """The readings of a pack as JSON, and a sentence on each record that is none. Raises Unreadable."""
    try:
        pack = json.loads(payload, parse_float=Decimal, parse_constant=_no_number)
    except (ValueError, RecursionError, InvalidOperation) as error:
        raise Unreadable(f"this is no JSON: {error!s:.200}") from error
    return resolve(pack, now)


def from_cbor(payload: bytes, now: int) -> tuple[list[Reading], list[str]]:
    """As `from_json`, of a pack as CBOR."""
    import cbor2

    try:
        pack = cbor2.loads(payload)
    except (cbor2.CBORDecodeError, ValueError, TypeError, RecursionError, OverflowError, MemoryError) as error:
        raise Unreadable(f"this is no CBOR: {error!s:.200}") from error
    if isinstance(pack, list):
        pack = [_labelled(each) for each in pack]
    try:
        return resolve(pack, now)
    except Unreadable:
        raise
    except ValueError as error:  # a number with more digits than Python writes
        raise Unreadable(f"this is no SenML: {error!s:.200}") from error


def resolve(pack: Any, now: int) -> tuple[list[Reading], list[str]]:
    """The readings of a pack of records, and a sentence on each record that is none. Raises Unreadable."""
    if not isinstance(pack, list) or not pack:
        raise Unreadable("a pack of SenML is an array of records, [{…}, …], and this is none")
    base: dict[str, Any] = {}
    readings, refused = list[Reading](), list[str]()
    for number, record in enumerate(pack, 1):
        if not isinstance(record, Mapping):
            raise Unreadable(f"record {number} is no map: a pack of SenML is an array of records, [{{…}}, …]")
        _check_understood(record)
        base |= {key: value for key, value in record.items() if key in _BASES}
        try:
            readings += _of_record(record, base, now)
        except ValueError as error:  # also a number with more digits than Python writes
            refused.append(f"record {number}: {error}")
    return readings, refused


def to_json(readings: Iterable[Reading]) -> bytes:
    """The readings as a pack of JSON that stands for itself: each record with its whole name, time and units."""
    return json.dumps(list(map(_plain, readings)), ensure_ascii=False, separators=(",", ":")).encode()


def to_cbor(readings: Iterable[Reading]) -> bytes:
    """As `to_json`, as CBOR."""
    import cbor2

    packed: bytes = cbor2.dumps([{_NUMBERS[key]: value for key, value in _plain(each).items()} for each in readings])
    return packed


def units_of(units: str | None) -> str | None:
    """A unit of SenML as it is written here and on panels."""
    return _UNITS.get(units, units) if units else None


def _plain(reading: Reading) -> dict[str, Any]:
    value = reading.value
    key = "vb" if isinstance(value, bool) else "vs" if isinstance(value, str) else "v"
    units = next((each for each, ours in _UNITS.items() if ours and ours == reading.units), reading.units)
    there = {"n": reading.name, "u": units, "t": reading.t / NS, key: value}
    return {name: each for name, each in there.items() if each is not None}


def _labelled(record: Any) -> Any:
    """A record of CBOR with the labels of JSON; data stay what they are, to be refused."""
    if not isinstance(record, Mapping):
        return record
    return {_LABELS.get(key, key) if isinstance(key, int) else key: value for key, value in record.items()}


def _check_understood(record: Mapping[Any, Any]) -> None:
    """Raise Unreadable for what a reader has to understand, and this one does not (sections 4.4 and 12.2)."""
    version = record.get("bver", VERSION)
    if not _is_number(version) or version > VERSION:
        raise Unreadable(f"this is of version {version!r:.20} of SenML, and up to {VERSION} is understood here")
    foreign = [key for key in record if isinstance(key, str) and key.endswith("_")]
    if foreign:
        raise Unreadable(f"the field {foreign[0]!r:.80} has to be understood, and is not here")


def _of_record(record: Mapping[Any, Any], base: Mapping[str, Any], now: int) -> list[Reading]:
    """The reading of a record; a second one, `.sum`, where it has a sum. None where it has only base fields."""
    values = [key for key in _VALUES if key in record]
    has_sum = "s" in record or ("bs" in base and values)
    if not values and not has_sum:
        if set(record) <= _BASES:
            return []
        raise Unreadable("it has no value: give v, vs or vb")
    if len(values) > 1:
        raise Unreadable(f"it has {' and '.join(values)}: give one of them")
    own, name = _text(record, "n"), _text(base, "bn") + _text(record, "n")
    if not _NAME.fullmatch(name) or len(name) > 200:
        raise Unreadable(f"{name!r:.80} is no name of SenML: use letters, digits and - : . / _ after a letter or digit")
    units = units_of(_text(record, "u") or _text(base, "bu") or None)
    t = _time(record, base, now)
    made = [Reading(_text(base, "bn"), name, t, _value(values[0], record, base), units)] if values else []
    if has_sum:
        whole = f"{name}.sum" if own else f"{name}/sum"
        made.append(Reading(_text(base, "bn"), whole, t, _sum(_of(record, "s"), _of(base, "bs")), None))
    return made


def _value(key: str, record: Mapping[Any, Any], base: Mapping[str, Any]) -> float | str | bool:
    value = record[key]
    if key == "vd":
        raise Unreadable("it has data (vd), which no curve can show: send numbers, texts or true and false")
    if key == "v":
        return _sum(_of(record, "v"), _of(base, "bv"))
    if not isinstance(value, bool if key == "vb" else str):
        raise Unreadable(f"{key} is not {_VALUES[key]}")
    return bool(value) if key == "vb" else str(value)


def _time(record: Mapping[Any, Any], base: Mapping[str, Any], now: int) -> int:
    """The time of a record in ns since 1970; a small one is before or after now."""
    seconds = Decimal(_of(record, "t")) + Decimal(_of(base, "bt"))
    if not abs(seconds) < _LAST:
        raise Unreadable(f"{seconds!s:.40} is no time: give seconds since 1970, or from now on")
    ns = int((seconds * NS).to_integral_value())
    return now + ns if abs(seconds) < _RELATIVE else ns


def _sum(first: float | Decimal, second: float | Decimal) -> float:
    """A sum as int or float."""
    try:
        total = float(first) + float(second) if second else first
        total = float(total) if isinstance(total, Decimal) or abs(total) >= 2**63 else total
    except OverflowError as error:
        raise Unreadable("a number is too large for a float64") from error
    if not isfinite(total):
        raise Unreadable(f"{total} is no number that SenML can hold")
    return total


def _of(fields: Mapping[Any, Any], key: str) -> float | Decimal:
    value = fields.get(key, 0)
    if not _is_number(value):
        raise Unreadable(f"{key} is no number")
    if isinstance(value, float) and not isfinite(value):
        raise Unreadable(f"{key} is {value}, which SenML has no place for")
    if isinstance(value, Decimal) and not (value.is_finite() and abs(value.adjusted()) < 400):
        raise Unreadable(f"{key} is too large or too small for a float64")
    number: float | Decimal = value
    return number


def _text(fields: Mapping[Any, Any], key: str) -> str:
    value = fields.get(key, "")
    if not isinstance(value, str) or len(value) > 200:
        raise Unreadable(f"{key} is no text of up to 200 characters")
    return value


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float, Decimal)) and not isinstance(value, bool)


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is no number of JSON")
