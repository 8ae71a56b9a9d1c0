"""Frames and answers <-> what travels (docs/protocol.md): typed columns for ours, lists for existing callers."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sisock.frames import TEXT, Answer, Column, Field, Frame, Part, Times, Timeline
from sisock.times import NS

VERSION = 1
_DTYPES = {"<f8": np.dtype("<f8"), "<i8": np.dtype("<i8"), "|b1": np.dtype("|b1")}
_NUMBER_AS_TEXT = 25  # bytes that a float takes in JSON at the most


class WireError(ValueError):
    """What came over the wire is not in the form of docs/protocol.md; says where."""


# columns ----------------------------------------------------------------------------------------


def encode_column(column: Column) -> dict[str, Any]:
    """A column as a dict of dtype and bytes."""
    values = column.values
    if values.dtype.kind == "T":
        data, offsets = _encode_text(values)
        coded: dict[str, Any] = {"dtype": "utf8", "data": data, "offsets": offsets}
    else:
        coded = {"dtype": values.dtype.str, "data": values.tobytes()}
    if column.missing is not None:
        coded["missing"] = column.missing.tobytes()
    return coded


def _encode_text(values: NDArray[Any]) -> tuple[bytes, bytes]:
    texts: list[str] = values.tolist()
    joined = "".join(texts)
    data = joined.encode("utf-8", "replace")
    plain = len(data) == len(joined)
    lengths = np.strings.str_len(values) if plain else [len(text.encode("utf-8", "replace")) for text in texts]
    offsets = np.zeros(len(texts) + 1, "<u4")
    np.cumsum(lengths, out=offsets[1:], dtype="<u4")
    return data, offsets.tobytes()


def decode_column(coded: Any) -> Column:
    """The column of a dict made by `encode_column`; raises WireError for anything else."""
    try:
        dtype, data = coded["dtype"], coded["data"]
        if dtype == "utf8":
            values = _decode_text(data, np.frombuffer(coded["offsets"], "<u4"))
        else:
            values = np.frombuffer(data, _DTYPES[dtype])
        missing = np.frombuffer(coded["missing"], bool) if "missing" in coded else None
    except (TypeError, KeyError, ValueError, AttributeError) as error:
        raise WireError(f"a column is not as docs/protocol.md says: {error!r:.200}") from error
    if missing is not None and len(missing) != len(values):
        raise WireError(f"a column has {len(values)} values, but {len(missing)} marks of missing ones")
    return Column(values, missing)


def _decode_text(data: bytes, offsets: NDArray[Any]) -> NDArray[Any]:
    if not len(offsets) or offsets[0] != 0 or offsets[-1] != len(data) or (offsets[1:] < offsets[:-1]).any():
        raise ValueError("the offsets of a text column do not ascend from 0 to its length")
    at = offsets.tolist()
    if data.isascii():
        text = data.decode("ascii")
        return np.array([text[a:b] for a, b in zip(at, at[1:], strict=False)], TEXT)
    return np.array([data[a:b].decode("utf-8", "replace") for a, b in zip(at, at[1:], strict=False)], TEXT)


def _decode_times(coded: Any) -> Times:
    column = decode_column(coded)
    if column.values.dtype != np.int64 or column.missing is not None:
        raise WireError("the times of a timeline must be an <i8 column of nanoseconds")
    return column.values


# answers ----------------------------------------------------------------------------------------


def encode_answer(answer: Answer) -> dict[str, Any]:
    """A typed answer."""
    timelines: dict[str, Any] = {}
    data: dict[str, Any] = {}
    for part in answer.parts:
        points = part.points
        timelines[points.timeline] = {
            "t": encode_column(Column(points.t)),
            "of": part.of,
            "epoch": points.epoch,
            "seq": points.seq,
            "finalized_until": part.finalized_until,
            "samples": part.samples,
            "gaps": [list(gap) for gap in part.gaps],
        }
        for name, column in points.columns.items():
            data[name] = {**encode_column(column), "timeline": points.timeline}
    label = {"method": answer.method, "bin": answer.bin, "notices": list(answer.notices)}
    return {"v": VERSION, "timelines": timelines, "data": data, "label": label}


def decode_answer(coded: Any) -> Answer:
    """The answer of what `encode_answer` made; raises WireError for anything else."""
    frames = _decode_frames(coded)
    try:
        parts = tuple(_decode_part(frame, coded["timelines"][frame.timeline]) for frame in frames)
        label = coded["label"]
        notices = tuple(str(notice) for notice in label["notices"])
        width = None if label["bin"] is None else int(label["bin"])
        return Answer(parts, str(label["method"]), width, notices)
    except (TypeError, KeyError, ValueError) as error:
        raise WireError(f"an answer is not as docs/protocol.md says: {error!r:.200}") from error


def _decode_part(points: Frame, axis: Mapping[str, Any]) -> Part:
    finalized = axis["finalized_until"]
    gaps = tuple((int(a), int(b)) for a, b in axis["gaps"])
    return Part(points, str(axis["of"]), None if finalized is None else int(finalized), int(axis["samples"]), gaps)


def encode_frame(frame: Frame) -> dict[str, Any]:
    """A frame as a live event."""
    axis = {"t": encode_column(Column(frame.t)), "epoch": frame.epoch, "seq": frame.seq}
    data = {name: {**encode_column(column), "timeline": frame.timeline} for name, column in frame.columns.items()}
    return {"v": VERSION, "timelines": {frame.timeline: axis}, "data": data}


def decode_frame(coded: Any) -> Frame:
    """The frame of a live event; raises WireError for anything else."""
    frames = _decode_frames(coded)
    if len(frames) != 1:
        raise WireError(f"a live event has {len(frames)} timelines instead of one")
    return frames[0]


def _decode_frames(coded: Any) -> list[Frame]:
    try:
        if coded["v"] != VERSION:
            raise WireError(f"version {coded['v']!r} of the wire format is unknown here: bring both sides up to date")
        columns: dict[str, dict[str, Column]] = {key: {} for key in coded["timelines"]}
        for name, column in coded["data"].items():
            columns[column["timeline"]][name] = decode_column(column)
        return [_decode_axis(key, axis, columns[key]) for key, axis in coded["timelines"].items()]
    except (TypeError, KeyError, AttributeError) as error:
        raise WireError(f"this is not a typed answer of docs/protocol.md: {error!r:.200}") from error


def _decode_axis(key: str, axis: Mapping[str, Any], columns: dict[str, Column]) -> Frame:
    t = _decode_times(axis["t"])
    for name, column in columns.items():
        if len(column.values) != len(t):
            raise WireError(f"field {name!r:.80} has {len(column.values)} values for {len(t)} times")
    epoch, seq = axis.get("epoch"), axis.get("seq")
    return Frame(key, t, columns, None if epoch is None else str(epoch), None if seq is None else int(seq))


# existing callers -------------------------------------------------------------------------------


def to_lists(answer: Answer, fields: Iterable[str]) -> dict[str, Any]:
    """An answer as lists: times in seconds, missing values and NaN as None, `[]` for fields without data."""
    data: dict[str, list[Any]] = {name: [] for name in fields}
    timelines: dict[str, Any] = {}
    for part in answer.parts:
        points = part.points
        if len(points):
            data.update({name: _to_list(column) for name, column in points.columns.items()})
            until = None if part.finalized_until is None else part.finalized_until / NS
            timelines[points.timeline] = {"t": (points.t / NS).tolist(), "finalized_until": until}
    return {"data": data, "timeline": timelines}


def _to_list(column: Column) -> list[Any]:
    present = column.present()
    if column.values.dtype.kind == "f":
        present &= np.isfinite(column.values)
    listed: list[Any] = column.values.tolist()
    return listed if present.all() else [v if there else None for v, there in zip(listed, present, strict=True)]


def from_lists(answer: Any, fields: Mapping[str, Field]) -> Answer:
    """The answer of a node in the old way; raises WireError for what is no such answer."""
    from sisock.frames import column  # noqa: PLC0415  # the name is a variable everywhere else here

    try:
        grouped: dict[str, dict[str, Column]] = {key: {} for key in answer["timeline"]}
        for name, values in answer["data"].items():
            key = fields[name].timeline if name in fields else None
            if values and key in grouped:
                grouped[key][name] = column(values)
        return Answer(tuple(_from_lists(key, axis, grouped[key]) for key, axis in answer["timeline"].items()))
    except (TypeError, KeyError, ValueError, AttributeError) as error:
        raise WireError(f"this is not an answer as CONTRACT says: {error!r:.200}") from error


def _from_lists(key: str, axis: Mapping[str, Any], columns: dict[str, Column]) -> Part:
    t = np.round(np.asarray(axis["t"], np.float64) * 1e6).astype(np.int64) * 1000
    short = {name for name, each in columns.items() if len(each.values) != len(t)}
    if short:
        raise ValueError(f"{sorted(short)[0]!r} has another number of values than its timeline has times")
    until = axis.get("finalized_until")
    return Part(Frame(key, t, columns), key, None if until is None else round(until * NS), len(t))


def encode_fields(fields: Mapping[str, Field], timelines: Mapping[str, Timeline]) -> list[dict[str, Any]]:
    """What `get_fields` returns."""
    axes = {name: {"interval": axis.interval, "field": list(axis.fields)} for name, axis in timelines.items()}
    return [{name: field._asdict() for name, field in fields.items()}, axes]


def decode_fields(coded: Any) -> tuple[dict[str, Field], dict[str, Timeline]]:
    """What a node's `get_fields` says, ours or in the old way; raises WireError for anything else."""
    try:
        fields, axes = coded
        return (
            {name: Field(f.get("description"), f["timeline"], f["type"], f.get("units")) for name, f in fields.items()},
            {name: Timeline(a["interval"], tuple(a["field"])) for name, a in axes.items()},
        )
    except (TypeError, KeyError, ValueError, AttributeError) as error:
        raise WireError(f"these are not fields and timelines as docs/protocol.md says: {error!r:.200}") from error


# sizes ------------------------------------------------------------------------------------------


def size(answer: Answer, *, lists: bool = False) -> int:
    """Bytes that an answer takes on the wire at the most, known before it is encoded."""
    total = 1024
    for part in answer.parts:
        total += 1024 + 32 * len(part.gaps) + len(part.points) * (_NUMBER_AS_TEXT if lists else 8)
        for name, column in part.points.columns.items():
            total += 1024 + 4 * len(name) + column_size(column, lists=lists)
    return total + sum(4 * len(notice) + 16 for notice in answer.notices)


def column_size(column: Column, *, lists: bool = False) -> int:
    """Bytes that the values of a column take on the wire at the most."""
    n = len(column.values)
    marks = 0 if column.missing is None or lists else n
    if column.values.dtype.kind == "T":
        # 1 character is up to 4 bytes in UTF-8, up to 6 in JSON's escapes
        return int(np.strings.str_len(column.values).sum()) * (6 if lists else 4) + 8 * n + marks
    return n * (_NUMBER_AS_TEXT if lists else column.values.dtype.itemsize) + marks


def split(answer: Answer, limit: int) -> Iterator[Answer]:
    """The answer in parts of consecutive rows, none larger than the limit; the whole one where it fits.

    Raises ValueError where a single row is larger.
    """
    if size(answer) <= limit:
        yield answer
        return
    for part in answer.parts:
        yield from (
            Answer((Part(points, *part[1:]),), answer.method, answer.bin, answer.notices)
            for points in split_frame(part.points, limit)
        )


def split_frame(frame: Frame, limit: int) -> Iterator[Frame]:
    """The frame in runs of rows, each no larger than the limit; identity goes with the rows."""
    if size(Answer((Part(frame, frame.timeline, None, 0),))) <= limit:
        yield frame
        return
    if len(frame) < 2:  # noqa: PLR2004
        raise ValueError(f"one sample of {frame.timeline!r} is larger than a message may be ({limit} bytes)")
    half = len(frame) // 2
    first, second = frame.rows(slice(0, half)), frame.rows(slice(half, None))
    seq = None if frame.seq is None else frame.seq - len(second)
    yield from split_frame(Frame(first.timeline, first.t, first.columns, first.epoch, seq), limit)
    yield from split_frame(second, limit)
