"""Devices behind a gateway: when each was heard, and which of its messages came, so that each is kept once.

A gateway is a ReceivingNode; its table lives through a restart in the notes that are kept with the samples:

    devices = Devices(intake.notes)                  # those of before
    device = devices.meet("kitchen", time.time_ns()) # raises DeviceRefused
    if device.take(17, boot="a3") == "duplicate":    # counted; with no number everything is "new"
        frames = []                                  # it is kept already, or about to be
    try:
        await intake.keep(frames, notes=lambda: devices.notes_of("kitchen"))
    except NotKept:
        device.forget(17, boot="a3")                 # it is taken when it comes again
        raise

Numbers are noted in the transaction that keeps the samples. A message that comes again while the first waits for the disk
is a duplicate, too: whoever answers it waits for how the first does.
"""

import json
import logging
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sisock.nodes.numbers import HIGHEST, Numbers, Verdict

log = logging.getLogger(__name__)
MOST = 1000  # devices, unless told otherwise
_NOTE, _UNITS = "device/", "units/"  # what the names of notes begin with
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9:._/-]{0,99}")
_TAKEN = ("health", "received", "devices")  # timelines of a gateway itself
_MOST_BOOTS = 4  # counts that are remembered of a device
_LONGEST_BOOT = 64  # characters
_MOST_UNITS = 200  # fields of which units are remembered


class DeviceRefused(ValueError):
    """A device cannot be one of this gateway; says why."""


def check_device(name: str) -> str:
    """Return the name of a device; raise DeviceRefused with the cure where it cannot be one."""
    dots = any(part in {"", ".", ".."} for part in name.split("/"))
    if not _NAME.fullmatch(name) or "::" in name or dots or name in _TAKEN:
        cure = "use 1 to 100 letters, digits, and : . _ - / between them, but none of " + ", ".join(_TAKEN)
        raise DeviceRefused(f"{name!r:.120} cannot name a device: {cure}")
    return name


@dataclass
class Device:
    """One device. Times in ns since 1970; counts since it was first heard."""

    first: int
    seen: int
    received: int = 0
    duplicates: int = 0
    late: int = 0
    gaps: int = 0  # that were opened, closed ones included
    restarts: int = 0
    boots: dict[str, Numbers] = field(default_factory=dict)  # by boot id, the latest at the end
    units: dict[str, str] = field(default_factory=dict)  # of its fields
    untold: bool = False  # whether the units are to be noted

    def take(self, number: int | None = None, boot: str = "") -> Verdict:
        """Count a message, with the number and boot id that it came with. Raises DeviceRefused where they can be none."""
        if number is not None and not 0 <= number <= HIGHEST:
            raise DeviceRefused(f"{number!r:.40} cannot number a message: count from 0 or 1 on, up to {HIGHEST}")
        if len(boot) > _LONGEST_BOOT:
            raise DeviceRefused(f"a boot id of {len(boot)} characters: {_LONGEST_BOOT} at the most")
        verdict: Verdict = "new" if number is None else self._numbered(number, boot)
        if verdict == "duplicate":
            self.duplicates += 1
        else:
            self.received += 1
            self.late += verdict == "late"
        return verdict

    def _numbered(self, number: int, boot: str) -> Verdict:
        numbers = self.boots.get(boot)
        if numbers is None or (not boot and numbers.has_begun_anew(number)):
            self.restarts += bool(self.boots)
            self.boots.pop(boot, None)
            self.boots[boot] = Numbers(number, number)
            while len(self.boots) > _MOST_BOOTS:
                del self.boots[next(iter(self.boots))]
            return "new"
        opened = number > numbers.last + 1
        verdict = numbers.take(number)
        self.gaps += opened
        return verdict

    def forget(self, number: int | None, boot: str = "") -> None:
        """Let a message that could not be kept be taken when it comes again."""
        self.received -= 1
        self.untold = bool(self.units)
        if number is not None and boot in self.boots:
            self.boots[boot].forget(number)

    def in_units(self, name: str, units: str | None) -> str | None:
        """The units of a field: those that were said first. Raises DeviceRefused where they were others before."""
        known = self.units.get(name)
        if units and known and known != units:
            raise DeviceRefused(f"{name!r:.80} was in {known} before, and came in {units:.40}: give it another name")
        if units and not known and len(self.units) < _MOST_UNITS:
            self.units[name] = units
            self.untold = True
        return known or units

    @property
    def missing(self) -> int:
        """How many of its messages have not come."""
        return sum(numbers.missing for numbers in self.boots.values())


class Devices(Mapping[str, Device]):
    """All devices of a gateway, by name."""

    def __init__(self, notes: Mapping[str, str] | None = None, most: int = MOST) -> None:
        """Begin with those that the notes tell of; take `most` at the most."""
        self.most = most
        self._devices: dict[str, Device] = {}
        for name, note in (notes or {}).items():
            if name.startswith(_NOTE):
                self._restore(name.removeprefix(_NOTE), note, (notes or {}).get(_UNITS + name.removeprefix(_NOTE)))

    def _restore(self, name: str, note: str, units: str | None) -> None:
        try:
            told: dict[str, Any] = json.loads(note)
            boots = {boot: Numbers.of(plain) for boot, plain in told.pop("boots").items()}
            counts: dict[str, Any] = {each: int(value) for each, value in told.items()}
            said = {str(each): str(value) for each, value in json.loads(units or "{}").items()}
            self._devices[name] = Device(**counts, boots=boots, units=said)
        except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
            log.warning("what was known of the device %r cannot be read, it begins anew: %r", name, error)

    def __getitem__(self, name: str) -> Device:
        return self._devices[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._devices)

    def __len__(self) -> int:
        return len(self._devices)

    def meet(self, name: str, now: int) -> Device:
        """The device of this name, heard now. Raises DeviceRefused for a new one where it cannot be."""
        if name not in self._devices:
            check_device(name)
            if len(self) >= self.most:
                raise DeviceRefused(f"there are {self.most} devices already: raise `most`, or send to another gateway")
            self._devices[name] = Device(now, now)
        device = self._devices[name]
        device.seen = max(device.seen, now)
        return device

    def notes_of(self, name: str) -> dict[str, str]:
        """What has to be kept of a device, with the samples of its message."""
        device = self._devices[name]
        told = {key: value for key, value in vars(device).items() if key not in ("boots", "units", "untold")}
        told["boots"] = {boot: numbers.plain() for boot, numbers in device.boots.items()}
        notes = {_NOTE + name: json.dumps(told)}
        if device.untold:
            notes[_UNITS + name] = json.dumps(device.units)
            device.untold = False
        return notes
