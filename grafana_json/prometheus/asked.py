"""What a request asks: times, durations and numbers as Prometheus takes them, from the URL or a form."""

import math
import time
from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from grafana_json.prometheus.grammar import duration
from grafana_json.prometheus.trouble import QueryError
from grafana_json.prometheus.vectors import Steps
from grafana_json.query import shown

MOST_STEPS = 11_000  # between the first and the last step, as in Prometheus
MOST_COUNT = 10**15
_LATEST = 9.1e9  # seconds since 1970, either way
_PATIENCE = 30.0  # seconds a query may take, unless it says less

Given = Mapping[str, str]


class Limits(NamedTuple):
    """How long an answer may take in seconds and how many series it may have (0: all); the lookback in ms, if one is said."""

    timeout: float
    series: int
    lookback: int | None


def instant(given: Given) -> Steps:
    """The one step of an instant query."""
    return Steps(_time(given, "time", time.time()), 1, 1)


def steps(given: Given) -> Steps:
    """The steps of a range query; raises QueryError."""
    start, end = (_needed_time(given, name) for name in ("start", "end"))
    step = _length(given, "step")
    if step is None:
        raise QueryError("step is missing: write it in seconds, or as 5m")
    if end < start:
        raise QueryError("the range ends before it begins: swap start and end")
    if step <= 0:
        raise QueryError("a step of zero or less leads nowhere: use a positive one")
    if (end - start) // step > MOST_STEPS:
        raise QueryError(f"the range has more than {MOST_STEPS} steps: use a longer step or less time")
    return Steps(start, step, (end - start) // step + 1)


def limits(given: Given) -> Limits:
    """How far the answer may go; raises QueryError."""
    timeout, lookback = _length(given, "timeout"), _length(given, "lookback_delta")
    for name, value in (("timeout", timeout), ("lookback_delta", lookback)):
        if value is not None and value <= 0:
            raise QueryError(f"{name}={shown(given[name])} leaves nothing: use a positive one")
    patience = _PATIENCE if timeout is None else min(_PATIENCE, timeout / 1000)
    return Limits(patience, count(given, "limit"), lookback)


def window(given: Given) -> None:
    """See that start and end of a question for names are times, if they are there."""
    for name in ("start", "end"):
        _time(given, name, 0.0)


def count(given: Given, name: str) -> int:
    """A number of things, 0 where it is not said: all."""
    text = given.get(name, "")
    if not text:
        return 0
    if not text.isascii() or not text.isdecimal() or len(text) > 18 or int(text) > MOST_COUNT:
        raise QueryError(f"{name}={shown(text)} is not a whole number from 0 to {MOST_COUNT}")
    return int(text)


def _needed_time(given: Given, name: str) -> int:
    if not given.get(name):
        raise QueryError(f"{name} is missing: write it as seconds since 1970, or as 2026-01-31T23:59:59Z")
    return _time(given, name, 0.0)


def _time(given: Given, name: str, default: float) -> int:
    """A time in ms since 1970."""
    text = given.get(name, "")
    try:
        at = _moment(text) if text else default
        if not abs(at) < _LATEST:
            raise ValueError
    except (ValueError, OverflowError):
        raise QueryError(
            f"{name}={shown(text)} is not a time: write it as seconds since 1970, or as 2026-01-31T23:59:59Z"
        ) from None
    return round(at * 1000)


def _moment(text: str) -> float:
    if "T" not in text.upper():
        return _number(text)
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError
    return moment.timestamp()


def _length(given: Given, name: str) -> int | None:
    """A duration in ms: seconds, or as `1h30m`."""
    text = given.get(name, "")
    if not text:
        return None
    try:
        try:
            seconds = _number(text)
        except ValueError:
            return duration(text)
        if not abs(seconds) < _LATEST:
            raise ValueError
        return round(seconds * 1000)
    except ValueError:
        raise QueryError(f"{name}={shown(text)} is not a duration: write it in seconds, or as 1h30m") from None


def _number(text: str) -> float:
    if not text.isascii() or "_" in text or not math.isfinite(value := float(text)):
        raise ValueError
    return value
