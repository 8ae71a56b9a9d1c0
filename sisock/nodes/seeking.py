"""The sample nearest to an instant, found by reading windows that grow: for archives that can only be read."""

from collections.abc import Awaitable, Callable, Iterator
from itertools import chain
from typing import Any, TypeVar

from sisock.frames import Frame
from sisock.nearest import Which, nearest, sought
from sisock.times import NS

T = TypeVar("T")
_FIRST_WINDOW = 60 * NS
_GROWTH = 4  # so at most four times of what lies between is read, in some fifteen steps


async def seek(
    read: Callable[[int, int], Awaitable[Frame | T]],
    field: str,
    t: int,
    which: Which,
    now: int,
    at: Any = NotImplemented,
) -> Frame | T | None:
    """The field's sample as a frame of one row; None if there is none, which takes a read of all on that side.

    `read` gives the samples between two times in ns; whatever else it gives ends the search and comes back.
    `at`: the time of the sample where that is known, None where it is known that there is none.
    """
    if at is None:
        return None
    known = [] if at is NotImplemented else [(int(at), int(at) + 1)]
    start, end = sought(t, which)
    for window in chain(known, windows(start, end, which, now)):
        found = await read(*window)
        if not isinstance(found, Frame):
            return found
        sample = nearest(found, field, max(start, window[0]), min(end, window[1]), which)
        if sample is not None:
            return sample
    return None


def windows(start: int, end: int, which: Which, now: int) -> Iterator[tuple[int, int]]:
    """Windows in ns that follow each other away from the instant until all of [start, end) is covered.

    Nobody measures in the future and few did before 1970: each of these is one window.
    """
    width = _FIRST_WINDOW
    if which == "after":
        while start < end:
            until = end if start >= now else 0 if start < 0 else min(end, start + width)
            yield start, until
            start, width = until, width * _GROWTH
        return
    while start < end:
        since = start if end <= 0 else max(start, min(0, end - 1), min(end, now) - width)
        yield since, end
        end, width = since, width * _GROWTH
