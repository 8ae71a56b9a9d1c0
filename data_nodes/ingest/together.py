"""The samples of one request, brought together from its pieces: it is kept as a whole, or not at all."""

from collections.abc import Iterable

from data_nodes.ingest.bodies import Refusal
from data_nodes.joining import Kind, kind
from sisock.frames import Frame, concat

_MOST = 10_000  # frames that a node takes at once
_MANY = 10_000  # that are left apart


class Together:
    """Frames, those of one timeline with the same columns as one."""

    def __init__(self) -> None:
        """Begin with none."""
        self._parts: dict[Kind, list[Frame]] = {}
        self._count = 0

    def add(self, frames: Iterable[Frame]) -> None:
        """Add some. Raises Refusal where there are too many that cannot be one."""
        for frame in frames:
            self._parts.setdefault(kind(frame), []).append(frame)
            self._count += 1
        if self._count > 2 * len(self._parts) + _MANY:
            self.frames()
        if len(self._parts) > _MOST:
            raise Refusal(413, f"the lines of a body may have {_MOST} kinds of series and fields: send it in several")

    def frames(self) -> list[Frame]:
        """All of them."""
        self._parts = {of: [concat(some)] for of, some in self._parts.items()}
        self._count = len(self._parts)
        return [frame for (frame,) in self._parts.values()]
