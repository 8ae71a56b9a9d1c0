"""A real Crossbar with our parts in it: who gets in, and by which door."""

import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from sisock.keys import ensure_key, new_page_token
from sisock.router.notes import SENTENCE
from sisock.testing import Client, HandshakeRefused, Refused
from tests.laboratory import REALM, SECRET, legacy, refused

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
        answers.append(Refused(answer[2], [answer[1]["message"]]))
    with Client(router.settings.url) as client:
        client.send([1, REALM, {"roles": {"caller": {}}, "authmethods": ["cryptosign"], "authid": "x" * 10_000}])
        answer = client.receive()
        answers.append(Refused(answer[2], [answer[1]["message"]]))
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
    assert str(Path(__file__).parents[2]).encode() not in body
    assert "access-control-allow-origin" not in {each.lower() for each in headers}
    assert get(router, "/..%2f..%2fpyproject.toml")[0] in (403, 404)
    assert get(router, "/.hidden")[0] == 404
