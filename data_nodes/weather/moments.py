"""Times as they stand in files, as nanoseconds since 1970 UTC."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from sisock.frames import Times
from sisock.times import NS

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_LAST = 9.2e9  # seconds, what int64 nanoseconds hold


def from_seconds(seconds: NDArray[np.float64]) -> tuple[Times, NDArray[np.bool_]]:
    """UNIX times, exact to the microsecond, and which of them can be read; shape (n,) both."""
    readable = np.abs(seconds) < _LAST  # false for NaN
    kept = np.where(readable, seconds, 0.0)
    whole = np.floor(kept)
    t = whole.astype(np.int64) * NS + np.round((kept - whole) * 1e6).astype(np.int64) * 1000
    return t, readable


def from_texts(texts: Sequence[str]) -> tuple[Times, NDArray[np.bool_]]:
    """UNIX seconds or ISO 8601 (UTC where no zone is given; `/` may stand for `-`), and which can be read."""
    try:
        return from_seconds(np.array([float(text) for text in texts], np.float64))
    except ValueError:
        found = [_moment(text.strip()) for text in texts]
    readable = np.array([t is not None for t in found], bool)
    return np.array([t or 0 for t in found], np.int64), readable


def _moment(text: str) -> int | None:
    try:
        seconds = np.array([float(text)])
    except ValueError:
        return _iso(text)
    t, readable = from_seconds(seconds)
    return int(t[0]) if readable[0] else None


def _iso(text: str) -> int | None:
    try:
        moment = datetime.fromisoformat(text.replace("/", "-"))
    except ValueError:
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    t = (aware - _EPOCH) // _MICROSECOND * 1000
    return t if abs(t) < _LAST * NS else None
