"""`sisock grafana provision`: data sources, dashboards and alert rules as files that Grafana reads."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from sisock.cli.asking import ask
from sisock.cli.options import CLIENT, with_settings
from sisock.settings import Settings
from sisock.uris import check_principal

if TYPE_CHECKING:
    from sisock.consumer import Consumer
    from sisock.grafana.reading import Fleet
    from sisock.grafana.sources import Bridge

NAMES = ("prometheus", "simpod", "simplejson", "infinity")


@click.command(epilog="Exit codes: 1 a file cannot be written, 2 bad options, 4 no hub or no answer.")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), metavar="DIR")
@click.option("--watch", is_flag=True, help="Keep the files current as nodes come and go, until Ctrl-C.")
@click.option(
    "--door", "doors", multiple=True, type=click.Choice(NAMES), default=["prometheus"], show_default=True,
    help="A door as data source, once for each; the first one feeds the panels.",
)  # fmt: skip
@click.option("--bridge", metavar="URL", help="Where Grafana reaches the bridge. Default: http://127.0.0.1:5000.")
@click.option(
    "--token-file",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    metavar="FILE",
    help="File with the bridge's token, or one of `sisock principal token`; Grafana reads it, too.",
)
@click.option("--secret-path", metavar="PATH", help="Where Grafana finds this file, if it is not on this machine.")
@click.option("--secret-variable", metavar="NAME", help="Variable of Grafana's environment that holds the token.")
@click.option(
    "--in-the-clear",
    is_flag=True,
    help="The token may go to http://, as between containers that talk among themselves.",
)
@click.option("--sensitive", is_flag=True, help="Dashboards of sensitive nodes, too; the token has to see them.")
@click.option("--principal", metavar="NAME", help="Sign in with the key of this one. Default: cli.")
@with_settings("bridge_port", *CLIENT)
def provision(
    settings: Settings,
    *,
    folder: Path,
    watch: bool,
    doors: tuple[str, ...],
    bridge: str | None,
    token_file: Path | None,
    secret_path: str | None,
    secret_variable: str | None,
    in_the_clear: bool,
    sensitive: bool,
    principal: str | None,
) -> None:
    """Write into DIR what Grafana reads at its start.

    That is a data source for each door of the bridge, a dashboard for each data node made of its
    fields, one of all nodes and one of the bridge, and examples of alert rules, which are paused.
    The token is named, never written. What was edited by hand, or is not of this command, is left as it is.
    DIR has to be where Grafana finds it: its provisioning folder, under the same path.

      sisock grafana provision /etc/grafana/provisioning
      sisock grafana provision /etc/grafana/provisioning --token-file /etc/sisock/grafana.token --watch
      sisock grafana provision out --door prometheus --door simpod --bridge https://lab.example:5000
    """
    if principal is not None:
        check_principal(principal)
    where = _bridge(bridge or f"http://127.0.0.1:{settings.bridge_port}", token_file, secret_path, secret_variable)
    if where.token is not None and not in_the_clear:
        _check_private(where.url)
    job = _Job(folder.absolute(), doors, where, sensitive=sensitive)
    ask(settings, job.keep if watch else job.once, principal, patient=watch)


def _bridge(url: str, token_file: Path | None, secret_path: str | None, variable: str | None) -> "Bridge":
    """Where the bridge is and how its token is named. Raises UsageError."""
    from sisock.grafana.sources import Bridge, token_in_environment, token_in_file

    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.password:
        raise click.UsageError(f"--bridge {url!r:.200}: write http://HOST:PORT or https://HOST:PORT")
    given = [each for each in (token_file, secret_path, variable) if each is not None]
    if len(given) > 1:
        raise click.UsageError("give one of --token-file, --secret-path and --secret-variable")
    if token_file is not None:
        return Bridge(url, token_in_file(str(token_file.absolute())))
    if secret_path is not None:
        return Bridge(url, token_in_file(secret_path))
    return Bridge(url, None if variable is None else token_in_environment(variable))


def _check_private(url: str) -> None:
    """Raise UsageError where others than this machine would see a token on its way to this bridge."""
    from sisock.interfaces import loopback

    parts = urlsplit(url)
    if parts.scheme != "https" and not loopback(parts.hostname or ""):
        raise click.UsageError(
            f"the token would go to {parts.hostname} in the clear: give an address with https://, of a proxy before the "
            "bridge, or say --in-the-clear where nobody else can listen, as between containers"
        )


class _Job:
    """Writes the files, and tells what it changed."""

    def __init__(self, folder: Path, doors: tuple[str, ...], bridge: "Bridge", *, sensitive: bool) -> None:
        from sisock.grafana.doors import DOORS
        from sisock.grafana.provisioning import Pages

        self._folder, self._bridge, self._sensitive = folder, bridge, sensitive
        self._doors = [DOORS[name] for name in dict.fromkeys(doors)]
        self._pages = Pages(self._doors)
        self._told: set[str] = set()

    async def once(self, consumer: "Consumer") -> None:
        """Write them as the fleet is now."""
        from sisock.grafana.reading import read_fleet

        await self._write(await read_fleet(consumer, sensitive=self._sensitive))
        click.echo(f"{self._folder} has what Grafana reads at its start")

    async def keep(self, consumer: "Consumer") -> None:
        """Write them whenever the fleet has changed, until cancelled."""
        from sisock.grafana.reading import follow_fleet

        def tell(sentence: str) -> None:
            click.echo(f"sisock: {sentence}", err=True)

        async for fleet in follow_fleet(consumer, tell, sensitive=self._sensitive):
            await self._write(fleet)

    async def _write(self, fleet: "Fleet") -> None:
        """Bring the files up to date, and tell what came of it, what was edited only once."""
        from sisock.grafana.provisioning import files, node_file, remove, write

        gone = await asyncio.to_thread(remove, self._folder, map(node_file, sorted(fleet.hidden)))
        for name in gone.changed:
            click.echo(f"removed: {name}")
        self._tell_once(
            gone.edited, "is of a sensitive node and stays, as it was edited: delete it, or say --sensitive to keep it"
        )
        texts = await asyncio.to_thread(files, fleet.nodes, self._doors, self._bridge, str(self._folder), self._pages)
        for name in fleet.unread:
            del texts[node_file(name)]
        written = await asyncio.to_thread(write, self._folder, texts, {node_file(name) for name in fleet.away})
        for name in written.changed:
            click.echo(f"written: {name}")
        self._tell_once(written.edited, "was edited and stays as it is: delete it to have ours")

    def _tell_once(self, names: Sequence[str], what: str) -> None:
        """Tell this of each of the files, unless it was told before."""
        for name in names:
            sentence = f"sisock: {self._folder / name} {what}"
            if sentence not in self._told:
                self._told.add(sentence)
                click.echo(sentence, err=True)
