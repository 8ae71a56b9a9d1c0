"""`sisock principal`: who may sign in."""

import json
from typing import Any

import click

from sisock.cli.failures import Failure, Sentences
from sisock.cli.options import with_settings
from sisock.exits import Exit
from sisock.settings import Settings


@click.group(cls=Sentences)
def principal() -> None:
    """Admit, list and dismiss who may sign in.

    A running hub takes it up within seconds.
    """


@principal.command()
@click.argument("name")
@click.option("--role", type=click.Choice(["data_node", "consumer", "recorder"]), required=True)
@click.option("--key", metavar="HEX", help="Its public key, 64 hex digits; `sisock init` on its machine shows it.")
@click.option("--wampcra-secret", metavar="FILE", help="File with the secret of an existing WAMP-CRA client.")
@click.option("--names", metavar="A,B", help="Data nodes it may be; default: its own name.")
@click.option("--nodes", metavar="PATTERN,…", help="Data nodes a consumer may see, as in 'lab-*'; default: all.")
@click.option("--sensitive", is_flag=True, help="A data node: is shown to few. A consumer: is one of these.")
@with_settings("state")
def add(
    settings: Settings,
    *,
    name: str,
    role: str,
    key: str | None,
    wampcra_secret: str | None,
    names: str | None,
    nodes: str | None,
    sensitive: bool,
) -> None:
    """Admit NAME: a node of another machine by its public key, an existing client by its secret.

    sisock principal add attic --role data_node --key 3f6a…
    sisock principal add server --role data_node --wampcra-secret server.txt --names weather,apex
    """
    from sisock.keys import ensure_principal

    if not (key or wampcra_secret):
        raise click.UsageError("give what it signs in with: --key HEX, or --wampcra-secret FILE")
    more: dict[str, Any] = {"sensitive": True} if sensitive else {}
    if wampcra_secret:
        more["wampcra"] = {"secret_file": wampcra_secret}
    more |= {entry: text.split(",") for entry, text in (("names", names), ("nodes", nodes)) if text}
    ensure_principal(settings.state, name, role, key, **more)
    click.echo(f"{name} may sign in as {role}")


@principal.command("ls")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@with_settings("state")
def ls(settings: Settings, as_json: bool) -> None:
    """List who may sign in.

    sisock principal ls
    """
    from sisock.keys import compile_policy

    principals = compile_policy(settings.state)["principals"]
    if as_json:
        click.echo(json.dumps(principals, indent=1))
        return
    for name, entry in principals.items():
        by = "secret" if "wampcra" in entry else "key" if entry["keys"] else "token"
        notes = ["sensitive"] * bool(entry.get("sensitive")) + [
            f"{what}: {', '.join(entry[what])}" for what in ("names", "nodes") if what in entry
        ]
        click.echo(f"{name:<16} {entry['role']:<10} by {by:<7} {'; '.join(notes)}".rstrip())


@principal.command()
@click.argument("name")
@with_settings("state")
def rm(settings: Settings, name: str) -> None:
    """Dismiss NAME: it cannot sign in again.

    sisock principal rm attic
    """
    from sisock.uris import check_node

    path = settings.state / "principals" / f"{check_node(name)}.json"
    if not path.exists():
        raise Failure(f"there is no principal {name!r}: `sisock principal ls` lists them", Exit.UNKNOWN)
    path.unlink()
    click.echo(f"{name} cannot sign in any more")
