"""`sisock at`: what fields were at one instant."""

import asyncio
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from sisock.cli import completing
from sisock.cli.asking import ask, check_fields
from sisock.cli.failures import code_of
from sisock.cli.moments import moment
from sisock.cli.options import CLIENT, with_settings
from sisock.errors import ConsumerError, NodeAway
from sisock.printable import printable, to_json
from sisock.settings import Settings
from sisock.uris import JOINT, fields_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sisock.consumer import Consumer
    from sisock.frames import Answer, Field
    from sisock.nearest import Which


_SHORT = 24  # letters of a value that stands in the column of values


class Reading(NamedTuple):
    """What a field was, and when that was sampled; no time where there is no sample."""

    target: str
    field: "Field"
    time: str | None
    value: Any


@click.command(epilog="Exit codes: 2 a time or target cannot be read, 3 no such node or field, 4 no hub or no answer.")
@click.argument("when", metavar="WHEN")
@click.argument("targets", nargs=-1, metavar="[NODE|NODE::FIELD]...", shell_complete=completing.targets)
@click.option(
    "--which",
    type=click.Choice(["at", "before", "after"]),
    default="at",
    show_default=True,
    help="The last sample at or before WHEN, the last before it, or the first after it.",
)
@click.option("--format", "kind", type=click.Choice(["table", "json"]), default="table")
@with_settings(*CLIENT)
def at(settings: Settings, *, when: str, targets: tuple[str, ...], which: "Which", kind: str) -> None:
    """Tell what fields were at one instant: all of them, or those of the NODEs and FIELDs named.

    WHEN is written as 2017-07-14T00:00Z, 2017, now, now-2d or UNIX seconds. A field's sample is the nearest
    one that has a value.

      sisock at now host
      sisock at 2017-07-14T12:00Z weather::seattle/temp_max --which after
      sisock at now-1h --format json | jq '.[] | select(.value != null)'
    """
    fields_of(targets)
    found, errors = ask(settings, lambda consumer: _look(consumer, moment(when), targets, which, settings.deadline))
    away = [error for error in errors if isinstance(error, NodeAway) and not targets]
    failed = [error for error in errors if error not in away]
    if not found and failed:
        raise failed[0]
    click.echo(_as_json(found) if kind == "json" else "\n".join(as_lines(found)))
    for error in errors:
        click.echo(f"sisock: {error}", err=True)
    if failed:
        sys.exit(max(map(code_of, failed)))


async def _look(
    consumer: "Consumer", when: float, targets: "Sequence[str]", which: "Which", deadline: float
) -> tuple[list[Reading], list[ConsumerError]]:
    """What the fields were, and the errors of the nodes that do not tell. Raises Failure for an unknown field."""
    found = await consumer.instant(when, targets or None, which, deadline=deadline)
    told = {node: answer for node, answer in found.items() if not isinstance(answer, ConsumerError)}
    errors = [answer for answer in found.values() if isinstance(answer, ConsumerError)]
    known = await asyncio.gather(*map(consumer.fields, told), return_exceptions=True)
    wanted, readings = fields_of(targets), list[Reading]()
    for (node, answer), about in zip(told.items(), known, strict=True):
        if isinstance(about, ConsumerError):  # it went away meanwhile
            errors.append(about)
        elif isinstance(about, BaseException):
            raise about
        else:
            fields, _ = about
            check_fields(node, wanted.get(node) or (), fields)
            readings += [
                _reading(f"{node}{JOINT}{name}", fields[name], answer, name) for name in wanted.get(node) or fields
            ]
    return readings, errors


def _reading(target: str, field: "Field", answer: "Answer", name: str) -> Reading:
    from sisock.cli.formats import listed, stamps

    t, column = answer.series(name)
    return Reading(target, field, *((stamps(t)[0], listed(column)[0]) if len(t) else (None, None)))


def as_lines(found: "Sequence[Reading]") -> list[str]:
    """A table of what fields were; a long text makes its own line longer, and no other."""
    from sisock.cli.formats import short

    cells = [(each.target, short(each.value), each.field.units or "", each.time or "no sample") for each in found]
    target, units = (max((len(row[i]) for row in cells), default=0) for i in (0, 2))
    value = max((len(row[1]) for row in cells if len(row[1]) <= _SHORT), default=0)
    return [printable(f"{a:<{target}}  {b:>{value}} {c:<{units}}  {d}") for a, b, c, d in cells]


def _as_json(found: list[Reading]) -> str:
    from sisock.cli.formats import finite

    made = [
        {"target": e.target, "time": e.time, "value": finite(e.value), "type": e.field.type, "units": e.field.units}
        for e in found
    ]
    return to_json(made, 1)
