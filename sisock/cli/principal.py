"""`sisock principal`: who may sign in, how, and what each may."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from sisock.cli import completing
from sisock.cli.failures import Failure, Sentences
from sisock.cli.invite import dismiss, taken
from sisock.cli.options import with_settings
from sisock.cli.patterns import tell_idle
from sisock.exits import Exit
from sisock.settings import Settings
from sisock.times import parse_duration

_LISTS = ("names", "tags", "nodes", "switch", "hears", "tells")
_PEOPLE = ("viewer", "operator", "admin")
_MAY = {  # what each role may without its being said, and so is listed in any case
    **dict.fromkeys(("consumer", "recorder", "viewer"), ("nodes",)),
    **dict.fromkeys(("operator", "admin"), ("nodes", "switch")),
}


def _rights(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options by which rights are given."""
    for option in (
        click.option(
            "--sensitive/--no-sensitive", default=None, help="A data node: is shown to few. Others: are these."
        ),
        click.option("--switch", metavar="PATTERN,…", help="Data nodes an operator may command; default: all it sees."),
        click.option("--nodes", metavar="PATTERN,…", help="Data nodes it may see: 'lab-*', 'tag:cold'; default: all."),
        click.option(
            "--tells", metavar="ROOT,…", help="A data node: publishes OCS feeds of its names, ROOT.NAME.feeds.…"
        ),
        click.option("--hears", metavar="ROOT,…", help="A data node: hears all OCS feeds of 'observatory'."),
        click.option("--tags", metavar="A,B", help="A data node: words by which these patterns may name it."),
        click.option("--names", metavar="A,B", help="Data nodes it may be; default: its own name."),
    ):
        command = option(command)
    return command


@click.group(cls=Sentences)
def principal() -> None:
    """Admit, list and dismiss who may sign in.

    A running hub takes it up at once. Data nodes, recorders and consumers sign in with a key; viewers, who see, operators,
    who also command, and admins, who see all, are people and sign in with a password, or with a key; scripts and Grafana
    sign in with a token.
    """


@principal.command()
@click.argument("name")
@click.option("--role", type=click.Choice(["data_node", "consumer", "recorder", *_PEOPLE]), required=True)
@click.option("--key", metavar="HEX", help="Its public key, 64 hex digits; `sisock init` on its machine shows it.")
@click.option("--wampcra-secret", metavar="FILE", help="File with the secret of an existing WAMP-CRA client.")
@_rights
@with_settings("state")
def add(
    settings: Settings, *, name: str, role: str, key: str | None, wampcra_secret: str | None, **rights: Any
) -> None:
    """Admit NAME: a person by a password, a node of another machine by its public key, an existing client by its secret.

    A person's password is asked for, or read from standard input.

      sisock principal add ann --role operator --nodes 'freezer*' --switch freezer2
      sisock principal add attic --role data_node --key 3f6a…
      sisock principal add server --role data_node --wampcra-secret server.txt --names weather,apex
    """
    from sisock.keys.principals import alone, load_principal, save_principal

    _check(name, role, rights)
    person = role in _PEOPLE
    if not (key or wampcra_secret or person):
        raise click.UsageError("give what it signs in with: --key HEX, or --wampcra-secret FILE")
    if wampcra_secret and not Path(wampcra_secret).is_file():
        raise Failure(f"there is no file {wampcra_secret}: `openssl rand -hex 24 > {wampcra_secret}` makes a secret")
    _may_be_added(load_principal(settings.state, name), name, role)
    password = {"password": _password(name)} if person and not key else {}
    with alone(settings.state):
        before = load_principal(settings.state, name) or {"keys": []}
        _may_be_added(before, name, role)
        entry = {**before, "role": role, **_given(rights), **password}
        if key and key not in before["keys"]:
            entry["keys"] = [*before["keys"], key]
        if wampcra_secret:
            entry["wampcra"] = {"secret_file": str(Path(wampcra_secret).absolute())}
        save_principal(settings.state, name, entry)
    click.echo(f"{name} may sign in as {role}")
    tell_idle(settings.state, name, entry)


def _may_be_added(before: dict[str, Any] | None, name: str, role: str) -> None:
    """Raise Failure where somebody else has the name, or has all that could be added."""
    there = before or {}
    if there.get("role", role) != role:
        raise Failure(f"{name} is there as {there['role']}: choose another name, or `sisock principal set` its role")
    if "password" in there or "token" in there:
        raise Failure(f"{name} is there: `sisock principal set` and `sisock principal password` change what it has")


@principal.command("set")
@click.argument("name", shell_complete=completing.principals)
@click.option("--role", type=click.Choice(["data_node", "consumer", "recorder", *_PEOPLE]), help="Another role.")
@_rights
@with_settings("state")
def set_(settings: Settings, *, name: str, role: str | None, **rights: Any) -> None:
    """Change what NAME is and may; who loses something is signed out.

    sisock principal set ann --nodes 'freezer*,tag:cold' --switch freezer2
    sisock principal set freezer2 --tags cold,lab
    """
    from sisock.keys.principals import alone, save_principal

    changes = {**({"role": role} if role else {}), **_given(rights)}
    if not changes:
        raise click.UsageError("give what to change, as in --nodes 'freezer*'")
    with alone(settings.state):
        before = _there(settings, name)
        _check(name, role or before["role"], rights)
        save_principal(settings.state, name, entry := {**before, **changes})
    click.echo(f"{name}: {', '.join(changes)} changed")
    tell_idle(settings.state, name, entry)


@principal.command()
@click.argument("name", shell_complete=completing.principals)
@with_settings("state")
def password(settings: Settings, name: str) -> None:
    """Give the person NAME another password; it is asked for, or read from standard input.

    Where NAME is signed in by the old one, that ends.

      sisock principal password ann
    """
    from sisock.keys.principals import alone, save_principal

    role = _there(settings, name).get("role")
    if role not in _PEOPLE:
        raise Failure(f"{name} is no person, but a {role}: it signs in with a key")
    given = _password(name)
    with alone(settings.state):  # who was revoked while it was typed stays so
        save_principal(settings.state, name, {**_there(settings, name), "password": given})
    click.echo(f"{name} has another password")


@principal.command()
@click.argument("name", shell_complete=completing.principals)
@click.option("--role", type=click.Choice(_PEOPLE), help="What it may; default: viewer, or what it was.")
@click.option("--valid", default="90d", show_default=True, metavar="TIME", help="How long it is good.")
@click.option("--to", type=click.Path(path_type=Path), metavar="FILE", help="Write it there, for you alone to read.")
@_rights
@with_settings("state")
def token(settings: Settings, *, name: str, role: str | None, valid: str, to: Path | None, **rights: Any) -> None:
    """Print a token by which a script, or Grafana, signs in as NAME, for a while and with these rights only.

    It is shown once, when the router knows it: only its hash is kept. Once more for the same NAME it replaces the one before.
    Scripts find it by
    SISOCK_TOKEN=FILE; Grafana sends it to the bridge as 'Authorization: Bearer TOKEN'.

      sisock principal token grafana --nodes 'freezer*'
      sisock principal token nightly --valid 1d --to nightly.token
    """
    from sisock.keys.api_tokens import make
    from sisock.keys.files import write
    from sisock.keys.principals import alone, load_principal, save_principal

    made, kept = make(name, parse_duration(valid))
    with alone(settings.state):
        before = load_principal(settings.state, name) or {"role": "viewer", "keys": []}
        _check(name, role or before["role"], rights)
        if before.get("keys") or "password" in before or "wampcra" in before:
            raise Failure(f"{name} signs in otherwise already: choose another name for the token")
        chosen = {"role": role} if role else {}
        entry = {**before, **chosen, **_given(rights), "token": kept}
        save_principal(settings.state, name, entry)
    known = taken(settings.state, name)
    if to is None:
        click.echo(str(made))
    else:
        write(to, f"{made}\n")
        click.echo(f"the token of {name} is in {to}")
    tell_idle(settings.state, name, entry)
    if not known:
        raise Failure("this is the token, but the router does not know it yet: start the hub, or see what its log says")


@principal.command("ls")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@with_settings("state")
def ls(settings: Settings, as_json: bool) -> None:
    """List who may sign in, how, when each did so last, what it may, and who was refused in that name.

    Who is invited and has not come yet is listed under the name that it will have.

    sisock principal ls
    """
    from sisock.fleet.kept import read_seen, seen_file
    from sisock.fleet.refused import read_refused, refused_file
    from sisock.keys import compile_policy
    from sisock.keys.entry import parse
    from sisock.times import utc

    principals = compile_policy(settings.state)["principals"]
    seen = read_seen(seen_file(settings.state))
    refused = read_refused(refused_file(settings.state))
    if as_json:
        more = {
            name: {"seen": seen.get(name), "refused": refused[name]._asdict() if name in refused else None}
            for name in principals
        }
        shown = {name: {**_public(entry), **more[name]} for name, entry in principals.items()}
        click.echo(json.dumps(shown, indent=1))
        return
    for name, entry in principals.items():
        parsed = parse(name, entry)
        notes = [what for what in ("sensitive", "certificate") if entry.get(what)]
        may = _MAY.get(parsed.role, ())
        notes += [
            f"{what}: {', '.join(getattr(parsed, what)) or 'none'}" for what in _LISTS if what in entry or what in may
        ]
        if parsed.until is not None:
            notes.append(f"until {utc(parsed.until)[:16]}")
        if name in refused:
            times, at, why = refused[name]
            notes.append(f"refused {times} time{'' if times == 1 else 's'}, last {utc(at)[:16]}: {why}")
        last = f"{utc(seen[name])[:16]}" if name in seen else "never"
        who, role = (parsed.invites, "invited") if parsed.invites else (name, parsed.role)
        line = f"{who:<24} {role:<10} by {parsed.signs_in_by:<10} last {last:<16} {'; '.join(notes)}"
        click.echo(line.rstrip())


@principal.command()
@click.argument("name", shell_complete=completing.principals)
@with_settings("state")
def rm(settings: Settings, name: str) -> None:
    """Dismiss NAME, as `sisock revoke` does: its sessions end, and it cannot sign in again.

    A data node that is away is no longer listed then, unless a recorder keeps its past.

    sisock principal rm attic
    """
    dismiss(settings, name)


def _there(settings: Settings, name: str) -> dict[str, Any]:
    """The entry of a principal; Failure where there is none."""
    from sisock.keys.principals import load_principal

    entry = load_principal(settings.state, name)
    if entry is None:
        raise Failure(f"there is no principal {name!r}: `sisock principal ls` lists them", Exit.UNKNOWN)
    return entry


def _given(rights: dict[str, Any]) -> dict[str, Any]:
    """The rights that were given, as they stand in an entry."""
    given = {what: value for what, value in rights.items() if value is not None}
    return {
        what: [each for each in value.split(",") if each] if what in _LISTS else value for what, value in given.items()
    }


def _check(name: str, role: str, rights: dict[str, Any]) -> None:
    """Raise UsageError for rights that this role has no use for, and for names that are parts of sisock."""
    if name in ("hub", "page"):
        raise click.UsageError(f"{name} is a part of sisock: choose another name")
    fit = {
        "names": ("data_node", "recorder"),
        **dict.fromkeys(("tags", "hears", "tells"), ("data_node",)),
        "nodes": ("consumer", "recorder", *_PEOPLE),
        "switch": ("operator", "admin"),
        "sensitive": ("data_node", "consumer", "recorder", *_PEOPLE),
    }
    for what in _given(rights):
        if role not in fit[what]:
            raise click.UsageError(f"--{what} means nothing for a {role}: leave it out")


def _public(entry: dict[str, Any]) -> dict[str, Any]:
    """An entry without what is nobody's business."""
    return {what: True if what == "password" else value for what, value in entry.items()}


def _password(name: str) -> str:
    """The hash of a password: asked for twice, or the first line of standard input."""
    from sisock.keys.passwords import hashed

    asked = sys.stdin.isatty()
    given = click.prompt(f"password of {name}", hide_input=True, confirmation_prompt=True) if asked else ""
    return hashed(str(given) if asked else sys.stdin.readline().rstrip("\n"))
