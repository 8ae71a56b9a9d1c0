"""Every feed of an observatory control system, as data nodes: one for each of its agents."""

import contextlib
import re
import time
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Any, get_args

from data_nodes.ocs_feeds.agent import Agent, node_of, take
from data_nodes.ocs_feeds.decoding import Decoder, Limits, Unrecorded
from data_nodes.ocs_feeds.known import Known, Unfit
from data_nodes.ocs_feeds.service import FeedsService
from data_nodes.ocs_feeds.there import There
from sisock.frames import Field
from sisock.nodes import ReceivingNode
from sisock.nodes.base import RING, Opener, check_written
from sisock.nodes.receiving import Intake
from sisock.times import NS
from sisock.wamp import Link, WampError

_ROOT = re.compile(r"[A-Za-z0-9_-]+")
FIELDS = {
    "agents": Field("agents that were heard lately", "gateway", "number", "agents"),
    "messages": Field("events heard since the node was started", "gateway", "number", "messages"),
    "lost": Field("times that the link to the OCS router was lost", "gateway", "number"),
}


class OcsFeeds(ReceivingNode):
    """Every feed of an observatory control system (OCS): each of its agents becomes a node."""

    name = "ocs_feeds"
    fields = FIELDS

    def __init__(
        self,
        *,
        router: str = "",
        realm: str = "",
        ca: str = "",
        sign_in: str = "",
        user: str = "",
        secret_file: str = "",
        root: str = "observatory",
        agents: Sequence[str] = ("*",),
        apart: bool = True,
        prefix: str = "ocs-",
        most: int = 100,
        unrecorded: Unrecorded = "fields",
        quiet: float = 30.0,
        behind: float = 31 * 86400.0,
        ahead: float = 3600.0,
    ) -> None:
        """Hear the `agents` below `root`; each has a node of its own, or all are fields of this one (`apart = false`)."""
        if not isinstance(root, str) or not _ROOT.fullmatch(root):
            raise ValueError(f"root = {root!r:.80} is no first word of a topic: OCS sites have 'observatory'")
        if isinstance(agents, str) or not all(isinstance(each, str) for each in agents):
            raise ValueError(f"agents = {agents!r:.80}: give a list, as in ['LSA*', 'bluefors']")
        if unrecorded not in get_args(Unrecorded):
            raise ValueError(f"unrecorded = {unrecorded!r:.80}: it is one of {', '.join(get_args(Unrecorded))}")
        self.there = There(router, realm, ca, sign_in, user, secret_file)
        self.root, self.only, self.apart, self.quiet, self.unrecorded = root, tuple(agents), apart, quiet, unrecorded
        self.limits = Limits(round(behind * NS), round(ahead * NS))
        self.known = Known(prefix, most)
        self._heard: dict[str, int] = {}  # when, ns
        self._mixed: dict[str, Decoder] = {}
        self._messages = self._lost = 0
        self._hearing = False
        self._service: FeedsService | None = None
        self._link: Link | None = None

    def service(self, *, ring: int = RING, journal: Opener | None = None) -> FeedsService:
        """This node at work, and those of the agents beside it."""
        check_written(self, ReceivingNode, "receive")
        self._service = FeedsService(self, ring=ring, journal=journal)
        return self._service

    def sample(self) -> Any:
        """How the hearing goes."""
        recent = time.time_ns() - round(self.quiet * NS)
        return {"agents": sum(t > recent for t in self._heard.values()), "messages": self._messages, "lost": self._lost}

    async def receive(self, intake: Intake) -> None:
        """Stay joined there, and hand on what comes."""
        service = self._service
        assert service is not None  # who runs us
        settings, key = service.at()
        self.known.recall(intake.notes, time.time_ns())
        for agent in self.known.recent if self._apart() else ():
            with contextlib.suppress(Unfit):
                self._node(agent, "")

        async def joined(link: Link) -> None:
            await self._listen(link, intake)

        who = self.there.user or self.name
        link = self._link = Link(self.there.settings(settings), who, self.there.credential(key), joined)
        link.lost.append(lambda: self._went(intake))
        link.skipped = lambda size, beginning: self._skipped(intake, link.settings.message_limit, size, beginning)
        await link.run()

    async def _listen(self, link: Link, intake: Intake) -> None:
        try:
            await link.listen(f"{self.root}..feeds.", lambda topic, args: self._event(intake, topic, args))
        except WampError as error:
            if error.kind == "not_authorized" and not self.there.router:
                cure = f"`sisock principal set {self.name} --hears {self.root}` allows it"
                raise WampError(error.kind, f"{self.name} may not hear feeds below {self.root}: {cure}") from error
            raise
        self._hearing = True
        intake.tell("ok")

    def _went(self, intake: Intake) -> None:
        self._lost += self._hearing
        self._hearing = False
        intake.tell("no data", self.trouble())

    def trouble(self) -> str:
        """Why nothing can be heard of any agent now; empty where it can."""
        if self._hearing:
            return ""
        return (self._link and self._link.trouble) or "not connected to the router of the feeds yet"

    # events

    def _event(self, intake: Intake, topic: str, args: tuple[Any, ...]) -> None:
        """One event: topics come as the pattern wants them, their words may be anything."""
        words = str(topic).split(".")
        if len(words) != 4:
            intake.quarantine(str(topic), "this is no topic of a feed")
            return
        agent, feed, now = words[1], words[3], time.time_ns()
        if not any(fnmatchcase(agent, each) for each in self.only):
            return
        self._messages += 1
        try:
            if self._apart():
                self._node(agent, _kind(args)).hear(feed, args, now)
                self._note(intake, agent, now)
            else:
                take(intake, self._decoder(intake, agent), feed, args, now)
            self._heard[agent] = now
        except Unfit as error:
            intake.quarantine(agent, str(error))

    def _skipped(self, intake: Intake, most: int, size: int, beginning: bytes) -> None:
        """Tell of a message that was too large to be taken, and whose it was, as far as that can be seen."""
        self._messages += 1
        topic = re.search(rb"%s\.([^.]{1,200})\.feeds\." % self.root.encode(), beginning)
        source = topic[1].decode("utf-8", "replace") if topic else ""
        reason = f"it has {size:,} bytes, and a message may have {most:,}: it was left out"
        intake.quarantine(source, reason, beginning)

    def _note(self, intake: Intake, agent: str, now: int) -> None:
        if note := self.known.note(agent, now):
            intake.take([], notes=note)

    def _apart(self) -> bool:
        return self.apart and self._service is not None and self._service.host is not None

    def _decoder(self, intake: Intake, agent: str) -> Decoder:
        if agent not in self._mixed:
            self.known.check_room(len(self._mixed))
            self._mixed[agent] = Decoder(f"{agent}.", self.unrecorded, self.limits, intake.notes)
        return self._mixed[agent]

    def _node(self, agent: str, kind: str) -> Agent:
        """The node of this agent, which is begun where there is none. Raises Unfit."""
        service = self._service
        assert service is not None  # as above
        if agent not in service.agents:
            self.known.check_room(len(service.agents))
            name = self.known.name(agent, service.at()[0].state)
            made = node_of(
                agent, kind, name, unrecorded=self.unrecorded, limits=self.limits, quiet=self.quiet, away=self.trouble
            )  # fmt: skip
            service.begin(made)
        return service.agents[agent]


def _kind(args: tuple[Any, ...]) -> str:
    """The class that the agent says it has."""
    try:
        kind = args[0][1]["agent_class"]
    except (IndexError, KeyError, TypeError):
        return ""
    return kind[:100] if isinstance(kind, str) else ""
