"""Which column is the time, and its values as nanoseconds since 1970 UTC."""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sisock.formats import instants
from sisock.formats.columns import plain
from sisock.formats.errors import NoTimeError
from sisock.parsers.moments import NAMES
from sisock.times import NS

_SOME = 1000  # times by which their unit is known


def time_column(types: Mapping[str, pa.DataType], wanted: str = "") -> str:
    """The column that is the time: the one wanted, else one of a type of time, else one of a usual name.

    Raises NoTimeError where there is none.
    """
    if wanted in types:
        return wanted
    of_time = [name for name, kind in types.items() if is_time(kind)]
    lower = {name.lower(): name for name in reversed(list(types))}
    usual = [lower[name] for name in NAMES if name in lower]
    for name in (*[name for name in usual if name in of_time], *of_time, *usual):
        return name
    have = ", ".join(list(types)[:20]) or "none"
    said = f"no column {wanted!r}" if wanted else "no column of a type of time, nor one called " + ", ".join(NAMES[:6])
    raise NoTimeError(f"it has {said}", have)


def is_time(kind: pa.DataType) -> bool:
    """Whether values of this type are times."""
    return bool(pa.types.is_timestamp(kind) or pa.types.is_date(kind))


def unit_of(values: pa.ChunkedArray) -> int:
    """Nanoseconds that one unit of these UNIX times is, by their size; 0 where they are none."""
    some = values.slice(0, _SOME).drop_null()
    if _is_number(some.type):
        return instants.unit_of(plain(some, "f8"))
    if not _is_text(some.type):
        return 0
    numbers = [number for text in some.to_pylist() if (number := instants.number_in(text)) is not None]
    return instants.unit_of(np.array(numbers)) if numbers and 2 * len(numbers) >= len(some) else 0


def to_ns(values: pa.ChunkedArray, unit: int) -> instants.Read:
    """The times, anything where one cannot be read, and which ones can. Shape (n,) both."""
    kind = values.type
    if pa.types.is_dictionary(kind):
        values, kind = values.cast(kind.value_type), kind.value_type
    if is_time(kind):
        if pa.types.is_date(kind):
            values = values.cast(pa.timestamp("s" if pa.types.is_date32(kind) else "ms"))
        unit = {"s": NS, "ms": 10**6, "us": 10**3, "ns": 1}[values.type.unit]
    elif not _is_number(kind):
        return instants.of_texts(values.cast(pa.string()).to_pylist(), unit)
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        t, sound = instants.of_floats(plain(values, "f8"), unit)
    else:
        t, sound = instants.of_whole(plain(values, "i8"), unit)
    return t, sound & pc.is_valid(values).to_numpy() if values.null_count else sound


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))
