"""`sisock ls`: which data nodes there are, and their fields."""

import asyncio
import shutil
import sys
import time
from typing import TYPE_CHECKING, Any

import click

from sisock.cli import completing
from sisock.cli.asking import ask
from sisock.cli.options import CLIENT, with_settings
from sisock.printable import printable, to_json
from sisock.settings import Settings
from sisock.times import to_seconds

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sisock.consumer import Consumer, Node
    from sisock.frames import Field, Timeline

_PATIENCE = 3.0  # seconds for nodes to say why they are not well
_MOST_ASKED = 100  # of these
EVER, NEVER = (1.0, 0.0), (0.0, 0.0)  # windows of intervals, as at the door


@click.command(epilog="Exit codes: 3 there is no such node, 4 no hub or no answer.")
@click.argument("nodes", nargs=-1, metavar="[NODE]...", shell_complete=completing.nodes)
@click.option("--json", "as_json", is_flag=True, help="As JSON, with all that is known.")
@with_settings(*CLIENT)
def ls(settings: Settings, nodes: tuple[str, ...], as_json: bool) -> None:
    """List the data nodes, those that are away last, or the fields of the NODEs named.

    Below a node that is not well stands why, as far as the terminal is wide; --json has all of it.

    sisock ls
    sisock ls weather host
    sisock ls --json | jq -r '.[] | select(.state == "up") | .name'
    """
    if nodes:
        window = EVER if as_json else NEVER  # intervals are shown in JSON only, and take a node's time
        _list_fields(ask(settings, lambda consumer: _fields(consumer, nodes, window)), as_json)
        return
    listed, why = ask(settings, lambda consumer: _nodes(consumer, min(settings.deadline, _PATIENCE)))
    if as_json:
        click.echo(to_json([_as_dict(node, why.get(node.name)) for node in listed], 1))
        return
    most = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    for line in node_lines(listed, time.time(), why, most):
        click.echo(line)


def node_lines(
    listed: "Sequence[Node]", now: float, why: "Mapping[str, str] | None" = None, most: int | None = None
) -> list[str]:
    """A table of the nodes: those that are up, then those that are away, the longest away last; `now`: UNIX seconds.

    Below a node that is not well stands why, in at most so many columns.
    """
    ordered = sorted(listed, key=lambda node: (node.state != "up", 0 if node.state == "up" else -node.since))
    states = [_state(node) for node in ordered]
    width = max([5, *map(len, states)])
    lines = [f"{'NODE':<16} {'STATE':<{width}} SINCE  DESCRIPTION"] if ordered else []
    for node, state in zip(ordered, states, strict=True):
        mark = "".join([*(f" #{tag}" for tag in node.tags), *([" (sensitive)"] if node.sensitive else [])])
        about = f"{node.description}{mark}"
        lines.append(printable(f"{node.name:<16} {state:<{width}} {_ago(node.since, now):>5}  {about}".rstrip()))
        if said := (why or {}).get(node.name):
            lines.append(_short(printable(f"  {said}"), most))
    return lines


def _state(node: "Node") -> str:
    """What it is: up or away, how a node that is up says it is, and who keeps its past."""
    kept = f"kept by {', '.join(node.kept_by)}" if node.kept_by else ""
    return ", ".join(filter(None, [node.state, node.health, kept]))


def _short(text: str, most: int | None) -> str:
    return text if most is None or len(text) <= most else f"{text[: max(0, most - 1)]}…"


async def _nodes(consumer: "Consumer", deadline: float) -> "tuple[list[Node], dict[str, str]]":
    """The nodes, and what those that are not well say of it."""
    listed = await consumer.nodes()
    unwell = [node.name for node in listed if node.health][:_MOST_ASKED]
    said = await asyncio.gather(*(_why(consumer, name, deadline) for name in unwell))
    return listed, {name: why for name, why in zip(unwell, said, strict=True) if why}


async def _why(consumer: "Consumer", node: str, deadline: float) -> str:
    """What a node says of its health; nothing where it has nothing to say, or does not answer."""
    from sisock.errors import ConsumerError

    try:
        answer = await consumer.sample(node, ("health.state", "health.error"), 0.0, "at", deadline=deadline)
    except ConsumerError:
        return ""
    (state, _), (t, error) = answer.series("health.state"), answer.series("health.error")
    return str(error.values[0]) if len(t) and t.tolist() == state.tolist() else ""


async def _fields(
    consumer: "Consumer", nodes: tuple[str, ...], window: tuple[float, float]
) -> "dict[str, tuple[dict[str, Field], dict[str, Timeline]]]":
    return {node: await consumer.fields(node, *window) for node in nodes}


def _list_fields(found: "dict[str, tuple[dict[str, Field], dict[str, Timeline]]]", as_json: bool) -> None:
    if as_json:
        click.echo(to_json({node: _fields_as_dict(*has) for node, has in found.items()}, 1))
        return
    targets = [(f"{node}::{name}", field) for node, (fields, _) in found.items() for name, field in fields.items()]
    for line in field_lines(targets):
        click.echo(line)


def field_lines(targets: "Sequence[tuple[str, Field]]") -> list[str]:
    """A table of fields: target, type, units, description."""
    cells = [(target, field.type, field.units or "", field.description or "") for target, field in targets]
    target, kind, units = (max((len(row[i]) for row in cells), default=0) for i in range(3))
    return [printable(f"{a:<{target}}  {b:<{kind}}  {c:<{units}}  {d}".rstrip()) for a, b, c, d in cells]


def _fields_as_dict(fields: "dict[str, Field]", timelines: "dict[str, Timeline]") -> dict[str, Any]:
    return {
        "fields": {name: field._asdict() for name, field in fields.items()},
        "timelines": {name: timeline._asdict() for name, timeline in timelines.items()},
    }


def _as_dict(node: "Node", why: str | None) -> dict[str, Any]:
    return {**node._asdict(), "since": to_seconds(node.since), "health": node.health, "why": why}


def _ago(since: int, now: float) -> str:
    """How long ago that was, in its largest unit."""
    seconds = max(0.0, now - to_seconds(since))
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
