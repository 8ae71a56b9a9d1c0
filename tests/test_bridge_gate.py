"""Who may ask the bridge: host names, web origins and the bearer token."""

import base64
import threading
import time

import pytest

from grafana_json.app import create_app
from grafana_json.gate import UNKNOWN_TOKEN, WITHOUT_TOKEN, make_gate
from grafana_json.views import IDLE, MOST, Visitors
from sisock.keys.api_tokens import ApiToken
from sisock.settings import Settings

ORIGIN = "https://grafana.example"


class Nobody:
    """A consumer that has no nodes."""

    connected = True

    def nodes(self):
        return []

    def measures(self):
        return {}

    def on_event(self, callback, /):
        """Nothing comes or goes."""

    def on_lost(self, callback, /):
        """It is never lost."""


def client(**settings):
    return create_app(Nobody(), Settings(**settings)).test_client()


@pytest.fixture
def token(tmp_path):
    (tmp_path / "token").write_text("long-random-text\n")
    return str(tmp_path / "token")


@pytest.mark.parametrize(
    "host", ["127.0.0.1:5000", "localhost:5000", "LOCALHOST", "[::1]:5000", "[::1]", "bridge:5000"]
)
def test_known_hosts_are_answered(host):
    assert client(hosts="bridge:8080, other").get("/", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost@evil.example:5000", "", "[::1", "127.0.0.1:"]
)
def test_other_hosts_are_refused_with_the_cure(host):
    response = client().get("/", headers={"Host": host})
    assert response.status_code == 403
    assert "add the name to SISOCK_HOSTS" in response.json["error"]


def test_a_configured_origin_may_ask_and_is_told_so():
    allowed = client(origins=f"{ORIGIN}/")
    preflight = allowed.options("/query", headers={"Origin": ORIGIN, "Access-Control-Request-Method": "POST"})
    assert preflight.status_code == 204
    assert preflight.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert "content-type" in preflight.headers["Access-Control-Allow-Headers"]
    answer = allowed.post("/tag-keys", headers={"Origin": ORIGIN})
    assert (answer.status_code, answer.headers["Access-Control-Allow-Origin"]) == (200, ORIGIN)
    assert "Origin" in answer.headers["Vary"]


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "https://grafana.example.evil", "http://grafana.example"]
)
@pytest.mark.parametrize("method", ["OPTIONS", "POST"])
def test_pages_of_other_origins_are_refused(origin, method):
    response = client(origins=ORIGIN).open("/tag-keys", method=method, headers={"Origin": origin})
    assert response.status_code == 403
    assert "add it to SISOCK_ORIGINS" in response.json["error"]
    assert "Access-Control-Allow-Origin" not in response.headers


@pytest.mark.parametrize("site", ["cross-site", "same-site", "whatever"])
@pytest.mark.parametrize(
    ("mode", "dest", "status"),
    [
        ("no-cors", "image", 403),
        ("no-cors", "script", 403),
        ("navigate", "iframe", 403),
        ("cors", "empty", 403),
        ("navigate", "document", 200),
    ],
)
def test_a_page_of_another_site_has_nothing_fetched_that_carries_no_origin(site, mode, dest, status):
    fetched = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": mode, "Sec-Fetch-Dest": dest}
    answer = client(origins=ORIGIN).get("/", headers=fetched)
    assert (answer.status_code, "SISOCK_ORIGINS" in answer.json.get("error", "")) == (status, status == 403)
    assert client(origins=ORIGIN).get("/", headers={**fetched, "Origin": ORIGIN}).status_code == 200


@pytest.mark.parametrize("site", ["none", "same-origin"])
def test_who_opens_the_bridge_in_a_browser_is_answered(site):
    fetched = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}
    assert client().get("/", headers=fetched).status_code == 200


@pytest.mark.parametrize("path", ["/", "/nowhere", "/metrics", "/api/nodes?format=csv"])
def test_no_page_takes_an_answer_for_something_else(path):
    headers = client().get(path).headers
    assert (headers["X-Content-Type-Options"], headers["Cross-Origin-Resource-Policy"]) == ("nosniff", "same-origin")


def test_no_origin_is_configured_at_first():
    assert client().options("/query", headers={"Origin": "http://localhost:3000"}).status_code == 403


def test_the_token_is_asked_for_wherever_one_is_set(token):
    guarded = client(bridge_token=token, origins=ORIGIN)
    assert guarded.get("/", headers={"Authorization": "Bearer long-random-text"}).status_code == 200
    for wrong in (
        {},
        {"Authorization": "Bearer long-random-tex"},
        {"Authorization": "long-random-text"},
        {"Authorization": "Bearer é"},
    ):
        response = guarded.post("/query", headers=wrong)
        assert response.status_code == 401
        assert response.headers["WWW-Authenticate"] == "Bearer"
        expected = UNKNOWN_TOKEN if wrong.get("Authorization", "").startswith("Bearer") else WITHOUT_TOKEN
        assert response.json["error"] == expected.sentence
    assert guarded.options("/query", headers={"Origin": ORIGIN}).status_code == 204


@pytest.mark.parametrize("interface", ["0.0.0.0", "::", "192.0.2.7", "lab-server"])
def test_beyond_loopback_a_token_is_needed(interface, token):
    with pytest.raises(
        ValueError, match="without a token: write a long random text to a file and set SISOCK_BRIDGE_TOKEN"
    ):
        make_gate(Settings(interface=interface))
    assert make_gate(Settings(interface=interface, bridge_token=token)).token == "long-random-text"


@pytest.mark.parametrize("interface", ["127.0.0.1", "127.0.0.2", "::1", "localhost"])
def test_on_loopback_no_token_is_needed(interface):
    assert make_gate(Settings(interface=interface)).token is None


def test_a_token_that_cannot_be_read_is_a_sentence(tmp_path):
    with pytest.raises(ValueError, match="set SISOCK_BRIDGE_TOKEN to its file"):
        make_gate(Settings(bridge_token=str(tmp_path / "none")))
    (tmp_path / "empty").write_text("\n")
    with pytest.raises(ValueError, match="holds no token: write one line"):
        make_gate(Settings(bridge_token=str(tmp_path / "empty")))


SECRET = "s" * 43


def basic(text):
    return "Basic " + base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize("header", [f"Bearer ann.{SECRET}", f"bearer ann.{SECRET}", basic(f"ann:{SECRET}")])
@pytest.mark.parametrize("guarded", [True, False])
def test_an_api_token_is_known_by_its_form(token, header, guarded):
    gate = make_gate(Settings(bridge_token=token if guarded else ""))
    assert gate.who(header) == ApiToken("ann", SECRET)


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Bearer x", f"Bearer ann.{SECRET[1:]}", f"ann.{SECRET}", "Basic", "Basic é", basic("ann"), basic("ann:three small words"),
     basic(f"a.n:{SECRET}"), "Basic " + base64.b64encode(b"\xff\xfe").decode(), f"Digest ann.{SECRET}"],
)  # fmt: skip
def test_what_is_no_token_is_refused_and_does_not_show_more(token, header):
    refusal = make_gate(Settings(bridge_token=token)).who(header)
    assert refusal in (WITHOUT_TOKEN, UNKNOWN_TOKEN)
    assert make_gate(Settings()).who(header) == (refusal if header else None)
    assert make_gate(Settings(bridge_token=token)).who("Bearer long-random-text") is None


@pytest.mark.parametrize(
    ("header", "refusal"),
    [("", WITHOUT_TOKEN), (f"Digest ann.{SECRET}", WITHOUT_TOKEN), ("Bearer x", UNKNOWN_TOKEN), (basic("ann"), UNKNOWN_TOKEN)],
)  # fmt: skip
def test_who_has_sent_a_token_is_not_told_to_send_one(token, header, refusal):
    assert make_gate(Settings(bridge_token=token)).who(header) == refusal


class Guest(Nobody):
    """The consumer of one who came with a token."""

    refused = False
    closed = False

    def __init__(self, token):
        self.token = token
        self.connected = token.name != "stranger"
        self.refused = token.name == "stranger"

    def on_lost(self, callback, /):
        self.lost = callback

    def close(self):
        self.closed = True


def guests():
    made = []

    def connect(token):
        made.append(Guest(token))
        return made[-1]

    return made, create_app(Nobody(), Settings(bridge_deadline=0.5), connect).test_client()


def asked(client, name, secret=SECRET):
    return client.get("/", headers={"Authorization": f"Bearer {name}.{secret}"}).status_code


def until(reached):
    ended = time.monotonic() + 5
    while not reached() and time.monotonic() < ended:
        time.sleep(0.01)
    assert reached()


def test_each_token_has_a_connection_of_its_own_which_is_kept():
    made, client = guests()
    assert [asked(client, name) for name in ("ann", "bob", "ann")] == [200, 200, 200]
    assert asked(client, "ann", "t" * 43) == 200
    assert [guest.token.name for guest in made] == ["ann", "bob", "ann"]
    assert client.get("/").status_code == 200
    assert len(made) == 3


def test_who_is_not_let_in_by_the_router_is_refused_each_time():
    made, client = guests()
    assert asked(client, "stranger") == 401
    sent = {"Authorization": f"Bearer stranger.{SECRET}"}
    answer = client.get("/", headers=sent)
    assert (answer.status_code, answer.json["error"]) == (401, UNKNOWN_TOKEN.sentence)
    assert len(made) == 2
    until(lambda: all(guest.closed for guest in made))


def test_the_token_that_was_not_used_for_longest_gives_way():
    made, client = guests()
    for number in range(MOST):
        assert asked(client, f"guest{number}") == 200
    assert asked(client, "guest0") == 200
    before = threading.active_count()
    assert asked(client, "one-more") == 200
    until(lambda: made[1].closed)
    assert not made[0].closed
    until(lambda: threading.active_count() <= before)


def test_what_was_seen_before_the_connection_was_lost_is_forgotten():
    """The router ends a session whose rights became less; the next one begins with nothing."""
    made, client = guests()
    assert asked(client, "ann") == 200
    made[0].lost()
    assert asked(client, "ann") == 200
    assert len(made) == 2
    until(lambda: made[0].closed)


def test_without_a_router_a_token_has_to_wait_for_one():
    made = []

    def connect(token):
        made.append(Guest(token))
        made[-1].connected = False
        return made[-1]

    client = create_app(Nobody(), Settings(bridge_deadline=0.1), connect).test_client()
    assert asked(client, "ann") == 503
    until(lambda: made[0].closed)


def test_made_up_tokens_push_nobody_out():
    made, client = guests()
    assert asked(client, "ann") == 200
    assert {asked(client, "stranger", f"{number:043}") for number in range(2 * MOST)} == {401}
    assert asked(client, "ann") == 200
    assert not made[0].closed
    until(lambda: all(guest.closed for guest in made[1:]))


def enter(visitors, token):
    visitors.done(visitors.enter(token))


def test_what_one_may_see_is_kept_by_no_cache_for_others():
    for path in ("/", "/metrics", "/openapi.json", "/nowhere", "/api/v1/query?query=up"):
        answer = client().get(path)
        assert "Authorization" in answer.vary
        assert answer.headers["Cache-Control"] == "no-store"


def test_refusals_at_the_gate_keep_simpods_form(token):
    for path in ("/metrics", "/variable", "/metric-payload-options"):
        answer = client(bridge_token=token).post(path, json={})
        assert (answer.status_code, answer.json["error"]["code"]) == (401, 401)
    assert isinstance(client(bridge_token=token).get("/metrics").json["error"], str)


def test_who_comes_with_the_same_token_at_the_same_time_shares_a_connection_that_lasts_until_all_are_done():
    made, come = [], threading.Barrier(4)

    def connect(token):
        come.wait(5)
        made.append(Guest(token))
        return made[-1]

    visitors, visits = Visitors(connect, 5), []
    asking = [threading.Thread(target=lambda: visits.append(visitors.enter(ApiToken("ann", SECRET)))) for _ in range(4)]
    for each in asking:
        each.start()
    for each in asking:
        each.join()
    (used,) = {id(each.source) for each in visits}
    until(lambda: sum(each.closed for each in made) == 3)
    assert [id(each) for each in made if not each.closed] == [used]
    visits[0].source.lost()  # so that it is swept out
    visitors._sweep()
    assert not visits[0].source.closed
    for each in visits:
        visitors.done(each)
    until(lambda: visits[0].source.closed)


def test_a_connection_that_nobody_uses_ends():
    made, now = [], [0.0]

    def connect(token):
        made.append(Guest(token))
        return made[-1]

    visitors = Visitors(connect, 0.5, clock=lambda: now[0])
    enter(visitors, ApiToken("ann", SECRET))
    now[0] = IDLE - 1
    enter(visitors, ApiToken("bob", SECRET))
    assert not made[0].closed
    now[0] = IDLE + 1
    enter(visitors, ApiToken("bob", SECRET))
    until(lambda: made[0].closed)
    assert not made[1].closed
    visitors.close()
    until(lambda: made[1].closed)
