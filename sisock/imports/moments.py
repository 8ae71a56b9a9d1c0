"""Times as they stand in files, as nanoseconds since 1970 UTC."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from sisock.frames import Times
from sisock.store import parquet
from sisock.times import NS

_UNITS = ((1e11, NS), (1e14, 10**6), (1e17, 10**3))  # UNIX times below these are seconds, ms, us; else ns
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def unit_of(numbers: NDArray[Any]) -> int:
    """The ns that one unit of UNIX times of this size has."""
    finite = numbers[np.isfinite(numbers)]
    size = float(np.median(np.abs(finite))) if len(finite) else 0.0
    return next((unit for below, unit in _UNITS if size < below), 1)


def to_ns(values: Any, unit: int | None) -> tuple[Times, NDArray[np.bool_], int | None]:
    """The times of an Arrow array, which of them can be read, and the unit of UNIX times, as it is or was found."""
    types, kind = pa.types, values.type
    if types.is_timestamp(kind) or types.is_date(kind):
        stamps = pc.cast(values, pa.timestamp("ns", "UTC"), safe=False)
        column = parquet.column(pa.chunked_array([pc.cast(stamps, pa.int64())]), "i8")
        return column.values, column.present(), None
    if types.is_string(kind) or types.is_large_string(kind):
        return _of_texts(values, unit)
    if types.is_integer(kind):
        column = parquet.column(pa.chunked_array([pc.cast(values, pa.int64(), safe=False)]), "i8")
        unit = unit or unit_of(column.values.astype(np.float64))
        sound = column.present() & (np.abs(column.values) < 2**63 // unit)
        return np.where(sound, column.values, 0) * unit, sound, unit
    column = parquet.column(pa.chunked_array([pc.cast(values, pa.float64(), safe=False)]), "f8")
    return _of_floats(column.values, column.present(), unit)


def _of_floats(given: NDArray[Any], there: NDArray[np.bool_], unit: int | None) -> tuple[Times, Any, int]:
    """Times with a fraction, exact to the microsecond."""
    unit = unit or unit_of(given[there])
    with np.errstate(invalid="ignore"):
        sound = there & (np.abs(given) < 2**62 / unit)
    kept = np.where(sound, given, 0.0)
    whole = np.floor(kept)
    fraction = np.round((kept - whole) * (unit / 1000)).astype(np.int64) * 1000
    return whole.astype(np.int64) * unit + fraction, sound, unit


def _of_texts(values: Any, unit: int | None) -> tuple[Times, NDArray[np.bool_], int | None]:
    """UNIX times or ISO 8601, UTC where no zone is given."""
    listed = [None if text is None else text.strip() for text in values.to_pylist()]
    if unit is None and (first := next((text for text in listed if text), None)) and _number(first) is None:
        unit = 0  # texts, not numbers
    if unit == 0:
        moments = [_moment(text) for text in listed]
        sound = np.array([each is not None for each in moments], bool)
        return np.array([each or 0 for each in moments], np.int64), sound, 0
    if all(text is None or text.lstrip("-").isdigit() for text in listed):
        return to_ns(pa.array([None if not text else int(text) for text in listed], pa.int64()), unit)
    numbers = np.array([np.nan if (n := _number(text)) is None else n for text in listed])
    return _of_floats(numbers, np.isfinite(numbers), unit)


def _number(text: str | None) -> float | None:
    try:
        return None if not text else float(text)
    except ValueError:
        return None


def _moment(text: str | None) -> int | None:
    if not text:
        return None
    body, fraction = text.replace("/", "-"), 0
    dot = body.find(".", 10)
    if dot > 0:  # Python's own reads no more than microseconds
        end = dot + 1
        while end < len(body) and body[end].isdigit():
            end += 1
        fraction = int(body[dot + 1 : end][:9].ljust(9, "0") or "0")
        body = body[:dot] + body[end:]
    try:
        moment = datetime.fromisoformat(body)
    except ValueError:
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (aware - _EPOCH) // timedelta(seconds=1) * NS + fraction
