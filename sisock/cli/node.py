"""`sisock node`: run data nodes, several in one process."""

import asyncio
import logging
import sys
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from sisock.cli.options import with_settings
from sisock.exits import Exit
from sisock.settings import Settings

if TYPE_CHECKING:
    from sisock.nodes import DataNode
    from sisock.nodes.base import Opener

log = logging.getLogger(__name__)


def _complete(_context: click.Context, _parameter: click.Parameter, begun: str) -> list[str]:
    from sisock.cli.plugins import names

    return [name for name in names() if name.startswith(begun)]


@click.command(epilog="Exit codes: 2 no such node or bad configuration, 5 the hub already has a node of that name.")
@click.argument("nodes", nargs=-1, required=True, metavar="NAME|FILE.py|FILE.toml...", shell_complete=_complete)
@click.option("--name", help="Run the one node under this name.")
@click.option("--check", is_flag=True, help="Try each once, show what it would give, and run none.")
@with_settings("state", "router", "router_ca", "config", "log_level")
def node(settings: Settings, nodes: tuple[str, ...], name: str | None, check: bool) -> None:
    """Run data nodes, several in one process.

    NAME is the name under which an installed package offers a node; FILE.py is a file of yours, whose
    every data node runs, FILE.toml one that describes commands, files, addresses, ports and queries. A node's key is made at its first start. Where the router is another
    machine's, its keeper admits the key once with `sisock principal add`.

      sisock node weather                 one of the nodes that come with sisock
      sisock node weather host            two in one process
      sisock node thermometer.py          the nodes of a file
      sisock node lab.toml --check        what its sources would give, without running them
      sisock node weather --name attic    the same node under another name

    A node's settings stand in the table of its name in sisock.toml.
    """
    from sisock import program
    from sisock.cli.plugins import configured, find

    kinds = [kind for word in nodes for kind in find(word, settings.config)]
    if name and len(kinds) != 1:
        raise click.UsageError(f"--name is for one node, and these are {len(kinds)}")
    made = [configured(kind, settings.config, name) for kind in kinds]
    if check:
        sys.exit(asyncio.run(_check(made)))
    hosting = _Hosting(settings, made)
    sys.exit(program.run(hosting.run(), settings.log_level) or hosting.code)


async def _check(nodes: "list[DataNode]") -> Exit:
    """Try each, and show how that went; an error where one gave nothing."""
    from sisock.cli.trying import lines, tried
    from sisock.nodes.base import name_of

    logging.getLogger().addHandler(logging.NullHandler())  # what would be logged is shown
    sound = True
    for each in nodes:
        trial = await tried(
            each, waits=partial(click.echo, f"{name_of(each)}: waits up to 30 s for what comes", err=True)
        )
        for line in lines(each, trial):
            click.echo(line)
        sound = sound and trial.state == "ok"
    return Exit.OK if sound else Exit.ERROR


class _Hosting:
    """Nodes in one process: what happens to one leaves the others alone; `code` says how it went."""

    def __init__(self, settings: Settings, nodes: "list[DataNode]") -> None:
        self.code = Exit.OK
        self._settings, self._nodes = settings, nodes

    async def run(self) -> None:
        """Serve all of them until cancelled, or until none is left."""
        ready = [asyncio.get_running_loop().create_future() for _ in self._nodes]
        announcing = asyncio.create_task(_announce(ready))
        try:
            await asyncio.gather(*map(self._serve, self._nodes, ready))
        finally:
            announcing.cancel()

    async def _serve(self, node: "DataNode", ready: "asyncio.Future[str]") -> None:
        """Serve one until cancelled; whatever ends it is told in a sentence, and the others go on."""
        from sisock.keys.principals import AnothersError
        from sisock.nodes.base import name_of
        from sisock.serving import NameTaken

        name = type(node).__name__
        try:
            name = name_of(node)
            await self._work(node, ready)
        except Exception as error:  # it may be an author's
            self.code = Exit.NAME_TAKEN if isinstance(error, (NameTaken, AnothersError)) else Exit.ERROR
            log.error("%s: %s", name, _why(error))
            log.debug("%s: this is where", name, exc_info=error)
            if not ready.done():
                ready.set_result("")

    async def _work(self, node: "DataNode", ready: "asyncio.Future[str] | None" = None) -> None:
        """Serve one, with its own key and as a principal of its own, until cancelled; raises what ends it."""
        from sisock.keys import ensure_key
        from sisock.keys.principals import check_ours
        from sisock.nodes.base import Hosting, name_of, tags_of
        from sisock.serving import serve

        name = name_of(node)
        check_ours(self._settings.state, name)
        key = ensure_key(self._settings.state, name)
        log.info("%s: signs in with the public key %s", name, key.public)
        _admit(self._settings, node, key.public, tags_of(node))
        node.home = self._settings.state
        service = node.service(ring=self._settings.ring, journal=_opener(self._settings, name))
        if isinstance(service, Hosting):
            service.host = self._work
        await serve(service, self._settings, key, ready, tags_of(node), node.kafka)


def _opener(settings: Settings, name: str) -> "Opener | None":
    """What opens the journal of the node of this name; None where samples are to be in memory only.

    Where a process of before still has it, the node works without until that one has ended.
    """
    from sisock.store.journal import Journal
    from sisock.times import NS

    path = settings.state / "journals" / f"{name}.sqlite"
    age = round(settings.journal_age * NS) or None
    opened = partial(Journal, path, most_bytes=settings.journal, most_age_ns=age, patient=True)
    return opened if settings.journal else None


def _why(error: Exception) -> str:
    """What ended a node, as a sentence: ours are sentences already."""
    from sisock.nodes.base import sentence
    from sisock.serving import NameTaken
    from sisock.wamp import WampError

    if isinstance(error, ExceptionGroup):
        return _why(error.exceptions[0])
    ours = isinstance(error, (NameTaken, WampError, ValueError, TypeError, OSError))
    return str(error) if ours and str(error) else sentence(error)


def _admit(settings: Settings, node: "DataNode", public: str, tags: Sequence[str]) -> None:
    """Make the node a principal, where the state directory is ours to write."""
    from sisock.keys import ensure_principal
    from sisock.keys.principals import load_principal
    from sisock.nodes.base import name_of

    try:
        more: dict[str, Any] = {"sensitive": node.sensitive} if node.role == "data_node" else {}
        if tags and node.role == "data_node" and "tags" not in (load_principal(settings.state, name_of(node)) or {}):
            more["tags"] = list(tags)  # what is said here, where the hub is, is said by who admits
        ensure_principal(settings.state, name_of(node), node.role, public, **more)
    except OSError as error:
        log.info("%s: not admitted here (%s): the router's keeper does it", name_of(node), error.strerror)


async def _announce(ready: "list[asyncio.Future[str]]") -> None:
    """Say that this process is ready once each of its nodes is, or has failed; not where all have."""
    from sisock import lasting, notify

    said = [await each for each in ready]
    if any(said):
        lasting.settle()
        notify.ready(_status(said))


def _status(said: list[str]) -> str:
    """`4 fields` of one node, `2 nodes` of several."""
    return said[0] if len(said) == 1 else f"{sum(map(bool, said))} nodes"
