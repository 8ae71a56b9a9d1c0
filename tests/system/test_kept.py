"""What a consumer gets of nodes that are away from whoever recorded them, and what the hub knows of that."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator

import httpx
import numpy as np
import pytest

from sisock.blocking import BlockingConsumer
from sisock.consumer import Consumer, Request
from sisock.errors import ConsumerError, NodeAway, NodeUnknown
from sisock.frames import Answer, Column, Field, Frame, column
from sisock.listing import Node
from sisock.testing.router import free_port
from sisock.times import utc
from tests.demo import sisock
from tests.fleet import COUNTER, Fleet, running_fleet
from tests.recorder import Recorded, record, recording

NS = 10**9
T0 = 1_700_000_000 * NS
PATIENCE = 30.0  # seconds until a test gives up
PRINCIPALS = {"recorder": {"role": "recorder", "sensitive": True}, "second": "recorder", "gone": "data_node"}
GONE = Recorded(
    {"level": Field("how high", "tide", units="m")},
    [Frame("tide", T0 + np.arange(1000) * NS, {"level": Column(np.arange(1000) / 10)}, "an epoch", 1000)],
)


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    with running_fleet(tmp_path_factory.mktemp("kept"), PRINCIPALS, bridge_port=free_port()) as fleet:
        fleet.node("counter", COUNTER)
        yield fleet


@pytest.fixture
async def consumer(fleet: Fleet) -> AsyncIterator[Consumer]:
    """A consumer while the counter counts."""
    if fleet.processes["counter"].poll() is not None:
        fleet.node("counter")
    async with Consumer(fleet.settings) as consumer:
        await until(consumer, lambda nodes: nodes["counter"].state == "up")
        yield consumer


async def until(consumer: Consumer, reached: Callable[[dict[str, Node]], bool]) -> dict[str, Node]:
    """Wait until the hub lists it so; the listing."""
    seen: dict[str, Node] = {}
    try:
        async with asyncio.timeout(PATIENCE):
            while True:
                with contextlib.suppress(ConsumerError, KeyError):
                    seen = {node.name: node for node in await consumer.nodes()}
                    if reached(seen):
                        return seen
    except TimeoutError:
        pytest.fail(f"the hub lists {seen}")


async def kill(fleet: Fleet, consumer: Consumer) -> Node:
    """Kill the counter; how it is listed then."""
    fleet.kill("counter")
    return (await until(consumer, lambda nodes: nodes["counter"].state == "away"))["counter"]


async def test_what_was_recorded_of_a_node_that_is_away_comes_with_a_notice(fleet: Fleet, consumer: Consumer) -> None:
    kept = await record(consumer, "counter")
    listed = await kill(fleet, consumer)
    with pytest.raises(NodeAway, match="counter is away"):
        await consumer.data("counter", ["count"], 1, 0)
    async with recording(fleet.settings, {"counter": kept}):
        answer = await consumer.data("counter", ["count", "parity"], 1, 0)
        t, count = answer.series("count")
        assert np.array_equal(count.values, kept.frames["samples"].columns["count"].values)
        assert answer.notices == (
            f"counter is away since {utc(listed.since)}; this is what was recorded until {utc(int(t[-1]))}",
        )
        assert (await consumer.fields("counter"))[0]["parity"].type == "string"
        reduced = await consumer.data("counter", ["count"], 1, 0, max_points=1)
        assert (reduced.method, reduced.samples) == ("minmax", len(t))
        sample = await consumer.sample("counter", ["count"], 0.0, "before", ns=int(t[-1]))
        assert sample.series("count")[1].values.tolist() == [count.values[-2]]
        assert "this is what was recorded until" in sample.notices[0]
        with pytest.raises(NodeAway):
            await consumer.data("counter", ["count"], 1, 0, kept=False)
    with pytest.raises(NodeAway):
        await consumer.sample("counter", ["count"])


async def test_a_node_that_is_back_answers_itself_though_its_past_was_asked_for(
    fleet: Fleet, consumer: Consumer
) -> None:
    kept = await record(consumer, "counter")
    await kill(fleet, consumer)
    async with recording(fleet.settings, {"counter": kept}):
        for _ in range(2):
            assert (await consumer.data("counter", ["count"], 1, 0)).notices
        with consumer.watching() as heard:
            fleet.node("counter")
            while (event := await asyncio.wait_for(heard.get(), PATIENCE))[0] != "added":
                pass
        assert event[1].name == "counter"
        assert not (await consumer.data("counter", ["count"], 1, 0)).notices


async def test_a_recorder_that_fails_is_not_a_node_that_is_away(fleet: Fleet, consumer: Consumer) -> None:
    class Broken(Recorded):
        async def get_data(self, query):
            raise OSError("the disk is gone")

    kept = await record(consumer, "counter")
    await kill(fleet, consumer)
    async with recording(fleet.settings, {"counter": Broken(kept.fields, list(kept.frames.values()))}):
        with pytest.raises(ConsumerError, match="the archive of counter") as caught:
            await consumer.data("counter", ["count"], 1, 0)
        assert type(caught.value) is ConsumerError


async def test_several_requests_get_what_was_recorded_each_for_itself(fleet: Fleet, consumer: Consumer) -> None:
    async with recording(fleet.settings, {"gone": GONE}):
        requests = [
            Request("gone", ("level",), 1, 0),
            Request("counter", ("count",), -5, 0),
            Request("no", ("x",), 1, 0),
        ]
        gone, counter, unknown = await consumer.ask(requests, deadline=10)
        assert isinstance(gone, Answer)
        assert isinstance(counter, Answer)
        assert isinstance(unknown, NodeUnknown)
        assert len(gone.series("level")[0]) == 1000
        assert "gone is away since" in gone.notices[0]
        assert counter.notices == ()


async def test_what_was_imported_is_no_node_that_is_away_and_ends_with_its_timeline(
    fleet: Fleet, consumer: Consumer
) -> None:
    t = 1_700_000_000 * 10**9 + np.arange(100) * 10**9
    columns = {"level": Column(np.arange(100.0)), "word": column(["up", *([None] * 99)])}
    fields = {"level": Field(timeline="tide"), "word": Field(timeline="tide", type="string")}
    async with recording(fleet.settings, {"gone": Recorded(fields, [Frame("tide", t, columns, None, 100)])}):
        await until(consumer, lambda nodes: nodes["gone"].kept_by == ("recorder",))
        for name in fields:
            answer = await consumer.data("gone", [name], 1, 0)
            assert answer.notices == (f"gone is imported; until {utc(int(t[-1]))}",)


async def test_who_follows_a_node_that_is_away_gets_its_past_and_then_what_comes(
    fleet: Fleet, consumer: Consumer
) -> None:
    kept = await record(consumer, "counter")
    await kill(fleet, consumer)
    async with recording(fleet.settings, {"counter": kept}), asyncio.timeout(PATIENCE):
        frames = consumer.live("counter", ["count"], last=3600.0)
        first = await anext(frames)
        assert np.array_equal(first.columns["count"].values, kept.frames["samples"].columns["count"].values)
        fleet.node("counter")
        then = await anext(frames)
        assert then.columns["count"].values[0] == 1
        assert then.epoch == first.epoch  # its journal goes on
        await frames.aclose()


# what the hub knows


async def listing(fleet: Fleet) -> str:
    """What `sisock ls` prints, while the recorders here go on to answer."""
    return (await asyncio.to_thread(sisock, fleet.settings.state, "ls", SISOCK_ROUTER=fleet.settings.url)).stdout


async def test_the_hub_lists_who_keeps_the_past_of_whom(fleet: Fleet, consumer: Consumer) -> None:
    kept = await record(consumer, "counter")
    async with recording(fleet.settings, {"counter": kept, "gone": GONE}):
        await until(consumer, lambda nodes: nodes["gone"].kept_by == ("recorder",))
        async with recording(fleet.settings, {"never": GONE}, "second"):
            listed = await until(consumer, lambda nodes: "never" in nodes)
        assert listed["counter"].kept_by == ("recorder",)
        assert (listed["never"].state, listed["never"].kept_by) == ("away", ("second",))
        await until(consumer, lambda nodes: nodes["never"].kept_by == ())
        shown = await listing(fleet)
        assert "gone             away, kept by recorder" in shown
        assert "counter          up, kept by recorder" in shown
    await until(consumer, lambda nodes: nodes["counter"].kept_by == nodes["gone"].kept_by == ())


async def test_a_hub_that_lost_its_table_lists_what_only_a_recorder_knows(fleet: Fleet, consumer: Consumer) -> None:
    async with recording(fleet.settings, {"gone": GONE}):
        await until(consumer, lambda nodes: nodes["gone"].kept_by == ("recorder",))
        fleet.kill("hub")
        (fleet.settings.state / "hub" / "nodes.json").unlink(missing_ok=True)
        fleet.hub()
        listed = await until(consumer, lambda nodes: nodes["counter"].state == "up" and "gone" in nodes)
        assert (listed["gone"].state, listed["gone"].kept_by) == ("away", ("recorder",))
        with fleet.router.client("cli") as existing:
            shown = existing.call(fleet.settings.uris.get_data_node)
        assert [node["name"] for node in shown] == ["counter"]


# one instant


async def test_all_fields_of_all_nodes_at_one_instant(fleet: Fleet, consumer: Consumer) -> None:
    async with recording(fleet.settings, {"gone": GONE}):
        await until(consumer, lambda nodes: nodes["gone"].kept_by == ("recorder",))
        found = await consumer.instant()
        gone, counter = found["gone"], found["counter"]
        assert isinstance(gone, Answer)
        assert gone.series("level")[1].values.tolist() == [99.9]
        assert isinstance(counter, Answer)
        assert len(counter.series("health.state")[0]) == len(counter.series("big")[0]) == 1
        found = await consumer.instant(1_700_000_000.5, ["gone::level", "none"], "after")
        assert list(found) == ["gone", "none"]
        assert isinstance(found["none"], NodeUnknown)
        assert isinstance(found["gone"], Answer)
        assert found["gone"].series("level")[0].tolist() == [T0 + NS]


async def test_an_instant_without_async_and_in_the_shell(fleet: Fleet, consumer: Consumer) -> None:
    await asyncio.to_thread(look_at_an_instant, fleet)


def look_at_an_instant(fleet: Fleet) -> None:
    with BlockingConsumer(fleet.settings) as lab:
        assert lab.instant(targets=["counter"])["counter"].samples > 3
        t, count = lab.sample("counter", ["count"]).series("count")
        assert (
            lab.sample("counter", ["count"], which="before", ns=int(t[0])).series("count")[1].values[0]
            < count.values[0]
        )
    state, router = fleet.settings.state, {"SISOCK_ROUTER": fleet.settings.url}
    shown = sisock(state, "at", "now", "counter::parity", "counter::count", **router)
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.split("\n")[0].startswith("counter::parity  ")
    missed = sisock(state, "at", "2001-01-01", "counter", "--format", "json", **router)
    assert '"value": null' in missed.stdout
    for wrong, says, code in (
        ("counter::nothing", "counter has no field 'nothing'", 3),
        ("no", "no data node 'no'", 3),
    ):
        ended = sisock(state, "at", "now", wrong, **router)
        assert (says in ended.stderr, ended.returncode) == (True, code), ended.stderr


async def test_grafana_lists_and_draws_what_was_recorded_with_a_notice(fleet: Fleet, consumer: Consumer) -> None:
    panel = {
        "range": {"from": "2023-11-14T22:13:20.000Z", "to": "2023-11-14T22:30:00.000Z"},
        "maxDataPoints": 10,
        "targets": [{"target": "gone::level", "refId": "A", "type": "timeserie"}],
    }
    async with recording(fleet.settings, {"gone": GONE}):
        await until(consumer, lambda nodes: nodes["gone"].kept_by == ("recorder",))
        fleet.run("bridge", "-m", "grafana_json")
        with httpx.Client(base_url=f"http://127.0.0.1:{fleet.settings.bridge_port}", timeout=10) as client:
            async with asyncio.timeout(PATIENCE):
                while "gone::level" not in await asyncio.to_thread(found, client):
                    pass
            (series,) = (await asyncio.to_thread(client.post, "/query", json=panel)).json()
    values = [value for value, _ in series["datapoints"]]
    assert (min(values), max(values), len(values)) == (0.0, 99.9, 10)
    assert "gone is away since" in series["meta"]["notices"][0]["text"]


def found(client: httpx.Client) -> list[str]:
    """What /search lists; nothing while there is no bridge."""
    with contextlib.suppress(httpx.TransportError):
        answer = client.post("/search", json={"target": ""})
        return list(answer.json()) if answer.status_code == 200 else []
    return []


async def test_a_node_whose_principal_is_dismissed_is_forgotten_unless_its_past_is_kept(
    fleet: Fleet, consumer: Consumer
) -> None:
    state = fleet.settings.state
    fleet.node("passing", COUNTER.replace("Counter", "Passing"))
    await until(consumer, lambda nodes: nodes["passing"].state == "up")
    fleet.kill("passing")
    await until(consumer, lambda nodes: nodes["passing"].state == "away")
    async with recording(fleet.settings, {"passing": GONE}):
        await until(consumer, lambda nodes: nodes["passing"].kept_by == ("recorder",))
        (state / "keys" / "passing.key").unlink()
        dismissed = await asyncio.to_thread(sisock, state, "principal", "rm", "passing")
        assert (dismissed.returncode, dismissed.stdout) == (0, "passing may do nothing any more\n"), dismissed
        assert "passing          away, kept by recorder" in await listing(fleet)
    assert "passing" not in await until(consumer, lambda nodes: "passing" not in nodes)
