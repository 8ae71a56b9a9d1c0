"""Tables as columns of cells, in blocks of rows: what CSV, JSON and Arrow are written of."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sisock.frames import TEXT, Column, Times, texts


class Constant(NamedTuple):
    """The same text in every row, or nothing."""

    text: str | None


class Moments(NamedTuple):
    """Times in ns, shape (n,); `missing` as a column has it."""

    t: Times
    missing: NDArray[np.bool_] | None = None


Cells = Constant | Moments | Column


class Head(NamedTuple):
    """What one column is: "time", "number" (float64), "whole" (int64), "bool", "string", or "mixed": several of these.

    `node` and `field` where it is of a single target.
    """

    name: str
    kind: str
    unit: str | None = None
    node: str | None = None
    field: str | None = None


class Block(NamedTuple):
    """So many rows, cells of each column."""

    rows: int
    cells: tuple[Cells, ...]


class Table(NamedTuple):
    """Columns, and their rows in blocks of any length."""

    heads: tuple[Head, ...]
    blocks: tuple[Block, ...]

    @property
    def rows(self) -> int:
        """Number of rows."""
        return sum(block.rows for block in self.blocks)

    def pieces(self, most: int) -> Iterator[Block]:
        """The same rows in blocks of so many at the most, none of them empty."""
        for block in self.blocks:
            for first in range(0, block.rows, most):
                part = slice(first, min(first + most, block.rows))
                yield Block(part.stop - first, tuple(_sliced(cells, part) for cells in block.cells))


def _sliced(cells: Cells, rows: slice) -> Cells:
    if isinstance(cells, Constant):
        return cells
    if isinstance(cells, Moments):
        return Moments(cells.t[rows], None if cells.missing is None else cells.missing[rows])
    return cells.rows(rows)


def kind_of(columns: Iterable[Column]) -> str:
    """The kind of a column that has the values of all of these."""
    kinds = {{"f": "number", "i": "whole", "b": "bool"}.get(each.values.dtype.kind, "string") for each in columns}
    if kinds <= {"number", "whole"}:
        return "whole" if kinds == {"whole"} else "number"
    return kinds.pop() if len(kinds) == 1 else "mixed"


def column_of_texts(listed: Sequence[str | None]) -> Column:
    """A column of texts, None where there is none."""
    missing = np.array([each is None for each in listed], bool)
    return Column(texts(each or "" for each in listed) if listed else np.empty(0, TEXT), missing)


def stamps(cells: Moments, time: str) -> list[Any]:
    """The times as whole numbers of ms or ns since 1970, or as ISO 8601 in UTC to the millisecond."""
    return times_of(cells.t, time).tolist()  # type: ignore[no-any-return]  # numpy does not know


def times_of(t: Times, time: str) -> NDArray[Any]:
    """As `stamps`, as an array."""
    if time == "ns":
        return t
    ms = t // 1_000_000
    return ms if time == "ms" else np.datetime_as_string(ms.view("datetime64[ms]"), timezone="UTC")


def listed(cells: Cells, rows: int, time: str) -> list[Any]:
    """The cells as Python's own values; None where there is none."""
    if isinstance(cells, Constant):
        return [cells.text] * rows
    found: list[Any] = stamps(cells, time) if isinstance(cells, Moments) else cells.values.tolist()
    if cells.missing is None:
        return found
    return [None if gone else value for value, gone in zip(found, cells.missing.tolist(), strict=True)]
