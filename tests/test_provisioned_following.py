"""The fleet as dashboards follow it, through a hub that is away and nodes that come and go."""

import contextlib

import pytest

from sisock.errors import NoAnswer, NodeAway, NoHub
from sisock.frames import Field
from sisock.grafana import reading
from sisock.inbox import Inbox
from sisock.listing import Node
from sisock.nodes import health


class Hub:
    """A source that is away at first, then has nodes that come."""

    def __init__(self) -> None:
        self.trouble: list[Exception] = [NoHub("there is no router"), NoHub("there is no router"), NoAnswer("late")]
        self.listed = [Node("a", ""), Node("gone", "", "away"), Node("secret", "", sensitive=True)]
        self.news: Inbox[tuple[str, Node]] = Inbox(100)

    async def nodes(self):
        if self.trouble:
            raise self.trouble.pop(0)
        return self.listed

    async def fields(self, node, start, end):
        if node == "gone":
            raise NodeAway("gone is away")
        return {"x": Field(), **health.FIELDS}, {}

    @contextlib.contextmanager
    def watching(self):
        yield self.news


async def test_a_hub_that_is_away_is_waited_for_and_told_once_and_what_was_known_stays(monkeypatch: pytest.MonkeyPatch):
    for name in ("_RETRY", "_SETTLED"):
        monkeypatch.setattr(reading, name, 0.01)
    hub, told = Hub(), list[str]()
    fleets = reading.follow_fleet(hub, told.append)
    first = await anext(fleets)
    assert told == ["there is no router; waiting", "late; waiting"]
    assert [node.name for node in first.nodes] == ["a", "gone"]
    assert (first.away, first.unread, first.hidden) == ({"gone"}, {"gone"}, {"secret"})
    for at in range(5):
        hub.listed.append(Node(f"new{at}", ""))
        hub.news.put(("added", hub.listed[-1]))
    second = await anext(fleets)
    assert len(second.nodes) == 7
    hub.listed[0] = Node("a", "", "away")
    hub.listed[-1] = hub.listed[-1]._replace(sensitive=True)
    hub.fields = _nothing
    hub.news.put(("subtracted", hub.listed[0]))
    third = await anext(fleets)
    assert third.nodes == second.nodes[:-1]  # as they were when they told their fields
    assert third.hidden == {"secret", "new4"}
    assert "a" in third.unread & third.away
    await fleets.aclose()


async def _nothing(node, start, end):
    raise NodeAway(f"{node} is away")
