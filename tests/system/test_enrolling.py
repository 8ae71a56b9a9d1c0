"""Machines come in by invitation over TLS, with keys of their own, and go when they are revoked."""

import contextlib
import json
import os
import re
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from cryptography import x509
from playwright.sync_api import Browser

from sisock import settings as configuration
from sisock.blocking import BlockingConsumer
from sisock.errors import ConsumerError
from sisock.exits import Exit
from sisock.fleet.refused import read_refused, refused_file
from sisock.keys import Key, ensure_key, ensure_principal
from sisock.keys.authority import Authority
from sisock.keys.invitations import Invitation, read
from sisock.settings import Settings
from sisock.testing import Client, Refused
from sisock.testing.router import free_port
from tests.demo import wait_for
from tests.fleet import COUNTER, ROOT, Fleet, running_fleet
from tests.laboratory import refused

NOT_TAKEN = "this invitation is mistyped, is used, has ended or was taken back: ask for another"


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    options = {"tls_port": free_port(), "tls_interface": "127.0.0.1"}
    with running_fleet(tmp_path_factory.mktemp("enrolling"), **options) as fleet:
        with BlockingConsumer(fleet.settings, "cli") as consumer:
            until = time.monotonic() + 30
            while True:
                try:
                    consumer.nodes()  # the hub is there
                    break
                except ConsumerError:
                    assert time.monotonic() < until
                time.sleep(0.05)
        yield fleet


@pytest.fixture
def machine(tmp_path: Path) -> Settings:
    """Another machine: it has nothing but a state directory of its own."""
    return configuration.read(state=tmp_path / "elsewhere")


def sisock(settings: Settings, *words: str, given: str = "", **more: str) -> subprocess.CompletedProcess[str]:
    kept = {name: text for name, text in os.environ.items() if not name.startswith("SISOCK_")}
    environment = {**kept, "SISOCK_STATE": str(settings.state), "PYTHONPATH": str(ROOT), **more}
    argv = [sys.executable, "-m", "sisock", *words]
    return subprocess.run(argv, env=environment, input=given, capture_output=True, text=True, timeout=60, check=False)


def invited(fleet: Fleet, *words: str) -> str:
    """The text of an invitation, as an admin gets it."""
    said = sisock(fleet.settings, "invite", *words)
    assert said.returncode == 0, said.stderr
    return next(word for word in said.stdout.split() if word.startswith("sisock1:"))


def who_is_who(fleet: Fleet) -> str:
    return sisock(fleet.settings, "principal", "ls").stdout


def joined(settings: Settings, fleet: Fleet, name: str, key: Key | None = None) -> Client:
    """A plain client on the TLS listener that has joined, as the hub's policy reaches the router."""
    url = f"wss://127.0.0.1:{fleet.settings.tls_port}/ws"
    until = time.monotonic() + 20
    while True:
        client = Client(url, ca=fleet.settings.state / "ca" / "root.pem")
        try:
            client.join(settings.realm, name, key or ensure_key(settings.state, name))
        except Refused:
            client.close()
            if time.monotonic() > until:
                raise
        else:
            return client
        time.sleep(0.05)


def test_an_invited_machine_makes_its_key_and_its_node_is_seen(fleet: Fleet, machine: Settings) -> None:
    said = sisock(machine, "enroll", invited(fleet, "attic"))
    assert said.returncode == 0, said.stderr
    assert "this machine is attic at wss://127.0.0.1" in said.stdout
    public = ensure_key(machine.state, "attic").public
    assert json.loads((fleet.settings.state / "principals" / "attic.json").read_text())["keys"] == [public]
    private = ensure_key(machine.state, "attic").private
    for path in fleet.settings.state.rglob("*"):
        if path.is_file():
            assert private not in path.read_text(errors="replace"), path
    node = machine.state / "attic.py"
    node.write_text(COUNTER)
    argv = [sys.executable, "-m", "sisock", "node", str(node), "--name", "attic"]
    environment = {**os.environ, "SISOCK_STATE": str(machine.state), "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(argv, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            with BlockingConsumer(fleet.settings, "cli") as consumer:
                until = time.monotonic() + 60
                while "attic" not in {each.name for each in consumer.nodes() if each.state == "up"}:
                    assert time.monotonic() < until
                    time.sleep(0.1)
                assert len(consumer.data("attic", ["count"], -60).series("count")[0]) > 0
            invited(fleet, "never-came")
            while not re.search(r"^attic +data_node +by key +last 20", who_is_who(fleet), re.MULTILINE):
                assert time.monotonic() < until
                time.sleep(0.2)
            assert re.search(r"^hub +hub +by key +last 20", who_is_who(fleet), re.MULTILINE)
            assert re.search(
                r"^never-came +invited +by invitation +last never +until 20",
                who_is_who(fleet),
                re.MULTILINE,
            )
            assert "refused 'attic'" not in fleet.router.log.read_text()  # the router knew of it in time
            assert "attic" not in read_refused(refused_file(fleet.settings.state))
        finally:
            process.terminate()


def test_who_signed_in_before_the_hub_was_there_is_not_listed_as_never_seen(fleet: Fleet) -> None:
    assert re.search(r"^bridge .* last never", who_is_who(fleet), re.MULTILINE)
    fleet.kill("hub")
    with Client(fleet.settings.url) as client:
        client.join(fleet.settings.realm, "bridge", ensure_key(fleet.settings.state, "bridge"))
        fleet.hub()
        wait_for(lambda: re.search(r"^bridge .* last 20", who_is_who(fleet), re.MULTILINE), 30)


def test_an_invitation_is_good_once(fleet: Fleet, machine: Settings, tmp_path: Path) -> None:
    text = invited(fleet, "cellar")
    mistyped = sisock(machine, "enroll", text.replace("cellar@", "celler@"))
    assert (mistyped.returncode, "celler is admitted" in mistyped.stdout) == (Exit.ERROR, False)
    assert "this invitation is for 'cellar', not for 'celler'" in mistyped.stderr
    assert sisock(machine, "enroll", text).returncode == 0
    again = sisock(configuration.read(state=tmp_path / "third"), "enroll", text)
    assert again.returncode != 0
    of_the_hub = "there is no such invitation: it has been used"  # which for a moment still hears who had it
    assert NOT_TAKEN in again.stderr or of_the_hub in again.stderr
    assert "not authorized" not in again.stderr
    unknown = text.rpartition(":")[0] + ":" + "0" * 64
    assert NOT_TAKEN in sisock(configuration.read(state=tmp_path / "fourth"), "enroll", unknown).stderr


def test_an_invitation_that_has_ended_is_refused(fleet: Fleet, machine: Settings) -> None:
    text = invited(fleet, "garage", "--valid", "0s")
    said = sisock(machine, "enroll", text)
    assert said.returncode != 0
    assert NOT_TAKEN in said.stderr
    line = f"refused '{read(text).principal}': its invitation has ended"
    wait_for(lambda: line in fleet.router.log.read_text(), 10)
    assert not (machine.state / "keys" / "garage.key").exists()
    assert not (machine.state / "ca.pem").exists()


def test_a_machine_that_is_refused_elsewhere_stays_where_it_is(fleet: Fleet, machine: Settings) -> None:
    assert sisock(machine, "enroll", invited(fleet, "barn")).returncode == 0
    before = {name: (machine.state / name).read_text() for name in ("ca.pem", "router.url")}
    assert sisock(machine, "enroll", invited(fleet, "stable", "--valid", "0s")).returncode != 0
    assert {name: (machine.state / name).read_text() for name in before} == before


def test_who_was_admitted_and_did_not_hear_of_it_enrolls_again(fleet: Fleet, machine: Settings) -> None:
    text = invited(fleet, "mill")
    assert sisock(machine, "enroll", text).returncode == 0
    for name in ("ca.pem", "router.url"):
        (machine.state / name).unlink()
    said = sisock(machine, "enroll", text)
    assert said.returncode == 0, said.stderr
    assert "signed in with the key of this machine" in said.stdout
    assert (machine.state / "router.url").exists()


def test_commands_on_a_machine_that_enrolled_are_led_to_a_token(
    fleet: Fleet, machine: Settings, tmp_path: Path
) -> None:
    assert sisock(machine, "enroll", invited(fleet, "loft")).returncode == 0
    said = sisock(machine, "ls")
    assert (said.returncode, "`sisock principal token` on the router's machine makes one" in said.stderr) == (
        Exit.NO_ANSWER,
        True,
    )
    assert "SISOCK_TOKEN=FILE" in said.stderr
    assert not (machine.state / "keys" / "cli.key").exists()
    assert sisock(fleet.settings, "principal", "token", "guest", "--to", str(tmp_path / "token")).returncode == 0
    said = sisock(machine, "ls", SISOCK_TOKEN=str(tmp_path / "token"))
    assert said.returncode == 0, said.stderr
    ensure_key(machine.state, "cli")  # one that the router does not know
    said = sisock(machine, "ls")
    assert (said.returncode, "does not let cli in by the key of this machine" in said.stderr) == (Exit.NO_ANSWER, True)
    wait_for(lambda: "cli" in read_refused(refused_file(fleet.settings.state)), 10)
    assert sisock(fleet.settings, "revoke", "guest").returncode == 0
    said = sisock(machine, "ls", SISOCK_TOKEN=str(tmp_path / "token"))
    assert (said.returncode, "does not take the token of guest" in said.stderr) == (Exit.NO_ANSWER, True)
    assert read_refused(refused_file(fleet.settings.state))["cli"].times == 1  # it has not tried again


def test_an_invitation_is_read_from_standard_input(fleet: Fleet, machine: Settings) -> None:
    said = sisock(machine, "enroll", given=invited(fleet, "dock") + "\n")
    assert said.returncode == 0, said.stderr


@pytest.mark.parametrize("name", ["ROUTER", "ROUTER_CA"])
def test_a_setting_that_would_come_before_is_told(machine: Settings, name: str) -> None:
    text = f"sisock1:attic@lab.example:8443::{'0' * 64}"
    said = sisock(machine, "enroll", text, **{f"SISOCK_{name}": "ws://127.0.0.1:1/ws"})
    assert said.returncode == Exit.ERROR
    assert f"SISOCK_{name} is set, and would come before" in said.stderr


def test_who_is_there_already_is_invited_only_to_replace_its_key(fleet: Fleet, machine: Settings) -> None:
    assert sisock(machine, "enroll", invited(fleet, "tower", "--sensitive")).returncode == 0
    before = ensure_key(machine.state, "tower")
    said = sisock(fleet.settings, "invite", "tower")
    assert (said.returncode, "another key by --rekey" in said.stderr) == (Exit.USAGE, True)
    (machine.state / "keys" / "tower.key").unlink()
    assert sisock(machine, "enroll", invited(fleet, "tower", "--rekey")).returncode == 0
    joined(machine, fleet, "tower").close()
    with Client(f"wss://127.0.0.1:{fleet.settings.tls_port}/ws", ca=machine.state / "ca.pem") as client:
        refused(client.join, machine.realm, "tower", before)
    assert json.loads((fleet.settings.state / "principals" / "tower.json").read_text())["sensitive"]


def test_an_invitation_opens_nothing_else(fleet: Fleet) -> None:
    invitation = read(invited(fleet, "shed"))
    client = joined(fleet.settings, fleet, invitation.principal, invitation.key)
    uris = fleet.settings.uris
    for uri in (uris.hub_nodes, uris.get_data_node, uris.add, "wamp.session.list", uris.node("attic", "get_data")):
        assert refused(client.call, uri).uri.endswith("not_authorized"), uri
    assert refused(client.subscribe, uris.added).uri.endswith("not_authorized")
    stranger = ensure_key(fleet.settings.state, "stranger")
    for given in ([], [None, None], [stranger.public, "00"], ["x" * 64, "y"], [stranger.public, "00" * 64]):
        arguments = ["shed", *given]
        assert refused(client.call, uris.enroll, *arguments).uri.endswith("not_authorized")
    assert not (fleet.settings.state / "principals" / "shed.json").exists()
    client.close()


def test_refusals_are_forgotten_with_who_was_meant(fleet: Fleet, machine: Settings, tmp_path: Path) -> None:
    assert sisock(machine, "enroll", invited(fleet, "yard")).returncode == 0
    refusals = refused_file(fleet.settings.state)

    def refuse() -> None:
        with Client(f"wss://127.0.0.1:{fleet.settings.tls_port}/ws", ca=machine.state / "ca.pem") as client:
            refused(client.join, machine.realm, "yard", ensure_key(tmp_path, "yard"))
        wait_for(lambda: "yard" in read_refused(refusals), 10)

    refuse()
    assert re.search(r"^yard .*refused 1 time,", who_is_who(fleet), re.MULTILINE)
    assert sisock(fleet.settings, "revoke", "yard").returncode == 0
    wait_for(lambda: "yard" not in read_refused(refusals), 10)
    (machine.state / "keys" / "yard.key").unlink()
    assert sisock(machine, "enroll", invited(fleet, "yard")).returncode == 0
    refuse()
    (machine.state / "keys" / "yard.key").unlink()
    assert sisock(machine, "enroll", invited(fleet, "yard", "--rekey")).returncode == 0
    assert "yard" not in read_refused(refusals)


def ends(client: Client, uri: str) -> None:
    """See the session of this client end, which has called this before."""
    until = time.monotonic() + 20
    with contextlib.suppress(Refused, OSError, EOFError):
        while time.monotonic() < until:
            client.call(uri)
    assert time.monotonic() < until, "its session goes on"
    client.close()


def test_who_is_revoked_is_out_and_stays_out(fleet: Fleet, machine: Settings) -> None:
    assert sisock(machine, "enroll", invited(fleet, "ann", "--role", "consumer", "--nodes", "attic")).returncode == 0
    client = joined(machine, fleet, "ann")
    client.call(fleet.settings.uris.hub_nodes)
    broken = fleet.settings.state / "principals" / "broken.json"
    broken.write_text("{")  # in nobody's way
    assert sisock(fleet.settings, "revoke", "ann").returncode == 0
    broken.unlink()
    ends(client, fleet.settings.uris.hub_nodes)
    with Client(f"wss://127.0.0.1:{fleet.settings.tls_port}/ws", ca=machine.state / "ca.pem") as again:
        refused(again.join, machine.realm, "ann", ensure_key(machine.state, "ann"))
    assert sisock(fleet.settings, "revoke", "ann").returncode == Exit.UNKNOWN


def test_who_comes_from_elsewhere_is_revoked_though_this_machine_has_a_key_of_that_name(
    fleet: Fleet, machine: Settings
) -> None:
    assert sisock(machine, "enroll", invited(fleet, "porch")).returncode == 0
    here = ensure_key(fleet.settings.state, "porch").public
    ensure_principal(fleet.settings.state, "porch", "data_node", here)  # as a start on the wrong machine once did
    client = joined(machine, fleet, "porch")
    client.call(fleet.settings.uris.subtract)
    said = sisock(fleet.settings, "revoke", "porch")
    assert (said.returncode, "porch may do nothing from other machines any more" in said.stdout) == (0, True)
    ends(client, fleet.settings.uris.subtract)
    with Client(f"wss://127.0.0.1:{fleet.settings.tls_port}/ws", ca=machine.state / "ca.pem") as again:
        refused(again.join, machine.realm, "porch", ensure_key(machine.state, "porch"))


@pytest.mark.parametrize("name", ["hub", "page", "cli"])
def test_parts_of_this_machine_are_not_revoked(fleet: Fleet, name: str) -> None:
    before = sorted((fleet.settings.state / "principals").iterdir())
    said = sisock(fleet.settings, "revoke", name)
    assert (said.returncode, "is a part of sisock on this machine" in said.stderr) == (Exit.ERROR, True)
    assert sorted((fleet.settings.state / "principals").iterdir()) == before


def test_while_the_hub_is_away_nobody_is_told_that_somebody_is_out(fleet: Fleet, machine: Settings) -> None:
    assert sisock(machine, "enroll", invited(fleet, "quay")).returncode == 0
    fleet.kill("hub")
    try:
        said = sisock(fleet.settings, "revoke", "quay")
        assert (said.returncode, "but the router still lets it in: start the hub" in said.stderr) == (Exit.ERROR, True)
    finally:
        fleet.hub()
    until = time.monotonic() + 30
    while "quay" in (fleet.settings.state / "router" / "policy.json").read_text():
        assert time.monotonic() < until
        time.sleep(0.1)


@contextlib.contextmanager
def in_between(folder: Path, shown: bytes) -> Iterator[int]:
    """A TLS server of another authority, which shows this certificate to whoever asks; its port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(shown)

        def log_message(self, *_: object) -> None:
            pass

    other = Authority(folder / "other")
    other.ensure("another")
    for name, text in zip(("chain.pem", "key.pem"), other.issue(["127.0.0.1"]), strict=True):
        (folder / name).write_text(text)
    server = HTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "chain.pem", folder / "key.pem")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.mark.parametrize("shows", ["its own", "the right one", "both"])
def test_whoever_is_in_between_makes_it_fail_and_learns_nothing(
    fleet: Fleet, machine: Settings, tmp_path: Path, shows: str
) -> None:
    right = (fleet.settings.state / "ca" / "root.pem").read_bytes()
    other = Authority(tmp_path / "other")
    other.ensure("another")
    shown = {"its own": other.root.read_bytes(), "the right one": right, "both": right + other.root.read_bytes()}[shows]
    invitation = read(invited(fleet, "between-" + shows.replace(" ", "-")))
    with in_between(tmp_path, shown) as port:
        said = sisock(machine, "enroll", str(invitation._replace(address=f"127.0.0.1:{port}")))
    assert said.returncode != 0
    if shows == "its own":
        assert f"fingerprint {other.fingerprint}, the invitation says {invitation.root}" in said.stderr
    elif shows == "the right one":
        assert "its certificate is not trusted" in said.stderr
    assert not (machine.state / "ca.pem").exists()
    assert not (machine.state / "keys").exists()
    assert not (machine.state / "router.url").exists()


def handshake(fleet: Fleet, context: ssl.SSLContext, name: str = "127.0.0.1") -> x509.Certificate:
    """The certificate that the TLS listener shows."""
    with (
        socket.create_connection(("127.0.0.1", fleet.settings.tls_port), 10) as plain,
        context.wrap_socket(plain, server_hostname=name) as encrypted,
    ):
        encrypted.sendall(b"GET / HTTP/1.0\r\nHost: localhost\r\n\r\n")
        assert encrypted.recv(12).startswith(b"HTTP/1.")
        return x509.load_der_x509_certificate(encrypted.getpeercert(binary_form=True) or b"")


def test_only_tls_1_3_of_our_authority_and_our_names_is_spoken(fleet: Fleet) -> None:
    root = fleet.settings.state / "ca" / "root.pem"
    handshake(fleet, ssl.create_default_context(cafile=str(root)))
    old = ssl.create_default_context(cafile=str(root))
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(ssl.SSLError):
        handshake(fleet, old)
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(fleet, ssl.create_default_context())
    with pytest.raises(ssl.SSLCertVerificationError, match="lab\\.example"):
        handshake(fleet, ssl.create_default_context(cafile=str(root)), "lab.example")
    with socket.create_connection(("127.0.0.1", fleet.settings.tls_port), 10) as plain:
        plain.sendall(b"GET /ws HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b"HTTP" not in plain.recv(100)  # an alert of TLS, or nothing


def test_a_new_certificate_is_taken_up_while_the_router_runs(fleet: Fleet) -> None:
    root = fleet.settings.state / "ca" / "root.pem"
    context = ssl.create_default_context(cafile=str(root))
    before = handshake(fleet, context)
    chain, key = Authority(root.parent).issue(["127.0.0.1", "localhost"])
    (fleet.settings.state / "tls" / "router.key").write_text("broken")  # as between the writing of one and the other
    assert handshake(fleet, context) == before
    (fleet.settings.state / "tls" / "router.key").write_text(key)
    (fleet.settings.state / "tls" / "router.pem").write_text(chain)
    assert handshake(fleet, context).serial_number == x509.load_pem_x509_certificate(chain.encode()).serial_number


@pytest.mark.usefixtures("built")
def test_the_page_opens_in_a_browser_on_another_machine(fleet: Fleet, browser: Browser) -> None:
    fleet.node("counter", COUNTER)
    said = sisock(fleet.settings, "link", "--tls")
    assert said.stdout.startswith(f"https://127.0.0.1:{fleet.settings.tls_port}/#token="), said.stderr
    context = browser.new_context(ignore_https_errors=True)  # as who has said that the authority is fine
    page = context.new_page()
    sockets: list[str] = []
    page.on("websocket", lambda socket: sockets.append(socket.url))
    page.goto(said.stdout.strip())
    page.get_by_text("counter", exact=True).first.wait_for(timeout=30_000)
    assert sockets == [f"wss://127.0.0.1:{fleet.settings.tls_port}/ws"]
    context.close()


def test_what_is_no_invitation_is_told(machine: Settings) -> None:
    for text in ("", "sisock1:", "sisock1:a@b:1:cc:dd", f"sisock1:attic@lab:x::{'0' * 64}", "🙂" * 100):
        said = sisock(machine, "enroll", text)
        assert said.returncode != 0
        assert "no invitation: copy all" in said.stderr
    assert isinstance(read(f"sisock1:attic@[::1]:8443::{'0' * 64}"), Invitation)
