"""A file of others becomes one that an archive takes: checked, in Parquet, whole or not there at all."""

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from sisock.frames import Field, Type
from sisock.imports.moments import to_ns
from sisock.imports.source import About, ImportFailed, Piece, Source, Troubles, WiderError, open_source
from sisock.store import incoming, parquet
from sisock.uris import JOINT, check_field

_TYPES = {"f8": pa.float64(), "i8": pa.int64(), "b1": pa.bool_(), "text": pa.string()}
_OF: dict[str, Type] = {"f8": "number", "i8": "number", "b1": "bool", "text": "string"}
_READ = 2**22


class Wanted(NamedTuple):
    """Whose samples a file has, which column is the time, and units of fields, as far as these are given."""

    node: str
    timeline: str
    time: str | None = None
    units: Mapping[str, str] = {}


@dataclass
class Converted:
    """What became of a file: where it is now, how many rows, and what could not be read."""

    path: Path
    rows: int = 0
    disordered: int = 0  # rows that came before a later time
    troubles: Troubles = field(default_factory=Troubles)


def convert(path: Path, wanted: Wanted, archive: Path, progress: Callable[[float], None]) -> Converted:
    """Put the samples of a file where the archive takes them. Raises ImportFailed, OSError."""
    source_id = _identity(path, wanted)
    place = incoming.folder(archive)
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    before = next(place.glob(f"*-{source_id}.parquet"), None)
    target = before or place / f"{time.time_ns():020}-{source_id}.parquet"  # the later import is the later one there
    part = place / f"{source_id}.part"
    wider: frozenset[str] = frozenset()
    while True:
        made = Converted(target)
        try:
            _write(path, wanted, source_id, part, made, wider, progress)
            break
        except WiderError as error:
            wider |= {error.column}
        except BaseException:
            part.unlink(missing_ok=True)
            raise
    part.replace(target)
    return made


def _identity(path: Path, wanted: Wanted) -> str:
    """The same for the same content that is wanted in the same way."""
    digest = hashlib.blake2b(json.dumps([*wanted[:3], dict(wanted.units)]).encode(), digest_size=16)
    with path.open("rb") as file:
        while block := file.read(_READ):
            digest.update(block)
    return digest.hexdigest()


def _write(
    path: Path, wanted: Wanted, source_id: str, part: Path, made: Converted, wider: frozenset[str],
    progress: Callable[[float], None],
) -> None:  # fmt: skip
    source = open_source(path, wanted.time, made.troubles, wider)
    names = _names(source, path)
    fields = {name: _field(source.columns[column], wanted, name) for column, name in names.items()}
    unknown = [name for name in wanted.units if name not in fields]
    if unknown:
        raise ImportFailed(f"{path} has no field {unknown[0]!r}: it has {', '.join(list(fields)[:20])}")
    kinds = {parquet.stored_name(name): _TYPES[source.columns[column].kind] for column, name in names.items()}
    schema = pa.schema(
        [("time", pa.timestamp("ns", "UTC")), *kinds.items()],
        incoming.about(wanted.node, wanted.timeline, fields, source_id),
    )
    unit, last = None, None
    with pq.ParquetWriter(part, schema, compression="zstd", write_page_checksum=True) as writer:
        for piece, share in source.pieces():
            t, sound, unit = to_ns(_flat(piece.time), unit)
            _tell(piece, sound, made.troubles, source.time)
            made.disordered += int((np.diff(t[sound]) < 0).sum())
            if last is not None and sound.any():
                made.disordered += int(t[sound][0] < last)
            last = int(t[sound][-1]) if sound.any() else last
            arrays = [pa.array(t, pa.timestamp("ns", "UTC")), *(_flat(piece.columns[column]) for column in names)]
            table = pa.Table.from_arrays(arrays, schema=schema).filter(pa.array(sound))
            writer.write_table(table)
            made.rows += len(table)
            progress(share)
    if not made.rows:
        raise ImportFailed(
            f"{path} has no row that can be read{': ' + made.troubles.told[0] if made.troubles.told else ''}"
        )


def _names(source: Source, path: Path) -> dict[str, str]:
    """The columns, and the fields they become: what an export calls NODE::FIELD is FIELD."""
    names = {column: column.rpartition(JOINT)[2] for column in source.columns}
    if not names:
        raise ImportFailed(f"{path} has a time but no column of values")
    for column, name in names.items():
        try:
            check_field(name)
        except ValueError as error:
            raise ImportFailed(f"{path}: the column {column!r} cannot be a field: {error}") from error
    if len(set(names.values())) < len(names):
        raise ImportFailed(f"{path} has columns of several nodes with the same names: import them apart")
    return names


def _field(about: About, wanted: Wanted, name: str) -> Field:
    return Field(about.description, wanted.timeline, _OF[about.kind], wanted.units.get(name, about.units))


def _tell(piece: Piece, sound: Any, troubles: Troubles, time: str) -> None:
    flat = _flat(piece.time)
    for row in np.flatnonzero(~sound).tolist():
        if not flat[row].is_valid and not any(_flat(each)[row].is_valid for each in piece.columns.values()):
            continue  # an empty line
        troubles.row(int(piece.lines[row]), f"{time} is {flat[row].as_py()!r:.60}, which is no time")


def _flat(values: Any) -> Any:
    return values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
