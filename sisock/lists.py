"""Nodes in the old way, which only know lists: reduced and searched on this side."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from sisock import nearest, reduction, times, wire
from sisock.calls import Calls, decoded
from sisock.errors import TooLarge
from sisock.frames import Answer, Field, Frame, Query
from sisock.nodes.query import parse_query
from sisock.nodes.seeking import seek

_COARSE = 1_000  # ns to which times in lists are exact


class Asked(NamedTuple):
    """The arguments of `get_data`; times as at the door."""

    fields: Sequence[str]
    start: float
    end: float
    min_stride: float | None = None
    options: Mapping[str, Any] = {}


async def fields(calls: Calls, node: str, deadline: float | None = None) -> dict[str, Field]:
    """The fields of a node. Raises Absent."""
    known, _ = decoded(node, wire.decode_fields, await calls.node(node, "get_fields", 0, 0, deadline=deadline))
    return known


async def data(calls: Calls, node: str, asked: Asked, deadline: float | None) -> Answer:
    """What the node answers, reduced as asked."""
    query = parse_query(asked.fields, asked.start, asked.end, asked.min_stride, **asked.options, now=time.time_ns())
    known = await fields(calls, node, deadline)
    if asked.options.get("ns") is None:
        return reduction.reduce_answer(await _whole(calls, node, known, asked, deadline), query)
    return reduction.reduce_answer(await _between(calls, node, known, query, deadline), query)


async def sample(
    calls: Calls, node: str, names: Sequence[str], t: int, which: nearest.Which, deadline: float | None
) -> Answer:
    """The samples of the fields that are nearest to an instant in ns, searched for in windows that grow."""
    known, now = await fields(calls, node, deadline), time.time_ns()

    async def search(name: str) -> Frame | None:
        async def read(start: int, end: int) -> Frame:
            answer = await _between(calls, node, known, Query((name,), start, end), deadline)
            return next((part.points for part in answer.parts), Frame("", np.empty(0, np.int64), {}))

        return await seek(read, name, t, which, now)

    return nearest.answer([await search(name) for name in names if name in known], which)


async def _between(calls: Calls, node: str, known: Mapping[str, Field], query: Query, deadline: float | None) -> Answer:
    """All samples between the query's times, which are finer than those of the door."""
    now = time.time_ns()
    around = (times.at_the_door(query.start - _COARSE, now), times.at_the_door(query.end + _COARSE, now))
    answer = await _whole(calls, node, known, Asked(query.fields, *around), deadline)
    inside = [part._replace(points=part.points.between(query.start, query.end)) for part in answer.parts]
    return replace(answer, parts=tuple(inside))


async def _whole(calls: Calls, node: str, known: Mapping[str, Field], asked: Asked, deadline: float | None) -> Answer:
    """All samples of the window."""
    coded = await calls.node(node, "get_data", list(asked.fields), asked.start, asked.end, deadline=deadline)
    if coded is False:
        raise TooLarge(f"the answer of {node} would be too large: ask for fewer fields or less time")
    return decoded(node, lambda lists: wire.from_lists(lists, known), coded)
