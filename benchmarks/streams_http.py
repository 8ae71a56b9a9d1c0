"""How many lines of line protocol a second get through the node `ingest`: HTTP, read, on disk, acknowledged.

A line is a point of a series with three fields, as Telegraf sends them; batches of 5,000 lines, several senders. What is
acknowledged is counted again in the journal at the end. The node is a process of its own, as are the senders.

`python -m benchmarks.streams_http [--lines 500000] [--series 50]`; exit code 1 if the aim is missed or a line is.
"""

import argparse
import http.client
import multiprocessing
import os
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from benchmarks.common import Figure, machine, outcome, running
from sisock.store.journal import Journal
from sisock.testing.router import free_port

AIM = 100_000  # lines a second
BATCH = 5_000
FIELDS = 3
_BEGIN = 1_700_000_000 * 10**9
_STEP = 10**6  # ns between lines
NODE = """
import asyncio, sys
from pathlib import Path
from sisock import notify, program
from sisock.store.journal import Journal
from {module} import {name}

sys.setswitchinterval(program.TURN)
node = {name}({options})
node.home = Path({home!r})
service = node.service(journal=lambda: Journal(node.home / "node.sqlite", most_bytes=2**40))
async def main():
    asyncio.get_running_loop().call_later(1, notify.ready, "")
    await service.run(lambda frame: None)
asyncio.run(main())
"""


def body(number: int, series: int) -> bytes:
    """One batch; the times of all batches are different."""
    rng = random.Random(number)
    first = _BEGIN + number * BATCH * _STEP
    return "\n".join(
        f"cpu,cpu=cpu{i % series},host=a usage_idle={rng.random() * 100:.4f},usage_user={rng.random() * 100:.4f},"
        f"interrupts={rng.randrange(10**6)}i {first + i * _STEP}"
        for i in range(BATCH)
    ).encode()


def send(port: int, token: str, numbers: list[int], series: int, ready: object, go: object) -> None:
    """Send these batches, one after the other, each acknowledged."""
    bodies = [body(number, series) for number in numbers]
    ready.release()  # type: ignore[attr-defined]  # a semaphore of multiprocessing
    go.wait()  # type: ignore[attr-defined]  # an event of it
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    for each in bodies:
        connection.request("POST", "/write", each, {"Authorization": f"Bearer {token}"})
        answer = connection.getresponse()
        told = answer.read()
        if answer.status != 204:
            raise RuntimeError(f"it was not taken: {told[:300]!r}")


class Rates(NamedTuple):
    """Lines a second, and lines for each second that a core was busy with them."""

    rate: float
    by_core: float


def measured(folder: Path, count: int, series: int, senders: int) -> Rates:
    """What gets through. Raises AssertionError where one that was acknowledged is not on disk."""
    port = free_port()
    program = NODE.format(module="data_nodes.ingest.node", name="Ingest", options=f"port={port}", home=str(folder))
    with running([sys.executable, "-c", program], {}) as node:
        token = (folder / "ingest" / "ingest.token").read_text().strip()
        ready, go = multiprocessing.Semaphore(0), multiprocessing.Event()
        parts = [list(range(first, count, senders)) for first in range(senders)]
        at_work = [multiprocessing.Process(target=send, args=(port, token, each, series, ready, go)) for each in parts]
        for each in at_work:
            each.start()
        for _ in at_work:
            ready.acquire()
        began, busy = time.perf_counter(), cpu(node.pid)
        go.set()
        for each in at_work:
            each.join()
            assert each.exitcode == 0, "a sender has failed"
        took, busy = time.perf_counter() - began, cpu(node.pid) - busy
    there = on_disk(folder, "cpu")
    assert there == count * BATCH, f"{there} lines are on disk of {count * BATCH}"
    return Rates(count * BATCH / took, count * BATCH / busy)


def cpu(process: int) -> float:
    """Seconds that cores were busy with a process."""
    told = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(told[11]) + int(told[12])) / os.sysconf("SC_CLK_TCK")


def on_disk(folder: Path, word: str) -> int:
    """Samples in the journal whose timelines have this word."""
    journal, total = Journal(folder / "node.sqlite", most_bytes=2**40), 0
    epoch, position, more = None, 0, True
    while more:
        batch = journal.read_from(epoch, position)
        total += sum(len(frame) for frame in batch.frames if word in frame.timeline)
        epoch, position, more = batch.epoch, batch.position, batch.more
    journal.close()
    return total


def options(parser: argparse.ArgumentParser) -> None:
    """What can be chosen."""
    parser.add_argument("--lines", type=float, default=500_000, help="how many to send")
    parser.add_argument("--series", type=int, default=50, help="how many series they are of")
    parser.add_argument("--senders", type=int, default=2, help="connections at a time")


def figures(given: argparse.Namespace) -> list[Figure]:
    """Lines a second, and values."""
    with tempfile.TemporaryDirectory() as name:
        got = measured(Path(name), max(1, int(given.lines) // BATCH), given.series, given.senders)
    print(f"batches of {BATCH:,} lines, {FIELDS} values each: {got.rate * FIELDS / 1e3:.0f} thousand values/s")
    what = f"line protocol over HTTP, {given.series} series"
    return [
        Figure(what, got.rate / 1e3, AIM / 1e3, "thousand lines/s", at_least=True),
        Figure(
            "the same by a second of one core of the node",
            got.by_core / 1e3,
            AIM / 1e3,
            "thousand lines",
            at_least=True,
        ),
    ]


def main() -> int:
    """Print the figures; the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    options(parser)
    told = figures(parser.parse_args())
    print(machine())
    return outcome(told)


if __name__ == "__main__":
    sys.exit(main())
