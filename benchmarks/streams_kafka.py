"""Records as of lsof, from a node's journal to a real Kafka 0.9, from there to a node that follows, and any minute of a topic.

First each stage alone, from which follows the limiting one; then all at once at the rate that is to be sustained: as many
samples have to be in the follower's journal as were measured, and memory must not grow. Nodes, follower and broker are
processes of their own.
"""

import argparse
import asyncio
import json
import multiprocessing
import resource
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import Figure, machine, outcome
from data_nodes.kafka_replay.node import KafkaReplay
from sisock import program
from sisock.frames import Column, Frame, Query, column
from sisock.nodes import Service
from sisock.nodes.live import LiveNode
from sisock.outlets.kafka import Kafka
from sisock.outlets.kafka_sink import Sink
from sisock.store.journal import Journal
from sisock.times import NS
from tests.kafka_broker import broker

VERSION = "0.9"
PER_FRAME = 2_000
BEGIN = 1_700_000_000 * NS
PER_MINUTE = 12_000  # records of four scans of the large topic
_WITHIN = 300.0  # seconds


def main() -> int:
    """Print the figures; the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rate", type=int, default=10_000, help="records a second to sustain")
    parser.add_argument("--seconds", type=float, default=20.0, help="for how long")
    parser.add_argument("--size", type=int, default=1_000_000, help="records of the topic of which any minute is asked")
    told = figures(parser.parse_args())
    print(machine())
    return outcome(told)


def figures(given: argparse.Namespace) -> list[Figure]:
    """All figures."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sys.setswitchinterval(program.TURN)  # as nodes do
        with broker(folder / "kafka", partitions=1, message_bytes=10**6) as running:
            alone = stages(folder, running.address, 100_000)
            limiting = min(alone, key=alone.__getitem__)
            told = [
                Figure(f"{stage} alone", rate, given.rate, "records/s", at_least=True) for stage, rate in alone.items()
            ]
            print(f"the limiting stage is: {limiting}")
            return told + sustained(folder, running.address, given) + any_minute(running.address, given.size)


def records(rows: int) -> dict[str, Column]:
    """Open files as lsof tells them, ten columns."""
    numbers = np.arange(rows)
    return {
        "command": column([f"python{i % 40}" for i in numbers]),
        "pid": column(1000 + numbers % 300),
        "tid": column(numbers),
        "user": column(["root", "ann"] * (rows // 2)),
        "fd": column([f"{i % 900}u" for i in numbers]),
        "type": column(["REG", "IPv4"] * (rows // 2)),
        "device": column(["0xfe00"] * rows),
        "size": column(numbers * 4096),
        "node": column([str(i * 7) for i in numbers]),
        "name": column([f"/usr/lib/python3/dist-packages/module{i}/file{i * 31}.py" for i in numbers]),
    }


# each stage alone


def stages(folder: Path, address: str, count: int) -> dict[str, float]:
    """Records a second of each stage by itself."""
    journal = Journal(folder / "alone.sqlite", most_bytes=2**40)
    columns = records(PER_FRAME)
    began = time.perf_counter()
    for seq in range(PER_FRAME, count + 1, PER_FRAME):
        t = np.full(PER_FRAME, BEGIN + seq * NS // 1000)
        journal.commit(frames=[("records", Frame("records", t, columns, journal.epoch, seq))])
    rates = {"journal": count / (time.perf_counter() - began)}
    sink = Sink("alone", Kafka(address, "alone", VERSION), journal.read_from, folder / "alone.json")
    began, spent = time.perf_counter(), time.process_time()
    sink.start()
    _wait(lambda: sink.place.sent >= count, lambda: f"{sink.place} {sink.trouble}")
    rates["sink"] = count / (time.perf_counter() - began)
    computing = {"sink": time.process_time() - spent}
    sink.stop()
    journal.close()
    with _process(_follow, folder / "follower", address, "alone") as (ask, _):
        _wait(lambda: ask("count") > 0, lambda: "nothing is followed")
        first, began = ask("count"), time.perf_counter()
        _wait(lambda: ask("count") >= count, lambda: f"{ask('count')} of {count} were followed")
        rates["follower"] = (count - first) / (time.perf_counter() - began)
        computing["follower"] = ask("computing")
    told = ", ".join(f"{stage} {1e6 * each / count:.0f} µs" for stage, each in computing.items())
    print(f"computing time of a record, whatever else the machine does: {told}")
    return rates


# all at once


def sustained(folder: Path, address: str, given: argparse.Namespace) -> list[Figure]:
    """Whether all arrives at the rate, and what memory that takes."""
    with _process(_follow, folder / "follow", address, "sisock.measured") as (ask, _):
        with _process(_measure, folder / "measure", address, given.rate) as (ask_node, _):
            ask_node("memory")  # it has begun
            began, early = time.monotonic(), 0.0
            while (spent := time.monotonic() - began) < given.seconds:
                time.sleep(0.5)
                early = early or (ask("memory") + ask_node("memory") if spent > given.seconds / 3 else 0.0)
            measured = ask_node("stop")
            ended = time.monotonic()
            _wait(lambda: ask("count") >= measured, lambda: f"{ask('count')} of {measured} were followed")
            late = time.monotonic() - ended
            grown = ask("memory") + ask_node("memory") - early
        kept = ask("kept")
    print(
        f"all at once, from the first record until the last is on disk: {measured / (ended - began + late):.0f} records/s"
    )
    return [
        Figure(
            "what the node measures meanwhile",
            measured / (ended - began),
            0.98 * given.rate,
            "records/s",
            at_least=True,
        ),
        Figure("samples that are not at the other end exactly once", abs(measured - kept), 0, "samples"),
        Figure("from the last record until it is on the follower's disk", late, 10, "s"),
        Figure("memory of both nodes, grown in the last two thirds", grown, 100, "MB"),
    ]


class Measured(LiveNode):
    """So many records a second."""

    interval = 0.2

    def __init__(self, rate: int) -> None:
        """Make frames of them, as of a scan."""
        self.count, self.ended = 0, False
        self._rows = int(rate * self.interval) // 2 * 2
        self._columns = records(self._rows)
        self._began = time.monotonic()

    def sample(self) -> Any:
        """What is due; a scan that came late is made up for."""
        due = int((time.monotonic() - self._began) / self.interval) - self.count // self._rows
        if self.ended:
            return {}
        self.count += due * self._rows
        return [Frame("records", np.full(self._rows, time.time_ns()), self._columns) for _ in range(due)]


async def _measure(pipe: Connection, folder: Path, address: str, rate: int) -> None:
    node = Measured(rate)
    service = node.service(journal=lambda: Journal(folder / "measured.sqlite"))
    loop = asyncio.get_running_loop()

    def read(epoch: str | None, position: int, limit: int) -> Any:
        return asyncio.run_coroutine_threadsafe(service.read_from(epoch, position, limit), loop).result(60)  # type: ignore[attr-defined]

    sink = Sink("measured", Kafka(address, "sisock.measured", VERSION), read, folder / "measured.json")
    async with _working(service, lambda _: None):
        sink.start()

        def stop() -> int:
            node.ended = True
            return node.count

        await _answering(pipe, {"stop": stop, "memory": _memory})
        await asyncio.to_thread(sink.stop)


async def _follow(pipe: Connection, folder: Path, address: str, topic: str) -> None:
    node = KafkaReplay(
        bootstrap=address, topics=[topic], connection={"version": VERSION}, follow=True, group=f"g{time.time_ns()}"
    )
    node.home = folder
    journal = Journal(folder / "follower.sqlite", most_bytes=2**40)
    service, counted = node.service(journal=lambda: journal), 0

    def publish(frame: Frame) -> None:
        nonlocal counted
        counted += len(frame) if frame.timeline.endswith("/records") else 0

    def kept() -> int:
        epoch, position, number, more = None, 0, 0, True
        while more:
            batch = journal.read_from(epoch, position)
            epoch, position, more = batch.epoch, batch.position, batch.more
            number += sum(len(frame) for frame in batch.frames if frame.timeline.endswith("/records"))
        return number

    async with _working(service, publish):
        await _answering(
            pipe, {"count": lambda: counted, "kept": kept, "memory": _memory, "computing": time.process_time}
        )


# any minute


def any_minute(address: str, size: int) -> list[Figure]:
    """Seconds to any minute of a topic of so many records, asked of a node that has just been started."""
    fill(address, size)
    return asyncio.run(_any_minute(address, size))


async def _any_minute(address: str, size: int) -> list[Figure]:
    node = KafkaReplay(bootstrap=address, topics=["large"], connection={"version": VERSION}, disorder=1.0)
    service = node.service()
    minutes = size // PER_MINUTE
    took, computing = list[float](), list[float]()
    async with _working(service, lambda _: None):
        while "lsof/size" not in (await service.get_fields(0, 0))[0]:  # noqa: ASYNC110  # as whoever asks it would
            await asyncio.sleep(0.05)
        for minute in np.random.default_rng(1).integers(0, minutes, 9).tolist():
            start = BEGIN + minute * 60 * NS
            began, spent = time.perf_counter(), time.process_time()
            answer = await service.get_data(Query(("lsof/size", "lsof/name"), start, start + 60 * NS))
            took.append(time.perf_counter() - began)
            computing.append(time.process_time() - spent)
            assert answer.samples == PER_MINUTE, f"{answer.samples} of {PER_MINUTE} records of a minute"
    print(f"computing time of such a question: {np.median(computing):.2f} s")
    return [
        Figure(f"any minute ({PER_MINUTE:,} records) of {size:,}, the median", float(np.median(took)), 1, "s"),
        Figure("the slowest of nine", max(took), 2, "s"),
    ]


def fill(address: str, size: int) -> None:
    """Write a topic of lsof's records, four scans a minute."""
    import confluent_kafka

    given = {
        "bootstrap.servers": address,
        "api.version.request": False,
        "broker.version.fallback": "0.9.0.1",
        "linger.ms": 50,
    }
    producer = confluent_kafka.Producer({**given, "queue.buffering.max.messages": 200_000})
    bodies = [json.dumps(each)[1:].encode() for each in _bodies(1000)]
    for number in range(size):
        t = BEGIN + number // (PER_MINUTE // 4) * 15 * NS
        head = f'{{"node":"lsof","timeline":"records","t":{t},"epoch":"e","seq":{number},'.encode()
        while True:
            try:
                producer.produce("large", head + bodies[number % 1000], partition=0)
                break
            except BufferError:
                producer.poll(0.1)
    left = producer.flush(_WITHIN)
    assert not left, f"{left} records were not taken"


def _bodies(count: int) -> Iterator[dict[str, Any]]:
    columns = records(count)
    for row in range(count):
        yield {
            ("_node" if name == "node" else name): each.values[row : row + 1].tolist()[0]
            for name, each in columns.items()
        }


# processes that are asked


@asynccontextmanager
async def _working(service: Service, publish: Callable[[Frame], None]) -> AsyncIterator[None]:
    running = asyncio.ensure_future(service.run(publish))
    try:
        yield
    finally:
        running.cancel()
        await asyncio.wait({running}, timeout=20)


async def _answering(pipe: Connection, answers: dict[str, Callable[[], Any]]) -> None:
    """Answer what the parent asks, until it hangs up."""
    while True:
        try:
            asked = await asyncio.to_thread(pipe.recv)
        except EOFError:
            return
        pipe.send(answers[asked]())


class _process:  # noqa: N801  # used as a function
    """A coroutine in a process of its own, with a folder of its own."""

    def __init__(self, run: Callable[..., Any], folder: Path, *args: Any) -> None:
        folder.mkdir(parents=True)
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._child = context.Process(target=_run, args=(run, theirs, folder, *args))
        self._child.start()
        theirs.close()

    def __enter__(self) -> tuple[Callable[[str], Any], None]:
        return self._ask, None

    def __exit__(self, *_: object) -> None:
        self._pipe.close()
        self._child.join(30)
        if self._child.is_alive():
            self._child.kill()

    def _ask(self, what: str) -> Any:
        self._pipe.send(what)
        return self._pipe.recv()


def _run(run: Callable[..., Any], *args: Any) -> None:
    sys.setswitchinterval(program.TURN)
    asyncio.run(run(*args))


def _memory() -> float:
    """MB that this process has had at the most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _wait(true: Callable[[], bool], said: Callable[[], str]) -> None:
    until = time.monotonic() + _WITHIN
    while not true():
        if time.monotonic() > until:
            raise RuntimeError(said())
        time.sleep(0.05)


if __name__ == "__main__":
    sys.exit(main())
