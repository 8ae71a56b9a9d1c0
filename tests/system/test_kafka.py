"""A node whose journal goes to Kafka, beside a real router and hub: what the hub says, and what the topic has."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import hub
from sisock.consumer import Consumer
from sisock.outlets.kafka import Kafka, hang_up
from sisock.settings import Settings
from tests.fleet import COUNTER, ROOT, Fleet, running_fleet
from tests.kafka_broker import Broker, broker
from tests.topics import LEFT_OPEN, collect, consumed

pytestmark = [pytest.mark.filterwarnings(each) for each in LEFT_OPEN]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with broker(tmp_path_factory.mktemp("kafka")) as started:
        yield started
    collect()


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory, running: Broker) -> Iterator[Fleet]:
    folder = tmp_path_factory.mktemp("fleet")
    config = folder / "sisock.toml"
    config.write_text('[counter]\nkafka = { version = "0.9" }\n[plain]\n')
    principals = {"counter": "data_node", "plain": "data_node"}
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


def test_a_hub_says_true_to_who_asks_nothing_and_a_table_to_who_asks():
    configured = Settings(kafka="a:1", kafka_topic="t.{node}")
    assert hub._reply(configured, {}) is True
    assert hub._reply(configured, {"wants": "kafka"}) is True
    told = hub._reply(configured, {"wants": ["kafka", "tea", 5]})
    assert told == {"added": True, "kafka": {"bootstrap": "a:1", "topic": "t.{node}"}}
