"""`sisock export`: samples as files, whatever their number."""

import errno
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sisock import extras
from sisock.cli import completing
from sisock.cli.asking import ask, check_fields
from sisock.cli.failures import Failure, code_of
from sisock.cli.kinds import kind_of
from sisock.cli.moments import span
from sisock.cli.options import CLIENT, with_settings
from sisock.errors import ConsumerError
from sisock.exits import Exit
from sisock.settings import Settings
from sisock.times import NS, parse_duration
from sisock.uris import fields_of

if TYPE_CHECKING:
    from sisock.consumer import Consumer
    from sisock.export.checking import Counted
    from sisock.export.job import Job, Table
    from sisock.export.ordering import Reduced
    from sisock.export.part import Part
    from sisock.frames import Field

KINDS = ("csv", "parquet", "arrow", "hdf5")
METHODS = ["minmax", "m4", "band", "mean", "first", "last", "count", "std", "stride"]  # lttb looks at all at once
_NEEDS = {"parquet": ["pyarrow"], "arrow": ["pyarrow"], "hdf5": ["h5py", "pyarrow"]}
_FULL = (errno.ENOSPC, errno.EDQUOT)
_STEPS = 1000  # of the progress bar


@click.command(
    epilog="Exit codes: 1 not all was written, 2 a time or target cannot be read, 3 no such node or field, "
    "4 no hub or no answer, 130 ended by Ctrl-C."
)
@click.argument("targets", nargs=-1, required=True, metavar="NODE|NODE::FIELD...", shell_complete=completing.targets)
@click.option("--last", metavar="TIME", help="So long until now: 90s, 15m, 1h, 2d, all. Default: 1h.")
@click.option("--start", metavar="WHEN", help="From this time: 2017-07-14T00:00Z, 2017, now-2d, UNIX seconds.")
@click.option("--end", metavar="WHEN", help="Until before this time. Default: now.")
@click.option("--format", "kind", type=click.Choice(KINDS), help="Default: what the name of FILE says.")
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), required=True, metavar="FILE")
@click.option("--overwrite", is_flag=True, help="Replace files that are there.")
@click.option("--times", type=click.Choice(["iso", "ns"]), default="iso", help="How CSV says times. Default: iso.")
@click.option("--points", type=click.IntRange(1), metavar="N", help="At most so many points a field. Default: all.")
@click.option("--bin", "width", metavar="TIME", help="A point, or as many as --reduce makes, for each so long: 1m, 1h.")
@click.option("--reduce", "method", type=click.Choice(METHODS), help="How these are chosen. Default: minmax.")
@with_settings("message_limit", *CLIENT)
def export(
    settings: Settings,
    *,
    targets: tuple[str, ...],
    last: str | None,
    start: str | None,
    end: str | None,
    kind: str | None,
    output: Path,
    overwrite: bool,
    times: str,
    points: int | None,
    width: str | None,
    method: str | None,
) -> None:
    """Write samples of nodes, all their fields or those named, into a file for each timeline.

    Any number of samples, in little memory. What is interrupted goes on with the same command. In the
    end the node counts the same range, and what differs is told. FILE is the file of a single
    timeline; for several it is FILE-TIMELINE, for several nodes FILE-NODE-TIMELINE. NODE means its
    fields without its health. A missing value is a null (nothing in CSV), which NaN is not.

      sisock export weather::seattle/temp_max --last all --output seattle.csv
      sisock export host --last 7d --output host.parquet
      sisock export weather --start 2014-01-01 --bin 1d --reduce band --output weather.h5
    """
    from sisock.export.job import target_of

    how = _reduced(points, width, method)
    kind = kind_of(output, kind, KINDS)
    _prepare(kind)
    output = target_of(output)
    if not output.parent.is_dir():
        raise Failure(f"there is no folder {output.parent}: make it first", Exit.USAGE)
    wanted, whole = fields_of(targets), span(last, start, end)
    asked = {"targets": targets, "last": last, "start": start, "end": end, "format": kind, "times": times,
             "points": points, "bin": width, "reduce": method}  # fmt: skip
    with _resumable(output), ExitStack() as stack:
        job = _begin(output, kind, times, asked)
        parts: list[Part] = []

        async def work(consumer: "Consumer") -> "list[Counted]":
            if not job.tables:
                job.tables = await _order(consumer, wanted, whole, how, output)
                _spare([] if overwrite else [table.path for table in job.tables])
            parts.extend(_open(job, stack))
            return await _copy(consumer, job, parts, settings.message_limit)

        counted = ask(settings, work)
        _finish(job, parts)
    _report(job, counted)


def _reduced(points: int | None, width: str | None, method: str | None) -> "Reduced | None":
    """How samples are to be reduced; None for not at all."""
    from sisock.export.ordering import Reduced
    from sisock.reduction import MOST_POINTS

    if points and width:
        raise click.UsageError("--points does not go together with --bin: give one or the other")
    if points and points > MOST_POINTS:
        raise click.UsageError(
            f"--points {points} is too many: give {MOST_POINTS} at the most, or none for all samples"
        )
    if not points and not width:
        if method:
            raise click.UsageError("--reduce needs --points or --bin: say to how many")
        return None
    return Reduced(method or "minmax", points, None if width is None else max(1, round(parse_duration(width) * NS)))


def _prepare(kind: str) -> None:
    """Raise Failure where a library is missing."""
    missing = [each for each in _NEEDS.get(kind, ()) if find_spec(each) is None]
    if missing:
        extra = "hdf5" if kind == "hdf5" else "parquet"
        raise Failure(f"{kind} needs {' and '.join(missing)}: {extras.command(extra)}")
    if kind in _NEEDS:
        import pyarrow as pa

        pa.set_memory_pool(pa.system_memory_pool())  # its own keeps 50 MB and more of what was freed
        pa.set_cpu_count(1)  # so does each of its threads


@contextmanager
def _resumable(output: Path) -> Iterator[None]:
    """Say, where it ends early, that it can be gone on with."""
    from sisock.export.job import state_of
    from sisock.export.part import PartError

    try:
        yield
    except PartError as error:
        raise Failure(str(error)) from error
    except ConsumerError as error:
        more = "; the same command goes on from here" if state_of(output).exists() else ""
        raise Failure(f"{error}{more}", code_of(error)) from error
    except OSError as error:
        raise Failure(_refused(output, error)) from error
    except KeyboardInterrupt:
        if state_of(output).exists():
            click.echo(f"\nsisock: {output}: interrupted; the same command goes on from here", err=True)
        raise


def _refused(output: Path, error: OSError) -> str:
    """Why files cannot be written, and what the same command does with what was copied."""
    from sisock.export.job import state_of

    why = f"{error.filename or output}: {error.strerror or error}"
    kept, full = state_of(output).exists(), error.errno in _FULL
    if not kept and not full:
        return why
    return (
        f"{why}{': make room, and' if full else ';'} the same command {'goes on from here' if kept else 'begins anew'}"
    )


def _begin(output: Path, kind: str, times: str, asked: dict[str, Any]) -> "Job":
    """The export of the same that was interrupted, or a new one."""
    from sisock.export.finishing import settle
    from sisock.export.job import Job, unfinished

    job = unfinished(output, asked)
    if job is not None:
        settle(job)
        click.echo(f"sisock: {output}: goes on with what was begun", err=True)
    return job or Job(output, kind, times, asked, [])


async def _order(
    consumer: "Consumer",
    wanted: "dict[str, list[str] | None]",
    whole: tuple[float, float],
    how: "Reduced | None",
    output: Path,
) -> "list[Table]":
    """The tables of a new export. Raises Failure for an unknown field."""
    from sisock.export.ordering import tables
    from sisock.nodes import health

    fields: dict[str, dict[str, Field]] = {}
    for node, names in wanted.items():
        known, _ = await consumer.fields(node)
        check_fields(node, names or (), known)
        fields[node] = {name: known[name] for name in names or known if names or name not in health.FIELDS}
    return await tables(consumer, fields, whole, how, output)


def _spare(paths: list[Path]) -> None:
    """Raise Failure for the first file that is there."""
    for path in paths:
        if path.exists():
            raise Failure(f"{path} is there already: choose another name, or give --overwrite", Exit.USAGE)


def _open(job: "Job", stack: ExitStack) -> "list[Part]":
    """The parts of the tables that are not finished, held until the stack ends."""
    from sisock.export.part import Part

    return [stack.enter_context(Part(table.part, table.bytes)) for table in job.unfinished]


async def _copy(consumer: "Consumer", job: "Job", parts: "list[Part]", limit: int) -> "list[Counted]":
    """Copy all samples, and have them counted."""
    from sisock.export.checking import count
    from sisock.export.copying import copy

    with _bar("copying") as progress:
        for table, part in zip(job.unfinished, parts, strict=True):
            await copy(consumer, job, table, part, limit, lambda: progress(job.share, job.rows))
    return [await count(consumer, table) for table in job.unfinished]


def _finish(job: "Job", parts: "list[Part]") -> None:
    """Put the files in their places."""
    from sisock.export.finishing import finish

    for table, part in zip(job.unfinished, parts, strict=True):
        with _bar(f"writing {table.path.name}") as progress:
            finish(job, table, part, lambda share, rows=table.rows: progress(share, rows))  # type: ignore[misc]
    job.forget()


def _report(job: "Job", counted: "list[Counted]") -> None:
    for table in job.tables:
        fields = f"{len(table.fields)} field{'s' * (len(table.fields) != 1)}"
        made = f", {table.method} of {table.samples:,} samples" if table.method else ""
        click.echo(f"{table.path}: {table.rows:,} rows of {fields}{made}")
    for notice in dict.fromkeys(each for table in job.tables for each in table.notices):
        click.echo(f"sisock: {notice}", err=True)
    differing = [each.difference for each in counted if each.difference]
    for sentence in differing:
        click.echo(f"sisock: {sentence}", err=True)
    if differing:
        sys.exit(Exit.ERROR)
    exact = all(each.exact for each in counted)
    click.echo("counted again, the same" if exact else "counted again, no more than were written")


@contextmanager
def _bar(label: str) -> Iterator[Callable[[float, int], None]]:
    """A progress bar on a terminal; what comes back tells it the share that is done, and the rows."""
    if not sys.stderr.isatty():
        yield lambda share, rows: None
        return
    with click.progressbar(length=_STEPS, label=label, file=sys.stderr, item_show_func=lambda rows: rows) as bar:
        yield lambda share, rows: bar.update(max(0, round(share * _STEPS) - bar.pos), f"{rows:,} rows")
