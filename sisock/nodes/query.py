"""What a caller asks, checked: the arguments of `get_data` and `get_fields` as a query."""

from collections.abc import Mapping
from typing import Any

from sisock import times
from sisock.frames import Query
from sisock.nearest import WHICH, Which
from sisock.nodes.base import MOST_FIELDS
from sisock.reduction import METHODS, MOST_POINTS, STATISTICS

MOST_READ = 4 * 2**20  # bytes of a journal that are answered at a time


def parse_query(
    fields: Any,
    start: Any,
    end: Any,
    min_stride: Any = None,
    *,
    max_points: Any = None,
    reduce: Any = None,
    since: Any = None,
    bin: Any = None,  # noqa: A002  # its name on the wire
    ns: Any = None,
    statistics: Any = (),
    own: Any = False,
    now: int,
) -> Query:
    """The query that these arguments make; raises ValueError with the cure where they make none.

    `ns`, two whole numbers, are the times in place of start and end: exact, as floats are not.
    """
    names = _fields(fields, "get_data")
    if reduce is not None and (not isinstance(reduce, str) or reduce not in METHODS):
        raise ValueError(f"reduce={reduce!r:.80} is unknown: use one of {', '.join(METHODS)}")
    first, last = times.window(start, end, now) if ns is None else _exact(ns)
    return Query(
        names, first, last, _stride(min_stride), _points(max_points), reduce, _since(since), _bin(bin),
        _statistics(statistics), own is True,
    )  # fmt: skip


def parse_sample(
    fields: Any, t: Any = 0.0, which: Any = "at", *, ns: Any = None, now: int
) -> tuple[tuple[str, ...], int, Which]:
    """The fields, the instant in ns and the side of it that the arguments of `get_sample` ask for.

    Raises ValueError with the cure where they ask for nothing.
    """
    names = _fields(fields, "get_sample")
    if not isinstance(which, str) or which not in WHICH:
        raise ValueError(f"which={which!r:.80} is unknown: use one of {', '.join(WHICH)}")
    if ns is None:
        return names, times.window(t, t, now)[0], which
    return names, _instant(ns), which


def parse_cursor(epoch: Any = None, position: Any = 0, limit: Any = None) -> tuple[str | None, int, int]:
    """The cursor and the bytes that the arguments of `read_from` ask for; raises ValueError where they ask for nothing."""
    if epoch is not None and not isinstance(epoch, str):
        raise ValueError(f"epoch={epoch!r:.80} is not the epoch of a journal, and not null for the oldest there is")
    if isinstance(position, bool) or not isinstance(position, int) or position < 0:
        raise ValueError(f"position={position!r:.80} is not a position in a journal: ask with one that it gave, or 0")
    if limit is None:
        return epoch, position, MOST_READ
    if isinstance(limit, bool) or not isinstance(limit, int) or limit < 1:
        raise ValueError(f"limit={limit!r:.80} is not a number of bytes, one or more")
    return epoch, position, min(limit, MOST_READ)


def _instant(ns: Any) -> int:
    if isinstance(ns, bool) or not isinstance(ns, int) or not times.FIRST <= ns <= times.LAST:
        raise ValueError(f"ns={ns!r:.80} is not a whole number of nanoseconds since 1970, as an int64 holds it")
    return ns


def _exact(ns: Any) -> tuple[int, int]:
    if not isinstance(ns, (list, tuple)) or len(ns) != 2:
        raise ValueError(f"ns={ns!r:.80} are not two times, start and end, in nanoseconds since 1970")
    return _instant(ns[0]), _instant(ns[1])


def _statistics(names: Any) -> tuple[str, ...]:
    if not isinstance(names, (list, tuple)) or not all(isinstance(name, str) and name in STATISTICS for name in names):
        raise ValueError(f"statistics={names!r:.80} are not a list of some of {', '.join(STATISTICS)}")
    return tuple(names)


def _fields(fields: Any, what: str) -> tuple[str, ...]:
    """The names of fields, each once."""
    if not isinstance(fields, (list, tuple)) or not all(isinstance(name, str) for name in fields):
        raise ValueError(f"{what} takes a list of field names first")
    if len(fields) > MOST_FIELDS:
        raise ValueError(f"{len(fields)} fields are too many for one call: ask for {MOST_FIELDS} at the most")
    return tuple(dict.fromkeys(fields))


def _stride(value: Any) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not value >= 0:
        raise ValueError(f"min_stride={value!r:.80} is not a number of seconds, zero or more")
    return times.to_ns(value) or None


def _points(value: Any) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MOST_POINTS:
        raise ValueError(f"max_points={value!r:.80} is not a whole number from 1 to {MOST_POINTS}")
    return value


def _bin(value: Any) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= times.LAST:
        raise ValueError(f"bin={value!r:.80} is not a whole number of nanoseconds, one or more")
    return value


def _since(value: Any) -> dict[str, tuple[str, int]]:
    if value is None:
        return {}
    try:
        if not isinstance(value, Mapping):
            raise TypeError
        return {str(name): (str(epoch), int(seq)) for name, (epoch, seq) in value.items()}
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"since={value!r:.80} is not of the form {{timeline: [epoch, seq]}}") from error
