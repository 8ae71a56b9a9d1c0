"""Feeds of an observatory control system: from agents at another router, or at ours, to whoever looks."""

import asyncio
import contextlib
import json
import os
import re
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from typing import Any

import httpx
import pytest

from data_nodes.ocs_feeds.there import There
from sisock.consumer import Consumer, ConsumerError
from sisock.keys import Key
from sisock.listing import Node
from sisock.store import quarantine
from sisock.testing.router import free_port
from sisock.wamp import Link, WampError
from tests.fleet import Fleet, running_fleet
from tests.laboratory import refused
from tests.ocs import REALM, ROOT, SECRET, USER, Agent, Site, beating, run_fake_data, running_site

PATIENCE = 60.0  # seconds until a test gives up
NODE = "ocs_feeds"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running_site(tmp_path_factory.mktemp("site")) as site:
        yield site


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory, site: Site) -> Iterator[Fleet]:
    principals = {"ocs-taken": "data_node", "thermo1": {"role": "data_node", "tells": [ROOT]}}
    folder = tmp_path_factory.mktemp("fleet")
    with running_fleet(folder, principals, bridge_port=free_port()) as fleet:
        table = f'[ocs_feeds]\nrouter = "{site.url}"\nrealm = "{REALM}"\nquiet = 3.0\n'
        own = f'[own]\nagents = ["thermo*"]\napart = false\nroot = "{ROOT}"\n'
        (folder / "sisock.toml").write_text(table + own)
        start(fleet)
        yield fleet


def start(fleet: Fleet) -> None:
    fleet.run(NODE, "-m", "sisock", "node", NODE)


@pytest.fixture
async def consumer(fleet: Fleet) -> AsyncIterator[Consumer]:
    async with Consumer(fleet.settings, "cli") as consumer:
        yield consumer


@pytest.fixture
async def hearing(consumer: Consumer) -> Consumer:
    """A consumer once the gateway hears the site."""
    await until(consumer, lambda nodes: NODE in nodes and nodes[NODE].state == "up" and is_well(nodes[NODE]))
    return consumer


def is_well(node: Node) -> bool:
    return node.state == "up" and "health" not in node.info


async def until(consumer: Consumer, reached: Callable[[dict[str, Node]], bool]) -> dict[str, Node]:
    """Wait until the hub lists it so; the listing."""
    seen: dict[str, Node] = {}
    try:
        async with asyncio.timeout(PATIENCE):
            while True:
                with contextlib.suppress(ConsumerError):
                    seen = {node.name: node for node in await consumer.nodes()}
                    if reached(seen):
                        return seen
                await asyncio.sleep(0.1)
    except TimeoutError:
        pytest.fail(f"the hub lists {seen}")


async def values(consumer: Consumer, node: str, field: str, least: int = 1) -> list[Any]:
    """All values of a field, once there are so many."""
    found: list[Any] = []
    try:
        async with asyncio.timeout(PATIENCE):
            while True:
                with contextlib.suppress(ConsumerError):
                    found = (await consumer.data(node, [field], 1, 0)).series(field)[1].values.tolist()
                    if len(found) >= least:
                        return found
                await asyncio.sleep(0.1)
    except TimeoutError:
        pytest.fail(f"{node}::{field} has {found}")


async def test_an_agent_becomes_a_node_its_blocks_timelines_and_its_fields_fields(
    hearing: Consumer, site: Site
) -> None:
    now = time.time()
    times = [now - 60, now - 59.5, now]
    with site.agent("LSA22") as agent:
        agent.sample("temperatures", {"ch1": [4, 4.5, 5], "state": ["warm", "warm", "cold"]}, times)
        agent.sample("temperatures", {"p": [1]}, [now - 1], "pressure")
        agent.sample("temperatures", {"p": [1e-6]}, [now], "pressure")
        agent.heartbeat(acq=3, init=5)
        nodes = await until(hearing, lambda nodes: "ocs-LSA22" in nodes and is_well(nodes["ocs-LSA22"]))
    assert nodes["ocs-LSA22"].description == "The feeds of the OCS agent LSA22 (Lakeshore372Agent)."
    assert nodes["ocs-LSA22"].info["tags"] == ["ocs"]
    assert await values(hearing, "ocs-LSA22", "temperatures.ch1", 3) == [4.0, 4.5, 5.0]
    answer = await hearing.data("ocs-LSA22", ["temperatures.ch1", "temperatures.state"], 1, 0)
    t, _ = answer.series("temperatures.ch1")
    assert [each / 1e9 for each in t.tolist()] == pytest.approx(times, abs=1e-6)
    assert answer.series("temperatures.state")[1].values.tolist() == ["warm", "warm", "cold"]
    assert await values(hearing, "ocs-LSA22", "temperatures.p", 2) == [1, 1e-6]  # a whole number, then a fraction
    assert await values(hearing, "ocs-LSA22", "heartbeat.acq") == [3]
    assert await values(hearing, "ocs-LSA22", "agent.session") == [agent.session]
    fields, timelines = await hearing.fields("ocs-LSA22")
    assert timelines["temperatures.temps"].fields == ("temperatures.ch1", "temperatures.state")
    assert fields["temperatures.p"].timeline == "temperatures.pressure"


async def test_what_comes_is_live_at_once_and_each_sample_once(hearing: Consumer, site: Site) -> None:
    seen: list[int] = []
    with site.agent("live") as agent:
        agent.sample("f", {"n": [0]}, [time.time()])
        await until(hearing, lambda nodes: "ocs-live" in nodes and nodes["ocs-live"].state == "up")
        async with (
            asyncio.timeout(PATIENCE),
            contextlib.aclosing(hearing.live("ocs-live", ["f.n"], last=600)) as frames,
        ):
            async for frame in frames:
                seen += frame.columns["f.n"].values.tolist() if "f.n" in frame.columns else []
                if len(seen) >= 20:
                    break
                await asyncio.to_thread(agent.sample, "f", {"n": [len(seen)]}, [time.time()])
    assert seen == list(range(20))


async def test_what_is_odd_goes_into_quarantine_and_the_rest_goes_on(
    hearing: Consumer, site: Site, fleet: Fleet
) -> None:
    state, now = fleet.settings.state, time.time()
    with site.agent("odd") as agent:
        agent.raw("f")
        agent.raw("f", 1, 2)
        agent.raw("f", [{}, {"record": True}])
        agent.sample("f", {"a": [1, 2], "long": [1]}, [now - 1, now])
        agent.sample("f", {"a": ["now a text"]}, [now])
        agent.sample("f", {"a": [5]}, [now - 10 * 365 * 86400])
        agent.sample("f", {f"{i}": [i] for i in range(9_000)}, [now], "wide")
        agent.sample("f", {"v": list(range(200_000))}, [now - i / 1e4 for i in range(200_000)], "long")
        agent.sample("f", {"a": [3]}, [now])
    with site.agent("taken") as stranger:
        stranger.heartbeat(a=1)
    with site.agent("x" * 80) as long:
        long.heartbeat(a=1)
    assert await values(hearing, "ocs-odd", "f.a", 3) == [1, 2, 3]
    assert await values(hearing, "ocs-odd", "f.8999") == [8999]
    assert len(await values(hearing, "ocs-odd", "f.v", 200_000)) == 200_000
    found = await reasons(state, "ocs-odd", 6)
    for part in (
        "no event of a feed",
        "dictionary of blocks",
        "1 values came for 2",
        "a field keeps its kind",
        "too far from now",
    ):
        assert any(part in each for each in found), (part, found)
    found = await reasons(state, NODE, 2)
    assert any("'ocs-taken' is somebody else already" in each for each in found)
    assert any("cannot name a node" in each for each in found)
    assert "ocs-taken" not in {node.name for node in await hearing.nodes()}


async def test_a_message_that_is_larger_than_may_be_costs_only_itself_and_is_counted(
    hearing: Consumer, site: Site, fleet: Fleet
) -> None:
    before = {field: (await values(hearing, NODE, field))[-1] for field in ("received.quarantined", "lost")}
    process = fleet.processes[NODE]
    with site.agent("large") as agent:
        agent.client.socket.settimeout(PATIENCE)
        agent.sample("f", {"n": [1]}, [time.time()])
        assert await values(hearing, "ocs-large", "f.n") == [1]
        await asyncio.to_thread(agent.sample, "f", {"text": ["x" * 65 * 2**20]}, [time.time()])
        agent.sample("f", {"n": [2]}, [time.time()])
        assert await values(hearing, "ocs-large", "f.n", 2) == [1, 2]
    async with asyncio.timeout(PATIENCE):
        while (await values(hearing, NODE, "received.quarantined"))[-1] == before["received.quarantined"]:
            await asyncio.sleep(0.1)
    (refused,) = [each for each in quarantine.latest(fleet.settings.state, NODE, 100) if each.source == "large"]
    assert re.fullmatch(
        r"it has 68,15\d,\d{3} bytes, and a message may have 67,108,864: it was left out", refused.reason
    )
    assert b"observatory.large.feeds.f" in refused.payload
    assert (await values(hearing, NODE, "lost"))[-1] == before["lost"]
    assert process.poll() is None


async def reasons(state: Any, name: str, least: int) -> list[str]:
    """Why things are in quarantine, once there are so many."""
    async with asyncio.timeout(PATIENCE):
        while True:
            with contextlib.suppress(OSError):
                found = quarantine.latest(state, name, 100) if name in quarantine.names(state) else []
                if len(found) >= least:
                    return [each.reason for each in found]
            await asyncio.sleep(0.1)


async def says(consumer: Consumer, node: str, state: str, error: str = "") -> None:
    """Wait until the node tells this of its health."""
    last: list[Any] = []
    try:
        async with asyncio.timeout(PATIENCE):
            while last[:1] != [state] or error not in last[1]:
                last = [(await values(consumer, node, f"health.{what}"))[-1] for what in ("state", "error")]
                await asyncio.sleep(0.1)
    except TimeoutError:
        pytest.fail(f"{node} says {last}")


async def test_an_agent_that_is_quiet_and_a_site_that_is_away_are_told_and_heal(hearing: Consumer, site: Site) -> None:
    with site.agent("flaky") as agent:
        agent.sample("f", {"n": [1]}, [time.time()])
        assert await values(hearing, "ocs-flaky", "f.n") == [1]
    await says(hearing, "ocs-flaky", "no data", "nothing was heard of the agent flaky since 20")
    site.stop()
    await says(hearing, NODE, "no data")
    site.start()
    await says(hearing, NODE, "ok")
    async with beating(site, "flaky"):
        with site.agent("flaky") as agent:
            agent.sample("f", {"n": [2]}, [time.time()])
        await says(hearing, "ocs-flaky", "ok")
        assert await values(hearing, "ocs-flaky", "f.n", 2) == [1, 2]
        assert len(set(await values(hearing, "ocs-flaky", "agent.session", 2))) >= 2
    async with asyncio.timeout(PATIENCE):
        while (await values(hearing, NODE, "lost"))[-1] < 1:
            await asyncio.sleep(0.1)


async def test_agents_and_their_samples_are_there_again_after_a_kill_and_a_restart_of_our_router(
    hearing: Consumer, site: Site, fleet: Fleet
) -> None:
    with site.agent("kept") as agent:
        agent.sample("f", {"n": [1, 2]}, [time.time() - 1, time.time()])
        assert await values(hearing, "ocs-kept", "f.n", 2) == [1, 2]
        batch = await hearing.read_from("ocs-kept")
        async with asyncio.timeout(PATIENCE):
            while not any("f.n" in frame.columns for frame in batch.frames):
                batch = await hearing.read_from("ocs-kept")
        fleet.kill(NODE)
        fleet.router.restart()
        start(fleet)
        await until(hearing, lambda nodes: NODE in nodes and is_well(nodes[NODE]) and nodes["ocs-kept"].state == "up")
        agent.sample("f", {"n": [3]}, [time.time()])
        assert await values(hearing, "ocs-kept", "f.n", 3) == [1, 2, 3]


async def test_the_bridge_for_grafana_has_what_agents_say(hearing: Consumer, site: Site, fleet: Fleet) -> None:
    with site.agent("shown") as agent:
        agent.sample("temperatures", {"ch1": [4.25]}, [time.time()])
        assert await values(hearing, "ocs-shown", "temperatures.ch1") == [4.25]
    fleet.run("grafana", "-m", "grafana_json")
    with httpx.Client(base_url=f"http://127.0.0.1:{fleet.settings.bridge_port}", timeout=30) as bridge:
        asked = {"target": "ocs-shown::temperatures.ch1", "from": "-10m"}
        async with asyncio.timeout(PATIENCE):
            while True:
                with contextlib.suppress(httpx.TransportError):
                    answer = bridge.get("/api/data", params=asked)
                    if answer.status_code == 200 and "4.25" in answer.text:
                        return
                await asyncio.sleep(0.2)


# at our own router


async def test_at_our_own_router_only_who_may_hears_feeds_and_agents_publish_only_their_own(
    hearing: Consumer, fleet: Fleet
) -> None:
    fleet.run("own", "-m", "sisock", "node", NODE, "--name", "own")
    await until(hearing, lambda nodes: "own" in nodes and nodes["own"].info.get("health") == "no data")
    async with asyncio.timeout(PATIENCE):
        while "sisock principal set own --hears observatory" not in fleet.log("own").read_text():
            await asyncio.sleep(0.1)
    fleet.run("set", "-m", "sisock", "principal", "set", "own", "--hears", ROOT).wait(60)
    await until(hearing, lambda nodes: is_well(nodes["own"]))
    with fleet.router.client("thermo1") as client:
        agent = Agent(client, "thermo1")
        agent.sample("temperatures", {"ch1": [77.5]}, [time.time()])
        assert refused(Agent(client, "LSA22").heartbeat, a=1).uri == "wamp.error.not_authorized"
    assert await values(hearing, "own", "thermo1.temperatures.ch1") == [77.5]
    with fleet.router.client("cli") as other:
        assert refused(other.subscribe, f"{ROOT}..feeds.", match="wildcard").uri == "wamp.error.not_authorized"


# how to sign in at another


def ways(site: Site) -> dict[str, There]:
    secret = {"user": USER, "secret_file": str(site.secret)}
    return {
        "anonymous": There(site.url, REALM),
        "tls": There(site.wss, REALM, ca=str(site.ca)),
        "ticket": There(site.wss, REALM, ca=str(site.ca), sign_in="ticket", **secret),
        "wampcra": There(site.url, REALM, sign_in="wampcra", **secret),
    }


@pytest.mark.parametrize("way", ["anonymous", "tls", "ticket", "wampcra"])
async def test_every_way_to_sign_in_hears_the_feeds(way: str, site: Site, fleet: Fleet) -> None:
    there = ways(site)[way]
    heard: asyncio.Queue[tuple[str, Any]] = asyncio.Queue()

    async def joined(link: Link) -> None:
        await link.listen(f"{ROOT}..feeds.", lambda topic, args: heard.put_nowait((topic, args[0][0])))

    link = Link(there.settings(fleet.settings), there.user or NODE, there.credential(Key("", "")), joined)
    running = asyncio.create_task(link.run())
    try:
        await asyncio.wait_for(link.joined.wait(), PATIENCE)
        with site.agent(way) as agent:
            agent.heartbeat(a=1)
        assert await asyncio.wait_for(heard.get(), PATIENCE) == (f"{ROOT}.{way}.feeds.heartbeat", {"a": 1})
    finally:
        running.cancel()
        await asyncio.wait({running})


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"realm": "no_such_realm"}, "realm"),
        ({"sign_in": "wampcra", "user": USER, "secret_file": "wrong"}, "cannot join|signature|not_authorized|invalid"),
        ({"router": "", "ca": ""}, "its certificate is not trusted"),
    ],
)
async def test_a_router_that_does_not_let_us_in_is_told(
    changed: dict[str, str], why: str, site: Site, fleet: Fleet, tmp_path: Any
) -> None:
    if "secret_file" in changed:
        (tmp_path / "wrong").write_text("not " + SECRET)
        changed = {**changed, "secret_file": str(tmp_path / "wrong")}
    if changed.get("router") == "":
        changed = {"router": site.wss}
    there = replace(There(site.url, REALM), **changed)
    link = Link(there.settings(fleet.settings), there.user or NODE, there.credential(Key("", "")))
    running = asyncio.create_task(link.run())
    try:
        async with asyncio.timeout(PATIENCE):
            while link.trouble == "not connected yet":
                await asyncio.sleep(0.05)
        assert not link.joined.is_set()
        assert json.dumps(link.trouble)
        assert any(part in link.trouble for part in why.split("|")), link.trouble
    finally:
        running.cancel()
        await asyncio.wait({running})


async def test_a_ticket_is_not_sent_in_the_clear_to_another_machine(fleet: Fleet, site: Site) -> None:
    there = There("ws://192.0.2.1:8001/ws", REALM, sign_in="ticket", user=USER, secret_file=str(site.secret))
    link = Link(there.settings(fleet.settings), USER, there.credential(Key("", "")))
    with pytest.raises(WampError, match="not sent in the clear"):
        await link._open()


# a real agent


async def test_a_real_agent_of_ocs_is_seen(hearing: Consumer, site: Site, peer: Callable[[str], str]) -> None:
    agent = run_fake_data(peer("ocs-agent-cli"), site, "fake-1")
    try:
        await until(hearing, lambda nodes: "ocs-fake-1" in nodes and is_well(nodes["ocs-fake-1"]))
        for channel in range(3):
            measured = await values(hearing, "ocs-fake-1", f"false_temperatures.channel_{channel:02}", 20)
            assert all(-1 < each < 1 for each in measured)
        fields, timelines = await hearing.fields("ocs-fake-1")
        assert timelines["false_temperatures.temps"].fields == tuple(
            f"false_temperatures.channel_{i:02}" for i in range(3)
        )
        assert await values(hearing, "ocs-fake-1", "heartbeat.acq")
        assert fields["agent.class"].type == "string"
        assert await values(hearing, "ocs-fake-1", "agent.class") == ["FakeDataAgent"]
        assert not any(await values(hearing, "ocs-fake-1", "received.quarantined"))
    finally:
        os.killpg(agent.pid, signal.SIGKILL)
        agent.wait(15)
