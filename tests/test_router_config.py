import json
import shutil
import socket
import ssl
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509

from sisock import settings as configuration
from sisock.keys import ensure_key, ensure_principal, write_policy
from sisock.keys.authority import Authority
from sisock.router.certificate import certificate
from sisock.router.config import SHADOW, render
from sisock.router.doors import host_allowed, hosts
from sisock.router.start import prepare
from sisock.settings import Settings
from sisock.testing.router import free_port

ROOT = Path(__file__).parents[1]


def check(folder):
    command = [sys.executable, "-c", "import crossbar; crossbar.run()", "check", "--cbdir", str(folder)]
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": f"{SHADOW}:{ROOT}", "HOME": str(folder)}
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=60, env=environment)


def start(settings):
    environment = {**configuration.environment(settings), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "sisock.router"]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=60, env=environment)


@pytest.fixture
def settings(state):
    ensure_principal(state, "hub", "hub", ensure_key(state, "hub").public)
    return Settings(state=state, router_port=free_port())


def test_the_template_is_a_valid_configuration_of_crossbar():
    answer = check(ROOT / ".crossbar")
    assert answer.returncode == 0, answer.stdout + answer.stderr


def test_the_template_holds_the_defaults():
    template = json.loads((ROOT / ".crossbar" / "config.json").read_text())
    rendered = render(Settings())
    page = rendered["workers"][0]["transports"][0]["paths"]["/"]["extra"]
    assert Path(page["folder"]).is_absolute()
    page["folder"] = "../js/dist"
    rendered["workers"][0]["options"]["pythonpath"] = template["workers"][0]["options"]["pythonpath"]
    assert rendered == template


def test_every_setting_reaches_crossbar(state):
    settings = Settings(
        state=state,
        realm="lab",
        prefix="org.lab",
        interface="::1",
        router_port=81,
        legacy_port=82,
        tls_port=83,
        tls_interface="192.0.2.7",
        message_limit=2**20,
        ping_interval=5.0,
        ping_timeout=4.0,
        origins="https://grafana.example",
    )
    (state / "router").mkdir(parents=True)
    (state / "router" / "config.json").write_text(json.dumps(render(settings)))
    answer = check(state / "router")
    assert answer.returncode == 0, answer.stdout + answer.stderr
    worker = render(settings)["workers"][0]
    assert {each.get("authorizer") for each in worker["realms"][0]["roles"]} == {"org.lab.router.authorize", None}
    assert worker["realms"][0]["name"] == worker["components"][0]["realm"] == "lab"
    ours, encrypted, existing = worker["transports"]
    assert (encrypted["endpoint"]["interface"], encrypted["endpoint"]["port"]) == ("192.0.2.7", 83)
    assert encrypted["paths"] == ours["paths"]
    assert Path(encrypted["endpoint"]["tls"]["key"]).is_file()
    assert "https://192.0.2.7:83" in ours["paths"]["ws"]["options"]["allowed_origins"]
    assert (ours["endpoint"]["interface"], ours["endpoint"]["port"], ours["endpoint"]["version"]) == ("::1", 81, 6)
    options = ours["paths"]["ws"]["options"]
    assert options["max_message_size"] == options["max_frame_size"] == 2**20
    assert (options["auto_ping_interval"], options["auto_ping_timeout"]) == (5000, 4000)
    assert "https://grafana.example" in options["allowed_origins"]
    assert "*" not in options["allowed_origins"]
    assert set(ours["paths"]["ws"]["auth"]) == {"cryptosign", "ticket"}
    assert ours["paths"]["ws"]["serializers"] == ["cbor"]
    assert "tls" not in ours["endpoint"]
    assert existing["endpoint"]["port"] == 82
    assert Path(existing["endpoint"]["tls"]["key"]).is_file()
    assert "json" in existing["paths"]["ws"]["serializers"]
    assert "wampcra" in existing["paths"]["ws"]["auth"]
    assert "anonymous" not in json.dumps(worker)


def test_a_certificate_is_made_once_and_again_for_another_host(state):
    settings = Settings(state=state)
    chain, key = certificate(settings, ["127.0.0.1", "localhost"])
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(chain, key)
    before = chain.read_bytes()
    certificate(settings, ["localhost"])
    assert chain.read_bytes() == before
    certificate(settings, ["localhost", "lab.example"])
    names = x509.load_pem_x509_certificate(chain.read_bytes()).extensions.get_extension_for_class(
        x509.SubjectAlternativeName
    )
    assert names.value.get_values_for_type(x509.DNSName) == ["localhost", "lab.example"]


def test_a_given_certificate_is_used_and_a_missing_one_named(state, tmp_path):
    chain, key = tmp_path / "a.pem", tmp_path / "a.key"
    authority = Authority(tmp_path / "ca")
    authority.ensure("lab")
    for path, text in zip((chain, key), authority.issue(["lab.example"]), strict=True):
        path.write_text(text)
    given = Settings(state=state, tls_certificate=str(chain), tls_key=str(key))
    assert certificate(given, []) == (chain, key)
    key.write_text(authority.issue(["lab.example"])[1])
    with pytest.raises(ValueError, match=r"a\.pem and .*a\.key are not a certificate and its key, both PEM"):
        certificate(given, [])
    key.unlink()
    with pytest.raises(ValueError, match=r"SISOCK_TLS_KEY=.*a\.key: there is no such file"):
        certificate(given, [])


@pytest.mark.parametrize("interface", ["", "0.0.0.0", "::", "192.0.2.7", "lab.example"])
def test_beyond_loopback_nothing_is_said_in_the_clear_unless_that_is_wanted(settings, interface):
    with pytest.raises(ValueError, match="for other machines give --tls-port 8443 instead of --interface"):
        prepare(replace(settings, interface=interface))
    if interface in ("", "0.0.0.0"):
        prepare(replace(settings, interface=interface, plaintext=True))


def test_where_other_machines_reach_the_router_is_noted_as_long_as_they_do(settings):
    noted = settings.state / "router.tls"
    for given, interface, host in (
        ("lab.example, other", "", "lab.example"), ("", "", socket.gethostname()), ("", "127.0.0.1", "127.0.0.1"),
    ):  # fmt: skip
        port = free_port()
        prepare(replace(settings, tls_port=port, tls_interface=interface, hosts=given))
        assert noted.read_text() == f"{host}:{port}\n"
        (settings.state / "router" / "lock").unlink()  # held by this process
    prepare(settings)
    assert not noted.exists()
    (settings.state / "router" / "lock").unlink()
    with pytest.raises(ValueError, match="TLS on addresses of IPv4 only"):
        prepare(replace(settings, tls_port=free_port(), tls_interface="::1"))


def test_what_is_written_is_private(settings):
    folder = prepare(settings)
    for path in (folder / "config.json", folder / "policy.json", folder / "lock"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


FAR = {
    "far": {"role": "consumer", "keys": []},
    "hub": {"role": "hub", "keys": []},
    "page": {"role": "consumer", "keys": [], "nodes": ["weather"]},
}


@pytest.fixture
def policy(settings):
    """The policy's file; it says what a hub once handed over."""
    path = settings.state / "router" / "policy.json"
    path.parent.mkdir()
    path.write_text(json.dumps({"v": 1, "principals": FAR}))
    return path


def principals_of(path):
    return json.loads(path.read_text())["principals"]


def test_a_router_on_its_own_keeps_what_its_hub_handed_over_and_what_lies_here_comes_first(settings, policy):
    key = settings.state / "keys" / "hub.key"
    public = ensure_key(settings.state, "hub").public
    key.unlink()  # the hub is elsewhere; its principal is mounted
    prepare(settings)
    assert set(principals_of(policy)) == {"far", "hub", "page"}
    assert principals_of(policy)["hub"]["keys"] == [public]
    assert principals_of(policy)["page"] == FAR["page"]


@pytest.mark.parametrize("what", ["the hub's key", "further principals"])
def test_where_the_principals_are_at_home_who_was_dismissed_does_not_come_back(settings, policy, what):
    if what == "further principals":
        (settings.state / "keys" / "hub.key").unlink()
        ensure_principal(settings.state, "near", "consumer", None)
    prepare(settings)
    assert "far" not in principals_of(policy)
    assert "nodes" not in principals_of(policy)["page"]


def test_without_principals_the_policy_handed_over_is_all_there_is(settings, policy):
    shutil.rmtree(settings.state / "principals")
    prepare(settings)
    assert principals_of(policy) == FAR


def test_a_broken_policy_is_in_nobodys_way_where_the_principals_are_at_home(settings, policy):
    policy.write_text("{")
    prepare(settings)
    assert principals_of(policy).keys() == {"hub", "page"}


def test_a_broken_policy_is_named_elsewhere(settings, policy):
    policy.write_text("{")
    (settings.state / "principals" / "hub.json").unlink()
    with pytest.raises(ValueError, match=r"policy\.json: .*: remove it, the hub hands over another"):
        prepare(settings)


def test_a_taken_port_is_one_sentence(settings):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", settings.router_port))
        taken.listen()
        answer = start(settings)
    assert answer.returncode == 1
    assert answer.stderr == (
        f"router: the port 127.0.0.1:{settings.router_port} is taken: "
        "stop what listens there, or choose another with --router-port\n"
    )


def test_without_a_good_certificate_the_router_serves_this_machine_only(settings, tmp_path, capsys):
    for name in ("chain.pem", "key.pem"):
        (tmp_path / name).write_text("nonsense")
    for chain in (tmp_path / "nowhere.pem", tmp_path / "chain.pem"):
        broken = replace(settings, tls_port=free_port(), tls_certificate=str(chain), tls_key=str(tmp_path / "key.pem"))
        folder = prepare(broken)
        listeners = json.loads((folder / "config.json").read_text())["workers"][0]["transports"]
        assert [each["endpoint"]["interface"] for each in listeners] == ["127.0.0.1"]
        assert "tls" not in listeners[0]["endpoint"]
        assert "nobody can join over TLS" in capsys.readouterr().err
        (folder / "lock").unlink()


@pytest.mark.parametrize(
    ("given", "host"),
    [("lab.example:8443", "lab.example"), ("[fd00::1]:8443", "fd00::1"), ("fd00::1", "fd00::1"), (" , Lab.example ", "lab.example")],
)  # fmt: skip
def test_a_port_behind_a_host_name_means_nothing(given, host):
    assert host in hosts(Settings(hosts=given))
    assert host_allowed(Settings(hosts=given), f"{host}:8443" if "::" not in host else f"[{host}]:8443")


def test_without_a_hub_nothing_is_started(state):
    answer = start(Settings(state=state, router_port=free_port()))
    assert answer.returncode == 1
    assert answer.stderr == (
        "router: no hub may sign in: `sisock up` makes its key, or put the hub's public key into "
        f"{state}/principals/hub.json\n"
    )


def test_a_broken_principal_is_one_sentence(settings):
    (settings.state / "principals" / "bad.json").write_text("{")
    answer = start(settings)
    assert answer.returncode == 1
    assert answer.stderr.startswith(f"router: {settings.state}/principals/bad.json is not JSON")
    assert answer.stderr.count("\n") == 1


def test_a_broken_setting_is_one_sentence(settings):
    write_policy(settings.state)
    environment = {**configuration.environment(settings), "PYTHONPATH": str(ROOT), "SISOCK_ROUTER_PORT": "x"}
    command = [sys.executable, "-m", "sisock.router"]
    answer = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60, env=environment)
    assert (answer.returncode, answer.stderr) == (1, "router: SISOCK_ROUTER_PORT='x': not a valid int\n")
