"""Questions that are asked once: viewers of one dashboard ask for the same at the same time, and again for what is past."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from grafana_json.source import Reply, Source, Take
from sisock.consumer import Node, Request
from sisock.errors import ConsumerError, NoAnswer
from sisock.frames import Answer, Field, Part, Timeline
from sisock.grid import DAY, grid
from sisock.nearest import Which
from sisock.reduction import PER_BIN, POINTS, bins_of
from sisock.times import NS, to_ns
from sisock.uris import JOINT

OLDEST = 5.0  # seconds that an answer may be old whose window is not over
_LONGEST = 600.0  # seconds for which an answer that will not change is kept
_MARGIN = 1.0  # seconds after the deadline in which the consumer itself says that there was no answer
_SPARE = 4
_AN_ENTRY, _A_GAP = 1000, 150  # bytes of a question, or of a part of an answer, without its arrays; and of a gap


class _Entry(NamedTuple):
    """A question that was asked: its answer, when it is one; until when others are given it, and its size in bytes."""

    reply: "Future[Reply]"
    until: float = float("inf")
    size: int = 0


class Sharing:
    """A source that asks a question once for all who ask it, and keeps the answer for as long as it is one.

    Windows that differ by less than a bin are one: they are asked up to the next edge of a bin on both sides. So points
    that stand for several samples may lie outside what was asked for, by a bin at most; samples themselves do not.
    Any thread may ask.
    """

    def __init__(
        self,
        source: Source,
        deadline: float,
        most: int = 2**26,
        answered: Callable[[str, Reply, float], None] = lambda *_: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Ask for at least so many seconds; keep so many bytes, or none and ask each question as it is; tell `answered` of each node that was asked: its name, what came, and after how many seconds."""
        self.shared = 0  # questions that cost nobody anything
        self._source, self._most, self._answered, self._clock = source, most, answered, clock
        self._deadline = deadline  # who has little time spoils nobody else's answer
        self._entries: OrderedDict[Request, _Entry] = OrderedDict()  # the last that was asked for is the last here
        self._size = 0
        self._turn = threading.Lock()
        source.on_event(self._hear)
        source.on_lost(self._forget)

    # what it has of its source

    @property
    def connected(self) -> bool:
        """Whether there is a router."""
        return self._source.connected

    def nodes(self) -> list[Node]:
        """As the source has them."""
        return self._source.nodes()

    def measures(self) -> dict[str, int]:
        """As the source has them."""
        return self._source.measures()

    def fields(self, node: str, start: float, end: float) -> tuple[dict[str, Field], dict[str, Timeline]]:
        """As the source has them."""
        return self._source.fields(node, start, end)

    def on_event(self, callback: Callable[[str, Node], None], /) -> None:
        """As the source tells."""
        self._source.on_event(callback)

    def on_lost(self, callback: Callable[[], None], /) -> None:
        """As the source tells."""
        self._source.on_lost(callback)

    # asking

    def ask(self, requests: Sequence[Request], deadline: float, take: Take | None = None, /) -> list[Reply]:
        """Answers to several requests, each within the deadline in seconds, whoever asked first."""
        questions = [question(request) if self._most else request for request in requests]
        new: dict[Request, Future[Reply]] = {}
        with self._turn:
            waiting = [self._find(each, new) for each in questions]
            self.shared += len(questions) - len(new)
        deadline = max(deadline, self._deadline)
        if new:
            self._ask(new, deadline)
        replies = [_wait(future, each, deadline) for future, each in zip(waiting, questions, strict=True)]
        whole = [
            reply if asked is request else _as_asked(reply, request)
            for reply, asked, request in zip(replies, questions, requests, strict=True)
        ]
        if take is not None:
            for request, reply in zip(requests, whole, strict=True):
                take(request, reply)
        return whole

    def anew(self, requests: Sequence[Request], deadline: float) -> list[Reply]:
        """What the nodes answer now, of exactly these windows: for who takes answers for more than a picture."""
        began = self._clock()

        def take(asked: Request, reply: Reply) -> None:
            self._answered(asked.node, reply, self._clock() - began)

        return self._source.ask(requests, deadline, take)

    def instant(
        self, t: float, targets: Iterable[str] | None, which: Which, *, ns: int | None, deadline: float | None
    ) -> dict[str, Reply]:
        """As the source answers."""
        return self._source.instant(t, targets, which, ns=ns, deadline=deadline)

    def _find(self, asked: Request, new: dict[Request, "Future[Reply]"]) -> "Future[Reply]":
        """Where the answer is or will be; `new` takes the question where nobody has asked it. Called in turn."""
        if asked in new:
            return new[asked]
        entry = self._entries.get(asked)
        if entry is not None and self._clock() < entry.until and self._source.connected:
            self._entries.move_to_end(asked)
            return entry.reply
        self._drop(asked)
        future = new[asked] = Future()
        self._entries[asked] = _Entry(future)
        return future

    def _ask(self, new: dict[Request, "Future[Reply]"], deadline: float) -> None:
        began = self._clock()

        def take(asked: Request, reply: Reply) -> None:
            self._answered(asked.node, reply, self._clock() - began)
            self._keep(asked, new[asked], reply)
            new[asked].set_result(reply)

        try:
            self._source.ask(list(new), deadline, take)
        except BaseException as error:
            for asked, future in new.items():
                if not future.done():
                    self._keep(asked, future, ConsumerError(str(error)))
                    future.set_exception(error)
            raise

    def _keep(self, asked: Request, future: "Future[Reply]", reply: Reply) -> None:
        """Keep the answer for as long as it is one, unless its node came or went meanwhile."""
        seconds = 0.0 if isinstance(reply, ConsumerError) else lasts(asked, reply)
        with self._turn:
            if (entry := self._entries.get(asked)) is None or entry.reply is not future:
                return
            if not seconds or isinstance(reply, ConsumerError):
                self._drop(asked)
                return
            size = _size(asked, reply)
            self._entries[asked] = _Entry(future, self._clock() + seconds, size)
            self._size += size
            while self._size > self._most:
                self._drop(next(iter(self._entries)))

    def _drop(self, asked: Request) -> None:
        entry = self._entries.pop(asked, None)
        self._size -= entry.size if entry is not None else 0

    def _forget(self) -> None:
        """What this principal may see can be less when it comes back."""
        with self._turn:
            self._entries.clear()
            self._size = 0

    def _hear(self, _: str, node: Node) -> None:
        """A node that comes may have another past."""
        with self._turn:
            for asked in [each for each in self._entries if each.node == node.name]:
                self._drop(asked)


def question(request: Request) -> Request:
    """The same for all who ask with nearly the same window for a screen: from edge to edge of bins, in ns."""
    start, end = _window(request)
    if request.max_points is None or request.bin is not None or start <= 0 or end <= start:
        return request
    method = request.reduce or "minmax"
    if method not in POINTS and method not in PER_BIN:  # it does not draw bins
        return request
    midnights, each, most = (
        method not in PER_BIN,
        len(POINTS.get(method, ("one",))),
        bins_of(method, request.max_points),
    )
    plain = grid(start, end, most, midnights=midnights)
    for spare in range(_SPARE):  # bins that the midnights in whole bins may take
        width = grid(start, end, max(1, most - spare), midnights=midnights).width
        whole = start - start % width, end + -end % width
        for cuts in {0, (whole[1] - 1) // DAY - whole[0] // DAY}:
            bins = (whole[1] - whole[0]) // width + cuts
            made = grid(*whole, bins + 1, midnights=midnights)  # for a grid of this width it has to be one more
            if made.width == width and made.cut >= plain.cut and made.cut == (cuts > 0) and bins <= most:
                return request._replace(start=0.0, end=0.0, ns=whole, max_points=each * (bins + 1))
    return request


def lasts(asked: Request, answer: Answer) -> float:
    """Seconds for which this is the answer: as long as it cannot change, or as nobody would see it on a screen."""
    start, end = _window(asked)
    there = {name.split(JOINT)[0] for part in answer.parts for name in part.points.columns}
    final = all((part.finalized_until or 0) >= end for part in answer.parts)
    if final and not answer.notices and there >= set(asked.fields):
        return _LONGEST
    width = asked.bin or ((end - start) / asked.max_points if asked.max_points else 0)
    return min(OLDEST, max(0.0, width / NS))


def _size(asked: Request, answer: Answer) -> int:
    """Bytes of an answer and its question, about."""
    size = _AN_ENTRY + sum(map(len, asked.fields))
    for part in answer.parts:
        size += _AN_ENTRY + _A_GAP * len(part.gaps) + 8 * len(part.points)
        for column in part.points.columns.values():
            texts = int(np.strings.str_len(column.values).sum()) if column.type == "string" else 0
            size += column.values.nbytes + texts + (0 if column.missing is None else column.missing.nbytes)
    return size


def _window(request: Request) -> tuple[int, int]:
    return request.ns or (to_ns(request.start), to_ns(request.end))


def _wait(future: "Future[Reply]", asked: Request, deadline: float) -> Reply:
    try:
        return future.result(deadline + _MARGIN)
    except TimeoutError:
        return NoAnswer(f"{asked.node} did not answer within {deadline:g} s")


def _as_asked(reply: Reply, request: Request) -> Reply:
    """The reply without samples that lie outside of what was asked for; points that stand for several may."""
    if isinstance(reply, ConsumerError) or request.max_points is None:
        return reply
    start, end = _window(request)
    return replace(reply, parts=tuple(_within(part, start, end, reply.method) for part in reply.parts))


def _within(part: Part, start: int, end: int, method: str) -> Part:
    of_bins = method in PER_BIN and part.points.timeline.endswith(
        f"{JOINT}{method}"
    )  # which begin before their samples
    if of_bins or part.samples != len(part.points):
        return part
    points = part.points.between(start, end)
    return part._replace(points=points, samples=len(points))
