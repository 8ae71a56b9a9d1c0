"""Who calls and who listens is never left without an answer, nor with a gap, whatever dies or stops."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from sisock import settings as configuration
from sisock.consumer import Consumer
from sisock.errors import ConsumerError, NoAnswer, NoHub
from tests.demo import wait_for
from tests.fleet import COUNTER, ROOT, Fleet, running_fleet

HANGING = '''
import asyncio
from pathlib import Path
from sisock.frames import Field
from sisock.nodes import ArchivedNode


class Hanging(ArchivedNode):
    """Never answers, and notes who gave up waiting."""

    fields = {"x": Field("never comes", "t", "number")}

    async def read(self, field, start, end):
        here = Path(__file__).parent
        (here / "asked").write_text("")
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            (here / "cancelled").write_text("")
            raise
'''
FOLLOWER = """
import asyncio, sys
from sisock import settings
from sisock.consumer import Consumer


async def follow():
    async with Consumer(settings.read(), "cli") as consumer:
        async for frame in consumer.live("counter", ["count"], last=5):
            for value in frame.columns["count"].values.tolist():
                sys.stdout.write(f"{int(value)}\\n")
                sys.stdout.flush()


asyncio.run(follow())
"""


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    with running_fleet(tmp_path_factory.mktemp("callers")) as fleet:
        fleet.node("counter", COUNTER)
        fleet.node("hanging", HANGING)
        yield fleet


@pytest.fixture
async def consumer(fleet: Fleet) -> AsyncIterator[Consumer]:
    for name in ("asked", "cancelled"):
        (fleet.folder / name).unlink(missing_ok=True)
    async with Consumer(fleet.settings, "cli") as consumer:
        async with asyncio.timeout(30):
            while True:
                with contextlib.suppress(NoHub):
                    if {"counter", "hanging"} <= {each.name for each in await consumer.nodes() if each.state == "up"}:
                        break
                await asyncio.sleep(0.1)
        yield consumer


async def hanging_call(fleet: Fleet, consumer: Consumer, deadline: float) -> "asyncio.Future[object]":
    """A call that is under way: its node has begun to work on it."""
    call = asyncio.ensure_future(consumer.data("hanging", ["x"], 1, 0, deadline=deadline))
    async with asyncio.timeout(10):
        while not (fleet.folder / "asked").exists():
            await asyncio.sleep(0.02)
    assert not call.done()
    return call


async def test_a_call_that_is_given_up_is_cancelled_where_it_is_worked_on(fleet: Fleet, consumer: Consumer) -> None:
    began = time.monotonic()
    call = await hanging_call(fleet, consumer, 3.0)
    with pytest.raises(NoAnswer):
        await call
    assert time.monotonic() - began > 2
    async with asyncio.timeout(5):
        while not (fleet.folder / "cancelled").exists():
            await asyncio.sleep(0.02)


async def test_a_call_under_way_fails_soon_when_the_router_is_killed(fleet: Fleet, consumer: Consumer) -> None:
    call = await hanging_call(fleet, consumer, 60.0)
    fleet.router.kill()
    try:
        with pytest.raises(ConsumerError):
            await asyncio.wait_for(asyncio.shield(call), 10)
    finally:
        fleet.router.start()


async def test_a_call_under_way_fails_soon_when_the_hub_is_killed(fleet: Fleet, consumer: Consumer) -> None:
    fleet.stop("hub")
    asked = asyncio.ensure_future(consumer.nodes())
    await asyncio.sleep(0.3)
    assert not asked.done()
    fleet.kill("hub")
    try:
        with pytest.raises(NoHub):
            await asyncio.wait_for(asyncio.shield(asked), 2)
    finally:
        fleet.hub()


def test_a_reader_that_was_stopped_until_the_router_dropped_it_has_no_gap(fleet: Fleet, tmp_path: Path) -> None:
    """It reads again what it missed, once."""
    told = tmp_path / "counts"
    (tmp_path / "follower.py").write_text(FOLLOWER)
    environment = {**configuration.environment(fleet.settings), "PYTHONPATH": str(ROOT)}
    with (
        told.open("wb") as out,
        subprocess.Popen(
            [sys.executable, str(tmp_path / "follower.py")], env=environment, stdout=out, stderr=subprocess.DEVNULL
        ) as follower,
    ):
        try:
            wait_for(lambda: told.read_bytes().count(b"\n") > 20, 30)
            follower.send_signal(signal.SIGSTOP)
            log, before = fleet.router.log, fleet.router.log.read_text().count("dropped 'cli'")
            wait_for(lambda: log.read_text().count("dropped 'cli'") > before, 30)
            time.sleep(2)
            seen = told.read_bytes().count(b"\n")
            follower.send_signal(signal.SIGCONT)
            wait_for(lambda: told.read_bytes().count(b"\n") > seen + 60, 30)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(follower.pid, signal.SIGKILL)
    counts = [int(line) for line in told.read_text().split("\n")[:-1]]
    assert counts == list(range(counts[0], counts[0] + len(counts)))
