"""A file of others becomes one that an archive takes: checked, in Parquet, whole or not there at all."""

import hashlib
import json
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from sisock.formats.columns import KINDS, TYPES, About, as_kind
from sisock.formats.errors import NoTimeError, Troubles, UnreadableError, WiderError
from sisock.formats.moments import to_ns
from sisock.formats.table import Rows, Table, Terms, open_tables
from sisock.frames import Field
from sisock.store import incoming, parquet
from sisock.store.intake import EARLIEST, LATEST
from sisock.uris import JOINT, check_field

_TIME = pa.timestamp("ns", "UTC")
_READ = 2**22


class ImportFailed(Exception):
    """A file cannot be imported; says why, and the cure."""


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
    if not stat.S_ISREG(path.stat().st_mode):
        raise ImportFailed(f"{path} is no regular file: write what comes from it to one, and import that")
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
    table = _open(path, wanted, wider)
    names = _names(table, path)
    fields = {name: _field(table.titles[title], wanted, name) for title, name in names.items()}
    unknown = [name for name in wanted.units if name not in fields]
    if unknown:
        raise ImportFailed(f"{path} has no field {unknown[0]!r}: it has {', '.join(list(fields)[:20])}")
    kinds = {parquet.stored_name(name): TYPES[table.titles[title].kind] for title, name in names.items()}
    schema = pa.schema(
        [("time", _TIME), *kinds.items()], incoming.about(wanted.node, wanted.timeline, fields, source_id)
    )
    try:
        with pq.ParquetWriter(part, schema, compression="zstd", write_page_checksum=True) as writer:
            for samples, share in _samples(table, made, schema):
                writer.write_table(samples)
                progress(share)
    except (UnreadableError, pa.ArrowException) as error:
        raise ImportFailed(f"{path}: {error}") from error
    if not made.rows:
        first = f": {made.troubles.told[0][1]}" if made.troubles.told else ""
        raise ImportFailed(f"{path} has no row that can be read{first}")


def _open(path: Path, wanted: Wanted, wider: frozenset[str]) -> Table:
    try:
        tables = open_tables(path, Terms(wanted.time or "", wider=wider))
    except NoTimeError as error:
        raise ImportFailed(
            f"{path}: none of its columns is known as the time: name it with --time ({error.have})"
        ) from error
    except UnreadableError as error:
        raise ImportFailed(f"{path}: {error}") from error
    table = tables.get("") or next(iter(tables.values()))
    if "" not in tables and len(tables) > 1:
        raise ImportFailed(f"{path} has a time in each of {', '.join(list(tables)[:20])}: it needs one in its root")
    if wanted.time not in (None, table.time):
        raise ImportFailed(
            f"{path} has no column {wanted.time!r}: it has {', '.join([table.time, *table.titles][:20])}"
        )
    return table


def _samples(table: Table, made: Converted, schema: pa.Schema) -> Iterator[tuple[pa.Table, float]]:
    """What can be read, in pieces, and which share of the file is behind each; the rest is told."""
    line, last = table.first, None
    if table.heading:
        made.troubles.add(table.heading, 0)
    for rows, share in table.stream(list(table.titles)):
        t, known = to_ns(rows.time, table.unit)
        sound = known & (t >= EARLIEST) & (t < LATEST)
        if rows.troubles:
            made.troubles.add(rows.troubles, line)
        _tell(rows, known, sound, made.troubles, line, table.time)
        good = t[sound]
        made.disordered += int((np.diff(good) < 0).sum())
        if len(good):
            made.disordered += int(last is not None and good[0] < last)
            last = int(good[-1])
        columns = [as_kind(rows.columns[title], about.kind) for title, about in table.titles.items()]
        samples = pa.Table.from_arrays([pa.array(t, _TIME), *columns], schema=schema)
        made.rows += len(good)
        line += len(t) + len(rows.skipped) + (rows.troubles.joined if rows.troubles else 0)
        yield samples if sound.all() else samples.filter(pa.array(sound)), share


def _names(table: Table, path: Path) -> dict[str, str]:
    """The columns, and the fields they become: what an export calls NODE::FIELD is FIELD."""
    names = {title: title.rpartition(JOINT)[2] for title in table.titles}
    if not names:
        raise ImportFailed(f"{path} has a time but no column of values")
    for title, name in names.items():
        try:
            check_field(name)
        except ValueError as error:
            raise ImportFailed(f"{path}: the column {title!r} cannot be a field: {error}") from error
    if len(set(names.values())) < len(names):
        raise ImportFailed(f"{path} has columns of several nodes with the same names: import them apart")
    return names


def _field(about: About, wanted: Wanted, name: str) -> Field:
    return Field(about.description, wanted.timeline, KINDS[about.kind], wanted.units.get(name, about.units))


def _tell(rows: Rows, known: Any, sound: Any, troubles: Troubles, line: int, time: str) -> None:
    """Tell the rows whose times cannot be read or meant, the first of which has the number `line`, but for empty ones."""
    if sound.all():
        return
    lines = np.delete(np.arange(line, line + len(sound) + len(rows.skipped)), rows.skipped)
    for row in np.flatnonzero(~sound).tolist():
        if rows.time[row].is_valid or any(each[row].is_valid for each in rows.columns.values()):
            why = "no clock can mean: it has to be from 1900 to 2199" if known[row] else "is no time"
            troubles.row(int(lines[row]), f"{time} is {_shown(rows.time[row]):.60}, which {why}")


def _shown(time: pa.Scalar) -> str:
    """A time as it stands in the file, as its number where Python has no such date."""
    try:
        value = time.as_py()
    except (OverflowError, ValueError):
        return str(time.cast(pa.int64()).as_py())
    return repr(value) if isinstance(value, str) else str(value)
