"""Samples laid out as a table: one below the other, or side by side on a common axis of time."""

from collections.abc import Sequence

import numpy as np

from grafana_json.query import RequestError
from grafana_json.rows.fetching import Readings, Samples
from grafana_json.rows.tables import Block, Constant, Head, Moments, Table, kind_of
from sisock.axes import side_by_side
from sisock.frames import Column

_MOST_CELLS = 20_000_000  # of a table: missing ones, too
_TIME, _TEXTS = Head("time", "time"), ("node", "field")


def laid_out(samples: Sequence[Samples], shape: str) -> Table:
    """The table in this shape, "long" or "wide"; raises RequestError where it would be too large."""
    return wide(samples) if shape == "wide" else long(samples)


def long(samples: Sequence[Samples]) -> Table:
    """Time, node, field, value and unit: one target after the other, each in the order of time."""
    blocks = [
        Block(len(s.t), (Moments(s.t), Constant(s.node), Constant(s.field), s.column, Constant(s.unit)))
        for s in samples
    ]
    return Table(_long_heads([each.column for each in samples]), tuple(blocks))


def wide(samples: Sequence[Samples]) -> Table:
    """Time, and a column for each target: a row for each time that one of them has, missing where another has none.

    Where a target has several samples at a time there are as many rows of it. Raises RequestError.
    """
    rows = sum(len(each.t) for each in samples)
    if rows * len(samples) > _MOST_CELLS and not _alike(samples):
        raise RequestError(
            f"{len(samples)} targets side by side are up to {rows} rows, more than {_MOST_CELLS} cells: ask for "
            "shape=long, or for times that all have, as with bin=1m&reduce=mean, or for less"
        )
    t, columns = side_by_side([(each.t, each.column) for each in samples])
    heads = [Head(s.name, kind_of([s.column]), s.unit, s.node, s.field) for s in samples]
    return Table((_TIME, *heads), (Block(len(t), (Moments(t), *columns)),))


def readings(found: Readings) -> Table:
    """One sample a field as a long table; neither time nor value where there is none."""
    nothing = np.ones(1, bool)
    columns = [Column(np.zeros(1), nothing) if s is None else s.column for _, _, s in found.found]
    blocks = [
        Block(
            1,
            (
                Moments(np.zeros(1, np.int64), nothing) if s is None else Moments(s.t),
                Constant(wanted.node),
                Constant(wanted.field),
                column,
                Constant(field.units if field else None),
            ),
        )
        for (wanted, field, s), column in zip(found.found, columns, strict=True)
    ]
    return Table(_long_heads([s.column for _, _, s in found.found if s is not None]), tuple(blocks))


def _long_heads(columns: Sequence[Column]) -> tuple[Head, ...]:
    texts = (Head(name, "string") for name in _TEXTS)
    return (_TIME, *texts, Head("value", kind_of(columns)), Head("unit", "string"))


def _alike(samples: Sequence[Samples]) -> bool:
    return all(np.array_equal(each.t, samples[0].t) for each in samples)
