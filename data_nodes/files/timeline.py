"""A timeline of files: pieces of them, and tiers over these in the node's own folder."""

import json
import threading
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from data_nodes.files.pieces import Open, Piece, Pieces
from data_nodes.files.state import State
from sisock.frames import Field, Frame, Times
from sisock.grid import floors
from sisock.store import growing
from sisock.store.levels import BLOCK
from sisock.store.snapshot import Trouble
from sisock.store.tiers import Asked, Kept, Span, Tiers, UnreadableError
from sisock.times import LAST

_AT_ONCE = 1_000_000


class FileTimeline:
    """What `sisock.store.recorded.Recorded` wants. One thread writes, any may read.

    While tiers change, `stale` says in the state where: after a sudden end these stretches are made anew.
    """

    def __init__(self, number: int, name: str, state: State, opened: Open, folder: Path) -> None:
        """Take up what the state knows; the tiers lie in the folder."""
        self.timeline, self.number = name, number
        self.lock = threading.RLock()
        self.fields: dict[str, Field] = {}
        self.kinds = state.kinds(number)
        self._state, self._open = state, opened
        self._pieces = {(each.path, each.part, each.begin): each for each in state.pieces(number)}
        self._lasts: dict[tuple[str, str], Piece] = {}
        for each in sorted(self._pieces.values(), key=lambda each: each.begin):
            self._lasts[each.path, each.part] = each
        self._until = max((each.high for each in self._pieces.values()), default=-LAST) + 1
        self.late: dict[str, tuple[Piece, ...]] = {}  # by file, what is known of it before it is in the tiers
        stale = json.loads(state.note(self._stale) or "null")
        self.stale: Span | None = stale and (stale["span"][0], stale["span"][1])
        _keep_only(folder, None if stale is None else stale["levels"])
        self.tiers = Tiers(folder)
        self._levels, self._rows = list(self.tiers.blocks), 0  # tiers that are on disk; rows that perhaps are not
        if not self._pieces:
            self.tiers.clear()
        elif self.stale is not None:
            self.tiers.forget(*self.stale)

    @property
    def _stale(self) -> str:
        return f"stale {self.number}"

    # what there is

    @property
    def pieces(self) -> tuple[Piece, ...]:
        """The pieces that are in the tiers."""
        with self.lock:
            return tuple(self._pieces.values())

    def snapshot(self) -> Pieces:
        """What there is now."""
        return Pieces(self._open, self.pieces)

    def lately(self) -> Pieces:
        """What there is now, with what is in no tier yet."""
        with self.lock:
            every = (each for of in self.late.values() for each in of)
            late = [each for each in every if (each.path, each.part, each.begin) not in self._pieces]
            return Pieces(self._open, self.pieces, tuple(late))

    def asked(self, names: Sequence[str]) -> list[tuple[str, Kept]]:
        """Those of the fields that have tiers, each with every kind of values it has had."""
        return [(name, kept) for name in names for kept in self.kinds.get(name, {}).values()]

    def last_of(self, path: str, part: str) -> Piece | None:
        """The last piece of a table; None without any."""
        return self._lasts.get((path, part))

    # growing

    def add(self, piece: Piece, span: Span, frames: Iterable[Frame], path: str, about: Mapping[str, Any]) -> None:
        """Take up a piece, or one that has grown, of which the frames are what is new in this span of time.

        `about` is noted of its file.
        """
        until = self._until
        numbered, taken = self._take(frames)
        stale = _union(span, self.stale)
        with self._state.change():
            self._mark(stale)
            self._state.add(self.number, piece)
            self._state.file(path, about)
        self.stale = stale
        with self.lock:
            growing.apply(self.tiers, taken.writes)
            self._pieces[piece.path, piece.part, piece.begin] = self._lasts[path, piece.part] = piece
            self._until = max(until, piece.high + 1)
        growing.grow(self.tiers, numbered, taken, until, self._known)
        self._rows += piece.rows
        if self._rows >= _AT_ONCE:
            self.settle()

    def _take(self, frames: Iterable[Frame]) -> tuple[dict[str, Kept], growing.Taken]:
        numbered: dict[str, Kept] = {}
        none = np.empty(0, np.int64)
        taken = growing.Taken(none, none, [], [])
        for frame in frames:
            with self.lock:
                self.tiers.begin(frame.t)
            some = self._numbered(frame)
            one = growing.take(self.tiers, some, frame)
            numbered |= some
            taken = one._replace(alike=[*taken.alike, *one.alike], writes=[*taken.writes, *one.writes])
        return numbered, taken

    def _numbered(self, frame: Frame) -> dict[str, Kept]:
        """The fields of the frame that have tiers: all but texts."""
        numbered = {}
        for name, column in frame.columns.items():
            if column.type != "string":
                kind = {"f": "f8", "i": "i8", "b": "b1"}[column.values.dtype.kind]
                if kind not in self.kinds.get(name, {}):
                    made = self._state.number(self.number, name, kind)
                    self.kinds = {**self.kinds, name: {**self.kinds.get(name, {}), kind: made}}
                numbered[name] = self.kinds[name][kind]
        return numbered

    def _known(self, start: int, end: int, asked: Asked) -> dict[str, Frame]:
        """What the pieces have, as tiers ask for it. Raises UnreadableError where some of it cannot be read."""
        trouble = Trouble()
        found = self.snapshot().raw((start, end), asked, trouble)
        if trouble.told:
            raise UnreadableError(*trouble.told.values())
        return found

    def _mark(self, span: Span) -> None:
        """Note, within a change of the state, that the tiers are going to change in this span."""
        self._state.put(self._stale, json.dumps({"span": span, "levels": self._levels}))

    def settle(self) -> None:
        """Note that the tiers are as they should be, and on disk."""
        if self.stale is not None:
            self.tiers.sync()
            self._levels, self._rows, self.stale = list(self.tiers.blocks), 0, None
            self._state.put(self._stale, "")

    # mending

    def lose(self, path: str) -> bool:
        """Note, within a change of the state, that a file is going; whether there was anything of it."""
        own = [each for each in self.pieces if each.path == path]
        if own:
            span = min(each.low for each in own), max(each.high for each in own) + 1
            self.stale = _union(span, self.stale)
            self._mark(self.stale)
        return bool(own)

    def drop(self, path: str) -> None:
        """Have nothing of a file any more, after `lose`."""
        with self.lock:
            self._pieces = {key: each for key, each in self._pieces.items() if each.path != path}
            self._lasts = {key: each for key, each in self._lasts.items() if each.path != path}
            if self.stale is not None:
                self.tiers.forget(*self.stale)

    def mend(self) -> None:
        """Make the tiers anew where they are stale or damaged: the blocks that are given up, from the finest on."""
        if self.tiers.damaged:
            self.tiers.drop_damaged()
            self.stale = self.snapshot().ends()
        if self.stale is None:
            return
        with self.lock:
            self.tiers.forget(*self.stale)
        if not self.tiers.levels and self._pieces:
            self._begin()
        snapshot, levels = self.snapshot(), self.tiers.levels
        if levels:
            for held in {_numbers(each) for each in snapshot.every}:
                own = snapshot._replace(every=tuple(each for each in snapshot.every if _numbers(each) == held))
                starts = _blocks(own, _outward(self.stale, levels[0].width * BLOCK), levels[0].width)
                far = own.starts_within(*_outward(self.stale, levels[-1].width * BLOCK))
                t = np.unique(np.concatenate((starts, floors(far, levels[0].width))))
                fields = {name: self.kinds[name][kind] for name, kind in sorted(held)}
                growing.grow(self.tiers, fields, growing.Taken(t, t, [], []), LAST, self._known)
        self.settle()

    def _begin(self) -> None:
        """Choose the finest bins by the beginning of the largest piece."""
        piece = max(self.pieces, key=lambda each: each.rows)
        beyond = int(piece.starts[1]) if len(piece.starts) > 1 else piece.high + 1
        held = self.snapshot().read((piece.low, beyond), (), Trouble())
        if held is not None:
            with self.lock:
                self.tiers.begin(held.frame.t)

    def close(self) -> None:
        """Let the files go."""
        self.tiers.close()


def _union(span: Span, other: Span | None) -> Span:
    return span if other is None else (min(span[0], other[0]), max(span[1], other[1]))


def _numbers(piece: Piece) -> frozenset[tuple[str, str]]:
    """The fields of a piece that have tiers, each with the kind of its values."""
    return frozenset((name, kind) for name, (_, kind) in piece.fields.items() if kind != "text")


def _blocks(pieces: Pieces, span: Span, width: int) -> Times:
    """Where the blocks of the finest tier begin that have samples in this span. Shape (blocks,)."""
    found = [np.empty(0, np.int64)]
    for some in pieces.stretches(span, _AT_ONCE):
        held = pieces.read(some, (), Trouble())
        if held is not None:
            found.append(np.unique(floors(held.frame.t, width * BLOCK)))
    return np.unique(np.concatenate(found))


def _outward(span: Span, width: int) -> Span:
    return span[0] // width * width, -(-span[1] // width) * width


def _keep_only(folder: Path, levels: Sequence[int] | None) -> None:
    """Remove the files of tiers that were begun while the state did not know of them; None: it knows all."""
    if levels is not None and folder.is_dir():
        for path in list(folder.iterdir()):
            if int(path.stem) not in levels:
                path.unlink()
