"""The node `mqtt` where the disk is full, and where messages are made to stop it or to cost much."""

import asyncio
import json
import threading

import cbor2
import paho.mqtt.client as paho
import pytest

from data_nodes.admitting import Fields
from data_nodes.mqtt.node import Mqtt
from data_nodes.mqtt.payloads import Message, Payloads
from data_nodes.mqtt.topics import rules
from data_nodes.points import Naming
from data_nodes.points import rules as names
from sisock.store.journal import Journal, JournalError
from tests.nodes import data
from tests.test_mqtt import NOW, broker, gateway, subscribed, told, values

__all__ = ["broker"]  # a fixture


@pytest.mark.parametrize("form", ["auto", "senml"])
async def test_no_message_keeps_those_behind_it_from_being_taken(tmp_path, broker, form):
    poison = {"auto": {"a": 10**6000}, "senml": [{"bver": 10**6000, "n": "a", "v": 1}]}[form]
    async with gateway(tmp_path, broker.port, topics=[{"topic": "p", "form": form}, "n"]) as (_, published):
        await subscribed(published)
        broker.publish_whole("p", cbor2.dumps(poison))
        broker.publish("n", "1")
        await published.until(lambda frames: 1 in values(frames, "n"))


async def test_what_comes_again_while_the_disk_is_full_is_not_acknowledged(tmp_path, broker, monkeypatch):
    commit, full = Journal.commit, False

    def failing(self, *given):
        if full:
            raise JournalError("the disk is full")
        commit(self, *given)

    monkeypatch.setattr(Journal, "commit", failing)
    async with gateway(tmp_path, broker.port) as (_, published):
        await subscribed(published)
        full = True
        broker.publish("n", "1", "2")
        await published.until(lambda frames: sum("disk is full" in str(text) for text in told(frames)) > 2)
    full = False
    async with gateway(tmp_path, broker.port) as (service, published):
        await published.until(lambda frames: {1, 2} <= set(values(frames, "n")))
        assert sorted((await data(service, "n"))["n"]) == [1, 2]


@pytest.mark.parametrize("keepalive", [1, 60])
async def test_while_the_disk_hangs_the_broker_keeps_the_connection_and_what_comes_is_there_once(
    tmp_path, broker, monkeypatch, keepalive
):
    """With a keepalive of 1 s Mosquitto hangs up after 1.5 s of silence."""
    commit, go, pinged, ping = Journal.commit, threading.Event(), threading.Semaphore(0), paho.Client._send_pingreq
    go.set()

    def slow(self, *given):
        assert go.wait(60)
        commit(self, *given)

    def pings(self):
        pinged.release()
        return ping(self)

    monkeypatch.setattr(Journal, "commit", slow)
    monkeypatch.setattr(paho.Client, "_send_pingreq", pings)
    monkeypatch.setattr("data_nodes.mqtt.broker._MOST", 3)
    monkeypatch.setattr("data_nodes.mqtt.broker._KEEPALIVE", keepalive)
    async with gateway(tmp_path, broker.port) as (service, published):
        await subscribed(published)
        go.clear()
        await asyncio.to_thread(broker.publish, "n", *map(str, range(100)))
        for _ in range(6 if keepalive == 1 else 0):
            assert await asyncio.to_thread(pinged.acquire, timeout=30)
        go.set()
        await published.until(lambda frames: 99 in values(frames, "n"))
        assert (await data(service, "n"))["n"] == [*range(100)]
        assert not any("lost" in str(text) for text in told(published.frames))
        assert not any(values(published.frames, "mqtt.again"))


async def test_what_the_broker_sends_again_while_it_waits_for_a_disk_that_hangs_is_there_once(
    tmp_path, broker, monkeypatch
):
    commit, go = Journal.commit, threading.Event()
    go.set()

    def slow(self, *given):
        assert go.wait(60)
        commit(self, *given)

    monkeypatch.setattr(Journal, "commit", slow)
    async with gateway(tmp_path, broker.port) as (service, published):
        await subscribed(published)
        go.clear()
        await asyncio.to_thread(broker.publish, "n", *map(str, range(10)))
        for _ in range(2):
            before = len(published.frames)
            await asyncio.to_thread(broker.stop)
            await published.until(lambda frames, at=before: "no data" in values(frames[at:], "health.state"))
            before = len(published.frames)
            await asyncio.to_thread(broker.start)
            await published.until(lambda frames, at=before: "ok" in values(frames[at:], "health.state"))
        await asyncio.to_thread(broker.publish, "n", "99")
        go.set()
        await published.until(lambda frames: 99 in values(frames, "n"))
        assert (await data(service, "n"))["n"] == [*range(10), 99]


@pytest.mark.parametrize("given_up", [False, True])
async def test_what_waited_for_a_disk_that_was_full_is_there_once(tmp_path, broker, monkeypatch, given_up):
    commit, full = Journal.commit, False

    def failing(self, *given):
        if full:
            if given_up:
                self.shed(0)
            raise JournalError("the disk is full")
        commit(self, *given)

    monkeypatch.setattr(Journal, "commit", failing)
    async with gateway(tmp_path, broker.port) as (service, published):
        await subscribed(published)
        full = True
        broker.publish("n", "1", "2")
        await published.until(lambda frames: any("disk" in str(text) for text in told(frames)))
        full = False
        broker.publish("n", "3")
        await published.until(lambda frames: 3 in values(frames, "n") and values(frames, "health.state")[-1] == "ok")
    async with gateway(tmp_path, broker.port) as (service, _):
        kept = (await data(service, "n"))["n"]
        assert sorted(kept) == [1, 2, 3]
        assert not any(values(published.frames, "mqtt.again"))  # nothing was kept of what was refused


@pytest.mark.parametrize(
    ("topic", "payload", "parts"),
    [("l/x", b"x\n" * 5000, 5000), ("s/x", b"[" + b'{"n": "1"},' * 4999 + b'{"n": "1"}]', 5000), ("j", json.dumps({f"a{n}": [] for n in range(5000)}).encode(), 5000)],
)  # fmt: skip
def test_a_message_with_very_many_parts_that_are_none_is_told_in_a_hundred_sentences(topic, payload, parts):
    fields = Fields()
    by = rules([{"topic": "l/#", "form": "lines"}, {"topic": "s/#", "form": "senml"}, "#"])
    payloads = Payloads(by, Mqtt()._how, Naming(names([]), fields), fields)
    refused = payloads.read([Message(topic, payload, NOW, 1, again=False, retained=False)]).refused
    assert len(refused) == 101
    assert refused[-1].reason.startswith(f"{parts - 100} more of the same message: ")
    assert refused[-1].message.payload == payload
