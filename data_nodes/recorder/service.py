"""A recorder at work: which nodes it pulls from, what it offers, and how it tells of itself."""

import asyncio
import contextlib
import logging
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data_nodes.recorder.keeping import Keeping
from data_nodes.recorder.offering import Offering
from data_nodes.recorder.pulling import Puller
from sisock.consumer import Consumer
from sisock.errors import ConsumerError
from sisock.frames import Frame
from sisock.keys import Key
from sisock.nodes import health
from sisock.nodes.base import Opener, Publish
from sisock.nodes.live import LiveService
from sisock.settings import Settings
from sisock.store.keeper import Keeper

if TYPE_CHECKING:
    from data_nodes.recorder.node import Recorder

log = logging.getLogger(__name__)
_LOOK = 2.0  # seconds between looks which nodes there are


class RecorderService(LiveService):
    """Pulls, keeps and answers; its own fields are those of a live node."""

    kind = "recorder"

    def __init__(self, node: "Recorder", *, ring: int, journal: Opener | None) -> None:
        """Begin when `join` has said where the router is."""
        super().__init__(node, ring=ring, journal=journal)
        self._recorder = node
        self._pullers: dict[str, tuple[Puller, asyncio.Task[None]]] = {}
        self._settings: Settings | None = None
        self._keeping: Keeping | None = None
        self._seen = (time.monotonic(), 0)

    def join(self, settings: Settings, key: Key) -> None:
        """Know where the router is, and open the archive. Raises ArchiveError where another process has it."""
        self._settings, self._key = settings, key
        self.folder = Path(self._recorder.folder or settings.archive or settings.state / "archive").expanduser()

    async def run(self, publish: Publish) -> None:
        """Record until cancelled."""
        assert self._settings is not None  # by the contract of whoever serves it
        settings, node = self._settings, self._recorder
        keeper = await asyncio.to_thread(
            Keeper, self.folder, settings.archive_segments, flush_age=node.flush_age, keep=node.keep
        )
        for notice in keeper.archive.notices:
            log.warning("%s: %s", self.name, notice)
        keeping = self._keeping = Keeping(keeper)
        node.figures = self._figures
        async with keeping.at_work(), Consumer(settings, self.name, self._key) as lab, asyncio.TaskGroup() as tasks:
            tasks.create_task(Offering(keeping, settings, self.name, self._key).run())
            tasks.create_task(self._follow(lab, keeping))
            tasks.create_task(super().run(publish))

    async def _follow(self, lab: Consumer, keeping: Keeping) -> None:
        """Pull from every node that is chosen while it is up."""
        try:
            while True:
                with contextlib.suppress(ConsumerError):
                    for node in await lab.nodes():
                        if node.state == "up" and node.name not in self._pullers and self._recorder.choice(node):
                            puller = Puller(lab, keeping, node)
                            self._pullers[node.name] = puller, asyncio.create_task(self._pull(puller, node.name))
                await asyncio.sleep(_LOOK)
        finally:
            tasks = [task for _, task in self._pullers.values()]
            for task in tasks:
                task.cancel()
            if tasks:
                await asyncio.wait(tasks, timeout=2)

    async def _pull(self, puller: Puller, name: str) -> None:
        try:
            await puller.run()
        except ConsumerError as error:
            log.info("%s: %s", self.name, error)
        except Exception:
            log.exception("%s: %s is not recorded for now: a program error", self.name, name)
        finally:
            self._pullers.pop(name, None)

    # how it is

    def _figures(self) -> dict[str, Any]:
        keeping = self._keeping
        assert keeping is not None  # set before
        archive = keeping.keeper.archive
        timelines = archive.timelines()
        counts = [series.counts for series in timelines]
        now, (then, before) = time.monotonic(), self._seen
        self._seen = now, keeping.taken
        done = [puller.done_at for puller, _ in list(self._pullers.values())]
        return {
            "rate": (keeping.taken - before) / max(1e-3, now - then),
            "samples": keeping.taken,
            "nodes": len(done),
            "lag": now - min(done, default=now),
            "waiting": archive.weight,
            "disk": sum(series.nbytes for series in timelines),
            "free": shutil.disk_usage(self.folder).free,
            "doubles": sum(each.get("doubles", 0) for each in counts),
            "refused": sum(each.get("refused", 0) for each in counts),
            "dropped": keeping.keeper.dropped,
            "lost": keeping.lost,
            "flush": keeping.flush_took,
        }

    def _outcome(self, attempt: "asyncio.Future[Any]") -> tuple[list[Frame], health.State, str | None]:
        """As of any live node; but what is wrong with the recording is told beside the figures."""
        frames, state, error = super()._outcome(attempt)
        keeping = self._keeping
        if state == "ok" and keeping is not None and (keeping.trouble or keeping.progress):
            return frames, "failed" if keeping.trouble else "ok", keeping.trouble or keeping.progress
        return frames, state, error
