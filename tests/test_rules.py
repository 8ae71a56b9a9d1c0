import pytest
from hypothesis import given
from hypothesis import strategies as st

from sisock.fleet.rules import Action, allows, may_hear, may_offer, read_policy, switchable, visible
from sisock.uris import Uris

URIS = Uris("org.example")
POLICY = read_policy(
    {
        "v": 1,
        "principals": {
            "hub": {"role": "hub"},
            "weather": {"role": "data_node"},
            "lsof": {"role": "data_node", "sensitive": True},
            "server": {"role": "data_node", "names": ["one", "two"]},
            "keeper": {"role": "recorder"},
            "cli": {"role": "consumer", "sensitive": True},
            "bridge": {"role": "consumer"},
            "ann": {"role": "consumer", "nodes": ["weather", "host*"]},
            "freezer1": {"role": "data_node", "tags": ["cold"]},
            "freezers": {"role": "data_node", "names": ["freezer2", "freezer3"], "tags": ["cold", "lab"]},
            "vera": {"role": "viewer", "nodes": ["freezer*"]},
            "otto": {"role": "operator", "nodes": ["freezer*"], "switch": ["freezer2"]},
            "tina": {"role": "operator", "nodes": ["tag:cold"], "switch": ["tag:lab"]},
            "root": {"role": "admin"},
            "ocs_feeds": {"role": "data_node", "hears": ["observatory", "org"]},
            "thermo1": {"role": "data_node", "names": ["thermo1", "thermo2"], "tells": ["observatory", "org"]},
        },
    }
)
DATA = URIS.node("weather", "get_data")


def may(authid, kind, uri, **options):
    return allows(POLICY, URIS, authid, Action(kind, uri, options))


def allowed(authid, kind, uris):
    return {uri for uri in uris if may(authid, kind, uri)}


EVERYTHING = {
    URIS.add, URIS.subtract, URIS.get_data_node, URIS.added, URIS.subtracted, URIS.hub_nodes, URIS.measures, URIS.hub_started, URIS.news,
    URIS.set_policy, URIS.authorize, URIS.refused, URIS.sign_out, URIS.enroll, URIS.renew, URIS.principals, URIS.revoke, "wamp.session.list", "wamp.session.get", "wamp.session.kill",
    "wamp.session.kill_by_authid", "wamp.session.add_testament", "wamp.session.on_join", "wamp.session.on_leave",
    "wamp.registration.list", "wamp.registration.get", "wamp.registration.remove_callee",
    "wamp.registration.on_register", "wamp.registration.list_callees", "wamp.subscription.list", "wamp.subscription.lookup", "wamp.subscription.get_events",
    *(URIS.node(n, w) for n in ("weather", "lsof", "one", "hostess", "nobody") for w in ("get_fields", "get_data", "get_sample", "read_from", "prove", "act", "live", "x")),
    *(f"org.example.archive.{n}.{w}" for n in ("weather", "lsof") for w in ("get_fields", "get_data", "get_sample", "read_from", "live")),
    "", "org.example", "org.example.", "org.example.consumer.", "org.example.consumer..get_data", "org.example.consumer.weather",
    "org.example.consumer.weather.get_data.x", "org.exampleXconsumer.weather.get_data", "other.consumer.weather.get_data",
}  # fmt: skip


ANSWERS = ("get_fields", "get_data", "get_sample")
ASKED = (*ANSWERS, "read_from")


def of(name, *whats):
    return {URIS.node(name, what) for what in whats}


def test_the_hub_offers_its_procedures_and_reads_the_routers_meta_api():
    assert allowed("hub", "register", EVERYTHING) == {
        URIS.add,
        URIS.subtract,
        URIS.get_data_node,
        URIS.hub_nodes,
        URIS.measures,
        URIS.enroll,
        URIS.renew,
        URIS.principals,
        URIS.revoke,
    }
    assert allowed("hub", "publish", EVERYTHING) == {URIS.added, URIS.subtracted, URIS.news, URIS.hub_started}
    assert allowed("hub", "subscribe", EVERYTHING) == {
        "wamp.session.on_join",
        "wamp.session.on_leave",
        "wamp.registration.on_register",
        URIS.refused,
    }
    called = allowed("hub", "call", EVERYTHING)
    assert URIS.set_policy in called
    assert {each for each in called if each.startswith("wamp.")} == {
        "wamp.session.list",
        "wamp.session.get",
        "wamp.registration.list",
        "wamp.registration.get",
        "wamp.registration.list_callees",
        "wamp.subscription.lookup",
    }
    assert of("lsof", *ANSWERS, "prove") < called


def test_a_data_node_offers_and_publishes_only_under_its_own_name():
    assert allowed("weather", "register", EVERYTHING) == of("weather", *ASKED, "prove", "act")
    assert allowed("weather", "publish", EVERYTHING) == of("weather", "live")
    own = {URIS.archive("weather", what) for what in ANSWERS}
    assert allowed("weather", "call", EVERYTHING) == {URIS.add, URIS.subtract} | own
    assert allowed("weather", "subscribe", EVERYTHING) == {URIS.hub_started, URIS.subtracted}


def test_an_existing_client_may_have_several_names():
    assert allowed("server", "register", EVERYTHING) == of("one", *ASKED, "prove", "act")
    assert may("server", "register", URIS.node("two", "get_data"))
    assert not may("server", "register", URIS.node("server", "get_data"))


def test_a_consumer_asks_and_hears_what_it_may_see():
    lists = {URIS.get_data_node, URIS.hub_nodes, URIS.sign_out}
    archive = {URIS.archive("weather", what) for what in ANSWERS}
    assert allowed("ann", "call", EVERYTHING) == (lists | archive | of("weather", *ASKED) | of("hostess", *ASKED))
    assert allowed("ann", "subscribe", EVERYTHING) == (
        {URIS.added, URIS.subtracted, URIS.news, URIS.hub_started} | of("weather", "live") | of("hostess", "live")
    )
    for authid in ("ann", "bridge", "cli"):
        assert not allowed(authid, "register", EVERYTHING)
        assert not allowed(authid, "publish", EVERYTHING)
    assert may("bridge", "call", URIS.measures)  # of the whole, for who sees the whole


def test_a_sensitive_node_is_for_those_that_may_see_sensitive_nodes():
    secret = of("lsof", *ASKED)
    assert secret <= allowed("cli", "call", EVERYTHING)
    assert not secret & allowed("bridge", "call", EVERYTHING)
    assert not may("bridge", "subscribe", URIS.node("lsof", "live"))
    assert not may("bridge", "call", "org.example.archive.lsof.get_data")
    assert may("bridge", "call", URIS.node("hostess", "get_data"))
    assert visible(POLICY, POLICY.principals["cli"], "lsof")
    assert not visible(POLICY, POLICY.principals["bridge"], "lsof")


def test_a_recorder_is_a_consumer_that_offers_archives_and_a_data_node_of_its_own_name():
    more = {URIS.add, URIS.subtract}
    assert allowed("keeper", "call", EVERYTHING) == allowed("bridge", "call", EVERYTHING) | more
    assert allowed("keeper", "register", EVERYTHING) == {URIS.archive("weather", what) for what in ANSWERS}
    assert may("keeper", "register", URIS.node("keeper", "get_data"))
    assert may("keeper", "publish", URIS.node("keeper", "live"))
    assert not may("keeper", "publish", URIS.node("weather", "live"))
    assert may_offer(POLICY, "keeper", "keeper")
    assert not may_offer(POLICY, "keeper", "weather")


def test_a_data_node_asks_for_its_own_past_and_nobody_elses():
    assert may("weather", "call", URIS.archive("weather", "get_data"))
    assert not may("weather", "call", URIS.archive("one", "get_data"))


@pytest.mark.parametrize(
    "options",
    [
        {"match": "prefix"},
        {"match": "wildcard"},
        {"match": None},
        {"force_reregister": True},
        {"invoke": "roundrobin"},
        {"forward_for": [{"session": 1, "authid": "hub", "authrole": "hub"}]},
    ],
)
@pytest.mark.parametrize(
    ("authid", "kind", "uri"),
    [
        ("weather", "register", DATA),
        ("bridge", "subscribe", URIS.added),
        ("bridge", "call", DATA),
        ("hub", "call", URIS.set_policy),
    ],
)
def test_options_that_reach_beyond_ones_own_are_refused(authid, kind, uri, options):
    assert may(authid, kind, uri)
    assert not may(authid, kind, uri, **options)


def test_harmless_options_are_not_in_the_way():
    assert may("bridge", "call", DATA, timeout=3, receive_progress=True)
    assert may("weather", "register", DATA, match="exact", invoke="single", force_reregister=False)


names = st.sampled_from([*POLICY.principals, "nobody", "", "internal", "None"])
kinds = st.sampled_from(["call", "register", "publish", "subscribe", "unregister", ""])
parts = st.lists(
    st.sampled_from(["consumer", "archive", "weather", "lsof", "get_data", "live", "hub", "router", "", "*", "a/b"])
)


@given(
    names,
    kinds,
    st.one_of(st.text(), st.sampled_from(sorted(EVERYTHING)), parts.map(lambda p: ".".join(["org.example", *p]))),
)
def test_whatever_is_asked_nobody_gets_beyond_the_lists(authid, kind, uri):
    if not may(authid, kind, uri):
        return
    role = POLICY.principals[authid].role
    assert (role, kind) in {
        ("hub", "register"), ("hub", "publish"), ("hub", "subscribe"), ("hub", "call"),
        ("data_node", "register"), ("data_node", "publish"), ("data_node", "call"), ("data_node", "subscribe"),
        ("recorder", "register"), ("recorder", "call"), ("recorder", "subscribe"),
        ("consumer", "call"), ("consumer", "subscribe"),
    }  # fmt: skip
    assert uri.startswith("org.example.") or role == "hub"
    if role == "data_node" and kind in ("register", "publish"):
        assert uri.split(".")[3] in POLICY.principals[authid].names
    if "lsof" in uri.split("."):
        assert authid in ("hub", "lsof", "cli")


FREEZERS = ("freezer1", "freezer2", "freezer3")


def test_a_viewer_sees_an_operator_commands_what_it_may_and_nobody_else_does():
    everyone = (*FREEZERS, "lsof", "host")
    acts = {each: URIS.node(each, "act") for each in everyone}
    may_act = {who: {n for n, uri in acts.items() if may(who, "call", uri)} for who in POLICY.principals}
    commanding = {who: names for who, names in may_act.items() if names}
    assert commanding == {"otto": {"freezer2"}, "tina": {"freezer2", "freezer3"}, "root": set(everyone)}
    for who in ("otto", "tina", "root"):
        assert {n for n in everyone if switchable(POLICY, POLICY.principals[who], n)} == commanding[who]
    data = {each: URIS.node(each, "get_data") for each in everyone}
    for who in ("vera", "otto", "tina"):
        assert {n for n, uri in data.items() if may(who, "call", uri)} == set(FREEZERS)
    assert not any(
        may(who, kind, acts["freezer2"]) for who in ("otto", "root") for kind in ("register", "subscribe", "publish")
    )


def test_only_an_admin_rules_over_who_may_sign_in():
    for uri in (URIS.principals, URIS.revoke):
        assert {who for who in POLICY.principals if may(who, "call", uri)} == {"root"}
    assert {who for who in POLICY.principals if may(who, "call", URIS.enroll)} == set()
    assert may("root", "call", URIS.node("lsof", "get_data"))
    assert not may("root", "call", URIS.set_policy)


def test_news_of_a_node_are_for_those_who_may_see_it():
    """Two of the people see a part only, so everybody who may hear is named."""
    heard = may_hear(POLICY, "freezer1")
    assert heard is not None
    assert {"vera", "otto", "tina", "root", "cli", "bridge", "keeper", "hub"} <= set(heard)
    assert not {"ann", "weather"} & set(heard)
    assert "bridge" not in (may_hear(POLICY, "lsof") or ())
    all_see = read_policy({"v": 1, "principals": {"cli": {"role": "consumer"}, "x": {"role": "data_node"}}})
    assert may_hear(all_see, "x") is None


def test_only_who_has_a_certificate_asks_for_the_next():
    assert {who for who in POLICY.principals if may(who, "call", URIS.renew)} == set()
    having = read_policy({"v": 1, "principals": {"x": {"role": "data_node", "certificate": True}}})
    assert allows(having, URIS, "x", Action("call", URIS.renew))
    assert not allows(having, URIS, "x", Action("register", URIS.renew))


FEEDS = "observatory..feeds."


def test_one_pattern_is_for_whom_may_hear_the_feeds_of_an_observatory_and_for_nobody_else():
    assert may("ocs_feeds", "subscribe", FEEDS, match="wildcard")
    for other in ("hub", "weather", "cli", "root", "keeper", "thermo1", "nobody"):
        assert not may(other, "subscribe", FEEDS, match="wildcard")
    for pattern in (
        "",
        "..",
        "...",
        "observatory...",
        "observatory..feeds",
        "observatory..feeds.x",
        "other..feeds.",
        "org..feeds.",
    ):
        assert not may("ocs_feeds", "subscribe", pattern, match="wildcard"), pattern
    for options in ({}, {"match": "prefix"}, {"match": "wildcard", "forward_for": [1]}):
        assert not may("ocs_feeds", "subscribe", FEEDS, **options)
    for kind in ("publish", "call", "register"):
        assert not may("ocs_feeds", kind, FEEDS, match="wildcard")
    assert allowed("ocs_feeds", "subscribe", EVERYTHING) == allowed("weather", "subscribe", EVERYTHING)


def test_feeds_are_published_by_their_own_agent_only():
    assert may("thermo1", "publish", "observatory.thermo1.feeds.temperatures")
    assert may("thermo1", "publish", "observatory.thermo2.feeds.temperatures")
    for topic in (
        "observatory.other.feeds.x",
        "observatory.thermo1.feeds.",
        "observatory.thermo1.feeds.x.y",
        "observatory.thermo1.ops.x",
        "org.thermo1.feeds.x",
    ):
        assert not may("thermo1", "publish", topic), topic
    assert not may("weather", "publish", "observatory.weather.feeds.x")
    assert not allowed("thermo1", "publish", EVERYTHING)


def test_who_may_hear_or_tell_what_is_said_of_data_nodes_in_words():
    for entry in (
        {"role": "consumer", "hears": ["observatory"]},
        {"role": "data_node", "hears": "observatory"},
        {"role": "data_node", "tells": ["wamp"]},
        {"role": "data_node", "hears": ["a.b"]},
        {"role": "data_node", "hears": [""]},
    ):
        with pytest.raises(ValueError, match="'hears'|'tells'"):
            read_policy({"v": 1, "principals": {"x": entry}})
