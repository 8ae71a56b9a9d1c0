"""`sisock settings`: every setting, what it is now and what it means."""

from pathlib import Path

import click

from sisock.cli.options import described
from sisock.settings import read


@click.command()
def settings() -> None:
    """Show every setting, what it is now and what it means.

    Each is read from the variable shown; options of commands come before it.

    SISOCK_RING=1000000 sisock settings
    """
    now = read()
    for each in described().values():
        value, default = getattr(now, each.name), each.default
        changed = value != default and not (each.name == "state" and default == Path())
        was = f"  (default {_shown(default)})" if changed else ""
        click.echo(f"{'SISOCK_' + each.name.upper():<26} {_shown(value)}{was}")
        click.echo(f"{'':<26} {each.comment}")


def _shown(value: object) -> str:
    return str(value) if value not in ("", None) else "–"
