"""`sisock ls`: which data nodes there are, and their fields."""

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
    from collections.abc import Sequence

    from sisock.consumer import Consumer, Node
    from sisock.frames import Field, Timeline

EVER, NEVER = (1.0, 0.0), (0.0, 0.0)  # windows of intervals, as at the door


@click.command(epilog="Exit codes: 3 there is no such node, 4 no hub or no answer.")
@click.argument("nodes", nargs=-1, metavar="[NODE]...", shell_complete=completing.nodes)
@click.option("--json", "as_json", is_flag=True, help="As JSON, with all that is known.")
@with_settings(*CLIENT)
def ls(settings: Settings, nodes: tuple[str, ...], as_json: bool) -> None:
    """List the data nodes, those that are away last, or the fields of the NODEs named.

    sisock ls
    sisock ls weather host
    sisock ls --json | jq -r '.[] | select(.state == "up") | .name'
    """
    if nodes:
        window = EVER if as_json else NEVER  # intervals are shown in JSON only, and take a node's time
        _list_fields(ask(settings, lambda consumer: _fields(consumer, nodes, window)), as_json)
        return
    listed = ask(settings, _nodes)
    if as_json:
        click.echo(to_json([_as_dict(node) for node in listed], 1))
        return
    for line in node_lines(listed, time.time()):
        click.echo(line)


def node_lines(listed: "Sequence[Node]", now: float) -> list[str]:
    """A table of the nodes: those that are up, then those that are away, the longest away last; `now`: UNIX seconds."""
    ordered = sorted(listed, key=lambda node: (node.state != "up", 0 if node.state == "up" else -node.since))
    states = [_state(node) for node in ordered]
    width = max([5, *map(len, states)])
    lines = [f"{'NODE':<16} {'STATE':<{width}} SINCE  DESCRIPTION"] if ordered else []
    for node, state in zip(ordered, states, strict=True):
        mark = "".join([*(f" #{tag}" for tag in node.tags), *([" (sensitive)"] if node.sensitive else [])])
        about = f"{node.description}{mark}"
        lines.append(printable(f"{node.name:<16} {state:<{width}} {_ago(node.since, now):>5}  {about}".rstrip()))
    return lines


def _state(node: "Node") -> str:
    """What it is: up or away, how a node that is up says it is, and who keeps its past."""
    kept = f"kept by {', '.join(node.kept_by)}" if node.kept_by else ""
    return ", ".join(filter(None, [node.state, node.health, kept]))


async def _nodes(consumer: "Consumer") -> "list[Node]":
    return await consumer.nodes()


async def _fields(
    consumer: "Consumer", nodes: tuple[str, ...], window: tuple[float, float]
) -> "dict[str, tuple[dict[str, Field], dict[str, Timeline]]]":
    return {node: await consumer.fields(node, *window) for node in nodes}


def _list_fields(found: "dict[str, tuple[dict[str, Field], dict[str, Timeline]]]", as_json: bool) -> None:
    if as_json:
        click.echo(to_json({node: _fields_as_dict(*has) for node, has in found.items()}, 1))
        return
    targets = [(f"{node}::{name}", field) for node, (fields, _) in found.items() for name, field in fields.items()]
    width = max((len(target) for target, _ in targets), default=0)
    for target, field in targets:
        line = f"{target:<{width}}  {field.type:<6}  {field.units or '':<6}  {field.description or ''}".rstrip()
        click.echo(printable(line))


def _fields_as_dict(fields: "dict[str, Field]", timelines: "dict[str, Timeline]") -> dict[str, Any]:
    return {
        "fields": {name: field._asdict() for name, field in fields.items()},
        "timelines": {name: timeline._asdict() for name, timeline in timelines.items()},
    }


def _as_dict(node: "Node") -> dict[str, Any]:
    return {**node._asdict(), "since": to_seconds(node.since)}


def _ago(since: int, now: float) -> str:
    """How long ago that was, in its largest unit."""
    seconds = max(0.0, now - to_seconds(since))
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
