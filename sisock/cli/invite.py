"""`sisock invite`, `sisock enroll` and `sisock revoke`: how machines come in, and go."""

import asyncio
import fcntl
import sys
import time
from pathlib import Path
from typing import Any

import click

from sisock.cli import completing
from sisock.cli.failures import Failure
from sisock.cli.link import for_others
from sisock.cli.options import with_settings
from sisock.cli.patterns import tell_idle
from sisock.exits import Exit
from sisock.parsing import from_json
from sisock.settings import Settings
from sisock.times import parse_duration

_TAKEN_WITHIN = 5.0  # seconds in which a running hub hands the router who is gone


@click.command()
@click.argument("name")
@click.option("--role", type=click.Choice(["data_node", "consumer", "recorder"]), help="Default: data_node.")
@click.option("--names", metavar="A,B", help="Data nodes it may be; default: its own name.")
@click.option("--nodes", metavar="PATTERN,…", help="Data nodes a consumer may see, as in 'lab-*'; default: all.")
@click.option("--sensitive", is_flag=True, help="A data node: is shown to few. A consumer: is one of these.")
@click.option("--certificate", is_flag=True, help="It has to have an RSA key and a certificate (enroll --key rsa4096).")
@click.option("--rekey", is_flag=True, help="Replace the key of a NAME that is there; what it may stays.")
@click.option("--valid", default="1h", show_default=True, metavar="TIME", help="How long it can be used.")
@click.option(
    "--at", metavar="HOST:PORT", help="Where the new machine reaches the router; default: as the router noted."
)
@with_settings("state")
def invite(settings: Settings, *, name: str, rekey: bool, valid: str, at: str | None, **given: Any) -> None:
    """Invite another machine to be NAME: print what to enter there.

    The invitation works once, and only for a while. It tells the machine where the router is and whom to trust; the
    machine makes its key itself, and only the public half leaves it. The router needs --tls-port for this.

      sisock invite attic
      sisock invite ann --role consumer --nodes 'freezer*' --valid 1d --at lab.example:8443
    """
    from sisock.keys.invitations import invite, sweep

    if not (settings.state / "keys" / "hub.key").is_file():
        raise Failure(f"{settings.state} is not where the hub is: run this on its machine, with its --state")
    chosen = {what: value for what, value in given.items() if value}
    if rekey and chosen:
        raise click.UsageError(f"--rekey leaves everything but the key as it is: without --{min(chosen)}")
    entry = {} if rekey else {"role": "data_node", **chosen}
    entry |= {what: entry[what].split(",") for what in ("names", "nodes") if what in entry}
    trusted = "" if settings.tls_certificate else _authority(settings.state / "ca" / "root.pem")
    sweep(settings.state)
    made = invite(settings.state, name, entry, at or for_others(settings), trusted, parse_duration(valid))
    known = taken(settings.state, made.principal)
    click.echo(f"on the new machine run `sisock enroll` within {valid}, and enter\n\n  {made}\n")
    if entry:
        tell_idle(settings.state, name, entry)
    if not known:
        raise Failure("this is the invitation, but the router does not know it yet: start the hub, or see its log")


def _authority(root: Path) -> str:
    """The fingerprint of the authority by which the new machine knows the router."""
    from sisock.keys.key import one_certificate

    if not root.is_file():
        raise Failure(
            f"there is no authority in {root.parent}: a router with --tls-port, or `sisock ca init`, makes it"
        )
    return one_certificate(root.read_text(encoding="ascii"))[1]


@click.command()
@click.argument("invitation", required=False)
@click.option(
    "--key",
    type=click.Choice(["ed25519", "rsa4096"]),
    default="ed25519",
    show_default=True,
    help="rsa4096: an RSA key and an X.509 certificate, too, shown at TLS.",
)
@with_settings("state")
def enroll(settings: Settings, invitation: str | None, key: str) -> None:
    """Let this machine in by an INVITATION that `sisock invite` printed.

    It is asked for, or read from standard input, where it is not given: others see arguments. Makes the key of this machine,
    and notes the router's address and authority in the state directory, so that `sisock node` and the other commands find
    them. A node, or a program of yours, signs in with that key; commands that ask, as `sisock ls`, need a token, which
    `sisock principal token` on the router's machine makes.

      sisock enroll
      sisock enroll --key rsa4096
      sisock node weather --name attic
      SISOCK_TOKEN=guest.token sisock ls
    """
    from sisock.enrolling import enroll
    from sisock.keys.invitations import read

    if invitation is None:
        asked = sys.stdin.isatty()
        invitation = click.prompt("invitation", hide_input=True) if asked else sys.stdin.readline()
    for name in ("router", "router_ca"):
        if getattr(settings, name):
            raise Failure(f"SISOCK_{name.upper()} is set, and would come before what is enrolled: unset it")
    given = read(str(invitation))
    found = asyncio.run(enroll(settings, given, click.echo, certificate=key == "rsa4096"))
    kept = settings.state / "keys" / f"{found.name}.key"
    click.echo(f"this machine is {found.name} at {found.router}; its key is {_short(kept)}")


@click.command()
@click.argument("name", shell_complete=completing.principals)
@with_settings("state")
def revoke(settings: Settings, name: str) -> None:
    """Take back what NAME may: its sessions end within a second, and it cannot sign in again.

    NAME is a principal of another machine, or whoever has been invited by that name and has not come yet.

      sisock revoke attic
    """
    dismiss(settings, name)


def dismiss(settings: Settings, name: str) -> None:
    """Take back what a principal may, and say so once the router has heard of it."""
    from sisock.keys.revoking import UnknownError, revoke

    try:
        stays = revoke(settings.state, name)
    except ValueError as error:
        raise Failure(str(error), Exit.UNKNOWN if isinstance(error, UnknownError) else Exit.ERROR) from error
    if not taken(settings.state, name):
        raise Failure(f"{name} is removed, but the router still lets it in: start the hub, or see what its log says")
    if stays:
        click.echo(f"{name} may do nothing from other machines any more; this machine's own stays by {_short(stays)}")
    else:
        click.echo(f"{name} may do nothing any more")


def _runs(state: Path) -> bool:
    """Whether a router runs in this state directory: it holds its lock."""
    lock = state / "router" / "lock"
    if not lock.exists():
        return False
    with lock.open() as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def taken(state: Path, name: str) -> bool:
    """Whether the router, where one runs on this machine, comes to know the principal as it is now, or that it is gone."""
    until = time.monotonic() + _TAKEN_WITHIN
    while _runs(state) and not _is_known(state, name):
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True


def _is_known(state: Path, name: str) -> bool:
    """Whether the policy that the router has says of a principal what its file says."""
    from sisock.keys.principals import load_principal, policy_file

    try:
        known = from_json(policy_file(state).read_text(encoding="utf-8"))["principals"]
        return bool(known.get(name) == load_principal(state, name))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return True


def _short(path: Path) -> str:
    return f"~/{path.relative_to(Path.home())}" if path.is_relative_to(Path.home()) else str(path)
