"""Which column is the time, and its values as nanoseconds since 1970 UTC."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from data_nodes.files.columns import flat
from sisock.frames import Times
from sisock.times import NS

NAMES = ("time", "timestamp", "datetime", "date", "utc", "t", "ts", "unixtime", "epoch")
EARLIEST, LATEST = -2_208_988_800 * NS, 7_258_118_400 * NS  # 1900 and 2200: other times are no measurements
_UNITS = ((1e11, NS), (1e14, 10**6), (1e17, 10**3))  # UNIX times below these are seconds, ms, us; else ns
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def time_column(types: Mapping[str, pa.DataType], wanted: str = "") -> str:
    """The column that is the time: the one wanted, else one of a type of time, else one of a usual name.

    Raises ValueError with the cure where there is none.
    """
    if wanted in types:
        return wanted
    of_time = [name for name, kind in types.items() if pa.types.is_timestamp(kind) or pa.types.is_date(kind)]
    lower = {name.lower(): name for name in reversed(list(types))}
    usual = [lower[name] for name in NAMES if name in lower]
    for name in (*[name for name in usual if name in of_time], *of_time, *usual):
        return name
    have = ", ".join(list(types)[:20]) or "none"
    said = f"no column {wanted!r}" if wanted else "no column of a type of time, nor one called " + ", ".join(NAMES[:6])
    raise ValueError(f"it has {said}: say with time = which of its columns it is ({have})")


def unit_of(values: pa.ChunkedArray) -> int:
    """Nanoseconds that one unit of these UNIX times is, by their size; 1 where they are none."""
    if not _is_number(values.type):
        return 1
    numbers = flat(values.drop_null().cast(pa.float64(), safe=False), np.float64)
    numbers = numbers[np.isfinite(numbers)]
    size = float(np.median(np.abs(numbers))) if len(numbers) else 0.0
    return next((unit for below, unit in _UNITS if size < below), 1)


def to_ns(values: pa.ChunkedArray, unit: int) -> tuple[Times, NDArray[np.bool_]]:
    """The times, anything where one cannot be read, and which ones can. Shape (n,) both."""
    kind = values.type
    if pa.types.is_dictionary(kind):
        values, kind = values.cast(kind.value_type), kind.value_type
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return _of_stamps(values)
    if _is_number(kind):
        return _of_floats(values, unit) if pa.types.is_floating(kind) else _of_whole(values, unit)
    return of_texts(values.cast(pa.string()).to_pylist())


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def _there(values: pa.ChunkedArray) -> NDArray[np.bool_]:
    there: NDArray[np.bool_] = pc.is_valid(values).to_numpy()
    return there


def _of_stamps(values: pa.ChunkedArray) -> tuple[Times, NDArray[np.bool_]]:
    if pa.types.is_date(values.type):
        values = values.cast(pa.timestamp("s")) if pa.types.is_date32(values.type) else values.cast(pa.timestamp("ms"))
    size = {"s": NS, "ms": 10**6, "us": 10**3, "ns": 1}[values.type.unit]
    there, whole = _there(values), flat(values.cast(pa.int64()).fill_null(0), "i8")
    return _scaled(whole, there, size)


def _of_whole(values: pa.ChunkedArray, unit: int) -> tuple[Times, NDArray[np.bool_]]:
    return _scaled(flat(values.cast(pa.int64(), safe=False).fill_null(0), np.int64), _there(values), unit)


def _scaled(whole: NDArray[np.int64], there: NDArray[np.bool_], unit: int) -> tuple[Times, NDArray[np.bool_]]:
    sound = there & (whole >= EARLIEST // unit) & (whole < LATEST // unit)
    return np.where(sound, whole, 0) * unit, sound


def _of_floats(values: pa.ChunkedArray, unit: int) -> tuple[Times, NDArray[np.bool_]]:
    """Times with a fraction, exact to the microsecond."""
    given = flat(values.cast(pa.float64()).fill_null(np.nan), np.float64)
    with np.errstate(invalid="ignore"):
        sound = (given >= EARLIEST / unit) & (given < LATEST / unit)
    kept = np.where(sound, given, 0.0)
    whole = np.floor(kept)
    fraction = np.round((kept - whole) * (unit / 1000)).astype(np.int64) * 1000 if unit > 1 else np.zeros(1, np.int64)
    return whole.astype(np.int64) * unit + fraction, sound


def of_texts(values: Sequence[str | None]) -> tuple[Times, NDArray[np.bool_]]:
    """ISO 8601 (UTC where no zone is given; `/` may stand for `-`), and which can be read."""
    found = [_moment(value.strip()) if value else None for value in values]
    return np.array([t or 0 for t in found], np.int64), np.array([t is not None for t in found], bool)


def _moment(text: str) -> int | None:
    try:
        moment = datetime.fromisoformat(text.replace("/", "-"))
    except ValueError:
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    t = (aware - _EPOCH) // _MICROSECOND * 1000
    return t if EARLIEST <= t < LATEST else None
