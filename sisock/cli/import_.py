"""`sisock import`: samples of files into an archive."""

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sisock import extras
from sisock.cli.failures import Failure
from sisock.cli.options import with_settings
from sisock.cli.taking import bar, take, unit
from sisock.exits import Exit
from sisock.settings import Settings
from sisock.uris import check_field, check_node

if TYPE_CHECKING:
    from sisock.imports.converting import Converted, Wanted


@click.command(
    "import",
    epilog="Exit codes: 1 not all could be read or taken, 2 a name or option cannot be, 130 ended by Ctrl-C.",
)
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, dir_okay=False), metavar="FILE...")
@click.option("--node", required=True, metavar="NAME", help="Whose samples they are.")
@click.option("--timeline", default="samples", metavar="NAME", help="On which timeline. Default: samples.")
@click.option("--time", metavar="COLUMN", help="The column that is the time. Default: the one that looks like it.")
@click.option("--field", "fields", multiple=True, metavar="NAME=UNIT", help="The unit of a field; may be repeated.")
@click.option("--archive", type=click.Path(path_type=Path, file_okay=False), metavar="DIR",
              help="The archive's folder. Default: archive in the state directory.")  # fmt: skip
@with_settings("state")
def import_(
    settings: Settings,
    *,
    files: tuple[Path, ...],
    node: str,
    timeline: str,
    time: str | None,
    fields: tuple[str, ...],
    archive: Path | None,
) -> None:
    """Put samples of files into an archive: CSV, Parquet, Arrow or HDF5, of any size.

    A file is read in pieces, checked, and put into the archive's folder `incoming`; a recorder that
    runs takes it from there, without one this command does. The same file again changes nothing, and
    what is interrupted goes on with the same command. Of samples at the same time the later wins.
    What cannot be read is told with its line and left out.

      sisock import seattle.csv --node weather --timeline seattle --field temp_max=°C
      sisock import run7.h5 --node cryostat --time t
    """
    from sisock.imports.converting import Wanted

    try:
        check_node(node)
        check_field(timeline, "timeline")
    except ValueError as error:
        raise Failure(str(error), Exit.USAGE) from error
    if find_spec("pyarrow") is None:
        raise Failure(f"import needs pyarrow: {extras.command('archive')}")
    wanted = Wanted(node, timeline, time, dict(map(unit, fields)))
    place = archive or settings.state / "archive"
    whole = [_convert(path, wanted, place) for path in files]
    taken = _take(place)
    if not all(whole) or not taken:
        sys.exit(Exit.ERROR)


def _convert(path: Path, wanted: "Wanted", place: Path) -> bool:
    """Whether all of the file could be read."""
    from sisock.imports.converting import ImportFailed, convert

    try:
        with bar(f"reading {path.name}") as progress:
            made = convert(path, wanted, place, progress)
    except ImportFailed as error:
        click.echo(f"sisock: {error}", err=True)
        return False
    except OSError as error:
        click.echo(f"sisock: {path}: {error.strerror or error}", err=True)
        return False
    _report(path, made)
    return not (made.troubles.rows or made.troubles.cells or made.troubles.letters)


def _report(path: Path, made: "Converted") -> None:
    troubles = made.troubles
    for line, sentence in sorted(troubles.told):
        click.echo(f"sisock: {path}, line {line}: {sentence}", err=True)
    parts = [f"{made.rows:,} rows read"]
    parts += [f"{troubles.rows:,} left out"] if troubles.rows else []
    parts += [f"{troubles.cells:,} cells without a value that can be read"] if troubles.cells else []
    parts += [f"{troubles.letters:,} lines with letters that cannot be read"] if troubles.letters else []
    parts += [f"{troubles.joined:,} lines within a text in quotes that began before them"] if troubles.joined else []
    parts += [f"{made.disordered:,} times earlier than the row before"] if made.disordered else []
    click.echo(f"{path}: {', '.join(parts)}")


def _take(place: Path) -> bool:
    """Take what is there, unless a recorder does; whether all was."""
    taken = take(place)
    if taken.by_recorder:
        click.echo(f"a recorder has the archive {place}: it takes what lies in incoming there")
        return True
    if taken.error:
        click.echo(f"sisock: {taken.error}", err=True)
        return False
    for file, rows, before in taken.files:
        if rows and before == file.rows:
            click.echo(f"{file.node} {file.timeline}: nothing new: all of it is there already")
            continue
        told = "all rows taken" if rows == file.rows else f"only {rows:,} of {file.rows:,} rows taken"
        click.echo(f"{file.node} {file.timeline}: {rows:,} of {file.rows:,} rows, {told}")
    if taken.replaced:
        click.echo(f"{taken.replaced:,} samples replaced by a later one at the same time")
    if taken.refused:
        click.echo(f"{taken.refused:,} samples refused: no clock can mean such a time, or only bins are kept of it")
    return not taken.refused and all(file.rows == rows for file, rows, _ in taken.files)
