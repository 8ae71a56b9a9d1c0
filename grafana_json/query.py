"""What a panel asks: its window, points, targets and filters, read from the request."""

import math
import reprlib
import sys
from datetime import UTC, datetime
from typing import Any, NamedTuple

KEYS = ("node", "field", "unit", "type", "tag")  # what ad-hoc filters can look at
OPERATORS = ("=", "!=", "=~", "!~", "=|", "!=|")  # the last two: one of several values, none of them
REDUCTIONS = ("minmax", "m4", "band", "mean", "first", "last", "count", "std", "lttb", "stride")
MOST_TARGETS = 200
_MOST_POINTS = 100_000
MOST_FILTERS = 20
_LONGEST_REF = 100  # characters
_USUAL_POINTS = 1000  # where the panel does not say how wide it is
_EARLIEST = 1e-6  # seconds: zero and less would mean "ago" at the door
_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = 80


class RequestError(ValueError):
    """The request makes no sense; the sentence says why and what would."""


class Target(NamedTuple):
    """One line of the panel's query editor; `kind` is "timeserie" or "table".

    `reduce` is one of REDUCTIONS; `points`: how many it wants for itself, None for as many as the panel has.
    """

    text: str
    ref: str | None
    kind: str = "timeserie"
    reduce: str = "minmax"
    points: int | None = None


class Filter(NamedTuple):
    """An ad-hoc filter: `key` is one of KEYS; `values` are those of an operator that takes several."""

    key: str
    operator: str
    value: str
    values: tuple[str, ...] = ()


class Panel(NamedTuple):
    """A whole request: window in UNIX seconds, at most so many points a series."""

    start: float
    end: float
    points: int
    targets: tuple[Target, ...]
    filters: tuple[Filter, ...]


def parse_panel(body: Any) -> Panel:
    """The panel of a SimpleJSON query; raises RequestError."""
    body = checked(body, dict, "the request", "an object")
    start, end = parse_range(body.get("range"))
    points = parse_points(body.get("maxDataPoints"), body.get("intervalMs"), end - start)
    return Panel(start, end, points, parse_targets(body.get("targets")), parse_filters(body.get("adhocFilters")))


def parse_range(given: Any) -> tuple[float, float]:
    """Start and end in UNIX seconds, both after 1970; raises RequestError."""
    given = checked(given, dict, "range", 'an object as {"from": "2026-01-31T00:00:00.000Z", "to": …}')
    start, end = (_moment(given.get(key), f"range.{key}") for key in ("from", "to"))
    if end < start:
        raise RequestError(f"the range ends before it begins: swap from={given['from']:.80} and to={given['to']:.80}")
    return max(start, _EARLIEST), max(end, _EARLIEST)


def _moment(text: Any, what: str) -> float:
    try:
        if not isinstance(text, str):
            raise TypeError
        moment = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        raise RequestError(f"{what}={shown(text)} is not a time: write it as 2026-01-31T23:59:59.999Z") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def parse_points(most: Any, interval_ms: Any, span: float) -> int:
    """How many points a series may have: as wide as the panel, two per interval wanted; raises RequestError."""
    points = _positive(most, "maxDataPoints")
    interval = _positive(interval_ms, "intervalMs")
    if interval is not None:
        intervals = max(1, math.ceil(min(_MOST_POINTS, span * 1000 / interval)))
        points = 2 * intervals if points is None else min(points, 2 * intervals)
    return _bounded(points or _USUAL_POINTS)


def _bounded(points: float) -> int:
    return max(1, math.floor(min(_MOST_POINTS, points)))


def _positive(value: Any, what: str) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value <= sys.float_info.max:
        raise RequestError(f"{what}={shown(value)} is not a number above zero")
    return float(value)


def parse_targets(given: Any) -> tuple[Target, ...]:
    """The targets to answer, without the hidden and the empty ones; raises RequestError."""
    targets = optional(given, [], "targets", "a list")
    if len(targets) > MOST_TARGETS:
        raise RequestError(f"{len(targets)} targets are too many for one panel: use {MOST_TARGETS} at the most")
    return tuple(target for target in map(_target, targets) if target)


def _target(given: Any) -> Target | None:
    given = checked(given, dict, "a target", 'an object as {"target": "node::field"}')
    text, ref = optional(given.get("target"), "", "target", "a text as node::field"), given.get("refId")
    kind = optional(given.get("type"), "", "type", "'timeserie' or 'table'") or "timeserie"
    if kind not in ("timeserie", "table"):
        raise RequestError(f"type={shown(kind)} is unknown: use 'timeserie' or 'table'")
    if given.get("hide") or not text:
        return None
    return Target(text, parse_ref(ref), kind, *_options(given))


def parse_ref(given: Any) -> str | None:
    """The letter of a line, by which its series come back to it; None where it is no text."""
    return given[:_LONGEST_REF] if isinstance(given, str) else None


def _options(given: dict[str, Any]) -> tuple[str, int | None]:
    """The options in a line's additional data, which says anything: what makes no sense as one was not meant."""
    said: dict[str, Any] = next((given[key] for key in ("payload", "data") if isinstance(given.get(key), dict)), {})
    try:
        return parse_options(said)
    except RequestError:
        return parse_options({})


def parse_options(given: dict[str, Any]) -> tuple[str, int | None]:
    """How a target is reduced, and to how many points, as a form has it; raises RequestError."""
    reduce, points = optional(given.get("reduce"), "", "reduce", "a text") or "minmax", given.get("points")
    if reduce not in REDUCTIONS:
        raise RequestError(f"reduce={shown(reduce)} is unknown: use one of {', '.join(REDUCTIONS)}")
    if isinstance(points, str):
        try:
            points = float(points) if points.strip() else None
        except ValueError:
            raise RequestError(f"points={shown(points)} is not a number above zero") from None
    wanted = _positive(points, "points")
    return reduce, None if wanted is None else _bounded(wanted)


def parse_filters(given: Any) -> tuple[Filter, ...]:
    """The ad-hoc filters; raises RequestError."""
    filters = optional(given, [], "adhocFilters", "a list")
    if len(filters) > MOST_FILTERS:
        raise RequestError(f"{len(filters)} filters are too many for one panel: use {MOST_FILTERS} at the most")
    return tuple(map(_filter, filters))


def _filter(given: Any) -> Filter:
    given = checked(given, dict, "a filter", 'an object as {"key": "unit", "operator": "=", "value": "C"}')
    key, operator, value = given.get("key"), given.get("operator", "="), given.get("value")
    if key not in KEYS:
        raise RequestError(f"the filter key {shown(key)} is unknown: use one of {', '.join(KEYS)}")
    if operator not in OPERATORS:
        raise RequestError(f"the filter operator {shown(operator)} is unknown: use one of {', '.join(OPERATORS)}")
    if not operator.endswith("|"):
        return Filter(key, operator, checked(value, str, "a filter's value", "a text"))
    values = checked(given.get("values"), list, "a filter's values", "a list of texts")
    several = tuple(checked(each, str, "one of a filter's values", "a text") for each in values)
    return Filter(key, operator, value if isinstance(value, str) else "", several)


def checked(value: Any, kind: type, what: str, form: str) -> Any:
    """The value, if it is of the kind; raises RequestError with the form it must have."""
    if not isinstance(value, kind):
        raise RequestError(f"{what} is {'missing' if value is None else shown(value)}: it must be {form}")
    return value


def optional(value: Any, default: Any, what: str, form: str) -> Any:
    """The value, if it is of the default's kind; the default where it is None. Raises RequestError as `checked`."""
    return default if value is None else checked(value, type(default), what, form)


def shown(value: Any) -> str:
    """What was given, cut short: however deep and long it is."""
    return f"{_SHORT.repr(value):.80}"
