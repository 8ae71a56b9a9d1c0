"""A table that is written becomes its file."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from sisock.durable import sync
from sisock.export import arrow, hdf5
from sisock.export.job import Job, Table
from sisock.export.part import Part, PartError
from sisock.times import utc


def finish(job: Job, table: Table, part: Part, progress: Callable[[float], None]) -> None:
    """Put the file in its place, whole and on disk; `progress` is told which share is done.

    Wherever it ends early, who goes on with the job finds the part, or that the table is finished.
    """
    if job.kind != "csv":
        whole = table.path.with_name(f"{part.path.name}.{job.kind}")
        rows = _convert(job, table, part, whole, progress)
        if rows != table.rows:
            raise PartError(
                f"{part.path} has {rows} rows instead of {table.rows}: delete it and its .json to begin anew"
            )
        sync(whole)
        whole.replace(table.path)
        sync(table.path.parent)
    table.finished = True
    job.save()
    settle(job)


def settle(job: Job) -> None:
    """See to it that tables noted as finished have no part: that of CSV is the file, any other is not needed any more."""
    for table in job.tables:
        if table.finished:
            with contextlib.suppress(FileNotFoundError):
                if job.kind == "csv":
                    table.part.replace(table.path)
                    sync(table.path.parent)
                else:
                    table.part.unlink()


def _convert(job: Job, table: Table, part: Part, whole: Path, progress: Callable[[float], None]) -> int:
    method = table.method or "raw"
    heads = [
        arrow.Head(table.target(name), table.field_of(name), method, table.kinds.get(name, ()))
        for name in table.columns
    ]
    about = {
        "node": table.node, "timeline": table.timeline, "method": method, "since": utc(table.start),
        "until": utc(table.end),
    }  # fmt: skip
    to = arrow.schema(heads, about)

    def chunks() -> Iterator[Any]:
        done = 0
        for chunk in part.chunks():
            samples = arrow.decode(chunk)
            renamed = samples.rename_columns(["time", *map(table.target, samples.column_names[1:])])
            yield arrow.conform(renamed, to)
            done += len(chunk)
            progress(done / max(1, table.bytes))

    if job.kind == "hdf5":
        return hdf5.write(whole, chunks(), heads)
    return arrow.write(whole, job.kind, chunks(), to)
