"""The gateway for OCS feeds without a router: names, limits, what it remembers, and how it is configured."""

import asyncio

import pytest

from data_nodes.ocs_feeds.known import Known, Unfit
from data_nodes.ocs_feeds.node import OcsFeeds
from data_nodes.ocs_feeds.there import There
from sisock.keys import Key, ensure_key, ensure_principal
from sisock.keys.key import Anonymous, Secret, Ticket
from sisock.settings import Settings
from sisock.store import quarantine
from sisock.times import NS
from tests.nodes import data, working
from tests.test_ocs_decoding import block, info

NOW = 1_790_000_000 * NS
WEEK = 7 * 86400 * NS


# names


def test_names_are_those_of_agents_behind_the_prefix(state):
    known = Known("ocs-", 3)
    assert known.name("LSA22", state) == "ocs-LSA22"
    assert known.name("häuschen 1", state) == "ocs-h_uschen_1"
    with pytest.raises(Unfit, match="would both be the node 'ocs-h_uschen_1'"):
        known.name("h.uschen.1", state)
    for unfit in ("x" * 60, ""):
        with pytest.raises(Unfit, match="cannot name a node"):
            known.name(unfit, state)
    known.check_room(2)
    with pytest.raises(Unfit, match="3 agents are there already"):
        known.check_room(3)


def test_a_name_that_is_somebody_elses_is_never_taken(state):
    ensure_principal(state, "ocs-weather", "data_node", ensure_key(state, "ocs-weather").public)
    ensure_principal(state, "ocs-attic", "data_node", "ab" * 32, tags=["ocs"])
    (state / "principals" / "ocs-broken.json").write_text("{")
    for agent in ("weather", "attic", "broken"):
        with pytest.raises(Unfit, match="somebody else already"):
            Known("ocs-", 9).name(agent, state)
    ensure_principal(state, "ocs-LSA22", "data_node", ensure_key(state, "ocs-LSA22").public, tags=["ocs"])
    assert Known("ocs-", 9).name("LSA22", state) == "ocs-LSA22"  # made by one of before, whose notes are lost


def test_who_was_heard_within_a_week_is_known_after_a_restart(state):
    known = Known("ocs-", 2)
    notes = {}
    for number, agent in enumerate(("old", "a b", "c", "d")):
        known.name(agent, state)
        notes |= known.note(agent, NOW + number)
        assert known.note(agent, NOW + NS) == {}
    after = Known("ocs-", 2)
    after.recall({**notes, "agent odd": "no time", "else": "x 1"}, NOW + WEEK)
    assert after.recent == ["d", "c"]
    assert after.name("a b", state) == "ocs-a_b"


# configuration


@pytest.mark.parametrize(
    ("given", "cure"),
    [
        ({"root": "a.b"}, "no first word of a topic"),
        ({"unrecorded": "maybe"}, "it is one of fields, text, none"),
        ({"agents": "LSA*"}, "give a list"),
        ({"prefix": "page"}, "let it end in '-'"),
        ({"prefix": ""}, "let it end in '-'"),
        ({"prefix": "7-"}, "let it end in '-'"),
        ({"router": "http://x"}, "no address: write ws://HOST:PORT/ws"),
        ({"sign_in": "magic"}, "one of key, anonymous, ticket, wampcra"),
        ({"router": "ws://x/ws", "sign_in": "wampcra"}, "needs 'user' and 'secret_file'"),
        ({"sign_in": "anonymous"}, "nobody is anonymous at our own router"),
    ],
)
def test_a_configuration_that_cannot_be_says_the_cure(given, cure):
    with pytest.raises(ValueError, match=cure):
        OcsFeeds(**given)


def test_how_it_signs_in_follows_from_where(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text(" s3cret\n")
    user = {"user": "reader", "secret_file": str(secret)}
    key = Key("a", "b")
    assert There().credential(key) == key
    assert There("ws://x/ws").credential(key) == Anonymous()
    assert There("ws://x/ws", sign_in="key").credential(key) == key
    assert There("ws://x/ws", sign_in="wampcra", **user).credential(key) == Secret("s3cret")
    assert There("wss://x/ws", sign_in="ticket", **user).credential(key) == Ticket("s3cret")
    secret.write_text("")
    with pytest.raises(ValueError, match="is empty: put the secret into it"):
        There("ws://x/ws", sign_in="wampcra", **user).credential(key)
    secret.unlink()
    with pytest.raises(ValueError, match="cannot be read"):
        There("ws://x/ws", sign_in="wampcra", **user).credential(key)


def test_anothers_router_is_neither_trusted_by_our_authority_nor_shown_our_certificate(tmp_path):
    (tmp_path / "ca.pem").write_text("ours")
    ours = Settings(state=tmp_path)
    assert There().settings(ours).trusted == str(tmp_path / "ca.pem")
    assert There("wss://x/ws").settings(ours).trusted is None
    assert There("wss://x/ws", ca="site.pem").settings(ours).trusted == "site.pem"


# in one node


async def test_without_nodes_of_their_own_agents_are_words_of_its_fields(tmp_path):
    node = OcsFeeds(apart=False, agents=["LSA*"], router="ws://127.0.0.1:1/ws")
    node.home = tmp_path
    service = node.service()
    service.join(Settings(state=tmp_path), Key("a", "b"))
    intakes = asyncio.Queue()
    receive = node.receive
    node.receive = lambda intake: (intakes.put_nowait(intake), receive(intake))[1]
    async with working(service):
        intake = await asyncio.wait_for(intakes.get(), 30)
        hear = lambda topic, *args: node._event(intake, topic, args)  # noqa: E731
        hear("observatory.LSA22.feeds.temperatures", [block({"ch1": [4.5]}, [NOW // NS]), info()])
        hear("observatory.LSA23.feeds.temperatures", [block({"ch1": [4.5]}, [0]), info()])
        hear("observatory.LSA23.feeds.heartbeat", [{"acq": 3}, info(record=False)])
        hear("observatory.other.feeds.heartbeat", [{"acq": 3}, info(record=False)])
        hear("no topic", 1)
        hear(None)
        many = {f"f{n}": [1, 2] for n in range(5000)} | {"large": 10**5000}
        hear("observatory.LSA22.feeds.many", [block(many, [NOW // NS]), info()])
        found = await data(service, "LSA23.heartbeat.acq", "other.heartbeat.acq", "LSA22.agent.class")
        assert found == {
            "LSA23.heartbeat.acq": [3],
            "other.heartbeat.acq": [],
            "LSA22.agent.class": ["Lakeshore372Agent"],
        }
        assert node.sample() == {"agents": 2, "messages": 4, "lost": 0}
    assert {each.source for each in quarantine.latest(tmp_path, "ocs_feeds", 999)} >= {
        "temperatures",
        "no topic",
        "None",
    }
    told = [each.reason for each in quarantine.latest(tmp_path, "ocs_feeds", 999) if each.source == "many"]
    assert (len(told), "more of the same event: many" in told[-1]) == (101, True)
