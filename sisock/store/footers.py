"""What is needed to read a Parquet file: its footer, which also the index keeps, and the checksums of its chunks.

A footer is cut by row groups, so that only those that are read are parsed: all of a large file take a millisecond and,
parsed, a kilobyte for each column of each row group.
"""

import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from sisock.store.storage import Blob, Range

_TAIL = 8  # bytes: length of the footer, and "PAR1"
_SEAL = struct.Struct("<II8s")  # number of checksums, CRC-32 of these and of the footer, what this is
_SEALED = b"sisock 1"
_PACKED = struct.Struct("<4sII")  # what this is, row groups, bytes of the footer
_CUT = b"cut1"


class Footer(NamedTuple):
    """A footer up to the end of its file, and the CRC-32 of each chunk (one column of one row group).

    sums: of one row group after the other, shape (row groups * columns,), uint32; bounds: where in `data` each row group
    begins, and where the last one ends, shape (row groups + 1,), uint32.
    """

    data: bytes
    sums: NDArray[np.uint32]
    bounds: NDArray[np.uint32]

    @property
    def groups(self) -> int:
        """Number of row groups."""
        return len(self.bounds) - 1

    @property
    def nbytes(self) -> int:
        """Bytes that it takes in memory."""
        return len(self.data) + self.sums.nbytes + self.bounds.nbytes

    def parsed(self, first: int = 0, beyond: int | None = None) -> pq.FileMetaData:
        """What it tells of the row groups `[first, beyond)`, of all unless told otherwise."""
        beyond = self.groups if beyond is None else beyond
        begin, end = int(self.bounds[first]), int(self.bounds[beyond])
        head = self.data[: int(self.bounds[0]) - len(_list_head(self.groups))]
        body = head + _list_head(beyond - first) + self.data[begin:end] + self.data[int(self.bounds[-1]) : -_TAIL]
        return pq.read_metadata(pa.BufferReader(b"PAR1" + body + len(body).to_bytes(4, "little") + b"PAR1"))

    def packed(self) -> tuple[bytes, bytes]:
        """Itself for the index: compressed, and the checksums."""
        head = _PACKED.pack(_CUT, self.groups, len(self.data)) + self.bounds.astype("<u4").tobytes()
        return head + pa.compress(self.data, "zstd", asbytes=True), self.sums.astype("<u4").tobytes()


def unpacked(data: bytes, sums: bytes) -> Footer:
    """What was packed to these, by this version or the one before, which kept no bounds. Raises OSError."""
    try:
        kind, groups, size = _PACKED.unpack_from(data)
        if kind != _CUT:
            footer = pa.decompress(data[4:], int.from_bytes(data[:4], "little"), "zstd", asbytes=True)
            return Footer(footer, np.frombuffer(sums, "<u4"), _bounds(footer))
        bounds = np.frombuffer(data, "<u4", groups + 1, _PACKED.size)
        footer = pa.decompress(data[_PACKED.size + bounds.nbytes :], size, "zstd", asbytes=True)
        return Footer(footer, np.frombuffer(sums, "<u4"), bounds)
    except (struct.error, ValueError, MemoryError) as error:
        raise OSError(f"a footer in the index is damaged: {error}") from error


def sealed(data: memoryview) -> tuple[list[memoryview], Footer]:
    """A Parquet file with the checksums of its chunks put before its footer, where other tools do not look; in parts."""
    cut = len(data) - _TAIL - int.from_bytes(data[-_TAIL:-4], "little")
    data, footer = data[:cut], bytes(data[cut:])
    bounds = _bounds(footer)
    metadata = Footer(footer, np.empty(0, np.uint32), bounds).parsed()
    sums = np.array(
        [
            [zlib.crc32(data[slice(*chunk_range(metadata, group, column))]) for column in range(metadata.num_columns)]
            for group in range(metadata.num_row_groups)
        ],
        "<u4",
    ).reshape(-1)
    seal = _SEAL.pack(sums.size, zlib.crc32(footer, zlib.crc32(sums.tobytes())), _SEALED)
    return [data, memoryview(sums.tobytes() + seal + footer)], Footer(footer, sums, bounds)


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
    found = Footer(footer, sums, _bounds(footer))
    if not found.groups or number % found.groups:
        raise OSError("its footer is damaged")
    return found


def chunk_range(metadata: pq.FileMetaData, group: int, column: int) -> Range:
    """The bytes of a chunk."""
    chunk = metadata.row_group(group).column(column)
    first = chunk.data_page_offset if chunk.dictionary_page_offset is None else chunk.dictionary_page_offset
    return first, first + chunk.total_compressed_size


# where its row groups lie -----------------------------------------------------------------------
# A footer is the struct FileMetaData (parquet.thrift of the Parquet format) in Thrift's compact protocol
# (thrift-compact-protocol.md of Apache Thrift); the list of its field 4 holds the row groups.

_SCHEMA, _ROW_GROUPS = 2, 4
_TYPE, _CHILDREN = 1, 5  # of an element of the schema; the type also of ColumnMetaData
_COLUMNS, _ABOUT = 1, 3  # of a row group, and of its chunks
_SIZES, _TEXT_BYTES = 16, 1  # of ColumnMetaData, and of its SizeStatistics
_TEXTS = 12  # the type BYTE_ARRAY, in zigzag
_BYTE, _DOUBLE, _BINARY, _STRUCT = 3, 7, 8, 12
_NONE, _VARINTS, _LISTS = (1, 2), (4, 5, 6), (9, 10)


def _bounds(footer: bytes) -> NDArray[np.uint32]:
    """Where each row group begins, and where the last one ends. Shape (row groups + 1,). Raises OSError."""
    try:
        return _found_bounds(footer)
    except (IndexError, RecursionError, OverflowError) as error:
        raise OSError("its footer is damaged") from error


def _found_bounds(footer: bytes) -> NDArray[np.uint32]:
    for number, _, at in _members(footer, 0):
        if number == _ROW_GROUPS:
            count, _, first = _list_size(footer, at)
            bounds = [first]
            for _ in range(count):
                bounds.append(_beyond(footer, bounds[-1], _STRUCT))
            return np.array(bounds, "<u4")
    raise OSError("its footer has no row groups")


def check_types(footer: Footer) -> None:
    """Raise OSError where a chunk is of another type than its column, or counts bytes of texts without being of texts.

    Arrow ends the process at such a footer.
    """
    try:
        leaves = list(_leaf_types(footer.data))
        for begin in footer.bounds[:-1].tolist():
            if list(_chunk_types(footer.data, begin)) != leaves:
                raise OSError("its footer is damaged")
    except (KeyError, IndexError, RecursionError, OverflowError) as error:
        raise OSError("its footer is damaged") from error


def _leaf_types(data: bytes) -> Iterator[int | None]:
    """Of each column its type, as the schema has it."""
    for element in _structs(data, _each_once(data, 0)[_SCHEMA]):
        found = _each_once(data, element)
        if _CHILDREN not in found:
            yield _varint(data, found[_TYPE])[0] if _TYPE in found else None


def _chunk_types(data: bytes, group: int) -> Iterator[int | None]:
    """Of each chunk of a row group the type that it says it has."""
    for column in _structs(data, _each_once(data, group)[_COLUMNS]):
        found = _each_once(data, _each_once(data, column)[_ABOUT])
        kind = _varint(data, found[_TYPE])[0] if _TYPE in found else None
        sizes = _each_once(data, found[_SIZES]) if _SIZES in found else {}
        yield None if _TEXT_BYTES in sizes and kind != _TEXTS else kind


def _each_once(data: bytes, at: int) -> dict[int, int]:
    """Where the fields of a struct lie, by their numbers; of one that is there twice Arrow would take both."""
    found: dict[int, int] = {}
    for number, _, place in _members(data, at):
        if number in found:
            raise OSError("its footer is damaged")
        found[number] = place
    return found


def _structs(data: bytes, at: int) -> Iterator[int]:
    """Where the structs of a list begin."""
    count, _, first = _list_size(data, at)
    for _ in range(count):
        yield first
        first = _beyond(data, first, _STRUCT)


def _members(data: bytes, at: int) -> Iterator[tuple[int, int, int]]:
    """The fields of a struct: number, kind, and where the value is."""
    number = 0
    while data[at]:
        step, kind = divmod(data[at], 16)
        at += 1
        if step:
            number += step
        else:
            zigzag, at = _varint(data, at)
            number = zigzag >> 1
        yield number, kind, at
        at = _beyond(data, at, kind)


def _beyond(data: bytes, at: int, kind: int) -> int:
    """Where a value of this kind ends that begins there."""
    if kind in _NONE:
        return at
    if kind in _VARINTS:
        while data[at] & 128:
            at += 1
        return at + 1
    if kind == _BINARY:
        size, at = _varint(data, at)
        return at + size
    if kind == _STRUCT:
        while data[at]:
            step, own = divmod(data[at], 16)
            at = _beyond(data, at + 1 if step else _beyond(data, at + 1, _VARINTS[0]), own)
        return at + 1
    if kind in _LISTS:
        count, own, at = _list_size(data, at)
        for _ in range(count):
            at = at + 1 if own in _NONE else _beyond(data, at, own)
        return at
    if kind in (_BYTE, _DOUBLE):
        return at + (1 if kind == _BYTE else 8)
    raise OSError(f"its footer has a value of the unknown kind {kind}")


def _list_size(data: bytes, at: int) -> tuple[int, int, int]:
    """Length of a list, kind of its values, and where the first is."""
    count, kind = divmod(data[at], 16)
    at += 1
    if count == 15:
        count, at = _varint(data, at)
    if count > len(data):  # each of its values takes a byte at least
        raise IndexError
    return count, kind, at


def _list_head(count: int) -> bytes:
    """The bytes with which a list of so many structs begins."""
    if count < 15:
        return bytes([count << 4 | _STRUCT])
    head = [15 << 4 | _STRUCT]
    while count >= 128:
        head.append(count & 127 | 128)
        count >>= 7
    return bytes([*head, count])


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """A number of 7 bits a byte, and where it ends."""
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at
