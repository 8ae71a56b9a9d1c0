"""Data nodes at work without a router."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

from sisock.frames import Frame, Query
from sisock.nodes import Service
from sisock.times import FIRST, LAST


class Published:
    """What a node at work has published, to be waited for."""

    def __init__(self) -> None:
        self.frames: list[Frame] = []
        self._came = asyncio.Event()

    def __call__(self, frame: Frame) -> None:
        self.frames.append(frame)
        self._came.set()

    async def until(self, there: Callable[[list[Frame]], bool]) -> list[Frame]:
        """Wait until what was published is enough; all of it."""
        async with asyncio.timeout(30):
            while not there(self.frames):
                self._came.clear()
                await self._came.wait()
        return self.frames

    async def samples(self, n: int = 1) -> list[Frame]:
        """The first n frames that are not health."""
        await self.until(lambda frames: sum(frame.timeline != "health" for frame in frames) >= n)
        return [frame for frame in self.frames if frame.timeline != "health"][:n]

    async def health(self, state: str | None = None) -> dict[str, Any]:
        """The first health told, or the first with this state."""

        def wanted(frame: Frame) -> bool:
            return frame.timeline == "health" and state in (None, frame.columns["health.state"].values[0])

        frames = await self.until(lambda frames: any(map(wanted, frames)))
        first = next(filter(wanted, frames))
        there = {name: c.values.tolist()[0] for name, c in first.columns.items() if c.present()[0]}
        return {name.removeprefix("health."): value for name, value in there.items()}


@contextlib.asynccontextmanager
async def working(service: Service) -> AsyncIterator[Published]:
    """The service at work for as long as the block lasts."""
    published = Published()
    running = asyncio.ensure_future(service.run(published))
    try:
        yield published
    finally:
        running.cancel()
        await asyncio.wait({running}, timeout=30)
        assert running.cancelled(), "the node ended by itself, or did not end"


async def data(service: Service, *fields: str, start: int = FIRST, end: int = LAST, **options: Any) -> dict[str, Any]:
    """The values of some fields, None where there is none."""
    answer = await service.get_data(Query(fields, start, end, **options))
    values = {}
    for name in fields:
        column = answer.series(name)[1]
        listed = zip(column.values.tolist(), column.present().tolist(), strict=True)
        values[name] = [value if there else None for value, there in listed]
    return values
