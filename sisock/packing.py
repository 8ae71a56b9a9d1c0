"""Frames <-> bytes at rest: a checked header, then raw little-endian buffers (docs/decisions/0008-journal.md)."""

import json
import struct
from collections.abc import Collection, Iterator
from functools import lru_cache
from typing import Any, NamedTuple
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from sisock.buffers import DTYPES, text_buffers, texts_in
from sisock.frames import Column, Frame

VERSION = 1
_HEADER = struct.Struct("<2sBBI")  # magic, version, 0, CRC-32 of all that follows
_COUNTS = struct.Struct("<IIq")  # rows, bytes of the head, seq
_START = _HEADER.size + _COUNTS.size
_MAGIC, _NO_SEQ = b"sF", -(2**63)
_BLOCKS = {"f": DTYPES["<f8"], "i": DTYPES["<i8"], "b": DTYPES["|b1"]}  # columns of one type lie in one block
_FOREIGN = (ValueError, KeyError, TypeError, IndexError)  # what reading foreign data may raise


class DamagedError(ValueError):
    """These bytes are not what was packed: something has changed them, or a newer sisock made them."""


class _Head(NamedTuple):
    """What all frames of a timeline have in common, as JSON ahead of the buffers."""

    timeline: str
    epoch: str | None
    names: tuple[str, ...]
    kinds: str  # of each column one of f, i, b, T
    masked: str  # of each column 1 if values may be missing, else 0


def pack(*run: Frame) -> bytes:
    """One frame as bytes; several are taken as its consecutive rows: timeline, epoch and columns are the same.

    Raises TypeError for columns that are no `Column` as frames.py has it.
    """
    last, rows = run[-1], [list(frame.columns.values()) for frame in run]
    kinds = "".join([values.dtype.kind for values, _ in rows[-1]])
    if not set(kinds) <= {*_BLOCKS, "T"}:
        raise TypeError(f"a frame of {last.timeline!r} has columns of kinds {kinds!r:.80}: make them with column()")
    masked = "".join(["01"[any(marks)] for marks in zip(*(_marked(row) for row in rows), strict=True)])
    head = _head_bytes(_Head(last.timeline, last.epoch, tuple(last.columns), kinds, masked))
    parts: list[Any] = [head, np.concatenate([frame.t for frame in run], dtype="<i8")]
    for kind, dtype in _BLOCKS.items():
        parts += _block([row[i].values for i in _columns(kinds, kind) for row in rows], dtype)
    parts += _block([_mask(row[i]) for i in _columns(masked, "1") for row in rows], _BLOCKS["b"])
    texts = [row[i].values for i in _columns(kinds, "T") for row in rows]
    if texts:
        data, offsets = text_buffers(np.concatenate(texts))
        parts += [offsets, data]
    counts = _COUNTS.pack(sum(map(len, run)), len(head), _NO_SEQ if last.seq is None else last.seq)
    crc = crc32(counts)
    for part in parts:
        crc = crc32(part, crc)
    return b"".join([_HEADER.pack(_MAGIC, VERSION, 0, crc), counts, *parts])


def _marked(row: list[Column]) -> list[bool]:
    """Which of the columns have marks of missing values."""
    return [missing is not None for _, missing in row]


def _mask(column: Column) -> NDArray[np.bool_]:
    return np.zeros(len(column.values), bool) if column.missing is None else column.missing


def _block(arrays: list[NDArray[Any]], dtype: np.dtype[Any]) -> list[Any]:
    """The arrays end to end, filled up to a multiple of 8 bytes."""
    if not arrays:
        return []
    joined = np.concatenate(arrays, dtype=dtype)
    return [joined, bytes(-joined.nbytes % 8)]


@lru_cache(maxsize=1024)
def _head_bytes(head: _Head) -> bytes:
    text = json.dumps(head, separators=(",", ":")).encode()
    return text + b" " * (-len(text) % 8)


@lru_cache(maxsize=1024)
def _head(text: bytes) -> _Head:
    timeline, epoch, names, kinds, masked = json.loads(text)
    return _Head(timeline, epoch, tuple(names), kinds, masked)


def unpack(body: bytes, fields: Collection[str] | None = None) -> Frame:
    """The frame that was packed, or only these fields of it. Raises DamagedError where a byte has changed.

    Its arrays are read-only and lie in `body`; where only some fields are wanted they are copies.
    """
    if len(body) < _START or body[:4] != _HEADER.pack(_MAGIC, VERSION, 0, 0)[:4]:
        raise DamagedError(f"this is no frame packed in version {VERSION}, the only one known here")
    if _HEADER.unpack_from(body)[3] != crc32(memoryview(body)[_HEADER.size :]):
        raise DamagedError("a frame is not as it was written: its checksum is another")
    n, size, seq = _COUNTS.unpack_from(body, _HEADER.size)
    try:
        head = _head(body[_START : _START + size])
        return _frame(body, _START + size, head, n, None if seq == _NO_SEQ else seq, fields)
    except _FOREIGN as error:
        raise DamagedError(f"a frame is not as docs/decisions/0008-journal.md says: {error!r:.200}") from error


def _frame(body: bytes, at: int, head: _Head, n: int, seq: int | None, fields: Collection[str] | None) -> Frame:
    t = np.frombuffer(body, "<i8", n, at)
    at += t.nbytes
    values: dict[int, Any] = {}
    missing: dict[int, Any] = {}
    for kind, dtype in _BLOCKS.items():
        at = _take(body, at, _columns(head.kinds, kind), dtype, n, values)
    at = _take(body, at, _columns(head.masked, "1"), _BLOCKS["b"], n, missing)
    wanted = [i for i, name in enumerate(head.names) if fields is None or name in fields]
    values.update(_texts(body, at, head.kinds, n, wanted))
    columns = {head.names[i]: Column(values[i], missing.get(i)) for i in wanted}
    if fields is not None:
        t, columns = t.copy(), {name: _copy(column) for name, column in columns.items()}
    return Frame(head.timeline, t, columns, head.epoch, seq)


def _copy(column: Column) -> Column:
    return Column(column.values.copy(), None if column.missing is None else column.missing.copy())


def _take(
    body: bytes, at: int, columns: tuple[int, ...], dtype: np.dtype[Any], n: int, into: dict[int, NDArray[Any]]
) -> int:
    """Put each column of a block where it belongs; where the next block begins."""
    if not columns:
        return at
    block = np.frombuffer(body, dtype, n * len(columns), at)
    into.update(zip(columns, block.reshape(len(columns), n), strict=True))
    return at + block.nbytes + -block.nbytes % 8


def _texts(body: bytes, at: int, kinds: str, n: int, wanted: list[int]) -> Iterator[tuple[int, NDArray[Any]]]:
    """The text columns that are wanted, each with its place among all columns."""
    among = _columns(kinds, "T")
    if not among:
        return
    offsets = np.frombuffer(body, "<u4", n * len(among) + 1, at)
    data = memoryview(body)[at + offsets.nbytes :]
    for order, column in enumerate(among):
        if column in wanted:
            own = offsets[order * n : (order + 1) * n + 1]
            yield column, texts_in(bytes(data[own[0] : own[-1]]), own - own[0])


@lru_cache(maxsize=1024)
def _columns(letters: str, letter: str) -> tuple[int, ...]:
    """Which columns have this letter."""
    return tuple(at for at, each in enumerate(letters) if each == letter)
