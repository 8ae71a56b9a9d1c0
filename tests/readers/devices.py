"""What devices send to gateways, and what gateways remember of them."""

import json
from collections.abc import Callable
from pathlib import Path

import cbor2

from data_nodes import readings
from data_nodes.readings import Hints, Unreadable
from sisock.nodes.devices import Devices
from tests.hostile_reading import Reader

NOW = 1_763_000_000 * 10**9
PACK = [
    {"bn": "urn:dev:ow:10e2:", "bt": 1.7e9, "bu": "V", "bver": 10, "n": "u", "v": 120.1, "t": -5},
    {"n": "door", "vs": "open", "vb": True},
    {"n": "energy", "s": 7, "ut": 5},
    {"n": "picture", "vd": "aGk"},
]
LABELS = {
    "bver": -1,
    "bn": -2,
    "bt": -3,
    "bu": -4,
    "n": 0,
    "u": 1,
    "v": 2,
    "vs": 3,
    "vb": 4,
    "s": 5,
    "t": 6,
    "ut": 7,
    "vd": 8,
}


def _read(form: str | None, device: str | None) -> Callable[[bytes, Path], None]:
    def read(data: bytes, _: Path) -> None:
        for name, given in readings.read(data, form, device, Hints(), NOW).readings.items():
            readings.frame(name, given)

    return read


def _json(_: Path) -> list[bytes]:
    return [json.dumps(PACK).encode()]


def _cbor(_: Path) -> list[bytes]:
    return [cbor2.dumps([{LABELS[key]: value for key, value in record.items()} for record in PACK])]


def _text(_: Path) -> list[bytes]:
    return [b"21.5", b"3700,0,3710,0,-5,1,"]


def _notes(data: bytes, _: Path) -> None:
    """What cannot be read is told in the log, and the device begins anew."""
    devices = Devices({"device/k": data.decode("utf-8", "replace")})
    devices.meet("k", NOW).take(3, "b")
    devices.notes_of("k")


def _note(_: Path) -> list[bytes]:
    devices = Devices()
    for number in (1, 2, 9, 5):
        devices.meet("k", NOW).take(number, "b")
    return [devices.notes_of("k")["device/k"].encode()]


READERS = {
    "SenML as JSON": Reader(_read(readings.JSON, None), _json, (Unreadable,)),
    "SenML as CBOR": Reader(_read(readings.CBOR, "k"), _cbor, (Unreadable,)),
    "text of a device": Reader(_read(None, "k"), _text, (Unreadable,)),
    "note of a device": Reader(_notes, _note),
}
