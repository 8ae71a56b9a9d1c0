"""Rows that come one by one as files that an archive takes, of a bounded size each."""

import hashlib
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from sisock.durable import sync
from sisock.frames import Field, Type, is_number
from sisock.nodes.base import why_no_field
from sisock.store import incoming, parquet

_ROWS = 100_000  # after which a piece is full
_CELLS = 4_000_000  # likewise
_MOST_FIELDS = 1000
_TIME = pa.timestamp("ns", "UTC")


class Pieces:
    """The rows of one log on their way to `incoming`. Rows that follow each other at one time are one sample."""

    def __init__(self, node: str, timeline: str, units: Mapping[str, str], archive: Path, wanted: str) -> None:
        """`wanted`: how the log is read; other rows in the same way make other pieces."""
        self._node, self._timeline, self._units, self._wanted = node, timeline, units, wanted
        self._place = incoming.folder(archive)
        self.types: dict[str, Type] = {}
        self._why_not: dict[str, str | None] = {}
        self._sound: set[tuple[str, type]] = set()  # names, and types of values that can be theirs
        self._t: list[int] = []
        self._rows: list[dict[str, Any]] = []
        self._names: dict[str, None] = {}

    def __len__(self) -> int:
        return len(self._t)

    @property
    def full(self) -> bool:
        """Whether it is time to write."""
        return len(self._t) >= _ROWS or len(self._t) * len(self._names) >= _CELLS

    def add(self, t: int, values: Mapping[str, Any]) -> str | None:
        """Take a row; why some of its values cannot be taken."""
        row, wrong, sound = dict[str, Any](), None, self._sound
        for name, value in values.items():
            if value is None:
                continue
            if (name, type(value)) in sound:
                row[name] = value
                continue
            why = self._refused(name, value)
            if why:
                wrong = why
            else:
                row[name] = value
        if not row:
            return wrong or "there are no values in it"
        self._names.update(dict.fromkeys(row))
        if self._t and t == self._t[-1] and self._rows[-1].keys().isdisjoint(row):
            self._rows[-1] |= row
        else:
            self._t.append(t)
            self._rows.append(row)
        return wrong

    def _refused(self, name: str, value: Any) -> str | None:
        if not isinstance(value, (int, float, str)):  # a bool is an int
            return f"{name!r} is of a kind that no field can hold"
        kind: Type = "bool" if isinstance(value, bool) else "number" if is_number(value) else "string"
        known = self.types.get(name)
        if known is None:
            if name not in self._why_not and len(self._why_not) < 10 * _MOST_FIELDS:
                self._why_not[name] = why_no_field(name)
            why = self._why_not.get(name)
            if why is None and len(self.types) >= _MOST_FIELDS:
                why = f"more than {_MOST_FIELDS} fields"
            if why:
                return why
            known = self.types[name] = kind
        if kind != known:
            return f"{name!r} is a {known}, and a {kind} came"
        if type(value) is not int:  # of which each may be too large
            self._sound.add((name, type(value)))
        elif abs(value) >= 2**1023:
            return f"{name!r} is a number too large for a float64"
        return None

    def write(self) -> str:
        """Put what there is on disk, where the archive takes it; by which the archive knows it again."""
        columns = {name: _array([row.get(name) for row in self._rows], self.types[name]) for name in self._names}
        source = self._source(columns)
        fields = {name: Field(None, self._timeline, self.types[name], self._units.get(name)) for name in self._names}
        table = pa.Table.from_arrays(
            [pa.array(self._t, _TIME), *columns.values()], ["time", *map(parquet.stored_name, columns)]
        ).replace_schema_metadata(incoming.about(self._node, self._timeline, fields, source))
        self._place.mkdir(mode=0o700, parents=True, exist_ok=True)
        part = self._place / f"{source}.part"
        pq.write_table(table, part, compression="zstd", write_page_checksum=True)
        sync(part)
        before = next(self._place.glob(f"*-{source}.parquet"), None)
        part.replace(before or self._place / f"{time.time_ns():020}-{source}.parquet")
        sync(self._place)
        self._t, self._rows, self._names = [], [], {}
        return source

    def _source(self, columns: Mapping[str, pa.Array]) -> str:
        """The same for the same rows, read in the same way."""
        digest = hashlib.blake2b(json.dumps([self._wanted, list(columns)]).encode(), digest_size=16)
        digest.update(pa.array(self._t, pa.int64()).buffers()[1])
        for column in columns.values():
            for buffer in column.buffers():
                digest.update(buffer or b"-")
        return digest.hexdigest()


def _array(values: list[Any], kind: Type) -> pa.Array:
    if kind == "bool":
        return pa.array(values, pa.bool_())
    if kind == "string":
        return pa.array(
            [None if each is None else each.encode("utf-8", "replace").decode() for each in values], pa.string()
        )
    if all(each is None or (isinstance(each, int) and -(2**63) <= each < 2**63) for each in values):
        return pa.array(values, pa.int64())
    return pa.array([None if each is None else float(each) for each in values], pa.float64())
