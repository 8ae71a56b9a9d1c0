"""The blocks of one tier as they lie on disk: slots of a file that is mapped into memory, and a list of which is which.

Each column of it has a checksum that is looked at whenever it is read: a disk may err at any time. It is kept up with
each change, and so that a damage of before is still noticed after it.
"""

import os
import struct
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sisock.durable import sync

NOBODY = 0  # in the place of a field where a slot is not in use
_HEAD = struct.Struct("<16sIII4x")  # what this is; exponent of the bins' width, bins of a block, bytes of a slot
_WHAT, _WHAT_2 = b"sisock tier 3\0\0\0", b"sisock tier 2\0\0\0"
_ENTRY_2 = np.dtype([("field", "<i8"), ("block", "<i8"), ("sum", "<u8"), ("check", "<u8")])
_GROWTH = 64  # slots that a file grows by at least, and an eighth of it
_AT_ONCE = 32  # slots proved at once
_STEP = np.uint64(0x9E3779B97F4A7C15)
_ODD, _USED = np.uint64(0xC2B2AE3D27D4EB4F), np.uint64(1)

Slotted = NDArray[np.intp]  # numbers of slots


def held_size(folder: Path, exponent: int) -> int | None:
    """Bytes of a slot of the tier of this exponent in a folder, as its list says; None where it does not."""
    path = folder / f"{exponent:02}.blocks"
    raw = path.read_bytes()[: _HEAD.size] if path.exists() else b""
    return int(_HEAD.unpack(raw)[3]) if len(raw) == _HEAD.size and raw.startswith((_WHAT, _WHAT_2)) else None


class TornError(Exception):
    """Blocks are damaged; they are not used any more, and who asks again gets none of them."""


class Slots:
    """Slots of records of shape (block,), one array for each name of the record. Not safe for threads by itself."""

    def __init__(self, folder: Path, exponent: int, columns: Sequence[tuple[str, str]], block: int) -> None:
        """Open, or begin, the files."""
        record = np.dtype([(name, kind, (block,)) for name, kind in columns])
        self._data, self._list = folder / f"{exponent:02}.bins", folder / f"{exponent:02}.blocks"
        self._record, self._head = record, _HEAD.pack(_WHAT, exponent, block, record.itemsize)
        self._columns = {name: number for number, (name, _) in enumerate(columns)}
        self._entry = np.dtype([("field", "<i8"), ("block", "<i8"), ("check", "<u8"), ("sum", "<u8", (len(columns),))])
        self._weights = (2 * np.arange(record.itemsize // 8 + 2, dtype=np.uint64) + np.uint64(1)) * _STEP
        self._own = self._weights[2:].reshape(len(columns), block)  # of each word of a slot
        self.bins, self._words = np.empty(0, record), np.empty((0, len(columns), block), np.uint64)
        self.bad: set[int] = set()  # slots that are damaged
        self.lost = 0  # blocks, at least, that were there once
        entries = self._listed()
        held = self._data.stat().st_size // record.itemsize if self._data.exists() else 0
        self.lost += int((entries["field"][held:] != NOBODY).sum())
        self._entries = entries[:held].copy()
        wrong = self._entries["check"] != _check(self._entries)  # nobody knows of which block these are
        self.lost += int(wrong.sum())
        self._entries[wrong] = np.zeros((), self._entry)
        if len(entries) > held:
            os.truncate(self._list, _HEAD.size + held * self._entry.itemsize)
        self._free = np.flatnonzero(self._entries["field"] == NOBODY)[::-1].tolist()
        self._memory: np.memmap[Any, Any] | None = None
        if held:
            self._map(held)

    def _listed(self) -> NDArray[Any]:
        """The list as it is on disk; begun anew where it is none of this tier."""
        raw = self._list.read_bytes() if self._list.exists() else b""
        if raw.startswith(_WHAT_2) and len(raw) >= _HEAD.size:
            raw = self._renewed(raw)
        if raw[: _HEAD.size] != self._head:
            self.lost += bool(raw) or self._data.exists()
            self._list.write_bytes(self._head)
            return np.empty(0, self._entry)
        whole = (len(raw) - _HEAD.size) // self._entry.itemsize
        return np.frombuffer(raw, self._entry, whole, _HEAD.size)

    def _renewed(self, raw: bytes) -> bytes:
        """A list of the version before, which had one sum for all of a slot, as one of this version; on disk, too."""
        size, head = self._record.itemsize, bytearray(raw[: _HEAD.size])
        head[: len(_WHAT)] = _WHAT
        old = np.frombuffer(raw, _ENTRY_2, (len(raw) - _HEAD.size) // _ENTRY_2.itemsize, _HEAD.size)
        held = self._data.stat().st_size // size if self._data.exists() else 0
        made = np.zeros(len(old), self._entry)
        for name in ("field", "block", "check"):
            made[name] = old[name]
        words = np.memmap(self._data, "<u8", "r", shape=(held, *self._own.shape)) if held else self._words
        abouts = old["field"].view(np.uint64) * self._weights[0] + old["block"].view(np.uint64) * self._weights[1]
        for slot in range(min(held, len(old))):
            sums, about = np.einsum("ij,ij->i", words[slot], self._own), abouts[slot : slot + 1]
            if (sums.sum(keepdims=True) + about == old["sum"][slot]).all():  # else the new ones are wrong, too
                made["sum"][slot] = sums + about
        new = self._list.with_suffix(".new")
        new.write_bytes(bytes(head) + made.tobytes())
        sync(new)
        new.replace(self._list)
        return self._list.read_bytes()

    def _map(self, slots: int) -> None:
        """Map the file with room for so many; on disk there is room then, too. Raises OSError."""
        with self._data.open("ab") as file:
            file.truncate(slots * self._record.itemsize)
            os.posix_fallocate(
                file.fileno(), 0, slots * self._record.itemsize
            )  # else a full disk would end the process
        self._memory = np.memmap(self._data, self._record, "r+", shape=(slots,))
        self.bins = np.asarray(self._memory)  # a memmap is slower to index
        self._words = self.bins.view("<u8").reshape(slots, *self._own.shape)
        more = np.zeros(slots - len(self._entries), self._entry)
        self._free = [*range(slots - 1, len(self._entries) - 1, -1), *self._free]
        self._entries = np.concatenate([self._entries, more])

    def close(self) -> None:
        """Let the files go."""
        del self.bins, self._words
        self._memory = None

    def sync(self) -> None:
        """See that everything is on disk."""
        if self._memory is not None:
            self._memory.flush()
        sync(self._list)

    # which there are

    @property
    def used(self) -> int:
        """Slots in use."""
        return len(self._entries) - len(self._free)

    @property
    def nbytes(self) -> int:
        """Bytes of the slots in use."""
        return self.used * (self._record.itemsize + self._entry.itemsize)

    def listed(self) -> Iterator[tuple[int, int, int]]:
        """Slot, field and block of each that is in use."""
        for slot in np.flatnonzero(self._entries["field"] != NOBODY).tolist():
            yield slot, int(self._entries["field"][slot]), int(self._entries["block"][slot])

    def cut(self, slots: Slotted, names: Collection[str], skipped: int, count: int) -> dict[str, NDArray[Any]]:
        """A copy of so many records of each of these columns, of one row of slots after the other, without the first ones.

        slots: shape (fields, blocks).
        """
        block, one = self._own.shape[1], run(slots[0]) if len(slots) == 1 else None
        runs = [run(some) for some in slots.T] if one is None else []
        cut = {}
        for name in names:
            column = self.bins[name]
            values = cut[name] = np.empty((len(slots), count), column.dtype)
            if one is not None:
                values[0] = column[one].reshape(-1)[skipped : skipped + count]
            for number, some in enumerate(runs):
                at = number * block - skipped
                a, b = max(0, at), min(count, at + block)
                values[:, a:b] = column[some, a - at : b - at]
        return {name: values.reshape(-1) for name, values in cut.items()}

    # proof

    def prove(self, slots: Slotted, names: Collection[str]) -> None:
        """Raise TornError if these columns of one of these are damaged; it is among the bad ones then."""
        flat = np.sort(slots, axis=None)
        for some in (flat[i : i + _AT_ONCE] for i in range(0, len(flat), _AT_ONCE)):
            columns = [self._columns[name] for name in names]
            sums = self._sums(some, columns)
            self.bad.update(some[(sums != self._entries["sum"][some][:, columns]).any(axis=1)].tolist())
        if not self.bad.isdisjoint(flat.tolist()):
            raise TornError

    def _sums(self, slots: Slotted, columns: Sequence[int]) -> NDArray[np.uint64]:
        """The sums of columns, shape (slots, columns).

        Each is over its 64-bit words, and field and block, times odd numbers, modulo 2**64: (2 i + 1) * STEP for word i
        of these two and the slot.
        """
        entries, weights, which = self._entries[slots], self._weights, run(slots)
        sums = np.empty((len(slots), len(columns)), np.uint64)
        for row, column in enumerate(columns):
            sums[:, row] = np.einsum("ij,j->i", self._words[which, column], self._own[column])
        sums += (entries["field"].view(np.uint64) * weights[0] + entries["block"].view(np.uint64) * weights[1])[:, None]
        return sums

    # changes

    @contextmanager
    def change(self, slots: Slotted, *, trusted: bool = False) -> Iterator[None]:
        """Change what is in these within the block; unless they are `trusted`, what was wrong before stays so."""
        every = range(len(self._columns))
        before = self._sums(slots, every)
        yield
        sums, after = self._entries["sum"], self._sums(slots, every)
        sums[slots] = after if trusted else sums[slots] + after - before
        self._write(slots)

    def take(self, count: int) -> Slotted:
        """So many empty slots, which `name` puts on the list. Raises OSError."""
        if count > len(self._free):
            slots = len(self._entries)
            self._map(slots + max(count, _GROWTH, slots // 8))
        taken = np.array([self._free.pop() for _ in range(count)], np.intp)
        self.bins[taken] = np.zeros((), self._record)
        return taken

    def name(self, slots: Slotted, fields: Sequence[int], block: int) -> None:
        """Put slots that are filled on the list: who looks at the files finds them whole or not at all."""
        self._entries["field"][slots], self._entries["block"][slots] = fields, block
        self._entries["check"][slots] = _check(self._entries[slots])
        self._entries["sum"][slots] = self._sums(slots, range(len(self._columns)))
        self._write(slots)

    def drop(self, slots: Sequence[int]) -> None:
        """Use these no more."""
        self._entries[list(slots)] = np.zeros((), self._entry)
        self._write(np.array(slots, np.intp))
        self._free += slots
        self.bad.difference_update(slots)

    def _write(self, slots: Slotted) -> None:
        """Bring the entries of these slots to the list on disk."""
        descriptor = os.open(self._list, os.O_WRONLY | os.O_CLOEXEC)
        try:
            cuts = np.flatnonzero(np.diff(slots) != 1) + 1
            for some in np.split(slots, cuts):
                place = _HEAD.size + int(some[0]) * self._entry.itemsize
                os.pwrite(descriptor, self._entries[some].tobytes(), place)
        finally:
            os.close(descriptor)


def run(slots: Slotted) -> slice | Slotted:
    """The same slots as a slice, which needs no copy, where one follows the other."""
    if not len(slots):
        return slots
    first, beyond = int(slots[0]), int(slots[0]) + len(slots)
    return slice(first, beyond) if int(slots[-1]) == beyond - 1 and (np.diff(slots) == 1).all() else slots


def _check(entries: NDArray[Any]) -> NDArray[np.uint64]:
    """What proves field and block of entries of the list: 0 where a slot is not in use."""
    mixed: NDArray[np.uint64] = entries["field"].view(np.uint64) * _STEP + entries["block"].view(np.uint64) * _ODD
    return np.where((entries["field"] == NOBODY) & (entries["block"] == 0), np.uint64(0), mixed | _USED)
