"""Whom `sisock grafana push` follows: what is chosen, as nodes come, go and become what few may see."""

import asyncio
import contextlib

import numpy as np
import pytest

from sisock.cli.choosing import choice
from sisock.cli.following import follow
from sisock.errors import NoHub
from sisock.frames import Column, Frame
from sisock.inbox import Inbox
from sisock.listing import Node


class Fleet:
    """A source whose nodes are up, away or sensitive as the test says, with the frames that it gives them."""

    def __init__(self, *names: str) -> None:
        self.listed = {name: Node(name, "") for name in names}
        self.away = False
        self.news: Inbox[tuple[str, Node]] = Inbox(100)
        self.frames: dict[str, Inbox[Frame]] = {}
        self.followed: list[str] = []
        self.left: list[str] = []

    async def nodes(self):
        if self.away:
            raise NoHub("there is no router")
        return list(self.listed.values())

    async def live(self, node: str):
        self.followed.append(node)
        try:
            while True:
                yield await self.frames.setdefault(node, Inbox(100)).get()
        finally:
            self.left.append(node)

    @contextlib.contextmanager
    def watching(self):
        yield self.news

    def change(self, name: str, **how) -> None:
        """List the node so, and tell it."""
        self.listed[name] = Node(name, "", **how)
        self.news.put(("added", self.listed[name]))

    def give(self, node: str, number: int) -> None:
        """A sample of the node."""
        frame = Frame("t", np.array([number], np.int64), {"v": Column(np.array([number]))})
        self.frames.setdefault(node, Inbox(100)).put(frame)


@contextlib.asynccontextmanager
async def following(fleet: Fleet, *targets: str):
    """Follow while the test goes on; what comes back is what was taken."""
    taken: list[tuple[str, int]] = []
    task = asyncio.ensure_future(
        follow(fleet, choice(targets), lambda node, frame: taken.append((node, int(frame.t[0]))))
    )
    try:
        async with asyncio.timeout(20):
            yield taken
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def until(what) -> None:
    while not what():
        await asyncio.sleep(0.001)


async def test_a_node_that_becomes_sensitive_is_followed_no_further_until_it_is_so_no_more():
    fleet = Fleet("a", "b")
    async with following(fleet) as taken:
        fleet.give("a", 1)
        fleet.give("b", 1)
        await until(lambda: len(taken) == 2)
        fleet.change("b", sensitive=True)
        await until(lambda: fleet.left == ["b"])
        fleet.give("b", 2)
        fleet.give("a", 2)
        await until(lambda: ("a", 2) in taken)
        assert ("b", 2) not in taken
        fleet.frames["b"].waiting(10)
        fleet.change("b")
        fleet.give("b", 3)
        await until(lambda: ("b", 3) in taken)
    assert fleet.followed == ["a", "b", "b"]


async def test_a_sensitive_node_that_is_named_is_followed_all_along():
    fleet = Fleet("a", "b")
    async with following(fleet, "b") as taken:
        await until(lambda: fleet.followed)
        fleet.change("b", sensitive=True)
        fleet.give("b", 1)
        await until(lambda: taken)
        assert (fleet.followed, fleet.left) == (["b"], [])


@pytest.mark.parametrize("how", ["away", "unlisted", "no hub"])
async def test_nodes_that_are_away_or_not_listed_are_waited_for(how: str):
    fleet = Fleet("a")
    async with following(fleet) as taken:
        await until(lambda: fleet.followed)
        if how == "away":
            fleet.change("a", state="away")
        elif how == "unlisted":
            del fleet.listed["a"]
        fleet.away = how == "no hub"
        fleet.news.put(("subtracted", Node("a", "")))
        await until(lambda: not fleet.news)
        fleet.away = False
        fleet.change("c")
        await until(lambda: "c" in fleet.followed)
        fleet.give("a", 1)
        await until(lambda: taken == [("a", 1)])
        assert fleet.left == []
