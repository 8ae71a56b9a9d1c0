"""A file to follow: each line that is added to it, once."""

import asyncio
from collections.abc import Callable
from typing import Any

from data_nodes.sources.following import Batch, Follower
from data_nodes.sources.lined import Lined
from sisock.nodes import Intake

_LOOK = 0.25  # seconds from one look at the file to the next
_WITHIN = 10.0  # seconds that a look may take
_NOTE = "place"


class File(Lined):
    """The lines of a file."""

    async def receive(self, intake: Intake) -> None:
        """Follow it from where the last start came to."""
        path, said = self.spec.path("file"), self.spec.options
        assert path is not None  # it is a file
        place = intake.notes.get(_NOTE)
        follower = Follower(path, said["longest"], "last" if self.on_trial else said["begin"])
        try:
            await self._look(follower.resume, place)
            if place is None:
                await self.lines(intake, (), notes={_NOTE: follower.place})
            while True:
                try:
                    await self._next(intake, follower)
                except FileNotFoundError:
                    intake.tell("no data", f"there is no file {path} yet")
                    await asyncio.sleep(_LOOK)
        finally:
            follower.close()

    async def _next(self, intake: Intake, follower: Follower) -> None:
        batch: Batch = await self._look(follower.read)
        if batch:
            head = batch.head.decode(self.spec.options.get("encoding", "utf-8"), "replace")
            await self.lines(intake, batch.lines, batch.refused, {_NOTE: batch.place}, head)
        else:
            await asyncio.sleep(_LOOK)

    async def _look(self, function: Callable[..., Any], *args: Any) -> Any:
        async with asyncio.timeout(_WITHIN):
            return await self.thread.run(function, *args)
