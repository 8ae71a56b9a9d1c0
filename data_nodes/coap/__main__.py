"""`python -m data_nodes.coap`: tokens and OSCORE credentials of the devices behind a CoAP gateway."""

import json
import shutil
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click

from data_nodes.coap import access
from sisock.cli.options import with_settings
from sisock.keys.files import write
from sisock.nodes.devices import DeviceRefused
from sisock.settings import Settings


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Let devices send to the node coap, and take that back. What is done holds within a second."""


def _command(function: Callable[..., None]) -> Callable[..., None]:
    """A command on the folder of one gateway; what cannot be done is told in a sentence."""

    @wraps(function)
    def run(settings: Settings, node: str, **given: Any) -> None:
        try:
            function(settings.state / access.FOLDER / node, **given)
        except (DeviceRefused, OSError) as error:
            raise click.ClickException(str(error)) from error

    named = click.option("--node", default="coap", show_default=True, help="The gateway's name.")
    return with_settings("state")(named(run))


@main.command()
@click.argument("device", required=False)
@_command
def token(folder: Path, device: str | None) -> None:
    """Make a token and print it: for DEVICE alone, or one that lets any device in.

    It takes the place of the one before. Sent as `?token=…` it can be read on the way, so where others listen use oscore.
    """
    click.echo(access.make_token(folder, device))


@main.command()
@click.argument("device")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder for the device's half.")
@_command
def oscore(folder: Path, device: str, out: Path) -> None:
    """Make OSCORE credentials of DEVICE: its messages are encrypted, and nobody else can send for it.

    --out is written for aiocoap's client; other programs take ids, salt and secret from its settings.json. Move it to the
    device: two that use it are taken for replays.
    """
    from data_nodes.coap import oscore as making

    if out.exists():
        raise FileExistsError(f"{out} exists: give --out a new folder")
    half = making.make(folder, device)
    write(out / "settings.json", json.dumps(half, indent=1) + "\n")
    click.echo(f"{out / 'settings.json'} is for {device}: move it there")


@main.command()
@click.argument("device")
@_command
def dtls(folder: Path, device: str) -> None:
    """Make a DTLS key of DEVICE and print it: its messages are encrypted, and nobody else can send for it.

    The device's name is the identity that goes with it. It takes the place of the one before. The gateway speaks DTLS
    where its table in sisock.toml says dtls_port = 5684.
    """
    click.echo(access.make_key(folder, device))


@main.command()
@_command
def ls(folder: Path) -> None:
    """List who has a token or credentials."""
    if access.token_file(folder).exists():
        click.echo("(any device)  token")
    for kind, called in ((access.TOKENS, "token"), (access.OSCORE, "OSCORE"), (access.DTLS, "DTLS key")):
        for path in sorted((folder / kind).glob("[!.]*")):
            click.echo(f"{access.device_of(path)}  {called}")


@main.command()
@click.argument("device", required=False)
@_command
def rm(folder: Path, device: str | None) -> None:
    """Take back token, DTLS key and credentials of DEVICE, or the token that lets any device in."""
    files = [access.token_file(folder, device), *([access.dtls_file(folder, device)] if device else [])]
    credentials = access.oscore_folder(folder, device) if device else None
    if not any(each.exists() for each in files) and not (credentials and credentials.exists()):
        raise FileNotFoundError(f"{device or 'the gateway'} has no token and no credentials here: see ls")
    for each in files:
        each.unlink(missing_ok=True)
    if credentials and credentials.exists():
        shutil.rmtree(credentials)


if __name__ == "__main__":
    sys.exit(main(prog_name="python -m data_nodes.coap"))
