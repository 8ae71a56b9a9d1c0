"""The node of one agent of an observatory control system: what the gateway hears of it, and how it goes."""

import asyncio
import reprlib
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from data_nodes.ocs_feeds.decoding import Decoder, Limits, Unrecorded
from data_nodes.ocs_feeds.known import TAG, Unfit
from sisock.nodes import ReceivingNode
from sisock.nodes.receiving import Intake
from sisock.times import utc

_MOST_EARLY = 300  # events that wait for their node to be at work
_SINGLY = 100  # sentences on an event that go into quarantine by themselves
_SHORT = reprlib.Repr()
_SHORT.maxdict = _SHORT.maxlist = _SHORT.maxtuple = 50
_SHORT.maxstring = _SHORT.maxother = 1000


class Agent(ReceivingNode):
    """The feeds of one agent."""

    tags = (TAG,)

    def __init__(
        self, agent: str, name: str, *, unrecorded: Unrecorded, limits: Limits, quiet: float, away: Callable[[], str]
    ) -> None:
        """Take what `hear` is given; nothing for `quiet` seconds is told, and why: `away()` says what else is known."""
        self.agent, self.name = agent, name
        self.heard_at = 0  # ns; 0: not since the start
        self._unrecorded: Unrecorded = unrecorded
        self._limits = limits
        self._quiet, self._away = quiet, away
        self._early: deque[tuple[str, tuple[Any, ...], int]] = deque()
        self._intake: Intake | None = None  # while it is at work
        self._decoder: Decoder | None = None
        self._came = asyncio.Event()

    def hear(self, feed: str, args: tuple[Any, ...], now: int) -> None:
        """Take one event of a feed, which came at `now` ns. Raises Unfit where the node is not at work."""
        self.heard_at = now
        self._came.set()
        if self._intake is not None and self._decoder is not None:
            take(self._intake, self._decoder, feed, args, now)
        elif len(self._early) < _MOST_EARLY:
            self._early.append((feed, args, now))
        else:
            raise Unfit(f"its node {self.name} is not at work: the log says why")

    async def receive(self, intake: Intake) -> None:
        """Say for as long as the node is at work whether something comes."""
        self._intake = intake
        self._decoder = self._decoder or Decoder("", self._unrecorded, self._limits, intake.notes)
        try:
            while self._early:
                self.hear(*self._early.popleft())
            await self._watch(intake)
        finally:
            self._intake = None

    async def _watch(self, intake: Intake) -> None:
        while True:
            self._came.clear()
            try:
                async with asyncio.timeout(self._quiet):
                    await self._came.wait()
                intake.tell("ok")
            except TimeoutError:
                intake.tell("no data", self._away() or self._silence())

    def _silence(self) -> str:
        since = f"since {utc(self.heard_at)}" if self.heard_at else "since this node was started"
        return f"nothing was heard of the agent {self.agent} {since}"


def take(intake: Intake, decoder: Decoder, feed: str, args: tuple[Any, ...], now: int | None = None) -> None:
    """Take what an event says, and put into quarantine what cannot be taken."""
    made = decoder.decode(feed, args, time.time_ns() if now is None else now)
    if made.frames:
        intake.take(made.frames, source=feed, payload=lambda: _shown(args), notes=made.notes)
    shown = _shown(args) if made.refused else ""
    for reason in made.refused[:_SINGLY]:
        intake.quarantine(feed, reason, shown)
    if more := made.refused[_SINGLY:]:
        intake.quarantine(feed, f"{len(more)} more of the same event: {more[0]}", shown)


def _shown(args: tuple[Any, ...]) -> str:
    """An event in a length that can be kept."""
    try:
        return _SHORT.repr(args)
    except ValueError:  # a number with more digits than Python writes
        return "it has a number that is too large to be shown"


def node_of(agent: str, kind: str, *given: Any, **more: Any) -> Agent:
    """A node of a class of its own, whose description says which agent it is."""
    words = f"The feeds of the OCS agent {agent}" + (f" ({kind})." if kind else ".")
    made: type[Agent] = type("OcsAgent", (Agent,), {"__doc__": words})
    return made(agent, *given, **more)
