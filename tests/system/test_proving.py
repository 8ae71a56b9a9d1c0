"""A data node is listed once it has shown the hub, called back, that it has its principal's key."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sisock.blocking import BlockingConsumer
from sisock.fleet.refused import read_refused, refused_file
from sisock.keys import Key, ensure_key
from sisock.keys.proof import of_node, sign
from sisock.testing import Client, Refused
from tests.by_hand import add, proof
from tests.demo import sisock, wait_for
from tests.fleet import COUNTER, Fleet, running_fleet


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    principals = dict.fromkeys(("counter", "made", "other", "silent"), "data_node")
    with running_fleet(tmp_path_factory.mktemp("proving"), principals, deadline=8.0) as fleet:
        fleet.node("counter", COUNTER)
        wait_for(lambda: "counter" in listed(fleet), 30)
        yield fleet


def listed(fleet: Fleet) -> list[str]:
    with fleet.router.client("bridge") as client:
        try:
            return [each["name"] for each in client.call(fleet.settings.uris.hub_nodes) if each["state"] == "up"]
        except Refused:
            return []


def key(fleet: Fleet, name: str) -> Key:
    return ensure_key(fleet.settings.state, name)


def test_who_signs_with_the_principals_key_is_listed_and_each_question_is_another(fleet: Fleet) -> None:
    asked: list[list[Any]] = []
    for _ in range(2):
        with fleet.router.client("made") as client:
            true = proof(fleet, client, "made")
            assert add(fleet, client, "made", lambda what, true=true: asked.append(what) or true(what)) is True
            assert "made" in listed(fleet)
    assert [each[0] for each in asked] == ["made", "made"]
    assert len({each[1] for each in asked}) == 2
    assert all(len(each[1]) == 64 for each in asked)


WRONG: dict[str, Callable[[Fleet, int, str], Any]] = {
    "key": lambda fleet, session, nonce: sign(key(fleet, "other"), of_node("made", session, nonce)),
    "name": lambda fleet, session, nonce: sign(key(fleet, "made"), of_node("other", session, nonce)),
    "session": lambda fleet, session, nonce: sign(key(fleet, "made"), of_node("made", session + 1, nonce)),
    "replayed": lambda fleet, session, nonce: sign(key(fleet, "made"), of_node("made", session, nonce[::-1])),
    "nothing": lambda fleet, session, nonce: None,
    "nonsense": lambda fleet, session, nonce: [["x"] * 1000],
    "public key": lambda fleet, session, nonce: key(fleet, "made").public,
}


@pytest.mark.parametrize("wrong", WRONG)
def test_any_other_answer_is_refused_and_recorded(fleet: Fleet, wrong: str) -> None:
    path = refused_file(fleet.settings.state)
    before = read_refused(path).get("made")
    with fleet.router.client("made") as client, pytest.raises(Refused) as refused:
        add(fleet, client, "made", lambda asked: WRONG[wrong](fleet, client.session, asked[1]))
    assert refused.value.uri == fleet.settings.uris.error("not_authorized")
    assert "has not signed" in refused.value.arguments[0]
    assert "made" not in listed(fleet)
    wait_for(lambda: read_refused(path).get("made") != before, 5)
    assert "has not signed" in read_refused(path)["made"].why


def test_a_node_of_before_hears_what_is_missing(fleet: Fleet) -> None:
    uris = fleet.settings.uris
    with fleet.router.client("made") as client:
        client.register(uris.node("made", "get_data"))
        with pytest.raises(Refused, match="older") as refused:
            client.call(uris.add, "made", "of before", 1)
        assert refused.value.uri == uris.error("unproven")


def test_a_node_proves_its_own_name_to_the_hub_only(fleet: Fleet) -> None:
    uris = fleet.settings.uris
    with fleet.router.client("bridge") as consumer, pytest.raises(Refused) as refused:
        consumer.call(uris.node("counter", "prove"), "counter", "0")
    assert refused.value.uri == "wamp.error.not_authorized"
    with fleet.router.client("hub") as hub:
        assert len(hub.call(uris.node("counter", "prove"), "counter", "0")) == 128
        for arguments in (["other", "0"], ["counter"], [], ["counter", 7], ["counter", "0" * 1000], [None, None, None]):
            with pytest.raises(Refused, match="this is counter"):
                hub.call(uris.node("counter", "prove"), *arguments)


def test_another_key_for_a_name_that_is_there_is_refused_and_recorded(fleet: Fleet) -> None:
    client = Client(fleet.settings.url)
    with client, pytest.raises(Refused):
        client.join(fleet.settings.realm, "counter", key(fleet, "other"))
    path = refused_file(fleet.settings.state)
    wait_for(lambda: "counter" in read_refused(path), 5)
    assert key(fleet, "other").public[:16] in read_refused(path)["counter"].why
    for name in ("nobody", "silent"):  # whose refusal comes after
        with Client(fleet.settings.url) as stranger, pytest.raises(Refused):
            stranger.join(fleet.settings.realm, name, key(fleet, "other"))
    wait_for(lambda: "silent" in read_refused(path), 5)
    assert "nobody" not in read_refused(path)
    told = sisock(fleet.settings.state, "principal", "ls")
    assert (told.returncode, told.stderr) == (0, "")
    line = next(each for each in told.stdout.splitlines() if each.startswith("counter"))
    assert "refused" in line


def test_who_does_not_answer_is_not_listed(fleet: Fleet) -> None:
    with fleet.router.client("made") as client:
        with pytest.raises(Refused, match="does not prove its key") as refused:
            add(fleet, client, "made", None)
        assert refused.value.uri == fleet.settings.uris.error("unproven")
        assert "made" not in listed(fleet)


def test_a_node_of_which_the_hub_could_not_make_sure_tells_of_itself_again(fleet: Fleet) -> None:
    uris = fleet.settings.uris
    fleet.kill("hub")
    with fleet.router.client("hub") as hub:  # as the hub would, to a node that was stopped just then
        hub.register(uris.add)
        fleet.node("other", COUNTER.replace("Counter", "Other"))
        for _ in range(2):
            asked = hub.receive()
            assert (asked[0], asked[4][0]) == (68, "other")
            hub.send([8, 68, asked[1], {}, uris.error("unproven"), ["it does not prove its key"]])
        assert hub.receive()[4][0] == "other"
    fleet.hub()
    wait_for(lambda: {"counter", "other"} <= set(listed(fleet)), 30)


def test_a_hub_that_starts_again_has_the_nodes_that_came_meanwhile(fleet: Fleet) -> None:
    fleet.kill("hub")
    fleet.node("silent", COUNTER.replace("Counter", "Silent"))
    wait_for(lambda: offers(fleet, "silent"), 30)
    fleet.hub()
    with BlockingConsumer(fleet.settings, "cli") as consumer:
        wait_for(lambda: {"counter", "silent"} <= set(listed(fleet)), 30)
        assert consumer.data("silent", ["count"], -5, 0)


def offers(fleet: Fleet, name: str) -> bool:
    with fleet.router.client("hub") as hub:
        return hub.call("wamp.registration.lookup", fleet.settings.uris.node(name, "get_data")) is not None
