"""One tier of a timeline at rest: bins of one width, in blocks that are mapped into memory."""

import contextlib
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sisock.bins import Bins, fold, heads
from sisock.grouping import Many, regroup_many
from sisock.store.records import FULL_COLUMNS, LEAN_COLUMNS, Records, coded, decoded
from sisock.store.slots import Slots, TornError, held_size

BLOCK = 512  # bins of a block


class Stretch(NamedTuple):
    """Bins `[first, beyond)`, by number, all of which are kept, or none."""

    first: int
    beyond: int
    kept: bool


class _Blocks(NamedTuple):
    """The blocks of a field in the order of time, and their slots. Fields with the same blocks have the same pattern."""

    blocks: NDArray[np.int64]
    slots: NDArray[np.intp]
    pattern: int


class Level:
    """Bins of 2**exponent ns of all fields of a timeline; a full level also knows first and last of each.

    A file of slots, each the bins of one block of one field, and a list that says which is which.
    """

    def __init__(self, folder: Path, exponent: int, *, full: bool) -> None:
        """Open the level in this folder as it was begun, or begin it."""
        held = held_size(folder, exponent)
        self.full = full if held is None else held > np.dtype(LEAN_COLUMNS).itemsize * BLOCK
        self.exponent, self.width = exponent, 1 << exponent
        self._columns = FULL_COLUMNS if self.full else LEAN_COLUMNS
        self._names = [name for name, _ in self._columns]
        self._slots = Slots(folder, exponent, self._columns, BLOCK)
        self.lost = self._slots.lost  # blocks that were there once
        self._places: dict[int, dict[int, int]] = {}  # field -> block -> slot
        self._sorted: dict[int, _Blocks] = {}
        self._patterns: dict[bytes, int] = {}
        self._lock = threading.RLock()  # readers find no bin half written
        for slot, field, block in self._slots.listed():
            self._places.setdefault(field, {})[block] = slot

    def close(self) -> None:
        """Let the files go."""
        self._slots.close()

    def sync(self) -> None:
        """See that everything is on disk."""
        self._slots.sync()

    @property
    def blocks(self) -> int:
        """Number of blocks kept, of all fields."""
        return self._slots.used

    @property
    def nbytes(self) -> int:
        """Bytes on disk."""
        return self._slots.nbytes

    @property
    def damaged(self) -> bool:
        """Whether blocks are missing that were there once."""
        return bool(self.lost or self._slots.bad)

    # which there are

    def has(self, field: int, block: int) -> bool:
        """Whether the block is kept."""
        slot = self._places.get(field, {}).get(block)
        return slot is not None and slot not in self._slots.bad

    def kept(self, fields: Sequence[int], numbers: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which of these bins, ascending, lie in blocks that are kept. Shape (fields, n)."""
        found = np.zeros((len(fields), len(numbers)), bool)
        for rows, slots, _ in self._parts(fields, numbers):
            found[:, rows] = (slots >= 0)[:, None]
        return found

    @property
    def most(self) -> int:
        """Number of blocks of the field that has most."""
        return max(map(len, self._places.values()), default=0)

    def times(self) -> NDArray[np.int64]:
        """Where each block that any field has begins, ns. Shape (blocks,)."""
        blocks = sorted({block for places in self._places.values() for block in places})
        return (np.array(blocks, np.int64) * BLOCK) << self.exponent

    def pattern(self, field: int) -> int:
        """The same number for all fields that have the same blocks."""
        with self._lock:
            return self._of(field).pattern

    def stretches(self, field: int, first: int, beyond: int) -> Iterator[Stretch]:
        """The bins `[first, beyond)` in stretches that are kept or not."""
        with self._lock:
            blocks = self._of(field).blocks
        low, high = np.searchsorted(blocks, (first // BLOCK, -(-beyond // BLOCK)))
        at = first
        if low < high:
            held = blocks[low:high]
            cuts = np.flatnonzero(np.diff(held) != 1) + 1
            for begin, end in zip([0, *cuts.tolist()], [*cuts.tolist(), len(held)], strict=True):
                kept = max(first, int(held[begin]) * BLOCK), min(beyond, (int(held[end - 1]) + 1) * BLOCK)
                if at < kept[0]:
                    yield Stretch(at, kept[0], kept=False)
                yield Stretch(*kept, kept=True)
                at = kept[1]
        if at < beyond:
            yield Stretch(at, beyond, kept=False)

    def _of(self, field: int) -> _Blocks:
        if field not in self._sorted:
            places = {b: slot for b, slot in self._places.get(field, {}).items() if slot not in self._slots.bad}
            blocks = np.fromiter(places, np.int64, len(places))
            order = np.argsort(blocks)
            blocks, slots = blocks[order], np.fromiter(places.values(), np.intp, len(places))[order]
            if not self._sorted:
                self._patterns.clear()
            pattern = self._patterns.setdefault(blocks.tobytes(), len(self._patterns))
            self._sorted[field] = _Blocks(blocks, slots, pattern)
        return self._sorted[field]

    # reading

    def read(self, of: Sequence[int], stretch: Stretch, kind: str, wanted: Collection[str], width: int) -> Many:
        """The bins of a stretch that these fields have, joined into those of a grid of this width.

        Of a lean level only lean statistics may be wanted. Raises TornError where a block is damaged, or there no more.
        """
        first, beyond, _ = stretch
        with self._lock:
            slots = self._slots_of(of, first // BLOCK, -(-beyond // BLOCK))
            names = {"count", "missing", *wanted}
            self._prove(slots, names)
            got = self._slots.cut(slots, names, first % BLOCK, beyond - first)
        count, missing = got["count"], got["missing"]
        filled = count > 0
        if not filled.all():
            rows = np.flatnonzero(filled | (missing > 0))
            return self._sparse({name: each[rows] for name, each in got.items()}, rows, first, beyond, kind, width)
        group, fields, size = width >> self.exponent, len(slots), beyond - first
        numbers = np.arange(first // group, (beyond - 1) // group + 1, dtype=np.int64)
        at = np.maximum(numbers * group - first, 0)
        every = (at + size * np.arange(fields)[:, None]).reshape(-1)
        bins = decoded(got, np.empty(0, np.int64), kind)
        return Many(fold(bins, every, np.tile(numbers * width, fields)), np.repeat(np.arange(fields), len(numbers)))

    def _slots_of(self, fields: Sequence[int], begin: int, end: int) -> NDArray[np.intp]:
        """Where the blocks `[begin, end)` lie. Shape (fields, blocks)."""
        found = np.empty((len(fields), end - begin), np.intp)
        for row, field in enumerate(fields):
            blocks, slots, _ = self._of(field)
            low, high = np.searchsorted(blocks, (begin, end))
            if high - low < end - begin:
                raise TornError
            found[row] = slots[low:high]
        return found

    def _sparse(
        self, got: dict[str, NDArray[Any]], rows: NDArray[np.intp], first: int, beyond: int, kind: str, width: int
    ) -> Many:
        """As `read`, where some bins have no samples: `rows` are the others."""
        of = rows // (beyond - first)
        start = (first + rows - of * (beyond - first)) << self.exponent
        return regroup_many(Many(decoded(got, start, kind), of), width)

    def _prove(self, slots: NDArray[np.intp], names: Collection[str]) -> None:
        try:
            self._slots.prove(slots, names)
        except TornError:
            self._sorted.clear()
            raise

    def at(self, fields: Sequence[int], numbers: NDArray[np.int64]) -> Records:
        """The records of these bins of each field, all of which lie in blocks that are kept. Shape (fields, n).

        Raises TornError where one is damaged.
        """
        records = np.empty((len(fields), len(numbers)), self._columns)
        with self._lock:
            for rows, slots, places in self._parts(fields, numbers):
                self._prove(slots, self._names)
                for name in self._names:
                    records[name][:, rows] = self._slots.bins[name][slots[:, None], places]
        return records

    def bins_at(self, fields: Sequence[int], kind: str, numbers: NDArray[np.int64], wanted: Collection[str]) -> Many:
        """As `at`, decoded; those without samples left out."""
        records = self.at(fields, numbers).reshape(-1)
        rows = np.flatnonzero((records["count"] > 0) | (records["missing"] > 0))
        held = {name: records[name][rows] for name in {"count", "missing", *wanted}}
        return Many(decoded(held, (numbers << self.exponent)[rows % len(numbers)], kind), rows // len(numbers))

    def coded(self, bins: Bins) -> Records:
        """The records of bins. Shape (n,)."""
        return coded(bins, self._columns)

    # writing

    def put(self, fields: Sequence[int], numbers: NDArray[np.int64], records: Records, *, again: bool = False) -> None:
        """Write these records, of shape (fields, n), at these bins, ascending, as far as their blocks are kept.

        `again`: after a sudden end that may have left them half written.
        """
        with self._lock:
            for rows, slots, places in self._parts(fields, numbers):
                known = np.flatnonzero(slots >= 0)
                if len(known):
                    with self._slots.change(slots[known], trusted=again):
                        for name in self._names:
                            self._slots.bins[name][slots[known][:, None], places] = records[name][known, rows]

    def add(self, fields: Sequence[int], block: int, numbers: NDArray[np.int64], records: Records) -> None:
        """Keep one more block of each field, with these bins of it, records of shape (fields, n). Raises OSError.

        Who looks at the file finds it whole or not at all.
        """
        if self._slots.bad:
            self._drop(lambda other, slot: other == block and slot in self._slots.bad)
        with self._lock:
            slots = self._slots.take(len(fields))
            for name in self._names:
                self._slots.bins[name][slots[:, None], numbers - block * BLOCK] = records[name]
            self._slots.name(slots, fields, block)
            for field, slot in zip(fields, slots.tolist(), strict=True):
                self._places.setdefault(field, {})[block] = slot
                self._sorted.pop(field, None)

    def forget(self, start: int, end: int) -> None:
        """Keep no block any more that may have samples of `[start, end)`, in ns."""
        self.drop_blocks((start >> self.exponent) // BLOCK, ((end - 1) >> self.exponent) // BLOCK + 1)

    def prove(self, first: int, beyond: int) -> None:
        """Look at the checksums of the blocks `[first, beyond)`: damaged ones are not kept any more, as `has` tells."""
        with self._lock:
            slots = [s for places in self._places.values() for block, s in places.items() if first <= block < beyond]
            with contextlib.suppress(TornError):
                self._prove(np.array(slots, np.intp), self._names)

    def damaged_blocks(self) -> list[int]:
        """Which blocks are damaged, of any field."""
        with self._lock:
            return [block for places in self._places.values() for block, s in places.items() if s in self._slots.bad]

    def drop_blocks(self, first: int, beyond: int) -> None:
        """Keep none of the blocks `[first, beyond)` any more."""
        self._drop(lambda block, _: first <= block < beyond)

    def drop_damaged(self) -> None:
        """Keep no damaged block any more: whoever has its samples may make it anew."""
        self._drop(lambda _, slot: slot in self._slots.bad)
        self.lost = 0

    def _drop(self, unwanted: Callable[[int, int], bool]) -> None:
        with self._lock:
            gone = []
            for places in self._places.values():
                blocks = [block for block, slot in places.items() if unwanted(block, slot)]
                gone += [places.pop(block) for block in blocks]
            if gone:
                self._slots.drop(gone)
                self._sorted.clear()

    def _parts(
        self, fields: Sequence[int], numbers: NDArray[np.int64]
    ) -> Iterator[tuple[slice, NDArray[np.intp], NDArray[np.int64]]]:
        """Which rows of ascending bin numbers lie in which slot of each field (-1: in none), and where in it."""
        blocks = numbers // BLOCK
        begins = heads((blocks,)).tolist() if len(numbers) else []
        for begin, end in pairwise([*begins, len(numbers)]):
            block = int(blocks[begin])
            slots = np.array([self._places.get(field, {}).get(block, -1) for field in fields], np.intp)
            if self._slots.bad:
                slots[np.isin(slots, list(self._slots.bad))] = -1
            yield slice(begin, end), slots, numbers[begin:end] - block * BLOCK
