"""`sisock router`, `hub` and `bridge`: one part alone, in this process."""

import os
import sys

import click

from sisock.cli.options import with_settings
from sisock.settings import Settings
from sisock.supervisor.parts import child_environment


def _become(module: str, settings: Settings) -> None:
    """Go on as this module: same process, so that signals and exit codes are its own."""
    argv = [sys.executable, "-P", "-m", module]
    os.execve(sys.executable, argv, dict(child_environment(settings)))  # noqa: S606  # no shell is meant


@click.command()
@with_settings("state", "interface", "router_port", "tls_port", "legacy_port")
def router(settings: Settings) -> None:
    """Run the router alone, as a container or a service does.

    sisock router --interface 0.0.0.0
    """
    _become("sisock.router", settings)


@click.command()
@with_settings("state", "router", "router_ca")
def hub(settings: Settings) -> None:
    """Run the hub alone; it waits for the router.

    sisock hub --router ws://127.0.0.1:8080/ws
    """
    _become("hub", settings)


@click.command()
@with_settings("state", "router", "router_ca", "interface", "bridge_port", "bridge_token")
def bridge(settings: Settings) -> None:
    """Run the Grafana bridge alone; it waits for the hub.

    sisock bridge --bridge-port 5000
    """
    _become("grafana_json", settings)
