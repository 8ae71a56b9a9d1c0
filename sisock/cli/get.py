"""`sisock get`: samples as a table, CSV, JSON or Parquet."""

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sisock.cli import completing
from sisock.cli.asking import ask
from sisock.cli.failures import Failure, code_of
from sisock.cli.kinds import kind_of
from sisock.cli.moments import span
from sisock.cli.options import CLIENT, with_settings
from sisock.exits import Exit
from sisock.printable import printable
from sisock.settings import Settings
from sisock.times import NS, parse_duration
from sisock.uris import fields_of

if TYPE_CHECKING:
    from sisock.cli.series import Series

KINDS = ("table", "csv", "json", "parquet")
METHODS = ["minmax", "m4", "band", "mean", "first", "last", "count", "std", "lttb", "stride"]


@click.command(epilog="Exit codes: 2 a time or target cannot be read, 3 no such node or field, 4 no hub or no answer.")
@click.argument("targets", nargs=-1, required=True, metavar="NODE|NODE::FIELD...", shell_complete=completing.targets)
@click.option("--last", metavar="TIME", help="So long until now: 90s, 15m, 1h, 2d, all. Default: 1h.")
@click.option("--start", metavar="WHEN", help="From this time: 2017-07-14T00:00Z, 2017, now-2d, UNIX seconds.")
@click.option("--end", metavar="WHEN", help="Until before this time. Default: now.")
@click.option(
    "--points", type=click.IntRange(1), metavar="N", help="At most so many points, no spike lost. Default: all."
)
@click.option("--bin", "width", metavar="TIME", help="A point, or as many as --reduce makes, for each so long: 1m, 1h.")
@click.option("--reduce", "method", type=click.Choice(METHODS), help="How these are chosen. Default: minmax.")
@click.option("--format", "kind", type=click.Choice(KINDS), help="Default: table, or what the name of FILE says.")
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Write into this file.")
@with_settings(*CLIENT)
def get(
    settings: Settings,
    *,
    targets: tuple[str, ...],
    last: str | None,
    start: str | None,
    end: str | None,
    points: int | None,
    width: str | None,
    method: str | None,
    kind: str | None,
    output: Path | None,
) -> None:
    """Get samples of fields, of several nodes at the same time.

    NODE means all its fields without its health, of a gateway its own figures last; a table that is wider than the terminal is laid out in several. A table and CSV tell NaN and inf from a missing value; JSON,
    which has neither, says null. How the values came about (reduced or not, from how many samples) is told on stderr. A node that
    does not answer costs its own columns only, and exit code 4.

      sisock get host::cpu
      sisock get weather::seattle/temp_max --last all --points 500 --format csv > seattle.csv
      sisock get weather::seattle/temp_max weather::new_york/temp_max --start 2014-07-01 --end 2014-07-15
      sisock get weather::seattle/temp_max --last all --bin 30d --reduce mean
      sisock get host --last 15m --output load.parquet
    """
    if points and width:
        raise click.UsageError("--points does not go together with --bin: give one or the other")
    if method and not points and not width:
        raise click.UsageError("--reduce needs --points or --bin: say to how many")
    from sisock.cli.series import Wanted, label, look

    kind = kind_of(output, kind, KINDS) if output else kind or "table"
    if kind == "parquet" and output is None and sys.stdout.isatty():
        raise click.UsageError("Parquet is not for the terminal: give --output FILE")
    bins = None if width is None else max(1, round(parse_duration(width) * NS))
    wanted = Wanted(fields_of(targets), *span(last, start, end), points, method, bins)
    series, errors, hints = ask(settings, lambda consumer: look(consumer, wanted, settings.deadline))
    most = shutil.get_terminal_size().columns if output is None and sys.stdout.isatty() else None
    _write(_formatted(series, kind, most), output)
    click.echo(printable("\n".join([label(series), *hints]), "\n"), err=True)
    for error in errors:
        click.echo(printable(f"sisock: {error}"), err=True)
    if errors:
        sys.exit(max(map(code_of, errors), default=Exit.OK))


def _formatted(series: "list[Series]", kind: str, most: int | None) -> bytes:
    from sisock.cli import formats

    if kind == "parquet":
        return formats.as_parquet(series)
    if kind == "json":
        return formats.as_json(series).encode()
    text = formats.as_csv(series) if kind == "csv" else formats.as_table(series, most)
    return text.encode()


def _write(content: bytes, output: Path | None) -> None:
    if output is None:
        sys.stdout.buffer.write(content)
        return
    try:
        output.write_bytes(content)
    except OSError as error:
        raise Failure(f"{output} cannot be written: {error.strerror}") from error
