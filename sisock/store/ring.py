"""Bounded memory of recent samples, each with its identity."""

import secrets
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np

from sisock.frames import Frame, concat
from sisock.nearest import Which, nearer, nearest, sought
from sisock.store.heaviest import Heaviest
from sisock.store.weights import weight

_BLOCK = 4096  # rows up to which blocks are joined
_SHARE = 16  # a block is at most this part of the ring: so much goes at once, and the rest stays


class _Block(NamedTuple):
    """Samples that come and go together, with what a question needs to know of them."""

    frame: Frame
    weight: int  # bytes
    first: int  # sequence of the first sample
    beyond: int  # one past that of the last
    low: int  # earliest and latest time in ns: a clock may have been set back
    high: int


class Ring:
    """The latest samples of a node's timelines, within a number of bytes for all of them."""

    def __init__(
        self, most_bytes: int, epoch: str | None = None, begin: Callable[[str], int] = lambda timeline: 0
    ) -> None:
        """Keep at most so many bytes; the oldest samples go first.

        Identities are of this epoch, or a new one; `begin` gives the first sequence of a timeline.
        """
        self.epoch = epoch or secrets.token_hex(8)
        self.dropped: dict[str, int] = {}  # timeline -> samples that had to go
        self.gone: dict[str, int] = {}  # timeline -> the latest time in ns of those that came before and are not there
        self._most, self._begin = most_bytes, begin
        self._bytes = 0
        self._blocks: dict[str, list[_Block]] = {}
        self._several, self._single = Heaviest(), Heaviest()  # timelines of several blocks, and of one
        self._seq: dict[str, int] = {}
        self._fields: dict[str, set[str]] = {}

    def append(self, frame: Frame) -> Frame:
        """Keep the frame and return it with its identity."""
        (kept,) = self.identified([frame])
        self._keep(kept)
        return kept

    def identified(self, frames: Iterable[Frame]) -> list[Frame]:
        """The frames with the identities that come next; they are there after `restore`, if nothing else comes before."""
        beyond, found = dict[str, int](), list[Frame]()
        for frame in frames:
            name = frame.timeline
            begin = self._seq.setdefault(name, self._next(name))  # whatever `begin` says later
            beyond[name] = beyond.get(name, begin) + len(frame)
            found.append(Frame(name, frame.t, frame.columns, self.epoch, beyond[name]))
        return found

    def restore(self, frame: Frame) -> None:
        """Keep a frame that has its identity in this epoch already; nothing older comes after it."""
        begin = self._next(frame.timeline)
        self._keep(frame)
        self._seq[frame.timeline] = max(begin, self._seq[frame.timeline])

    def forget(self, timeline: str, field: str) -> None:
        """Let go of what there is of a field: it has become one of another type."""
        blocks = self._blocks.get(timeline, [])
        blocks[:] = [block._replace(frame=block.frame.only(set(block.frame.columns) - {field})) for block in blocks]

    def lacks(self, timeline: str, high: int) -> None:
        """Note that samples that came before, the latest at this time in ns, are not there."""
        self.gone[timeline] = max(self.gone.get(timeline, high), high)

    def _next(self, timeline: str) -> int:
        """The sequence of the timeline's next sample."""
        return self._seq[timeline] if timeline in self._seq else self._begin(timeline)

    def _keep(self, frame: Frame) -> None:
        assert frame.seq is not None  # every frame of a ring has its identity
        self._seq[frame.timeline] = frame.seq
        self._fields.setdefault(frame.timeline, set()).update(frame.columns)
        for piece in _pieces(frame, self._most // _SHARE):
            blocks = self._blocks.setdefault(frame.timeline, [])
            blocks.append(piece)
            self._bytes += piece.weight
            self._join(blocks)
            self._weigh(frame.timeline, blocks)
            self._trim()

    def _join(self, blocks: list[_Block]) -> None:
        """Join the last blocks while they are of like length: few blocks, and each row copied a few times only."""
        while len(blocks) > 1:
            before, last = blocks[-2:]
            small = before.weight + last.weight <= self._most // _SHARE and before.beyond == last.first
            if not small or not len(before.frame) <= len(last.frame) < _BLOCK:
                return
            joined = _block(concat((before.frame, last.frame)))
            self._bytes += joined.weight - before.weight - last.weight
            blocks[-2:] = [joined]

    def _trim(self) -> None:
        """Let the oldest block of the heaviest timeline go until the rest fits: records do not push out the counts.

        The last block of a timeline goes only if it has to.
        """
        while self._bytes > self._most and (timeline := self._several.top() or self._single.top()):
            blocks = self._blocks[timeline]
            oldest = blocks.pop(0)
            self._bytes -= oldest.weight
            self.dropped[timeline] = self.dropped.get(timeline, 0) + len(oldest.frame)
            self.lacks(timeline, oldest.high)
            self._weigh(timeline, blocks)
            if not blocks:
                del self._blocks[timeline]

    def _weigh(self, timeline: str, blocks: list[_Block]) -> None:
        """Note how heavy a timeline has become."""
        here, there = (self._several, self._single) if len(blocks) > 1 else (self._single, self._several)
        there.drop(timeline)
        if blocks:
            here.set(timeline, sum(block.weight for block in blocks))
        else:
            here.drop(timeline)

    def timelines(self) -> list[str]:
        """The timelines that have samples."""
        return list(self._blocks)

    def fields(self, timeline: str) -> set[str]:
        """The fields that a timeline's samples have, or had."""
        return self._fields.get(timeline, set())

    def first(self, timeline: str) -> int | None:
        """Time in ns of the oldest sample that is still there."""
        blocks = self._blocks.get(timeline)
        return blocks[0].low if blocks else None

    def oldest(self, timeline: str) -> int:
        """Sequence of the oldest sample that is still there, or of the next one where there is none."""
        blocks = self._blocks.get(timeline)
        return blocks[0].first if blocks else self._next(timeline)

    def window(self, timeline: str, fields: Iterable[str], start: int, end: int, since: int = 0) -> Frame:
        """Samples with `start <= t < end` and a sequence of at least `since`, in the order of time.

        The frame accounts for all samples below its `seq`: the first that lies at or beyond `end`, or all there are.
        """
        wanted = list(fields)
        blocks = [block for block in self._blocks.get(timeline, ()) if block.beyond > since]
        seq = next((at for block in blocks if (at := _reaches(block, since, end)) is not None), self._next(timeline))
        hit = [_from(block, since).only(wanted) for block in blocks if block.high >= start and block.low < end]
        if not hit:
            return Frame(timeline, np.empty(0, np.int64), {}, self.epoch, seq)
        inside = concat(hit).in_time().between(start, end)  # a clock may have been set back
        return Frame(timeline, inside.t, inside.columns, self.epoch, seq)

    def nearest(self, field: str, t: int, which: Which) -> Frame | None:
        """The field's last sample at or before t ns, before it, or the first after it, that has a value; None without.

        A frame of one row with the identity of its sample.
        """
        start, end = sought(t, which)
        best: Frame | None = None
        for timeline in self.timelines():
            if field in self.fields(timeline):
                blocks = self._blocks[timeline]
                for block in blocks if which == "after" else reversed(blocks):
                    if block.high >= start and block.low < end and _may_be_nearer(block, best, which):
                        best = nearer(best, nearest(block.frame, field, start, end, which), which)
        return best


def _may_be_nearer(block: _Block, best: Frame | None, which: Which) -> bool:
    """Whether the block may have a sample that is nearer than the best so far."""
    if best is None:
        return True
    return block.low < int(best.t[0]) if which == "after" else block.high > int(best.t[0])


def _block(frame: Frame) -> _Block:
    assert frame.seq is not None  # every frame of a ring has its identity
    first, low, high = frame.seq - len(frame), int(frame.t.min()), int(frame.t.max())
    return _Block(frame, weight(frame), first, frame.seq, low, high)


def _pieces(frame: Frame, most: int) -> Iterator[_Block]:
    """The frame as blocks of at most so many bytes, as far as rows can be parted."""
    if not len(frame):
        return
    whole = _block(frame)
    if whole.weight <= most or len(frame) == 1:
        yield whole
        return
    middle = whole.first + len(frame) // 2
    yield from _pieces(_copy(whole, whole.first, middle), most)
    yield from _pieces(_copy(whole, middle, whole.beyond), most)


def _copy(block: _Block, first: int, beyond: int) -> Frame:
    """The samples with these sequences, in memory of their own."""
    part = block.frame.rows(np.arange(first - block.first, beyond - block.first))
    return Frame(part.timeline, part.t, part.columns, part.epoch, beyond)


def _from(block: _Block, since: int) -> Frame:
    """The rows of a block with a sequence of at least `since`."""
    return block.frame if block.first >= since else block.frame.rows(slice(since - block.first, None))


def _reaches(block: _Block, since: int, end: int) -> int | None:
    """Sequence of the first sample, from `since` on, at or beyond `end`; None if the block has none."""
    if block.high < end:
        return None
    rows = np.flatnonzero(_from(block, since).t >= end)
    return max(since, block.first) + int(rows[0]) if len(rows) else None
