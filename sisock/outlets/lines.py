"""Samples as InfluxDB's line protocol: `measurement,tag=value field=value,… time` in nanoseconds.

Source: https://docs.influxdata.com/influxdb/v1/write_protocols/line_protocol_reference/
"""

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from sisock.frames import Column, Frame

_MEASUREMENT = re.compile(r"([, ])")
_KEY = re.compile(r"([,= ])")
_TEXT = re.compile(r'(["\\])')
_BACKSLASH = re.compile(r"\\(?=[,= ]|\\*$)")  # one that would be taken for what escapes the next character
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")  # what readers of the protocol refuse in a text
_IN_CHANNEL = re.compile(r"[^A-Za-z0-9_.-]")  # characters that a channel of Grafana Live cannot have


def measurement(node: str, timeline: str) -> str:
    """What samples of this timeline are called: `node/timeline`, as it can be the path of a channel of Grafana Live."""
    return f"{node}/{_IN_CHANNEL.sub('_', timeline)}"


def lines(name: str, tags: Mapping[str, str], frame: Frame) -> Iterator[str]:
    """A line for each row that has a value; NaN, infinities and what is missing are left out, each by itself."""
    head = ",".join([_escaped(_MEASUREMENT, name), *(f"{_key(tag)}={_key(tags[tag])}" for tag in sorted(tags))])
    columns = [(_key(field), _written(column)) for field, column in frame.columns.items()]
    for row, t in enumerate(frame.t.tolist()):
        there = [f"{key}={values[row]}" for key, values in columns if values[row] is not None]
        if there:
            yield f"{head} {','.join(there)} {t}"


def _written(column: Column) -> list[str | None]:
    """The values as the protocol has them; None for those it cannot have."""
    write = {"b": _bool, "i": _whole, "T": _text}.get(column.values.dtype.kind, _float)
    found: list[str | None] = [write(value) for value in column.values.tolist()]
    if column.missing is None:
        return found
    return [None if gone else value for value, gone in zip(found, column.missing.tolist(), strict=True)]


def _bool(value: Any) -> str:
    return "true" if value else "false"


def _whole(value: Any) -> str:
    return f"{value}i"


def _float(value: Any) -> str | None:
    return repr(value) if math.isfinite(value) else None


def _text(value: Any) -> str:
    return f'"{_escaped(_TEXT, _CONTROL.sub("?", value))}"'


def _key(text: str) -> str:
    """A key or the value of a tag; a backslash that the protocol cannot say becomes an underscore."""
    return _escaped(_KEY, _BACKSLASH.sub("_", text))


def _escaped(special: re.Pattern[str], text: str) -> str:
    return special.sub(r"\\\1", text)
