"""Sources that are serial ports, on a pseudo-terminal."""

import os
import tty
from pathlib import Path

import pytest
import serial

from tests.sources import at_work, data, refused, until


class Device:
    """The other end of a port."""

    def __init__(self) -> None:
        self.end, port = os.openpty()
        tty.setraw(port)
        self.port, self._port = os.ttyname(port), port

    def say(self, text: bytes) -> None:
        while text:
            text = text[os.write(self.end, text) :]

    def opened(self) -> None:
        """Only the node has the port open now."""
        os.close(self._port)

    def unplug(self) -> None:
        os.close(self.end)


@pytest.fixture
def device() -> Device:
    return Device()


async def test_each_line_is_a_sample_but_the_first_which_may_have_begun_before(device, tmp_path: Path):
    async with at_work(tmp_path, f"serial = '{device.port}'\nlongest = 100\n") as (service, published):
        await published.health("no data")
        device.say(b"0.5\r\ntemp=20.5\r\nte")
        device.say(b"mp=21.5\r\n" + b"x" * 5000 + b"\ntemp=22.5\n\xff\n")
        await until(published, 3)
        assert await data(service, "temp") == {"temp": [20.5, 21.5, 22.5]}
        device.say(b"temp=23.5\n")
        await until(published, 4)
    os.close(device._port)
    device.unplug()
    assert refused(tmp_path) == {
        "the first line after the port was opened: it may have begun before": 1,
        "a line is longer than 100 bytes": 1,
        "its letters are not utf-8: say with encoding = what they are": 1,
    }


async def test_a_port_that_goes_away_is_told(device, tmp_path: Path):
    async with at_work(tmp_path, f"serial = '{device.port}'\n") as (_, published):
        await published.health("no data")
        device.say(b"x\n1\n")
        await until(published, 1)
        device.opened()
        device.unplug()
        assert device.port in (await published.health("failed"))["error"]


async def test_a_port_that_is_not_there_is_told(tmp_path: Path):
    async with at_work(tmp_path, "serial = '/dev/no-such-port'\n") as (_, published):
        error = (await published.health("failed"))["error"]
    assert error == "/dev/no-such-port cannot be opened: there is no such port: see that it is plugged in"


async def test_a_port_that_another_program_has_is_told(device, tmp_path: Path):
    with serial.Serial(device.port, exclusive=True):
        async with at_work(tmp_path, f"serial = '{device.port}'\n") as (_, published):
            error = (await published.health("failed"))["error"]
    assert error == f"{device.port} cannot be opened: another program has it: end that one"
