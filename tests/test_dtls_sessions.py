"""DTLS sessions as datagrams come, are lost, come again, or are of nobody."""

import contextlib
import gc
import itertools
import random
import time
import weakref
from collections import deque

import pytest
from OpenSSL import SSL

from data_nodes.coap.dtls import Sessions
from tests.dtls import HERE, Client, converse

KEY = b"0123456789abcdef"
OTHER = b"fedcba9876543210"
THERE = ("192.0.2.8", 40_000)


class Gateway:
    """Sessions with devices whose keys are known."""

    def __init__(self, most=10):
        self.keys, self.refused, self.ended, self.now = {"kitchen": KEY}, [], [], 0.0
        self.answers = deque()
        self.sessions = Sessions(
            self.keys.get, self._send, lambda *why: self.refused.append(why), self.ended.append, most
        )

    def _send(self, datagram, _address):
        self.answers.append(datagram)

    def received(self, datagram, address=HERE):
        return [message for _, message in self.sessions.received(datagram, address, self.now)]

    def welcome(self, client, address=HERE):
        """Let a client come in; the messages that it says meanwhile."""
        return converse(client, lambda datagram: self.received(datagram, address), self.answers)


@pytest.fixture
def gateway():
    return Gateway()


@pytest.mark.parametrize(
    "ciphers", [b"PSK-AES128-CCM8:@SECLEVEL=0", b"PSK-AES128-GCM-SHA256", b"ECDHE-PSK-CHACHA20-POLY1305"]
)
def test_messages_go_both_ways_once_the_device_has_proved_itself(gateway, ciphers):
    client = Client(b"kitchen", KEY, ciphers)
    gateway.welcome(client)
    client.say(b"21.5")
    ((session, message),) = gateway.sessions.received(client.sent.popleft(), HERE, 0.0)
    assert (session.device, message) == ("kitchen", b"21.5")
    gateway.sessions.write(session, b"thanks")
    client.take(gateway.answers.popleft())
    assert client.heard() == b"thanks"


def test_of_who_has_not_shown_where_it_is_nothing_is_kept_and_little_said(gateway):
    hello = Client(b"kitchen", KEY).sent.popleft()
    for port in range(1000):
        assert gateway.received(hello, ("192.0.2.7", port)) == []
    assert not gateway.sessions._shaking
    assert sum(map(len, gateway.answers)) < 1000 * len(hello)


def test_a_cookie_is_of_one_address(gateway):
    client = Client(b"kitchen", KEY)
    gateway.received(client.sent.popleft())
    client.take(gateway.answers.popleft())
    client.shake()
    gateway.received(client.sent[0], THERE)
    assert not gateway.sessions._shaking
    gateway.received(client.sent[0], HERE)
    assert list(gateway.sessions._shaking) == [HERE]


@pytest.mark.parametrize(
    ("identity", "key", "refused"),
    [
        (b"kitchen", OTHER, ("kitchen", "a DTLS client of this name has another key")),
        (b"hall", KEY, ("", "a DTLS client calls itself 'hall', which has no key here")),
        (b"\xff\n" * 60, KEY, ("", "a DTLS client calls itself '\ufffd\\n")),
    ],
)
def test_who_cannot_prove_itself_is_not_heard_and_told_of(gateway, identity, key, refused):
    client = Client(identity, key)
    assert gateway.welcome(client) == []
    assert len(gateway.sessions) == 0
    gateway.now = 60
    gateway.sessions.tick(60)
    ((device, why),) = gateway.refused
    assert device == refused[0]
    assert why.startswith(refused[1])
    assert not gateway.sessions._shaking


def test_what_comes_again_is_not_taken_again(gateway):
    client = Client(b"kitchen", KEY)
    gateway.welcome(client)
    client.say(b"21.5")
    datagram = client.sent.popleft()
    assert [gateway.received(datagram) for _ in range(3)] == [[b"21.5"], [], []]


def test_a_session_ends_with_its_key(gateway):
    client = Client(b"kitchen", KEY)
    gateway.welcome(client)
    gateway.keys["kitchen"] = OTHER
    client.say(b"21.5")
    assert gateway.received(client.sent.popleft()) == []
    client.take(gateway.answers.popleft())
    with pytest.raises(SSL.ZeroReturnError):
        client.heard()
    assert len(gateway.sessions) == 0


def test_a_key_that_is_gone_ends_a_silent_session_as_well(gateway):
    client = Client(b"kitchen", KEY)
    gateway.welcome(client)
    del gateway.keys["kitchen"]
    gateway.sessions.tick(0.5)
    client.take(gateway.answers.popleft())
    with pytest.raises(SSL.ZeroReturnError):
        client.heard()


def test_a_device_that_begins_anew_at_the_same_address_is_let_in_and_the_session_before_ends(gateway):
    before = Client(b"kitchen", KEY)
    gateway.welcome(before)
    after = Client(b"kitchen", KEY)
    gateway.welcome(after)
    assert len(gateway.sessions) == 1
    after.say(b"2")
    assert gateway.received(after.sent.popleft()) == [b"2"]
    before.say(b"1")
    assert gateway.received(before.sent.popleft()) == []


def test_somebody_else_at_the_address_does_not_end_a_session_without_a_key(gateway):
    client = Client(b"kitchen", KEY)
    gateway.welcome(client)
    stranger = Client(b"kitchen", OTHER)
    gateway.welcome(stranger)
    gateway.sessions.tick(60)
    client.say(b"21.5")
    assert gateway.received(client.sent.popleft()) == [b"21.5"]


def test_a_device_may_end_its_session(gateway):
    client = Client(b"kitchen", KEY)
    gateway.welcome(client)
    client.end()
    gateway.received(client.sent.popleft())
    assert len(gateway.sessions) == 0


def test_of_too_many_sessions_the_one_that_is_silent_for_longest_ends():
    gateway = Gateway(most=3)
    clients = [Client(b"kitchen", KEY) for _ in range(4)]
    for port, client in enumerate(clients[:3]):
        gateway.welcome(client, ("192.0.2.7", port))
    clients[0].say(b"0")
    assert gateway.received(clients[0].sent.popleft(), ("192.0.2.7", 0)) == [b"0"]
    gateway.welcome(clients[3], ("192.0.2.7", 3))
    assert [address[1] for address in gateway.sessions._sessions] == [2, 0, 3]


def greeting(gateway, client, address=HERE):
    """What a client at an address says once it has its cookie."""
    gateway.received(client.sent.popleft(), address)
    client.take(gateway.answers.popleft())
    client.shake()
    return client.sent.popleft()


def test_a_greeting_that_comes_again_begins_nothing(gateway):
    client = Client(b"kitchen", KEY)
    hello = greeting(gateway, client)
    client.sent.append(hello)
    gateway.welcome(client)
    gateway.received(hello)
    assert not gateway.sessions._shaking
    assert not gateway.answers


def test_who_has_seen_a_cookie_holds_up_no_session(gateway):
    client = Client(b"kitchen", KEY)
    gateway.welcome(client)
    gateway.received(greeting(gateway, Client(b"kitchen", OTHER)))
    assert gateway.sessions._shaking
    client.say(b"21.5")
    ((session, message),) = gateway.sessions.received(client.sent.popleft(), HERE, 0)
    assert message == b"21.5"
    gateway.answers.clear()
    gateway.sessions.write(session, b"thanks")
    client.take(gateway.answers.popleft())
    assert client.heard() == b"thanks"
    client.end()
    gateway.received(client.sent.popleft())
    assert len(gateway.sessions) == 0


def test_a_cookie_is_good_for_a_while_only(gateway):
    hello = greeting(gateway, Client(b"kitchen", KEY))
    gateway.now = 100.0
    gateway.received(hello)
    assert not gateway.sessions._shaking
    again = greeting(gateway, Client(b"kitchen", KEY))
    gateway.now = 105.0
    gateway.received(again)
    assert gateway.sessions._shaking


def test_who_begins_very_many_handshakes_ends_only_its_own(gateway):
    client = Client(b"kitchen", KEY)
    gateway.received(greeting(gateway, client, ("192.0.2.9", 1)), ("192.0.2.9", 1))
    for port in range(300):
        at = ("192.0.2.7", port)
        gateway.answers.clear()
        gateway.received(greeting(gateway, Client(b"kitchen", OTHER), at), at)
    assert len(gateway.sessions._shaking) <= 200
    assert ("192.0.2.9", 1) in gateway.sessions._shaking
    assert ("192.0.2.7", 299) in gateway.sessions._shaking


def test_who_cannot_prove_itself_is_told_of_though_others_begin_meanwhile(gateway):
    for port in range(250):
        gateway.answers.clear()
        gateway.welcome(Client(b"kitchen", OTHER), ("192.0.2.7", port))
    gateway.now = 60
    gateway.sessions.tick(60)
    assert gateway.refused == [("kitchen", "a DTLS client of this name has another key")] * 250


def test_what_no_record_can_be_is_not_looked_at(gateway):
    client = Client(b"kitchen", KEY)
    gateway.welcome(client)
    client.say(b"x" * 16_384)
    assert gateway.received(client.sent.popleft()) == [b"x" * 16_384]
    client.say(b"1")
    assert gateway.received(client.sent[0] + bytes(20_000)) == []
    assert gateway.received(client.sent.popleft()) == [b"1"]


def test_a_device_that_begins_anew_elsewhere_again_and_again_ends_no_session_of_others():
    gateway = Gateway(most=12)
    gateway.keys["hall"] = OTHER
    quiet = Client(b"hall", OTHER)
    gateway.welcome(quiet, THERE)
    for port in range(30):
        gateway.welcome(Client(b"kitchen", KEY), ("192.0.2.7", port))
    quiet.say(b"1")
    assert gateway.received(quiet.sent.popleft(), THERE) == [b"1"]
    last = [address[1] for address in gateway.sessions._sessions]
    assert last[:-1] == [*range(30 - len(last[:-1]), 30)]


def test_of_a_session_that_has_ended_nothing_large_is_left(gateway):
    client = Client(b"kitchen", KEY)
    gateway.welcome(client)
    client.say(b"1")
    ((session, _),) = gateway.sessions.received(client.sent.popleft(), HERE, 0)
    connection = weakref.ref(session.connection)
    del gateway.keys["kitchen"]
    gateway.sessions.tick(0.5)
    gateway.sessions.write(session, b"nobody hears it")
    assert gateway.ended == [session]
    gc.collect()
    assert connection() is None


def test_secrecy_of_what_was_recorded_is_preferred_whatever_the_device_would_rather_have(gateway):
    client = Client(b"kitchen", KEY, b"PSK-AES128-CCM8:ECDHE-PSK-CHACHA20-POLY1305:@SECLEVEL=0")
    gateway.welcome(client)
    assert client.connection.get_cipher_name() == "ECDHE-PSK-CHACHA20-POLY1305"


@pytest.mark.parametrize("lost", range(7))
def test_a_handshake_comes_to_its_end_whichever_datagram_is_lost(gateway, lost):
    client = Client(b"kitchen", KEY)
    passed = itertools.count()
    while not (client.shake() and len(gateway.sessions)):
        while client.sent:
            datagram = client.sent.popleft()
            if next(passed) != lost:
                gateway.received(datagram)
        while gateway.answers:
            datagram = gateway.answers.popleft()
            if next(passed) != lost:
                client.take(datagram)
        time.sleep(0.01)  # OpenSSL says again after a second what was not answered
        client.again()
        gateway.sessions.tick(0)
    client.say(b"21.5")
    assert gateway.received(client.sent.pop()) == [b"21.5"]


@pytest.mark.parametrize("times", [1, 2])
def test_a_greeting_that_had_to_be_sent_again_is_answered_so_that_the_client_takes_it(gateway, times):
    client = Client(b"kitchen", KEY)
    for _ in range(times):
        client.sent.clear()
        while not client.sent:
            time.sleep(0.05)
            client.again()
    gateway.welcome(client)  # nothing is said again meanwhile
    assert len(gateway.sessions) == 1


def test_a_greeting_with_the_highest_number_is_answered_as_well(gateway):
    client = Client(b"kitchen", KEY)
    gateway.received(client.sent.popleft())
    client.take(gateway.answers.popleft())
    client.shake()
    greeting = client.sent.popleft()
    gateway.received(greeting[:5] + b"\xff" * 6 + greeting[11:])
    client.take(gateway.answers.popleft())
    client.shake()
    assert client.sent  # it goes on


@pytest.mark.parametrize("seed", range(5))
def test_noise_ends_nothing(gateway, seed):
    noise = random.Random(seed)
    client = Client(b"kitchen", KEY)
    gateway.welcome(client)
    client.say(b"0")
    real = client.sent.popleft()
    for _ in range(2000):
        datagram = bytearray(real if noise.random() < 0.5 else noise.randbytes(noise.randrange(80)))
        for _ in range(noise.randrange(4)):
            if datagram:
                datagram[noise.randrange(len(datagram))] = noise.randrange(256)
        if bytes(datagram) != real:
            assert gateway.received(bytes(datagram)) == []
    client.say(b"1")
    assert gateway.received(client.sent.popleft()) == [b"1"]


@pytest.mark.parametrize("seed", range(8))
def test_whatever_comes_in_whatever_order_each_message_is_of_the_device_that_said_it_and_once(seed):
    chance = random.Random(seed)
    gateway = Gateway(most=5)
    gateway.keys["hall"] = OTHER
    clients, on_way, said, heard = {}, [], set(), []
    for step in range(300):
        at = ("192.0.2.7", chance.randrange(4))
        if at not in clients or chance.random() < 0.03:
            who = chance.choice([(b"kitchen", KEY), (b"hall", OTHER), (b"kitchen", OTHER), (b"nobody", KEY)])
            clients[at] = Client(*who), who[0].decode()
        client, name = clients[at]
        with contextlib.suppress(SSL.Error):
            if client.shake() and chance.random() < 0.8:
                said.add(f"{name} {step}")
                client.say(f"{name} {step}".encode())
            elif chance.random() < 0.05:
                client.end()
        on_way += [(at, datagram) for datagram in client.sent]
        client.sent.clear()
        for _ in range(chance.randrange(4)):
            where, datagram = chance.choice(on_way)
            if chance.random() < 0.8:
                on_way.remove((where, datagram))
                on_way = on_way or [(at, b"nothing")]
            where = at if chance.random() < 0.05 else where
            for session, message in gateway.sessions.received(spoiled(datagram, on_way, chance), where, step):
                assert session.device == message.decode().split()[0]
                heard.append(message.decode())
            for answer in gateway.answers:
                clients[where][0].take(answer)
            gateway.answers.clear()
        gateway.sessions.tick(step)
    assert len(heard) == len(set(heard))
    assert said >= set(heard) > set()


def spoiled(datagram, others, chance):
    """A datagram as it is, or with another behind it, bytes changed or its end cut off."""
    if chance.random() < 0.1:
        return datagram + chance.choice(others)[1]
    if chance.random() < 0.1:
        changed = bytearray(datagram)
        changed[chance.randrange(len(changed))] = chance.randrange(256)
        return bytes(changed)
    return datagram[: chance.randrange(len(datagram))] if chance.random() < 0.05 else datagram


def test_all_are_told_when_the_gateway_ends(gateway):
    client = Client(b"kitchen", KEY)
    gateway.welcome(client)
    gateway.sessions.close()
    client.take(gateway.answers.popleft())
    with pytest.raises(SSL.ZeroReturnError):
        client.heard()
