"""Who may ask the bridge: host names, web origins and the bearer token."""

import pytest

from grafana_json.app import create_app
from grafana_json.gate import make_gate
from sisock.settings import Settings

ORIGIN = "https://grafana.example"


class Nobody:
    """A consumer that has no nodes."""

    connected = True

    def nodes(self):
        return []

    def on_event(self, callback, /):
        """Nothing comes or goes."""


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
    assert answer.headers["Vary"] == "Origin"


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "https://grafana.example.evil", "http://grafana.example"]
)
@pytest.mark.parametrize("method", ["OPTIONS", "POST"])
def test_pages_of_other_origins_are_refused(origin, method):
    response = client(origins=ORIGIN).open("/tag-keys", method=method, headers={"Origin": origin})
    assert response.status_code == 403
    assert "add it to SISOCK_ORIGINS" in response.json["error"]
    assert "Access-Control-Allow-Origin" not in response.headers


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
        assert "Authorization: Bearer TOKEN" in response.json["error"]
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
