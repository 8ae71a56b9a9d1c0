"""Many consumers in a few processes, which note what they hear of data nodes, and when."""

import asyncio
import contextlib
import logging
import multiprocessing
import time
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from sisock.consumer import Consumer, ConsumerError
from sisock.program import keep_many_open
from sisock.settings import Settings

CROWDS = 4  # processes
PATIENCE = 180.0  # seconds until the benchmark gives up


def crowd(pipe: Connection, settings: Settings, number: int) -> None:
    """So many consumers in this process, which do what comes through the pipe."""
    quietly()
    with contextlib.suppress(EOFError):
        asyncio.run(_crowd(pipe, settings, number))


class Person:
    """A consumer that keeps a list of who is up, as a page does: asked for once it has joined, then kept by what it hears."""

    def __init__(self, consumer: Consumer) -> None:
        """Listen with this one."""
        self.up: set[str] = set()
        self.heard: dict[tuple[str, str], int] = {}  # when, ns
        self._since: list[tuple[str, str]] = []  # what it heard while it waited for the list
        self._consumer, self._lost, self._changed = consumer, asyncio.Event(), asyncio.Event()
        consumer.on_lost(self._lost.set)
        self.tasks = [asyncio.ensure_future(self._listen()), asyncio.ensure_future(self._list())]

    async def sees(self, least: int) -> int:
        """When it sees at least so many, ns."""
        async with asyncio.timeout(PATIENCE):
            while len(self.up) < least or self._lost.is_set():
                self._changed.clear()
                await self._changed.wait()
        return time.monotonic_ns()

    async def _listen(self) -> None:
        with self._consumer.watching() as events:
            while True:
                what, node = await events.get()
                self.heard[what, node.name] = time.monotonic_ns()
                self._since.append((what, node.name))
                self._apply(what, node.name)

    def _apply(self, what: str, name: str) -> None:
        (self.up.add if what == "added" else self.up.discard)(name)
        self._changed.set()

    async def _list(self) -> None:
        self._lost.set()
        while True:
            await self._lost.wait()
            with contextlib.suppress(ConsumerError):
                self._since = []
                nodes = await self._consumer.nodes()
                self.up = {node.name for node in nodes if node.state == "up"}
                self._lost.clear()
                self._changed.set()
                for each in self._since:
                    self._apply(*each)
            await asyncio.sleep(0.5)


async def _crowd(pipe: Connection, settings: Settings, number: int) -> None:
    async with contextlib.AsyncExitStack() as stack:
        people = [Person(await stack.enter_async_context(Consumer(settings))) for _ in range(number)]
        while True:
            wanted, least = await asyncio.to_thread(pipe.recv)
            if wanted == "heard":
                pipe.send([each.heard for each in people])
                for each in people:
                    each.heard = {}
            else:
                pipe.send(max(await asyncio.gather(*(each.sees(least) for each in people))))


@dataclass
class Crowds:
    """All consumers, in their processes."""

    pipes: list[Connection]
    pids: list[int]

    async def all_list(self, least: int) -> int:
        """When the last of them saw so many nodes up, ns."""
        return int(max(await self._ask(("listed", least))))

    async def heard(self) -> dict[tuple[str, str], list[int]]:
        """What all of them heard since it was last asked."""
        whole: dict[tuple[str, str], list[int]] = {}
        for each in await self._ask(("heard", 0)):
            for heard in each:
                for what, at in heard.items():
                    whole.setdefault(what, []).append(at)
        return whole

    async def _ask(self, what: tuple[str, int]) -> list[Any]:
        for pipe in self.pipes:
            pipe.send(what)
        return [await asyncio.to_thread(pipe.recv) for pipe in self.pipes]


@contextlib.contextmanager
def crowds(settings: Settings, number: int) -> Iterator[Crowds]:
    """So many consumers for as long as the block lasts."""
    making = multiprocessing.get_context("spawn")
    pipes, processes = [], []
    for share in _shares(number, CROWDS):
        ours, theirs = making.Pipe()
        process = making.Process(target=crowd, args=(theirs, settings, share), daemon=True)
        process.start()
        pipes.append(ours)
        processes.append(process)
    try:
        yield Crowds(pipes, [process.pid or 0 for process in processes])
    finally:
        for process in processes:
            process.terminate()
            process.join(10)


def quietly() -> None:
    """Say nothing of each lost connection; have as many as there are."""
    logging.getLogger("sisock").setLevel(logging.CRITICAL)
    keep_many_open()


def _shares(whole: int, parts: int) -> list[int]:
    return [len(each) for each in np.array_split(np.arange(whole), parts)]
