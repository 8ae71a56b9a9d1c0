"""The Python client without async: for notebooks, scripts and threads."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable, Iterator, Sequence
from concurrent.futures import Future, wait
from types import TracebackType
from typing import Any, Self, TypeVar

from sisock import settings
from sisock.consumer import Consumer, Node, Request
from sisock.errors import ConsumerError
from sisock.frames import Answer, Field, Frame, Timeline
from sisock.keys import Key, Ticket
from sisock.nearest import Which
from sisock.settings import Settings

T = TypeVar("T")
_PATIENCE = 2.0  # seconds for what was cancelled to end


class BlockingConsumer:
    """The same without async, for notebooks, scripts and threads: it keeps an event loop in a thread of its own."""

    def __init__(self, settings: Settings, name: str | None = None, key: Key | Ticket | None = None) -> None:
        """Connect as `Consumer` does; use it in a `with`, or `close` it."""
        self._turn, self._ended = threading.Lock(), False
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=f"consumer-{name or ''}", daemon=True)
        self._thread.start()
        try:
            self._consumer = self._do(self._start(settings, name, key))
        except BaseException:
            self._stop()
            raise

    async def _start(self, settings: Settings, name: str | None, key: Key | Ticket | None) -> Consumer:
        return await Consumer(settings, name, key).__aenter__()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Leave the router and end the thread."""
        with self._turn:
            if self._ended:
                return
            self._ended = True
            ending = asyncio.run_coroutine_threadsafe(self._end(), self._loop)
        ending.result()
        self._stop()

    async def _end(self) -> None:
        """Leave, and cancel whatever still goes on."""
        await self._consumer.__aexit__(None, None, None)
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        if others:
            await asyncio.wait(others, timeout=_PATIENCE)

    def _stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        """Do it in the loop's thread; an interrupt (Ctrl-C) here ends it there."""
        done: Future[T] = Future()
        tasks: list[asyncio.Task[None]] = []

        async def doing() -> None:
            try:
                done.set_result(await work)
            except asyncio.CancelledError:
                done.cancel()
            except BaseException as error:  # noqa: BLE001  # whatever it is, it is raised where the caller waits
                done.set_exception(error)

        def begin() -> None:
            tasks.append(self._loop.create_task(doing()))

        def end() -> None:
            tasks[0].cancel()

        with self._turn:  # what begins before the end is ended by it, nothing begins after
            if self._ended:
                work.close()
                raise ConsumerError("this consumer is closed: make another")
            self._loop.call_soon_threadsafe(begin)
        try:
            return done.result()
        except BaseException:
            if not done.done():
                self._loop.call_soon_threadsafe(end)
                wait({done}, _PATIENCE)
            raise

    @property
    def refused(self) -> bool:
        """True if the router did not let this consumer in the last time it tried."""
        return self._consumer.refused

    @property
    def connected(self) -> bool:
        """True while joined to the router."""
        return self._consumer.connected

    def nodes(self) -> list[Node]:
        """As `Consumer.nodes`."""
        return self._do(self._consumer.nodes())

    def measures(self) -> dict[str, int]:
        """As `Consumer.measures`."""
        return self._do(self._consumer.measures())

    def fields(self, node: str, start: float = 0, end: float = 0) -> tuple[dict[str, Field], dict[str, Timeline]]:
        """As `Consumer.fields`."""
        return self._do(self._consumer.fields(node, start, end))

    def data(
        self,
        node: str,
        fields: Sequence[str],
        start: float = -3600.0,
        end: float = 0.0,
        *,
        max_points: int | None = None,
        reduce: str | None = None,
        min_stride: float | None = None,
        bin: int | None = None,  # noqa: A002  # as there
        ns: tuple[int, int] | None = None,
        deadline: float | None = None,
    ) -> Answer:
        """As `Consumer.data`."""
        asking = self._consumer.data(
            node, fields, start, end, max_points=max_points, reduce=reduce, min_stride=min_stride, bin=bin, ns=ns,
            deadline=deadline,
        )  # fmt: skip
        return self._do(asking)

    def sample(
        self,
        node: str,
        fields: Sequence[str],
        t: float = 0.0,
        which: Which = "at",
        *,
        ns: int | None = None,
        deadline: float | None = None,
    ) -> Answer:
        """As `Consumer.sample`."""
        return self._do(self._consumer.sample(node, fields, t, which, ns=ns, deadline=deadline))

    def instant(
        self,
        t: float = 0.0,
        targets: Iterable[str] | None = None,
        which: Which = "at",
        *,
        ns: int | None = None,
        deadline: float | None = None,
    ) -> dict[str, Answer | ConsumerError]:
        """As `Consumer.instant`."""
        return self._do(self._consumer.instant(t, targets, which, ns=ns, deadline=deadline))

    def ask(
        self,
        requests: Sequence[Request],
        deadline: float,
        take: Callable[[Request, Answer | ConsumerError], None] | None = None,
    ) -> list[Answer | ConsumerError]:
        """As `Consumer.ask`; `take` is called in the consumer's thread."""
        return self._do(self._consumer.ask(requests, deadline, take))

    def live(self, node: str, fields: Sequence[str] | None = None, last: float = 0.0) -> Iterator[Frame]:
        """As `Consumer.live`."""
        return self._each(self._consumer.live(node, fields, last))

    def live_bins(
        self, node: str, fields: Sequence[str], width: float, *, reduce: str = "band", last: float = 0.0,
        every: float | None = None,
    ) -> Iterator[Answer]:  # fmt: skip
        """As `Consumer.live_bins`."""
        return self._each(self._consumer.live_bins(node, fields, width, reduce=reduce, last=last, every=every))

    def events(self) -> Iterator[tuple[str, Node]]:
        """As `Consumer.events`."""
        return self._each(self._consumer.events())

    def on_lost(self, callback: Callable[[], None]) -> None:
        """Call back, from the consumer's own thread, whenever the connection is lost."""

        async def listen() -> None:
            self._consumer.on_lost(callback)

        self._do(listen())

    def on_event(self, call: Callable[[str, Node], None]) -> None:
        """Call with `"added" | "subtracted"` and the node, in the consumer's thread, as nodes come and go."""

        async def tell() -> None:
            async for what, node in self._consumer.events():
                call(what, node)

        self._telling = asyncio.run_coroutine_threadsafe(tell(), self._loop)

    def _each(self, source: AsyncGenerator[T, None]) -> Iterator[T]:
        try:
            while True:
                yield self._do(_next(source))
        finally:
            if not self._ended:
                self._do(source.aclose())


async def _next(source: AsyncGenerator[T, None]) -> T:
    return await anext(source)


def connect(name: str | None = None, **given: Any) -> BlockingConsumer:
    """A consumer that joins as `name`, with the settings of the environment; `given` ones come first."""
    return BlockingConsumer(settings.read(**given), name)
