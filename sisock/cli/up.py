"""`sisock up`: everything on this machine with one command."""

import asyncio
import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click

from sisock import notify
from sisock import settings as configuration
from sisock.cli.failures import Failure
from sisock.cli.link import address, for_others
from sisock.cli.options import with_settings
from sisock.cli.screen import Screen
from sisock.exits import Exit
from sisock.interfaces import PortTaken, host_and_port
from sisock.settings import Settings
from sisock.supervisor import Part, Supervisor, plan
from sisock.supervisor.parts import child_environment, words
from sisock.supervisor.state import InUseError, check_ports, held

PREPARED = 60.0  # seconds in which keys, principals and policy shall be made
SETTLE = 60.0  # seconds in which everything shall be up
TOKEN = 3600.0  # seconds for which the page's address is good


@click.command()
@click.option("--no-bridge", is_flag=True, help="Start no Grafana bridge.")
@with_settings("nodes", "router_port", "bridge_port", "tls_port", "interface", "state", "config")
def up(settings: Settings, no_bridge: bool) -> None:
    """Run router, hub, bridge and data nodes on this machine.

    Each is a process of its own, started again when it dies; what it says is in logs/ of the state
    directory. Keys are made at the first start. Ctrl-C stops everything.

      sisock up                                     all there is
      sisock up --nodes host,thermometer.py         these nodes only
      sisock up --router-port 8090 --bridge-port 5010 --state ~/second
                                                    another one beside it
      sisock up --tls-port 8443                     for other machines, too: `sisock invite` lets them in
    """
    where = f"ws://{host_and_port(settings.interface, settings.router_port)}/ws"
    settings = replace(settings, state=settings.state.expanduser().absolute(), router=where)
    parts = plan(settings, bridge=not no_bridge)
    try:
        with held(settings.state):
            check_ports(settings, bridge=not no_bridge)
            _prepare(settings)
            (settings.state / "router.url").write_text(where + "\n")
            asyncio.run(_run(settings, parts))
    except (InUseError, PortTaken) as error:
        raise Failure(str(error)) from error


def _prepare(settings: Settings) -> None:
    """Make keys, principals and policy.

    A node that cannot be loaded is left out here: its part tells why, and the rest goes on. One that is nowhere is a
    slip of whoever typed it, and a Failure.
    """
    ours = ("hub", "bridge", "cli", "page")
    failure = _init(settings, (*ours, *words(settings.nodes)))
    if failure and failure.exit_code != Exit.USAGE:
        failure = _init(settings, ours)
    if failure:
        raise failure


def _init(settings: Settings, principals: Sequence[str]) -> Failure | None:
    """Run `sisock init`, and how that failed; in a process of its own: it loads the nodes, and we stay small."""
    argv = [sys.executable, "-P", "-m", "sisock", "init", "--principals", ",".join(principals)]
    try:
        made = subprocess.run(
            argv, env=child_environment(settings), capture_output=True, text=True, timeout=PREPARED, check=False
        )
    except subprocess.TimeoutExpired:
        return Failure(f"keys, principals and policy were not made within {PREPARED:g} s")
    lines = made.stderr.strip().splitlines()
    why = lines[-1].removeprefix("sisock: ") if lines else "the keys cannot be made"
    code = made.returncode if made.returncode in set(Exit) else Exit.ERROR  # negative: a node's code has killed it
    return Failure(why, Exit(code)) if made.returncode else None


async def _run(settings: Settings, parts: list[Part]) -> None:
    began = time.monotonic()
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    screen = Screen()
    async with Supervisor(parts, child_environment(settings), settings.state, screen.tell) as supervisor:
        stopping = asyncio.create_task(stop.wait())
        settled = asyncio.create_task(supervisor.settled(SETTLE))
        async with screen.waiting(supervisor.missing):
            await asyncio.wait((settled, stopping), return_when=asyncio.FIRST_COMPLETED)
        if not stopping.done():
            _check(supervisor, parts, settings.state)
            _tell_ready(settings, parts, supervisor.missing(), screen, time.monotonic() - began)
            await stopping
        settled.cancel()
        screen.line("stopping")
    screen.line(f"stopped {len(parts)} parts")


def _check(supervisor: Supervisor, parts: list[Part], state: Path) -> None:
    """Raise Failure if a part without which nothing works is not up."""
    for part in parts:
        if part.needed and part.name in supervisor.missing():
            why = supervisor.last_line(part.name) or "it says nothing"
            raise Failure(f"the {part.name} does not start: {why} (see {state / 'logs' / part.name}.log)")


def _tell_ready(settings: Settings, parts: list[Part], missing: list[str], screen: Screen, seconds: float) -> None:
    """Say that all is ready and where to look."""
    screen.line(f"ready in {seconds:.1f} s" + (f", without {', '.join(missing)}" if missing else ""))
    page = f"http://{host_and_port(settings.interface, settings.router_port)}/"
    screen.line(f"  page      {address(settings, page, TOKEN)}")
    if settings.tls_port:
        screen.line(f"  elsewhere {_elsewhere(settings)}")
    if "bridge" in {part.name for part in parts}.difference(missing):
        screen.line(f"  Grafana   http://{host_and_port(settings.interface, settings.bridge_port)}")
    screen.line(f"  logs      {_short(settings.state / 'logs')}")
    where = "" if settings.state == configuration.read().state else f" --state {settings.state}"
    screen.line(f"  Ctrl-C stops everything; `sisock ls{where}` in another terminal lists the nodes")
    notify.ready(f"{len(parts)} parts")


def _elsewhere(settings: Settings) -> str:
    """The page's address for other machines."""
    try:
        return address(settings, f"https://{for_others(settings)}/", TOKEN)
    except Failure:
        return f"nobody can join over TLS: see {settings.state / 'logs' / 'router.log'}"


def _short(path: Path) -> str:
    with contextlib.suppress(ValueError):
        return f"~/{path.relative_to(Path.home())}"
    return str(path)
