"""A Parquet file read chunk by chunk (one column of one row group), each proved by its checksum before it is decoded.

Where the chunks lie, and their checksums, is also kept by the index: a damaged footer costs nothing. Checksums of pages
alone would not do: they do not cover the headers of pages, in which the encoding stands.
"""

import struct
import zlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from sisock.store.storage import Blob, Range

_TAIL = 8  # bytes: length of the footer, and "PAR1"
_SEAL = struct.Struct("<II8s")  # number of checksums, CRC-32 of these and of the footer, what this is
_THREADS = 64  # chunks beyond which they are decoded by more than one thread
_SEALED = b"sisock 1"


class Footer(NamedTuple):
    """What is needed to read a file: its footer up to its end, and the CRC-32 of each chunk.

    sums: of one row group after the other, shape (row groups * columns,), uint32.
    """

    data: bytes
    sums: NDArray[np.uint32]


def sealed(data: memoryview) -> tuple[list[memoryview], Footer]:
    """A Parquet file with the checksums of its chunks put before its footer, where other tools do not look; in parts."""
    cut = len(data) - _TAIL - int.from_bytes(data[-_TAIL:-4], "little")
    footer = bytes(data[cut:])
    metadata = _parsed(footer)
    sums = np.array(
        [
            [zlib.crc32(data[slice(*_range(metadata, group, column))]) for column in range(metadata.num_columns)]
            for group in range(metadata.num_row_groups)
        ],
        "<u4",
    )
    seal = _SEAL.pack(sums.size, zlib.crc32(footer, zlib.crc32(sums.tobytes())), _SEALED)
    return [data[:cut], memoryview(sums.tobytes() + seal + footer)], Footer(footer, sums)


def footer_in(blob: Blob, size: int) -> Footer:
    """The footer of a file of so many bytes, as it stands there. Raises OSError if it is damaged."""
    data = np.empty(size, np.uint8).data

    def got(first: int, beyond: int) -> memoryview:
        if not 0 <= first <= beyond <= size or blob.fetch([(first, beyond)], data):
            raise OSError("its end is missing or damaged")
        return data[first:beyond]

    cut = size - _TAIL - int.from_bytes(got(size - _TAIL, size)[:4], "little")
    footer = bytes(got(cut, size))
    number, check, kind = _SEAL.unpack(got(cut - _SEAL.size, cut))
    if kind != _SEALED:
        raise OSError("its footer is damaged, or it is not of this archive")
    sums = np.frombuffer(got(cut - _SEAL.size - 4 * number, cut - _SEAL.size), "<u4")
    if zlib.crc32(footer, zlib.crc32(sums.tobytes())) != check:
        raise OSError("its footer is damaged")
    return Footer(footer, sums)


def packed(footer: Footer) -> tuple[bytes, bytes]:
    """A footer for the index: compressed, and the checksums."""
    size = len(footer.data).to_bytes(4, "little")
    return size + pa.compress(footer.data, "zstd", asbytes=True), footer.sums.astype("<u4").tobytes()


def unpacked(data: bytes, sums: bytes) -> Footer:
    """What `packed` was made of."""
    footer = pa.decompress(data[4:], int.from_bytes(data[:4], "little"), "zstd", asbytes=True)
    return Footer(footer, np.frombuffer(sums, "<u4"))


def starts_in(footer: Footer) -> tuple[NDArray[np.int64], int, int]:
    """First time of each row group, last time of all, number of rows: as the footer tells."""
    metadata = _parsed(footer.data)
    stated = [metadata.row_group(group).column(0).statistics for group in range(metadata.num_row_groups)]
    return np.array([each.min_raw for each in stated], np.int64), int(stated[-1].max_raw), int(metadata.num_rows)


def about_in(footer: Footer) -> bytes:
    """What the file tells of itself."""
    return bytes(_parsed(footer.data).metadata[b"sisock"])


def _parsed(footer: bytes) -> pq.FileMetaData:
    return pq.read_metadata(pa.BufferReader(b"PAR1" + footer))


def _range(metadata: pq.FileMetaData, group: int, column: int) -> Range:
    """The bytes of a chunk."""
    chunk = metadata.row_group(group).column(column)
    first = chunk.data_page_offset if chunk.dictionary_page_offset is None else chunk.dictionary_page_offset
    return first, first + chunk.total_compressed_size


class Chunks:
    """An open file of `count` chunks. Any thread may read."""

    def __init__(self, blob: Blob, size: int, footer: Footer) -> None:
        """Take an open file of so many bytes, and what the index knows of it."""
        self._blob, self._size, self._metadata = blob, size, _parsed(footer.data)
        self._sums = footer.sums.reshape(self._metadata.num_row_groups, -1)
        self.count = self._sums.size
        self._columns = {name: number for number, name in enumerate(self._metadata.schema.names)}

    def read(self, groups: Sequence[int], names: Sequence[str]) -> tuple["Image", NDArray[np.bool_]]:
        """These columns of these row groups, and which of them are damaged, shape (groups, columns)."""
        image = pa.allocate_buffer(self._size)  # only pages that are written to take memory
        view = memoryview(image).cast("B")
        columns = [self._columns[name] for name in names]
        ranges = {(g, c): _range(self._metadata, g, c) for g in groups for c in columns}
        unread = set(self._blob.fetch(list(ranges.values()), view))
        sound = [
            [
                ranges[group, column] not in unread
                and zlib.crc32(view[slice(*ranges[group, column])]) == self._sums[group, column]
                for column in columns
            ]
            for group in groups
        ]
        file = pq.ParquetFile(pa.BufferReader(image), metadata=self._metadata, read_dictionary=["epoch"])
        return Image(file), ~np.array(sound, bool).reshape(len(groups), len(names))


class Image(NamedTuple):
    """A file of which some chunks are in memory."""

    file: pq.ParquetFile

    def table(self, groups: Sequence[int], names: Sequence[str]) -> pa.Table:
        """These row groups decoded; they have to be in memory."""
        return self.file.read_row_groups(
            list(groups), columns=list(names), use_threads=len(groups) * len(names) > _THREADS
        )
