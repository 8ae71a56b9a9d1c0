"""Values with a parity bit each, `3700,0,3710,1,`: hundredths, with odd parity, as SENSE's devices send them."""

import re
from typing import NamedTuple

from data_nodes.senml import Unreadable

_PAIRS = re.compile(r"\s*-?\d{1,10}\s*,\s*\d\s*(,\s*-?\d{1,10}\s*,\s*\d\s*)*,?\s*")
_SCALE = 100
_BITS = 2**32 - 1  # a negative number is counted as the two's complement that the device holds


class Pair(NamedTuple):
    """A value, which is wrong where the parity is bad."""

    value: float
    is_good: bool


def is_pairs(text: str) -> bool:
    """Whether a text is such pairs; a single one only with the comma that devices end with, as `21,1` may be 21.1."""
    return bool(_PAIRS.fullmatch(text)) and (text.count(",") > 2 or text.rstrip().endswith(","))


def pairs(text: str) -> list[Pair]:
    """The values in the order they came. Raises Unreadable."""
    numbers = [int(each) for each in text.strip().rstrip(",").split(",")]
    if len(numbers) % 2:
        raise Unreadable(f"{len(numbers)} numbers are no pairs of value and parity")
    if any(parity not in (0, 1) for parity in numbers[1::2]):
        raise Unreadable("a parity is neither 0 nor 1")
    return [Pair(value / _SCALE, _is_odd(value, parity)) for value, parity in zip(*[iter(numbers)] * 2, strict=True)]


def _is_odd(value: int, parity: int) -> bool:
    return ((value & _BITS).bit_count() + parity) % 2 == 1
