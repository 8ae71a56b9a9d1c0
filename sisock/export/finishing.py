"""A table that is written becomes its file."""

from collections.abc import Callable, Iterator
from typing import Any

from sisock.export import arrow, hdf5
from sisock.export.job import Job, Table
from sisock.export.part import Part
from sisock.times import utc


def finish(job: Job, table: Table, part: Part, progress: Callable[[float], None]) -> None:
    """Put the file in its place, whole; `progress` is told which share is done."""
    if job.kind == "csv":
        part.path.replace(table.path)
    else:
        whole = table.path.with_name(f"{part.path.name}.{job.kind}")
        rows = _convert(job, table, part, whole, progress)
        if rows != table.rows:
            raise OSError(f"{part.path} has {rows} rows instead of {table.rows}: delete it and its .json to begin anew")
        whole.replace(table.path)
        part.path.unlink()
    table.finished = True
    job.save()


def _convert(job: Job, table: Table, part: Part, whole: Any, progress: Callable[[float], None]) -> int:
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
