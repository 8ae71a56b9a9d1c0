"""The operators of PromQL on numbers: arrays of any common shape."""

from collections.abc import Callable

import numpy as np

from grafana_json.prometheus.vectors import Bools, Floats


def _modulo(a: Floats, b: Floats) -> Floats:
    """As in Go: the sign is that of a."""
    return np.fmod(a, b)


ARITHMETIC: dict[str, Callable[[Floats, Floats], Floats]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
    "%": _modulo,
    "^": np.power,
    "atan2": np.arctan2,
}
COMPARISONS: dict[str, Callable[[Floats, Floats], Bools]] = {
    "==": np.equal,
    "!=": np.not_equal,
    ">": np.greater,
    "<": np.less,
    ">=": np.greater_equal,
    "<=": np.less_equal,
}
SETS = ("and", "or", "unless")


def calculated(op: str, a: Floats, b: Floats) -> Floats:
    """The result of an arithmetic operator."""
    with np.errstate(all="ignore"):
        return ARITHMETIC[op](a, b)


def compared(op: str, a: Floats, b: Floats) -> Bools:
    """Whether the comparison holds."""
    with np.errstate(invalid="ignore"):
        return COMPARISONS[op](a, b)
