"""What devices send comes to disk: read, checked, counted and kept, before they are told so."""

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from data_nodes import readings
from data_nodes.coap.access import Access, Denied
from data_nodes.readings import Hints, Reading, Unreadable
from sisock.frames import Column, Field, Frame, column
from sisock.nodes import Intake, NotKept
from sisock.nodes.base import MOST_FIELDS
from sisock.nodes.devices import DeviceRefused, Devices
from sisock.times import NS

TIMELINE = "devices"
FIELDS = {
    "devices": Field("that were ever heard", TIMELINE, "number", "devices"),
    "duplicates": Field("messages that came again, and are kept once", TIMELINE, "number", "messages"),
    "gaps": Field("times that a device's numbers jumped", TIMELINE, "number", "gaps"),
    "missing": Field("messages whose numbers have not come yet", TIMELINE, "number", "messages"),
    "bad parity": Field("values whose parity bit was wrong, since the start", TIMELINE, "number", "values"),
    "denied": Field("messages of senders who may not, since the start", TIMELINE, "number", "messages"),
    "dropped": Field("datagrams of senders who were too fast, since the start", TIMELINE, "number", "datagrams"),
}
_MOST_WAITING = 2000  # messages that wait for the disk at once
_PATIENCE = 5.0  # seconds for the quarantine
_MOST_NAMES = 200  # fields of a device


class Busy(Exception):
    """Too many messages wait for the disk; says so."""


class NotTaken(Unreadable):
    """Nothing of a message could be taken, and it lies in quarantine."""


class Post(NamedTuple):
    """A message: what it holds, whom it says to be of, and what else was said with it."""

    payload: bytes
    form: str | None
    device: str | None
    identity: str | None = None  # the device that has proved to be the sender
    token: str = ""
    number: int | None = None
    boot: str = ""
    hints: Hints = Hints()
    peer: str = ""


class Kept(NamedTuple):
    """What a message brings of one device."""

    device: str
    frame: Frame
    readings: list[Reading]


class Gateway:
    """The devices of a gateway, what they last sent, and what is known of their fields."""

    def __init__(self, access: Access, most: int, clock: Callable[[], int] = time.time_ns) -> None:
        """Take what the access allows, of `most` devices."""
        self.access = access
        self.devices = Devices(most=most)
        self.last: dict[str, dict[str, Reading]] = {}
        self.fields = dict(FIELDS)
        self.denied = self.dropped = self.bad_parity = 0
        self.changed: Callable[[str], None] = lambda _device: None  # told of what has come
        self._most, self._clock, self._waiting = most, clock, 0
        self._names: dict[str, set[str]] = {}
        self._on_way: dict[
            tuple[str, str, int | None], asyncio.Future[bool]
        ] = {}  # to the disk: whether they came there

    def restore(self, intake: Intake) -> None:
        """Know the devices of before again."""
        self.devices = Devices(intake.notes, self._most)

    async def take(self, intake: Intake, post: Post) -> str:
        """Keep a message; what there is to say about it, once it is on disk.

        Raises Denied, Unreadable or DeviceRefused where it is not taken; NotKept or Busy where it has to come again.
        """
        if self._waiting >= _MOST_WAITING:
            raise Busy(f"{self._waiting} messages wait for the disk: come again later")
        self._waiting += 1
        return await asyncio.shield(asyncio.ensure_future(self._to_its_end(intake, post)))

    async def _to_its_end(self, intake: Intake, post: Post) -> str:
        """Take it also where its sender uses the token of the request again, or has gone: its number is noted as taken."""
        try:
            return await self._take(intake, post)
        except Denied as denied:
            self.denied += 1
            intake.quarantine(post.device or post.identity or post.peer, str(denied))
            raise
        except DeviceRefused as error:
            await self.refuse(intake, post, str(error))
            raise
        except NotTaken:
            await self._quarantined(intake)
            raise
        finally:
            self._waiting -= 1

    async def _take(self, intake: Intake, post: Post) -> str:
        device = post.device or post.identity
        if device is not None:
            self._check(device, post)
        sent = self._read(intake, post, device)
        for name in sent.readings:
            self._check(name, post)
        if post.number is not None and len(sent.readings) > 1:
            raise self._refuse(intake, post, "a number belongs to one device: send those of each by themselves")
        refused = list(sent.refused)
        kept = [self._frame(name, given, refused) for name, given in sent.readings.items()]
        if not any(len(each.frame) and each.frame.columns for each in kept):
            raise self._refuse(intake, post, "; ".join(refused[:3]))
        await self._keep(intake, post, kept)
        if refused:
            intake.quarantine(next(iter(sent.readings)), "; ".join(refused[:3]), post.payload)
            await self._quarantined(intake)
        return f"kept; refused: {'; '.join(refused[:3])}" if refused else ""

    async def refuse(self, intake: Intake, post: Post, why: str) -> None:
        """Keep what could not be read before it was a message, of a sender who may send; nothing of strangers is kept.

        It is on disk when this returns, as senders do not send it again.
        """
        device = post.device or post.identity
        try:
            if device is not None:
                self._check(device, post)
        except (Denied, DeviceRefused):
            self.denied += 1
            return
        if device is not None or self.access.may_look(post.token, post.identity):
            self._refuse(intake, post, why)
            await self._quarantined(intake)

    async def _quarantined(self, intake: Intake) -> None:
        """Return when what was refused is on disk, or a while later where the disk hangs."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE):
                await intake.quarantined()

    def _check(self, device: str, post: Post) -> None:
        self.access.check(device, post.token, post.identity)

    def _read(self, intake: Intake, post: Post, device: str | None) -> readings.Sent:
        try:
            return readings.read(post.payload, post.form, device, post.hints, self._clock())
        except Unreadable as error:
            if device is None and not self.access.may_look(post.token, post.identity):
                raise  # nothing of strangers is kept
            raise self._refuse(intake, post, str(error)) from error

    def _refuse(self, intake: Intake, post: Post, why: str) -> NotTaken:
        intake.quarantine(post.device or post.identity or post.peer, why, post.payload)
        return NotTaken(why)

    def _frame(self, name: str, given: list[Reading], refused: list[str]) -> Kept:
        """The readings of a device as a frame, those in other units than before left out."""
        device, names = self.devices.meet(name, self._clock()), self._names.setdefault(name, set())
        good = list[Reading]()
        for each in given:
            try:
                if each.name not in names and len(names) >= _MOST_NAMES:
                    raise DeviceRefused(
                        f"{name} has {_MOST_NAMES} fields, which is the most: {each.name!r:.80} is left out"
                    )
                good.append(each._replace(units=device.in_units(each.name, each.units)))
                names.add(each.name)
            except DeviceRefused as error:
                refused.append(str(error))
        frame, more = readings.frame(name, good)
        refused += more
        return Kept(name, frame, good)

    async def _keep(self, intake: Intake, post: Post, kept: list[Kept]) -> None:
        """Bring to disk what has not come before, all of a message in one transaction. Raises NotKept."""
        fresh = [each for each in kept if self.devices[each.device].take(post.number, post.boot) != "duplicate"]
        key = (kept[0].device, post.boot, post.number)
        if not fresh and key in self._on_way and not await asyncio.shield(self._on_way[key]):
            raise NotKept("it did not come to disk when it came first, either")
        for each in fresh:
            self._note(each)
        on_disk: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        if fresh and post.number is not None:
            self._on_way[key] = on_disk
        try:
            frames = [each.frame for each in fresh]
            count = await intake.keep(
                frames, source=kept[0].device, payload=post.payload, notes=lambda: self._notes(kept)
            )
            on_disk.set_result(True)
        except NotKept:
            for each in fresh:
                self.devices[each.device].forget(post.number, post.boot)
            raise
        finally:
            if not on_disk.done():
                on_disk.set_result(False)
            if self._on_way.get(key) is on_disk:
                del self._on_way[key]
        self.bad_parity += sum(each.value == readings.BAD for one in fresh for each in one.readings)
        if fresh and not count:
            raise NotTaken(
                "nothing of it could be taken: a field keeps its kind, and its name has to be a possible one"
            )
        intake.tell("ok")
        for each in fresh:
            self._show(each)

    def _notes(self, kept: list[Kept]) -> dict[str, str]:
        """What is known of the devices of a message, when it is written."""
        return {name: note for each in kept for name, note in self.devices.notes_of(each.device).items()}

    def _note(self, kept: Kept) -> None:
        """Know the fields that have come, with their units."""
        units = {f"{kept.device}/{each.name}": each.units for each in kept.readings}
        for field, values in kept.frame.columns.items():
            if field not in self.fields and len(self.fields) < MOST_FIELDS:
                self.fields[field] = Field(None, kept.device, values.type, units.get(field))

    def _show(self, kept: Kept) -> None:
        """Remember what has come as the device's last, and tell who watches."""
        last = self.last.setdefault(kept.device, {})
        for each in kept.readings:
            if each.value is not None:
                last[each.name] = each
        self.changed(kept.device)

    def figures(self) -> Frame:
        """How many devices there are and how they do, and for how long each was silent."""
        now = self._clock()
        devices = list(self.devices.values())
        values: dict[str, Any] = {
            "devices": len(devices),
            "duplicates": sum(each.duplicates for each in devices),
            "gaps": sum(each.gaps for each in devices),
            "missing": sum(each.missing for each in devices),
            "bad parity": self.bad_parity,
            "denied": self.denied,
            "dropped": self.dropped,
        }
        columns: dict[str, Column] = {name: column([value]) for name, value in values.items()}
        for name, device in self.devices.items():
            field = f"silent/{name}"
            self.fields.setdefault(field, Field("since it was last heard", TIMELINE, "number", "s"))
            columns[field] = column([max(0, now - device.seen) / NS])
        return Frame(TIMELINE, np.array([now], np.int64), columns)
