"""HDF5 files: in each group the datasets of one dimension that are as long as its time."""

import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pyarrow as pa

from sisock.formats.columns import About, kind_of
from sisock.formats.errors import UnreadableError, unreadable
from sisock.formats.moments import time_column, unit_of
from sisock.formats.table import Rows, Table, Terms

FOREIGN = (OSError, ValueError, KeyError, TypeError, RuntimeError)  # what h5py raises for what stands in a file
_MOST_GROUPS = 10_000
_LIGHT = 2**25  # bytes of times that are read whatever the file's size is: rows may be laid out ahead
_DENSEST = 1100  # bytes that a byte of a file can be once it is decompressed: deflate comes to 1032
_MARK = ".missing"  # ends the name of the dataset that is true where a value is missing


class Hdf5Table(Table):
    """A group of an HDF5 file; marks are rows. The file is open only while something is read: others write it."""

    columnar = True

    def __init__(self, path: Path, name: str, group: Any, time: str) -> None:
        """Look at the group's datasets."""
        self._path, self._name = path, name
        lines = {str(key): each for key, each in group.items() if isinstance(each, h5py.Dataset) and each.ndim == 1}
        types = {key: _type(each) for key, each in lines.items()}
        self.time = time_column({key: kind for key, kind in types.items() if kind is not None}, time)
        self.length = int(lines[self.time].shape[0])
        size = path.stat().st_size
        if self.length * lines[self.time].dtype.itemsize > max(_LIGHT, _DENSEST * size):
            raise UnreadableError(
                f"{self.time} has {self.length} rows, more than {size} bytes can hold: write the file anew with the rows it has"
            )
        self.unit = unit_of(_array(lines[self.time], 0, min(1000, self.length)))
        self._keys = {
            _said(each, "target") or key: key
            for key, each in lines.items()
            if key != self.time and types[key] is not None and each.shape[0] >= self.length
            and not (key.endswith(_MARK) and key.removesuffix(_MARK) in lines)
        }  # fmt: skip
        self.titles: Mapping[str, About] = {
            title: About(
                kind_of(types[key]) or "f8",
                _said(lines[key], "units", "unit"),
                _said(lines[key], "description", "long_name"),
            )
            for title, key in self._keys.items()
        }

    def read(self, begin: int, end: int, titles: Sequence[str]) -> Rows:
        """These rows."""
        with (
            unreadable(f"rows {begin} to {end} cannot be read", *FOREIGN),
            h5py.File(self._path, "r", locking=False) as file,
        ):
            group = file[self._name or "/"]
            time = _array(group[self.time], begin, end)
            return Rows(time, {title: self._column(group, title, begin, end) for title in titles})

    def _column(self, group: Any, title: str, begin: int, end: int) -> pa.ChunkedArray:
        key = self._keys.get(title, title)
        mark = f"{key}{_MARK}"
        return _array(group[key], begin, end, group[mark][begin:end].astype(bool) if mark in group else None)

    def seal(self, at: int) -> str | None:
        """A checksum of the first and the last times before this row."""
        if not 0 < at <= self.length:
            return None
        ends = [self.read(*span, ()).time.combine_chunks() for span in ((0, 1), (max(0, at - 64), at))]
        return f"{zlib.crc32(repr([each.to_pylist() for each in ends]).encode()):08x}"


def _type(dataset: Any) -> pa.DataType | None:
    """The type that its values have here; None where they are no column."""
    if h5py.check_string_dtype(dataset.dtype) is not None:
        return pa.string()
    return pa.from_numpy_dtype(dataset.dtype.newbyteorder("=")) if dataset.dtype.kind in "biuf" else None


def _array(dataset: Any, begin: int, end: int, missing: Any = None) -> pa.ChunkedArray:
    if h5py.check_string_dtype(dataset.dtype) is not None:
        return pa.chunked_array([pa.array(dataset.asstr(errors="replace")[begin:end], pa.string(), mask=missing)])
    values = dataset[begin:end]
    return pa.chunked_array([pa.array(np.ascontiguousarray(values, values.dtype.newbyteorder("=")), mask=missing)])


def _said(dataset: Any, *keys: str) -> str | None:
    """What an attribute says; None where it says nothing."""
    said = next((dataset.attrs[key] for key in keys if key in dataset.attrs), "")
    return (said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)) or None


def open_tables(path: Path, terms: Terms) -> dict[str, Table]:
    """A table for each group that has one. Raises UnreadableError where none has."""
    tables: dict[str, Table] = {}
    why = UnreadableError("it has no datasets of one dimension")
    with unreadable("it is no whole HDF5 file (yet)", *FOREIGN), h5py.File(path, "r", locking=False) as file:
        for name, group in _groups(file):
            try:
                tables[name] = Hdf5Table(path, name, group, terms.time)
            except UnreadableError as error:
                why = error
    if not tables:
        raise why
    return tables


def _groups(file: Any) -> Iterator[tuple[str, Any]]:
    """Every group that has datasets of one dimension, by one of its paths, "" for the file's own."""
    waiting, seen = [("", file)], {file["/"]}
    for _ in range(_MOST_GROUPS):
        if not waiting:
            return
        name, group = waiting.pop()
        parts = {str(key): group.get(key) for key in group if not _is_elsewhere(group, key)}
        if any(isinstance(each, h5py.Dataset) and each.ndim == 1 for each in parts.values()):
            yield name, group
        for key, each in parts.items():
            if isinstance(each, h5py.Group) and each not in seen:  # links may lead back to where they come from
                seen.add(each)
                waiting.append((f"{name}/{key}".lstrip("/"), each))


def _is_elsewhere(group: Any, key: str) -> bool:
    """Whether this is a link into another file: what is served is what lies in the folder."""
    return isinstance(group.get(key, getlink=True), h5py.ExternalLink)
