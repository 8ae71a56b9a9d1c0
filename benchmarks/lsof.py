"""From the start of an lsof scan until its last record is with a subscriber, against the command's own time.

A process holds so many files open that a scan has more than ten thousand records. In turn the bare command runs, its
output read and thrown away, and the node scans; node and subscriber are joined to a real router. Every scan must
arrive whole: as many records as the node says it counted, all at one time.

`python benchmarks/lsof.py [--rounds 7] [--files 12000]`; exit code 1 if records are missing or the ratio is too high.
"""

import argparse
import asyncio
import contextlib
import logging
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.common import machine, table
from data_nodes.lsof.node import Lsof
from sisock import wire
from sisock.keys import ensure_key
from sisock.serving import Serving
from sisock.settings import Settings
from sisock.testing import running_router
from sisock.wamp import Link

AIM = 1.5  # times the command's own time
_EACH = 250  # files a process holds
_WITHIN = 60.0  # seconds a scan may take
_HOLDER = """
import sys
files = [open(f"{sys.argv[1]}/{number}", "w") for number in range(int(sys.argv[2]))]
print("open", flush=True)
sys.stdin.read()
"""


class Scan(NamedTuple):
    """One scan of the node: seconds until its last record had come, records, and what the node counted."""

    seconds: float
    records: int
    counted: int


class ScanWhenAsked(Lsof):
    """The lsof node, which notes when it begins and waits to be asked."""

    name = "lsof"

    def __init__(self) -> None:
        """Scan each time `ask` is set."""
        super().__init__(interval=0.001)
        self.timeout = _WITHIN
        self.ask = asyncio.Event()
        self.began = 0.0

    async def sample(self) -> Any:
        """Scan once, when asked."""
        await self.ask.wait()
        self.ask.clear()
        self.began = time.perf_counter()
        return await super().sample()


@contextlib.contextmanager
def open_files(number: int) -> Iterator[None]:
    """Hold so many files open, a few hundred a process."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        for first in range(0, number, min(_EACH, hard - 10)):
            place = Path(folder, str(first))
            place.mkdir()
            argv = [sys.executable, "-c", _HOLDER, str(place), str(min(_EACH, number - first))]
            holder = stack.enter_context(subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE))
            assert holder.stdin is not None
            assert holder.stdout is not None
            stack.callback(holder.stdin.close)
            holder.stdout.readline()
        yield


def bare() -> float:
    """Seconds that the command takes by itself."""
    began = time.perf_counter()
    subprocess.run(Lsof.argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False, timeout=_WITHIN)
    return time.perf_counter() - began


async def measure(settings: Settings, rounds: int) -> tuple[list[float], list[Scan]]:
    """Bare commands and scans of the node, in turn; the first of each is not counted."""
    node = ScanWhenAsked()
    events: asyncio.Queue[tuple[float, Any]] = asyncio.Queue()
    serving = Serving(node.service(), settings, ensure_key(settings.state, "lsof"))
    subscriber = Link(settings, "bench", ensure_key(settings.state, "bench"))
    running = [asyncio.create_task(each) for each in (serving.run(), subscriber.run())]
    commands, scans = [], []
    try:
        await asyncio.wait_for(asyncio.gather(serving.link.joined.wait(), subscriber.joined.wait()), _WITHIN)
        topic = settings.uris.node("lsof", "live")
        await subscriber.subscribe(topic, lambda event: events.put_nowait((time.perf_counter(), event)))
        for _ in range(rounds + 1):
            commands.append(await asyncio.to_thread(bare))
            scans.append(await asyncio.wait_for(_scan(node, events), _WITHIN))
        await subscriber.leave()
    finally:
        for each in running:
            each.cancel()
        await asyncio.wait(running)
    return commands[1:], scans[1:]


async def _scan(node: ScanWhenAsked, events: "asyncio.Queue[tuple[float, Any]]") -> Scan:
    node.ask.set()
    counted, records, times, came = -1, 0, set(), 0.0
    while records != counted:
        at, event = await events.get()
        frame = wire.decode_frame(event)
        if frame.timeline == "counts":
            counted = int(frame.columns["total"].values[0])
        elif frame.timeline == "records":
            records += len(frame)
            times |= set(frame.t.tolist())
            came = at
    assert len(times) == 1, "records of two scans were mixed"
    return Scan(came - node.began, records, counted)


def main() -> int:
    """Print the figures; 0 if the aim is reached."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--rounds", type=int, default=7)
    options.add_argument("--files", type=int, default=12_000, help="files to hold open beside those of the machine")
    given = options.parse_args()
    logging.basicConfig(level=logging.ERROR)  # a scan that waits to be asked is no news here
    principals = {"lsof": {"role": "data_node", "sensitive": True}, "bench": {"role": "consumer", "sensitive": True}}
    with (
        tempfile.TemporaryDirectory() as state,
        open_files(given.files),
        running_router(Path(state), principals) as router,
    ):
        commands, scans = asyncio.run(measure(router.settings, given.rounds))
    command, node = statistics.median(commands), statistics.median(scan.seconds for scan in scans)
    records = int(statistics.median(scan.records for scan in scans))
    print(machine())
    print(
        table(
            [
                ["", "records", "seconds", "ratio"],
                ["lsof alone", str(records), f"{command:.3f}", "1.00"],
                ["scan to last record", str(records), f"{node:.3f}", f"{node / command:.2f}"],
            ]
        )
    )
    print(f"aim: under {AIM}")
    return 0 if node < AIM * command else 1


if __name__ == "__main__":
    sys.exit(main())
