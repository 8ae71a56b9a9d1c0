"""Several data nodes in one process: what happens to one leaves the others alone."""

import asyncio
import logging
import os
import signal
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from sisock import settings as configuration
from sisock.cli.node import _Hosting
from sisock.exits import Exit
from sisock.nodes import LiveNode
from sisock.settings import Settings

ROOT = Path(__file__).parents[1]


class Steady(LiveNode):
    """Works."""

    interval = 0.05

    def __init__(self) -> None:
        self.measured = asyncio.Event()
        self.loop = asyncio.get_running_loop()

    def sample(self):
        self.loop.call_soon_threadsafe(self.measured.set)
        return {"x": 1}


class Misnamed(LiveNode):
    """Has a name that nobody can have."""

    name = "no such::name"


class Unmade(LiveNode):
    """Fails where its author did not expect it."""

    def service(self, *, ring=0, journal=None):
        raise ExceptionGroup("several", [RuntimeError("the crate is not powered")])


class Speechless(LiveNode):
    """Fails without a word."""

    def service(self, *, ring=0, journal=None):
        raise ValueError


@pytest.fixture
def settings(state) -> Settings:
    """Settings of a router that is not there."""
    with socket.create_server(("127.0.0.1", 0)) as gone:
        return configuration.read(state=state, router=f"ws://127.0.0.1:{gone.getsockname()[1]}/ws")


async def test_a_node_that_fails_is_a_sentence_and_its_neighbours_work_on(settings, caplog):
    steady = Steady()
    hosting = _Hosting(settings, [Misnamed(), Unmade(), Speechless(), steady])
    with caplog.at_level(logging.INFO):
        running = asyncio.create_task(hosting.run())
        async with asyncio.timeout(20):
            await steady.measured.wait()
        assert not running.done()
        running.cancel()
        await asyncio.wait({running})
    errors = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert errors[0].startswith("Misnamed: ")
    assert "'no such::name' cannot name a data node" in errors[0]
    assert errors[1:] == ["unmade: RuntimeError: the crate is not powered", "speechless: ValueError"]
    assert "Traceback" not in caplog.text
    assert hosting.code == Exit.ERROR


async def test_nothing_is_announced_where_all_nodes_failed(settings, monkeypatch, tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(str(tmp_path / "notify"))
        heard.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        await _Hosting(settings, [Misnamed(), Unmade()]).run()
        with pytest.raises(BlockingIOError):
            heard.recv(100)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_before_there_is_a_hub_ends_it_without_a_traceback(settings, number):
    command = [sys.executable, "-P", "-m", "sisock", "node", "weather", "host"]
    environment = {**configuration.environment(settings), "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as running:
        said = ""
        while "cannot join the router" not in said:
            line = running.stderr.readline()
            assert line, said
            said += line
        os.kill(running.pid, number)
        said += running.communicate(timeout=20)[1]
    assert running.returncode == Exit.OK
    assert "Traceback" not in said
    assert "CancelledError" not in said
    assert said.endswith("ended\n")


STOPPER = """
import asyncio
from sisock import program
async def main():
    asyncio.get_running_loop().stop()
    await asyncio.sleep(0)
    print("went on", flush=True)
raise SystemExit(program.run(main()))
"""


def test_a_loop_that_an_author_stops_goes_on():
    argv = [sys.executable, "-c", STOPPER]
    ended = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=30, check=False)
    assert (ended.returncode, ended.stdout) == (0, "went on\n")
    assert "the event loop was stopped from within; it goes on" in ended.stderr


async def test_samples_come_to_disk_in_the_state_directory_unless_none_are_to(settings):
    for given, there in ((settings, True), (replace(settings, journal=0), False)):
        steady = Steady()
        running = asyncio.create_task(_Hosting(given, [steady]).run())
        async with asyncio.timeout(20):
            await steady.measured.wait()
        running.cancel()
        await asyncio.wait({running})
        kept = settings.state / "journals" / "steady.sqlite"
        assert kept.exists() == there
        kept.unlink(missing_ok=True)
