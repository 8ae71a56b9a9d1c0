"""History and live frames as one line: each sample once, by its identity."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from sisock.errors import NoAnswer, NodeAway, NodeUnknown, NoHub
from sisock.frames import Answer, Field, Frame, Timeline
from sisock.inbox import Inbox
from sisock.listing import Node
from sisock.times import LAST, NS

log = logging.getLogger(__name__)
_MOST_FRAMES = 1000  # live frames that wait for a slow reader; what is dropped is asked for again
_MOST_PAST = 10_000  # timelines and epochs that are over, remembered
_OPEN_END = 9.2e9  # a time that is not reached: what comes while we ask belongs to the answer
_POLL = 1.0  # seconds between questions to a node in the old way
_SKEW = 60.0  # seconds by which clocks may differ
_RETRY = 1.0  # seconds before a node is asked again that did not answer
_SILENT = 100  # bins that are asked for again at the most for a timeline that has become silent


class Source(Protocol):
    """What following needs of a consumer."""

    async def nodes(self) -> list[Node]:
        """Which nodes there are."""

    async def fields(
        self, node: str, start: float = ..., end: float = ..., *, kept: bool = ...
    ) -> tuple[dict[str, Field], dict[str, Timeline]]:
        """What a node has."""

    async def data(
        self,
        node: str,
        fields: Sequence[str],
        start: float = ...,
        end: float = ...,
        *,
        reduce: str | None = ...,
        since: dict[str, tuple[str, int]] | None = None,
        bin: int | None = ...,  # noqa: A002  # its name on the wire
        ns: tuple[int, int] | None = ...,
        kept: bool = ...,
    ) -> Answer:
        """Samples of before; `kept`: by the node's archive where the node is away."""

    async def subscribe(self, node: str, heard: Callable[[Frame], None]) -> Callable[[], Awaitable[None]]:
        """Live frames, at most once."""

    async def is_ours(self, node: str) -> bool:
        """Whether the node has live frames."""

    def watching(self) -> AbstractContextManager[Inbox[tuple[str, Node]]]:
        """Nodes as they come and go."""

    def on_lost(self, call: Callable[[], None]) -> Callable[[], None]:
        """Tell when the connection is lost."""


class Follower:
    """How far each timeline of a node has been seen."""

    def __init__(self, fields: Iterable[str] | None) -> None:
        """Follow these fields, or all."""
        self.fields = None if fields is None else frozenset(fields)
        self.since: dict[str, tuple[str, int]] = {}  # timeline -> epoch, sequence of the next sample
        self._past: dict[tuple[str, str], int] = {}  # the same for epochs that are over
        self._until: dict[str, int] = {}  # timeline -> time of the last sample, for nodes without sequences

    def misses(self, frame: Frame) -> bool:
        """True if samples lie between those seen and this frame, and can still be asked for."""
        if frame.epoch is None or frame.seq is None or (frame.timeline, frame.epoch) in self._past:
            return False
        return frame.seq - len(frame) > self._seen(frame.timeline, frame.epoch)

    def _seen(self, timeline: str, epoch: str) -> int:
        """Sequence of the next sample of this epoch."""
        current, seen = self.since.get(timeline, (epoch, 0))
        return seen if current == epoch else self._past.get((timeline, epoch), 0)

    def account(self, frame: Frame) -> Frame | None:
        """An answer to `since`, with the fields followed only: all of it is new, whatever epochs its samples are of.

        Unless it is of an epoch that was taken to be over, for a late frame came after it: then what is new is known.
        """
        if frame.epoch is None or frame.seq is None or (frame.timeline, frame.epoch) in self._past:
            return self.take(frame)
        self._by_sequence(frame)
        return self._fresh(frame)

    def take(self, frame: Frame) -> Frame | None:
        """What of a live frame is new, with the fields followed only; None if there is nothing."""
        return self._fresh(
            self._by_time(frame) if frame.epoch is None or frame.seq is None else self._by_sequence(frame)
        )

    def _fresh(self, fresh: Frame) -> Frame | None:
        if self.fields is not None:
            fresh = fresh.only(self.fields)
        if len(fresh):
            until = int(fresh.t[-1])
            self._until[fresh.timeline] = max(until, self._until.get(fresh.timeline, until))
        return fresh if len(fresh) and fresh.columns else None

    def _by_sequence(self, frame: Frame) -> Frame:
        assert frame.epoch is not None and frame.seq is not None  # noqa: PT018  # checked by the caller
        key, known = (frame.timeline, frame.epoch), self._seen(frame.timeline, frame.epoch)
        if key in self._past:  # a late frame from before the node was started again
            self._past[key] = max(known, frame.seq)
        else:
            self._turn(frame.timeline, frame.epoch)
            self.since[frame.timeline] = (frame.epoch, max(known, frame.seq))
        first = frame.seq - len(frame)
        return frame.rows(slice(min(max(0, known - first), len(frame)), None))

    def _turn(self, timeline: str, epoch: str) -> None:
        """Put the epoch before this one aside: what comes of it now is not to be taken for news."""
        before, seen = self.since.get(timeline, (epoch, 0))
        if before != epoch:
            self._past[timeline, before] = seen
            while len(self._past) > _MOST_PAST:
                del self._past[next(iter(self._past))]

    def _by_time(self, frame: Frame) -> Frame:
        until = self._until.get(frame.timeline)
        return frame if until is None else frame.rows(frame.t > until)


async def follow(consumer: Source, node: str, fields: Sequence[str] | None, last: float) -> AsyncGenerator[Frame, None]:
    """Frames of the node: those of the `last` seconds, then live ones, through every interruption."""
    follower = Follower(fields)
    beginning, begun = -last, time.time() - last - _SKEW
    while True:
        try:
            source = _pushed if await consumer.is_ours(node) else _polled
            async with contextlib.aclosing(source(consumer, node, follower, beginning)) as frames:
                async for frame in frames:
                    beginning = begun  # of timelines that were not seen; of others what was missed is found by sequence
                    yield frame
        except NodeUnknown:
            raise
        except (NodeAway, NoAnswer, NoHub) as trouble:
            log.info("%s: %s", node, trouble)
            if isinstance(trouble, NodeAway):
                for frame in await _recorded(consumer, node, follower, beginning):
                    beginning = begun
                    yield frame
        await _until_there(consumer, node)


async def _pushed(consumer: Source, node: str, follower: Follower, beginning: float) -> AsyncGenerator[Frame, None]:
    """History, then live frames; gaps are asked for again. Ends when the link or the node is lost."""
    inbox: Inbox[Frame | None] = Inbox(_MOST_FRAMES)
    async with contextlib.AsyncExitStack() as ends:
        ends.callback(consumer.on_lost(lambda: inbox.put(None)))
        ends.push_async_callback(await consumer.subscribe(node, inbox.put))
        ends.callback(asyncio.ensure_future(_gone(consumer, node, inbox)).cancel)
        for frame in await _missed(consumer, node, follower, beginning):
            yield frame
        begun = beginning if beginning > 0 else time.time() + beginning - _SKEW
        while (heard := await inbox.get()) is not None:
            if follower.misses(heard):
                log.debug("%s: live frames were missed (%d dropped here): asked for again", node, inbox.dropped)
                for frame in await _missed(consumer, node, follower, begun):
                    yield frame
            fresh = follower.take(heard)
            if fresh is not None:
                yield fresh


async def _gone(consumer: Source, node: str, inbox: "Inbox[Frame | None]") -> None:
    """Put an end into the inbox when the node is subtracted."""
    with consumer.watching() as events:
        while True:
            what, heard = await events.get()
            if what == "subtracted" and heard.name == node:
                inbox.put(None)


async def _recorded(consumer: Source, node: str, follower: Follower, beginning: float) -> list[Frame]:
    """What was recorded of a node that is away, from `beginning` on; nothing where nobody records."""
    try:
        return await _missed(consumer, node, follower, beginning, kept=True)
    except (NodeAway, NoAnswer, NoHub) as trouble:
        log.debug("%s: nothing recorded: %s", node, trouble)
        return []


async def _missed(
    consumer: Source, node: str, follower: Follower, beginning: float, *, kept: bool = False
) -> list[Frame]:
    """What the node (`kept`: or its archive) has that was not seen: of timelines that were not, from `beginning` on."""
    known, _ = await consumer.fields(node, 0, 0, kept=kept)
    wanted = [name for name in known if follower.fields is None or name in follower.fields]
    seen = [name for name in wanted if known[name].timeline in follower.since]
    new = [name for name in wanted if known[name].timeline not in follower.since]
    answers = []
    if new or not wanted:
        answers.append(await consumer.data(node, new, beginning, _OPEN_END, kept=kept))
    if seen:
        since = dict(follower.since)
        answers.append(await consumer.data(node, seen, 1.0, _OPEN_END, since=since, kept=kept))
    fresh = (follower.account(part.points) for answer in answers for part in answer.parts)
    return [frame for frame in fresh if frame is not None]


async def _polled(consumer: Source, node: str, follower: Follower, beginning: float) -> AsyncGenerator[Frame, None]:
    """Frames of a node in the old way, which has to be asked again and again."""
    while True:
        for frame in await _missed(consumer, node, follower, beginning):
            yield frame
        await asyncio.sleep(_POLL)
        beginning = -60.0


async def _until_there(consumer: Source, node: str) -> None:
    """Wait until the node can be asked (again)."""
    with consumer.watching() as events:
        while True:
            try:
                if any(each.name == node and each.state == "up" for each in await consumer.nodes()):
                    return
            except NoHub as trouble:
                log.debug("%s: %s", node, trouble)
            with contextlib.suppress(TimeoutError):  # it may be the hub that is away, and tells nothing
                await asyncio.wait_for(events.get(), _RETRY)


async def follow_bins(
    consumer: Source, node: str, fields: Sequence[str], width: int, reduce: str, last: float, every: float
) -> AsyncGenerator[Answer, None]:
    """Answers in bins of `width` ns, one each `every` seconds: all bins from the first on that was not closed yet.

    A timeline that is silent holds a hundred bins open, no more: what it brings later than that is not in its bins.
    Nothing queues up for who is slow: the next answer has all that came meanwhile.
    """
    start, closed = int((time.time() - last) * NS) // width * width, dict[str, int]()
    while True:
        begun = time.monotonic()
        try:
            answer = await consumer.data(node, fields, reduce=reduce, bin=width, ns=(start, LAST))
        except NodeUnknown:
            raise
        except (NodeAway, NoAnswer, NoHub) as trouble:
            log.info("%s: %s", node, trouble)
            await _until_there(consumer, node)
            continue
        yield answer
        closed |= _closed(answer)
        start = max(start, _open(closed, width, time.time_ns()) // width * width) if closed else start
        await asyncio.sleep(max(0.0, begun + every - time.monotonic()))


def _closed(answer: Answer) -> dict[str, int]:
    """Of each timeline up to when nothing more will come, as far as the answer tells; else when its last bins begin."""
    closed: dict[str, int] = {}
    for part in answer.parts:
        until, t = part.finalized_until, part.points.t
        if until or len(t):
            end = int(t[-1]) if until is None else until
            closed[part.of] = min(end, closed.get(part.of, end))
    return closed


def _open(closed: dict[str, int], width: int, now: int) -> int:
    """From when on more may come: where the first timeline is closed, or not too far below the last (or `now`)."""
    return max(min(closed.values()), min(max(closed.values()), now) - _SILENT * width)
