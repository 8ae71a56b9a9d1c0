"""`sisock quarantine`: what came in and could not be taken, and why."""

import sqlite3
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sisock.cli.failures import Failure
from sisock.cli.options import with_settings
from sisock.exits import Exit
from sisock.printable import printable, to_json
from sisock.settings import Settings, read
from sisock.times import NS

if TYPE_CHECKING:
    from sisock.store.quarantine import Count, Refused

_WIDTH = 60  # characters of a payload in the list


def _complete(context: click.Context, _parameter: click.Parameter, begun: str) -> list[str]:
    from sisock.store.quarantine import names

    return [name for name in names(context.params.get("state") or read().state) if name.startswith(begun)]


@click.command(epilog="Exit codes: 3 there is no such node, or no such number, in quarantine.")
@click.argument("nodes", nargs=-1, metavar="[NODE]...", shell_complete=_complete)
@click.option("--last", default=10, show_default=True, type=click.IntRange(0, 100_000), help="How many of each node.")
@click.option("--payload", metavar="ID", type=int, help="Write what came in, as far as it is kept, to stdout.")
@click.option("--clear", is_flag=True, help="Forget them, once the cause is mended.")
@click.option("--json", "as_json", is_flag=True, help="As JSON, with all that is known.")
@with_settings("state")
def quarantine(
    settings: Settings, nodes: tuple[str, ...], last: int, payload: int | None, clear: bool, as_json: bool
) -> None:
    """Show what the nodes of this machine received and could not take, and why.

    Nothing that comes in is dropped without a trace: it is counted by source and reason, and the
    latest of it is kept, in the state directory of the machine on which the node runs.

      sisock quarantine                       all nodes
      sisock quarantine coap --last 100
      sisock quarantine coap --payload 17 | xxd
      sisock quarantine coap --clear
    """
    from sisock.store import quarantine as kept

    try:
        chosen = _chosen(settings.state, nodes)
        if payload is not None:
            _write(settings.state, chosen, payload)
        elif clear:
            for name in chosen:
                kept.clear(settings.state, name)
        elif as_json:
            found = {name: _as_dict(settings.state, name, last) for name in chosen}
            click.echo(to_json(found, 1))
        else:
            for name in chosen:
                _show(name, kept.counts(settings.state, name), kept.latest(settings.state, name, last))
            if not chosen:
                click.echo("nothing is in quarantine")
    except BrokenPipeError:
        raise
    except (OSError, sqlite3.Error) as error:
        raise Failure(f"the quarantine in {settings.state} cannot be read: {error}", Exit.ERROR) from error


def _chosen(state: Path, nodes: tuple[str, ...]) -> list[str]:
    from sisock.store.quarantine import names

    there = names(state)
    for name in nodes:
        if name not in there:
            known = f": there is {', '.join(there)}" if there else f" in {state}"
            raise Failure(f"nothing of {name!r:.80} is in quarantine{known}", Exit.UNKNOWN)
    return list(nodes) or there


def _write(state: Path, nodes: list[str], number: int) -> None:
    from sisock.store.quarantine import one

    if len(nodes) != 1:
        raise click.UsageError("--payload is of one node: name it")
    found = one(state, nodes[0], number)
    if found is None:
        raise Failure(f"{nodes[0]} has no number {number} in quarantine (any more)", Exit.UNKNOWN)
    if found.size > len(found.payload):
        click.echo(f"these are the first {len(found.payload)} of {found.size} bytes", err=True)
    sys.stdout.buffer.write(found.payload)


def _show(name: str, counts: "list[Count]", refused: "list[Refused]") -> None:
    total = sum(each.n for each in counts)
    click.echo(f"{name}: {total:,} refused")
    for each in counts:
        click.echo(f"  {each.n:>9,} × {_from(each.source)}{each.reason}  ({_said(each.first)} – {_said(each.last)})")
    if refused:
        click.echo("  the latest:")
    for one in refused:
        came = f": {_beginning(one.payload)}" if one.payload else ""
        click.echo(f"  {one.id:>9} {_said(one.t)}  {_from(one.source)}{one.reason}{came}")


def _from(source: str) -> str:
    return f"{source}: " if source else ""


def _said(t: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(t // NS)) + "Z"


def _beginning(payload: bytes) -> str:
    """What can be shown of it in a line."""
    text = payload[:_WIDTH].decode("utf-8", "backslashreplace")
    shown = printable(text)
    return f"{shown}…" if len(payload) > _WIDTH else shown


def _as_dict(state: Path, name: str, last: int) -> dict[str, Any]:
    from sisock.store import quarantine as kept

    return {
        "counts": [each._asdict() for each in kept.counts(state, name)],
        "latest": [
            {**each._asdict(), "payload": each.payload.decode("utf-8", "backslashreplace")}
            for each in kept.latest(state, name, last)
        ],
    }
