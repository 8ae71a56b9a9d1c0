"""What a shell offers for a word that is begun: nodes and targets that the hub knows, and principals.

Whoever presses the tab key waits: what takes longer than a second, or fails, offers nothing, and says nothing.
"""

import contextlib
import re
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from sisock.cli.options import CLIENT
from sisock.settings import Settings, read
from sisock.uris import JOINT

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from sisock.consumer import Consumer

_WITHIN = 1.0  # seconds
_PLAIN = re.compile(r"""[^\s"'\\$`&|;<>(){}\[\]*?!#~]+""")  # what no shell takes apart


def nodes(context: click.Context, _parameter: click.Parameter, begun: str) -> list[str]:
    """The nodes whose names begin so."""

    async def look(consumer: "Consumer") -> list[str]:
        return await _nodes(consumer, begun)

    return _ask(context, look)


def targets(context: click.Context, _parameter: click.Parameter, begun: str) -> list[str]:
    """The nodes whose names begin so; where that is a single one, with its fields."""

    async def look(consumer: "Consumer") -> list[str]:
        if JOINT in begun:
            return await _fields(consumer, begun.partition(JOINT)[0], begun)
        found = await _nodes(consumer, begun)
        return found + (await _fields(consumer, found[0], begun) if len(found) == 1 else [])

    return _ask(context, look)


def fields(context: click.Context, parameter: click.Parameter, begun: str) -> list[str]:
    """As `targets`, but a node by itself only where there are several."""
    found = targets(context, parameter, begun)
    return [each for each in found if JOINT in each] or found


def principals(context: click.Context, _parameter: click.Parameter, begun: str) -> list[str]:
    """Those whose names begin so, of this state directory: who may sign in, and who is invited to."""

    def look() -> list[str]:
        from sisock.keys import compile_policy

        known = compile_policy(_settings(context).state)["principals"]
        names = {entry["invites"]["name"] if "invites" in entry else name for name, entry in known.items()}
        return sorted(name for name in names if name.startswith(begun))

    return _soon(look)


async def _nodes(consumer: "Consumer", begun: str) -> list[str]:
    return [node.name for node in await consumer.nodes() if node.name.startswith(begun)]


async def _fields(consumer: "Consumer", node: str, begun: str) -> list[str]:
    """The targets of a node that begin so."""
    known, _ = await consumer.fields(node, 0, 0)
    found = [f"{node}{JOINT}{name}" for name in known if _PLAIN.fullmatch(name)]
    return [target for target in found if target.startswith(begun)]


def _ask(context: click.Context, work: "Callable[[Consumer], Coroutine[Any, Any, list[str]]]") -> list[str]:
    """What the hub makes of it."""
    from sisock import consumer  # noqa: F401  # loaded before time counts
    from sisock.cli.asking import ask

    return _soon(lambda: ask(_settings(context), work))


def _settings(context: click.Context) -> Settings:
    """The settings of the command that is begun."""
    given = {name: context.params.get(name) for name in CLIENT}
    return read(**{**given, "deadline": _WITHIN})


def _soon(work: Callable[[], list[str]]) -> list[str]:
    """What the work gives in time."""
    found: list[str] = []

    def run() -> None:
        with contextlib.suppress(Exception):
            found.extend(work())

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(_WITHIN)
    return list(found)
