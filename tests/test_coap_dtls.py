"""CoAP over DTLS with pre-shared keys, spoken by libcoap with OpenSSL and with GnuTLS; and what has no key."""

import asyncio
import contextlib
import itertools
import re
import socket
import sqlite3
import typing

import aiocoap
import pytest
from aiocoap import Message
from click.testing import CliRunner

from data_nodes.coap import access
from data_nodes.coap.__main__ import main
from data_nodes.coap.node import Coap
from sisock.store import quarantine
from tests.coap import free_port, gateway, libcoap, send
from tests.dtls import Client, joined
from tests.nodes import data
from tests.peers import need

CLIENTS = ("coap-client-openssl", "coap-client-gnutls")
POST = ("-m", "post", "-e")
NUMBERS = itertools.count(1)  # of messages
SOON = ("-B", "3")  # seconds after which the client gives up


@contextlib.asynccontextmanager
async def speaking(home, **options):
    """A gateway that speaks DTLS, and the URI of a path there."""
    port = free_port()
    async with gateway(home, dtls_port=port, **options) as at:
        yield at, lambda path, host="127.0.0.1": f"coaps://{host}:{port}{path}"


def as_device(device, key):
    return ("-u", device, "-k", key)


@pytest.mark.parametrize("client", CLIENTS)
async def test_a_device_proves_itself_by_its_key_and_needs_no_token(tmp_path, client):
    async with speaking(tmp_path, unknown="closed") as (at, uri):
        kitchen = as_device("kitchen", access.make_key(at.node.folder, "kitchen"))
        taken = await libcoap(uri("/ingest?n=t&u=Cel"), *POST, "21.5", *kitchen, client=client)
        assert taken.code == "2.04"
        assert await data(at.service, "kitchen/t") == {"kitchen/t": [21.5]}
        assert (await libcoap(uri("/ingest/kitchen"), *kitchen, client=client)).code == "2.05"
        denied = await libcoap(uri("/ingest/hall"), *POST, "1", *kitchen, client=client)
        assert denied.code == "4.03"


async def test_a_device_with_a_key_has_to_use_it(tmp_path):
    async with speaking(tmp_path) as (at, uri):
        kitchen = as_device("kitchen", access.make_key(at.node.folder, "kitchen"))
        said = await send(at.uri("/ingest/kitchen"), "1")
        while said.code == "2.04":  # until the gateway has seen the key
            said = await send(at.uri("/ingest/kitchen"), "1")
        assert said == ("4.01", "kitchen has a DTLS key: send with it")
        assert (await libcoap(uri("/ingest/kitchen", "[::1]"), *POST, "2", *kitchen)).code == "none"  # it has no TLS
        assert (await libcoap(uri("/ingest/kitchen", "[::1]"), *POST, "2", *kitchen, client=CLIENTS[0])).code == "2.04"


async def test_a_pack_in_blocks_and_an_answer_that_is_observed(tmp_path):
    (tmp_path / "pack").write_text(
        str([{"bn": "kitchen/", "n": f"t{at}", "v": at} for at in range(150)]).replace("'", '"')
    )
    async with speaking(tmp_path) as (at, uri):
        kitchen = as_device("kitchen", access.make_key(at.node.folder, "kitchen"))
        pack = ("-m", "post", "-t", "110", "-b", "64", "-f", str(tmp_path / "pack"))
        assert (await libcoap(uri("/ingest"), *pack, *kitchen, client=CLIENTS[0])).code == "2.04"
        assert await data(at.service, "kitchen/t149") == {"kitchen/t149": [149]}
        watching = await asyncio.create_subprocess_exec(
            need(CLIENTS[1]), "-s", "60", *kitchen, uri("/ingest/kitchen"), stdout=asyncio.subprocess.PIPE
        )
        try:
            seen = b""
            while b'"v":77.25' not in seen.replace(b" ", b""):
                if seen:
                    await libcoap(uri("/ingest?n=t0"), *POST, "77.25", *kitchen, client=CLIENTS[0])
                seen += await asyncio.wait_for(watching.stdout.read(4096), 30)
        finally:
            watching.kill()
            await watching.wait()


async def test_nothing_of_what_is_said_can_be_read_on_the_way(tmp_path):
    async with speaking(tmp_path) as (at, _):
        key = access.make_key(at.node.folder, "kitchen")
        passed = []
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as relay:
            relay.bind(("127.0.0.1", 0))
            relay.setblocking(False)
            passing = asyncio.create_task(_pass_on(relay, at.node.dtls_port, passed))
            there = f"coaps://127.0.0.1:{relay.getsockname()[1]}/ingest/kitchen?n=secretname"
            assert (
                await libcoap(there, *POST, "98.76543", *as_device("kitchen", key), client=CLIENTS[0])
            ).code == "2.04"
            passing.cancel()
    assert len(passed) > 4
    assert not re.search(rb"secretname|98\.76|ingest|" + key.encode(), b"".join(passed))


async def _pass_on(relay, port, passed):
    loop, client = asyncio.get_running_loop(), None
    while True:
        datagram, address = await loop.sock_recvfrom(relay, 65_536)
        passed.append(datagram)
        if address[1] != port:
            client = address
        await loop.sock_sendto(relay, datagram, ("127.0.0.1", port) if address[1] != port else client)


@pytest.mark.parametrize("together", [True, False])
async def test_what_a_device_said_before_it_ended_its_session_is_taken(tmp_path, together):
    async with speaking(tmp_path, unknown="closed") as (at, _):
        client = Client(b"kitchen", access.make_key(at.node.folder, "kitchen").encode())
        async with joined(client, at.node.dtls_port) as own:
            client.say(message(b"21.5"))
            client.end()
            datagrams = [client.sent[0] + client.sent[1]] if together else list(client.sent)
            for datagram in datagrams:
                own.send(datagram)
            while "kitchen" not in at.node._gateway.last:
                await asyncio.sleep(0.01)
        assert await data(at.service, "kitchen/value") == {"kitchen/value": [21.5]}
        assert at.node._gateway.denied == 0


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
async def test_who_asks_at_one_of_several_addresses_is_answered_from_there(tmp_path, host):
    async with speaking(tmp_path, host=host) as (at, _):
        client = Client(b"kitchen", access.make_key(at.node.folder, "kitchen").encode())
        async with joined(client, at.node.dtls_port, "127.0.0.2") as own:
            client.say(message(b"21.5"))
            own.send(client.sent.popleft())
            assert (await asyncio.wait_for(asyncio.get_running_loop().sock_recv(own, 2000), 30))[0] == 23


async def test_who_watches_is_forgotten_when_its_session_ends(tmp_path):
    async with speaking(tmp_path) as (at, _):
        client = Client(b"kitchen", access.make_key(at.node.folder, "kitchen").encode())
        async with joined(client, at.node.dtls_port) as own:
            client.say(message(b"21.5"))
            own.send(client.sent.popleft())
            while "kitchen" not in at.node._gateway.last:
                await asyncio.sleep(0.01)
            client.say(message(code=aiocoap.GET, observe=0))
            own.send(client.sent.popleft())
            watching = at.node._gateway.changed.__self__
            while not watching._devices:
                await asyncio.sleep(0.01)
            client.end()
            own.send(client.sent.popleft())
            while watching._devices:
                await asyncio.sleep(0.01)


def message(payload=b"", code=aiocoap.POST, **options):
    numbered = next(NUMBERS)
    return Message(
        code=code, payload=payload, uri_path=("ingest", "kitchen"), _mid=numbered, _token=bytes([numbered]),
        _mtype=aiocoap.NON, **options,
    ).encode()  # fmt: skip


async def refused(home):
    """What lies in quarantine, once there is something."""
    while True:
        with contextlib.suppress(sqlite3.Error):  # there is no file, or it is just made
            if cases := quarantine.latest(home, "coap", 9):
                return cases
        await asyncio.sleep(0.1)


async def test_a_key_that_is_taken_back_or_of_another_lets_nobody_in(tmp_path):
    async with speaking(tmp_path, unknown="closed") as (at, uri):
        run = CliRunner(env={"SISOCK_STATE": str(tmp_path)})
        key = run.invoke(main, ["dtls", "kitchen"], catch_exceptions=False).output.strip()
        assert len(key) == 32
        assert run.invoke(main, ["ls"]).output == "kitchen  DTLS key\n"
        assert (await libcoap(uri("/ingest"), *POST, "1", *as_device("kitchen", key), client=CLIENTS[0])).code == "2.04"
        assert run.invoke(main, ["rm", "kitchen"]).exit_code == 0
        await asyncio.sleep(1)  # which is how long it may take to be seen
        assert (
            await libcoap(uri("/ingest"), *POST, "2", *as_device("kitchen", key), *SOON, client=CLIENTS[0])
        ).code == "none"
        assert await data(at.service, "kitchen/value") == {"kitchen/value": [1]}
        (case,) = await refused(tmp_path)
        assert case.reason == "a DTLS client calls itself 'kitchen', which has no key here"


async def test_a_file_that_holds_no_key_lets_nobody_in_and_is_told_of(tmp_path, caplog):
    async with speaking(tmp_path) as (at, uri):
        for text in ("short", "x" * 500, "\x00\xff" * 20):
            access.make_key(at.node.folder, "kitchen")
            access.dtls_file(at.node.folder, "kitchen").write_text(text)
            await asyncio.sleep(1)
            assert at.node._gateway.access.key_of("kitchen") is None
        assert (
            await libcoap(uri("/ingest"), *POST, "1", *as_device("kitchen", "short"), *SOON, client=CLIENTS[0])
        ).code == "none"
        assert (await send(at.uri("/ingest/kitchen"), "1")).code == "4.01"
    told = {each.message.rpartition("dtls/kitchen ")[2][:30] for each in caplog.records if "DTLS key" in each.message}
    assert told == {"holds no token: write one line", "holds more than 128 characters"}


async def test_a_port_that_another_has_is_said(tmp_path):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        node = Coap(port=free_port(), dtls_port=other.getsockname()[1])
        node.home = tmp_path
        with pytest.raises(OSError, match="CoAP over DTLS cannot listen at 127.0.0.1"):
            await node.receive(_Nothing())


class _Nothing:
    """What a gateway gives to that listens nowhere."""

    notes: typing.ClassVar = {}


@pytest.mark.parametrize("ports", [{"dtls_port": 5683}, {"dtls_port": -1}, {"dtls_port": 70_000}])
def test_ports_that_cannot_be(ports):
    with pytest.raises(ValueError, match="dtls_port is from 1 to 65535"):
        Coap(**ports)
