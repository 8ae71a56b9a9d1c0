"""Bad input to a real router, and its life: start, end, kill."""

import contextlib
import os
import random
import signal
import socket
import struct
import time
from concurrent.futures import ThreadPoolExecutor

import cbor2
import psutil
import pytest

from sisock.keys import ensure_key, new_page_token
from sisock.testing import Client, running_router
from sisock.testing.client import CLOSE
from tests.laboratory import PRINCIPALS, REALM, SECRET, legacy, refused, round_trip, worker


@pytest.fixture(scope="module", autouse=True)
def silent(router):
    """A client that connects first of all, answers pings and never signs in: seconds until it was closed."""

    def wait():
        with Client(router.settings.url, timeout=40) as client:
            start = time.monotonic()
            return time.monotonic() - start if client.closed() else None

    with ThreadPoolExecutor(1) as pool:
        yield pool.submit(wait)


# bad input


def test_deep_nesting_before_signing_in_does_not_stop_the_router(router, join):
    hub = join("hub")
    size = router.log.stat().st_size
    for depth in (20_000, 50_000, 1_000_000):
        with legacy(router) as stranger:
            stranger.send_frame(b"[" * depth, 1)
            assert max(round_trip(hub) for _ in range(5)) < 3
            assert stranger.closed()
        with Client(router.settings.url) as stranger:
            stranger.send_frame(b"\x81" * depth)
            assert max(round_trip(hub) for _ in range(5)) < 3
            assert stranger.closed()
    assert router.log.stat().st_size - size < 20_000


def colliding(count):
    """Keys of a map that all have the same hash, one after the other with a value."""
    numbers = ((i + 10) * (2**61 - 1) for i in range(count))
    return b"".join(cbor2.dumps(cbor2.CBORTag(2, each.to_bytes(16, "big"))) + b"\x00" for each in numbers)


@pytest.mark.parametrize("name", [None, "ann"])
def test_numbers_that_collide_do_not_keep_the_router_busy(router, join, name):
    hub = join("hub")
    for head in (b"\xba" + struct.pack("!I", 30_000), b"\xd9\x01\x02\x9a" + struct.pack("!I", 60_000)):
        with router.client(name) if name else Client(router.settings.url) as client:
            client.send_frame(b"\x83\x01" + cbor2.dumps(REALM) + head + colliding(30_000))
            assert max(round_trip(hub) for _ in range(5)) < 3
            assert client.closed()


@pytest.mark.parametrize(
    "details",
    [
        b"\xa1\x01\x00",  # a number as a key
        b"\xa1\xc2\x41\x05\x00",
        b"\xd9\x01\x02\x81\x01",  # a set
        b"\xd8\x1c\x81\xd8\x1d\x00",  # a list that holds itself
        b"\xa1\x61a\xd8\x23\x61a",  # a regular expression
        b"\xa1\x61a\xda\xff\xff\xff\xff\x00",  # a tag that nobody knows
    ],
)
def test_what_wamp_does_not_need_of_cbor_is_refused(router, join, uris, details):
    ann = join("ann")
    ann.send_frame(b"\x84\x18\x30\x18\x63" + details + cbor2.dumps(uris.hub_nodes))
    with pytest.raises(ConnectionError, match="CBORDecodeError"):
        ann.receive()


def test_who_has_not_joined_sends_little(router, join):
    hub = join("hub")
    for connect in (lambda: Client(router.settings.url), lambda: legacy(router)):
        with connect() as stranger:
            stranger.send([1, REALM, {"roles": {"caller": {}}, "padding": "x" * 20_000}])
            with pytest.raises(ConnectionError, match="exceeds payload limit of 16384"):
                stranger.receive()
        with connect() as stranger:
            stranger.send([1, REALM, {"roles": {"caller": {}}, "padding": "x" * 10_000}])
            assert stranger.receive()[0] == 3
    assert hub.call("wamp.session.list", ["x" * 100_000]) == []


def test_garbage_is_dropped_and_the_router_stays(router, join):
    hub, before = join("hub"), worker(router)
    size, memory = router.log.stat().st_size, before.memory_info().rss
    rng = random.Random(1)
    garbage = [
        b"", b"\xff", b"\x9b" + b"\xff" * 8, b"\x5b" + b"\x7f" * 8, cbor2.dumps({}), cbor2.dumps([]), cbor2.dumps([1]),
        cbor2.dumps([1, 2, 3]), cbor2.dumps([99, "x"]), cbor2.dumps([48, 1, {}, "a b"]), cbor2.dumps([1, REALM, {"roles": 1}]),
        cbor2.dumps([5, "x", {}]), cbor2.dumps([5, 1, {}]), cbor2.dumps([3, {}, "wamp.close.normal"]), rng.randbytes(65536),
        cbor2.dumps([1, REALM, {"roles": {"caller": {}}, "authmethods": ["cryptosign"], "authextra": {"certificates": [[1, {}, 2]]}}]),
    ]  # fmt: skip
    for each in garbage:
        with Client(router.settings.url, timeout=0.2) as client:
            client.send_frame(each)
            client.closed()
        with router.client("cli", timeout=0.2) as client:
            client.send_frame(each)
            client.closed()
    port = router.settings.router_port
    for raw in (
        rng.randbytes(65536),
        b"GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\n" + b"X: y\r\n" * 100_000,
        b"GET /%00../../etc/passwd HTTP/1.1\r\n\r\n",
    ):
        with socket.create_connection(("127.0.0.1", port), 5) as connection, contextlib.suppress(OSError):
            connection.sendall(raw)
            connection.recv(1000)
    assert worker(router) == before
    looks = [sorted(round_trip(hub) for _ in range(20)) for _ in range(5)]
    best = min(looks)  # others work on this machine besides
    assert best[10] < 0.05
    assert best[-1] < 0.25
    assert before.memory_info().rss - memory < 10 * 2**20
    assert router.log.stat().st_size - size < 60_000
    assert "Traceback" not in router.log.read_text()


def test_an_address_that_is_no_text_is_not_found(router):
    size = router.log.stat().st_size
    for path in (b"%ff%fe", b"%00", b"a%00b", b"%1b[2J") * 5:
        with socket.create_connection(("127.0.0.1", router.settings.router_port), 5) as connection:
            connection.sendall(b"GET /" + path + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            assert connection.recv(1000).split()[1] == b"404"
    assert router.log.stat().st_size == size


def test_a_node_that_leaves_while_its_caller_leaves_does_not_stay_registered(join, uris):
    node, ann = join("weather"), join("ann")
    node.register(uris.node("weather", "get_data"))
    ann.send([48, 1, {}, uris.node("weather", "get_data")])
    node.receive()
    ann.send_frame(b"garbage")  # the router says goodbye to ann, who does not answer
    while ann._frame()[0] != CLOSE:
        pass
    node.close()
    join("weather").register(uris.node("weather", "get_data"))


def test_a_call_with_the_number_of_one_in_flight_ends_its_sender_and_the_node_does_not_stay(join, uris):
    node, ann = join("weather"), join("ann")
    node.register(uris.node("weather", "get_data"))
    for _ in range(2):
        ann.send([48, 77, {}, uris.node("weather", "get_data")])
    with pytest.raises(ConnectionError, match="the call 77 still waits"):
        ann.receive()
    node.close()
    join("weather").register(uris.node("weather", "get_data"))


def test_what_cannot_be_sent_on_is_an_error_for_its_caller(router, join, uris):
    node, size = join("weather"), router.log.stat().st_size
    node.register(uris.node("weather", "get_data"))
    node.register(uris.node("weather", "get_fields"))
    with legacy(router) as existing:
        existing.join_with_secret(REALM, "simonsobs", SECRET)
        for _ in range(100):  # no CBOR can say it: it never reaches the node
            assert (
                "cannot be sent on" in refused(existing.call, uris.node("weather", "get_data"), "\ud800").arguments[0]
            )
        existing.send([48, 500, {}, uris.node("weather", "get_fields")])
        node.send([70, node.receive()[1], {}, [{b"a": 1}]])  # no JSON can say it
        answer = existing.receive()
        assert (answer[0], answer[2]) == (8, 500)
    assert router.log.stat().st_size - size < 1000


def test_a_message_beyond_the_limit_ends_only_its_sender(router, join, uris):
    hub, ann = join("hub"), join("ann")
    ann.send_frame(b"\x00" * (router.settings.message_limit + 1))
    assert ann.closed()
    assert round_trip(hub) < 5


def test_a_stopped_client_is_dropped(router, join):
    hub = join("hub")
    before = set(hub.call("wamp.session.list"))
    ann = router.client("ann")
    (session,) = [each for each in hub.call("wamp.session.list") if each not in before]
    hub.subscribe("wamp.session.on_leave")
    start = time.monotonic()  # ann reads no more: no pong goes back
    while hub.receive()[4] != [session]:
        pass
    took = time.monotonic() - start
    assert took < router.settings.ping_interval + router.settings.ping_timeout + 1
    ann.close()


def test_who_reads_too_slowly_is_dropped_before_the_router_runs_out_of_memory(tmp_path):
    patient = {"message_limit": 2**20, "ping_interval": 60.0, "ping_timeout": 60.0}
    with running_router(tmp_path / "state", PRINCIPALS, **patient) as router, router.client("weather") as node:
        topic = router.settings.uris.node("weather", "live")
        with router.client("cli") as slow, router.client("ann") as quick:
            slow.subscribe(topic)
            quick.subscribe(topic)
            before = worker(router).memory_info().rss
            for _ in range(240):
                node.publish(topic, bytes(2**19))
                assert quick.receive()[0] == 36
            assert worker(router).memory_info().rss - before < 70 * 2**20
            assert "dropped 'cli': it reads too slowly" in router.log.read_text()


def test_all_who_read_too_slowly_share_one_budget(tmp_path):
    patient = {"message_limit": 2**20, "ping_interval": 60.0, "ping_timeout": 60.0}
    with contextlib.ExitStack() as stack:
        router = stack.enter_context(running_router(tmp_path / "state", PRINCIPALS, **patient))
        topic = router.settings.uris.node("weather", "live")
        node, quick, *slow = (stack.enter_context(router.client(name)) for name in ("weather", *["cli"] * 11))
        for each in (quick, *slow):
            each.subscribe(topic)
        before = worker(router).memory_info().rss
        for _ in range(14):  # 7 MB each: none is too slow by itself
            node.publish(topic, bytes(2**19))
            assert quick.receive()[0] == 36
        assert worker(router).memory_info().rss - before < 60 * 2**20
        assert router.log.read_text().count("dropped 'cli': it reads too slowly") >= 8


def test_a_connection_that_never_signs_in_is_closed_within_half_a_minute(silent):
    assert 25 < silent.result(45) < 33


# its life


def test_secrets_are_not_in_the_log(router):
    with legacy(router) as client:
        refused(client.join_with_secret, REALM, "server", "guess of a secret")
    token = new_page_token(router.settings.state, 60)
    with Client(router.settings.url) as client:
        session = client.join_with_token(REALM, "page", token)["authextra"]["session_token"]
    text = router.log.read_text()
    for secret in (SECRET, "guess of a secret", token, session, ensure_key(router.settings.state, "weather").private):
        assert secret not in text


def test_it_starts_without_alarming_output(tmp_path):
    with running_router(tmp_path / "state", PRINCIPALS) as router:
        text = router.log.read_text()
    for word in ("Traceback", "numpy", "warning", "error", "deprecated"):
        assert word not in text.lower()


def test_rights_and_sessions_of_the_page_survive_a_restart_and_a_kill(tmp_path):
    with running_router(tmp_path / "state", {"cli": "consumer"}) as router:
        with Client(router.settings.url) as client:
            session = client.join_with_token(REALM, "page", new_page_token(tmp_path / "state", 60))["authextra"][
                "session_token"
            ]
        for end in (router.stop, router.kill):
            end()
            router.start()
            with Client(router.settings.url) as client:
                client.join_with_token(REALM, "page", session)
            router.client("cli").close()


def test_if_the_worker_dies_the_whole_router_ends_with_an_error(tmp_path):
    with running_router(tmp_path / "state") as router:
        worker(router).kill()
        assert router.process.wait(10) == 1


def test_if_the_controller_is_killed_the_port_is_free_again(tmp_path):
    with running_router(tmp_path / "state") as router:
        orphan = worker(router)
        os.kill(router.process.pid, signal.SIGKILL)
        router.process.wait(10)
        psutil.wait_procs([orphan], timeout=10)
        router.start()


def test_sigterm_ends_it_cleanly(tmp_path):
    with running_router(tmp_path / "state") as router:
        os.killpg(router.process.pid, signal.SIGTERM)
        assert router.process.wait(10) == 0
        assert "Traceback" not in router.log.read_text()
        assert router.log.read_text().count("Native worker received SIGTERM") == 1


def test_two_routers_do_not_share_a_state_directory(tmp_path):
    with running_router(tmp_path / "state") as router:
        with pytest.raises(RuntimeError, match="another router already runs in"), running_router(tmp_path / "state"):
            pass
        router.client("hub").close()
