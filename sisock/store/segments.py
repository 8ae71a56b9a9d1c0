"""The files that samples lie in at rest, and what can be read of them: what is good, and what is lost."""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from sisock.frames import Frame, Times
from sisock.parsing import from_json
from sisock.store import parquet
from sisock.store.chunks import Chunks, Image, parsed_footers
from sisock.store.footers import Footer, check_types, footer_in, sealed
from sisock.store.identified import NOBODY, Identified, accounts, together
from sisock.store.parquet import OURS, ROWS, kind_of, stored_name
from sisock.store.recent import Recent
from sisock.store.storage import AwayError, Storage

log = logging.getLogger(__name__)
_OPEN, _FOOTERS = 512, 30 * 2**20  # files kept open, and bytes of their footers
_WRONG = "its checksum is wrong"


class DamagedError(Exception):
    """Something that is stored cannot be read; says what."""


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

    def groups(self, start: int, end: int) -> range:
        """The row groups that may have samples in `[start, end)`."""
        first = max(0, int(np.searchsorted(self.starts, start, "left")) - 1)
        return range(first, int(np.searchsorted(self.starts, end, "left")))

    def span(self, group: int) -> tuple[int, int]:
        """First and last time that samples of a row group may have."""
        after = group + 1
        return int(self.starts[group]), int(self.starts[after]) if after < len(self.starts) else self.high

    @property
    def group_rows(self) -> int:
        """Rows of each row group but the last: a power of two, whoever chose it."""
        return 1 << (-(-self.rows // len(self.starts)) - 1).bit_length()

    def rows_of(self, group: int) -> int:
        """Samples of a row group."""
        return min(self.group_rows, self.rows - group * self.group_rows)


class Made(NamedTuple):
    """A segment that has just been written, and what the index has to know to read it."""

    segment: Segment
    footer: Footer

    @property
    def name(self) -> str:
        """The name of its file."""
        return self.segment.name


class Lost(NamedTuple):
    """Samples of a row group that cannot be read: of one field, or (None) of all."""

    segment: Segment
    group: int
    field: str | None
    why: str
    away: bool = False  # only for now: the file may be as it should


class Read(NamedTuple):
    """What could be read; values that are lost are missing there."""

    samples: Identified
    lost: tuple[Lost, ...] = ()


class SegmentFiles:
    """The segments of an archive."""

    def __init__(self, storage: Storage, footers: Callable[[str], Footer | None]) -> None:
        """Keep them there; `footers` is what the index knows of a file by its name."""
        self._storage, self._footers = storage, footers
        self._open = Recent[str, Chunks](_FOOTERS, _OPEN)
        self._parsed = parsed_footers()

    # writing

    def write(self, name: str, samples: Identified, about: Mapping[str, Any]) -> Made:
        """Write the samples as a file of this name; raises OSError. `sync` brings it to disk."""
        data, footer = sealed(memoryview(parquet.coded(samples, about)))
        self._storage.write(name, data)
        t = samples.frame.t
        kinds = {field: kind_of(column) for field, column in samples.frame.columns.items()}
        size, starts, epochs = sum(map(len, data)), t[::ROWS].copy(), accounts(samples)
        return Made(Segment(name, len(t), int(t[0]), int(t[-1]), starts, kinds, size, epochs), footer)

    def sync(self, names: Iterable[str]) -> None:
        """See that these files are on disk. Many at once are quicker than one after the other."""
        self._storage.sync(list(names))

    def remove(self, name: str) -> None:
        """Remove a file; one that is not there is fine."""
        self._open.drop(lambda key: key == name)
        self._storage.remove(name)

    def names(self) -> list[str]:
        """All segment files there are."""
        return [name for name in self._storage.names() if name.endswith(".parquet")]

    # reading

    def read(
        self, segment: Segment, start: int, end: int, fields: Iterable[str], *,
        identity: bool = False, whole: bool = False,
    ) -> Read:  # fmt: skip
        """Samples with `start <= t < end`; a field that the file lacks is left out.

        `whole`: only samples all of whose values can be read.
        """
        groups = segment.groups(start, end)
        names = [name for name in fields if name in segment.kinds]
        try:
            return self._read(segment, groups, (start, end), names, identity=identity, whole=whole)
        except (OSError, ValueError, LookupError, pa.ArrowException) as error:  # proved, and yet none that can be read
            why = "it is gone" if isinstance(error, FileNotFoundError) else str(error)
            away = isinstance(error, AwayError)
            self._doubt(segment.name)
            return Read(_nothing(segment, names), tuple(Lost(segment, group, None, why, away) for group in groups))

    def _read(
        self,
        segment: Segment,
        groups: range,
        span: tuple[int, int],
        names: Sequence[str],
        *,
        identity: bool,
        whole: bool,
    ) -> Read:
        """As `read`, of these row groups; raises what Arrow raises."""
        ours = OURS if identity else OURS[:1]
        image, bad = self._chunks(segment).read(groups, [*ours, *map(stored_name, names)])
        if not bad.any():
            return Read(_inside(_decoded(image, segment, groups, names, identity=identity), *span))
        self._doubt(segment.name)
        parts, lost = [], []
        for group, gone in zip(groups, bad.tolist(), strict=True):
            torn = [name for name, hit in zip(names, gone[len(ours) :], strict=True) if hit]
            if any(gone[: len(ours)]):
                lost.append(Lost(segment, group, None, _WRONG))
                continue
            lost += [Lost(segment, group, name, _WRONG) for name in torn]
            if not torn or not whole:
                good = _decoded(image, segment, [group], [n for n in names if n not in torn], identity=identity)
                parts.append(_inside(_with_gaps(good, segment, names, torn), *span))
        return Read(together(parts, identity=identity) if parts else _nothing(segment, names), tuple(lost))

    def _chunks(self, segment: Segment) -> Chunks:
        found = self._open.get(segment.name)
        if found is None:
            blob = self._storage.open(segment.name)
            footer = self._footers(segment.name) or footer_in(blob, segment.nbytes)
            found = Chunks(blob, segment.nbytes, footer, self._parsed)
            self._open.put(segment.name, found, footer.nbytes)
        return found

    def _doubt(self, name: str) -> None:
        """Open a file anew next time: somebody may have put a copy in its place."""
        self._open.drop(lambda key: key == name)
        self._storage.doubt(name)

    def find(self, name: str) -> tuple[Made, dict[str, Any]]:
        """A file that no index knows: what it holds, and its `sisock` metadata. Raises DamagedError, AwayError."""
        try:
            size = self._storage.size(name)
            footer = footer_in(self._storage.open(name), size)
            check_types(footer)
            metadata = footer.parsed()
            about = from_json(metadata.metadata[b"sisock"])
            if about["v"] != parquet.VERSION:
                raise DamagedError(f"{name} has format version {about['v']}: a newer sisock made it, use that one")
            times = [metadata.row_group(group).column(0).statistics for group in range(footer.groups)]
            starts, high = np.array([each.min_raw for each in times], np.int64), int(times[-1].max_raw)
            kinds = {str(field): parquet.known_kind(each["kind"]) for field, each in about["fields"].items()}
            epochs = {str(epoch): int(beyond) for epoch, beyond in about["epochs"].items()}
            return Made(
                Segment(name, metadata.num_rows, int(starts[0]), high, starts, kinds, size, epochs), footer
            ), about
        except AwayError:
            raise
        except (OSError, pa.ArrowException, KeyError, ValueError, TypeError, IndexError, AttributeError) as error:
            raise DamagedError(f"{self._storage}/{name} cannot be read: {error}") from error


def all_of(read: Sequence[Read]) -> bool:
    """Whether nothing of these is lost. Raises AwayError where that cannot be known now."""
    lost = [each for some in read for each in some.lost]
    away = next((each.why for each in lost if each.away), None)
    if away is not None:
        raise AwayError(away)
    return not lost


def _decoded(
    image: Image, segment: Segment, groups: Sequence[int], names: Sequence[str], *, identity: bool
) -> Identified:
    table = image.table(groups, [*(OURS if identity else OURS[:1]), *map(stored_name, names)])
    columns = {name: parquet.column(table.column(stored_name(name)), segment.kinds[name]) for name in names}
    frame = Frame("", parquet.times(table.column("time")), columns)
    if not identity:
        return Identified(frame, *NOBODY)
    return Identified(frame, *parquet.epochs(table.column("epoch")), parquet.column(table.column("seq"), "i8").values)


def _inside(samples: Identified, start: int, end: int) -> Identified:
    a, b = (int(row) for row in np.searchsorted(samples.frame.t, (start, end)))
    return samples.rows(slice(a, b))


def _with_gaps(samples: Identified, segment: Segment, names: Sequence[str], torn: Iterable[str]) -> Identified:
    """The samples with these fields missing, all in the order of `names`."""
    frame = samples.frame
    gone = {name: parquet.lost_column(len(frame), segment.kinds[name]) for name in torn}
    columns = {name: gone[name] if name in gone else frame.columns[name] for name in names}
    return samples._replace(frame=Frame("", frame.t, columns))


def _nothing(segment: Segment, names: Sequence[str]) -> Identified:
    return Identified(
        Frame("", np.empty(0, np.int64), {name: parquet.lost_column(0, segment.kinds[name]) for name in names}),
        *NOBODY,
    )
