"""Pieces of files, of about a million rows each, as the samples of a timeline: what answers and tiers are made of."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sisock.formats.columns import TYPES, to_column
from sisock.formats.csv_cells import cast
from sisock.formats.errors import UnreadableError
from sisock.formats.moments import to_ns
from sisock.formats.table import ROWS, Rows, Table
from sisock.frames import Column, Frame, Times
from sisock.store.identified import NOBODY, Identified, in_time, together
from sisock.store.snapshot import Trouble
from sisock.store.tiers import Asked, Span
from sisock.times import NS

EARLIEST, LATEST = -2_208_988_800 * NS, 7_258_118_400 * NS  # 1900 and 2200: other times are no measurements
_AT_ONCE = 1_000_000  # samples read together
_NONE: Times = np.empty(0, np.int64)


class Piece(NamedTuple):
    """Consecutive groups of rows of a file. Between two of its marks lie the rows of a group."""

    path: str
    part: str  # which table of the file
    begin: int  # the first of its marks
    rows: int
    low: int  # first time
    high: int  # last time
    starts: Times  # first time of each group, ascending
    marks: NDArray[np.int64]  # one more than groups
    ordered: bool  # whether its rows are in the order of time; otherwise they are read together
    fields: Mapping[str, tuple[str, str]]  # field -> title of its column, and the kind of its values

    def groups(self, start: int, end: int) -> tuple[int, int]:
        """The first of the groups that may have samples in `[start, end)`, and one past the last."""
        if not self.ordered:
            return 0, len(self.marks) - 1
        first = max(0, int(np.searchsorted(self.starts, start, "left")) - 1)
        return first, max(first, int(np.searchsorted(self.starts, end, "left")))


def times_of(rows: Rows, unit: int) -> tuple[Times, NDArray[np.intp] | None, bool]:
    """The times that can be read in ascending order, the rows that these are (None: all), and whether they ascended."""
    t, readable = to_ns(rows.time, unit)
    readable &= (t >= EARLIEST) & (t < LATEST)
    chosen: NDArray[np.intp] | None = None
    if not readable.all():
        chosen = np.flatnonzero(readable)
        t = t[chosen]
    if not (t[1:] < t[:-1]).any():
        return t, chosen, True
    order = np.argsort(t, kind="stable")
    return t[order], order if chosen is None else chosen[order], False


def read_piece(table: Table, piece: Piece, groups: tuple[int, int], names: Sequence[str]) -> Frame:
    """The samples of some of its groups, in the order of time. Raises UnreadableError or OSError."""
    titles = [piece.fields[name][0] for name in names]
    try:
        rows = table.read(int(piece.marks[groups[0]]), int(piece.marks[groups[1]]), titles)
        t, chosen, _ = times_of(rows, table.unit)
        columns = {name: _column(rows, *piece.fields[name]) for name in names}
    except (pa.ArrowException, KeyError) as error:
        raise UnreadableError(f"it is another one than it was: {error}") from error
    frame = Frame("", t, columns if chosen is None else {name: each.rows(chosen) for name, each in columns.items()})
    if any(len(each.values) != len(t) for each in frame.columns.values()):
        raise UnreadableError("its columns are not of one length")
    return frame


def _column(rows: Rows, title: str, kind: str) -> Column:
    values = rows.columns[title]
    if pa.types.is_string(values.type):  # a file may look different now than it did at first
        values = cast(values, TYPES[kind])
    return to_column(values, kind)


Open = Callable[[Piece], Table]  # the table that a piece is of; raises UnreadableError or OSError


class Pieces(NamedTuple):
    """The samples of a timeline at one moment, as `sisock.store.recorded.Samples` wants them."""

    open: Open
    every: tuple[Piece, ...]
    late: tuple[Piece, ...] = ()  # pieces that are in no tier yet
    waiting: tuple[Identified, ...] = ()

    @property
    def identity(self) -> tuple[str | None, int | None]:
        """Samples of files have none."""
        return None, None

    def only_waiting(self) -> "Pieces":
        """What is in no tier yet."""
        return self._replace(every=self.late, late=())

    def since(self, epoch: str, seq: int) -> dict[str, int]:
        """Nothing is known by epoch and sequence."""
        return {}

    def having(self, new: Mapping[str, int]) -> "Pieces":
        """Nothing is known by epoch and sequence."""
        return self._replace(every=(), late=())

    def read_new(self, span: Span, names: Sequence[str], new: Mapping[str, int], trouble: Trouble) -> None:
        """Nothing is known by epoch and sequence."""
        return

    def ends(self) -> Span | None:
        """Time of the first sample and one past that of the last; None without any."""
        both = (*self.every, *self.late)
        return (min(each.low for each in both), max(each.high for each in both) + 1) if both else None

    def within(self, start: int, end: int) -> list[Piece]:
        """The pieces that may have samples in `[start, end)`."""
        return [each for each in (*self.every, *self.late) if each.low < end and each.high >= start]

    def rows_within(self, start: int, end: int) -> int:
        """How many samples there may be in `[start, end)`, at the most."""
        rows = 0
        for piece in self.within(start, end):
            first, beyond = piece.groups(start, end)
            rows += min(piece.rows, (beyond - first) * ROWS)
        return rows

    def starts_within(self, start: int, end: int) -> Times:
        """Times in `[start, end)` at which groups begin, ascending, each once."""
        starts = np.unique(np.concatenate([_NONE, *(each.starts for each in self.within(start, end))]))
        return starts[(starts >= start) & (starts < end)]

    def stretches(self, span: Span, most: int) -> Iterator[Span]:
        """The span in parts of no more than so many samples, or of about a million."""
        if self.rows_within(*span) <= most:
            yield span
            return
        cuts = self.starts_within(span[0] + 1, span[1])[:: _AT_ONCE // ROWS].tolist()
        yield from zip([span[0], *cuts], [*cuts, span[1]], strict=True)

    def kinds(self, span: Span, names: Sequence[str]) -> Iterator[tuple[str, bool, int, int]]:
        """Texts have a name of their own where a column is something else in other files."""
        return iter(())

    def without(self, kinds: Mapping[str, bool]) -> "Pieces":
        """All of it, as no field is of two kinds."""
        return self

    def read(self, span: Span, names: Sequence[str], trouble: Trouble) -> Identified | None:
        """The samples in a stretch of time, in the order of time; None without any."""
        parts = [frame for piece in self.within(*span) if len(frame := self._of(piece, span, names, trouble))]
        return together([Identified(each, *NOBODY) for each in parts], identity=False) if parts else None

    def raw(self, span: Span, asked: Asked, trouble: Trouble) -> dict[str, Frame]:
        """The samples of fields that are in tiers, each of the kind asked for, in the order of time."""
        found: dict[str, list[Frame]] = {}
        for piece in self._replace(late=()).within(*span):
            names = [name for name, kept in asked.items() if piece.fields.get(name, ("", ""))[1] == kept.kind]
            frame = self._of(piece, span, names, trouble) if names else ()
            if isinstance(frame, Frame) and len(frame):
                for name in frame.columns:
                    found.setdefault(name, []).append(frame.only((name,)))
        return {name: in_time(frames) for name, frames in found.items()}

    def _of(self, piece: Piece, span: Span, names: Sequence[str], trouble: Trouble) -> Frame:
        """What a piece has in a stretch of time; nothing, which is told, where it cannot be read."""
        groups = piece.groups(*span)
        some = [name for name in names if name in piece.fields]
        if groups[0] >= groups[1] or not (some or not names):
            return Frame("", _NONE, {})
        try:
            return read_piece(self.open(piece), piece, groups, some).between(*span)
        except (UnreadableError, OSError) as error:
            trouble.told[piece.path] = f"{piece.path} cannot be read: {error}"
            return Frame("", _NONE, {})
