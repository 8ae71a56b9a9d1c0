"""What a CoAP gateway has acknowledged is on disk, and what comes again is kept once."""

import asyncio
import signal
import socket
import subprocess
import sys
import threading

import aiocoap
import pytest
from aiocoap import Message

from data_nodes.coap import gateway as gateways
from sisock.nodes import Intake
from sisock.store.journal import Journal, JournalError
from tests.coap import ask, clients, free_port, gateway, send
from tests.nodes import data

NODE = """
import asyncio, sys
from pathlib import Path
from data_nodes.coap.node import Coap
from sisock.store.journal import Journal

home = Path(sys.argv[1])
node = Coap(port=int(sys.argv[2]), unknown="open")
node.home = home
service = node.service(journal=lambda: Journal(home / "coap.sqlite", patient=True))
asyncio.run(service.run(lambda frame: None))
"""


def on_disk(home, field):
    journal = Journal(home / "coap.sqlite")
    try:
        frames = journal.read_from(None, 0).frames
        return [value for frame in frames if field in frame.columns for value in frame.columns[field].values.tolist()]
    finally:
        journal.close()


async def test_what_was_acknowledged_survives_kill_9_and_what_comes_again_after_it_is_kept_once(tmp_path):
    port, acknowledged = free_port(), []
    uri = f"coap://127.0.0.1:{port}/ingest/k"
    for _ in range(3):
        with subprocess.Popen([sys.executable, "-c", NODE, str(tmp_path), str(port)]) as child:
            async with asyncio.timeout(60), clients() as context:
                for number in [*acknowledged[-1:], *range(len(acknowledged), len(acknowledged) + 5)]:
                    await _until_acknowledged(context, f"{uri}?seq={number}&boot=b", str(number))
                    acknowledged = sorted({*acknowledged, number})
            child.send_signal(signal.SIGKILL)
    assert on_disk(tmp_path, "k/value") == acknowledged == list(range(15))


async def _until_acknowledged(context, uri, payload):
    """As a device does: send until it is acknowledged."""
    while True:
        try:
            assert (await ask(context, uri, payload)).code == "2.04"
        except aiocoap.error.NetworkError:  # it does not listen yet
            continue
        return


async def test_nine_messages_and_then_silence_are_on_disk_and_published_without_a_tenth(tmp_path):
    async with gateway(tmp_path) as at, clients() as context:
        for number in range(9):
            assert (await ask(context, at.uri(f"/ingest/k?seq={number}"), str(number))).code == "2.04"
        batch = await at.service.read_from(None, 0, 2**20)
        there = [
            each for frame in batch.frames if "k/value" in frame.columns for each in frame.columns["k/value"].values
        ]
        assert there == list(range(9))
        published = [
            each
            for frame in at.published.frames
            if "k/value" in frame.columns
            for each in frame.columns["k/value"].values
        ]
        assert published == list(range(9))


async def test_numbers_that_come_once_twice_and_late(tmp_path):
    async with gateway(tmp_path) as at, clients() as context:
        for number in (1, 2, 4, 4, 3):
            assert (await ask(context, at.uri(f"/ingest/k?seq={number}"), str(number))).code == "2.04"
        assert sorted((await data(at.service, "k/value"))["k/value"]) == [1, 2, 3, 4]
        device = at.node._gateway.devices["k"]
        assert (device.gaps, device.missing, device.late, device.duplicates) == (1, 0, 1, 1)


async def test_a_datagram_that_comes_three_times_is_one_sample_and_each_gets_the_same_answer(tmp_path):
    async with gateway(tmp_path) as at:
        message = Message(
            code=aiocoap.POST, payload=b"1", uri_path=("ingest", "k"), _mid=77, _token=b"t", _mtype=aiocoap.CON
        )
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
            own.setblocking(False)
            loop = asyncio.get_running_loop()
            await loop.sock_connect(own, ("127.0.0.1", at.port))
            answers = []
            for _ in range(3):
                await loop.sock_sendall(own, message.encode())
                answers.append(await asyncio.wait_for(loop.sock_recv(own, 2000), 30))
        assert [each[1] for each in answers] == [0x44] * 3
        assert (await data(at.service, "k/value"))["k/value"] == [1]


async def test_where_the_disk_does_not_take_it_the_device_is_to_come_again_and_it_is_kept_once(tmp_path, monkeypatch):
    commit, full = Journal.commit, True

    def failing(self, *given):
        if full:
            raise JournalError("the disk is full")
        commit(self, *given)

    async with gateway(tmp_path) as at, clients() as context:
        monkeypatch.setattr(Journal, "commit", failing)
        message = Message(code=aiocoap.POST, uri=at.uri("/ingest/k?seq=1"), payload=b"7")
        answer = await context.request(message).response
        assert (answer.code.dotted, answer.opt.max_age, answer.payload) == ("5.03", 30, b"the disk is full")
        assert (await ask(context, at.uri("/ingest/k?seq=1"), "7")).code == "5.03"
        full = False
        assert (await ask(context, at.uri("/ingest/k?seq=1"), "7")).code == "2.04"
        assert (await data(at.service, "k/value"))["k/value"] == [7]
    assert on_disk(tmp_path, "k/value") == [7]


async def test_a_message_that_comes_twice_while_the_disk_is_full_is_kept_once_when_it_comes_again(
    tmp_path, monkeypatch
):
    commit, full = Journal.commit, True

    def failing(self, *given):
        if full:
            raise JournalError("the disk is full")
        commit(self, *given)

    async with gateway(tmp_path) as at, clients() as context, clients() as other:
        monkeypatch.setattr(Journal, "commit", failing)
        asked = [
            each.request(
                Message(code=aiocoap.POST, uri=at.uri(f"/ingest/k?seq={number}&boot=b&u=Cel"), payload=b"7")
            ).response
            for number in range(50)
            for each in (context, other)
        ]
        assert {answer.code.dotted for answer in await asyncio.gather(*asked)} == {"5.03"}
        full = False
        for number in range(50):
            for each in (context, other):
                assert (await ask(each, at.uri(f"/ingest/k?seq={number}&boot=b&u=Cel"), str(number))).code == "2.04"
    assert on_disk(tmp_path, "k/value") == list(range(50))
    async with gateway(tmp_path) as at:
        device = at.node._gateway.devices["k"]
        assert (device.missing, device.units) == (0, {"value": "°C"})


async def test_what_had_to_be_given_up_is_taken_when_it_comes_again(tmp_path, monkeypatch):
    commit, full = Journal.commit, True

    def failing(self, *given):
        if full:
            self.shed(0)
            raise JournalError("the disk is full")
        commit(self, *given)

    async with gateway(tmp_path) as at:
        monkeypatch.setattr(Journal, "commit", failing)
        assert (await send(at.uri("/ingest/k?seq=1"), "7")).code == "5.03"
        full = False
        assert (await send(at.uri("/ingest/k?seq=1"), "7")).code == "2.04"
    assert on_disk(tmp_path, "k/value") == [7]


async def test_when_too_many_wait_for_the_disk_a_device_is_to_come_again(tmp_path, monkeypatch):
    monkeypatch.setattr(gateways, "_MOST_WAITING", 0)
    async with gateway(tmp_path) as at, clients() as context:
        answer = await context.request(Message(code=aiocoap.POST, uri=at.uri("/ingest/k"), payload=b"7")).response
        assert (answer.code.dotted, answer.opt.max_age) == ("5.03", 30)


async def test_after_a_restart_devices_units_and_numbers_are_known(tmp_path):
    async with gateway(tmp_path) as at:
        assert (await send(at.uri("/ingest/k?seq=5&u=Cel"), "1")).code == "2.04"
    async with gateway(tmp_path, at.port) as at:
        assert (await send(at.uri("/ingest/k?seq=5&u=Cel"), "1")).code == "2.04"
        assert (await send(at.uri("/ingest/k?seq=7"), "2")).code == "2.04"
        assert (await send(at.uri("/ingest/k?u=K"), "3")).code == "4.00"
        device = at.node._gateway.devices["k"]
        assert (device.duplicates, device.gaps, device.units) == (1, 1, {"value": "°C"})
        assert (await data(at.service, "k/value"))["k/value"] == [1, 2]
        fields, _ = await at.service.get_fields(0, 0)
        assert fields["k/value"].units == "°C"


@pytest.mark.parametrize("writing", [False, True])
async def test_a_request_whose_sender_went_on_to_another_is_kept_once_all_the_same(tmp_path, monkeypatch, writing):
    commit, begun, go = Journal.commit, threading.Event(), threading.Event()

    def slow(self, notes=None, frames=()):
        frames = list(frames)
        if any(frame.timeline == "k" for _, frame in frames) is writing and not begun.is_set() and frames:
            begun.set()
            assert go.wait(30)
        commit(self, notes, frames)

    post = gateways.Post(b"7", None, "k", number=1, boot="b")
    async with gateway(tmp_path) as at:
        monkeypatch.setattr(Journal, "commit", slow)
        gate, intake = at.node._gateway, Intake(at.service)
        first = [asyncio.ensure_future(gate.take(intake, post._replace(device="other")))] if not writing else []
        first += [asyncio.ensure_future(gate.take(intake, post))] if writing else []
        await asyncio.to_thread(begun.wait, 30)
        first += [asyncio.ensure_future(gate.take(intake, post))] if not writing else []
        await asyncio.sleep(0)
        first[-1].cancel()  # as aiocoap does where a sender uses its token again, or is not there
        await asyncio.wait({first[-1]})
        go.set()
        await gate.take(intake, post)
        assert gate.devices["k"].received == 1
    assert on_disk(tmp_path, "k/value") == [7]
