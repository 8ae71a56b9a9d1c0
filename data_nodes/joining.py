"""Many frames as few: those of one timeline with the same columns are one."""

from collections.abc import Iterable

from sisock.frames import Frame, concat


def joined(frames: Iterable[Frame]) -> list[Frame]:
    """The same samples: a node's intake takes 10,000 frames at once."""
    parts: dict[tuple[object, ...], list[Frame]] = {}
    for frame in frames:
        columns = frame.columns.items()
        kind = (frame.timeline, *(name for name, _ in columns), *(each.values.dtype for _, each in columns))
        parts.setdefault(kind, []).append(frame)
    return [each[0] if len(each) == 1 else concat(each) for each in parts.values()]
