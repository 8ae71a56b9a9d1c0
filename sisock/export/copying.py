"""The samples of a table, copied window by window into its part."""

import time
from collections.abc import Callable

import numpy as np

from sisock import sizes
from sisock.axes import merge
from sisock.consumer import Consumer
from sisock.errors import ConsumerError, NodeAway, NodeUnknown, NoHub
from sisock.export import arrow, text
from sisock.export.job import Job, Table
from sisock.export.part import Part
from sisock.export.steps import Steps
from sisock.frames import Answer, Column, Frame

_AIM = 2**20  # bytes of an answer, about
_EACH = 1.0  # seconds after which what was written is noted, so that no more is lost
_MOST_NOTICES = 20
Progress = Callable[[], None]


async def copy(consumer: Consumer, job: Job, table: Table, part: Part, limit: int, progress: Progress) -> None:
    """Copy what is still to come of the table; `limit` is what a message can carry, `progress` is told of each window.

    However it ends, what was copied is noted: the next one goes on from there.
    """
    steps = Steps(table.done, table.end, table.bin or 1, table.width, min(_AIM, limit // 4))
    noted = time.monotonic()
    try:
        if job.kind == "csv" and not table.bytes:
            table.bytes += part.append(text.head(map(table.target, table.columns)).encode())
        while (window := steps.window()) is not None:
            answer = await _ask(consumer, table, steps)
            window = steps.window() or window
            frame, samples = rows(answer, table)
            if len(frame):
                table.bytes += part.append(_encode(job, table, frame), chunk=job.kind != "csv")
            _count(table, frame, samples, answer)
            steps.took(window[1], sizes.size(answer) if answer.parts else 0)
            table.done, table.width = steps.at, steps.width
            progress()
            if time.monotonic() - noted > _EACH:
                _note(job, part)
                noted = time.monotonic()
    finally:
        _note(job, part)


async def _ask(consumer: Consumer, table: Table, steps: Steps) -> Answer:
    """What the node has in the next window, which becomes narrower until it answers."""
    while True:
        window = steps.window()
        assert window is not None  # the caller has looked
        try:
            return await consumer.data(
                table.node, list(table.fields), ns=window, bin=table.bin, reduce=table.method, in_parts=False
            )
        except (NodeAway, NodeUnknown, NoHub):
            raise
        except ConsumerError:
            if not steps.refused():
                raise


def _note(job: Job, part: Part) -> None:
    part.sound()
    job.save()


def _encode(job: Job, table: Table, frame: Frame) -> bytes:
    """The rows as they stand in the part."""
    if job.kind != "csv":
        return arrow.encode(frame)
    times = (text.nanoseconds if job.times == "ns" else text.stamps)(frame.t)
    nothing = Column(np.zeros(len(frame)), np.ones(len(frame), bool))
    return text.lines(times, [frame.columns.get(name, nothing) for name in table.columns]).encode()


def _count(table: Table, frame: Frame, samples: int, answer: Answer) -> None:
    """Note what was written."""
    table.rows += len(frame)
    table.samples += samples
    for name, column in frame.columns.items():
        table.values[name] = table.values.get(name, 0) + int(column.present().sum())
        if column.missing is None or not column.missing.all():
            table.kinds[name] = sorted({*table.kinds.get(name, ()), arrow.kind_of(column)})
    new = [each for each in answer.notices if each not in table.notices]
    table.notices += new[: _MOST_NOTICES - len(table.notices)]


def rows(answer: Answer, table: Table) -> tuple[Frame, int]:
    """The answer's samples of the table on one axis, and how many samples are behind them."""
    parts = []
    for part in answer.parts:
        points = part.points.only(table.columns)
        if points.columns and len(points):
            parts.append(part._replace(points=Frame(table.timeline, points.t, points.columns)))
    if not parts:
        return Frame(table.timeline, np.empty(0, np.int64), {}), 0
    (whole,) = merge(parts)
    return whole.points, whole.samples
