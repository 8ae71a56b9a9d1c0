"""`sisock tail`: samples as they come."""

import asyncio
import json
from typing import TYPE_CHECKING

import click

from sisock.cli.asking import ask, by_node, check_fields
from sisock.cli.options import CLIENT, with_settings
from sisock.settings import Settings
from sisock.times import parse_duration

if TYPE_CHECKING:
    from sisock.consumer import Consumer
    from sisock.frames import Field, Frame


@click.command(epilog="Exit codes: 3 no such node or field, 4 no hub, 130 ended by Ctrl-C.")
@click.argument("targets", nargs=-1, required=True, metavar="NODE::FIELD...")
@click.option("--last", default="0s", metavar="TIME", help="Begin with those of so long: 10s, 5m.")
@click.option("--count", type=click.IntRange(1), metavar="N", help="End after so many lines.")
@click.option("--json", "as_json", is_flag=True, help="A JSON object on each line.")
@with_settings(*CLIENT)
def tail(settings: Settings, targets: tuple[str, ...], last: str, count: int | None, as_json: bool) -> None:
    """Print samples as they come, each once, until Ctrl-C.

    Lost connections and restarts of a node are waited for, and what was missed meanwhile is fetched.

      sisock tail host::cpu
      sisock tail host::cpu host::load/1 --last 1m
      sisock tail host::cpu --json --count 10 | jq .value
    """
    wanted, seconds, lines = by_node(targets), parse_duration(last), _Lines(count, as_json)
    ask(settings, lambda consumer: _follow_all(consumer, wanted, seconds, lines))


class _Lines:
    """Prints samples, up to a number of lines; `full` is set after the last."""

    def __init__(self, most: int | None, as_json: bool) -> None:
        self.full = asyncio.Event()
        self._left, self._as_json = most, as_json

    def print(self, node: str, frame: "Frame", fields: "dict[str, Field]") -> None:
        """Print each value of the frame that is there."""
        from sisock.cli.formats import stamps, values

        columns = {name: values(column) for name, column in frame.columns.items()}
        for row, stamp in enumerate(stamps(frame.t)):
            for name, column in columns.items():
                if self._left == 0:
                    return
                if column[row] is not None:
                    self._line(stamp, f"{node}::{name}", column[row], fields[name].units)

    def _line(self, stamp: str, target: str, value: object, units: str | None) -> None:
        if self._as_json:
            text = json.dumps({"time": stamp, "target": target, "value": value, "units": units}, ensure_ascii=False)
        else:
            shown = f"{value:.6g}" if isinstance(value, float) else str(value)
            text = f"{stamp}  {target}  {shown}{' ' + units if units else ''}"
        click.echo(text)
        if self._left is not None:
            self._left -= 1
            if self._left == 0:
                self.full.set()


async def _follow_all(consumer: "Consumer", wanted: dict[str, list[str]], last: float, lines: _Lines) -> None:
    """Follow all nodes until there are enough lines, or one of them cannot be followed."""
    fields = {node: await _known(consumer, node, names) for node, names in wanted.items()}
    following = [asyncio.create_task(_follow(consumer, node, fields[node], last, lines)) for node in wanted]
    enough = asyncio.create_task(lines.full.wait())
    try:
        done, _ = await asyncio.wait((enough, *following), return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (enough, *following):
            task.cancel()
        await asyncio.gather(enough, *following, return_exceptions=True)
    for task in done:
        task.result()


async def _known(consumer: "Consumer", node: str, names: list[str]) -> "dict[str, Field]":
    fields, _ = await consumer.fields(node, 0, 0)
    check_fields(node, names, fields)
    return {name: fields[name] for name in names}


async def _follow(consumer: "Consumer", node: str, fields: "dict[str, Field]", last: float, lines: _Lines) -> None:
    async for frame in consumer.live(node, tuple(fields), last):
        lines.print(node, frame, fields)
