"""A node's own past, asked of the recorder that keeps it."""

import logging
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from sisock import wire
from sisock.frames import Answer, Field, Query, Timeline
from sisock.nearest import Which
from sisock.wamp import Link, WampError

T = TypeVar("T")
log = logging.getLogger(__name__)
_PATIENCE = 2.5  # seconds that a recorder may take: who asked the node waits for both
_AGAIN = 5.0  # seconds before a recorder that is not there is looked for again
_KNOWN = 10.0  # seconds for which fields are remembered


class Kept:
    """Asks `P.archive.<name>` through the node's own link; None where no recorder offers it, or does not answer in time."""

    def __init__(self, link: Link, name: str) -> None:
        """Ask for the past of the node of this name."""
        self._link, self._name = link, name
        self._absent_until = 0.0
        self._fields: tuple[float, tuple[dict[str, Field], dict[str, Timeline]]] | None = None

    async def get_fields(self, start: int, end: int) -> tuple[dict[str, Field], dict[str, Timeline]] | None:
        """The fields and timelines that are kept; those of no time at all are remembered for a while."""
        now = time.monotonic()
        if start == end and self._fields is not None and now - self._fields[0] < _KNOWN:
            return self._fields[1]
        found = await self._ask("get_fields", wire.decode_fields, start / 1e9, end / 1e9)
        if found is not None and start == end:
            self._fields = now, found
        return found

    async def get_data(self, query: Query) -> Answer | None:
        """Samples as the query asks; each part tells how far it goes."""
        given = {"max_points": query.max_points, "reduce": query.reduce, "bin": query.bin}
        options: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
        if query.since:
            options["since"] = {timeline: list(since) for timeline, since in query.since.items()}
        if query.statistics:
            options["statistics"] = list(query.statistics)
        stride = None if query.min_stride is None else query.min_stride / 1e9
        parts: list[Any] = []

        def decode(last: Any) -> Answer:
            return wire.assemble([wire.decode_answer(part) for part in (*parts, last)])

        return await self._ask(
            "get_data", decode, list(query.fields), 0, 0, stride, ns=[query.start, query.end], columns="typed",
            on_progress=parts.append, **options,
        )  # fmt: skip

    async def get_sample(self, fields: Sequence[str], t: int, which: Which) -> Answer | None:
        """The sample of each field that is nearest to an instant."""
        return await self._ask("get_sample", wire.decode_answer, list(fields), 0.0, which, ns=t)

    async def _ask(self, what: str, decode: Callable[[Any], T], *args: Any, **options: Any) -> T | None:
        if time.monotonic() < self._absent_until or not self._link.joined.is_set():
            return None
        uri = self._link.settings.uris.archive(self._name, what)
        try:
            return decode(await self._link.call(uri, *args, deadline=_PATIENCE, **options))
        except WampError as error:
            if error.kind == "bad_request":  # to blame is the query, not the recorder: who asked is told
                raise
            absent = error.kind in ("no_such_procedure", "not_authorized")
            self._absent_until = time.monotonic() + (_AGAIN if absent else 1.0)
            if not absent and error.kind != "lost":  # that the link is lost is told where it happens
                log.warning("%s: what is kept of it is not to be had: %s", self._name, error)
        except wire.WireError as error:
            log.warning("%s: the recorder answers nonsense: %s", self._name, error)
        return None
