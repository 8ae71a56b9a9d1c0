"""What expressions stand for: series of values at steps of time."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from grafana_json.prometheus.trouble import cannot

NAME = "__name__"
MS = 1_000_000  # ns
_FURTHEST = 9_100_000_000_000  # ms since 1970 that fit into int64 ns, and so does what is looked at around

MOST_VALUES = 3_000_000  # series times steps: of all selectors of a request, and of whatever is made of them

Labels = dict[str, str]  # never changed in place
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Millis = NDArray[np.int64]  # milliseconds since 1970 UTC
Key = tuple[tuple[str, str], ...]  # labels as what can be compared


class Steps(NamedTuple):
    """The instants at which an expression is evaluated, in ms since 1970; one where `count` is 1."""

    start: int
    step: int
    count: int  # type: ignore[assignment]  # hides what a tuple can do by this name

    @property
    def ms(self) -> Millis:
        """The instants. Shape (count,)."""
        return self.start + self.step * np.arange(self.count, dtype=np.int64)

    @property
    def end(self) -> int:
        """The last instant."""
        return self.start + self.step * (self.count - 1)


class Vector(NamedTuple):
    """Values of series at steps: shape (series, steps); they mean something where `there` is true."""

    labels: Sequence[Labels]
    values: Floats
    there: Bools

    def rows(self, rows: Sequence[int] | NDArray[np.intp]) -> "Vector":
        """Only these series."""
        return Vector([self.labels[row] for row in rows], self.values[rows], self.there[rows])

    def filled(self) -> "Vector":
        """Only the series that have a value anywhere."""
        some = np.flatnonzero(self.there.any(axis=1))
        return self if len(some) == len(self.labels) else self.rows(some)


Value = Vector | Floats | str  # Floats: a scalar at each step, shape (steps,)


def nothing(count: int) -> Vector:
    """No series at so many steps."""
    return Vector([], np.empty((0, count)), np.empty((0, count), bool))


def check_size(series: int, steps: int, before: int = 0) -> int:
    """How many values so many series have at so many steps, with what there was before; raises QueryError where too many."""
    values = before + series * steps
    if values > MOST_VALUES:
        raise cannot(
            f"{series} series at {steps} steps{' and what else is selected' if before else ''} are too much for one answer: "
            "use a longer step or fewer series"
        )
    return values


def to_ns(ms: Millis) -> NDArray[np.int64]:
    """Milliseconds as nanoseconds, as far as an int64 goes."""
    return np.clip(ms, -_FURTHEST, _FURTHEST) * MS


def key_of(labels: Labels) -> Key:
    """The labels as what can be compared and hashed."""
    return tuple(sorted(labels.items()))


def without_name(labels: Labels) -> Labels:
    """The labels of what is no longer the metric itself."""
    return {name: value for name, value in labels.items() if name != NAME}


def distinct(vector: Vector) -> Vector:
    """The vector with series of the same labels as one; raises QueryError where two of these have a value at a step."""
    rows: dict[Key, list[int]] = {}
    for row, labels in enumerate(vector.labels):
        rows.setdefault(key_of(labels), []).append(row)
    if len(rows) == len(vector.labels):
        return vector
    firsts = [of[0] for of in rows.values()]
    values, there = vector.values[firsts], vector.there[firsts]
    for at, of in enumerate(rows.values()):
        for row in of[1:]:
            if (there[at] & vector.there[row]).any():
                raise cannot(
                    f"the vector has two series with the labels {shown(vector.labels[row])}: keep their names apart"
                )
            values[at] = np.where(vector.there[row], vector.values[row], values[at])
            there[at] |= vector.there[row]
    return Vector([vector.labels[row] for row in firsts], values, there)


def shown(labels: Labels) -> str:
    """Labels as PromQL has them, cut short."""
    return "{" + ", ".join(f'{name}="{value:.40}"' for name, value in sorted(labels.items()))[:300] + "}"


def text(value: float) -> str:
    """A number as Prometheus writes it."""
    if math.isfinite(value):
        return repr(value).removesuffix(".0")
    return "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"
