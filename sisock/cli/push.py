"""`sisock grafana push`: samples as they come, into Grafana Live."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sisock.cli import completing
from sisock.cli.asking import ask
from sisock.cli.failures import Failure
from sisock.cli.options import CLIENT, with_settings
from sisock.exits import Exit
from sisock.settings import Settings
from sisock.times import parse_duration

if TYPE_CHECKING:
    from sisock.cli.choosing import Choice
    from sisock.consumer import Consumer
    from sisock.outlets.grafana_live import Live


@click.command(epilog="Exit codes: 1 Grafana did not take them (--once), 2 bad options, 3 no such node, 4 no hub.")
@click.argument("url", metavar="URL")
@click.argument("targets", nargs=-1, metavar="[NODE|NODE::FIELD]...", shell_complete=completing.targets)
@click.option(
    "--token-file",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    metavar="FILE",
    help="File with the token of a service account of Grafana.",
)
@click.option("--stream", default="sisock", show_default=True, metavar="NAME", help="The stream of Grafana Live.")
@click.option("--every", metavar="TIME", help="At most one sample in so long, the newest: 1s, 500ms. Default: each.")
@click.option("--tag", "tags", multiple=True, metavar="KEY=VALUE", help="A tag of every line, once for each.")
@click.option(
    "--authority",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    metavar="FILE",
    help="PEM file of the authority of Grafana's certificate. Default: those this machine trusts.",
)
@click.option("--once", is_flag=True, help="Send the newest sample of each field, and end.")
@with_settings(*CLIENT)
def push(
    settings: Settings,
    *,
    url: str,
    targets: tuple[str, ...],
    token_file: Path,
    stream: str,
    every: str | None,
    tags: tuple[str, ...],
    authority: Path | None,
    once: bool,
) -> None:
    """Send samples to Grafana Live at URL as they come, until Ctrl-C.

    Without targets those of all nodes but sensitive ones, and of nodes that come later; NODE means all its
    fields without its health, and * in a name stands for anything. In a panel choose the data source "-- Grafana --",
    Live Measurements, and the channel stream/sisock/NODE/TIMELINE. While Grafana is away the newest 20,000
    lines wait; what had to be dropped is told.

      sisock grafana push http://127.0.0.1:3000 --token-file grafana.token host::cpu
      sisock grafana push https://grafana.example --token-file grafana.token --every 1s 'freezer*' host
      sisock grafana push http://127.0.0.1:3000 --token-file grafana.token --once weather
    """
    from sisock.cli.choosing import choice
    from sisock.outlets.grafana_live import Live, Trouble, address, read_token

    where, chosen, said = address(url, stream), choice(targets), _tags(tags)
    width = None if every is None else parse_duration(every)
    try:
        read_token(token_file)
    except Trouble as trouble:
        raise Failure(str(trouble), Exit.USAGE) from trouble
    live = Live(where, token_file, authority)
    if once:
        ask(settings, lambda consumer: _send_newest(consumer, chosen, live, said))
    else:
        click.echo(f"sisock: pushes to {where}{where.path}", err=True)
        ask(settings, lambda consumer: _send_all(consumer, chosen, live, said, width))


def _tags(given: tuple[str, ...]) -> dict[str, str]:
    """The tags of every line. Raises UsageError."""
    tags = {}
    for each in given:
        key, _, value = each.partition("=")
        if not key or not value or not each.isprintable():
            raise click.UsageError(f"--tag {each!r:.80}: write it as KEY=VALUE")
        tags[key] = value
    return tags


async def _send_newest(consumer: "Consumer", chosen: "Choice", live: "Live", tags: dict[str, str]) -> None:
    """Send the newest sample of each field; Failure where Grafana does not take them."""
    from sisock.cli.following import newest
    from sisock.outlets.grafana_live import Trouble
    from sisock.outlets.lines import lines, measurement

    found = [
        line.encode() + b"\n"
        for node, frame in await newest(consumer, chosen)
        for line in lines(measurement(node, frame.timeline), tags, frame)
    ]
    if not found:
        raise Failure("there is no sample of what was asked for: `sisock ls` tells what there is", Exit.UNKNOWN)
    try:
        await asyncio.to_thread(live.send, found)
    except Trouble as trouble:
        raise Failure(str(trouble)) from trouble
    finally:
        live.close()
    click.echo(f"{len(found)} lines were taken")


async def _send_all(
    consumer: "Consumer", chosen: "Choice", live: "Live", tags: dict[str, str], every: float | None
) -> None:
    """Send samples as they come, until cancelled."""
    from sisock.cli.following import Pace, follow
    from sisock.frames import Frame
    from sisock.outlets.lines import lines, measurement
    from sisock.outlets.sending import Sender
    from sisock.outlets.waiting import Waiting

    waiting = Waiting()

    def put(node: str, frame: Frame) -> None:
        waiting.put(lines(measurement(node, frame.timeline), tags, frame))

    sender = Sender(waiting, live, lambda sentence: click.echo(f"sisock: {sentence}", err=True))
    try:
        async with asyncio.TaskGroup() as tasks:
            pace = Pace(put, every)
            tasks.create_task(pace.run())
            await follow(consumer, chosen, pace.take)
    except ExceptionGroup as several:
        raise several.exceptions[0] from several
    finally:
        await asyncio.to_thread(sender.stop)
        click.echo(f"sisock: {sender.sent} lines were taken, {sender.lost}", err=True)
