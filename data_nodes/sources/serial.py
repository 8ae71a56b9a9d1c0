"""A serial port: each line that comes."""

import asyncio
import errno
import os
from typing import TYPE_CHECKING

from data_nodes.sources.lined import Lined
from data_nodes.sources.lines import Lines
from sisock import extras
from sisock.nodes import Intake
from sisock.parsers.rows import Refused

if TYPE_CHECKING:
    from serial import Serial as Port

_PIECE = 2**16
_AGAIN = 1.0  # seconds before a port that went away is opened again
_CURES = {
    errno.ENOENT: "there is no such port: see that it is plugged in",
    errno.EAGAIN: "another program has it: end that one",
    errno.EACCES: "your user may not: it has to be in the port's group, dialout as a rule",
}
_FIRST = "the first line after the port was opened: it may have begun before"


class SerialError(Exception):
    """A port cannot be read; says why."""


class Serial(Lined):
    """The lines that come from a serial port."""

    async def receive(self, intake: Intake) -> None:
        """Read from the port, and from the next one where it went away."""
        while True:
            try:
                await self._read(intake)
            except SerialError as error:
                intake.tell("failed", str(error))
            await asyncio.sleep(_AGAIN)

    async def _read(self, intake: Intake) -> None:
        port = self._open()
        loop, some = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(port.fileno(), some.set)
        try:
            await self._listen(intake, port, some)
        finally:
            loop.remove_reader(port.fileno())
            port.close()

    def _open(self) -> "Port":
        try:
            import serial
        except ModuleNotFoundError as error:
            raise SerialError(f"a serial source needs pyserial: {extras.command('serial')}") from error
        name, baud = self.spec.options["serial"], self.spec.options["baud"]
        try:
            return serial.Serial(name, baud, timeout=0, exclusive=True)
        except (serial.SerialException, ValueError, OSError) as error:
            raise SerialError(f"{name} cannot be opened: {_why(error)}") from error

    async def _listen(self, intake: Intake, port: "Port", some: asyncio.Event) -> None:
        lines, first = Lines(self.spec.options["longest"]), True
        while True:
            await some.wait()
            some.clear()
            try:
                piece = port.read(_PIECE)
            except OSError as error:  # pyserial's own is one
                raise SerialError(
                    f"{port.name} has gone away: see that it is plugged in, and that nobody else reads it"
                ) from error
            if not piece:  # it was read already
                continue
            whole, refused = lines.feed(piece)
            if first and whole:
                self.refuse(intake, Refused(_FIRST, whole.pop(0).decode("utf-8", "backslashreplace")))
                first = False
            first = first and not refused
            if whole or refused:
                await self.lines(intake, whole, refused)


def _why(error: Exception) -> str:
    """What is the matter, without what pyserial and the system say twice."""
    number = error.errno if isinstance(error, OSError) else None
    return str(error) if number is None else _CURES.get(number, os.strerror(number))
