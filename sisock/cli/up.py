"""`sisock up`: everything on this machine with one command."""

import asyncio
import contextlib
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import click

from sisock import notify
from sisock.cli.common import Failure, with_settings
from sisock.cli.screen import Screen
from sisock.exits import Exit
from sisock.settings import Settings
from sisock.supervisor import Supervisor, plan
from sisock.supervisor.parts import child_environment, host_and_port, words
from sisock.supervisor.state import InUseError, check_ports, held

SETTLE = 60.0  # seconds in which everything shall be up
NEEDED = ("router", "hub")
TOKEN = 3600.0  # seconds for which the page's address is good


@click.command()
@click.option("--no-bridge", is_flag=True, help="Start no Grafana bridge.")
@with_settings("nodes", "router_port", "bridge_port", "interface", "state", "config")
def up(settings: Settings, no_bridge: bool) -> None:
    """Run router, hub, bridge and data nodes on this machine.

    Each is a process of its own, started again when it dies; what it says is in logs/ of the state
    directory. Keys are made at the first start. Ctrl-C stops everything.

      sisock up                                     all there is
      sisock up --nodes host,thermometer.py         these nodes only
      sisock up --router-port 8090 --bridge-port 5010 --state ~/second
                                                    another one beside it
    """
    where = f"ws://{host_and_port(settings.interface, settings.router_port)}/ws"
    settings = replace(settings, state=settings.state.expanduser().absolute(), router=where)
    try:
        with held(settings.state):
            check_ports(settings, bridge=not no_bridge)
            _prepare(settings)
            (settings.state / "router.url").write_text(where + "\n")
            asyncio.run(_run(settings, bridge=not no_bridge))
    except InUseError as error:
        raise Failure(str(error)) from error


def _prepare(settings: Settings) -> None:
    """Make keys, principals and policy in a process of its own: it loads the nodes, and we stay small."""
    principals = ",".join(("hub", "bridge", "cli", "page", *words(settings.nodes)))
    argv = [sys.executable, "-P", "-m", "sisock", "init", "--principals", principals]
    made = subprocess.run(
        argv, env=child_environment(settings), capture_output=True, text=True, timeout=60, check=False
    )
    if made.returncode:
        lines = made.stderr.strip().splitlines()
        raise Failure(lines[-1].removeprefix("sisock: ") if lines else "the keys cannot be made", Exit(made.returncode))


async def _run(settings: Settings, *, bridge: bool) -> None:
    began = time.monotonic()
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    screen = Screen()
    supervisor = Supervisor(plan(settings, bridge=bridge), child_environment(settings), settings.state, screen.tell)
    async with supervisor:
        stopping = asyncio.create_task(stop.wait())
        async with screen.waiting(supervisor.missing):
            settled = asyncio.create_task(supervisor.settled(SETTLE))
            await asyncio.wait((settled, stopping), return_when=asyncio.FIRST_COMPLETED)
        if not stopping.done():
            _started(settings, supervisor, screen, time.monotonic() - began, bridge=bridge)
            await stopping
        settled.cancel()
        screen.line("stopping")
    screen.line(f"stopped {len(plan(settings, bridge=bridge))} parts")


def _started(settings: Settings, supervisor: Supervisor, screen: Screen, seconds: float, *, bridge: bool) -> None:
    """Say that all is ready and where to look; raise Failure if what everything needs is not there."""
    from sisock.keys import new_page_token

    missing = supervisor.missing()
    for name in NEEDED:
        if name in missing:
            log = settings.state / "logs" / f"{name}.log"
            raise Failure(f"the {name} does not start: {supervisor.last_line(name) or 'it says nothing'} (see {log})")
    without = f", without {', '.join(missing)}" if missing else ""
    screen.line(f"ready in {seconds:.1f} s{without}")
    page = f"http://{host_and_port(settings.interface, settings.router_port)}/"
    screen.line(f"  page      {page}#token={new_page_token(settings.state, TOKEN)}")
    if bridge:
        screen.line(f"  Grafana   http://{host_and_port(settings.interface, settings.bridge_port)}")
    screen.line(f"  logs      {_short(settings.state / 'logs')}")
    screen.line("  Ctrl-C stops everything; `sisock ls` in another terminal lists the nodes")
    notify.ready(f"{len(words(settings.nodes))} data nodes")


def _short(path: Path) -> str:
    with contextlib.suppress(ValueError):
        return f"~/{path.relative_to(Path.home())}"
    return str(path)
