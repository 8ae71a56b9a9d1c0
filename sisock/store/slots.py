"""The blocks of one tier as they lie on disk: slots of a file that is mapped into memory, and a list of which is which.

Each has a checksum that is looked at whenever the block is read: a disk may err at any time. It is kept up with each
change, and so that a damage of before is still noticed after it.
"""

import os
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sisock.durable import sync

NOBODY = 0  # in the place of a field where a slot is not in use
_HEAD = struct.Struct("<16sIII4x")  # what this is; exponent of the bins' width, bins of a block, bytes of a slot
_WHAT = b"sisock tier 1\0\0\0"
_ENTRY = np.dtype([("field", "<i8"), ("block", "<i8"), ("sum", "<u8")])
_GROWTH = 64  # slots that a file grows by at least, and an eighth of it
_AT_ONCE = 16  # slots proved at once
_STEP = np.uint64(0x9E3779B97F4A7C15)

Slotted = NDArray[np.intp]  # numbers of slots


def held_size(folder: Path, exponent: int) -> int | None:
    """Bytes of a slot of the tier of this exponent in a folder, as its list says; None where it does not."""
    path = folder / f"{exponent:02}.blocks"
    raw = path.read_bytes()[: _HEAD.size] if path.exists() else b""
    return int(_HEAD.unpack(raw)[3]) if len(raw) == _HEAD.size and raw.startswith(_WHAT) else None


class TornError(Exception):
    """Blocks are damaged; they are not used any more, and who asks again gets none of them."""


class Slots:
    """Slots of records of shape (block,), one array for each name of the record. Not safe for threads by itself."""

    def __init__(self, folder: Path, exponent: int, columns: Sequence[tuple[str, str]], block: int) -> None:
        """Open, or begin, the files."""
        record = np.dtype([(name, kind, (block,)) for name, kind in columns])
        self._data, self._list = folder / f"{exponent:02}.bins", folder / f"{exponent:02}.blocks"
        self._record, self._head = record, _HEAD.pack(_WHAT, exponent, block, record.itemsize)
        self._weights = (2 * np.arange(record.itemsize // 8 + 2, dtype=np.uint64) + np.uint64(1)) * _STEP
        self.bad: set[int] = set()  # slots that are damaged
        self.lost = 0  # blocks, at least, that were there once
        entries = self._listed()
        held = self._data.stat().st_size // record.itemsize if self._data.exists() else 0
        self.lost += int((entries["field"][held:] != NOBODY).sum())
        self._entries = entries[:held].copy()
        if len(entries) > held:
            os.truncate(self._list, _HEAD.size + held * _ENTRY.itemsize)
        self._free = np.flatnonzero(self._entries["field"] == NOBODY)[::-1].tolist()
        self._map(max(1, held))

    def _listed(self) -> NDArray[Any]:
        """The list as it is on disk; begun anew where it is none of this tier."""
        raw = self._list.read_bytes() if self._list.exists() else b""
        if raw[: _HEAD.size] != self._head:
            self.lost += bool(raw) or self._data.exists()
            self._list.write_bytes(self._head)
            return np.empty(0, _ENTRY)
        whole = (len(raw) - _HEAD.size) // _ENTRY.itemsize
        return np.frombuffer(raw, _ENTRY, whole, _HEAD.size)

    def _map(self, slots: int) -> None:
        """Map the file with room for so many; on disk there is room then, too. Raises OSError."""
        with self._data.open("ab") as file:
            file.truncate(slots * self._record.itemsize)
            os.posix_fallocate(
                file.fileno(), 0, slots * self._record.itemsize
            )  # else a full disk would end the process
        self._memory = np.memmap(self._data, self._record, "r+", shape=(slots,))
        self.bins = np.asarray(self._memory)  # a memmap is slower to index
        self._words = self.bins.view("<u8").reshape(slots, -1)
        more = np.zeros(slots - len(self._entries), _ENTRY)
        self._free = [*range(slots - 1, len(self._entries) - 1, -1), *self._free]
        self._entries = np.concatenate([self._entries, more])

    def close(self) -> None:
        """Let the files go."""
        del self.bins, self._words, self._memory

    def sync(self) -> None:
        """See that everything is on disk."""
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
        return self.used * (self._record.itemsize + _ENTRY.itemsize)

    def listed(self) -> Iterator[tuple[int, int, int]]:
        """Slot, field and block of each that is in use."""
        for slot in np.flatnonzero(self._entries["field"] != NOBODY).tolist():
            yield slot, int(self._entries["field"][slot]), int(self._entries["block"][slot])

    # proof

    def prove(self, slots: Slotted) -> None:
        """Raise TornError if one of these is damaged; it is among the bad ones then."""
        flat = slots.reshape(-1)
        for some in (flat[i : i + _AT_ONCE] for i in range(0, len(flat), _AT_ONCE)):
            wrong = some[self._sums(some) != self._entries["sum"][some]]
            self.bad.update(wrong.tolist())
        if not self.bad.isdisjoint(flat.tolist()):
            raise TornError

    def _sums(self, slots: Slotted) -> NDArray[np.uint64]:
        """The sum over all 64-bit words, first field and block, times odd numbers, modulo 2**64: (2 i + 1) * STEP."""
        entries, weights = self._entries[slots], self._weights
        sums: NDArray[np.uint64] = np.einsum("ij,j->i", self._words[slots], weights[2:])
        sums += entries["field"].view(np.uint64) * weights[0] + entries["block"].view(np.uint64) * weights[1]
        return sums

    # changes

    @contextmanager
    def change(self, slots: Slotted, *, trusted: bool = False) -> Iterator[None]:
        """Change what is in these within the block; unless they are `trusted`, what was wrong before stays so."""
        before = self._sums(slots)
        yield
        sums, after = self._entries["sum"], self._sums(slots)
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
        self._entries["sum"][slots] = self._sums(slots)
        self._write(slots)

    def drop(self, slots: Sequence[int]) -> None:
        """Use these no more."""
        self._entries[list(slots)] = np.zeros((), _ENTRY)
        self._write(np.array(slots, np.intp))
        self._free += slots
        self.bad.difference_update(slots)

    def _write(self, slots: Slotted) -> None:
        """Bring the entries of these slots to the list on disk."""
        descriptor = os.open(self._list, os.O_WRONLY | os.O_CLOEXEC)
        try:
            cuts = np.flatnonzero(np.diff(slots) != 1) + 1
            for run in np.split(slots, cuts):
                place = _HEAD.size + int(run[0]) * _ENTRY.itemsize
                os.pwrite(descriptor, self._entries[run].tobytes(), place)
        finally:
            os.close(descriptor)
