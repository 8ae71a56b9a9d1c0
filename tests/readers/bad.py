"""Readers that do what none may do, each at its tenth input: by these it is seen that others would be found out."""

import ctypes
import itertools
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.hostile_reading import Reader

_KEPT: list[bytes] = []


def _later(wrong: Callable[[], Any]) -> Reader:
    count = itertools.count()
    return Reader(lambda data, _: next(count) < 10 or wrong(), _good, (ValueError,))


def _good(_: Path) -> list[bytes]:
    return [b"good"]


def _busy(seconds: float) -> None:
    until = time.process_time() + seconds
    while time.process_time() < until:
        pass


def _silent() -> None:
    raise ValueError


READERS = {
    "crashes": _later(lambda: ctypes.string_at(8)),
    "raises": _later(lambda: 1 // 0),
    "says nothing": _later(_silent),
    "is slow": _later(lambda: _busy(1.05)),
    "grows": _later(lambda: _KEPT.append(b"x" * 2**23)),
}
