"""A timeline while its tiers are being built: what is not in them yet is answered from the samples, if these are few."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

from data_nodes.files.pieces import Pieces
from data_nodes.files.timeline import FileTimeline
from sisock.frames import Field
from sisock.store.tiers import Kept, Span, Tiers

_MOST = 4_000_000  # values that are read for an answer beside the tiers


class Lately:
    """What `sisock.store.recorded.Recorded` wants, for one question."""

    def __init__(self, timeline: FileTimeline, span: Span, fields: int) -> None:
        """Ask so many fields of a timeline in a stretch of time."""
        self._of = timeline
        late = timeline.lately().only_waiting()
        self.whole = late.rows_within(*span) * max(1, fields) <= _MOST  # whether nothing is left out
        numbers = {name for each in late.every for name, (_, kind) in each.fields.items() if kind != "text"}
        self.kinds: Mapping[str, Mapping[str, Kept]] = {**{name: {} for name in numbers}, **timeline.kinds}

    @property
    def timeline(self) -> str:
        """Its name."""
        return self._of.timeline

    @property
    def fields(self) -> Mapping[str, Field]:
        """All fields it has."""
        return self._of.fields

    @property
    def tiers(self) -> Tiers:
        """Its tiers, as far as they are built."""
        return self._of.tiers

    @property
    def lock(self) -> AbstractContextManager[Any]:
        """Held while tiers and samples have to be of one moment."""
        return self._of.lock

    def snapshot(self) -> Pieces:
        """What there is now."""
        return self._of.lately() if self.whole else self._of.snapshot()

    def asked(self, names: Sequence[str]) -> list[tuple[str, Kept]]:
        """Those of the fields that have tiers."""
        return self._of.asked(names)
