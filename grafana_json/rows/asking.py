"""What rows are asked for: targets, a range of time, how many points and how they are laid out."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from werkzeug.datastructures import MultiDict

from grafana_json.query import MOST_TARGETS, RequestError, checked, shown
from grafana_json.rows.moments import HOUR, duration, moment
from sisock.nearest import WHICH, Which
from sisock.reduction import METHODS, MOST_POINTS

REDUCTIONS = tuple(method for method in METHODS if method != "bins")
SHAPES, TIMES = ("long", "wide"), ("ms", "iso", "ns")
USUAL_POINTS = 1000
OF_DATA = ("target", "from", "to", "points", "bin", "reduce", "shape", "time", "format")
OF_INSTANT = ("target", "t", "which", "time", "format")
_WHOLE = re.compile(r"\d{1,7}", re.ASCII)

Given = Mapping[str, Any]


class Asked(NamedTuple):
    """Rows of a window [start, end) in ns; `fixed`: whether the same words mean the same window at any time.

    `bin`: width of bins in ns, in place of a number of points; `time`: how times are written.
    """

    targets: tuple[str, ...]
    start: int
    end: int
    fixed: bool
    points: int | None
    bin: int | None
    reduce: str | None
    shape: str
    time: str


class Instant(NamedTuple):
    """The samples at, before or after an instant in ns."""

    targets: tuple[str, ...]
    t: int
    which: Which
    time: str


def of_url(args: MultiDict[str, str], known: Sequence[str], several: str = "target") -> Given:
    """What a URL says; what is left empty is not said. Raises RequestError for what is unknown or said twice."""
    given: dict[str, Any] = {}
    _check(args, known)
    for name, values in args.lists():
        there = [value for value in values if value]
        if name != several and len(there) > 1:
            raise RequestError(f"{shown(name)} is given {len(there)} times: give it once")
        if there:
            given[name] = there if name == several else there[0]
    return given


def of_body(body: Any, known: Sequence[str]) -> Given:
    """What an object says; null and what is left empty is not said. Raises RequestError as `of_url`."""
    said = checked(body, dict, "the request", 'an object as {"target": ["node::field"], "from": "-6h"}')
    _check(said, known)
    return {name: value for name, value in said.items() if value is not None and value != ""}


def _check(given: Iterable[str], known: Sequence[str]) -> None:
    unknown = next((name for name in given if name not in known), None)
    if unknown is not None:
        raise RequestError(f"{shown(unknown)} is unknown here: use {', '.join(known)}")


def read_data(given: Given, now: int, shape: str = SHAPES[0]) -> Asked:
    """The rows that are asked for, the last hour where nothing else is said; raises RequestError."""
    end = moment(given.get("to", "now"), now, "to")
    start = moment(given["from"], now, "from") if "from" in given else end._replace(ns=end.ns - HOUR)
    if end.ns < start.ns:
        raise RequestError(f"the range ends before it begins: swap from={shown(given.get('from'))} and to")
    width = duration(given["bin"], "bin") if "bin" in given else None
    if width is not None and "points" in given:
        raise RequestError("points does not go together with bin: give one or the other")
    points = _points(given.get("points", USUAL_POINTS)) if width is None else None
    reduce = _one_of(given["reduce"], REDUCTIONS, "reduce") if "reduce" in given else None
    return Asked(
        targets(given), start.ns, end.ns, start.fixed and end.fixed, points, width, reduce,
        _one_of(given.get("shape", shape), SHAPES, "shape"), read_time(given),
    )  # fmt: skip


def read_instant(given: Given, now: int) -> Instant:
    """The samples that are asked for, those of now where nothing else is said; raises RequestError."""
    which: Any = _one_of(given.get("which", "at"), WHICH, "which")
    return Instant(targets(given), moment(given.get("t", "now"), now, "t").ns, which, read_time(given))


def read_time(given: Given) -> str:
    """How times are to be written; raises RequestError."""
    return _one_of(given.get("time", "ms"), TIMES, "time")


def targets(given: Given) -> tuple[str, ...]:
    """The targets, one at least; raises RequestError."""
    named = given.get("target", [])
    listed = [named] if isinstance(named, str) else named
    if not isinstance(listed, list) or not all(isinstance(each, str) for each in listed):
        raise RequestError(f"target={shown(named)} is no target: write node::field, or a list of these")
    if not any(listed):
        raise RequestError("no target is given: write target=node::field; /api/fields lists what there is")
    if len(listed) > MOST_TARGETS:
        raise RequestError(f"{len(listed)} targets are too many: give {MOST_TARGETS} at the most")
    return tuple(dict.fromkeys(each for each in listed if each))


def _points(given: Any) -> int:
    whole = int(given) if _is_whole(given) else 0
    if not 1 <= whole <= MOST_POINTS:
        raise RequestError(f"points={shown(given)} is not a whole number from 1 to {MOST_POINTS}")
    return whole


def _is_whole(given: Any) -> bool:
    if isinstance(given, str):
        return bool(_WHOLE.fullmatch(given))
    return not isinstance(given, bool) and isinstance(given, (int, float)) and given == given // 1 and given < 2**31


def _one_of(given: Any, known: Sequence[str], what: str) -> str:
    if given not in known:
        raise RequestError(f"{what}={shown(given)} is unknown: use one of {', '.join(known)}")
    return str(given)
