"""The command `sisock`: a small module for each family of subcommands."""

import click

import sisock
from sisock.cli.at import at
from sisock.cli.ca import ca
from sisock.cli.completion import completion
from sisock.cli.doctor import doctor
from sisock.cli.export import export
from sisock.cli.failures import Sentences
from sisock.cli.get import get
from sisock.cli.grafana import grafana
from sisock.cli.import_ import import_
from sisock.cli.init import init
from sisock.cli.invite import enroll, invite, revoke
from sisock.cli.link import link
from sisock.cli.ls import ls
from sisock.cli.node import node
from sisock.cli.plot import plot
from sisock.cli.principal import principal
from sisock.cli.quarantine import quarantine
from sisock.cli.recover import recover
from sisock.cli.run import bridge, hub, router
from sisock.cli.settings import settings
from sisock.cli.tail import tail
from sisock.cli.up import up
from sisock.exits import Exit


@click.group(
    cls=Sentences,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes:\n\n" + "\n".join(f"  {each.value:>3}  {each.meaning}" for each in Exit),
)
@click.version_option(sisock.__version__, prog_name="sisock")
def main() -> None:
    """Sensors, commands, log files and messages of a laboratory, at any zoom.

      sisock up                 start everything on this machine
      sisock ls                 which data nodes are there
      sisock plot host::cpu     draw the last hour in the terminal

    `sisock COMMAND --help` has more of these; `sisock settings` tells what can be set.
    """


_COMMANDS = (
    up,
    ls,
    get,
    at,
    export,
    import_,
    recover,
    tail,
    plot,
    node,
    link,
    invite,
    enroll,
    revoke,
    principal,
    ca,
    init,
    settings,
    quarantine,
    doctor,
    router,
    hub,
    bridge,
    grafana,
    completion,
)
for command in _COMMANDS:
    main.add_command(command)
