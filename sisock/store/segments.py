"""Samples at rest as Parquet files that any tool reads: one timeline, in the order of time, with each sample's identity.

Format (docs/archive.md): columns `time` (timestamp ns, UTC), `epoch` and `seq` (identity; null for imported series),
and one for each field; row groups of 16,384 rows; zstd; doubles byte-stream-split, times and sequences delta-packed;
page checksums. The file's metadata holds `sisock`, JSON with the format version, node, timeline and fields.
"""

import json
import logging
import os
import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc  # here, for the first answer would wait half a second for it
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pyarrow import fs

from sisock.frames import TEXT, Column, Field, Frame, Times, texts
from sisock.store.identified import NOBODY, Identified, accounts

log = logging.getLogger(__name__)
VERSION = 1
ROWS = 16_384  # of a row group: what is decoded for one sample
_OPEN = 32  # files kept open
OURS = ("time", "epoch", "seq")
_TIME = pa.timestamp("ns", "UTC")
_TYPES = {"f8": pa.float64(), "i8": pa.int64(), "b1": pa.bool_(), "text": pa.string()}
_DTYPES: dict[str, Any] = {
    "f8": np.dtype("f8"),
    "i8": np.dtype("i8"),
    "b1": np.dtype("?"),
    "time": np.dtype("i8"),
    "text": TEXT,
}


class DamagedError(Exception):
    """A file, or a part of it, cannot be read; says which, and what is lost with it."""


class Segment(NamedTuple):
    """One file: its name below the folder, rows, first and last time, and what it has."""

    name: str
    rows: int
    low: int
    high: int
    starts: Times  # time of the first row of each row group
    kinds: Mapping[str, str]  # {field: "f8", "i8", "b1" or "text"}
    nbytes: int
    epochs: Mapping[str, int] = {}  # of each epoch one past its last sequence


def kind_of(column: Column) -> str:
    """How a column lies at rest."""
    return {"f": "f8", "i": "i8", "b": "b1", "T": "text"}[column.values.dtype.kind]


def stored_name(field: str) -> str:
    """The name of a field's column: its own, unless that is one of ours."""
    return f"field::{field}" if field in OURS else field


class SegmentFiles:
    """The files of an archive below one folder, on this machine or in an object store."""

    def __init__(self, files: fs.FileSystem, root: str) -> None:
        """Keep them below `root` of this file system."""
        self._files, self._root = files, root.rstrip("/")
        self._local = isinstance(files, fs.LocalFileSystem)
        self._readers: OrderedDict[str, tuple[pq.ParquetFile, threading.Lock]] = OrderedDict()
        self._lock = threading.Lock()

    # writing

    def write(self, name: str, samples: Identified, about: Mapping[str, Any]) -> Segment:
        """Write the samples as a file of this name; raises OSError. `sync` brings it to disk."""
        frame = samples.frame
        table = _table(samples, about)
        path = f"{self._root}/{name}"
        self._files.create_dir(path.rpartition("/")[0], recursive=True)
        floats = [stored_name(f) for f, c in frame.columns.items() if kind_of(c) == "f8"]
        whole = [stored_name(f) for f, c in frame.columns.items() if kind_of(c) == "i8"]
        encoding = {
            **dict.fromkeys(floats, "BYTE_STREAM_SPLIT"),
            **dict.fromkeys(["time", "seq", *whole], "DELTA_BINARY_PACKED"),
        }
        words = ["epoch", *(stored_name(f) for f, c in frame.columns.items() if kind_of(c) == "text")]
        with self._files.open_output_stream(path) as out:
            pq.write_table(
                table, out, row_group_size=ROWS, compression="zstd", use_dictionary=words, column_encoding=encoding,
                write_page_checksum=True, write_statistics=["time"],
            )  # fmt: skip
        kinds = {name: kind_of(column) for name, column in frame.columns.items()}
        size = self._files.get_file_info(path).size
        starts, epochs = frame.t[::ROWS].copy(), accounts(samples)
        return Segment(name, len(frame), int(frame.t[0]), int(frame.t[-1]), starts, kinds, size, epochs)

    def sync(self, names: Iterable[str]) -> None:
        """See that these files are on disk. Many at once are quicker than one after the other."""
        if self._local:
            paths = [Path(self._root, name) for name in names]
            for path in [*paths, *dict.fromkeys(path.parent for path in paths)]:
                _sync(path)

    def remove(self, name: str) -> None:
        """Remove a file; one that is not there is fine."""
        with self._lock:
            self._readers.pop(name, None)
        try:
            self._files.delete_file(f"{self._root}/{name}")
        except FileNotFoundError:
            log.debug("%s was gone already", name)

    def names(self) -> list[str]:
        """All segment files there are."""
        selector = fs.FileSelector(self._root, recursive=True, allow_not_found=True)
        cut = len(self._root) + 1
        return [each.path[cut:] for each in self._files.get_file_info(selector) if each.path.endswith(".parquet")]

    # reading

    def read(
        self, segment: Segment, start: int, end: int, fields: Iterable[str], *, identity: bool = False
    ) -> Identified:
        """Samples with `start <= t < end`; a field that the file lacks is left out. Raises DamagedError."""
        first = max(0, int(np.searchsorted(segment.starts, start, "left")) - 1)
        last = int(np.searchsorted(segment.starts, end, "left"))
        names = [name for name in fields if name in segment.kinds]
        columns = ["time", *(OURS[1:] if identity else ()), *map(stored_name, names)]
        table = self._table(segment, range(first, last), columns)
        t = _values(table.column("time"), "time")
        a, b = (int(row) for row in np.searchsorted(t, (start, end)))
        held = {name: _column(table.column(stored_name(name)), segment.kinds[name]).rows(slice(a, b)) for name in names}
        frame = Frame("", t[a:b], held)
        if not identity:
            return Identified(frame, *NOBODY)
        epochs, of = _epochs(table.column("epoch"))
        seq = _column(table.column("seq"), "i8").values
        return Identified(frame, epochs, of[a:b], seq[a:b])

    def _table(self, segment: Segment, groups: range, columns: list[str]) -> pa.Table:
        try:
            reader, lock = self._reader(segment.name)
            with lock:
                return reader.read_row_groups(list(groups), columns=columns, use_threads=len(columns) > 2)
        except (OSError, pa.ArrowException) as error:
            with self._lock:
                self._readers.pop(segment.name, None)
            raise DamagedError(f"{self._root}/{segment.name} cannot be read: {error}") from error

    def _reader(self, name: str) -> tuple[pq.ParquetFile, threading.Lock]:
        with self._lock:
            if name in self._readers:
                self._readers.move_to_end(name)
                return self._readers[name]
        path = f"{self._root}/{name}"
        source = pa.memory_map(path) if self._local else self._files.open_input_file(path)
        made = pq.ParquetFile(source, page_checksum_verification=True, pre_buffer=not self._local), threading.Lock()
        with self._lock:
            self._readers[name] = made
            while len(self._readers) > _OPEN:
                self._readers.popitem(last=False)
        return made

    def find(self, name: str) -> tuple[Segment, dict[str, Any]]:
        """A file that no index knows: what it holds, and its `sisock` metadata. Raises DamagedError."""
        try:
            reader, _ = self._reader(name)
            about = json.loads(reader.schema_arrow.metadata[b"sisock"])
            if about["v"] != VERSION:
                raise DamagedError(f"{name} has format version {about['v']}: a newer sisock made it")
            groups = [reader.metadata.row_group(i).column(0) for i in range(reader.metadata.num_row_groups)]
            t = _values(reader.read(columns=["time"]).column("time"), "time")
            size = self._files.get_file_info(f"{self._root}/{name}").size
            kinds = {field: each["kind"] for field, each in about["fields"].items()}
            assert len(groups) == -(-len(t) // ROWS)
            epochs = {str(epoch): int(beyond) for epoch, beyond in about["epochs"].items()}
            return Segment(name, len(t), int(t[0]), int(t[-1]), t[::ROWS].copy(), kinds, size, epochs), about
        except (OSError, pa.ArrowException, KeyError, ValueError, TypeError, IndexError) as error:
            raise DamagedError(f"{self._root}/{name} cannot be read: {error}") from error


def _sync(path: Path) -> None:
    """See that a file or folder is on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _table(samples: Identified, about: Mapping[str, Any]) -> pa.Table:
    frame = samples.frame
    arrays = {
        "time": pa.array(frame.t, _TIME),
        "epoch": _coded(samples),
        "seq": pa.array(samples.seq, pa.int64(), mask=_nobodys(samples)),
        **{stored_name(name): _array(column, kind_of(column)) for name, column in frame.columns.items()},
    }
    told = {"v": VERSION, **about}
    told["fields"] = {
        name: {"kind": kind_of(column), **told["fields"].get(name, {})} for name, column in frame.columns.items()
    }
    return pa.table(arrays).replace_schema_metadata({"sisock": json.dumps(told, ensure_ascii=False)})


def _nobodys(samples: Identified) -> NDArray[np.bool_] | None:
    """True for samples without an identity; None where all have one."""
    return None if None not in samples.epochs else np.array([epoch is None for epoch in samples.epochs])[samples.of]


def _coded(samples: Identified) -> pa.Array:
    """The epoch of each sample, null where it has none."""
    words = pa.array([epoch or "" for epoch in samples.epochs], pa.string())
    return pa.DictionaryArray.from_arrays(pa.array(samples.of, mask=_nobodys(samples)), words)


def _epochs(chunked: pa.ChunkedArray) -> tuple[tuple[str | None, ...], NDArray[np.int32]]:
    """The epochs there are, and which one each sample is of."""
    coded = chunked.dictionary_encode().unify_dictionaries()
    words = coded.chunk(0).dictionary.to_pylist() if coded.num_chunks else []
    of = np.concatenate(
        [_plain(chunk.indices.fill_null(len(words)), np.int32) for chunk in coded.chunks] or [np.empty(0)]
    )
    return (*words, None), of.astype(np.int32)


def _array(column: Column, kind: str) -> pa.Array:
    if kind == "text":
        listed = column.values.tolist()
        if column.missing is not None:
            listed = [None if gone else text for text, gone in zip(listed, column.missing.tolist(), strict=True)]
        return pa.array(listed, pa.string())
    return pa.array(column.values, _TYPES[kind], mask=column.missing, from_pandas=False)


def _values(chunked: pa.ChunkedArray, kind: str) -> NDArray[Any]:
    """The values of a column without nulls."""
    whole = chunked.combine_chunks() if chunked.num_chunks != 1 else chunked.chunk(0)
    if kind == "text":
        return texts(whole.to_pylist())
    return _plain(pc.cast(whole, pa.int64()) if kind == "time" else whole, _DTYPES[kind])


def _plain(whole: pa.Array, dtype: Any) -> NDArray[Any]:
    """The values of an array without nulls, as they lie in memory: Arrow's own way imports pandas where there is one."""
    if pa.types.is_boolean(whole.type):
        return _plain(pc.cast(whole, pa.uint8()), np.uint8).astype(bool)
    buffer = whole.buffers()[1]
    if buffer is None or not len(whole):
        return np.empty(0, dtype)
    return np.frombuffer(buffer, dtype, len(whole), whole.offset * np.dtype(dtype).itemsize)


def _column(chunked: pa.ChunkedArray, kind: str) -> Column:
    if not chunked.null_count:
        return Column(_values(chunked, kind))
    missing = _values(chunked.is_null(), "b1")
    filler = {"f8": 0.0, "i8": 0, "b1": False, "text": ""}[kind]
    return Column(_values(chunked.fill_null(filler), kind), missing)


def described(fields: Mapping[str, Field]) -> dict[str, dict[str, Any]]:
    """What a file tells of its fields, for whoever finds it without us."""
    return {
        name: {"description": each.description, "type": each.type, "units": each.units} for name, each in fields.items()
    }
