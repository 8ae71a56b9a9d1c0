"""The scale beside a plot in the terminal: round values, each at a row of its own."""

import math
from decimal import Decimal
from typing import NamedTuple

_STEPS = (Decimal(1), Decimal(2), Decimal("2.5"), Decimal(5))  # of each power of ten
_APART = (2, 3, 4)  # rows from one value to the next
_MOST_DIGITS = 12  # of a value that is written out


class Scale(NamedTuple):
    """The values at the bottom and the top, and what stands beside each row, from the top."""

    low: float
    high: float
    marks: list[str]


def scale(low: float, high: float, rows: int) -> Scale:
    """The scale on which values from lowest to highest use most of so many rows; it may have fewer, never more."""
    if low == high:  # the curve is in the middle
        return Scale(low, high, ["" if row != (rows - 1) // 2 else f"{low:.6g}" for row in range(rows)])
    best = min((found for apart in _APART if (found := _fitting(low, high, rows, apart))), default=None)
    best = best or _fitting(low, high, rows, 1)
    if best is None:
        return Scale(low, high, [f"{high:.5g}", *[""] * (rows - 2), f"{low:.5g}"])
    _, apart, step, first, last = best
    values = [step * number for number in range(last, first - 1, -1)]
    marks = [mark for value in values for mark in (_written(value, step), *[""] * (apart - 1))]
    return Scale(float(step * first), float(step * last), marks[: len(marks) - apart + 1])


def _fitting(low: float, high: float, rows: int, apart: int) -> tuple[Decimal, int, Decimal, int, int] | None:
    """The smallest round step of which so few are needed, as a candidate: what a row means, and the first and last multiple."""
    span, most = Decimal(high) - Decimal(low), (rows - 1) // apart
    if most < 1:
        return None
    power = math.floor((span / most).log10())
    for step in (each.scaleb(power + more) for more in range(3) for each in _STEPS):
        first = int((Decimal(low) / step).to_integral_value("ROUND_FLOOR"))
        last = int((Decimal(high) / step).to_integral_value("ROUND_CEILING"))
        if last - first <= most and math.isfinite(step * first) and math.isfinite(step * last):
            return step / apart, apart, step, first, last
    return None


def _written(value: Decimal, step: Decimal) -> str:
    """A value for people: written out, unless that takes more digits than the step needs."""
    needed = value.adjusted() - step.adjusted() + 2 if value else 1
    plain = format(value.normalize(), "f")
    short = len(plain.strip("-").replace(".", "")) <= max(_MOST_DIGITS, needed)
    return plain if short else f"{value.normalize():.{needed}g}"
