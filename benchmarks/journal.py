"""The journal: values a second from frames to disk and back, beside a plain file of the same bytes synced as often."""

import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.common import machine, table
from sisock.frames import Column, Frame
from sisock.packing import pack, unpack
from sisock.store.journal import Journal

FIELDS, ROWS, COMMIT, COMMITS, ROUNDS = 100, 5_000, 4, 8, 3  # rows of a frame, frames of a commit
AIM, SHARE = 30.0, 0.4  # million values a second, or this share of the plain file where the disk is slower than that
PACKED, SMALL = 500.0, 100.0  # MB/s of a frame of 1000 rows; µs of one of a single row


def main() -> int:
    """Print all; 1 where a figure is missed."""
    print(machine())
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        written, plain, read = _disk(Path(folder))
    print(f"\n{FIELDS} fields, frames of {ROWS} rows, {COMMIT} in a commit; million values a second")
    print(table([["what", "rate", "of the plain file"],
                 ["a plain file, synced as often", f"{plain:.1f}", "1"],
                 ["committed to the journal", f"{written:.1f}", f"{written / plain:.2f}"],
                 ["read from a cursor", f"{read:.1f}", f"{read / plain:.2f}"]]))  # fmt: skip
    packing, unpacking, small, back = _packing()
    print(f"\npacked {packing:.0f} MB/s, unpacked {unpacking:.0f} MB/s (at least {PACKED:g})")
    print(f"one row of {FIELDS} fields: {small:.0f} µs, back {back:.0f} µs (at most {SMALL:g})")
    quick = written >= AIM or written >= SHARE * plain
    return 0 if quick and min(packing, unpacking) >= PACKED and max(small, back) <= SMALL else 1


def _disk(folder: Path) -> tuple[float, float, float]:
    """Million values a second committed, written to a plain file, read back; medians of rounds in turn."""
    values = np.random.default_rng(1).random((FIELDS, ROWS))
    total = FIELDS * ROWS * COMMIT * COMMITS / 1e6
    written, plain, read = [], [], []
    for number in range(ROUNDS):
        with (folder / f"{number}.plain").open("wb") as file:
            plain.append(total / _seconds(lambda file=file: _write(file.fileno(), values)))  # type: ignore[misc]
        journal = Journal(folder / f"{number}.sqlite", most_bytes=2**40)
        written.append(total / _seconds(lambda journal=journal: _commit(journal, values)))  # type: ignore[misc]
        read.append(total / _seconds(lambda journal=journal: _read(journal)))  # type: ignore[misc]
        journal.close()
    return median(written), median(plain), median(read)


def _write(file: int, values: np.ndarray) -> None:
    for _ in range(COMMITS):
        for _ in range(COMMIT):
            os.write(file, values.tobytes())
        os.fsync(file)


def _commit(journal: Journal, values: np.ndarray) -> None:
    seq = 0
    for _ in range(COMMITS):
        for _ in range(COMMIT):
            seq += ROWS
            journal.append("samples", _frame(values, journal.epoch, seq))
        journal.commit()


def _read(journal: Journal) -> None:
    position, more = 0, True
    while more:
        batch = journal.read_from(journal.epoch, position, 4 * 2**20)
        position, more = batch.position, batch.more
    assert position == ROWS * COMMIT * COMMITS


def _frame(values: np.ndarray, epoch: str, seq: int) -> Frame:
    t = np.arange(seq - values.shape[1], seq) * 1_000_000
    return Frame("samples", t, {f"channel {i}": Column(row) for i, row in enumerate(values)}, epoch, seq)


def _packing() -> tuple[float, float, float, float]:
    """MB/s of packing and unpacking a thousand rows, µs of a single one; the best of many."""
    large, small = (_frame(np.random.default_rng(1).random((FIELDS, rows)), "e", rows) for rows in (1000, 1))
    body, one = pack(large), pack(small)
    size = len(body) / 1e6
    best = (size / _best(lambda: pack(large)), size / _best(lambda: unpack(body)))
    return *best, 1e6 * _best(lambda: pack(small), 1000), 1e6 * _best(lambda: unpack(one), 1000)


def _best(act: Callable[[], object], times: int = 50) -> float:
    return min(_seconds(act) for _ in range(times))


def _seconds(act: Callable[[], object]) -> float:
    begun = time.perf_counter()
    act()
    return time.perf_counter() - begun


if __name__ == "__main__":
    sys.exit(main())
