"""Many fields of one shape at once: the values of each as an array."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sisock.frames import Times
from sisock.parsers.line_grammar import BOOLEANS, Value

_FLOATS = b"0123456789.eE+-"
_WHOLE = b"0123456789-"


class Shape(NamedTuple):
    """Keys of fields in their order, and of each whether it is a float (f), a whole number (i) or a boolean (b)."""

    keys: tuple[str, ...]
    kinds: str


def shape_of(values: dict[str, Value]) -> Shape:
    """The shape of fields that have been read; a text has the kind T."""
    letters = {bool: "b", int: "i", float: "f", str: "T"}
    return Shape(tuple(values), "".join([letters[type(value)] for value in values.values()]))


def columns(shape: Shape, written: Sequence[str]) -> list[NDArray[Any]] | None:
    """The values of each field, a row for each of the texts, which have no escapes; None where one is otherwise."""
    width, rows = len(shape.keys), len(written)
    cells = ",".join(written).split(",")
    if len(cells) != width * rows:
        return None
    found = []
    for at, (key, kind) in enumerate(zip(shape.keys, shape.kinds, strict=True)):
        begin = f"\n{key}="
        texts = ("\n" + "\n".join(cells[at::width])).split(begin)  # no cell has a newline: each begins with the key
        values = _READ[kind](texts[1:]) if not texts[0] and len(texts) == rows + 1 and kind in _READ else None
        if values is None:
            return None
        found.append(values)
    return found


def times(written: Sequence[str], unit: int) -> Times | None:
    """Times in this many nanoseconds as nanoseconds; None where one of them is no time."""
    read = _integers(written)
    if read is None or (len(read) and max(-int(read.min()), int(read.max())) > (2**63 - 1) // unit):
        return None
    return read * unit


def _integers(texts: Sequence[str]) -> NDArray[Any] | None:
    if "".join(texts).encode().translate(None, _WHOLE):
        return None
    try:
        return np.array(list(map(int, texts)), np.int64)
    except (ValueError, OverflowError):
        return None


def _whole(texts: Sequence[str]) -> NDArray[Any] | None:
    """Of `15i`."""
    joined = "\n".join(texts) + "\n"
    digits = joined.replace("i\n", "\n").split("\n")[:-1]
    return _integers(digits) if joined.count("i\n") == len(texts) else None


def _floats(texts: Sequence[str]) -> NDArray[Any] | None:
    if "".join(texts).encode().translate(None, _FLOATS):
        return None
    try:
        read = np.array(list(map(float, texts)), np.float64)
    except ValueError:
        return None
    return read if np.isfinite(read).all() else None


def _booleans(texts: Sequence[str]) -> NDArray[Any] | None:
    try:
        return np.array([BOOLEANS[text] for text in texts], bool)
    except KeyError:
        return None


_READ = {"f": _floats, "i": _whole, "b": _booleans}
