"""Folders of files of others as tests write them, the node's index of one, and what it answers."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import csv, ipc

from data_nodes.files.catalog import Catalog
from data_nodes.files.indexing import Indexer
from sisock.frames import Answer, Query
from sisock.store import reading
from sisock.times import NS

START = 1_700_000_000 * NS
FORMATS = ("csv", "parquet", "arrow", "h5")


def write(path: Path, t: np.ndarray, **columns: np.ndarray) -> Path:
    """A file of the format that its suffix says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    table = pa.table({"time": pa.array(t, pa.timestamp("ns", "UTC")), **columns})
    match path.suffix:
        case ".parquet":
            pq.write_table(table, path, row_group_size=20_000)
        case ".arrow":
            with ipc.new_file(path, table.schema) as file:
                file.write_table(table, max_chunksize=7_000)
        case ".h5":
            with h5py.File(path, "w") as file:
                for name, values in {"time": t, **columns}.items():
                    file.create_dataset(name, data=values, maxshape=(None,), chunks=True)
        case _:
            csv.write_csv(table, path)
    return path


@contextmanager
def opened(folder: Path, home: Path, **options: object) -> Iterator[tuple[Catalog, Indexer]]:
    catalog = Catalog(folder, home, taken={"health"}, **options)
    try:
        indexer = Indexer(catalog, "**/*")
        indexer.round()
        yield catalog, indexer
    finally:
        catalog.close()


def ask(catalog: Catalog, *fields: str, start: int = 0, end: int = 2**62, **how: object) -> Answer:
    return reading.answer(catalog.timelines.values(), Query(fields, start, end, **how))


def binned(t: np.ndarray, x: np.ndarray, width: int) -> list[tuple[int, int, float, float]]:
    """Start, count, least and greatest of each bin, by brute force."""
    found = []
    for start in np.unique(t // width):
        inside = x[t // width == start]
        found.append((int(start) * width, len(inside), float(inside.min()), float(inside.max())))
    return found


def bins(answer: Answer, field: str) -> list[tuple[int, int, float, float]]:
    t, count = answer.series(f"{field}::count")
    low, high = (answer.series(f"{field}::{each}")[1].values for each in ("min", "max"))
    return list(zip(t.tolist(), count.values.tolist(), low.tolist(), high.tolist(), strict=True))


def samples(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return START + np.cumsum(rng.integers(1, 20_000, count)) * 1000, np.round(rng.normal(size=count), 6)
