"""Where a site wants RSA keys and X.509: a machine enrolls with a request, shows its certificate at TLS, and renews it."""

import json
import subprocess
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from sisock import settings as configuration
from sisock.blocking import BlockingConsumer
from sisock.errors import NoHub
from sisock.exits import Exit
from sisock.keys import ensure_key
from sisock.keys.authority import Authority
from sisock.keys.key import Shown, shown
from sisock.keys.principals import save_principal
from sisock.settings import Settings
from sisock.testing import Client, Refused
from sisock.testing.router import free_port
from tests.demo import sisock, wait_for
from tests.fleet import Fleet, running_fleet


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    options = {"tls_port": free_port(), "tls_interface": "127.0.0.1"}
    with running_fleet(tmp_path_factory.mktemp("certificates"), **options) as fleet:
        wait_for((fleet.settings.state / "router.tls").is_file, 30)
        yield fleet


def invited(fleet: Fleet, *words: str) -> str:
    said = sisock(fleet.settings.state, "invite", *words)
    assert said.returncode == 0, said.stderr
    return next(word for word in said.stdout.split() if word.startswith("sisock1:"))


@pytest.fixture(scope="module")
def machine(fleet: Fleet, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A machine that has enrolled with an RSA key."""
    state = tmp_path_factory.mktemp("elsewhere")
    said = sisock(state, "enroll", "--key", "rsa4096", typed=invited(fleet, "bench", "--role", "consumer"))
    assert said.returncode == 0, said.stderr
    assert "RSA key of 4096 bits" in said.stdout
    return configuration.read(state=state)


def files(machine: Settings) -> Shown:
    return shown(machine.state, "bench")


def entry(fleet: Fleet, name: str) -> Any:
    return json.loads((fleet.settings.state / "principals" / f"{name}.json").read_text())


def test_the_private_key_stays_and_the_certificate_is_shown_at_tls(fleet: Fleet, machine: Settings) -> None:
    private = files(machine).key.read_text()
    for path in fleet.settings.state.rglob("*"):
        assert not path.is_file() or private not in path.read_text(errors="replace"), path
    assert entry(fleet, "bench")["certificate"] > 10**18
    with BlockingConsumer(machine, "bench") as consumer:
        assert consumer.nodes() == []
    assert "certificate" in sisock(fleet.settings.state, "principal", "ls").stdout


def test_the_key_alone_is_not_enough(fleet: Fleet, machine: Settings) -> None:
    """Neither without the certificate, nor in the clear, nor with the certificate of another."""
    ca = fleet.settings.state / "ca" / "root.pem"
    encrypted = f"wss://127.0.0.1:{fleet.settings.tls_port}/ws"
    key = ensure_key(machine.state, "bench")
    for client in (Client(encrypted, ca=ca), Client(fleet.settings.url)):
        with client, pytest.raises(Refused):
            client.join(machine.realm, "bench", key)
    said = sisock(machine.state.parent / "other", "enroll", "--key", "rsa4096", typed=invited(fleet, "other"))
    assert said.returncode == 0, said.stderr
    other = shown(machine.state.parent / "other", "other")
    with Client(encrypted, ca=ca, show=other) as client, pytest.raises(Refused):
        client.join(machine.realm, "bench", key)
    with Client(encrypted, ca=ca, show=files(machine)) as client:
        assert client.join(machine.realm, "bench", key)["authid"] == "bench"


def test_a_certificate_of_another_authority_is_refused_at_tls(fleet: Fleet, machine: Settings, tmp_path: Path) -> None:
    stranger = Authority(tmp_path / "ca")
    stranger.ensure("stranger")
    public = x509.load_pem_x509_certificate(files(machine).chain.read_bytes()).public_key()
    forged = Shown(files(machine).key, tmp_path / "forged.pem")
    forged.chain.write_text(stranger.issue_client("bench", public))
    ca = fleet.settings.state / "ca" / "root.pem"
    with (
        pytest.raises((OSError, ConnectionError)),
        Client(f"wss://127.0.0.1:{fleet.settings.tls_port}/ws", ca=ca, show=forged) as client,
    ):
        client.receive()


def test_the_routers_own_certificate_is_nobodys(fleet: Fleet, machine: Settings) -> None:
    ca, tls = fleet.settings.state / "ca" / "root.pem", fleet.settings.state / "tls"
    own = Shown(tls / "router.key", tls / "router.pem")
    with (
        pytest.raises((OSError, ConnectionError)),
        Client(f"wss://127.0.0.1:{fleet.settings.tls_port}/ws", ca=ca, show=own) as client,
    ):
        client.receive()


def test_an_invitation_that_wants_a_certificate_takes_nobody_without(fleet: Fleet, tmp_path: Path) -> None:
    text = invited(fleet, "strict", "--certificate")
    said = sisock(tmp_path, "enroll", typed=text)
    assert said.returncode == Exit.ERROR
    assert "run `sisock enroll --key rsa4096`" in said.stderr
    said = sisock(tmp_path, "enroll", "--key", "rsa4096", typed=text)
    assert said.returncode == 0, said.stderr
    assert entry(fleet, "strict")["certificate"] > 10**18


def test_a_certificate_is_renewed_by_itself_when_it_is_due(
    fleet: Fleet, machine: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain = files(machine).chain
    good = chain.read_text()
    public = x509.load_pem_x509_certificate(good.encode()).public_key()
    monkeypatch.setattr("sisock.keys.authority.EARLIER", timedelta(days=80))
    monkeypatch.setattr("sisock.keys.authority.CLIENT_LASTS", timedelta(days=10))
    old = Authority(fleet.settings.state / "ca").issue_client("bench", public)
    chain.write_text(old)
    save_principal(
        fleet.settings.state, "bench", {**entry(fleet, "bench"), "certificate": True}
    )  # whenever it was made
    with BlockingConsumer(machine, "bench") as consumer:
        wait_for(lambda: chain.read_text() != old, 20)
        assert consumer.nodes() == []
    new = x509.load_pem_x509_certificate(chain.read_bytes())
    assert new.public_key() == public
    assert new.not_valid_after_utc > x509.load_pem_x509_certificate(good.encode()).not_valid_before_utc + timedelta(
        days=60
    )
    with BlockingConsumer(machine, "bench") as consumer:
        assert consumer.nodes() == []


def test_one_that_has_ended_is_told_with_the_cure(
    fleet: Fleet, machine: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain = files(machine).chain
    good = chain.read_text()
    public = x509.load_pem_x509_certificate(good.encode()).public_key()
    monkeypatch.setattr("sisock.keys.authority.CLIENT_LASTS", timedelta(seconds=-60))
    chain.write_text(Authority(fleet.settings.state / "ca").issue_client("bench", public))
    try:
        late = configuration.read(state=machine.state, deadline=1.0)
        with (
            BlockingConsumer(late, "bench") as consumer,
            pytest.raises(NoHub, match="ask for an invitation with --rekey"),
        ):
            consumer.nodes()
    finally:
        chain.write_text(good)


def test_only_who_has_a_certificate_gets_the_next_one_and_by_its_own_name(fleet: Fleet, machine: Settings) -> None:
    from sisock.keys.certificates import request

    uris = fleet.settings.uris
    with fleet.router.client("cli") as client, pytest.raises(Refused, match="not_authorized"):
        client.call(uris.renew, request(machine.state, "bench"))
    ca = fleet.settings.state / "ca" / "root.pem"
    with Client(f"wss://127.0.0.1:{fleet.settings.tls_port}/ws", ca=ca, show=files(machine)) as client:
        client.join(machine.realm, "bench", ensure_key(machine.state, "bench"))
        for wrong, says in (
            (request(machine.state, "other"), "is for other"),
            (None, "no request"),
            ("x", "no request"),
        ):
            with pytest.raises(Refused, match=says):
                client.call(uris.renew, *([] if wrong is None else [wrong]))
        began = time.time()
        chain = client.call(uris.renew, request(machine.state, "bench"))
    assert x509.load_pem_x509_certificate(chain.encode()).not_valid_after_utc.timestamp() > began + 89 * 86400


def test_who_did_not_hear_of_its_certificate_and_who_lets_it_go(fleet: Fleet, tmp_path: Path) -> None:
    """A new invitation mends both, with the same keys."""
    state = tmp_path / "state"
    files = shown(state, "lost")
    assert sisock(state, "enroll", "--key", "rsa4096", typed=invited(fleet, "lost")).returncode == 0
    private = files.key.read_text()
    files.chain.unlink()  # as if the power had gone before it came
    again = sisock(state, "enroll", "--key", "rsa4096", typed=invited(fleet, "lost", "--rekey"))
    assert again.returncode == 0, again.stderr
    assert files.key.read_text() == private
    assert entry(fleet, "lost")["certificate"] > 10**18
    plain = tmp_path / "plain"
    (plain / "keys").mkdir(parents=True)
    shown(plain, "free").key.write_text(private)
    shown(plain, "free").chain.write_text(files.chain.read_text())
    assert sisock(plain, "enroll", typed=invited(fleet, "free")).returncode == 0
    assert not shown(plain, "free").is_there()


def test_a_machine_that_trusts_what_its_system_trusts_enrolls_with_a_certificate(fleet: Fleet, tmp_path: Path) -> None:
    """As where the router has a certificate of a public authority: the invitation carries no fingerprint."""
    text = invited(fleet, "public", "--certificate").split(":")
    text[3] = ""
    system = {"SSL_CERT_FILE": str(fleet.settings.state / "ca" / "root.pem")}
    said = sisock(tmp_path, "enroll", "--key", "rsa4096", typed=":".join(text), **system)
    assert said.returncode == 0, said.stderr
    assert shown(tmp_path, "public").is_there()


def test_only_certificates_of_our_authority_are_asked_for(fleet: Fleet) -> None:
    """A browser offers none that its owner has for something else."""
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{fleet.settings.tls_port}", "-tls1_3"]
    done = subprocess.run(command, input="", capture_output=True, text=True, timeout=30, check=False)
    asked = done.stdout[done.stdout.index("Acceptable client certificate CA names") :].splitlines()[1]
    assert asked == "CN = sisock root"


def test_the_certificate_of_before_does_not_go_with_another_key(fleet: Fleet, tmp_path: Path) -> None:
    """Whoever had the machine's files has nothing once another key is there."""
    assert sisock(tmp_path / "old", "enroll", "--key", "rsa4096", typed=invited(fleet, "moved")).returncode == 0
    time.sleep(1.1)  # certificates count seconds
    text = invited(fleet, "moved", "--rekey")
    assert sisock(tmp_path / "new", "enroll", "--key", "rsa4096", typed=text).returncode == 0
    ca = fleet.settings.state / "ca" / "root.pem"
    url = f"wss://127.0.0.1:{fleet.settings.tls_port}/ws"
    key = ensure_key(tmp_path / "new", "moved")
    with Client(url, ca=ca, show=shown(tmp_path / "old", "moved")) as client, pytest.raises(Refused):
        client.join(fleet.settings.realm, "moved", key)
    with Client(url, ca=ca, show=shown(tmp_path / "new", "moved")) as client:
        client.join(fleet.settings.realm, "moved", key)
