"""HDF5 files: the datasets of one dimension that are as long as their time."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from sisock.imports.columnar import kind_of
from sisock.imports.source import About, ImportFailed, Piece, time_of

_ROWS = 65_536
_MARK = ".missing"  # ends the name of the dataset that is true where a value is missing


class Hdf5Source:
    """An HDF5 file with a time and columns in its root."""

    def __init__(self, path: Path, time: str | None) -> None:
        """Look at its datasets. Raises ImportFailed."""
        try:
            import h5py
        except ImportError as error:
            raise ImportFailed("HDF5 needs h5py: pip install 'sisock[hdf5]'") from error
        try:
            self._file = h5py.File(path, "r")
        except OSError as error:
            raise ImportFailed(f"{path} is no whole HDF5 file: {error}") from error
        self._path = path
        lines = {key: each for key, each in self._file.items() if isinstance(each, h5py.Dataset) and each.ndim == 1}
        self.time = time_of(path, dict.fromkeys(lines, False), time)
        self.rows: int | None = len(lines[self.time])
        self._names = {
            _said(each, "target") or key: key
            for key, each in lines.items()
            if key != self.time and not key.endswith(_MARK) and len(each) == self.rows and _kind(each)
        }
        self.columns: Mapping[str, About] = {
            name: About(_kind(lines[key]) or "f8", _said(lines[key], "units"), _said(lines[key], "description"))
            for name, key in self._names.items()
        }

    def pieces(self) -> Iterator[tuple[Piece, float]]:
        """All rows, and which share of the file is behind them."""
        rows, first = self.rows or 0, 0
        try:
            for first in range(0, rows, _ROWS):
                part = slice(first, min(rows, first + _ROWS))
                columns = {name: self._array(name, part) for name in self.columns}
                time = pa.array(self._file[self.time][part])
                yield Piece(time, columns, np.arange(part.start + 1, part.stop + 1)), part.stop / rows
        except OSError as error:
            raise ImportFailed(f"{self._path} cannot be read from row {first + 1} on: {error}") from error

    def _array(self, name: str, part: slice) -> Any:
        key, kind = self._names[name], self.columns[name].kind
        missing = self._file[f"{key}{_MARK}"][part].astype(bool) if f"{key}{_MARK}" in self._file else None
        if kind == "text":
            return pa.array(self._file[key].asstr()[part].tolist(), pa.string(), mask=missing)
        return pa.array(self._file[key][part].astype({"f8": "f8", "i8": "i8", "b1": "?"}[kind]), mask=missing)


def _kind(dataset: Any) -> str | None:
    import h5py

    if h5py.check_string_dtype(dataset.dtype) is not None:
        return "text"
    plain = dataset.dtype.kind in "biuf"
    return kind_of(pa.from_numpy_dtype(dataset.dtype.newbyteorder("="))) if plain else None


def _said(dataset: Any, key: str) -> str | None:
    told = dataset.attrs.get(key)
    return str(told) if told else None
