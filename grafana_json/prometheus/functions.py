"""Functions of vectors and scalars at each step by itself.

https://prometheus.io/docs/prometheus/latest/querying/functions/
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grafana_json.prometheus.vectors import Bools, Floats, Labels, Value, Vector, distinct, without_name

Number = Callable[[Floats], Floats]


def _rounded(values: Floats, to: Floats) -> Floats:
    """Half goes up, as in Prometheus."""
    inverse = 1.0 / to
    return np.floor(values * inverse + 0.5) / inverse


def _clamped(values: Floats, least: Floats, most: Floats) -> Floats:
    return np.maximum(least, np.minimum(most, values))


def _calendar(part: Callable[[NDArray[Any]], NDArray[Any]]) -> Number:
    """A part of the date, UTC, of seconds since 1970; NaN where there is no such date."""

    def made(values: Floats) -> Floats:
        sound = np.abs(np.nan_to_num(values, nan=np.inf)) < 1e11
        days = part(np.where(sound, np.floor(values), 0).astype("datetime64[s]"))
        return np.where(sound, days.astype(np.float64), np.nan)

    return made


def _since(unit: str, of: str) -> Callable[[NDArray[Any]], NDArray[Any]]:
    """How many of a unit since the begin of a larger one."""
    fine, coarse = f"datetime64[{unit}]", f"datetime64[{of}]"
    return lambda t: (t.astype(fine) - t.astype(coarse).astype(fine)).astype(np.int64)


def _days_in_month(t: NDArray[Any]) -> NDArray[Any]:
    month = t.astype("datetime64[M]")
    days: NDArray[Any] = (month + 1).astype("datetime64[D]") - month.astype("datetime64[D]")
    return days.astype(np.int64)


CALENDAR: dict[str, Number] = {
    "minute": _calendar(_since("m", "h")),
    "hour": _calendar(_since("h", "D")),
    "day_of_week": _calendar(lambda t: (t.astype("datetime64[D]").astype(np.int64) + 4) % 7),
    "day_of_month": _calendar(lambda t: _since("D", "M")(t) + 1),
    "day_of_year": _calendar(lambda t: _since("D", "Y")(t) + 1),
    "days_in_month": _calendar(_days_in_month),
    "month": _calendar(lambda t: _since("M", "Y")(t) + 1),
    "year": _calendar(lambda t: t.astype("datetime64[Y]").astype(np.int64) + 1970),
}
OF_NUMBERS: dict[str, Callable[..., Floats]] = {
    **{name: getattr(np, name) for name in ("ceil", "floor", "exp", "log2", "log10", "sqrt", "sin", "cos", "tan")},
    **{name: getattr(np, name) for name in ("sinh", "cosh", "tanh")},
    **{name: getattr(np, f"arc{name[1:]}") for name in ("asin", "acos", "atan", "asinh", "acosh", "atanh")},
    "abs": np.abs,
    "ln": np.log,
    "sgn": np.sign,
    "deg": np.degrees,
    "rad": np.radians,
    "round": _rounded,
    "clamp": _clamped,
    "clamp_min": np.maximum,
    "clamp_max": np.minimum,
    **CALENDAR,
}


def of_numbers(name: str, vector: Vector, *params: Floats) -> Vector:
    """A function of every value, with further scalars at each step."""
    with np.errstate(all="ignore"):
        values = np.asarray(OF_NUMBERS[name](vector.values, *params), np.float64)
    there = vector.there
    if name == "clamp":
        there = there & (params[0] <= params[1])[None, :]
    return distinct(Vector([without_name(each) for each in vector.labels], values, there))


def scalar(vector: Vector) -> Floats:
    """The value of the only series, NaN where there is not exactly one."""
    one = vector.there.sum(axis=0) == 1
    if not len(vector.labels):
        return np.full(len(one), np.nan)
    return np.where(one, np.where(vector.there, vector.values, 0.0).sum(axis=0), np.nan)


def as_vector(value: Floats) -> Vector:
    """A scalar as a series without labels."""
    return Vector([{}], value[None, :].copy(), np.ones((1, len(value)), bool))


def absent(vector: Vector, labels: Labels) -> Vector:
    """1 with these labels where there is no series."""
    nothing: Bools = np.asarray(~vector.there.any(axis=0))
    return Vector([labels], np.ones((1, len(nothing))), nothing[None, :])


def ordered(vector: Vector, *, descending: bool) -> Vector:
    """The series in the order of their values at the last step; NaN comes last."""
    if not len(vector.labels):
        return vector
    last = vector.values[:, -1]
    return vector.rows(np.argsort(-last if descending else last, kind="stable"))


def negative(value: Value) -> Value:
    """Minus a scalar or vector."""
    if isinstance(value, Vector):
        return distinct(Vector([without_name(each) for each in value.labels], -value.values, value.there))
    return value if isinstance(value, str) else -value
