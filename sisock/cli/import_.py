"""`sisock import`: samples of files into an archive."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sisock import extras
from sisock.cli.failures import Failure
from sisock.cli.options import with_settings
from sisock.exits import Exit
from sisock.settings import Settings
from sisock.uris import check_field, check_node

if TYPE_CHECKING:
    from sisock.imports.converting import Converted, Wanted
    from sisock.store.archive import Archive

_STEPS = 1000


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
    wanted = Wanted(node, timeline, time, dict(map(_unit, fields)))
    place = archive or settings.state / "archive"
    whole = [_convert(path, wanted, place) for path in files]
    taken = _take(place)
    if not all(whole) or not taken:
        sys.exit(Exit.ERROR)


def _unit(text: str) -> tuple[str, str]:
    name, given, unit = text.rpartition("=")
    if not given:
        raise click.UsageError(f"--field {text} gives no unit: write --field NAME=UNIT")
    return name, unit


def _convert(path: Path, wanted: "Wanted", place: Path) -> bool:
    """Whether all of the file could be read."""
    from sisock.imports.converting import ImportFailed, convert

    try:
        with _bar(f"reading {path.name}") as progress:
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
    from sisock.program import keep_many_open
    from sisock.store.archive import Archive
    from sisock.store.incoming import Incoming, IncomingError
    from sisock.store.opening import InUseError

    keep_many_open()
    done: dict[Path, tuple[Incoming, int]] = {}
    known: dict[Path, int] = {}  # rows that were taken before
    try:
        with Archive(place) as archive:
            before = _counts(archive)
            with _bar("taking") as progress:
                for step in archive.take_incoming():
                    known.setdefault(step.file.path, step.done)
                    done[step.file.path] = step.file, step.done
                    progress(step.done / max(1, step.file.rows))
            after = _counts(archive)
    except InUseError:
        click.echo(f"a recorder has the archive {place}: it takes what lies in incoming there")
        return True
    except IncomingError as error:
        click.echo(f"sisock: {error}", err=True)
        return False
    for file, rows in done.values():
        if rows and known[file.path] == file.rows:
            click.echo(f"{file.node} {file.timeline}: nothing new: all of it is there already")
            continue
        told = "all rows taken" if rows == file.rows else f"only {rows:,} of {file.rows:,} rows taken"
        click.echo(f"{file.node} {file.timeline}: {rows:,} of {file.rows:,} rows, {told}")
    more = {what: after.get(what, 0) - before.get(what, 0) for what in after}
    said = {
        "replaced": "replaced by a later one at the same time",
        "refused": "refused: no clock can mean such a time, or only bins are kept of it",
    }
    for what, sentence in said.items():
        if more.get(what):
            click.echo(f"{more[what]:,} samples {sentence}")
    return not more.get("refused") and all(rows == file.rows for file, rows in done.values())


def _counts(archive: "Archive") -> dict[str, int]:
    counts: dict[str, int] = {}
    for series in archive.timelines():
        for what, count in series.counts.items():
            counts[what] = counts.get(what, 0) + count
    return counts


@contextmanager
def _bar(label: str) -> Iterator[Callable[[float], None]]:
    """A progress bar on a terminal; what comes back tells it the share that is done."""
    if not sys.stderr.isatty():
        yield lambda share: None
        return
    with click.progressbar(length=_STEPS, label=label, file=sys.stderr) as bar:
        yield lambda share: bar.update(max(0, round(share * _STEPS) - bar.pos))
