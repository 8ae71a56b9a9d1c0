"""Who may send to a CoAP gateway: open, by token, by OSCORE; what is forged or comes again is refused."""

import asyncio
import json
import os
import shutil
import socket
import sys
import time

import aiocoap
import pytest
from aiocoap import Message
from click.testing import CliRunner

from data_nodes.coap import access, oscore
from data_nodes.coap.__main__ import main
from sisock.store import quarantine
from tests.coap import ask, clients, gateway, send
from tests.nodes import data

WARM = '[{"n":"t","u":"Cel","v":21.5}]'


def made(home, device):
    """A device's half of new credentials, in a folder."""
    half = home / f"half-{device}"
    half.mkdir()
    (half / "settings.json").write_text(json.dumps(oscore.make(home / "coap" / "coap", device)))
    return half


class Relay(asyncio.DatagramProtocol):
    """Passes datagrams on to a port, and keeps those of the client."""

    def __init__(self, port):
        self.passed, self._to, self._client = [], ("127.0.0.1", port), None

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, datagram, address):
        if address == self._to:
            self.transport.sendto(datagram, self._client)
        else:
            self.passed.append(datagram)
            self._client = address
            self.transport.sendto(datagram, self._to)


async def relayed(at):
    transport, relay = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: Relay(at.port), local_addr=("127.0.0.1", 0)
    )
    return relay, transport.get_extra_info("sockname")[1]


async def answer_to(port, datagram):
    """The code that a datagram of a socket of its own is answered with."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
        own.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(own, ("127.0.0.1", port))
        await loop.sock_sendall(own, datagram)
        answer = await asyncio.wait_for(loop.sock_recv(own, 2000), 30)
    return f"{answer[1] >> 5}.{answer[1] & 31:02}"


async def test_without_a_token_nobody_sends_and_the_node_says_how_to_make_one(tmp_path):
    async with gateway(tmp_path, unknown="token") as at:
        assert (await send(at.uri("/ingest/k"), "1")) == ("4.01", "a token is needed: …?token=…")
        health = await at.published.health("no data")
        while "python -m data_nodes.coap token" not in health["error"]:
            at.published.frames.clear()
            health = await at.published.health()
        token = access.make_token(at.node.folder)
        assert (await send(at.uri(f"/ingest/k?token={token}x"), "1")).code == "4.01"
        assert (await send(at.uri(f"/ingest/k?token={token}"), "1")).code == "2.04"
        await at.published.health("ok")
        assert list(at.node._gateway.devices) == ["k"]
        token, before = access.make_token(at.node.folder), token
        while (await send(at.uri(f"/ingest/k?token={before}"), "1")).code != "4.01":
            pass
    assert token not in str(quarantine.latest(tmp_path, "coap", 99))


async def test_a_device_with_a_token_of_its_own_has_to_use_it(tmp_path):
    async with gateway(tmp_path, unknown="token") as at, clients() as context:
        shared, own = access.make_token(at.node.folder), access.make_token(at.node.folder, "hall/k")
        assert (await ask(context, at.uri(f"/ingest/hall/k?token={shared}"), "1")).code == "4.01"
        assert (await ask(context, at.uri(f"/ingest/hall/k?token={own}"), "1")).code == "2.04"
        assert (await ask(context, at.uri(f"/ingest/other?token={own}"), "1")).code == "4.01"


OPENED = list[str]()
sys.addaudithook(lambda event, given: OPENED.append(str(given[0])) if event in ("open", "os.listdir") else None)


def test_very_many_who_are_denied_cost_no_look_at_the_disk_each(tmp_path):
    folder = tmp_path / "coap" / "coap"
    token, own = access.make_token(folder), access.make_token(folder, "k")
    gate = access.Access(folder, "token")
    gate.check("new", token, None)
    OPENED.clear()
    for number in range(500):
        for device in (f"stranger{number}", "k", "new"):
            with pytest.raises(access.Denied):
                gate.check(device, "guess", None)
        assert not gate.may_look("guess", None)
    assert sum(str(tmp_path) in each for each in OPENED) < 20
    gate.check("k", own, None)
    gate.check("new", token, None)


def test_a_token_lets_in_as_soon_as_it_was_made_and_not_long_after_it_was_taken_back(tmp_path):
    gate = access.Access(tmp_path, "token")
    for number in range(5):
        with pytest.raises(access.Denied):
            gate.check("k", "guess", None)
        token = access.make_token(tmp_path, "k" if number % 2 else None)
        gate.check("k", token, None)
        access.token_file(tmp_path, "k" if number % 2 else None).unlink()
        with pytest.raises(access.Denied):
            until_denied(gate, token)


@pytest.mark.parametrize("held", [b"", b"\n", b"\xff\xfe", b"one\ntwo"])
def test_a_token_file_that_holds_none_lets_nobody_in_and_is_told(tmp_path, held, caplog):
    shared, _ = access.make_token(tmp_path), access.make_token(tmp_path, "k")
    path = access.token_file(tmp_path, "k")
    path.write_bytes(held)
    gate = access.Access(tmp_path, "token")
    for guess in (shared, "", held.decode("latin-1")):
        with pytest.raises(access.Denied):
            gate.check("k", guess, None)
    gate.check("other", shared, None)
    assert f"{path} holds no token: write one line" in caplog.text


def test_a_pipe_in_place_of_a_token_or_a_key_keeps_nobody_waiting(tmp_path, caplog):
    for path in (access.token_file(tmp_path, "k"), access.dtls_file(tmp_path, "k")):
        path.parent.mkdir(parents=True)
        os.mkfifo(path)
    gate = access.Access(tmp_path, "open")
    assert gate.key_of("k") is None
    with pytest.raises(access.Denied):
        gate.check("k", "", None)
    assert f"{access.dtls_file(tmp_path, 'k')} is no file: put one there" in caplog.text


@pytest.mark.parametrize("unreadable", ["tokens", "dtls", "oscore"])
@pytest.mark.parametrize("policy", ["open", "token"])
def test_where_it_cannot_be_read_who_may_send_nobody_does_and_it_is_told_once(tmp_path, unreadable, policy, caplog):
    token, key = access.make_token(tmp_path), access.make_key(tmp_path, "k")
    gate = access.Access(tmp_path, policy)
    gate.check("other", token, None)
    assert gate.key_of("k") == key.encode()
    folder = tmp_path / unreadable
    shutil.rmtree(folder, ignore_errors=True)
    folder.symlink_to(folder)
    with pytest.raises(access.Denied):
        until_denied(gate, token, "other")
    for _ in range(10):
        with pytest.raises(access.Denied, match="cannot be read here"):
            gate.check("other", token, None)
        assert gate.key_of("k") is None
    assert [each.message.startswith(f"{folder} cannot be read") for each in caplog.records] == [True]
    folder.unlink()
    gate.check("other", token, None)


def until_denied(gate, token, device="k"):
    until = time.monotonic() + 30
    while time.monotonic() < until:
        gate.check(device, token, None)


async def test_closed_takes_only_devices_that_are_known(tmp_path):
    async with gateway(tmp_path, unknown="closed") as at, clients() as context:
        shared, own = access.make_token(at.node.folder), access.make_token(at.node.folder, "k")
        assert (await ask(context, at.uri("/ingest/new"), "1")) == ("4.01", "new is not known here")
        assert (await ask(context, at.uri(f"/ingest/new?token={shared}"), "1")).code == "4.01"
        assert (await ask(context, at.uri(f"/ingest/k?token={own}"), "1")).code == "2.04"
        assert list(at.node._gateway.devices) == ["k"]
    assert {each.source for each in quarantine.counts(tmp_path, "coap")} == {"new"}


async def test_only_who_may_send_sees_which_devices_there_are_and_what_they_sent(tmp_path):
    async with gateway(tmp_path, unknown="token") as at, clients() as context:
        token = access.make_token(at.node.folder)
        await ask(context, at.uri(f"/ingest/k?token={token}"), "1")
        core, last = at.uri("/.well-known/core"), at.uri("/ingest/k")
        assert "/ingest/k>" not in (await ask(context, core, code=aiocoap.GET)).text
        assert "/ingest/k>" in (await ask(context, f"{core}?token={token}&rt=sisock.*", code=aiocoap.GET)).text
        assert (await ask(context, last, code=aiocoap.GET)).code == "4.01"
        assert (await ask(context, f"{last}?token={token}", code=aiocoap.GET)).code == "2.05"


@pytest.mark.parametrize(
    "path", [("ingest", ".."), ("ingest", "..", "token"), ("ingest", "a/../.."), ("ingest", ""), ("ingest", "k:" * 60)]
)
@pytest.mark.parametrize("code", [aiocoap.GET, aiocoap.POST])
async def test_no_name_of_a_device_leads_out_of_its_folder(tmp_path, path, code):
    async with gateway(tmp_path, unknown="token") as at, clients() as context:
        access.make_token(at.node.folder)
        asked = Message(code=code, uri=at.uri(""), uri_path=path, payload=b"" if code == aiocoap.GET else b"1")
        assert (await context.request(asked).response).code.dotted in ("4.00", "4.01", "4.04")
        longest = "a" + "/b" * 49
        assert (
            await ask(context, at.uri(f"/ingest/{longest}?token={access.make_token(at.node.folder, longest)}"), "1")
        ).code == "2.04"


async def test_oscore_proves_who_sends_and_nothing_can_be_read_on_the_way(tmp_path):
    half = made(tmp_path, "kitchen")
    async with gateway(tmp_path, unknown="closed") as at, clients(half) as context:
        relay, port = await relayed(at)
        assert (await ask(context, f"coap://127.0.0.1:{port}/ingest", WARM)).code == "2.04"
        assert await data(at.service, "kitchen/t") == {"kitchen/t": [21.5]}
        forbidden = await ask(context, f"coap://127.0.0.1:{port}/ingest/cellar", WARM)
        assert forbidden == ("4.03", "kitchen may not send for cellar")
        assert relay.passed
        assert not any(word in datagram for datagram in relay.passed for word in (b"21.5", b"ingest", b"kitchen"))
        assert (await send(at.uri("/ingest/kitchen"), WARM)).code == "4.01"
        relay.transport.close()


async def test_a_device_with_credentials_cannot_be_imitated_even_where_all_is_open(tmp_path):
    made(tmp_path, "kitchen")
    async with gateway(tmp_path) as at:
        assert (await send(at.uri("/ingest/kitchen"), "1")) == (
            "4.01",
            "kitchen has OSCORE credentials: send with them",
        )


async def test_what_was_recorded_and_comes_again_is_refused_and_counted(tmp_path):
    half = made(tmp_path, "kitchen")
    async with gateway(tmp_path) as at, clients(half) as context:
        relay, port = await relayed(at)
        assert (await ask(context, f"coap://127.0.0.1:{port}/ingest", WARM)).code == "2.04"
        recorded = relay.passed[-1]
        assert await answer_to(at.port, recorded[:2] + b"zz" + recorded[4:]) == "4.01"
        assert (await data(at.service, "kitchen/t"))["kitchen/t"] == [21.5]
        await at.published.until(lambda frames: any(_last(frame, "denied") for frame in frames))
        relay.transport.close()
    assert "came again" in quarantine.latest(tmp_path, "coap", 9)[-1].reason


def _last(frame, name):
    return name in frame.columns and frame.columns[name].values[-1]


@pytest.mark.parametrize(("changed", "code"), [("secret_hex", "4.00"), ("sender-id_hex", "4.01")])
async def test_another_key_or_id_is_refused(tmp_path, changed, code):
    half = made(tmp_path, "kitchen")
    settings = json.loads((half / "settings.json").read_text())
    flipped = ("0" if settings[changed][0] != "0" else "1") + settings[changed][1:]
    (half / "settings.json").write_text(json.dumps({**settings, changed: flipped}))
    async with gateway(tmp_path) as at, clients(half) as context:
        assert (await ask(context, at.uri("/ingest"), WARM)).code == code
    assert "OSCORE message" in quarantine.latest(tmp_path, "coap", 9)[-1].reason


async def test_credentials_hold_through_a_restart_and_end_when_they_are_removed(tmp_path):
    half = made(tmp_path, "kitchen")
    async with gateway(tmp_path) as at, clients(half) as context:
        assert (await ask(context, at.uri("/ingest?seq=1"), WARM)).code == "2.04"
    async with gateway(tmp_path, at.port) as at, clients(half) as context:
        assert (await ask(context, at.uri("/ingest?seq=1"), WARM)).code == "2.04"
        assert (await data(at.service, "kitchen/t"))["kitchen/t"] == [21.5]
        command("rm", "kitchen", state=tmp_path)
        async with asyncio.timeout(30):
            while (await ask(context, at.uri("/ingest"), WARM)).code != "4.01":
                pass


async def test_a_gateway_that_was_killed_asks_for_echo_before_it_trusts_numbers_again(tmp_path):
    half = made(tmp_path, "kitchen")
    async with gateway(tmp_path) as at, clients(half) as context:
        assert (await ask(context, at.uri("/ingest"), WARM)).code == "2.04"
        folder = access.oscore_folder(at.node.folder, "kitchen")
        as_killed = (folder / "sequence.json").read_text()
    assert '"unknown"' in as_killed
    (folder / "sequence.json").write_text(as_killed)
    async with gateway(tmp_path, at.port) as at, clients(half) as context:
        assert (await ask(context, at.uri("/ingest"), WARM)).code == "2.04"


def command(*argv, state):
    ended = CliRunner().invoke(main, [argv[0], "--state", str(state), *argv[1:]])
    return ended.output


def test_the_commands_make_list_and_remove(tmp_path):
    assert len(command("token", state=tmp_path).strip()) > 20
    command("token", "a/b", state=tmp_path)
    half = tmp_path / "half"
    assert "is for kitchen: move it there" in command("oscore", "kitchen", "--out", str(half), state=tmp_path)
    assert json.loads((half / "settings.json").read_text())["recipient-id_hex"] == ""
    assert command("ls", state=tmp_path) == "(any device)  token\na/b  token\nkitchen  OSCORE\n"
    assert all(path.stat().st_mode & 0o77 == 0 for path in (tmp_path / "coap").rglob("*"))
    assert "kitchen has OSCORE credentials" in command("oscore", "kitchen", "--out", f"{half}2", state=tmp_path)
    assert "cannot name a device" in command("token", "a::b", state=tmp_path)
    for device in (["kitchen"], ["a/b"], []):
        command("rm", *device, state=tmp_path)
    assert command("ls", state=tmp_path) == ""
    assert "has no token and no credentials here" in command("rm", "kitchen", state=tmp_path)
