"""Ask for targets, and lay what comes back side by side."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from sisock import axes
from sisock.cli.asking import check_fields
from sisock.errors import ConsumerError
from sisock.frames import Answer, Column, Field, Times
from sisock.nodes import health
from sisock.times import utc
from sisock.uris import JOINT

if TYPE_CHECKING:
    from sisock.consumer import Consumer


class Series(NamedTuple):
    """Samples of one target, and the label of the answer they came in."""

    target: str
    field: Field
    t: Times
    column: Column
    answer: Answer


class Wanted(NamedTuple):
    """What is asked of the nodes; times as at the door."""

    targets: Mapping[str, Sequence[str] | None]  # {node: fields}; None: all but those of its health
    start: float
    end: float
    points: int | None = None
    reduce: str | None = None
    bin: int | None = None  # ns


async def fetch(consumer: "Consumer", wanted: Wanted, deadline: float) -> tuple[list[Series], list[ConsumerError]]:
    """The series of all targets, in their order, and the errors of the nodes that gave none.

    Raises Failure where a field does not exist, and a ConsumerError where no node answered.
    """
    from sisock.consumer import Request

    fields = await asyncio.gather(*(_fields(consumer, *each) for each in wanted.targets.items()))
    requests = [
        Request(node, names, wanted.start, wanted.end, wanted.points, wanted.reduce, wanted.bin)
        for node, names in zip(wanted.targets, fields, strict=True)
    ]
    answers = await consumer.ask(requests, deadline)
    errors = [answer for answer in answers if isinstance(answer, ConsumerError)]
    if len(errors) == len(answers):
        raise errors[0]
    found: list[Series] = []
    for request, answer in zip(requests, answers, strict=True):
        if not isinstance(answer, ConsumerError):
            found += await _series(consumer, request.node, request.fields, answer)
    return found, errors


async def look(
    consumer: "Consumer", wanted: Wanted, deadline: float
) -> tuple[list[Series], list[ConsumerError], list[str]]:
    """As `fetch`; where no sample came of any target, also for each node a sentence on when there are some."""
    series, errors = await fetch(consumer, wanted, deadline)
    if any(len(each.t) for each in series):
        return series, errors, []
    told = await asyncio.gather(*(_between(consumer, node, series, deadline) for node in wanted.targets))
    return series, errors, [sentence for sentence in told if sentence]


async def _between(consumer: "Consumer", node: str, series: Sequence[Series], deadline: float) -> str:
    """A sentence on the first and the last time of samples of the targets of this node; nothing where there are none."""
    targets = [each.target.split(JOINT) for each in series]
    fields = list(dict.fromkeys(field for of, field, *_ in targets if of == node))
    if not fields:
        return ""
    try:
        first, last = await asyncio.gather(
            consumer.sample(node, fields, 1.0, "after", deadline=deadline),
            consumer.sample(node, fields, 0.0, "at", deadline=deadline),
        )
    except ConsumerError:
        return ""  # it is a hint, no more
    times = [int(part.points.t[0]) for answer in (first, last) for part in answer.parts if len(part.points.t)]
    if not times:
        return ""
    return f"{node} has samples from {utc(min(times))} to {utc(max(times))}: ask by --last all, or --start and --end"


async def _fields(consumer: "Consumer", node: str, names: Sequence[str] | None) -> tuple[str, ...]:
    """The names, or where there are none those of all fields of the node that are not about its health."""
    if names is not None:
        return tuple(names)
    try:
        known, _ = await consumer.fields(node, 0, 0)
    except ConsumerError:
        return ()  # it is told by whoever asks for samples
    return tuple(name for name in known if name not in health.FIELDS)


async def _series(consumer: "Consumer", node: str, names: Sequence[str], answer: Answer) -> list[Series]:
    fields, _ = await consumer.fields(node, 0, 0)
    check_fields(node, names, fields)
    return [
        Series(f"{node}{JOINT}{shown}", fields[name], *answer.series(shown), answer)
        for name in names
        for shown in _columns(answer, name)
    ]


def _columns(answer: Answer, name: str) -> list[str]:
    """The columns that the answer has for a field: a band has three."""
    if answer.method != "band":
        return [name]
    return [f"{name}{JOINT}min", name, f"{name}{JOINT}max"]


def side_by_side(series: Sequence[Series]) -> tuple[Times, list[Column]]:
    """All times, ascending, and each series on them: missing where it has no sample."""
    return axes.side_by_side([(each.t, each.column) for each in series])


def label(series: Sequence[Series]) -> str:
    """How the answers came about, in a line: method, samples behind the points, notices."""
    answers = list({id(each.answer): each.answer for each in series}.values())
    shown = sum(len(each.t) for each in series)
    methods = ", ".join(dict.fromkeys(answer.method for answer in answers))
    behind = sum(answer.samples for answer in answers)
    text = f"{shown:,} value{'' if shown == 1 else 's'}"
    text += "" if methods in ("raw", "") else f", {methods} of {behind:,} samples"
    return "; ".join([text, *dict.fromkeys(notice for answer in answers for notice in answer.notices)])
