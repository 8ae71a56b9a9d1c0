"""The samples of one request, brought together from its pieces: it is kept as a whole, or not at all."""

from collections.abc import Iterable

from data_nodes.ingest.bodies import Refusal
from data_nodes.joining import joined
from sisock.frames import Frame

_MOST = 10_000  # frames that a node takes at once
_MANY = 10_000  # that are left apart


class Together:
    """Frames, those of one timeline with the same columns as one."""

    def __init__(self) -> None:
        """Begin with none."""
        self._frames: list[Frame] = []
        self._kinds = 0  # frames that were left when they were brought together

    def add(self, frames: Iterable[Frame]) -> None:
        """Add some. Raises Refusal where there are too many that cannot be one."""
        self._frames += frames
        if len(self._frames) > 2 * self._kinds + _MANY:
            self.frames()

    def frames(self) -> list[Frame]:
        """All of them. Raises as `add` does."""
        self._frames = joined(self._frames)
        self._kinds = len(self._frames)
        if self._kinds > _MOST:
            raise Refusal(413, f"the lines of a body may have {_MOST} kinds of series and fields: send it in several")
        return self._frames
