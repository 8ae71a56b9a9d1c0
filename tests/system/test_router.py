"""A real Crossbar with our parts in it: who gets in, who may do what, and what bad input does to it."""

import contextlib
import os
import random
import signal
import socket
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cbor2
import psutil
import pytest

from sisock.keys import ensure_key, new_page_token
from sisock.router.notes import SENTENCE
from sisock.testing import Client, HandshakeRefused, WampError, running_router
from sisock.testing.client import CLOSE
from sisock.testing.router import free_port

REALM = "test_realm"
SECRET = "a secret of the field"
PRINCIPALS = {
    "weather": "data_node",
    "host": "data_node",
    "lsof": {"role": "data_node", "sensitive": True},
    "cli": {"role": "consumer", "sensitive": True},
    "ann": {"role": "consumer", "nodes": ["weather"]},
    "bob": {"role": "consumer", "nodes": ["host"]},
}


@pytest.fixture(scope="module")
def router(tmp_path_factory):
    folder = tmp_path_factory.mktemp("router")
    secret = folder / "secret"
    secret.write_text(SECRET + "\n")
    existing = {
        "server": {"role": "data_node", "names": ["old", "older"], "wampcra": {"secret_file": str(secret)}},
        "simonsobs": {"role": "consumer", "wampcra": {"secret_file": str(secret)}},
    }
    with running_router(folder / "state", {**PRINCIPALS, **existing}, legacy_port=free_port()) as running:
        yield running


@pytest.fixture(scope="module", autouse=True)
def silent(router):
    """A client that connects first of all, answers pings and never signs in: seconds until it was closed."""

    def wait():
        with Client(router.settings.url, timeout=40) as client:
            start = time.monotonic()
            return time.monotonic() - start if client.closed() else None

    with ThreadPoolExecutor(1) as pool:
        yield pool.submit(wait)


@pytest.fixture
def join(router):
    """Join as a principal; every connection of the test ends with it."""
    with contextlib.ExitStack() as stack:
        yield lambda name: stack.enter_context(router.client(name))


@pytest.fixture
def uris(router):
    return router.settings.uris


def legacy(router):
    """A connection as existing clients make it: TLS, JSON."""
    url = f"wss://127.0.0.1:{router.settings.legacy_port}/ws"
    return Client(url, serializer="json", ca=router.settings.state / "tls" / "router.pem")


def refused(act, *args, **more):
    with pytest.raises(WampError) as caught:
        act(*args, **more)
    return caught.value


def worker(router):
    (only,) = psutil.Process(router.process.pid).children()
    return only


def round_trip(client):
    start = time.monotonic()
    client.call("wamp.session.count")
    return time.monotonic() - start


# who gets in


def test_a_key_joins_in_the_role_that_the_policy_says(router):
    with Client(router.settings.url) as client:
        welcome = client.join(REALM, "weather", ensure_key(router.settings.state, "weather"))
    assert (welcome["authid"], welcome["authrole"], welcome["authmethod"]) == ("weather", "data_node", "cryptosign")


def test_every_refusal_is_the_same_for_whoever_is_outside(router):
    state = router.settings.state
    weather, host = ensure_key(state, "weather"), ensure_key(state, "host")
    mixed = weather._replace(private=host.private)
    answers = []
    for authid, key in [
        ("weather", host),
        ("weather", mixed),
        ("nobody", weather),
        ("", weather),
        ("page", weather),
        ("server", weather),
    ]:
        with Client(router.settings.url) as client:
            answers.append(refused(client.join, REALM, authid, key))
    for authid, token in [("page", "wrong"), ("page", ""), ("weather", "wrong"), ("nobody", new_page_token(state, 60))]:
        with Client(router.settings.url) as client:
            answers.append(refused(client.join_with_token, REALM, authid, token))
    with Client(router.settings.url) as client:
        answers.append(refused(client.join, "other_realm", "weather", weather))
    with Client(router.settings.url) as client:
        answers.append(refused(client.join_with_secret, REALM, "simonsobs", SECRET))  # only on the other listener
    with Client(router.settings.url) as client:
        client.send([1, REALM, {"roles": {"caller": {}}}])  # anonymous
        answer = client.receive()
        answers.append(WampError(answer[2], [answer[1]["message"]]))
    with Client(router.settings.url) as client:
        client.send([1, REALM, {"roles": {"caller": {}}, "authmethods": ["cryptosign"], "authid": "x" * 100_000}])
        answer = client.receive()
        answers.append(WampError(answer[2], [answer[1]["message"]]))
    assert {(each.uri, *each.arguments) for each in answers} == {
        (router.settings.uris.error("not_authorized"), SENTENCE)
    }


def test_a_stranger_cannot_tell_an_unknown_name_from_a_wrong_key(router):
    key = ensure_key(router.settings.state, "host")
    for authid in ("weather", "nobody"):
        with Client(router.settings.url) as client:
            hello = {
                "roles": {"caller": {}},
                "authmethods": ["cryptosign"],
                "authid": authid,
                "authextra": {"pubkey": key.public},
            }
            client.send([1, REALM, hello])
            assert client.receive()[0] == 4  # a challenge, for both


def test_a_refused_connection_is_closed(router):
    with Client(router.settings.url) as client:
        refused(client.join_with_token, REALM, "page", "wrong")
        assert client.closed()


def test_the_reason_of_a_refusal_is_one_line_in_the_log_and_the_lines_are_bounded(router):
    with Client(router.settings.url) as client:
        refused(client.join_with_token, REALM, "page", "wrong\nFAKE LINE")
    for _ in range(60):
        with Client(router.settings.url) as client:
            refused(client.join_with_token, REALM, "flood\nFAKE LINE", "wrong")
    lines = router.log.read_text().splitlines()
    assert [each for each in lines if "refused 'page'" in each]
    assert not [each for each in lines if each.startswith("FAKE")]
    assert len([each for each in lines if "refused" in each]) <= 60


def test_a_page_token_opens_once_and_its_session_token_until_it_ends(router):
    token = new_page_token(router.settings.state, 60)
    with Client(router.settings.url) as client:
        welcome = client.join_with_token(REALM, "page", token)
    assert welcome["authrole"] == "consumer"
    session = welcome["authextra"]["session_token"]
    assert 11.9 * 3600 < welcome["authextra"]["expires"] / 1e9 - time.time() <= 12 * 3600
    with Client(router.settings.url) as client:
        refused(client.join_with_token, REALM, "page", token)
    for _ in range(2):
        with Client(router.settings.url) as client:
            again = client.join_with_token(REALM, "page", session)
            assert again["authextra"]["session_token"] == session
            assert again["authextra"]["expires"] == welcome["authextra"]["expires"]


def test_the_hub_does_not_hear_the_session_token(router, join):
    hub = join("hub")
    hub.subscribe("wamp.session.on_join")
    with Client(router.settings.url) as client:
        welcome = client.join_with_token(REALM, "page", new_page_token(router.settings.state, 60))
        event = hub.receive()
        details = hub.call("wamp.session.get", welcome["session"])
    session = welcome["authextra"]["session_token"]
    assert session not in repr(event) + repr(details)


def test_a_token_that_has_ended_is_refused(router):
    token = new_page_token(router.settings.state, -1)
    with Client(router.settings.url) as client:
        refused(client.join_with_token, REALM, "page", token)


def test_existing_clients_sign_in_with_their_secret_over_tls_and_json(router, uris):
    with legacy(router) as node, legacy(router) as consumer:
        assert node.join_with_secret(REALM, "server", SECRET)["authrole"] == "data_node"
        assert consumer.join_with_secret(REALM, "simonsobs", SECRET)["authrole"] == "consumer"
        node.register(uris.node("old", "get_data"))
        assert refused(node.register, uris.node("weather", "get_data")).uri == "wamp.error.not_authorized"
        assert refused(consumer.call, uris.node("none", "get_data")).uri == "wamp.error.no_such_procedure"
    with legacy(router) as client:
        error = refused(client.join_with_secret, REALM, "server", "wrong")
    assert error.arguments == [SENTENCE]


def test_a_machine_may_use_its_key_on_the_other_listener_too(router):
    with legacy(router) as client:
        assert client.join(REALM, "weather", ensure_key(router.settings.state, "weather"))["authrole"] == "data_node"


def test_only_cbor_is_spoken_on_the_first_listener(router):
    with pytest.raises(HandshakeRefused) as caught:
        Client(router.settings.url, serializer="json")
    assert caught.value.status == 400


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("evil.example", None),
        ("evil.example:8080", "http://evil.example:8080"),
        (None, "http://evil.example"),
        (None, "http://127.0.0.1:1"),
        (None, "null"),
    ],
)
def test_a_foreign_page_or_name_is_refused(router, host, origin):
    with pytest.raises(HandshakeRefused):
        Client(router.settings.url, host=host, origin=origin)


def test_our_own_page_may_connect(router):
    for name in ("127.0.0.1", "localhost", "[::1]"):
        where = f"{name}:{router.settings.router_port}"
        with Client(router.settings.url, host=where, origin=f"http://{where}") as client:
            client.join_with_token(REALM, "page", new_page_token(router.settings.state, 60))


# who may do what


def test_a_node_offers_only_its_own(join, uris):
    weather, host = join("weather"), join("host")
    host.register(uris.node("host", "get_data"))
    weather.register(uris.node("weather", "get_data"))
    denied = "wamp.error.not_authorized"
    other, own = uris.node("host", "get_data"), uris.node("weather", "get_fields")
    assert refused(weather.register, other).uri == "wamp.error.procedure_already_exists"
    assert refused(weather.register, other, force_reregister=True).uri == denied
    assert refused(weather.register, uris.node("host", "get_fields")).uri == denied
    assert refused(weather.register, own, match="prefix").uri == denied
    assert refused(weather.register, uris.node("", "get_data"), match="wildcard").uri == denied
    assert refused(weather.register, uris.add).uri == denied
    assert refused(weather.publish, uris.subtracted, {"name": "host"}).uri == denied
    assert refused(weather.publish, uris.node("host", "live"), {}).uri == denied
    assert refused(weather.call, uris.node("host", "get_data")).uri == denied
    assert refused(weather.call, uris.set_policy, {}).uri == denied
    assert refused(weather.call, uris.authorize, {}).uri == denied
    weather.register(own)


def test_a_second_holder_of_the_same_key_does_not_take_the_name(join, uris):
    first, second = join("weather"), join("weather")
    first.register(uris.node("weather", "get_data"))
    assert refused(second.register, uris.node("weather", "get_data")).uri == "wamp.error.procedure_already_exists"
    assert (
        refused(second.register, uris.node("weather", "get_data"), force_reregister=True).uri
        == "wamp.error.not_authorized"
    )
    first.close()


def test_a_consumer_reaches_what_it_may_see_and_nothing_tells_it_of_the_rest(join, uris):
    ann, bob = join("ann"), join("bob")
    for _ in range(2):  # ann's right is never lent to bob
        assert refused(ann.call, uris.node("weather", "get_data")).uri == "wamp.error.no_such_procedure"
        assert refused(bob.call, uris.node("weather", "get_data")).uri == "wamp.error.not_authorized"
    node = join("weather")
    node.register(uris.node("weather", "get_data"))
    there = refused(bob.call, uris.node("weather", "get_data"))
    absent = refused(bob.call, uris.node("absent", "get_data"))
    assert there.uri == absent.uri == "wamp.error.not_authorized"
    assert refused(ann.subscribe, uris.node("host", "live")).uri == "wamp.error.not_authorized"
    assert refused(ann.call, uris.node("lsof", "get_data")).uri == "wamp.error.not_authorized"


@pytest.mark.parametrize("match", ["prefix", "wildcard"])
@pytest.mark.parametrize("topic", ["", "org.simonsobservatory.", "org.simonsobservatory.consumer..live", "wamp."])
def test_nobody_subscribes_to_patterns(join, topic, match):
    for name in ("ann", "hub", "weather"):
        with pytest.raises((WampError, ConnectionError)):
            join(name).subscribe(topic, match=match)


def test_the_router_says_who_calls_and_publishes_and_nobody_can_claim_another(join, uris):
    node, ann = join("weather"), join("ann")
    node.register(uris.node("weather", "get_data"))
    ann.send([48, 1, {"caller": 1, "caller_authid": "hub", "caller_authrole": "hub"}, uris.node("weather", "get_data")])
    assert node.receive()[3]["caller_authid"] == "ann"
    liar = [{"session": 1, "authid": "hub", "authrole": "hub"}]
    ann.send([48, 2, {"forward_for": liar}, uris.node("weather", "get_data")])
    assert ann.closed()
    listener = join("cli")
    listener.subscribe(uris.node("weather", "live"))
    node.publish(uris.node("weather", "live"), 1)
    assert listener.receive()[3]["publisher_authid"] == "weather"


def test_nobody_kills_sessions(join):
    for name in ("hub", "cli", "weather"):
        client = join(name)
        assert refused(client.call, "wamp.session.kill_by_authid", "host").uri == "wamp.error.not_authorized"
        assert refused(client.call, "wamp.session.kill", 1).uri == "wamp.error.not_authorized"


# policies


def test_only_the_hub_hands_over_policies_and_a_wrong_one_changes_nothing(router, join, uris):
    hub = join("hub")
    assert refused(join("cli").call, uris.set_policy, {}).uri == "wamp.error.not_authorized"
    error = refused(hub.call, uris.set_policy, {"v": 1, "principals": {"x": {"role": "king"}}})
    assert error.uri == uris.error("bad_request")
    assert "role 'king' must be one of" in error.arguments[0]
    join("weather")


def test_who_is_removed_is_out_at_once_and_who_is_new_is_in(router, join, uris):
    router.add_principal("guest", "consumer")
    guest, cli = join("guest"), join("cli")
    router.remove_principal("guest")
    assert guest.closed()
    with Client(router.settings.url) as client:
        refused(client.join, REALM, "guest", ensure_key(router.settings.state, "guest"))
    assert refused(cli.call, uris.node("none", "get_data")).uri == "wamp.error.no_such_procedure"


def test_who_does_not_leave_when_told_is_dropped(router, join):
    router.add_principal("stubborn", "consumer")
    client = join("stubborn")
    start = time.monotonic()
    router.remove_principal("stubborn")
    assert client.closed()  # it answers pings, but never the goodbye
    assert time.monotonic() - start < 5


# bad input


def test_deep_nesting_before_signing_in_does_not_stop_the_router(router, join):
    hub = join("hub")
    size = router.log.stat().st_size
    for depth in (20_000, 50_000, 1_000_000):
        with legacy(router) as stranger:
            stranger.send_frame(b"[" * depth, 1)
            assert max(round_trip(hub) for _ in range(5)) < 0.5
            assert stranger.closed()
        with Client(router.settings.url) as stranger:
            stranger.send_frame(b"\x81" * depth)
            assert max(round_trip(hub) for _ in range(5)) < 0.5
            assert stranger.closed()
    assert router.log.stat().st_size - size < 20_000


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
    assert max(round_trip(hub) for _ in range(20)) < 0.25
    assert before.memory_info().rss - memory < 10 * 2**20
    assert router.log.stat().st_size - size < 60_000
    assert "Traceback" not in router.log.read_text()


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


def test_a_message_beyond_the_limit_ends_only_its_sender(router, join, uris):
    hub, ann = join("hub"), join("ann")
    ann.send_frame(b"\x00" * (router.settings.message_limit + 1))
    assert ann.closed()
    assert round_trip(hub) < 1


def test_a_stopped_client_is_dropped(router, join):
    hub, ann = join("hub"), router.client("ann")
    (session,) = [
        each for each in hub.call("wamp.session.list") if hub.call("wamp.session.get", each)["authid"] == "ann"
    ]
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


def test_a_connection_that_never_signs_in_is_closed_within_half_a_minute(silent):
    assert 25 < silent.result(45) < 33


# the page


def get(router, path, **headers):
    request = urllib.request.Request(f"http://127.0.0.1:{router.settings.router_port}{path}", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, dict(answer.headers), answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, dict(error.headers), error.read()


def test_the_page_is_served_to_our_own_names_only(router):
    assert get(router, "/", Host="evil.example")[0] == 403
    status, headers, body = get(router, "/no-such-file.js")
    assert status == 404
    assert b"/work" not in body
    assert "access-control-allow-origin" not in {each.lower() for each in headers}
    assert get(router, "/..%2f..%2fpyproject.toml")[0] in (403, 404)
    assert get(router, "/.hidden")[0] == 404


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


def test_two_routers_do_not_share_a_state_directory(tmp_path):
    with running_router(tmp_path / "state") as router:
        with pytest.raises(RuntimeError, match="another router already runs in"), running_router(tmp_path / "state"):
            pass
        router.client("hub").close()


def test_the_template_lies_where_the_router_reads_it():
    assert (Path(__file__).parents[2] / ".crossbar" / "config.json").is_file()
