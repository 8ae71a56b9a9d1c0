"""What is kept of each node, offered under its archive's name; a second recorder waits until the first is gone."""

import asyncio
import logging
from collections.abc import Sequence

from data_nodes.recorder.keeping import Keeping
from sisock.answering import Answering
from sisock.frames import Answer, Field, Query, Timeline
from sisock.keys import Key
from sisock.nearest import Which
from sisock.nodes.base import timelines_of
from sisock.settings import Settings
from sisock.times import NS
from sisock.wamp import Link, WampError

log = logging.getLogger(__name__)
_LOOK = 2.0  # seconds between looks for nodes that are new, or that another recorder offers no more


class Past:
    """What is kept of one node."""

    def __init__(self, name: str, keeping: Keeping) -> None:
        """Answer for the node of this name."""
        self._name, self._keeping = name, keeping

    async def get_fields(self, start: int, end: int) -> tuple[dict[str, Field], dict[str, Timeline]]:
        """All fields; the intervals are about those of the samples between the two times."""
        archive = self._keeping.keeper.archive
        intervals: dict[str, float | None] = {}
        for series in archive.timelines(self._name):
            snapshot = series.snapshot()
            ends = snapshot.ends()
            if ends is not None and start < end:
                span = max(start, ends[0]), min(end, ends[1])
                rows = snapshot.rows_within(*span) if span[0] < span[1] else 0
                intervals[series.timeline] = (span[1] - span[0]) / NS / rows if rows > 1 else None
        return (fields := archive.fields(self._name)), timelines_of(fields, intervals.get)

    async def get_data(self, query: Query) -> Answer:
        """Samples as the query asks."""
        answer: Answer = await self._keeping.answer(self._name, query)
        return answer

    async def get_sample(self, fields: Sequence[str], t: int, which: Which) -> Answer:
        """The sample of each field that is nearest to an instant."""
        answer: Answer = await self._keeping.sample(self._name, fields, t, which)
        return answer


class Offering:
    """The archives' procedures at the router."""

    def __init__(self, keeping: Keeping, settings: Settings, name: str, key: Key) -> None:
        """Offer as the principal of this name."""
        self._keeping = keeping
        self._link = Link(settings, name, key, self._joined)
        self._offered: set[str] = set()
        self._others: set[str] = set()  # those that another recorder offers

    async def run(self) -> None:
        """Offer what there is, and what comes, until cancelled."""
        link = asyncio.ensure_future(self._link.run())
        try:
            while not link.done():
                if self._link.joined.is_set():
                    await self._offer_all()
                await asyncio.sleep(_LOOK)
            link.result()
        finally:
            await self._link.leave()
            link.cancel()

    async def _joined(self, link: Link) -> None:
        self._offered.clear()
        await self._offer_all()

    async def _offer_all(self) -> None:
        for name in self._keeping.keeper.archive.nodes():
            if name not in self._offered:
                await self._offer(name)

    async def _offer(self, name: str) -> None:
        link, uris = self._link, self._link.settings.uris
        answering = Answering(f"the archive of {name}", Past(name, self._keeping), link)
        try:
            await link.register(uris.archive(name, "get_data"), answering.get_data, sized=True)
            await link.register(uris.archive(name, "get_fields"), answering.get_fields)
            await link.register(uris.archive(name, "get_sample"), answering.get_sample)
        except WampError as error:
            if name not in self._others:
                taken = error.kind == "procedure_already_exists"
                log.info("recorder: %s: %s", name, "another recorder answers for it" if taken else error)
            self._others.add(name)
            return
        self._offered.add(name)
        self._others.discard(name)
