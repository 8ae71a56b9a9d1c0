"""What strangers send to a CoAP gateway never stops it, and costs no more than it may."""

import asyncio
import socket
import tempfile
from pathlib import Path

import aiocoap
import pytest
from aiocoap import Message
from hypothesis import given, settings
from hypothesis import strategies as st

from data_nodes.coap.blocks import Block, Blocks, Incomplete, TooLarge
from data_nodes.coap.pace import Pace
from data_nodes.coap.transport import Recent
from data_nodes.coap.watching import Watching
from tests.coap import ask, clients, gateway, send
from tests.nodes import data


def message(payload=b"1", code=aiocoap.POST, path=("ingest", "k"), **options):
    return Message(
        code=code, payload=payload, uri_path=path, _mid=7, _token=b"t", _mtype=aiocoap.CON, **options
    ).encode()


SOUND = [
    message(),
    message(b'[{"n":"t","v":1}]', content_format=110, block1=(0, True, 2)),
    message(b"x" * 16, block1=(3, True, 0)),
    message(code=aiocoap.GET, observe=0),
    message(code=aiocoap.GET, path=(".well-known", "core"), block2=(5, False, 0)),
    message(oscore=b"\x09\x01abc"),
    message(b"\xf5abc", path=(".well-known", "edhoc")),
]


@st.composite
def spoiled(draw):
    """A sound message with some of its bytes changed, cut off or doubled."""
    raw = bytearray(draw(st.sampled_from(SOUND)))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(raw) - 1))
        raw[at] = draw(st.integers(0, 255))
    cut = draw(st.integers(1, len(raw)))
    return bytes(raw[:cut] + raw[cut - draw(st.integers(0, 3)) :])


@given(st.lists(st.one_of(st.binary(max_size=60), spoiled()), min_size=20, max_size=60))
@settings(max_examples=20, deadline=None)
async def test_no_datagram_stops_it(datagrams):
    with tempfile.TemporaryDirectory() as home:
        async with gateway(Path(home)) as at:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
                for datagram in datagrams:
                    own.sendto(datagram, ("127.0.0.1", at.port))
            assert (await send(at.uri("/ingest/sound"), "42")).code == "2.04"
            assert (await data(at.service, "sound/value"))["sound/value"] == [42]


@pytest.mark.parametrize("datagram", SOUND)
async def test_no_sound_message_stops_it(datagram, tmp_path):
    async with gateway(tmp_path) as at:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
            own.sendto(datagram, ("127.0.0.1", at.port))
        assert (await send(at.uri("/ingest/sound"), "42")).code == "2.04"


async def test_who_is_too_fast_is_dropped_and_counted_and_then_served_again(tmp_path):
    async with gateway(tmp_path, rate=50) as at:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
            for _ in range(500):
                own.sendto(b"\x00", ("127.0.0.1", at.port))
        assert (await send(at.uri("/ingest/k"), "1")).code == "2.04"  # CoAP tries again by itself
        assert at.node._gateway.dropped > 100


async def test_who_watches_has_to_acknowledge_what_it_is_told(tmp_path):
    async with gateway(tmp_path) as at, clients() as context:
        await ask(context, at.uri("/ingest/k"), "1")
        watch = Message(code=aiocoap.GET, uri_path=("ingest", "k"), observe=0, _mid=7, _token=b"t", _mtype=aiocoap.NON)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
            own.setblocking(False)
            loop = asyncio.get_running_loop()
            await loop.sock_connect(own, ("127.0.0.1", at.port))
            await loop.sock_sendall(own, watch.encode())
            await asyncio.wait_for(loop.sock_recv(own, 2000), 30)
            await ask(context, at.uri("/ingest/k"), "2")
            told = await asyncio.wait_for(loop.sock_recv(own, 2000), 30)
        assert told[0] >> 4 & 3 == aiocoap.CON


async def test_who_watches_is_told_of_many_changes_as_of_one_and_of_the_last():
    told, watching = [], Watching()
    watching.add(Seen(told), "k")
    for _ in range(1000):
        watching.changed("k")
        watching.changed("other")
    assert len(told) == 1
    async with asyncio.timeout(30):
        while len(told) < 2:
            await asyncio.sleep(0.01)


def test_only_so_many_watch_at_once():
    watching = Watching()
    assert [watching.add(Seen([]), "k") for _ in range(201)] == [True] * 200 + [False]


class Seen:
    """An observation that notes when it is triggered."""

    def __init__(self, told):
        self.told = told

    def accept(self, ended):
        self.ended = ended

    def trigger(self):
        self.told.append(1)


async def test_a_block_without_those_before_is_refused(tmp_path):
    async with gateway(tmp_path) as at, clients() as context:
        asking = Message(code=aiocoap.POST, uri=at.uri("/ingest/k"), payload=b"1" * 16, block1=(4, True, 0))
        assert (await context.request(asking, handle_blockwise=False).response).code.dotted == "4.08"


async def test_a_block_of_an_answer_that_is_not_there_is_refused(tmp_path):
    async with gateway(tmp_path) as at, clients() as context:
        uri = at.uri("/.well-known/core")
        requested = context.request(Message(code=aiocoap.GET, uri=uri, block2=(99, False, 0)), handle_blockwise=False)
        assert (await requested.response).code.dotted == "4.02"


async def test_a_long_list_of_devices_comes_in_blocks(tmp_path):
    async with gateway(tmp_path) as at, clients() as context:
        names = [f"device-{number}" for number in range(60)]
        await asyncio.gather(*(ask(context, at.uri(f"/ingest/{name}"), "1") for name in names))
        listed = (await ask(context, at.uri("/.well-known/core"), code=aiocoap.GET)).text
        assert all(f"</ingest/{name}>" in listed for name in names)


def test_messages_are_put_together_within_limits():
    blocks = Blocks(100)
    assert blocks.add("a", Block(0, True, 16), b"x" * 16) is None
    assert blocks.add("a", Block(1, False, 16), b"y") == b"x" * 16 + b"y"
    with pytest.raises(Incomplete):
        blocks.add("a", Block(1, False, 16), b"y")
    for number in range(6):
        blocks.add("b", Block(number, True, 16), b"x" * 16)
    with pytest.raises(TooLarge, match="100 bytes at the most"):
        blocks.add("b", Block(6, True, 16), b"x" * 16)
    with pytest.raises(TooLarge):
        blocks.add("c", None, b"x" * 101)
    with pytest.raises(Incomplete):
        blocks.add("d", Block(0, True, 16), b"x")


def test_only_so_many_messages_are_put_together_at_once():
    blocks = Blocks(1000)
    for number in range(1000):
        blocks.add(number, Block(0, True, 16), b"x" * 16)
    assert len(blocks._begun) == 64
    assert blocks.add(999, Block(1, False, 16), b"") == b"x" * 16


def test_each_sender_has_a_pace_of_its_own_and_a_network_of_ipv6_is_one():
    pace = Pace(2)
    assert [pace.allows("::ffff:10.0.0.1", 0) for _ in range(5)] == [True] * 4 + [False]
    assert pace.allows("::ffff:10.0.0.2", 0)
    assert [pace.allows(f"2001:db8::{number}", 0) for number in range(5)] == [True] * 4 + [False]
    assert pace.allows("2001:db8:0:1::1", 0)
    assert pace.allows("fe80::1%eth0", 0)
    assert [pace.allows("::ffff:10.0.0.1", 0.5) for _ in range(2)] == [True, False]
    assert all(Pace(0).allows("a", 0) for _ in range(100))


def test_senders_and_messages_that_are_remembered_are_bounded():
    pace, recent = Pace(1), Recent()
    for number in range(11_000):
        pace.allows(f"10.0.{number // 256}.{number % 256}", 0)
        recent[number] = None
    assert len(pace._buckets) == len(recent) == 10_000
    assert recent.pop(0) is None
