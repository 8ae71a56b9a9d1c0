"""`sisock link`: another address of the page, to be opened once."""

from urllib.parse import urlencode, urlsplit

import click

from sisock.cli.failures import Failure
from sisock.cli.options import with_settings
from sisock.settings import Settings
from sisock.times import parse_duration


@click.command()
@click.option("--valid", default="1h", show_default=True, metavar="TIME", help="How long the address can be opened.")
@click.option("--tls", is_flag=True, help="For a browser on another machine; the router needs --tls-port.")
@with_settings("state", "router")
def link(settings: Settings, valid: str, tls: bool) -> None:
    """Print a new address of the page, good for one sign-in.

    It works on the router's machine, where the state directory is.

      sisock link
      sisock link --valid 10m
      sisock link --tls
    """
    if not (settings.state / "router").is_dir():
        raise Failure(
            f"{settings.state} is no router's state directory: run this on the router's machine, with its --state"
        )
    router = urlsplit(settings.url)
    page = f"{'https' if router.scheme == 'wss' else 'http'}://{router.netloc}/"
    click.echo(address(settings, f"https://{for_others(settings)}/" if tls else page, parse_duration(valid)))


def for_others(settings: Settings) -> str:
    """HOST:PORT where other machines reach the router. Raises Failure with the cure where it has no TLS listener."""
    noted = settings.state / "router.tls"
    if not noted.is_file():
        raise Failure("the router has no TLS listener, which other machines need: start it with --tls-port 8443")
    return noted.read_text(encoding="utf-8").strip()


def address(settings: Settings, page: str, seconds: float) -> str:
    """An address of the page that signs in once, within so many seconds."""
    from sisock.keys import new_page_token

    said = {"token": new_page_token(settings.state, seconds)}
    for name in ("realm", "prefix"):  # the page knows the defaults
        if getattr(settings, name) != getattr(Settings, name):
            said[name] = getattr(settings, name)
    return f"{page}#{urlencode(said)}"
