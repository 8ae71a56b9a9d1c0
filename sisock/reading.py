"""What nodes answer, or their archives while they are away."""

import asyncio
import contextlib
import math
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from sisock import lists, nearest, times, wire
from sisock.calls import Absent, Calls, decoded
from sisock.errors import ConsumerError, TooLarge
from sisock.frames import Answer, Field, Timeline
from sisock.listing import Node
from sisock.lists import Asked
from sisock.nodes import health
from sisock.nodes.query import parse_sample

T = TypeVar("T")
Ask = Callable[..., Awaitable[Any]]  # `Calls.node` or `Calls.archive`
_AT_ONCE = 1.0  # seconds
_FRESH = 5.0  # seconds for which a node that was away is thought to be, and what was told of it is not asked again


class Reading:
    """Asks nodes in typed columns, those in the old way in lists; `kept`: asks the archive of a node that is away."""

    def __init__(self, calls: Calls) -> None:
        """Ask by these calls."""
        self._calls = calls
        self._notices: dict[tuple[str, ...], tuple[float, str]] = {}  # node and fields -> when it was told, and what
        self._absent: dict[str, float] = {}  # nodes that were away though their archive was there -> when
        self._ours: dict[str, bool] = {}  # nodes that are known to answer in typed columns, or not to

    def changed(self, node: str | None = None) -> None:
        """Forget what is known of a node that has come or gone, or of all."""
        for known in (self._ours, self._absent):
            if node is None:
                known.clear()
            else:
                known.pop(node, None)

    async def is_ours(self, node: str) -> bool:
        """True if the node answers in typed columns. Raises Absent."""
        if node not in self._ours:
            known = await lists.fields(self._calls, node)
            self._ours[node] = known.get("health.state", Field()).timeline == health.TIMELINE
        return self._ours[node]

    async def fields(
        self, node: str, start: float, end: float, *, kept: bool = True
    ) -> tuple[dict[str, Field], dict[str, Timeline]]:
        """The fields of a node and its timelines."""

        async def asked(ask: Ask) -> tuple[dict[str, Field], dict[str, Timeline]]:
            return decoded(node, wire.decode_fields, await ask(node, "get_fields", start, end))

        return await self._or_kept(node, lambda: asked(self._calls.node), lambda: asked(self._calls.archive), kept=kept)

    async def data(
        self, node: str, asked: Asked, deadline: float | None, *, kept: bool = True, in_parts: bool = True
    ) -> Answer:
        """Samples, reduced as asked. An answer that is too large raises TooLarge: without `in_parts` for one message."""

        async def typed(ask: Ask) -> Answer:
            parts: list[Any] = []
            ahead = {"on_progress": parts.append} if in_parts else {}
            last = await ask(
                node, "get_data", list(asked.fields), asked.start, asked.end, asked.min_stride,
                deadline=deadline, columns="typed", **ahead, **asked.options,
            )  # fmt: skip
            return wire.assemble([_answer(node, part) for part in (*parts, last)])

        async def of_node() -> Answer:
            if await self.is_ours(node):
                return await typed(self._calls.node)
            return await lists.data(self._calls, node, asked, deadline)

        async def of_archive() -> Answer:
            return await self._noticed(node, asked.fields, await typed(self._calls.archive))

        return await self._or_kept(node, of_node, of_archive, kept=kept)

    async def sample(
        self, node: str, fields: Sequence[str], t: float, which: nearest.Which, ns: int | None, deadline: float | None
    ) -> Answer:
        """The samples of the fields that are nearest to an instant."""
        exact = {} if ns is None else {"ns": ns}

        async def typed(ask: Ask) -> Answer:
            return _answer(node, await ask(node, "get_sample", list(fields), t, which, deadline=deadline, **exact))

        async def of_node() -> Answer:
            if await self.is_ours(node):
                return await typed(self._calls.node)
            names, at, side = parse_sample(list(fields), t, which, **exact, now=time.time_ns())
            return await lists.sample(self._calls, node, names, at, side, deadline)

        async def of_archive() -> Answer:
            return await self._noticed(node, fields, await typed(self._calls.archive))

        return await self._or_kept(node, of_node, of_archive)

    async def _or_kept(
        self,
        node: str,
        of_node: Callable[[], Awaitable[T]],
        of_archive: Callable[[], Awaitable[T]],
        *,
        kept: bool = True,
    ) -> T:
        """What the node answers; where it is away what its archive does, or NodeAway where there is none."""
        if kept and time.monotonic() - self._absent.get(node, -math.inf) < _FRESH:
            with contextlib.suppress(Absent):
                return await of_archive()
        try:
            return await of_node()
        except Absent as absent:
            with contextlib.suppress(Absent):  # what is missed is the node
                if kept:
                    answer = await of_archive()
                    self._absent[node] = time.monotonic()
                    return answer
            raise await self._calls.why_absent(node) from absent

    async def _noticed(self, node: str, fields: Sequence[str], answer: Answer) -> Answer:
        """An archive's answer with a notice that says so."""
        now, about = time.monotonic(), (node, *sorted(fields))
        told, notice = self._notices.get(about, (-math.inf, ""))
        if now - told > _FRESH:
            notice = await self._away(node, fields)
            self._notices = {key: each for key, each in self._notices.items() if now - each[0] <= _FRESH}
            self._notices[about] = now, notice
        return replace(answer, notices=(notice, *answer.notices))

    async def _away(self, node: str, fields: Sequence[str]) -> str:
        """A sentence on a node that is away, or on what was imported and never was a node."""
        listed, last = await asyncio.gather(_soon(lambda: self._listed(node)), _soon(lambda: self._last(node, fields)))
        until = max((part.finalized_until or 0 for part in last.parts), default=0) if last is not None else 0
        recorded = f" until {times.utc(until)}" if until else ""
        if last is not None and _is_imported(listed, last):
            return f"{node} is imported;{recorded}" if until else f"{node} is imported"
        away = f"{node} is away since {times.utc(listed.since)}" if listed is not None else f"{node} is away"
        return f"{away}; this is what was recorded{recorded}"

    async def _listed(self, node: str) -> Node | None:
        """The node as the hub knows it."""
        return next((each for each in await self._calls.nodes() if each.name == node), None)

    async def _last(self, node: str, fields: Sequence[str]) -> Answer:
        """How far the timelines of these fields go, whatever the values there, and whose samples these are."""
        options: dict[str, Any] = {"max_points": 1, "reduce": "count", "columns": "typed"}
        options["ns"] = [times.FIRST, times.LAST]
        return _answer(node, await self._calls.archive(node, "get_data", list(fields), 1, 0, **options))


def _is_imported(listed: Node | None, last: Answer) -> bool:
    """Whether samples are of no node: they have no identity, and none ever said to the hub what it is."""
    nobody = listed is None or not (listed.description or listed.info)
    return nobody and bool(last.parts) and all(part.points.epoch is None for part in last.parts)


async def _soon(ask: Callable[[], Awaitable[T]]) -> T | None:
    """What would be good to know, if it can be known at once. It is asked from here: who is cancelled before asks nothing."""
    try:
        return await asyncio.wait_for(ask(), _AT_ONCE)
    except (TimeoutError, Absent, ConsumerError):
        return None


def _answer(node: str, coded: Any) -> Answer:
    """A typed answer as it came."""
    if coded is False:
        raise TooLarge(f"the answer of {node} would be too large: ask for fewer fields, less time or max_points")
    return decoded(node, wire.decode_answer, coded)
