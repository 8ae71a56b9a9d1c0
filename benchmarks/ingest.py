"""How many values a second get into a keeper: intake on disk, segments, tiers, all fsync'd; and what memory that takes.

A hundred fields on one timeline, in frames of a thousand rows, four at a time as a reader of a journal gets them; a thousand
timelines of one field each, in frames of a hundred. Afterwards everything is counted. Peers in the same run: the bare journal, bare Parquet of the same bytes.

`python -m benchmarks.ingest [--values 2e8]`; exit code 1 if an aim is missed or a sample is.
"""

import argparse
import itertools
import resource
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.common import Figure, machine, table
from sisock import program
from sisock.frames import Column, Field, Frame, Query
from sisock.store.journal import Journal
from sisock.store.keeper import Cursor, Keeper, Taking
from sisock.times import FIRST, LAST

BEGIN = 1_700_000_000 * 10**9
STEP = 10**6  # ns between samples


def frames(timelines: int, fields: int, rows: int, count: int) -> Iterator[list[Frame]]:
    """So many rounds of a frame for each timeline; values are noise."""
    rng = np.random.default_rng(1)
    made = [{f"f{i}": Column(rng.normal(size=rows)) for i in range(fields)} for _ in range(4)]
    for number in range(count):
        t = BEGIN + np.arange(number * rows, (number + 1) * rows) * STEP
        columns = made[number % len(made)]
        yield [Frame(f"t{i}", t, columns, "epoch", (number + 1) * rows) for i in range(timelines)]


def kept(folder: Path, timelines: int, fields: int, rows: int, count: int) -> float:
    """Values a second from frames handed over to everything on disk; raises AssertionError where a sample is missing."""
    about = {f"f{i}": Field(units="V") for i in range(fields)}
    ended = threading.Event()
    with Keeper(folder) as keeper:
        tending = threading.Thread(target=_tend, args=(keeper, ended))
        tending.start()
        began = time.perf_counter()
        for number, some in enumerate(_together(frames(timelines, fields, rows, count), 4 if timelines == 1 else 1)):
            while keeper.full:
                assert tending.is_alive(), "what waits is written no more"
                ended.wait(0.01)
            keeper.take([Taking("n", some, about, Cursor("epoch", number))])
        ended.set()
        tending.join()
        keeper.archive.flush()
        took = time.perf_counter() - began
        for series in keeper.archive.timelines("n"):
            assert series.snapshot().rows_within(FIRST, LAST) == rows * count, f"{series.timeline} lacks samples"
        counted = keeper.archive.answer("n", Query(("f0",), FIRST, LAST, max_points=100, reduce="count"))
        assert counted.series("f0")[1].values.sum() == rows * count or timelines > 1, "the tiers lack samples"
    return timelines * fields * rows * count / took


def _together(rounds: Iterator[list[Frame]], most: int) -> Iterator[list[Frame]]:
    """The frames of so many rounds at a time."""
    while some := [frame for frames in itertools.islice(rounds, most) for frame in frames]:
        yield some


def _tend(keeper: Keeper, ended: threading.Event) -> None:
    while not ended.wait(0.02):
        keeper.tend()


def journal_alone(folder: Path, fields: int, rows: int, count: int) -> float:
    """Values a second into the journal alone."""
    journal = Journal(folder / "journal.sqlite", most_bytes=2**62)
    began = time.perf_counter()
    for some in frames(1, fields, rows, count):
        journal.commit(frames=[(frame.timeline, frame) for frame in some])
    took = time.perf_counter() - began
    journal.close()
    return fields * rows * count / took


def parquet_alone(folder: Path, fields: int, rows: int, count: int) -> float:
    """Values a second into one Parquet file, as pyarrow writes it by itself with zstd."""
    began, writer = time.perf_counter(), None
    for (frame,) in frames(1, fields, rows * 50, count // 50):
        made = pa.table({"time": frame.t, **{name: column.values for name, column in frame.columns.items()}})
        writer = writer or pq.ParquetWriter(
            folder / "peer.parquet", made.schema, compression="zstd", use_dictionary=False
        )
        writer.write_table(made)
    assert writer is not None  # there were frames
    writer.close()
    return fields * rows * 50 * (count // 50) / (time.perf_counter() - began)


def main() -> int:
    """Print the figures; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--values", type=float, default=1e8, help="how many to keep")
    values = int(parser.parse_args().values)
    sys.setswitchinterval(program.TURN)  # as the recorder does
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        wide = kept(folder / "wide", 1, 100, 1000, values // 100_000)
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        many = kept(folder / "many", 1000, 1, 100, max(10, values // 1_000_000))
        journal = journal_alone(folder, 100, 1000, values // 200_000)
        parquet = parquet_alone(folder, 100, 1000, values // 200_000)
    figures = [
        Figure("100 fields on one timeline", wide / 1e6, 10, "million values/s", at_least=True),
        Figure("1,000 timelines of one field", many / 1e3, 200, "thousand values/s", at_least=True),
        Figure("memory of all that, and of the benchmark", memory, 500, "MB"),
    ]
    print(f"{values:,} values; {machine()}")
    print(table([["figure", "measured", "aim", ""], *(figure.row() for figure in figures)]))
    print(
        f"peers: the journal alone {journal / 1e6:.0f}, bare Parquet (zstd) alone {parquet / 1e6:.0f} million values/s"
    )
    return int(not all(figure.met for figure in figures))


if __name__ == "__main__":
    sys.exit(main())
