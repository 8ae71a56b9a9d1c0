"""`sisock doctor`: what works, what does not, and the cure."""

import importlib.util
import shutil
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import click

from sisock import extras
from sisock.cli.asking import ask
from sisock.cli.failures import Failure, code_of
from sisock.cli.options import CLIENT, with_settings
from sisock.errors import ConsumerError
from sisock.exits import Exit
from sisock.printable import printable
from sisock.settings import Settings

if TYPE_CHECKING:
    from sisock.consumer import Consumer
    from sisock.frames import Answer

_PACKAGES = {
    "crossbar": ("the router", "router"),
    "flask": ("the Grafana bridge", "grafana"),
    "psutil": ("the node host", "host"),
    "pyarrow": ("Parquet", "parquet"),
}
_PROGRAMS = {"lsof": "the node lsof", "sensors": "the node sensors (lm-sensors)"}


class Finding(NamedTuple):
    """One thing looked at: its name, whether it is well, and what there is to say; optional if one can do without."""

    name: str
    well: bool
    says: str
    optional: bool = False


@click.command(epilog="Exit codes: 0 all is well, 1 something is not, 4 no router, no hub or no answer.")
@with_settings(*CLIENT)
def doctor(settings: Settings) -> None:
    """Look at everything and say what is wrong and the cure.

    sisock doctor
    """
    code = Exit.OK
    for finding in (*_installed(), *_state(settings)):
        code = max(code, _tell(finding))
    try:
        for finding in ask(settings, _fleet):
            code = max(code, _tell(finding))
    except (Failure, ConsumerError) as error:
        _tell(Finding("hub", well=False, says=str(error)))
        code = Exit.NO_ANSWER if isinstance(error, Failure) else code_of(error)
    sys.exit(code)


def _tell(finding: Finding) -> Exit:
    mark = "ok" if finding.well else "–" if finding.optional else "!!"
    click.echo(printable(f"{mark:<3} {finding.name:<16} {finding.says}"))
    return Exit.OK if finding.well or finding.optional else Exit.ERROR


def _installed() -> Iterator[Finding]:
    for package, (what, extra) in _PACKAGES.items():
        there = importlib.util.find_spec(package) is not None
        says = f"for {what}" if there else f"{what} needs it: {extras.command(extra)}"
        yield Finding(package, there, says, optional=True)
    for program, what in _PROGRAMS.items():
        path = shutil.which(program)
        yield Finding(program, path is not None, path or f"{what} needs it: install it with apt", optional=True)


def _state(settings: Settings) -> Iterator[Finding]:
    if not settings.state.is_dir():
        yield Finding("state", False, f"{settings.state} does not exist: `sisock up` makes it", optional=True)
        return
    closed = not settings.state.stat().st_mode & 0o077
    yield Finding(
        "state", closed, f"{settings.state}" + ("" if closed else f" is open to others: chmod 700 {settings.state}")
    )


async def _fleet(consumer: "Consumer") -> list[Finding]:
    """What the hub and each node say."""
    from sisock.consumer import Request

    nodes = await consumer.nodes()
    up = [node for node in nodes if node.state == "up"]
    found = [Finding("hub", True, f"{len(up)} of {len(nodes)} data nodes are up")]
    found += [Finding(node.name, False, "is away", optional=True) for node in nodes if node.state != "up"]
    ours = [node.name for node in up if node.info]
    asked = [Request(name, ("health.state", "health.error"), -3600.0, 0.0) for name in ours]
    for name, answer in zip(ours, await consumer.ask(asked, 5.0), strict=True):
        found.append(_health(name, answer))
    return found


def _health(name: str, answer: "Answer | ConsumerError") -> Finding:
    if isinstance(answer, ConsumerError):
        return Finding(name, False, str(answer))
    from sisock.cli.formats import values

    (state,), (error,) = (values(answer.series(field)[1])[-1:] or [None] for field in ("health.state", "health.error"))
    says = f"{state or 'has not measured yet'}{f': {error}' if error else ''}"
    return Finding(name, state in ("ok", None), says, optional=state == "no data")
