"""`sisock recover`: what loggers wrote while nobody listened, into an archive."""

import difflib
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sisock import extras
from sisock.cli import completing
from sisock.cli.failures import Failure
from sisock.cli.moments import moment
from sisock.cli.options import with_settings
from sisock.cli.taking import Taken, bar, take, unit
from sisock.exits import Exit
from sisock.parsers.logs import FORMATS
from sisock.parsers.moments import zone_of
from sisock.settings import Settings
from sisock.uris import check_field, check_node

if TYPE_CHECKING:
    from sisock.imports.recovering import Recovered, Wanted
    from sisock.store.quarantine import Refused


@click.command(
    epilog="Exit codes: 1 a log could not be read or taken, or nothing was in it, 2 a name or option cannot be, "
    "130 ended by Ctrl-C."
)
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, dir_okay=False), metavar="FILE...")
@click.option("--node", required=True, metavar="NAME", shell_complete=completing.nodes, help="Whose samples they are.")
@click.option("--timeline", default="samples", metavar="NAME", help="On which timeline. Default: samples.")
@click.option("--since", metavar="WHEN", help="From this time: 2017-07-14T00:00Z, 2017, now-2d, UNIX seconds.")
@click.option("--until", metavar="WHEN", help="Until before this time.")
@click.option("--format", "form", type=click.Choice(FORMATS), help="Default: what its first lines look like.")
@click.option("--zone", default="UTC", metavar="ZONE", help="Of times that name none, as Europe/London. Default: UTC.")
@click.option("--time", metavar="NAME", help="The name of the time in json and csv. Default: the usual one.")
@click.option("--field", "fields", multiple=True, metavar="NAME=UNIT", help="The unit of a field; may be repeated.")
@click.option("--archive", type=click.Path(path_type=Path, file_okay=False), metavar="DIR",
              help="The archive's folder. Default: archive in the state directory.")  # fmt: skip
@with_settings("state")
def recover(
    settings: Settings,
    *,
    files: tuple[Path, ...],
    node: str,
    timeline: str,
    since: str | None,
    until: str | None,
    form: str | None,
    zone: str,
    time: str | None,
    fields: tuple[str, ...],
    archive: Path | None,
) -> None:
    """Put the samples of logs into an archive, garbage and torn lines or not.

    Formats: log (lines that begin with a time), ma (of these only what stands behind `data: `), json
    (an object in each line), csv. All that can be read is recovered, once: the same log again changes
    nothing, and what is interrupted goes on with the same command. What cannot be read goes into
    quarantine, with the reason. A part of a large log is found by halving it.

      sisock recover temperature.log --node freezer --field temp=°C
      sisock recover *.log --node freezer --since 2026-01-01 --until 2026-01-03T12:00 --zone Europe/London
      sisock quarantine freezer
    """
    from sisock.imports.recovering import Wanted

    try:
        check_node(node)
        check_field(timeline, "timeline")
        zone_of(zone)
        start, end = _ns(since), _ns(until)
    except ValueError as error:
        raise Failure(str(error), Exit.USAGE) from error
    if start is not None and end is not None and start >= end:
        raise Failure(f"--since {since} is not before --until {until}", Exit.USAGE)
    if find_spec("pyarrow") is None:
        raise Failure(f"recover needs pyarrow: {extras.command('archive')}")
    wanted = Wanted(node, timeline, dict(map(unit, fields)), form or "", zone, time or "", start, end)
    place = archive or settings.state / "archive"
    paths = dict.fromkeys(files)
    found = {path: each for path in paths if (each := _read(path, wanted, place, settings.state))}
    whole = _take(found, wanted, place)
    _tell_unmet(found, wanted)
    if not whole or len(found) < len(paths) or not any(each.rows for each in found.values()):
        sys.exit(Exit.ERROR)


def _ns(text: str | None) -> int | None:
    from sisock import times

    return None if text is None else times.moment(moment(text), time.time_ns())


def _read(path: Path, wanted: "Wanted", place: Path, state: Path) -> "Recovered | None":
    from sisock.imports.recovering import RecoverFailed, finish, recover
    from sisock.store import quarantine

    kept = quarantine.Quarantine(state, wanted.node)

    def fresh() -> None:
        quarantine.forget(state, wanted.node, str(path.absolute()))

    try:
        with bar(f"reading {path.name}") as progress:
            made = recover(path, wanted, place, kept, progress, fresh)
    except RecoverFailed as error:
        click.echo(f"sisock: {error}", err=True)
        return None
    except OSError as error:
        click.echo(f"sisock: {path}: {error.strerror or error}", err=True)
        return None
    parts = [f"{made.lines:,} line{'' if made.lines == 1 else 's'} with values"]
    parts += [f"{made.others:,} without data"] if made.others else []
    parts += [f"{made.unreadable:,} unreadable"] if made.unreadable else []
    click.echo(f"{path}: {', '.join(parts)}")
    if not made.rows:
        click.echo(f"sisock: {path}: nothing in it is recovered: {_why_nothing(made, wanted, kept.latest)}", err=True)
    if made.rows or not made.unreadable:
        return made
    finish(path, wanted, place)
    fresh()  # a file that is no log fills no quarantine
    return None


def _why_nothing(made: "Recovered", wanted: "Wanted", latest: "Refused | None") -> str:
    if made.unreadable:
        last = f", the last for this: {latest.reason}" if latest else ""
        return f"{made.unreadable:,} lines cannot be read{last}; if it is a log, say with --format and --time how"
    if made.others or (wanted.start is None and wanted.end is None):
        return f"it has {made.others:,} lines, and no values in them"
    return "it has no sample of that time"


def _tell_unmet(found: "dict[Path, Recovered]", wanted: "Wanted") -> None:
    """Tell of units for fields that no log has: they are mistyped, or of another log."""
    names = dict.fromkeys(name for each in found.values() for name in each.types)
    for name, units in wanted.units.items():
        if names and name not in names:
            near = difflib.get_close_matches(name, names, 1)
            cure = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(list(names)[:20])}"
            click.echo(f"sisock: --field {name}={units}: no line has the field {name!r}: {cure}", err=True)


def _take(found: "dict[Path, Recovered]", wanted: "Wanted", place: Path) -> bool:
    """Take what was read, and say what became of it; whether all was taken."""
    from sisock.imports.recovering import finish

    rows, unreadable = sum(each.rows for each in found.values()), sum(each.unreadable for each in found.values())
    taken = take(place)
    if taken.error:
        click.echo(f"sisock: {taken.error}", err=True)
        return False
    for path in found:
        finish(path, wanted, place)
    if found and taken.by_recorder:
        click.echo(f"{rows:,} samples are given to the recorder that has the archive {place}; it takes each once,")
        click.echo("and how many of them were there already is not known here, as it takes them later")
    elif found:
        recovered = _new(taken, {source for each in found.values() for source in each.sources})
        click.echo(f"{recovered:,} samples recovered, {rows - recovered:,} already there, {unreadable:,} unreadable")
    if unreadable:
        click.echo(f"what was unreadable, and why: sisock quarantine {wanted.node}")
    return not taken.refused and all(each.rows == each.file.rows for each in taken.files)


def _new(taken: Taken, ours: set[str]) -> int:
    """The samples that were not there before."""
    came = sum(each.rows - each.before for each in taken.files if each.file.source in ours)
    return max(0, came - taken.replaced)
