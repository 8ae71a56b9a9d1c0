"""The agents that a gateway has met: which node each has, kept over restarts."""

import re
from collections.abc import Mapping
from pathlib import Path

from sisock.keys.key import public_here
from sisock.keys.principals import load_principal
from sisock.times import NS
from sisock.uris import NODE

TAG = "ocs"  # of every node of an agent
_MARK = "agent "  # what a note of one begins with
_HOUR = 3600 * NS
_FORGOTTEN = 7 * 86400 * NS  # ns without a word after which no node is begun for it any more
_FOREIGN = re.compile(r"[^A-Za-z0-9_-]")
_LONGEST = 200  # characters of an instance id


class Unfit(ValueError):
    """There can be no node for this agent; says why."""


class Known:
    """Instance ids and the names of their nodes."""

    def __init__(self, prefix: str, most: int) -> None:
        """Names begin with `prefix`; at most so many agents have a node. Raises ValueError with the cure."""
        if not isinstance(prefix, str) or not NODE.fullmatch(prefix) or prefix[-1] not in "-_":
            raise ValueError(
                f"prefix = {prefix!r:.80}: agents name nodes behind it, so let it end in '-', as in 'ocs-'"
            )
        self._prefix, self._most = prefix, most
        self._names: dict[str, str] = {}
        self._seen: dict[str, int] = {}  # as noted, ns
        self.recent: list[str] = []

    def recall(self, notes: Mapping[str, str], now: int) -> None:
        """Know what was noted before; `recent` are those that were heard within a week."""
        for key, value in notes.items():
            name, _, seen = value.partition(" ")
            if key.startswith(_MARK) and seen.isdecimal():
                agent = key.removeprefix(_MARK)
                self._names[agent], self._seen[agent] = name, int(seen)
        latest = sorted(self._seen, key=self._seen.__getitem__, reverse=True)
        self.recent = [each for each in latest if self._seen[each] > now - _FORGOTTEN][: self._most]

    def check_room(self, there: int) -> None:
        """Raise Unfit where as many have one as may."""
        if there >= self._most:
            raise Unfit(f"{self._most} agents are there already: choose some by 'agents', or raise 'most'")

    def name(self, agent: str, state: Path) -> str:
        """The name of its node. Raises Unfit where that is taken by another agent, or by any other principal."""
        if agent in self._names:
            return self._names[agent]
        name = self._prefix + _FOREIGN.sub("_", agent)
        if not agent or len(agent) > _LONGEST or not NODE.fullmatch(name):
            raise Unfit(f"{name!r:.80} cannot name a node: an instance id has to be there, and shorter")
        if name in self._names.values():
            raise Unfit(f"{agent!r} and another agent would both be the node {name!r}: rename one of them")
        if _is_anothers(state, name):
            raise Unfit(f"{name!r} is somebody else already: choose another 'prefix', or `sisock revoke {name}` first")
        self._names[agent] = name
        return name

    def note(self, agent: str, now: int) -> dict[str, str]:
        """What to keep of an agent that was just heard; nothing where that is kept well enough."""
        if now - self._seen.get(agent, 0) < _HOUR:
            return {}
        self._seen[agent] = now
        return {f"{_MARK}{agent}": f"{self._names[agent]} {now}"}


def _is_anothers(state: Path, name: str) -> bool:
    """Whether there is a principal of this name that is no agent's node of this machine."""
    try:
        entry = load_principal(state, name)
        return entry is not None and not (
            TAG in entry.get("tags", ()) and entry.get("keys") == [public_here(state, name)]
        )
    except (OSError, ValueError):  # it is broken, and somebody's
        return True
