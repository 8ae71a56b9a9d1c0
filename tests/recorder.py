"""A stand-in for a recorder: answers for nodes under their archives' names, with what it was given to keep."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from queue import Queue
from typing import Any

from sisock import nearest, reduction, times, wire
from sisock.consumer import Consumer
from sisock.frames import Answer, Field, Frame, Query, Timeline
from sisock.keys import ensure_key
from sisock.nearest import Which
from sisock.nodes.base import interval, timelines_of
from sisock.nodes.query import parse_query, parse_sample
from sisock.settings import Settings
from sisock.wamp import Call, Link


class Recorded:
    """Samples of one node, a frame for each timeline, with the identity that the node gave them."""

    def __init__(self, fields: dict[str, Field], frames: Sequence[Frame]) -> None:
        self.fields, self.frames = fields, {frame.timeline: frame for frame in frames}

    async def get_fields(self, start: int, end: int) -> tuple[dict[str, Field], dict[str, Timeline]]:
        return self.fields, timelines_of(self.fields, lambda name: interval(self.frames[name].between(start, end).t))

    async def get_data(self, query: Query) -> Answer:
        frames = [self._since(each, query).only(query.fields) for each in self.frames.values()]
        inside = [each.between(query.start, query.end) for each in frames if each.columns]
        until = {each.timeline: int(each.t[-1]) for each in inside if len(each)}
        return reduction.answer(inside, query, until)

    def _since(self, frame: Frame, query: Query) -> Frame:
        epoch, seq = query.since.get(frame.timeline, (None, 0))
        assert frame.seq is not None
        return frame if epoch != frame.epoch else frame.rows(slice(max(0, seq - (frame.seq - len(frame))), None))

    async def get_sample(self, fields: Sequence[str], t: int, which: Which) -> Answer:
        sought = nearest.sought(t, which)
        samples = [nearest.nearest(each, name, *sought, which) for each in self.frames.values() for name in fields]
        return nearest.answer(samples, which)


async def record(consumer: Consumer, node: str) -> Recorded:
    """Keep all that the node has now."""
    fields, _ = await consumer.fields(node)
    answer = await consumer.data(node, list(fields), 1, 0)
    return Recorded(fields, [part.points for part in answer.parts])


@asynccontextmanager
async def recording(settings: Settings, kept: dict[str, Recorded], name: str = "recorder") -> AsyncIterator[None]:
    """The recorder at work, joined as the principal of that name."""

    async def offer(link: Link) -> None:
        for node, recorded in kept.items():
            for what, handler in _handlers(recorded).items():
                await link.register(settings.uris.archive(node, what), handler)

    link = Link(settings, name, ensure_key(settings.state, name), offer)
    running = asyncio.ensure_future(link.run())
    try:
        async with asyncio.timeout(30):
            await link.joined.wait()
        yield
    finally:
        await link.leave()
        running.cancel()
        await asyncio.wait({running}, timeout=5)


@contextmanager
def recording_meanwhile(settings: Settings, kept: dict[str, Recorded], name: str = "recorder") -> Iterator[None]:
    """The same for a test that has no loop of its own."""
    ready: Queue[Callable[[], object]] = Queue()

    async def work() -> None:
        over, loop = asyncio.Event(), asyncio.get_running_loop()
        async with recording(settings, kept, name):
            ready.put(lambda: loop.call_soon_threadsafe(over.set))
            await over.wait()

    thread = threading.Thread(target=asyncio.run, args=(work(),))
    thread.start()
    stop = ready.get(timeout=30)
    try:
        yield
    finally:
        stop()
        thread.join(10)


def _handlers(recorded: Recorded) -> dict[str, Any]:
    async def get_fields(call: Call) -> Any:
        return wire.encode_fields(*await recorded.get_fields(*times.window(*call.args, time.time_ns())))

    async def get_data(call: Call) -> Any:
        options = dict(call.kwargs)
        assert options.pop("columns") == "typed"
        return wire.encode_answer(await recorded.get_data(parse_query(*call.args, **options, now=time.time_ns())))

    async def get_sample(call: Call) -> Any:
        asked = parse_sample(*call.args, **call.kwargs, now=time.time_ns())
        return wire.encode_answer(await recorded.get_sample(*asked))

    return {"get_fields": get_fields, "get_data": get_data, "get_sample": get_sample}
