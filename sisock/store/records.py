"""How the bins of a tier lie on disk: a record of 8-byte numbers each, values of the field as their 64 bits."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sisock.bins import EVERY, VALUES, Bins

LEAN_COLUMNS = [
    ("low", "<i8"), ("high", "<i8"), ("total", "<f8"), ("m2", "<f8"), ("count", "<i8"), ("missing", "<i8"),
    ("t_low", "<i8"), ("t_high", "<i8"),
]  # fmt: skip
FULL_COLUMNS = [*LEAN_COLUMNS, ("first", "<i8"), ("last", "<i8"), ("t_first", "<i8"), ("t_last", "<i8")]
LEAN = frozenset(name for name, _ in LEAN_COLUMNS) - {"count", "missing"}  # what the finest tier knows
ENDS = frozenset(name for name, _ in FULL_COLUMNS) - LEAN - {"count", "missing"}  # what all others know besides
_VALUE = {"f8": "<f8", "i8": "<i8", "b1": "<i8"}  # what the 64 bits of a value are, by the kind of the field

Records = NDArray[Any]  # bins as they lie in a file, one record a bin


def coded(bins: Bins, columns: list[tuple[str, str]]) -> Records:
    """The records of bins, which know all of these columns. Shape (n,)."""
    records = np.zeros(len(bins.start), columns)
    for name, _ in columns:
        values = getattr(bins, name)
        if name in VALUES:
            values = values.astype("<i8") if values.dtype.kind == "b" else values.view("<i8")
        records[name] = values
    return records


def decoded(records: Mapping[str, NDArray[Any]], start: NDArray[np.int64], kind: str) -> Bins:
    """The bins of a field of this kind, which begin at these times, of columns of records; `start` may be left empty."""
    held = {name: _value(each, kind) if name in VALUES else each for name, each in records.items() if name in EVERY}
    return Bins(start, records["count"], records["missing"], **held)


def _value(bits: NDArray[Any], kind: str) -> NDArray[Any]:
    seen = np.ascontiguousarray(bits).view(_VALUE[kind])
    return seen.astype(bool) if kind == "b1" else seen
