"""How large an answer is on the wire, known before it is encoded, and its parts where it is too large."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace

from sisock.frames import Answer, Column, Frame, Part

_NUMBER_AS_TEXT = 25  # bytes that a float takes in JSON at the most
_HEAD = 9  # bytes that CBOR puts before a text or an array at the most; in JSON it is less


def size(answer: Answer, *, lists: Iterable[str] | None = None) -> int:
    """Bytes that an answer takes on the wire at the most, known before it is encoded.

    `lists`: the names of the fields asked for, if it is to travel as lists.
    """
    in_lists = lists is not None
    total = 512 + sum(_text_size(name, in_lists) + _HEAD for name in lists or ())
    for part in answer.parts:
        axis = _text_size(part.points.timeline, in_lists)
        total += 512 + axis + _text_size(part.of, in_lists) + 20 * len(part.gaps)
        total += len(part.points) * (_NUMBER_AS_TEXT if in_lists else 8)
        for name, column in part.points.columns.items():
            total += 128 + axis + _text_size(name, in_lists) + column_size(column, lists=in_lists)
    return total + sum(_text_size(notice, in_lists) + _HEAD for notice in answer.notices)


def frame_size(frame: Frame) -> int:
    """Bytes that a frame takes on the wire at the most."""
    return size(Answer((Part(frame, frame.timeline, None, 0),)))


def column_size(column: Column, *, lists: bool = False) -> int:
    """Bytes that the values of a column take on the wire at the most."""
    n = len(column.values)
    marks = 0 if column.missing is None or lists else n
    if column.values.dtype.kind == "T":
        return _text_size("".join(column.values.tolist()), lists) + _HEAD * n + marks
    return n * (_NUMBER_AS_TEXT if lists else column.values.dtype.itemsize) + marks


def _text_size(text: str, lists: bool) -> int:
    """Bytes in UTF-8, or in JSON with its escapes."""
    return len((json.dumps(text, ensure_ascii=False) if lists else text).encode("utf-8", "replace"))


def split(answer: Answer, limit: int) -> Iterator[Answer]:
    """The answer in parts of consecutive rows, none larger than the limit; the whole one where it fits.

    Raises ValueError where a single row is larger.
    """
    if size(answer) <= limit:
        yield answer
        return
    for part in answer.parts:
        bare = part._replace(points=part.points.only(()).rows(slice(0)))
        around = size(Answer((bare,), notices=answer.notices))
        for points in split_frame(part.points, limit - around):
            yield replace(answer, parts=(part._replace(points=points),))


def split_frame(frame: Frame, limit: int) -> Iterator[Frame]:
    """The frame in runs of rows, each no larger than the limit; identity goes with the rows."""
    if frame_size(frame) <= limit:
        yield frame
        return
    if len(frame) < 2:
        raise ValueError(f"one sample of {frame.timeline!r} is larger than a message may be ({limit} bytes)")
    half = len(frame) // 2
    first, second = frame.rows(slice(0, half)), frame.rows(slice(half, None))
    seq = None if frame.seq is None else frame.seq - len(second)
    yield from split_frame(Frame(first.timeline, first.t, first.columns, first.epoch, seq), limit)
    yield from split_frame(second, limit)
