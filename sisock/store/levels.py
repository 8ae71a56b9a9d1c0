"""One tier of a timeline at rest: bins of one width, in blocks that are mapped into memory."""

import os
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sisock.bins import EVERY, TIMES, VALUES, Bins, Many, fold, heads, regroup_many

BLOCK = 512  # bins of a block
_VALUE = {"f8": "<f8", "i8": "<i8", "b1": "<i8"}  # how the values of a kind of field lie in 8 bytes
_LEAN = [
    ("low", "<i8"), ("high", "<i8"), ("total", "<f8"), ("m2", "<f4"), ("count", "<u4"), ("missing", "<u4"),
    ("t_low", "<i8"), ("t_high", "<i8"),
]  # fmt: skip
_ENDS = [("first", "<i8"), ("last", "<i8"), ("t_first", "<i8"), ("t_last", "<i8")]
_ENTRY = np.dtype([("field", "<i8"), ("block", "<i8")])
_NOBODY = -1  # in the place of a field whose block is kept no longer
_GROWTH = 64  # blocks that a file grows by at least, and an eighth of it

Records = NDArray[Any]  # bins as they lie in a file, one record a bin


class Stretch(NamedTuple):
    """Bins `[first, beyond)`, by number; `slots` is where their blocks lie, None where they are not kept."""

    first: int
    beyond: int
    slots: NDArray[np.intp] | None


class Level:
    """Bins of 2**exponent ns of all fields of a timeline; a full level also knows first and last of each.

    A file of slots, each the bins of one block of one field, and a list that says which is which.
    """

    def __init__(self, folder: Path, exponent: int, *, full: bool) -> None:
        """Open, or begin, the level in this folder."""
        self.exponent, self.full = exponent, full
        self.width = 1 << exponent
        self.record = np.dtype(_LEAN + _ENDS if full else _LEAN)
        self._slot = np.dtype([(name, kind, (BLOCK,)) for name, kind in (_LEAN + _ENDS if full else _LEAN)])
        self._data, self._list = folder / f"{exponent:02}.bins", folder / f"{exponent:02}.blocks"
        self._places: dict[int, dict[int, int]] = {}  # field -> block -> slot
        self._sorted: dict[int, tuple[NDArray[np.int64], NDArray[np.intp]]] = {}
        self._used = 0
        self._lock = threading.Lock()  # readers find no bin half written
        self._open()

    def _open(self) -> None:
        entries = np.fromfile(self._list, _ENTRY) if self._list.exists() else np.empty(0, _ENTRY)
        held = self._data.stat().st_size // self._slot.itemsize if self._data.exists() else 0
        entries = entries[:held]
        for slot, (field, block) in enumerate(entries.tolist()):
            if field != _NOBODY:
                self._places.setdefault(field, {})[block] = slot
        self._used = len(entries)
        self._entries = os.open(self._list, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        os.ftruncate(self._entries, self._used * _ENTRY.itemsize)
        self._map(max(held, 1))

    def _map(self, slots: int) -> None:
        """Map the file with room for so many slots."""
        with self._data.open("ab") as file:
            os.ftruncate(file.fileno(), slots * self._slot.itemsize)
        self._memory = np.memmap(self._data, self._slot, "r+", shape=(slots,))
        self._slots = np.asarray(self._memory)  # a memmap is slower to index

    def close(self) -> None:
        """Let the files go."""
        os.close(self._entries)
        del self._slots, self._memory

    def sync(self) -> None:
        """See that everything is on disk."""
        self._memory.flush()
        os.fsync(self._entries)

    @property
    def blocks(self) -> int:
        """Number of blocks kept, of all fields."""
        return self._used

    @property
    def nbytes(self) -> int:
        """Bytes on disk."""
        return self._used * (self._slot.itemsize + _ENTRY.itemsize)

    # which there are

    def has(self, field: int, block: int) -> bool:
        """Whether the block is kept."""
        return block in self._places.get(field, ())

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

    def stretches(self, field: int, first: int, beyond: int) -> Iterator[Stretch]:
        """The bins `[first, beyond)` in stretches that are kept or not."""
        with self._lock:
            blocks, slots = self._of(field)
        low, high = np.searchsorted(blocks, (first // BLOCK, -(-beyond // BLOCK)))
        at = first
        if low < high:
            run = blocks[low:high]
            cuts = np.flatnonzero(np.diff(run) != 1) + 1
            for begin, end in zip([0, *cuts.tolist()], [*cuts.tolist(), len(run)], strict=True):
                kept = max(first, int(run[begin]) * BLOCK), min(beyond, (int(run[end - 1]) + 1) * BLOCK)
                if at < kept[0]:
                    yield Stretch(at, kept[0], None)
                yield Stretch(*kept, slots[low + begin : low + end])
                at = kept[1]
        if at < beyond:
            yield Stretch(at, beyond, None)

    def _of(self, field: int) -> tuple[NDArray[np.int64], NDArray[np.intp]]:
        """The blocks of a field in the order of time, and their slots."""
        if field not in self._sorted:
            places = self._places.get(field, {})
            blocks = np.fromiter(places, np.int64, len(places))
            order = np.argsort(blocks)
            self._sorted[field] = blocks[order], np.fromiter(places.values(), np.intp, len(places))[order]
        return self._sorted[field]

    # reading

    def read(
        self, first: int, beyond: int, slots: NDArray[np.intp], kind: str, wanted: Collection[str], width: int
    ) -> Many:
        """The bins `[first, beyond)` of several fields, joined into those of a grid of this width.

        slots: where their blocks lie, shape (fields, blocks). Of a lean level only lean statistics may be wanted.
        """
        skipped = first % BLOCK
        inside = slice(skipped, skipped + beyond - first)
        with self._lock:
            got = {
                name: self._slots[name][slots].reshape(len(slots), -1)[:, inside].reshape(-1)
                for name in {"count", "missing", *wanted}
            }
        count, missing = got["count"], got["missing"]
        filled = count > 0
        if not filled.all():
            rows = np.flatnonzero(filled | (missing > 0))
            return self._sparse({name: each[rows] for name, each in got.items()}, rows, first, beyond, kind, width)
        group, fields, size = width >> self.exponent, len(slots), beyond - first
        numbers = np.arange(first // group, (beyond - 1) // group + 1, dtype=np.int64)
        at = np.maximum(numbers * group - first, 0)
        every = (at + size * np.arange(fields)[:, None]).reshape(-1)
        bins = self._bins(got, np.empty(0, np.int64), kind)
        return Many(fold(bins, every, np.tile(numbers * width, fields)), np.repeat(np.arange(fields), len(numbers)))

    def _sparse(
        self, got: dict[str, NDArray[Any]], rows: NDArray[np.intp], first: int, beyond: int, kind: str, width: int
    ) -> Many:
        """As `read`, where some bins have no samples: `rows` are the others."""
        of = rows // (beyond - first)
        start = (first + rows - of * (beyond - first)) << self.exponent
        return regroup_many(Many(self._bins(got, start, kind), of), width)

    def _bins(self, got: Mapping[str, NDArray[Any]], start: NDArray[np.int64], kind: str) -> Bins:
        held = {name: self._decoded(name, each, kind) for name, each in got.items() if name in EVERY}
        return Bins(start, got["count"], got["missing"], **held)

    def _decoded(self, name: str, values: NDArray[Any], kind: str) -> NDArray[Any]:
        if name in VALUES:
            seen = np.ascontiguousarray(values).view(_VALUE[kind])
            return seen.astype(bool) if kind == "b1" else seen
        return values if name in TIMES else values.astype(np.float64, copy=False)

    def at(self, fields: Sequence[int], numbers: NDArray[np.int64]) -> Records:
        """The records of these bins of each field, all of which lie in blocks that are kept. Shape (fields, n)."""
        records = np.empty((len(fields), len(numbers)), self.record)
        for rows, slots, places in self._parts(fields, numbers):
            for name in self.record.names or ():
                records[name][:, rows] = self._slots[name][slots[:, None], places]
        return records

    def bins_at(self, fields: Sequence[int], kind: str, numbers: NDArray[np.int64], wanted: Collection[str]) -> Many:
        """As `at`, decoded; those without samples left out."""
        records = self.at(fields, numbers).reshape(-1)
        rows = np.flatnonzero((records["count"] > 0) | (records["missing"] > 0))
        records = records[rows]
        held = {name: self._decoded(name, records[name], kind) for name in wanted}
        start = (numbers << self.exponent)[rows % len(numbers)]
        count, missing = records["count"].astype(np.int64), records["missing"].astype(np.int64)
        return Many(Bins(start, count, missing, **held), rows // len(numbers))

    # writing

    def coded(self, bins: Bins) -> Records:
        """The records of bins. Shape (n,)."""
        records = np.zeros(len(bins.start), self.record)
        for name in self.record.names or ():
            values = getattr(bins, name)
            if name in VALUES:
                values = values.astype("<i8") if values.dtype.kind == "b" else values.view("<i8")
            records[name] = values
        return records

    def put(self, fields: Sequence[int], numbers: NDArray[np.int64], records: Records) -> None:
        """Write these records, of shape (fields, n), at these bins, ascending, as far as their blocks are kept."""
        with self._lock:
            for rows, slots, places in self._parts(fields, numbers):
                known = np.flatnonzero(slots >= 0)
                for name in self.record.names or () if len(known) else ():
                    self._slots[name][slots[known][:, None], places] = records[name][known, rows]

    def add(self, fields: Sequence[int], block: int, numbers: NDArray[np.int64], records: Records) -> None:
        """Keep one more block of each field, with these bins of it, records of shape (fields, n).

        Who looks at the file finds it whole or not at all.
        """
        with self._lock:
            first, beyond = self._used, self._used + len(fields)
            if beyond > len(self._slots):
                self._map(beyond + max(_GROWTH, self._used // 8))
            self._slots[first:beyond] = np.zeros((), self._slot)
            for name in self.record.names or ():
                self._slots[name][first:beyond, numbers - block * BLOCK] = records[name]
            entries = np.array([(field, block) for field in fields], _ENTRY)
            os.pwrite(self._entries, entries.tobytes(), first * _ENTRY.itemsize)
            for slot, field in enumerate(fields, first):
                self._places.setdefault(field, {})[block] = slot
                self._sorted.pop(field, None)
            self._used = beyond

    def forget(self, start: int, end: int) -> None:
        """Keep no block any more that may have samples of `[start, end)`, in ns."""
        first, beyond = (start >> self.exponent) // BLOCK, ((end - 1) >> self.exponent) // BLOCK + 1
        nobody = np.array([(_NOBODY, 0)], _ENTRY).tobytes()
        with self._lock:
            for field, places in self._places.items():
                for block in [block for block in places if first <= block < beyond]:
                    os.pwrite(self._entries, nobody, places.pop(block) * _ENTRY.itemsize)
                self._sorted.pop(field, None)

    def _parts(
        self, fields: Sequence[int], numbers: NDArray[np.int64]
    ) -> Iterator[tuple[slice, NDArray[np.intp], NDArray[np.int64]]]:
        """Which rows of ascending bin numbers lie in which slot of each field (-1: in none), and where in it."""
        blocks = numbers // BLOCK
        begins = heads((blocks,)).tolist() if len(numbers) else []
        for begin, end in zip(begins, [*begins[1:], len(numbers)], strict=True):
            block = int(blocks[begin])
            slots = np.array([self._places.get(field, {}).get(block, -1) for field in fields], np.intp)
            yield slice(begin, end), slots, numbers[begin:end] - block * BLOCK
