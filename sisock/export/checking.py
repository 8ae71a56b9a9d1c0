"""Whether a table has all that its node counts in the same range."""

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

from sisock.consumer import Consumer
from sisock.errors import ConsumerError
from sisock.export.job import Table
from sisock.times import utc

_PIECES = (1, 16, 256)  # in so many the range is counted, where in fewer it is not the same


class Counted(NamedTuple):
    """What counting again has told of a table."""

    difference: str | None  # a sentence where the node counts others than were written
    exact: bool = False  # as many; else there is a difference, or fewer were counted of a table that is reduced


async def count(consumer: Consumer, table: Table) -> Counted:
    """Have the node count samples and values in the table's range.

    Samples behind reduced ones are counted a window at a time, and fields of a timeline may be sampled apart: then
    fewer are counted in wider windows, which alone is no difference.
    """
    error: ConsumerError | None = None
    counted: tuple[int, dict[str, int]] | None = None
    for pieces in _PIECES:
        try:
            counted = await _count(consumer, table, pieces)
        except ConsumerError as failed:
            error = failed
        if counted is not None and _same(table, *counted):
            return Counted(None, exact=True)
    span = f"between {utc(table.start)} and {utc(table.end)}"
    if counted is None:
        return Counted(f"{table.path}: whether all samples {span} were written could not be checked: {error}")
    if table.method is not None and table.samples > counted[0] and len(table.fields) > 1:
        return Counted(None)
    return Counted(f"{table.path}: {_told(table, *counted)} {span}: samples came or went meanwhile, export it again")


async def _count(consumer: Consumer, table: Table, pieces: int) -> tuple[int, dict[str, int]]:
    """How many samples the node counts, and values of each field."""
    samples, values = 0, dict.fromkeys(table.fields, 0)
    for piece in _split(table, pieces):
        answer = await consumer.data(
            table.node, list(table.fields), ns=piece, reduce="count", max_points=1, in_parts=False
        )
        samples += max((part.samples for part in answer.parts), default=0)
        for name in values:
            values[name] += int(answer.series(name)[1].values.sum())
    return samples, values


def _split(table: Table, pieces: int) -> Iterator[tuple[int, int]]:
    """The range in pieces in ns."""
    return pairwise([table.start + (table.end - table.start) * number // pieces for number in range(pieces + 1)])


def _same(table: Table, samples: int, values: dict[str, int]) -> bool:
    """Fields of a timeline may be sampled apart: then there are more rows than samples of any of them."""
    if table.method is not None:
        return table.samples == samples
    return table.rows >= samples and all(table.values.get(name, 0) == count for name, count in values.items())


def _told(table: Table, samples: int, values: dict[str, int]) -> str:
    if table.method is not None or table.rows < samples:
        written = table.samples if table.method else table.rows
        return f"{written:,} samples were written, but {table.node} counts {samples:,}"
    name = next(name for name, count in values.items() if table.values.get(name, 0) != count)
    return f"{table.values.get(name, 0):,} values of {name} were written, but {table.node} counts {values[name]:,}"
