"""Bounded memory of recent samples, each with its identity."""

import secrets
from collections.abc import Iterable
from typing import Any

import numpy as np

from sisock.frames import Column, Frame, concat

_BLOCK = 4096  # rows up to which blocks are joined


class Ring:
    """The latest samples of a node's timelines, within a number of bytes for all of them."""

    def __init__(self, most_bytes: int) -> None:
        """Keep at most so many bytes; the oldest samples go first."""
        self.epoch = secrets.token_hex(8)
        self.dropped: dict[str, int] = {}  # timeline -> samples that had to go
        self._most = most_bytes
        self._bytes = 0
        self._blocks: dict[str, list[Frame]] = {}
        self._seq: dict[str, int] = {}

    def append(self, frame: Frame) -> Frame:
        """Keep the frame and return it with its identity."""
        name = frame.timeline
        seq = self._seq.get(name, 0) + len(frame)
        self._seq[name] = seq
        kept = Frame(name, frame.t, frame.columns, self.epoch, seq)
        if len(frame):
            blocks = self._blocks.setdefault(name, [])
            blocks.append(kept)
            self._bytes += _weight(kept)
            self._join(blocks)
            self._trim()
        return kept

    def _join(self, blocks: list[Frame]) -> None:
        """Join the last blocks while they are of like length: few blocks, and each row copied a few times only."""
        while len(blocks) > 1 and len(blocks[-2]) <= len(blocks[-1]) < _BLOCK:
            last, before = blocks.pop(), blocks.pop()
            joined = concat((before, last))
            self._bytes += _weight(joined) - _weight(before) - _weight(last)
            blocks.append(joined)

    def _trim(self) -> None:
        """Let the oldest block of any timeline go until the rest fits; each timeline keeps its last block."""
        while self._bytes > self._most:
            movable = [blocks for blocks in self._blocks.values() if len(blocks) > 1]
            if not movable:
                return
            oldest = min(movable, key=lambda blocks: int(blocks[0].t[-1]))
            gone = oldest.pop(0)
            self._bytes -= _weight(gone)
            self.dropped[gone.timeline] = self.dropped.get(gone.timeline, 0) + len(gone)

    def timelines(self) -> list[str]:
        """The timelines that have samples."""
        return list(self._blocks)

    def fields(self, timeline: str) -> set[str]:
        """The fields that a timeline's samples have."""
        return {name for block in self._blocks.get(timeline, ()) for name in block.columns}

    def first(self, timeline: str) -> int | None:
        """Time in ns of the oldest sample that is still there."""
        blocks = self._blocks.get(timeline)
        return int(blocks[0].t[0]) if blocks else None

    def window(self, timeline: str, fields: Iterable[str], start: int, end: int, since: int = 0) -> Frame:
        """Samples with `start <= t < end` and a sequence of at least `since`, in the order of time.

        The frame's `seq` accounts for the window: one past its last sample, or for all where it reaches beyond.
        """
        wanted = list(fields)
        blocks = [
            block
            for block in self._blocks.get(timeline, ())
            if (block.seq or 0) > since and block.t.max() >= start and block.t.min() < end
        ]
        seq = self._seq.get(timeline, 0)
        if not blocks:
            newest = max((int(block.t.max()) for block in self._blocks.get(timeline, ())), default=end - 1)
            return Frame(timeline, np.empty(0, np.int64), {}, self.epoch, seq if end > newest else since)
        frame = concat([_from(block, since).only(wanted) for block in blocks])
        if (np.diff(frame.t) < 0).any():  # a clock was set back
            frame = frame.rows(np.argsort(frame.t, kind="stable"))
        inside = frame.between(start, end)
        complete = blocks[-1] is self._blocks[timeline][-1] and end > frame.t[-1]
        return Frame(timeline, inside.t, inside.columns, self.epoch, seq if complete else inside.seq)


def _from(block: Frame, since: int) -> Frame:
    """The rows of a block with a sequence of at least `since`."""
    assert block.seq is not None  # noqa: S101  # every block has its identity
    first = block.seq - len(block)
    return block if first >= since else block.rows(slice(since - first, None))


def _weight(frame: Frame) -> int:
    """Bytes that a frame takes in memory, near enough."""
    return frame.t.nbytes + sum(_column_weight(column) for column in frame.columns.values()) + 200


def _column_weight(column: Column) -> int:
    values: Any = column.values
    weight = int(values.nbytes) + (0 if column.missing is None else column.missing.nbytes) + 200
    if values.dtype.kind == "T":  # texts beyond 15 bytes lie outside the array
        lengths = np.strings.str_len(values)
        weight += int(lengths[lengths > 15].sum())  # noqa: PLR2004
    return weight
