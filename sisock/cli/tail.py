"""`sisock tail`: samples as they come."""

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from sisock.cli import completing
from sisock.cli.asking import ask, by_node, check_fields
from sisock.cli.options import CLIENT, with_settings
from sisock.printable import printable, to_json
from sisock.settings import Settings
from sisock.times import FIRST, parse_duration
from sisock.uris import JOINT

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

    from sisock.consumer import Consumer
    from sisock.frames import Answer, Field, Frame

_PER_BIN = ("band", "mean", "first", "last", "count", "std")


@click.command(epilog="Exit codes: 3 no such node or field, 4 no hub, 130 ended by Ctrl-C.")
@click.argument("targets", nargs=-1, required=True, metavar="NODE::FIELD...", shell_complete=completing.fields)
@click.option("--last", default="0s", metavar="TIME", help="Begin with those of so long: 10s, 5m.")
@click.option("--count", type=click.IntRange(1), metavar="N", help="End after so many lines.")
@click.option("--bin", "width", metavar="TIME", help="Not each sample, but what is in bins of so long: 10s, 5m.")
@click.option("--reduce", "method", type=click.Choice(_PER_BIN), help="What is told of each bin. Default: band.")
@click.option("--json", "as_json", is_flag=True, help="A JSON object on each line.")
@with_settings(*CLIENT)
def tail(
    settings: Settings, targets: tuple[str, ...], last: str, count: int | None, width: str | None,
    method: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Print samples as they come, each once, until Ctrl-C.

    Lost connections and restarts of a node are waited for, and what was missed meanwhile is fetched.

      sisock tail host::cpu
      sisock tail host::cpu host::load/1 --last 1m
      sisock tail host::cpu --json --count 10 | jq .value
      sisock tail host::cpu --bin 2s --reduce mean
    """
    if method is not None and width is None:
        raise click.UsageError("--reduce needs --bin: say how long each bin is")
    wanted, seconds, lines = by_node(targets), parse_duration(last), _Lines(count, as_json)
    if width is None:
        ask(
            settings, lambda consumer: _follow_all(consumer, wanted, lines, partial(_samples, consumer, seconds, lines))
        )
        return
    bins = parse_duration(width)
    if bins <= 0:
        raise click.UsageError("--bin: longer than 0s")
    ask(
        settings,
        lambda consumer: _follow_all(
            consumer, wanted, lines, partial(_bins, consumer, seconds, lines, bins, method or "band")
        ),
    )


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
                    self._line(stamp, f"{node}::{name}", column[row], fields[name.partition(JOINT)[0]].units)

    def _line(self, stamp: str, target: str, value: object, units: str | None) -> None:
        if self._as_json:
            text = to_json({"time": stamp, "target": target, "value": value, "units": units})
        else:
            shown = f"{value:.6g}" if isinstance(value, float) else str(value)
            text = printable(f"{stamp}  {target}  {shown}{' ' + units if units else ''}")
        click.echo(text)
        if self._left is not None:
            self._left -= 1
            if self._left == 0:
                self.full.set()


async def _follow_all(
    consumer: "Consumer", wanted: dict[str, list[str]], lines: _Lines,
    follow: "Callable[[str, dict[str, Field]], Coroutine[Any, Any, None]]",
) -> None:  # fmt: skip
    """Follow all nodes until there are enough lines, or one of them cannot be followed."""
    fields = {node: await _known(consumer, node, names) for node, names in wanted.items()}
    following = [asyncio.create_task(follow(node, fields[node])) for node in wanted]
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


async def _samples(consumer: "Consumer", last: float, lines: _Lines, node: str, fields: "dict[str, Field]") -> None:
    async for frame in consumer.live(node, tuple(fields), last):
        lines.print(node, frame, fields)


async def _bins(
    consumer: "Consumer", last: float, lines: _Lines, width: float, method: str, node: str, fields: "dict[str, Field]"
) -> None:
    """Print each bin once, when no more will come into it, and each change of a text."""
    fresh = Fresh()
    async for answer in consumer.live_bins(node, tuple(fields), width, reduce=method, last=last):
        for frame in fresh.of(answer):
            lines.print(node, frame, fields)


class Fresh:
    """What is to be printed of answers in bins, each once."""

    def __init__(self) -> None:
        """Nothing was printed yet."""
        self._printed: dict[str, int] = {}  # axis -> up to when

    def of(self, answer: "Answer") -> "Iterator[Frame]":
        """Of each axis the bins that no more will come into; texts that have no bins as they changed."""
        for part in answer.parts:
            axis, t = part.points.timeline, part.points.t
            begin, until = self._printed.get(axis, FIRST), part.finalized_until
            if until is None:
                until = FIRST
            elif axis == f"{part.of}{JOINT}{answer.method}":
                until -= answer.bin or 0
            self._printed[axis] = max(begin, until + 1)
            yield part.points.rows((t >= begin) & (t <= until))
