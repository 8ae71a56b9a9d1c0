"""The tables of an export: what each holds, from when to when, in bins of which width."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from sisock import grid, reduction, times
from sisock.consumer import Consumer
from sisock.errors import ConsumerError, NodeAway, NodeUnknown, NoHub
from sisock.export.job import Table, paths
from sisock.frames import Field
from sisock.times import FIRST, LAST, NS

_MOST_BINS = 10**12  # of a table: a million windows, or more
_LATE = 60 * NS  # after so long all samples of a time have come


class Reduced(NamedTuple):
    """How samples are reduced: at most so many points, or bins of a width in ns."""

    method: str
    points: int | None = None
    bin: int | None = None


async def tables(
    consumer: Consumer,
    wanted: Mapping[str, Mapping[str, Field]],
    span: tuple[float, float],
    how: Reduced | None,
    output: Path,
) -> list[Table]:
    """A table for each timeline of the wanted {node: {name: field}}, with times as at the door; (1, 0) is everything.

    Raises ValueError for more bins than will ever be done, and as `paths`.
    """
    now = time.time_ns()
    timelines: dict[tuple[str, str], dict[str, Field]] = {}
    for node, fields in wanted.items():
        for name, field in fields.items():
            timelines.setdefault((node, field.timeline), {})[name] = field
    made = []
    for ((node, timeline), fields), path in zip(timelines.items(), paths(output, list(timelines)), strict=True):
        start, end = times.window(*span, now)
        if (start, end) == (FIRST, LAST):
            start, end = await _ends(consumer, node, list(fields), now)
        elif end > now - _LATE:
            end = max(start, await _come(consumer, node, list(fields), end))
        table = Table(node, timeline, fields, path, start, end, done=start)
        if how is not None:
            table.method, table.bin = how.method, how.bin or _width(table, how.method, how.points or 1)
            if (end - start) // table.bin > _MOST_BINS:
                raise ValueError(
                    f"{(end - start) // table.bin:,} bins would never be done: ask for wider ones with --bin"
                )
        made.append(table)
    return made


def _width(table: Table, method: str, points: int) -> int:
    return grid.width_of(table.start, table.end, reduction.bins_of(method, points))


async def _come(consumer: Consumer, node: str, names: list[str], end: int) -> int:
    """Until when samples have come, before `end` in ns: a node may have measured what it has not told yet."""
    try:
        last = await consumer.sample(node, names, which="before", ns=end)
    except (NodeAway, NodeUnknown, NoHub):
        raise
    except ConsumerError:
        return end
    lasts = [int(part.points.t[0]) for part in last.parts]
    return max(lasts) + 1 if lasts else end if last.notices else FIRST


async def _ends(consumer: Consumer, node: str, names: list[str], now: int) -> tuple[int, int]:
    """From the first sample to the last in ns; all until now where these cannot be found."""
    first, last = (
        await consumer.sample(node, names, which="after", ns=FIRST),
        await consumer.sample(node, names, which="at", ns=LAST),
    )
    firsts, lasts = ([int(part.points.t[0]) for part in answer.parts] for answer in (first, last))
    if not firsts or not lasts:
        return (FIRST, now) if first.notices or last.notices else (now, now)
    return min(firsts), min(LAST - 1, max(lasts)) + 1
