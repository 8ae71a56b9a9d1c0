"""`sisock link`: another address of the page, to be opened once."""

from urllib.parse import urlencode, urlsplit

import click

from sisock.cli.failures import Failure
from sisock.cli.options import with_settings
from sisock.settings import Settings
from sisock.times import parse_duration


@click.command()
@click.option("--valid", default="1h", show_default=True, metavar="TIME", help="How long the address can be opened.")
@with_settings("state", "router")
def link(settings: Settings, valid: str) -> None:
    """Print a new address of the page, good for one sign-in.

    It works on the router's machine, where the state directory is.

      sisock link
      sisock link --valid 10m
    """
    if not (settings.state / "router").is_dir():
        raise Failure(
            f"{settings.state} is no router's state directory: run this on the router's machine, with its --state"
        )
    router = urlsplit(settings.url)
    scheme = "https" if router.scheme == "wss" else "http"
    click.echo(address(settings, f"{scheme}://{router.netloc}/", parse_duration(valid)))


def address(settings: Settings, page: str, seconds: float) -> str:
    """An address of the page that signs in once, within so many seconds."""
    from sisock.keys import new_page_token

    said = {"token": new_page_token(settings.state, seconds)}
    for name in ("realm", "prefix"):  # the page knows the defaults
        if getattr(settings, name) != getattr(Settings, name):
            said[name] = getattr(settings, name)
    return f"{page}#{urlencode(said)}"
