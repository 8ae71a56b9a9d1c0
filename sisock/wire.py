"""Frames and answers <-> what travels (docs/protocol.md): typed columns for ours, lists for existing callers."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from sisock.buffers import DTYPES, text_buffers, texts_in
from sisock.frames import Answer, Column, Field, Frame, Part, Timeline, Times, concat
from sisock.times import NS

VERSION = 1
_LATEST = 9.2e9  # seconds since 1970 that fit into int64 ns
_FOREIGN = (TypeError, KeyError, ValueError, AttributeError, OverflowError)  # what reading foreign data may raise


class WireError(ValueError):
    """What came over the wire is not in the form of docs/protocol.md; says where."""


# columns ----------------------------------------------------------------------------------------


def encode_column(column: Column) -> dict[str, Any]:
    """A column as a dict of dtype and bytes."""
    values = column.values
    if values.dtype.kind == "T":
        data, offsets = text_buffers(values)
        coded: dict[str, Any] = {"dtype": "utf8", "data": data, "offsets": offsets.tobytes()}
    else:
        coded = {"dtype": values.dtype.str, "data": values.tobytes()}
    if column.missing is not None:
        coded["missing"] = column.missing.tobytes()
    return coded


def decode_column(coded: Any) -> Column:
    """The column of a dict made by `encode_column`; raises WireError for anything else."""
    try:
        dtype, data = coded["dtype"], coded["data"]
        if dtype == "utf8":
            values = texts_in(data, np.frombuffer(coded["offsets"], "<u4"))
        else:
            values = np.frombuffer(data, DTYPES[dtype])
        missing = np.frombuffer(coded["missing"], bool) if "missing" in coded else None
    except _FOREIGN as error:
        raise WireError(f"a column is not as docs/protocol.md says: {error!r:.200}") from error
    if missing is not None and len(missing) != len(values):
        raise WireError(f"a column has {len(values)} values, but {len(missing)} marks of missing ones")
    return Column(values, missing)


def _decode_times(coded: Any) -> Times:
    column = decode_column(coded)
    if column.values.dtype != np.int64 or column.missing is not None:
        raise WireError("the times of a timeline must be an <i8 column of nanoseconds")
    if (column.values[1:] < column.values[:-1]).any():
        raise WireError("the times of a timeline must ascend")
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
    label = {"method": answer.method, "bin": answer.bin, "notices": list(answer.notices), "tier": answer.tier}
    return {"v": VERSION, "timelines": timelines, "data": data, "label": label}


def decode_answer(coded: Any) -> Answer:
    """The answer of what `encode_answer` made; raises WireError for anything else."""
    frames = _decode_frames(coded)
    try:
        parts = tuple(_decode_part(frame, coded["timelines"][frame.timeline]) for frame in frames)
        label = coded["label"]
        notices = tuple(str(notice) for notice in label["notices"])
        width, tier = (None if each is None else int(each) for each in (label["bin"], label.get("tier")))
        return Answer(parts, str(label["method"]), width, notices, tier)
    except _FOREIGN as error:
        raise WireError(f"an answer is not as docs/protocol.md says: {error!r:.200}") from error


def _decode_part(points: Frame, axis: Mapping[str, Any]) -> Part:
    finalized = axis["finalized_until"]
    gaps = tuple((int(a), int(b)) for a, b in axis["gaps"])
    return Part(points, str(axis["of"]), None if finalized is None else int(finalized), int(axis["samples"]), gaps)


def assemble(parts: Sequence[Answer]) -> Answer:
    """One answer of the parts in which a large one travelled: rows of the same axis one after the other."""
    if len(parts) == 1:
        return parts[0]
    axes: dict[str, list[Frame]] = {}
    for answer in parts:
        for part in answer.parts:
            axes.setdefault(part.points.timeline, []).append(part.points)
    last = {part.points.timeline: part for answer in parts for part in answer.parts}
    whole = tuple(last[key]._replace(points=concat(frames)) for key, frames in axes.items())
    return replace(parts[-1], parts=whole)


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
            columns[column["timeline"]][_name(name)] = decode_column(column)
        return [_decode_axis(_name(key), axis, columns[key]) for key, axis in coded["timelines"].items()]
    except WireError:
        raise
    except _FOREIGN as error:
        raise WireError(f"this is not a typed answer of docs/protocol.md: {error!r:.200}") from error


def _name(key: Any) -> str:
    if not isinstance(key, str):
        raise WireError(f"{key!r:.80} is not the name of a field or timeline")
    return key


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
        if len(points) and points.columns:
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
    from sisock.frames import column  # the name is a variable everywhere else here

    try:
        grouped: dict[str, dict[str, Column]] = {key: {} for key in answer["timeline"]}
        for name, values in answer["data"].items():
            key = fields[name].timeline if name in fields else None
            if values and key in grouped:
                grouped[key][name] = column(values)
        return Answer(tuple(_from_lists(key, axis, grouped[key]) for key, axis in answer["timeline"].items()))
    except _FOREIGN as error:
        raise WireError(f"this is not an answer as CONTRACT says: {error!r:.200}") from error


def _from_lists(key: str, axis: Mapping[str, Any], columns: dict[str, Column]) -> Part:
    seconds = np.asarray(axis["t"], np.float64)
    if seconds.ndim != 1 or not (np.abs(seconds) < _LATEST).all():
        raise ValueError(f"the times of {key!r:.80} are not a list of UNIX times")
    t = np.round(seconds * 1e6).astype(np.int64) * 1000
    short = {name for name, each in columns.items() if len(each.values) != len(t)}
    if short:
        raise ValueError(f"{min(short)!r} has another number of values than its timeline has times")
    until = axis.get("finalized_until")
    order = np.argsort(t, kind="stable")
    return Part(Frame(key, t, columns).rows(order), key, None if until is None else round(float(until) * NS), len(t))


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
    except _FOREIGN as error:
        raise WireError(f"these are not fields and timelines as docs/protocol.md says: {error!r:.200}") from error
