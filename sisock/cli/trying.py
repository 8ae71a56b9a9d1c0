"""A node tried once: what it would give, without a router, and without anything being kept."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from sisock.cli.formats import listed, short, stamps
from sisock.frames import Answer, Field, Frame
from sisock.nodes import DataNode, ReceivingNode, Service
from sisock.nodes import health as of_health
from sisock.nodes.base import name_of
from sisock.nodes.receiving import TIMELINE, ReceivingService
from sisock.printable import printable
from sisock.store.quarantine import Refused
from sisock.times import LAST

_WITHIN = 30.0  # seconds
_SOON = 2.0  # seconds after which it is told that one waits
_MOST_FIELDS = 1000  # that are shown
_LATE = f"nothing came within {_WITHIN:g} s"


class Trial(NamedTuple):
    """How a trial went: the node's state, seconds, a sentence; its fields, the last value of each, and what was refused."""

    state: str
    took: float
    error: str | None
    samples: int
    fields: dict[str, Field]
    last: Answer
    refused: int
    latest: Refused | None


async def tried(node: DataNode, within: float = _WITHIN, waits: Callable[[], object] = lambda: None) -> Trial:
    """Let the node work until it has given something, failed, or so many seconds are over; where that takes long, `waits`."""
    if hasattr(node, "on_trial"):
        node.on_trial = True
    began = time.monotonic()
    service, seen = node.service(), _Seen(isinstance(node, ReceivingNode))
    if isinstance(service, ReceivingService):
        service.on_trial = True
    task = asyncio.ensure_future(service.run(seen))
    waiting = asyncio.get_running_loop().call_later(_SOON, waits)
    done = asyncio.ensure_future(seen.enough.wait())
    try:
        await asyncio.wait({task, done}, timeout=within, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            task.result()
        took = time.monotonic() - began
        fields, last = await _last(service)
    finally:
        waiting.cancel()
        done.cancel()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait({task}, timeout=2)
    quarantine = service.quarantine if isinstance(service, ReceivingService) else None
    state, error = (seen.state, seen.error) if seen.enough.is_set() else ("no data", seen.error or _LATE)
    return Trial(state, took, error, seen.samples, fields, last,
                 quarantine.count if quarantine else 0, quarantine.latest if quarantine else None)  # fmt: skip


class _Seen:
    """What a node that is tried publishes."""

    def __init__(self, receiving: bool) -> None:
        self.enough = asyncio.Event()
        self.samples = 0
        self.state = "no data"
        self.error: str | None = None
        self._quiet: Any = ... if receiving else None  # what it says before anything has come

    def __call__(self, frame: Frame) -> None:
        if frame.timeline != of_health.TIMELINE:
            self.samples += len(frame) if frame.timeline != TIMELINE else 0
            return
        self.state = str(frame.columns["health.state"].values[-1])
        told = frame.columns.get("health.error")
        self.error = str(told.values[-1]) if told is not None and told.present()[-1] else None
        if self._quiet is ...:
            self._quiet = self.error
        if self.samples or self.state != "no data" or self.error != self._quiet:
            self.enough.set()


async def _last(service: Service) -> tuple[dict[str, Field], Answer]:
    every, _ = await service.get_fields(0, 0)
    own = (of_health.TIMELINE, TIMELINE)
    fields = {name: field for name, field in every.items() if field.timeline not in own}
    return fields, await service.get_sample(list(fields)[:_MOST_FIELDS], LAST, "at")


def lines(node: DataNode, trial: Trial) -> Iterator[str]:
    """The trial for people."""
    why = f": {trial.error}" if trial.error else ""
    many = f", {trial.samples:,} samples, of which this is the last" if trial.samples > 1 else ""
    yield printable(f"{name_of(node)}: {trial.state}{why} ({trial.took:.1f} s{many})")
    yield from _aligned(list(_rows(trial)))
    if trial.latest is not None:
        yield f"  refused: {trial.refused:,}; the last one: {trial.latest.reason}:"
        yield f"    {_shown(trial.latest.payload)}"
    lacking = [name for name, field in trial.fields.items() if not len(trial.last.series(name)[0])]
    if lacking and trial.samples:
        yield f"  nothing came of: {', '.join(lacking[:20])}"


def _rows(trial: Trial) -> Iterator[tuple[str, ...]]:
    for name, field in trial.fields.items():
        t, column = trial.last.series(name)
        if len(t):
            yield name, short(listed(column)[-1]), field.units or "", field.type, stamps(t[-1:] // 10**6 * 10**6)[0]


def _aligned(rows: list[tuple[str, ...]]) -> Iterator[str]:
    if rows:
        rows = [("FIELD", "VALUE", "UNITS", "TYPE", "TIME (UTC)"), *rows]
        widths = [max(len(row[i]) for row in rows) for i in range(5)]
        for row in rows:
            yield "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _shown(payload: bytes) -> str:
    text = payload[:200].decode("utf-8", "backslashreplace").strip()
    return printable(text)[:120]
