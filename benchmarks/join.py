"""From sample() through router and recorder to disk, and history joined with live while that goes on.

A node takes 5,600 samples of 100 fields a second (560,000 values/s) into a small memory; a recorder beside it pulls its
journal. Meanwhile a consumer asks the node for all there ever was: raw, whether each sample is there once and in its
order, and in 1,000 bins. The peer is the node itself asked for what is in its memory alone.

`python -m benchmarks.join [--seconds 30]`; exit code 1 where an aim is missed.
"""

import argparse
import asyncio
import contextlib
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.common import ROOT, Figure, machine, outcome, running
from sisock import settings as configuration
from sisock.consumer import Consumer
from sisock.errors import ConsumerError
from sisock.testing.router import running_router

FIELDS, ROWS = 100, 560  # of a frame, ten a second: more than the aim, which could not be missed otherwise
NODE = f'''
import numpy as np
from sisock.frames import Column, Frame
from sisock.nodes import LiveNode

class Fast(LiveNode):
    """Very many samples."""

    interval = 0.1
    number = 0

    def sample(self):
        numbers = np.arange(self.number, self.number + {ROWS})
        self.number += {ROWS}
        t = 1_700_000_000 * 10**9 + numbers * 200_000
        noise = np.random.default_rng().standard_normal(({FIELDS}, {ROWS}))
        columns = {{f"f{{i}}": Column(noise[i]) for i in range(1, {FIELDS})}}
        return Frame("fast", t, {{"f0": Column(numbers.astype(float)), **columns}})
'''


def main() -> int:
    """Run all parts and print the figures; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=30.0)
    seconds = parser.parse_args().seconds
    print(machine())
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "fast.py").write_text(NODE)
        principals = {"cli": "consumer", "fast": "data_node", "recorder": "recorder"}
        with running_router(Path(folder) / "state", principals) as router, contextlib.ExitStack() as stack:
            environment = {**configuration.environment(router.settings), "PYTHONPATH": str(ROOT)}
            stack.enter_context(running([sys.executable, str(ROOT / "hub.py")], environment))
            node = [sys.executable, "-m", "sisock", "node"]
            recorder = stack.enter_context(running([*node, "recorder"], environment))
            stack.enter_context(running([*node, f"{folder}/fast.py"], environment))
            figures = asyncio.run(_measure(router.settings, recorder.pid, seconds))
    return outcome(figures)


async def _measure(settings: configuration.Settings, recorder: int, seconds: float) -> list[Figure]:
    async with Consumer(settings) as lab:
        await _recorded(lab, 1)
        begin, began = await _recorded(lab, ROWS), time.monotonic()
        took: list[float] = []
        alone: list[float] = []
        memory, wrong, most = 0.0, 0, 0
        while time.monotonic() - began < seconds:
            at = time.perf_counter()
            reduced = await lab.data("fast", ["f0"], 1, 0, max_points=1000, reduce="band")
            took.append(time.perf_counter() - at)
            at = time.perf_counter()
            await lab.data("fast", ["f0"], 1, 0, max_points=1000, reduce="band", own=True)
            alone.append(time.perf_counter() - at)
            values = (await lab.data("fast", ["f0"], 1, 0)).series("f0")[1].values
            wrong += int((values != np.arange(len(values))).sum())
            wrong += max(0, begin - len(values), reduced.samples - len(values), most - reduced.samples)  # never fewer
            most = reduced.samples
            memory = max(memory, _memory(recorder))
            await asyncio.sleep(0.5)
        rate = (await _recorded(lab, begin) - begin) / (time.monotonic() - began) * FIELDS
    print(f"{len(took)} questions, up to {most} samples behind an answer")
    return [
        Figure("values/s from sample() to disk", rate, 500_000, "", at_least=True),
        Figure("memory of the recorder", memory, 500, "MB"),
        Figure("samples missing, double or out of order", wrong, 0, ""),
        Figure("all there is in 1,000 bins, joined, median", 1e3 * statistics.median(took), 100, "ms"),
        Figure("times of what is in memory alone", statistics.median(took) / statistics.median(alone), 20, ""),
    ]


async def _recorded(lab: Consumer, least: int) -> int:
    """Samples that the recorder has taken, once these are as many."""
    async with asyncio.timeout(60):
        while True:
            with contextlib.suppress(ConsumerError):
                values = (await lab.data("recorder", ["samples"], -3, 0)).series("samples")[1].values
                if len(values) and values[-1] >= least:
                    return int(values[-1])
            await asyncio.sleep(0.2)


def _memory(pid: int) -> float:
    """MB that the process itself holds: its proportional set, without the mapped files of the archive."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon:")) / 1024


if __name__ == "__main__":
    sys.exit(main())
