import json

import pytest

from sisock.fleet.rules import read_policy
from sisock.keys.passwords import hashed
from sisock.keys.principals import policy_file
from sisock.router.doors import host_allowed, hosts, origin_allowed, origins
from sisock.router.policy import Rights, revoked
from sisock.settings import Settings

KEY, OTHER = "0" * 64, "1" * 64


def snapshot(**principals):
    return {"v": 1, "principals": principals}


@pytest.mark.parametrize(
    ("before", "after", "ends"),
    [
        ({"role": "consumer", "keys": [KEY]}, None, True),
        ({"role": "consumer", "keys": [KEY]}, {"role": "consumer", "keys": [OTHER]}, True),
        ({"role": "consumer", "keys": [KEY]}, {"role": "consumer", "keys": [KEY, OTHER]}, False),
        ({"role": "consumer", "keys": [KEY]}, {"role": "recorder", "keys": [KEY]}, True),
        ({"role": "consumer"}, {"role": "consumer", "nodes": ["a"]}, True),
        ({"role": "consumer", "sensitive": True}, {"role": "consumer"}, True),
        ({"role": "consumer"}, {"role": "consumer", "sensitive": True}, False),
        ({"role": "data_node"}, {"role": "data_node", "names": ["other"]}, True),
        ({"role": "data_node"}, {"role": "data_node", "sensitive": True}, False),
        ({"role": "data_node"}, {"role": "data_node"}, False),
        ({"role": "viewer", "password": hashed("a" * 10)}, {"role": "viewer", "password": hashed("b" * 10)}, True),
        ({"role": "operator"}, {"role": "viewer"}, True),
        ({"role": "operator"}, {"role": "operator", "switch": ["a"]}, True),
        ({"role": "viewer", "token": {"sha256": KEY, "until": 1}}, {"role": "viewer"}, True),
        (
            {"role": "viewer", "token": {"sha256": KEY, "until": 1}},
            {"role": "viewer", "token": {"sha256": KEY, "until": 0}},
            True,
        ),
        ({"role": "viewer", "sensitive": True}, {"role": "viewer"}, True),
        ({"role": "viewer", "nodes": ["a"]}, {"role": "viewer", "nodes": ["a", "b"]}, False),
        ({"role": "viewer", "nodes": ["a"]}, {"role": "viewer"}, False),
        ({"role": "operator", "switch": []}, {"role": "operator", "switch": ["tag:x"]}, False),
        ({"role": "data_node"}, {"role": "data_node", "names": ["x", "y"]}, False),
        ({"role": "data_node"}, {"role": "data_node", "tags": ["cold"]}, False),
        ({"role": "consumer"}, {"role": "consumer", "certificate": True}, True),
    ],
)
def test_who_loses_something_has_to_sign_in_again(before, after, ends):
    old = read_policy(snapshot(x=before))
    new = read_policy(snapshot(**({} if after is None else {"x": after})))
    assert revoked(old, new) == ({"x"} if ends else set())


def test_a_node_that_becomes_sensitive_ends_who_may_be_listening_to_it():
    others = {"cli": {"role": "consumer", "sensitive": True}, "page": {"role": "consumer"}, "hub": {"role": "hub"}}
    old = read_policy(snapshot(rfid={"role": "data_node"}, **others))
    new = read_policy(snapshot(rfid={"role": "data_node", "sensitive": True}, **others))
    assert revoked(old, new) == {"page"}


def test_a_node_that_loses_a_tag_ends_who_may_see_it_for_that():
    people = {"ann": {"role": "viewer", "nodes": ["tag:cold"]}, "bob": {"role": "operator", "switch": ["tag:cold"]}}
    others = {"eve": {"role": "viewer", "nodes": ["f*"]}, "hub": {"role": "hub"}}
    old = read_policy(snapshot(f={"role": "data_node", "tags": ["cold"]}, **people, **others))
    new = read_policy(snapshot(f={"role": "data_node"}, **people, **others))
    assert "ann" in revoked(old, new)
    assert "bob" in revoked(old, new)
    assert not {"eve", "hub"} & revoked(old, new)
    assert revoked(old, old) == set()
    assert revoked(new, old) == set()
    other = read_policy(
        snapshot(
            f={"role": "data_node", "tags": ["cold"]}, g={"role": "data_node", "tags": ["warm"]}, **people, **others
        )
    )
    assert revoked(old, other) == set()


def test_a_policy_is_kept_and_a_wrong_one_changes_nothing(state):
    rights = Rights(Settings(state=state))
    rights.load()
    assert rights.policy.principals == {}
    good = snapshot(x={"role": "consumer", "keys": [KEY]})
    assert rights.replace(good) == set()
    with pytest.raises(ValueError, match="role 'king'"):
        rights.replace(snapshot(x={"role": "king"}))
    assert rights.policy.principals["x"].keys == (KEY,)
    assert json.loads(policy_file(state).read_text()) == good
    again = Rights(Settings(state=state))
    again.load()
    assert again.policy == rights.policy


def test_a_broken_policy_file_is_named(state):
    policy_file(state).parent.mkdir(parents=True)
    policy_file(state).write_text("{")
    with pytest.raises(ValueError, match=r"policy\.json: "):
        Rights(Settings(state=state)).load()


LOOPBACK = Settings(hosts="lab.example, [fd00::1]", origins="https://grafana.example")
EVERYWHERE = Settings(interface="0.0.0.0")


@pytest.mark.parametrize(
    ("settings", "header", "allowed"),
    [
        (LOOPBACK, "127.0.0.1:8080", True),
        (LOOPBACK, "localhost", True),
        (LOOPBACK, "LOCALHOST:9", True),
        (LOOPBACK, "[::1]:8080", True),
        (LOOPBACK, "lab.example:8080", True),
        (LOOPBACK, "[fd00::1]:1", True),
        (LOOPBACK, "evil.example:8080", False),
        (LOOPBACK, "127.0.0.1.evil.example", False),
        (LOOPBACK, "192.168.1.2:8080", False),
        (LOOPBACK, "evil@localhost", True),
        (LOOPBACK, "localhost@evil.example", False),
        (LOOPBACK, "", False),
        (LOOPBACK, None, False),
        (LOOPBACK, "[", False),
        (LOOPBACK, "localhost:99999", False),
        (EVERYWHERE, "192.168.1.2:8080", True),
        (EVERYWHERE, "evil.example", False),
        (EVERYWHERE, "localhost", True),
        (Settings(interface="10.0.0.7"), "10.0.0.7:8080", True),
        (Settings(interface="10.0.0.7"), "10.0.0.8:8080", False),
    ],
)
def test_the_router_answers_only_to_its_own_names(settings, header, allowed):
    assert host_allowed(settings, header) is allowed


@pytest.mark.parametrize(
    ("settings", "origin", "host", "allowed"),
    [
        (LOOPBACK, None, "127.0.0.1:8080", True),
        (LOOPBACK, "http://127.0.0.1:8080", "127.0.0.1:8080", True),
        (LOOPBACK, "http://localhost:8080", "127.0.0.1:8080", True),
        (LOOPBACK, "https://grafana.example", "127.0.0.1:8080", True),
        (LOOPBACK, "https://grafana.example:443", "127.0.0.1:8080", True),
        (LOOPBACK, "http://grafana.example", "127.0.0.1:8080", False),
        (LOOPBACK, "http://127.0.0.1:3000", "127.0.0.1:8080", False),
        (LOOPBACK, "http://127.0.0.1", "127.0.0.1:8080", False),
        (LOOPBACK, "http://evil.example:8080", "evil.example:8080", False),
        (LOOPBACK, "http://127.0.0.1.evil.example:8080", "127.0.0.1:8080", False),
        (LOOPBACK, "null", "127.0.0.1:8080", False),
        (LOOPBACK, "", "127.0.0.1:8080", False),
        (LOOPBACK, "file://", "127.0.0.1:8080", False),
        (LOOPBACK, "http://[", "127.0.0.1:8080", False),
        (EVERYWHERE, "http://192.168.1.2:8080", "192.168.1.2:8080", True),
        (EVERYWHERE, "http://192.168.1.3:8080", "192.168.1.2:8080", False),
    ],
)
def test_only_our_own_page_and_configured_origins_may_connect(settings, origin, host, allowed):
    assert origin_allowed(settings, origin, host) is allowed


def test_hosts_and_origins_are_spelled_out():
    assert hosts(LOOPBACK) == ["127.0.0.1", "localhost", "::1", "lab.example", "fd00::1"]
    assert origins(Settings(router_port=81)) == ["http://127.0.0.1:81", "http://localhost:81", "http://[::1]:81"]
