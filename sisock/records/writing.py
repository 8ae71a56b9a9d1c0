"""Samples as flat records: one JSON object a sample, as any other program reads it."""

import json
import math
import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from sisock.frames import Column, Frame

OWN = ("node", "timeline", "t", "epoch", "seq")
_TAKEN = re.compile(rf"_*(?:{'|'.join(OWN)})")
_text = json.encoder.encode_basestring  # as UTF-8, not escaped to ASCII


class Written(NamedTuple):
    """A record: `key` is the sample's identity, epoch:timeline:seq, and `t` its time in ns."""

    key: bytes
    value: bytes
    t: int


def written(node: str, frame: Frame) -> Iterator[Written]:
    """A record for each sample of the frame: node, timeline, t (ns since 1970), epoch, seq, and its fields.

    What is missing is left out; NaN and the infinities are texts, as JSON has no such numbers. A field that has the name
    of one of the five has an underscore before it.
    """
    epoch = frame.epoch or ""
    first = (frame.seq or 0) - len(frame)
    identity = f"{epoch}:{frame.timeline}:"
    head = f'{{"node":{_text(node)},"timeline":{_text(frame.timeline)},"t":'
    middle = f',"epoch":{_text(epoch)},"seq":'
    columns = [(f",{_text(_key(name))}:", _values(column)) for name, column in frame.columns.items()]
    for row, t in enumerate(frame.t.tolist()):
        seq = first + row
        fields = "".join([key + values[row] for key, values in columns if values[row]])
        yield Written(f"{identity}{seq}".encode(), f"{head}{t}{middle}{seq}{fields}}}".encode(), t)


def _key(name: str) -> str:
    return f"_{name}" if _TAKEN.fullmatch(name) else name


def _values(column: Column) -> list[str]:
    """The values as JSON has them; empty where there is none."""
    write = _WRITE.get(column.values.dtype.kind, _float)
    found = [write(value) for value in column.values.tolist()]
    if column.missing is None:
        return found
    return ["" if gone else value for value, gone in zip(found, column.missing.tolist(), strict=True)]


def _bool(value: Any) -> str:
    return "true" if value else "false"


def _float(value: float) -> str:
    if math.isfinite(value):
        return repr(value)
    return '"NaN"' if math.isnan(value) else '"Infinity"' if value > 0 else '"-Infinity"'


_WRITE: dict[str, Callable[[Any], str]] = {"b": _bool, "i": str, "T": _text}
