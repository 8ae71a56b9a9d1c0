"""Rows become a frame: each at its time, each field of one type; what cannot be so is refused with the reason."""

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Any

import numpy as np

from data_nodes.sources.spec import Spec
from sisock.frames import Frame, Type, column, is_number
from sisock.nodes.base import MOST_FIELDS, why_no_field
from sisock.parsers.rows import Parsed, Refused, Row


class Shaping:
    """What a source knows of its fields while it runs."""

    def __init__(self, spec: Spec) -> None:
        """Begin with the fields that are declared."""
        self._timeline = spec.options.get("timeline", "samples")
        self._time, self._moment = spec.options.get("time"), spec.moment
        self._only: Sequence[str] = spec.options.get("only", ())
        self._types: dict[str, Type] = {name: field.type for name, field in spec.fields.items()}
        self._names: dict[str, str | None] = {}  # name -> why it is none

    def frame(self, parsed: Parsed, now: int) -> tuple[Frame | None, list[Refused]]:
        """The rows as a frame, in the order of time, and what was refused. `now` is the time of rows that say none."""
        times, rows, refused = list[int](), list[dict[str, Any]](), list(parsed.refused)
        for row in parsed.rows:
            try:
                t = now if self._time is None else self._time_of(row)
            except ValueError as error:
                refused.append(Refused(str(error), row.text))
                continue
            values, wrong = self._checked(row)
            refused += [Refused(why, row.text) for why in wrong]
            if values:
                times.append(t)
                rows.append(values)
        if not rows:
            return None, refused
        columns = {
            name: column([row.get(name) for row in rows]) for name in dict.fromkeys(n for row in rows for n in row)
        }
        return Frame(self._timeline, np.array(times, np.int64), columns).in_time(), refused

    def _time_of(self, row: Row) -> int:
        value = row.values.get(str(self._time))
        if value is None:
            raise ValueError(f"it has no time: there is no {self._time!r} in it")
        return self._moment(value)

    def _checked(self, row: Row) -> tuple[dict[str, Any], list[str]]:
        """The values that are as they should be, and why others are not: one sentence for all of a kind."""
        values, wrong = dict[str, Any](), dict[str, None]()
        for name, value in row.values.items():
            if value is None or name == self._time or not self._wanted(name):
                continue
            why = self._why_not(name, value)
            if why:
                wrong[why] = None
            else:
                values[name] = value
        return values, list(wrong)

    def _wanted(self, name: str) -> bool:
        return not self._only or any(fnmatchcase(name, pattern) for pattern in self._only)

    def _why_not(self, name: str, value: Any) -> str | None:
        if name not in self._names:
            why = why_no_field(name)
            if why is None and len(self._names) >= MOST_FIELDS:
                why = f"more than {MOST_FIELDS} fields: take those you need with only = […]"
            else:
                self._names[name] = why
        else:
            why = self._names[name]
        if why:
            return why
        kind: Type = "bool" if isinstance(value, bool) else "number" if is_number(value) else "string"
        known = self._types.setdefault(name, kind)
        if kind != known:
            return f"{name!r} is a {known}, and a {kind} came"
        if kind == "number" and isinstance(value, int) and abs(value) >= 2**1023:
            return f"{name!r} is a number too large for a float64"
        return None
