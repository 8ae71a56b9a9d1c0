"""A Parquet file read chunk by chunk (one column of one row group), each proved by its checksum before it is decoded.

Where the chunks lie, and their checksums, is also kept by the index: a damaged footer costs nothing. Checksums of pages
alone would not do: they do not cover the headers of pages, in which the encoding stands.
"""

import itertools
import zlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from sisock.store.footers import Footer, chunk_range
from sisock.store.recent import Recent
from sisock.store.storage import Blob

_NUMBERS = itertools.count()  # of files as they are opened
_THREADS = 64  # chunks beyond which they are decoded by more than one thread


_PARSED = 30_000  # chunks of all files together whose parsed footers are kept: a kilobyte each
Parsed = Recent[tuple[int, range], pq.FileMetaData]


def parsed_footers() -> Parsed:
    """Room for the parts of footers that were parsed last, of all files of an archive."""
    return Recent(_PARSED)


class Chunks:
    """An open file. Any thread may read."""

    def __init__(self, blob: Blob, size: int, footer: Footer, parsed: Parsed) -> None:
        """Take an open file of so many bytes, what the index knows of it, and where parsed parts of that are kept."""
        self._blob, self._size, self._footer, self._parsed = blob, size, footer, parsed
        self._sums = footer.sums.reshape(footer.groups, -1)
        self._number = next(_NUMBERS)

    def _metadata(self, groups: range) -> pq.FileMetaData:
        found = self._parsed.get((self._number, groups))
        if found is None:
            found = self._footer.parsed(groups.start, groups.stop)
            self._parsed.put((self._number, groups), found, len(groups) * self._sums.shape[1])
        return found

    def read(self, groups: range, names: Sequence[str]) -> tuple["Image", NDArray[np.bool_]]:
        """These columns of these row groups, and which of them are damaged, shape (groups, columns)."""
        image = pa.allocate_buffer(self._size)  # only pages that are written to take memory
        view = memoryview(image).cast("B")
        metadata = self._metadata(groups)
        numbers = {name: number for number, name in enumerate(metadata.schema.names)}
        columns = [numbers[name] for name in names]
        ranges = [[chunk_range(metadata, row, column) for column in columns] for row in range(len(groups))]
        unread = set(self._blob.fetch([each for some in ranges for each in some], view))
        sound = [
            [
                where not in unread and zlib.crc32(view[slice(*where)]) == self._sums[group, column]
                for where, column in zip(some, columns, strict=True)
            ]
            for group, some in zip(groups, ranges, strict=True)
        ]
        file = pq.ParquetFile(pa.BufferReader(image), metadata=metadata, read_dictionary=["epoch"])
        return Image(file, groups), ~np.array(sound, bool).reshape(len(groups), len(names))


class Image(NamedTuple):
    """A file of which some chunks of these row groups are in memory."""

    file: pq.ParquetFile
    groups: range

    def table(self, groups: Sequence[int], names: Sequence[str]) -> pa.Table:
        """These row groups decoded; they have to be in memory."""
        return self.file.read_row_groups(
            [self.groups.index(group) for group in groups],
            columns=list(names),
            use_threads=len(groups) * len(names) > _THREADS,
        )
