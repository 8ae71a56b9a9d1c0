"""The whole demo for a long time: whether it goes on answering, and stays as small as it was.

`sisock up` with its usual nodes. Every few seconds the hub is asked for the nodes and each node for its last minute,
and the live samples of `host` are counted against their sequence. Once a minute memory (PSS), open files and log bytes
of all processes are printed, as ratios of what they were after the first quarter (rings fill, caches settle).

`python -m benchmarks.soak [--minutes 60]`; exit code 1 if an answer failed, a live sample was lost, or something grew
by more than a quarter.
"""

import argparse
import contextlib
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import NamedTuple

from benchmarks.common import ROOT, machine, running
from sisock import settings as configuration
from sisock.blocking import BlockingConsumer, connect
from sisock.consumer import ConsumerError, Request
from sisock.testing.router import free_port

NODES = ("weather", "sensors", "lsof", "host", "recorder")
EVERY = 5.0  # seconds between questions
GROWTH = 1.25  # times what it was after the first quarter
MOST_LOG = 4 * 2**20  # bytes of logs that are bounded anyway


class Use(NamedTuple):
    """What all processes of the demo use."""

    memory: float  # MB, proportional set size
    files: int
    log: int  # bytes


class Live:
    """Counts the live samples of one node against their sequence, in a thread."""

    def __init__(self, lab: BlockingConsumer, node: str) -> None:
        self.samples = self.lost = 0
        self._frames = lab.live(node)
        threading.Thread(target=self._until_closed, daemon=True).start()

    def _until_closed(self) -> None:
        with contextlib.suppress(ConsumerError):  # at the end; what was lost before is counted
            self._follow()

    def _follow(self) -> None:
        due: dict[tuple[str, str | None], int] = {}
        for frame in self._frames:
            if frame.seq is None:
                continue
            key = (frame.timeline, frame.epoch)
            first = frame.seq - len(frame)
            self.lost += max(0, first - due.get(key, first))
            self.samples += len(frame)
            due[key] = frame.seq


def main() -> int:
    """Run, print a line a minute; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=60.0)
    seconds = parser.parse_args().minutes * 60
    print(machine())
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder) / "state"
        settings = configuration.read(
            state=state, router_port=free_port(), bridge_port=free_port(), nodes=",".join(NODES)
        )
        environment = {**configuration.environment(settings), "PYTHONPATH": str(ROOT)}
        with (
            running([sys.executable, "-m", "sisock", "up"], environment) as process,
            connect(state=state, router=f"ws://127.0.0.1:{settings.router_port}/ws") as lab,
        ):
            return _watch(lab, process.pid, state, seconds)


def _watch(lab: BlockingConsumer, supervisor: int, state: Path, seconds: float) -> int:
    """Ask and measure until the time is over; the exit code."""
    began = time.monotonic()
    live = Live(lab, "host")
    settled: Use | None = None
    use = _use(supervisor, state)
    asked = failed = 0
    printed = -60.0
    while (passed := time.monotonic() - began) < seconds:
        asked += 1
        failed += _unanswered(lab)
        use = _use(supervisor, state)
        if settled is None and passed > seconds / 4:
            settled = use
        if passed - printed >= 60:
            printed = passed
            print(_line(passed, use, settled or use, asked, failed, live), flush=True)
        time.sleep(EVERY)
    settled = settled or use
    print(_line(seconds, use, settled, asked, failed, live))
    grew = use.memory > GROWTH * settled.memory or use.files > GROWTH * settled.files or use.log > MOST_LOG
    return int(bool(failed or live.lost or not live.samples or grew))


def _unanswered(lab: BlockingConsumer) -> int:
    """How many of the nodes are not listed as up, or do not answer."""
    up = {node.name for node in lab.nodes() if node.state == "up"}
    answers = lab.ask([Request(node, ("health.state",), -60.0, 0.0) for node in NODES], deadline=10.0)
    failed = [node for node, answer in zip(NODES, answers, strict=True) if isinstance(answer, ConsumerError)]
    return len({*failed, *(set(NODES) - up)})


def _use(supervisor: int, state: Path) -> Use:
    """What the supervisor and all its descendants use."""
    pids, memory, files = [supervisor], 0.0, 0
    while pids:
        process = Path(f"/proc/{pids.pop(0)}")
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # a command that a node ran, ended by now
            pids += [int(each) for task in process.glob("task/*/children") for each in task.read_text().split()]
            rollup = (process / "smaps_rollup").read_text().splitlines()
            files += sum(1 for _ in (process / "fd").iterdir())
            memory += next((int(line.split()[1]) / 1024 for line in rollup if line.startswith("Pss:")), 0.0)
    return Use(memory, files, sum(log.stat().st_size for log in (state / "logs").glob("*")))


def _line(passed: float, use: Use, settled: Use, asked: int, failed: int, live: Live) -> str:
    return (
        f"{passed / 60:6.1f} min  {use.memory:.0f} MB ({use.memory / settled.memory:.2f})  "
        f"{use.files} files ({use.files / settled.files:.2f})  {use.log / 1e3:.0f} kB of logs  "
        f"asked {asked}, failed {failed}  live {live.samples}, lost {live.lost}"
    )


if __name__ == "__main__":
    sys.exit(main())
