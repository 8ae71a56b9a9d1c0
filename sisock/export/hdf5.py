"""Samples as HDF5: a dataset of times, one for each column, and one that marks what is missing where something is."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sisock.export.arrow import Head

_CHUNK = 16_384  # values of a chunk, compressed as one
MARK = ".missing"  # ends the name of the dataset that is true where a value is missing


def write(path: Path, chunks: Iterable[Any], heads: Sequence[Head]) -> int:
    """Write the Arrow tables, all in the schema of the heads; how many rows these are.

    `time` is int64 ns since 1970. The datasets are named as their columns, with `_` for `/`; the attribute `target` has
    the full name. Texts are UTF-8; a NUL, which HDF5 cannot hold, becomes U+2400.
    """
    import h5py

    with h5py.File(path, "w") as file:
        file.create_dataset("time", (0,), np.int64, maxshape=(None,), chunks=(_CHUNK,), **_SMALL)
        file["time"].attrs["units"] = "ns since 1970-01-01T00:00:00Z"
        names = _names(heads)
        for samples in chunks:
            rows = len(file["time"])
            _append(file["time"], rows, samples.column("time").cast("int64").to_numpy())
            for head, name in zip(heads, names, strict=True):
                _column(file, name, head, rows, samples.column(head.name))
        return len(file["time"])


_SMALL = {"compression": "gzip", "compression_opts": 1, "shuffle": True}


def _names(heads: Sequence[Head]) -> list[str]:
    """A name for each dataset: HDF5 takes `/` for a folder."""
    made: list[str] = ["time"]
    for head in heads:
        name, number = head.name.replace("/", "_"), 1
        while name in made or f"{name}{MARK}" in made:
            number += 1
            name = f"{head.name.replace('/', '_')}-{number}"
        made += [name, f"{name}{MARK}"]
    return made[1::2]


def _column(file: Any, name: str, head: Head, rows: int, samples: Any) -> None:
    """Append the values of a column, and where any is missing the marks of all."""
    import h5py

    missing = samples.is_null().to_numpy()
    values, dtype = _values(samples, missing)
    if name not in file:
        dtype = h5py.string_dtype() if dtype is None else dtype
        made = file.create_dataset(name, (0,), dtype, maxshape=(None,), chunks=(_CHUNK,), **_SMALL)
        told = {"target": head.name, "units": head.field.units, "description": head.field.description}
        made.attrs.update({key: text or "" for key, text in {**told, "method": head.method}.items()})
    _append(file[name], rows, values)
    if missing.any() and f"{name}{MARK}" not in file:
        file.create_dataset(f"{name}{MARK}", (rows,), bool, maxshape=(None,), chunks=(_CHUNK,), **_SMALL)
    if f"{name}{MARK}" in file:
        _append(file[f"{name}{MARK}"], rows, missing)


def _values(samples: Any, missing: np.ndarray) -> tuple[Any, Any]:
    """The values, something where they are missing, and their dtype; None for texts."""
    import pyarrow as pa

    if pa.types.is_string(samples.type):
        return ["" if text is None else text.replace("\0", "\N{SYMBOL FOR NULL}") for text in samples.to_pylist()], None
    nothing = np.nan if pa.types.is_floating(samples.type) else False if pa.types.is_boolean(samples.type) else 0
    values = samples.fill_null(nothing).to_numpy()
    return values, values.dtype


def _append(dataset: Any, rows: int, values: Any) -> None:
    dataset.resize((rows + len(values),))
    dataset[rows:] = values
