"""Keeps the past of other nodes, and answers for it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from data_nodes.recorder.choice import Choice
from sisock import extras
from sisock.frames import Field
from sisock.nodes import LiveNode
from sisock.nodes.base import RING, Opener, Service
from sisock.store.retention import Keep

FIELDS = {
    "rate": Field("recorded since the last look", units="samples/s"),
    "samples": Field("recorded since the recorder was started", units="samples"),
    "nodes": Field("nodes that are recorded now", units="nodes"),
    "lag": Field("since the last time that everything of every node was recorded", units="s"),
    "waiting": Field("recorded, and not yet in segments", units="B"),
    "disk": Field("segments and tiers on disk", units="B"),
    "free": Field("free on that disk", units="B"),
    "doubles": Field("samples that came twice, and are kept once", units="samples"),
    "refused": Field("samples at times that no clock can mean", units="samples"),
    "dropped": Field("samples that were let go, as `keep` says, since the recorder was started", units="samples"),
    "lost": Field("samples that nodes had to let go before they were recorded", units="samples"),
    "flush": Field("how long the last writing took", units="s"),
}


class Recorder(LiveNode):
    """Keeps the past of other nodes on disk, and answers for it while they are up, away or gone."""

    name = "recorder"
    role = "recorder"
    fields = FIELDS

    def __init__(
        self,
        *,
        only: Sequence[str] = (),
        but: Sequence[str] = (),
        folder: str | Path = "",
        keep: Mapping[str, Mapping[str, str]] | None = None,
        flush_age: float = 3600.0,
        interval: float = 1.0,
    ) -> None:
        """Record the nodes that match a pattern of `only` (else all but sensitive ones and archives) and none of `but`.

        `keep`: by pattern, how long their samples (`raw`) and bins (`bins`) are kept, and how much (`quota`).
        """
        self.interval = interval
        self.keep = Keep(keep)
        self.choice = Choice(tuple(only), tuple(but))
        self.folder, self.flush_age = folder, flush_age
        self.figures: Any = dict

    def sample(self) -> Any:
        """How the recording goes."""
        return self.figures()

    def service(self, *, ring: int = RING, journal: Opener | None = None) -> Service:
        """This node at work. Raises ImportError where pyarrow is not installed: who only asks for its role needs none."""
        try:
            from data_nodes.recorder.service import RecorderService
        except ImportError as error:
            raise ImportError(f"the node 'recorder' needs pyarrow: {extras.command('archive')}") from error
        return RecorderService(self, ring=ring, journal=journal)
