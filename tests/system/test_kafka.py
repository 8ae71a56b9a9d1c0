"""A node whose journal goes to Kafka, beside a real router and hub: what the hub says, and what the topic has."""

import asyncio
import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import hub
from sisock.consumer import Consumer
from sisock.errors import ConsumerError
from sisock.frames import Frame
from sisock.listing import Node
from sisock.outlets.kafka import Kafka, hang_up
from sisock.settings import Settings
from tests.fleet import COUNTER, ROOT, Fleet, running_fleet
from tests.kafka_broker import Broker, broker
from tests.test_flat_records import SCHEMA
from tests.topics import LEFT_OPEN, PATIENCE, collect, consumed

pytestmark = [pytest.mark.filterwarnings(each) for each in LEFT_OPEN]
CONFIG = """
[counter]
kafka = {{ version = "0.9" }}
[plain]
[rehearsal]
bootstrap = "{address}"
connection = {{ version = "0.9" }}
topics = ["lab.counter"]
tags = ["hall"]
speed = 1
[onward]
bootstrap = "{address}"
connection = {{ version = "0.9" }}
topics = ["lab.counter"]
tags = ["hall"]
follow = true
"""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with broker(tmp_path_factory.mktemp("kafka")) as started:
        yield started
    collect()


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory, running: Broker) -> Iterator[Fleet]:
    folder = tmp_path_factory.mktemp("fleet")
    config = folder / "sisock.toml"
    config.write_text(CONFIG.format(address=running.address))
    principals = dict.fromkeys(("counter", "plain", "rehearsal", "onward"), "data_node")
    told = {"kafka": running.address, "kafka_topic": "lab.{node}", "config": config}
    with running_fleet(folder, principals, **told) as fleet:
        fleet.node("counter", COUNTER)
        fleet.node("plain", COUNTER.replace("class Counter", "class Plain"))
        yield fleet


async def test_a_node_learns_from_the_hub_where_its_samples_go(fleet: Fleet, running: Broker):
    messages = consumed(Kafka(running.address, version="0.9"), "lab.counter", 100)
    records = [json.loads(each.value) for each in messages]
    counts = [each["count"] for each in records if each["timeline"] == "samples"]
    assert counts == list(range(1, len(counts) + 1))
    assert {each["node"] for each in records} == {"counter"}
    for each in records:
        SCHEMA.validate(each)
    async with Consumer(fleet.settings, name="cli") as lab:
        answer = await lab.data("counter", ["count"], 1, 0)
        t, values = answer.series("count")
        told = {each["count"]: each["t"] for each in records if "count" in each}
        known = dict(zip(values.values.tolist(), t.tolist(), strict=True))
        assert all(known[count] == at for count, at in told.items())


async def test_a_node_that_was_not_told_to_sends_nothing_and_loads_nothing(fleet: Fleet, running: Broker):
    consumer = Kafka(running.address, version="0.9").consumer()
    topics = consumer.topics()
    hang_up(consumer)
    assert not [each for each in topics if "plain" in each]
    loaded = "import sys, sisock.serving, sisock.cli.node, sisock.streaming; print('kafka' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", loaded], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
    assert not (Path(fleet.settings.state) / "kafka" / "plain.json").exists()


async def test_whoever_evaluates_rules_can_tell_a_replay_from_what_is_measured_now(fleet: Fleet, running: Broker):
    consumed(Kafka(running.address, version="0.9"), "lab.counter", 30)
    for name in ("rehearsal", "onward"):
        fleet.run(name, "-m", "sisock", "node", "kafka_replay", "--name", name)
    async with Consumer(fleet.settings, name="cli") as lab:
        nodes = await listed(lab, "rehearsal", "onward")
        assert nodes["rehearsal"].tags == ["hall", "replay"]
        assert nodes["rehearsal"].description.startswith("A replay, not what is measured now: lab.counter")
        assert nodes["onward"].tags == ["hall"]
        names = ["counter/count", "replay.of", "replay.speed"]
        heard: list[Frame] = []
        async with asyncio.timeout(PATIENCE):
            async for frame in lab.live("rehearsal", names, last=600):
                heard.append(frame)
                if "counter/count" in frame.columns and len(heard) > 10:
                    break
        assert {frame.timeline for frame in heard} == {"replay", "counter/samples"}
        assert {v for each in heard if "replay.speed" in each.columns for v in each.columns["replay.speed"].values} == {
            1
        }
        fields, _ = await lab.fields("rehearsal")
        assert "replayed" in str(fields["counter/count"].description)
        fields, _ = await lab.fields("onward")
        assert not any("replay" in name or "replayed" in str(field.description) for name, field in fields.items())


async def listed(lab: Consumer, *names: str) -> dict[str, Node]:
    """The nodes of these names, once all are up."""
    async with asyncio.timeout(PATIENCE):
        while True:
            with contextlib.suppress(ConsumerError):
                nodes = {each.name: each for each in await lab.nodes() if each.name in names and each.state == "up"}
                if len(nodes) == len(names):
                    return nodes
            await asyncio.sleep(0.1)


def test_a_hub_says_true_to_who_asks_nothing_and_a_table_to_who_asks():
    configured = Settings(kafka="a:1", kafka_topic="t.{node}")
    assert hub._reply(configured, {}) is True
    assert hub._reply(configured, {"wants": "kafka"}) is True
    told = hub._reply(configured, {"wants": ["kafka", "tea", 5]})
    assert told == {"added": True, "kafka": {"bootstrap": "a:1", "topic": "t.{node}"}}
