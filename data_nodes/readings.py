"""What devices send, as frames: SenML, pairs of value and parity, or a plain number."""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from data_nodes import parity, senml
from data_nodes.senml import Reading, Unreadable
from sisock.frames import Column, Frame, column
from sisock.nodes.devices import DeviceRefused, check_device
from sisock.times import NS

__all__ = ["CBOR", "JSON", "TEXT", "Hints", "Reading", "Sent", "Unreadable", "frame", "read"]
JSON, CBOR, TEXT = "json", "cbor", "text"
BAD, GOOD = "bad parity", "ok"
_JOINTS = "/:._-"  # between the name of a device and that of a field
_VALUE = "value"  # the name of what has none


class Hints(NamedTuple):
    """What a sender says of a number or of pairs beside them: name, units as SenML has them, seconds between two."""

    name: str = _VALUE
    units: str | None = None
    every: float = 0.0


class Sent(NamedTuple):
    """What one message brought: readings by device, under their names there; and what of it was refused."""

    readings: dict[str, list[Reading]]
    refused: list[str]


def read(payload: bytes, form: str | None, device: str | None, hints: Hints, now: int) -> Sent:
    """Read a message: of this device, or of those that it names. Raises Unreadable with the cure.

    form: one of JSON, CBOR and TEXT; None where the sender did not say, and the first byte has to.
    """
    if not payload:
        raise Unreadable("nothing was sent")
    found, refused = _READERS[form or _guess(payload)](payload, hints, now)
    sent = Sent({}, refused)
    for each in found:
        try:
            owner, name = _owner(each, device)
            sent.readings.setdefault(check_device(owner), []).append(each._replace(name=name))
        except (Unreadable, DeviceRefused) as error:
            sent.refused.append(str(error))
    if not sent.readings:
        raise Unreadable(_shown(sent.refused) or "it holds no value")
    return sent


def frame(device: str, readings: Sequence[Reading]) -> tuple[Frame, list[str]]:
    """The readings on the timeline of their device, a row for each time; and sentences on fields that cannot be."""
    rows: dict[tuple[int, int], dict[str, float | str | bool | None]] = {}
    for each in readings:
        again = 0
        while each.name in rows.setdefault((each.t, again), {}):  # twice at one time: two rows
            again += 1
        rows[each.t, again][each.name] = each.value
    ordered = sorted(rows)
    columns, refused = dict[str, Column](), list[str]()
    for name in dict.fromkeys(each.name for each in readings):
        try:
            columns[f"{device}/{name}"] = column([rows[key].get(name) for key in ordered])
        except (TypeError, ValueError) as error:
            refused.append(f"{name!r:.80}: {error}")
    return Frame(device, np.array([t for t, _ in ordered], np.int64), columns), refused


def _guess(payload: bytes) -> str:
    """The form of what begins so: an array of CBOR, one of JSON, or text."""
    if payload[:1] and (0x80 <= payload[0] <= 0x9F):
        return CBOR
    return JSON if payload.lstrip()[:1] in (b"[", b"{") else TEXT


def _owner(reading: Reading, device: str | None) -> tuple[str, str]:
    """The device of a reading, and its name there. Raises Unreadable where there is none."""
    whole = reading.name
    if device is not None:
        rest = whole.removeprefix(device)
        own = not rest or (rest != whole and rest[0] in _JOINTS)
        return device, (rest.lstrip(_JOINTS) or _VALUE) if own else whole
    if reading.base:
        owner = reading.base.rstrip(_JOINTS)
        return owner, whole.removeprefix(reading.base).lstrip(_JOINTS) or _VALUE
    at = max(whole.rfind("/"), whole.rfind(":"))
    if at < 1:
        raise Unreadable(f"{whole!r:.80} says no device: give a base name (bn), or post to /ingest/<device>")
    return whole[:at], whole[at + 1 :] or _VALUE


def _of_json(payload: bytes, hints: Hints, now: int) -> tuple[list[Reading], list[str]]:
    return senml.from_json(payload, now)


def _of_cbor(payload: bytes, hints: Hints, now: int) -> tuple[list[Reading], list[str]]:
    return senml.from_cbor(payload, now)


def _of_text(payload: bytes, hints: Hints, now: int) -> tuple[list[Reading], list[str]]:
    """A number, or pairs of value and parity of which the last is of now."""
    try:
        text = payload.decode("ascii").strip()
    except UnicodeDecodeError as error:
        raise Unreadable("this is no text: say what it is by its content format") from error
    units = senml.units_of(hints.units)
    if not parity.is_pairs(text):
        return [Reading("", hints.name, now, _number(text), units)], []
    found, refused = list[Reading](), list[str]()
    pairs = parity.pairs(text)
    step = max(1, round(hints.every * NS))  # by default no more than keeps the order
    for number, (value, good) in enumerate(pairs, 1 - len(pairs)):
        t = now + number * step
        found.append(Reading("", hints.name, t, value if good else None, units))
        found.append(Reading("", f"{hints.name}.quality", t, GOOD if good else BAD, None))
    bad = sum(not good for _, good in pairs)
    return found, [f"{bad} of {len(pairs)} values have a {BAD}"] if bad else refused


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError as error:
        cure = "send a number as 21.5, SenML, or pairs of value and parity as 2150,0,2160,1,"
        raise Unreadable(f"{text!r:.40} is no number: {cure}") from error
    if not math.isfinite(number) or "_" in text:
        raise Unreadable(f"{text!r:.40} is no number that can be shown")
    return number


def _shown(refused: list[str]) -> str:
    """The first few sentences, and how many more there are."""
    more = f" (and {len(refused) - 3} more)" if len(refused) > 3 else ""
    return "; ".join(refused[:3]) + more


_READERS: dict[str, Callable[[bytes, Hints, int], tuple[list[Reading], list[str]]]] = {
    JSON: _of_json,
    CBOR: _of_cbor,
    TEXT: _of_text,
}
