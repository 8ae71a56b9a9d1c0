"""Who may do what at a real router, and what a new policy changes."""

import time

import pytest

from sisock.keys import ensure_key
from sisock.testing import Client, Refused
from tests.laboratory import REALM, refused

# rights


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
        with pytest.raises((Refused, ConnectionError)):
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
