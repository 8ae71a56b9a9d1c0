"""People sign in with passwords, scripts with tokens; each may what it was given, and the router sees to it."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from nacl.signing import SigningKey

from sisock.blocking import BlockingConsumer, connect
from sisock.errors import ConsumerError, NoHub
from sisock.exits import Exit
from sisock.fleet.refused import refused_file
from sisock.keys import Ticket, ensure_key
from sisock.keys.passwords import hashed
from sisock.keys.principals import load_principal, save_principal
from sisock.router.guesses import FREE
from sisock.settings import Settings, read
from sisock.testing import Client, Refused
from tests.demo import environment, sisock, wait_for
from tests.fleet import COUNTER, Fleet, running_fleet

NAMES = ("freezer1", "freezer2", "oven")
WORDS = "three small words"
HASH = hashed(WORDS)


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    principals: dict[str, Any] = {
        "freezer1": {"role": "data_node", "tags": ["cold"]},
        "freezer2": {"role": "data_node", "tags": ["cold"]},
        "oven": {"role": "data_node", "sensitive": True},
        "actor": {"role": "data_node", "names": ["freezer3", "freezer4"]},
    }
    with running_fleet(tmp_path_factory.mktemp("people"), principals) as fleet:
        for name in NAMES:
            fleet.node(
                name,
                COUNTER.replace("Counter", name.capitalize()).replace("interval", f'name = "{name}"\n    interval'),
            )
        wait_for(lambda: set(names(fleet, "cli")) == set(NAMES), 30)
        yield fleet


def names(fleet: Fleet, who: str) -> list[str]:
    with fleet.router.client(who) as client:
        try:
            return [each["name"] for each in client.call(fleet.settings.uris.hub_nodes) if each["state"] == "up"]
        except Refused:
            return []


def run(fleet: Fleet, *arguments: str, typed: str | None = None) -> str:
    """Run a command on the hub's machine; what it says."""
    done = sisock(fleet.settings.state, *arguments, typed=typed)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout


def admit(fleet: Fleet, name: str, role: str, **rights: Any) -> None:
    """As `sisock principal add` does, which takes a second to start."""
    save_principal(fleet.settings.state, name, {"role": role, "keys": [], "password": HASH, **rights})
    wait_for(lambda: known(fleet, name), 5)


def known(fleet: Fleet, name: str) -> bool:
    return name in json.loads((fleet.settings.state / "router" / "policy.json").read_text())["principals"]


def kept(fleet: Fleet, name: str) -> Any:
    """What the router has of a principal."""
    return json.loads((fleet.settings.state / "router" / "policy.json").read_text())["principals"].get(name)


def enter(fleet: Fleet, name: str, ticket: str) -> tuple[Client, dict[str, Any]]:
    client = Client(fleet.settings.url)
    try:
        return client, client.join_with_token(fleet.settings.realm, name, ticket)
    except BaseException:
        client.close()
        raise


def refused(fleet: Fleet, name: str, ticket: str) -> str:
    with pytest.raises(Refused) as error:
        enter(fleet, name, ticket)[0].close()
    return f"{error.value.uri} {error.value.arguments}"


def data(fleet: Fleet, node: str) -> tuple[Any, ...]:
    return (fleet.settings.uris.node(node, "get_data"), ["count"], -5, 0)


def test_ann_sees_the_freezers_and_commands_one_of_them(fleet: Fleet) -> None:
    uris = fleet.settings.uris
    given = ("--role", "operator", "--nodes", "freezer*", "--switch", "freezer4")
    run(fleet, "principal", "add", "ann", *given, typed=f"{WORDS}\n")
    wait_for(lambda: known(fleet, "ann"), 5)
    client, welcome = enter(fleet, "ann", WORDS)
    with client, fleet.router.client("actor") as actor:
        assert (welcome["authid"], welcome["authrole"]) == ("ann", "operator")
        assert [each["name"] for each in client.call(uris.hub_nodes)] == ["freezer1", "freezer2"]
        assert client.call(*data(fleet, "freezer1"))["data"]["count"]
        with pytest.raises(Refused, match="not_authorized"):
            client.call(*data(fleet, "oven"))
        for node in ("freezer3", "freezer4"):
            actor.register(uris.node(node, "act"))
        answering = threading.Thread(target=answer_one, args=(actor, "on it is"))
        answering.start()
        assert client.call(uris.node("freezer4", "act"), "on") == "on it is"
        answering.join(10)
        for node in ("freezer3", "freezer1", "oven", "nobody"):
            with pytest.raises(Refused, match="not_authorized"):
                client.call(uris.node(node, "act"), "on")
        for uri in (uris.principals, uris.revoke, uris.enroll, uris.add, "wamp.session.list"):
            with pytest.raises(Refused, match="not_authorized"):
                client.call(uri, "oven")


def answer_one(client: Client, what: str) -> None:
    message = client.receive()
    assert message[0] == 68
    client.send([70, message[1], {}, [what]])


def test_ann_hears_nothing_of_nodes_that_she_may_not_see(fleet: Fleet) -> None:
    uris = fleet.settings.uris
    admit(fleet, "eva", "viewer", nodes=["freezer*"])
    client, _ = enter(fleet, "eva", WORDS)
    with client, fleet.router.client("cli") as other:
        for each in (client, other):
            each.subscribe(uris.subtracted)
        fleet.kill("oven")
        fleet.kill("freezer2")
        heard: dict[Client, list[str]] = {client: [], other: []}
        for each, count in ((other, 2), (client, 1)):
            while len(heard[each]) < count:
                message = each.receive()
                assert message[0] == 36
                heard[each].append(message[4][0]["name"])
        assert set(heard[other]) == {"oven", "freezer2"}
        assert heard[client] == ["freezer2"]
    fleet.node("oven")
    fleet.node("freezer2")
    wait_for(lambda: set(names(fleet, "cli")) == set(NAMES), 30)


def test_rights_by_tag_follow_the_tags(fleet: Fleet) -> None:
    admit(fleet, "tom", "viewer", nodes=["tag:cold"])
    client, _ = enter(fleet, "tom", WORDS)
    with client:
        assert len(client.call(fleet.settings.uris.hub_nodes)) == 2
        run(fleet, "principal", "set", "freezer2", "--tags", "warm")
        assert client.closed()
    wait_for(lambda: set(names(fleet, "cli")) == set(NAMES), 30)
    client, _ = enter(fleet, "tom", WORDS)
    with client:
        assert [each["name"] for each in client.call(fleet.settings.uris.hub_nodes)] == ["freezer1"]
        with pytest.raises(Refused, match="not_authorized"):
            client.call(*data(fleet, "freezer2"))
    run(fleet, "principal", "set", "freezer2", "--tags", "cold")
    wait_for(lambda: set(names(fleet, "cli")) == set(NAMES), 30)


def test_an_admin_sees_all_and_ends_who_has_to_go(fleet: Fleet) -> None:
    uris = fleet.settings.uris
    admit(fleet, "root", "admin")
    admit(fleet, "bob", "viewer")
    bob, _ = enter(fleet, "bob", WORDS)
    client, _ = enter(fleet, "root", WORDS)
    with client, bob:
        assert {each["name"] for each in client.call(uris.hub_nodes)} >= set(NAMES)
        listed = {each["name"]: each for each in client.call(uris.principals)}
        assert listed["bob"]["role"] == "viewer"
        assert listed["bob"]["by"] == "password"
        assert listed["bob"]["seen"] <= time.time_ns()
        assert listed["hub"]["by"] == "key"
        assert "argon2" not in json.dumps(list(listed.values()))
        began = time.monotonic()
        client.call(uris.revoke, "bob")
        assert bob.closed()
        assert time.monotonic() - began < 5
        for name, why in (
            ("bob", "no principal 'bob'"),
            ("hub", "part of sisock"),
            ("../x", "cannot name"),
            (None, "cannot name"),
        ):
            with pytest.raises(Refused, match=why):
                client.call(uris.revoke, name)
    assert "not_authorized" in refused(fleet, "bob", WORDS)


def test_wrong_names_and_passwords_are_refused_alike(fleet: Fleet) -> None:
    admit(fleet, "kim", "viewer")
    answers = {
        refused(fleet, "kim", "a wrong password"),
        refused(fleet, "nobody", "a wrong password"),
        refused(fleet, "hub", "a wrong password"),
        refused(fleet, "freezer1", WORDS),
        refused(fleet, "page", WORDS),
        refused(fleet, "kim", ""),
    }
    assert len(answers) == 1
    assert WORDS not in fleet.router.log.read_text(errors="replace")
    assert "a wrong password" not in fleet.router.log.read_text(errors="replace")


def test_who_guesses_too_often_is_not_heard_for_a_while(fleet: Fleet) -> None:
    """Nobody else is kept waiting, and who is signed in stays."""
    admit(fleet, "lea", "viewer")
    admit(fleet, "max", "viewer")
    inside, welcome = enter(fleet, "lea", WORDS)
    with inside:
        for _ in range(FREE):
            refused(fleet, "lea", "a wrong password")
        refused(fleet, "lea", WORDS)
        wait_for(lambda: "too often" in fleet.router.log.read_text(errors="replace"), 5)
        assert inside.call(fleet.settings.uris.hub_nodes)
        enter(fleet, "lea", welcome["authextra"]["session_token"])[0].close()
        enter(fleet, "max", WORDS)[0].close()
    listed = run(fleet, "principal", "ls")
    assert "refused" in next(line for line in listed.splitlines() if line.startswith("lea "))


def test_the_router_works_on_while_passwords_are_checked(fleet: Fleet) -> None:
    with fleet.router.client("cli") as client:
        threads = [
            threading.Thread(target=refused, args=(fleet, f"guest{each}", "a wrong password")) for each in range(4)
        ]
        for each in threads:
            each.start()
        answered = 0
        while any(each.is_alive() for each in threads):
            client.call(fleet.settings.uris.get_data_node)
            answered += 1
        assert answered > 5 * len(threads)  # each check takes as long as many answers


def test_who_shows_what_is_of_before_does_not_get_in_after_a_change(fleet: Fleet) -> None:
    """The router asks for the ticket, and takes it later: what was changed meanwhile counts."""
    admit(fleet, "una", "viewer")
    with Client(fleet.settings.url) as client:
        client.send([1, fleet.settings.realm, {"roles": {"caller": {}}, "authmethods": ["ticket"], "authid": "una"}])
        assert client.receive()[0] == 4
        run(fleet, "principal", "password", "una", typed="other small words\n")
        wait_for(lambda: kept(fleet, "una") == load_principal(fleet.settings.state, "una"), 5)
        client.send([5, WORDS, {}])
        assert client.receive()[0] == 3
    key = ensure_key(fleet.settings.state, "oven")
    with Client(fleet.settings.url) as client:
        details = {"roles": {"caller": {}}, "authmethods": ["cryptosign"], "authid": "cli"}
        old = ensure_key(fleet.settings.state, "cli")
        client.send([1, fleet.settings.realm, {**details, "authextra": {"pubkey": old.public}}])
        challenge = client.receive()[2]["challenge"]
        entry = load_principal(fleet.settings.state, "cli") or {}
        save_principal(fleet.settings.state, "cli", {**entry, "keys": [key.public]})
        wait_for(lambda: kept(fleet, "cli") == load_principal(fleet.settings.state, "cli"), 5)
        signed = SigningKey(bytes.fromhex(old.private)).sign(bytes.fromhex(challenge)).signature.hex()
        client.send([5, signed + challenge, {}])
        assert client.receive()[0] == 3
    save_principal(fleet.settings.state, "cli", entry)
    wait_for(lambda: kept(fleet, "cli") == entry, 5)


def test_a_connection_signs_in_once(fleet: Fleet) -> None:
    """A second sign-in on it would be nobody's session, which no revocation ends."""
    admit(fleet, "zed", "viewer")
    hello = [1, fleet.settings.realm, {"roles": {"caller": {}}, "authmethods": ["ticket"], "authid": "zed"}]
    for again in ([5, WORDS, {}], hello):
        with Client(fleet.settings.url) as client:
            client.send(hello)
            assert client.receive()[0] == 4
            client.send([5, WORDS, {}])
            client.send(again)
            assert client.closed()
    assert "Traceback" not in fleet.router.log.read_text(errors="replace")


def test_who_is_revoked_while_a_password_is_typed_stays_revoked(fleet: Fleet) -> None:
    admit(fleet, "guy", "admin")
    argv = [sys.executable, "-m", "sisock", "principal", "password", "guy"]
    with subprocess.Popen(
        argv, env=environment(fleet.settings.state), stdin=subprocess.PIPE, stdout=-1, stderr=-1, text=True
    ) as typing:
        time.sleep(2)  # it has read that there is a guy, and waits
        run(fleet, "revoke", "guy")
        _, said = typing.communicate("other small words\n", 30)
    assert typing.returncode == Exit.UNKNOWN, said
    assert not (fleet.settings.state / "principals" / "guy.json").exists()


def test_a_name_that_nobody_can_have_is_not_subscribed_to(fleet: Fleet) -> None:
    uris = fleet.settings.uris
    with fleet.router.client("cli") as client:
        for name in ("x" * 64, "x" * 1_000_000, "1", "-a"):
            for act in (client.subscribe, client.call):
                with pytest.raises(Refused, match="not_authorized"):
                    act(uris.node(name, "live" if act == client.subscribe else "get_data"))


def test_what_a_stranger_says_cannot_command_a_terminal(fleet: Fleet) -> None:
    admit(fleet, "zoe", "viewer")
    with Client(fleet.settings.url) as client:
        details = {"roles": {"caller": {}}, "authmethods": ["cryptosign"], "authid": "zoe"}
        client.send([1, fleet.settings.realm, {**details, "authextra": {"pubkey": "\x1b]0;owned\x07\nzoe"}}])
        assert client.receive()[0] == 4
        client.send([5, "00" * 96, {}])
        assert client.receive()[0] == 3
    wait_for(lambda: "zoe" in refused_file(fleet.settings.state).read_text(), 5)
    for text in (run(fleet, "principal", "ls"), fleet.router.log.read_text(errors="replace")):
        assert "\x1b" not in text
        assert "\x07" not in text


def test_a_session_goes_on_without_the_password_until_that_changes(fleet: Fleet) -> None:
    admit(fleet, "pia", "viewer")
    client, welcome = enter(fleet, "pia", WORDS)
    ticket = welcome["authextra"]["session_token"]
    with client:
        enter(fleet, "pia", ticket)[0].close()
        refused(fleet, "max", ticket)
        refused(fleet, "page", ticket)
        run(fleet, "principal", "password", "pia", typed="other small words\n")
        assert client.closed()
    refused(fleet, "pia", ticket)
    refused(fleet, "pia", WORDS)
    enter(fleet, "pia", "other small words")[0].close()
    meta = fleet.settings.state / "hub"
    assert not any(ticket in path.read_text() for path in meta.iterdir())


def test_a_script_signs_in_by_a_token_with_rights_and_an_end_of_its_own(fleet: Fleet, tmp_path: Any) -> None:
    told = run(fleet, "principal", "token", "nightly", "--nodes", "freezer1", "--valid", "1h").strip()
    assert known(fleet, "nightly")
    assert told not in (fleet.settings.state / "principals" / "nightly.json").read_text()
    (tmp_path / "token").write_text(f"{told}\n")
    done = sisock(tmp_path / "elsewhere", "ls", SISOCK_TOKEN=str(tmp_path / "token"), SISOCK_ROUTER=fleet.settings.url)
    assert done.returncode == 0, done.stderr
    assert "freezer1" in done.stdout
    assert "freezer2" not in done.stdout
    settings = read(state=tmp_path / "elsewhere", router=fleet.settings.url, token=str(tmp_path / "token"))
    with BlockingConsumer(settings) as consumer:
        assert [each.name for each in consumer.nodes()] == ["freezer1"]
        with pytest.raises(ConsumerError):
            consumer.data("freezer2", ["count"], -5, 0)
    again = run(fleet, "principal", "token", "nightly", "--valid", "3s").strip()
    assert kept(fleet, "nightly") == load_principal(fleet.settings.state, "nightly")
    refused(fleet, "nightly", told.partition(".")[2])
    client, _ = enter(fleet, "nightly", again.partition(".")[2])
    with client:
        assert [each["name"] for each in client.call(fleet.settings.uris.hub_nodes)] == ["freezer1"]
        assert client.closed()
    refused(fleet, "nightly", again.partition(".")[2])


def test_a_script_finds_its_token_by_the_environment(fleet: Fleet, tmp_path: Any) -> None:
    file = tmp_path / "token"
    assert "is in" in run(fleet, "principal", "token", "script", "--nodes", "freezer2", "--to", str(file))
    assert file.stat().st_mode & 0o777 == 0o600
    wait_for(lambda: known(fleet, "script"), 5)
    more = {"state": tmp_path / "elsewhere", "router": fleet.settings.url, "token": str(file)}
    with connect(**more) as consumer:
        assert [each.name for each in consumer.nodes()] == ["freezer2"]


def test_a_ticket_is_not_sent_in_the_clear(fleet: Fleet, tmp_path: Any) -> None:
    far: Settings = read(state=tmp_path, router="ws://192.0.2.1:8080/ws", deadline=0.5)
    with BlockingConsumer(far, "ann", Ticket(WORDS)) as consumer, pytest.raises(NoHub, match="not sent in the clear"):
        consumer.nodes()
