"""Times as they stand in files, as nanoseconds since 1970 UTC; each comes with which of them can be read."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sisock import timestamps
from sisock.frames import Times
from sisock.times import LAST

Read = tuple[Times, NDArray[np.bool_]]  # shape (n,) both; anything where one cannot be read

_NONE = -LAST - 1


def unit_of(numbers: NDArray[Any]) -> int:
    """The ns that one unit of UNIX times of this size has."""
    finite = numbers[np.isfinite(numbers)]
    return timestamps.unit_of(float(np.median(np.abs(finite))) if len(finite) else 0.0)


def of_whole(numbers: NDArray[np.int64], unit: int) -> Read:
    """UNIX times as whole numbers of a unit of so many ns."""
    sound = (numbers >= -(LAST // unit)) & (numbers <= LAST // unit)
    return np.where(sound, numbers, 0) * unit, sound


def of_floats(numbers: NDArray[np.float64], unit: int) -> Read:
    """UNIX times with a fraction, exact to the microsecond."""
    sound = np.abs(numbers) < 9.2e18 / unit  # false for NaN
    kept = np.where(sound, numbers, 0.0)
    whole = np.floor(kept)
    fraction = np.round((kept - whole) * (unit / 1000)).astype(np.int64) * 1000
    return whole.astype(np.int64) * unit + fraction, sound


def of_texts(texts: Sequence[str | None], unit: int = 0) -> Read:
    """ISO 8601 (UTC where no zone is given; `/` may stand for `-`), or UNIX times where a unit is given."""
    if not unit:
        return _read([timestamps.of_text(text) if text else None for text in texts])
    try:
        return of_whole(np.array([int(text) if text else _NONE for text in texts], np.int64), unit)
    except (ValueError, OverflowError):
        numbers = [number_in(text) for text in texts]
    t, sound = of_floats(np.array([np.nan if each is None else each for each in numbers]), unit)
    others = [text if each is None else None for text, each in zip(texts, numbers, strict=True)]
    more, also = of_texts(others)
    return np.where(also, more, t), sound | also


def number_in(text: str | None) -> float | None:
    """The number that a text is; None where it is none."""
    try:
        return None if not text or "_" in text else float(text)  # Python would read 1_000
    except ValueError:
        return None


def _read(found: Sequence[int | None]) -> Read:
    return np.array([t or 0 for t in found], np.int64), np.array([t is not None for t in found], bool)
