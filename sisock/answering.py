"""Answers to the calls of consumers: what a node, or whoever keeps its past, says to `get_fields`, `get_data`, `get_sample`."""

import asyncio
import logging
import time
from collections.abc import Coroutine, Sequence
from typing import Any, Protocol, TypeVar

from sisock import sizes, times, wire
from sisock.frames import Answer, Field, Query, Timeline
from sisock.nearest import Which
from sisock.nodes.query import parse_query, parse_sample
from sisock.reduction import TooMuchError
from sisock.store.journal import JournalError
from sisock.wamp import Call, Link, WampError

T = TypeVar("T")
log = logging.getLogger(__name__)
MOST_PARTS = 64  # messages in which one answer may travel: it lies in memory as long


class Source(Protocol):
    """What is asked; it may raise WampError, and TooMuchError for what a caller must not ask."""

    async def get_fields(self, start: int, end: int) -> tuple[dict[str, Field], dict[str, Timeline]]:
        """What there is between two times in ns."""

    async def get_data(self, query: Query) -> Answer:
        """Samples as the query asks."""

    async def get_sample(self, fields: Sequence[str], t: int, which: Which) -> Answer:
        """The sample of each field that is nearest to an instant."""


class Answering:
    """Calls handed to a source, and its answers as they travel."""

    def __init__(self, name: str, source: Source, link: Link) -> None:
        """Answer through this link; the name is for what is said of errors."""
        self._name, self._source, self._link = name, source, link

    async def get_fields(self, call: Call) -> Any:
        if len(call.args) != 2 or call.kwargs:
            raise WampError("bad_request", "get_fields takes two times, start and end, in seconds")
        try:
            start, end = times.window(*call.args, time.time_ns())
        except ValueError as error:
            raise WampError("bad_request", str(error)) from error
        return wire.encode_fields(*await self.asked(self._source.get_fields(start, end)))

    async def get_data(self, call: Call) -> Any:
        options = dict(call.kwargs)
        columns = options.pop("columns", "list")
        try:
            if columns not in ("list", "typed"):
                raise ValueError(f"columns={columns!r:.80} is unknown: use 'list' or 'typed'")
            query = parse_query(*call.args, **options, now=time.time_ns())
        except (TypeError, ValueError) as error:
            raise WampError("bad_request", str(error).removeprefix("parse_query() ")) from error
        answer = await self.asked(self._source.get_data(query))
        return self._in_lists(answer, query.fields) if columns == "list" else await self._typed(answer, call)

    async def get_sample(self, call: Call) -> Any:
        try:
            fields, t, which = parse_sample(*call.args, **call.kwargs, now=time.time_ns())
        except (TypeError, ValueError) as error:
            raise WampError("bad_request", str(error).removeprefix("parse_sample() ")) from error
        return wire.encode_answer(await self.asked(self._source.get_sample(fields, t, which)))

    async def asked(self, asking: Coroutine[Any, Any, T]) -> T:
        """What the service answers. That too much was asked is the caller's error; any other is ours."""
        try:
            return await asking
        except WampError:
            raise
        except TooMuchError as error:
            raise WampError("bad_request", str(error)) from error
        except JournalError as error:
            raise WampError("failed", str(error)) from error
        except Exception as error:
            log.exception("%s: a program error", self._name)
            raise WampError("failed", f"{self._name} has a program error: {error!r:.200}; see its log") from error

    def _in_lists(self, answer: Answer, fields: tuple[str, ...]) -> Any:
        return wire.to_lists(answer, fields) if sizes.size(answer, lists=fields) <= self._link.limit else False

    async def _typed(self, answer: Answer, call: Call) -> Any:
        """The answer, or its last part after the others went ahead; False to a caller that takes no parts.

        A part is sent when the router has taken those before; nothing more is sent to a caller that has given up.
        """
        try:
            *ahead, last = sizes.split(answer, self._link.limit)
        except ValueError as error:
            raise WampError("failed", str(error)) from error
        if ahead and call.progress is None:
            return False
        if len(ahead) >= MOST_PARTS:
            size = sizes.size(answer) // 2**20
            raise WampError("failed", f"the answer would be {size} MiB: ask for less time, fewer fields or max_points")
        for number, part in enumerate(ahead):
            assert call.progress is not None  # checked above
            call.progress(wire.encode_answer(part))
            try:
                await self._link.drained()
            except asyncio.CancelledError:  # by the router, for the caller
                log.debug("%s: given up after %d parts of %d", self._name, number + 1, len(ahead) + 1)
                raise
        return wire.encode_answer(last)
