"""What a node gathered while nobody recorded comes to the recorder, while its live samples go on as if nothing were.

A node's journal holds 48 hours of five sensors, a sample each ten seconds, and, in a second run, `--larger` samples of them.
Then the recorder is started: how many samples a second come to its disk, and how old live samples of the same node are when a
consumer has them meanwhile, against a while without a recorder. Afterwards the node is ended, and each sample has
to be there once, in its order and at its time.

`python -m benchmarks.streams_catchup [--larger 1e7]`; exit code 1 where an aim is missed.
"""

import argparse
import asyncio
import contextlib
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.common import ROOT, Figure, end, machine, outcome, running
from sisock import settings as configuration
from sisock.consumer import Consumer
from sisock.errors import ConsumerError
from sisock.frames import Column, Frame, Times
from sisock.store.journal import Journal
from sisock.testing.router import running_router
from sisock.times import NS

ABSENCE, INTERVAL, SENSORS = 48 * 3600, 10.0, 5
PATIENCE = 300.0  # seconds until it gives up
ALONE = 10.0  # seconds in which live samples are looked at before there is a recorder
NODE = '''
from sisock.nodes import LiveNode

class Backlog(LiveNode):
    """Fifty samples a second, beside what its journal holds."""

    interval = 0.02

    def sample(self):
        return {"live": 1.0}
'''


def main() -> int:
    """Run both and print the figures; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--larger", type=float, default=1e7, help="samples of the second journal")
    larger = int(parser.parse_args().larger) // SENSORS
    print(machine())
    hours = round(ABSENCE / INTERVAL)
    figures = [*_run("48 hours", hours), *_run(f"{larger * SENSORS:,} samples", larger)]
    return outcome(figures)


def _run(what: str, rows: int) -> list[Figure]:
    """The figures of one absence, of so many samples of each sensor."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "backlog.py").write_text(NODE)
        (folder / "sisock.toml").write_text("[recorder]\ninterval = 0.1\n")
        principals = {"cli": "consumer", "backlog": "data_node", "recorder": "recorder"}
        config = folder / "sisock.toml"
        with running_router(folder / "state", principals, config=config) as router, contextlib.ExitStack() as stack:
            times = _fill(folder / "state" / "journals" / "backlog.sqlite", rows)
            environment = {**configuration.environment(router.settings), "PYTHONPATH": str(ROOT)}
            stack.enter_context(running([sys.executable, str(ROOT / "hub.py")], environment))
            node = [sys.executable, "-m", "sisock", "node"]
            backlog = stack.enter_context(running([*node, str(folder / "backlog.py")], environment))
            alone = asyncio.run(_live_for(router.settings, ALONE))
            stack.enter_context(running([*node, "recorder"], environment))
            rate, meanwhile = asyncio.run(_caught_up(router.settings, rows * SENSORS))
            end(backlog)
            wrong = asyncio.run(_wrong(router.settings, times))
    p95, before = (1e3 * float(np.percentile(each, 95)) for each in (meanwhile, alone))
    print(f"{what}: live samples were {before:.0f} ms old before (p95), {p95:.0f} ms meanwhile, of {len(meanwhile)}")
    return [
        Figure(f"{what}: samples/s into the recorder", rate, 20_000, "", at_least=True),
        Figure(f"{what}: age of live samples meanwhile, p95", p95, 250, "ms"),
        Figure(f"{what}: samples missing, double, out of order or of another time", wrong, 0, ""),
    ]


def _fill(path: Path, rows: int) -> Times:
    """Put that many samples of each sensor into a node's journal, over the last 48 hours; their times."""
    path.parent.mkdir(parents=True)
    step = ABSENCE * NS // rows
    times: Times = time.time_ns() - ABSENCE * NS + np.arange(rows, dtype=np.int64) * step
    journal = Journal(path, most_bytes=2**31)
    values = np.arange(rows, dtype=np.float64)
    for first in range(0, rows, 1000):
        part = slice(first, min(first + 1000, rows))
        frames = [
            Frame(f"sensor {i}", times[part], {f"s{i}": Column(values[part])}, journal.epoch, part.stop)
            for i in range(SENSORS)
        ]
        journal.commit(frames=[(frame.timeline, frame) for frame in frames])
    journal.close()
    return times


def _aging(ages: list[float]) -> Callable[[Frame], None]:
    """What notes how old live samples are when they come, in seconds."""

    def heard(frame: Frame) -> None:
        if "live" in frame.columns:
            ages.append((time.time_ns() - int(frame.t[-1])) / NS)

    return heard


async def _live_for(settings: configuration.Settings, seconds: float) -> list[float]:
    """How old live samples were, in seconds."""
    ages: list[float] = []
    async with Consumer(settings) as lab:
        await lab.subscribe("backlog", _aging(ages))
        await asyncio.sleep(seconds)
    return ages


async def _caught_up(settings: configuration.Settings, samples: int) -> tuple[float, list[float]]:
    """Samples a second until the recorder has as many, and how old live ones were meanwhile."""
    ages: list[float] = []
    async with Consumer(settings) as lab:
        await lab.subscribe("backlog", _aging(ages))
        async with asyncio.timeout(PATIENCE):
            while True:
                with contextlib.suppress(ConsumerError):
                    t, taken = (await lab.data("recorder", ["samples"], -PATIENCE, 0)).series("samples")
                    if len(t) and taken.values[-1] >= samples:
                        break
                await asyncio.sleep(0.1)
    enough = int(np.argmax(taken.values >= samples))
    begun = int(np.argmax(taken.values > 0)) - 1
    since = int(t[begun]) if begun >= 0 else int(t[0]) - NS // 10
    return float(taken.values[enough]) / ((int(t[enough]) - since) / NS), ages


async def _wrong(settings: configuration.Settings, times: Times) -> int:
    """Samples that the recorder has otherwise than they were."""
    wrong = 0
    async with Consumer(settings) as lab:
        for i in range(SENSORS):
            t, column = await _all(lab, f"s{i}", len(times))
            short = min(len(t), len(times))
            differs = (t[:short] != times[:short]) | (column.values[:short] != np.arange(short))
            wrong += int(differs.sum()) + abs(len(t) - len(times))
    return wrong


async def _all(lab: Consumer, field: str, least: int) -> tuple[Times, Column]:
    """All samples of a field, once they are as many or the patience ends."""
    found = np.empty(0, np.int64), Column(np.empty(0))
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(60):
            while len(found[0]) < least:
                with contextlib.suppress(ConsumerError):
                    found = (await lab.data("backlog", [field], 1, 0)).series(field)
                await asyncio.sleep(0.2)
    return found


if __name__ == "__main__":
    sys.exit(main())
