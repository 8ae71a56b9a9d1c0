"""Invitations: good once, for a while, for one name, and only for who holds the key that is left."""

import json
import threading

import pytest
from nacl.signing import SigningKey

from sisock.fleet.rules import Action, allows, may_offer, may_see, read_policy
from sisock.keys import compile_policy, ensure_key, ensure_principal
from sisock.keys.invitations import RefusedError, accept, invite, proof, read, sweep, withdraw
from sisock.uris import Uris

ROOT = "ab" * 32
NODE = {"role": "data_node", "sensitive": True}


@pytest.fixture
def other(tmp_path):
    """Where the new machine keeps its own."""
    return tmp_path / "other"


def invited(state, name="attic", entry=NODE, seconds=60.0):
    return invite(state, name, entry, "lab.example:8443", ROOT, seconds)


def test_an_invitation_is_a_text_that_comes_back(state):
    made = invited(state)
    assert str(made).startswith(f"sisock1:attic@lab.example:8443:{ROOT}:")
    assert read(f"  {made}\n") == made
    assert made.key.private not in "".join(path.read_text() for path in (state / "principals").iterdir())


@pytest.mark.parametrize(
    "text",
    ["", "sisock1:", "sisock2:attic@lab:1::" + "0" * 64, "sisock1:1@lab:1::" + "0" * 64, "sisock1:a@lab::" + "0" * 64],
)
def test_what_is_none_is_told_with_the_cure(text):
    with pytest.raises(ValueError, match="no invitation: copy all"):
        read(text)


def test_who_is_invited_leaves_a_key_and_is_what_was_said(state, other):
    made = invited(state)
    given = proof(other, made)
    assert accept(state, made.principal, *given) == ("attic", "data_node", "")
    assert compile_policy(state)["principals"]["attic"] == {**NODE, "keys": [given[1]]}
    assert made.principal not in compile_policy(state)["principals"]
    with pytest.raises(RefusedError, match="no such invitation: it has been used"):
        accept(state, made.principal, *given)


def test_of_many_that_come_with_one_invitation_one_is_let_in(state, tmp_path):
    made = invited(state)
    proofs = [proof(tmp_path / str(number), made) for number in range(8)]
    came, start = [], threading.Barrier(8)

    def come(given):
        start.wait()
        try:
            came.append(accept(state, made.principal, *given))
        except RefusedError:
            came.append(None)

    threads = [threading.Thread(target=come, args=(each,)) for each in proofs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(came, key=str) == [("attic", "data_node", ""), *[None] * 7]
    assert len(compile_policy(state)["principals"]["attic"]["keys"]) == 1


def test_who_has_not_the_private_key_leaves_nothing(state, other):
    made = invited(state)
    name, public, signature = proof(other, made)
    stranger = SigningKey.generate()
    theirs = stranger.verify_key.encode().hex()
    for given in ((theirs, signature), (public, stranger.sign(b"x").signature.hex()), (public, ""), (None, None)):
        with pytest.raises(RefusedError, match="its key is none, or it does not prove"):
            accept(state, made.principal, name, *given)
    another = invited(state, "cellar")
    with pytest.raises(RefusedError, match="does not prove"):
        accept(state, another.principal, "cellar", public, signature)
    assert accept(state, made.principal, name, public, signature)[0] == "attic"


def test_a_text_with_another_name_is_refused_and_the_right_one_stays_good(state, other):
    made = invited(state, "cellar")
    mistyped = made._replace(name="celler")
    with pytest.raises(RefusedError, match="this invitation is for 'cellar', not for 'celler'"):
        accept(state, made.principal, *proof(other, mistyped))
    _, public, signature = proof(other, mistyped)
    with pytest.raises(RefusedError, match="does not prove"):  # the name is part of what was signed
        accept(state, made.principal, "cellar", public, signature)
    assert accept(state, made.principal, *proof(other, made)) == ("cellar", "data_node", "")


@pytest.mark.parametrize("principal", ["attic", "enroll-0000000000000000", "hub", "nobody"])
def test_nobody_else_enrolls(state, other, principal):
    ensure_principal(state, "hub", "hub", ensure_key(state, "hub").public)
    made = invited(state)
    with pytest.raises(RefusedError, match="no such invitation"):
        accept(state, principal, *proof(other, made))


def test_one_whose_file_was_damaged_is_refused(state, other):
    made = invited(state)
    path = state / "principals" / f"{made.principal}.json"
    told = json.loads(path.read_text())
    told["invites"]["until"] = float("inf")
    path.write_text(json.dumps(told))
    with pytest.raises(RefusedError, match="no such invitation"):
        accept(state, made.principal, *proof(other, made))


def test_one_that_has_ended_is_refused_and_swept(state, other):
    made, lasting = invited(state, seconds=-1), invited(state, "cellar")
    with pytest.raises(RefusedError, match="has ended: ask for a new one"):
        accept(state, made.principal, *proof(other, made))
    invited(state, "shed", seconds=-1)
    assert sweep(state) == 1
    assert set(compile_policy(state)["principals"]) == {"page", lasting.principal}


def test_a_name_that_is_taken_needs_rekey_which_changes_nothing_else(state, other):
    ensure_principal(state, "attic", "data_node", ensure_key(other, "attic").public, names=["attic", "roof"])
    with pytest.raises(ValueError, match="a principal 'attic' already: give it another key by --rekey"):
        invited(state)
    made = invited(state, entry={})
    with pytest.raises(RefusedError, match=r"the key that attic has: remove keys/attic\.key here"):
        accept(state, made.principal, *proof(other, made))
    (other / "keys" / "attic.key").unlink()
    _, public, _ = given = proof(other, made)
    assert accept(state, made.principal, *given) == ("attic", "data_node", "")
    expected = {"role": "data_node", "names": ["attic", "roof"], "keys": [public]}
    assert compile_policy(state)["principals"]["attic"] == expected


@pytest.mark.parametrize("name", ["hub", "page", "nobody", "enroll"])
def test_only_who_is_there_and_comes_from_elsewhere_gets_another_key(state, name):
    ensure_principal(state, "hub", "hub", ensure_key(state, "hub").public)
    pending = invited(state)
    with pytest.raises(ValueError, match="only who is there, and comes from another machine"):
        invited(state, pending.principal if name == "enroll" else name, entry={})


def test_who_went_meanwhile_does_not_come_back_by_another_key(state, other):
    ensure_principal(state, "attic", "data_node", "12" * 32)
    made = invited(state, entry={})
    (state / "principals" / "attic.json").unlink()
    with pytest.raises(RefusedError, match="no attic any more"):
        accept(state, made.principal, *proof(other, made))


@pytest.mark.parametrize("address", ["lab.example", "https://lab.example:8443", "lab.example:8443/ws", "", "a b:1"])
def test_an_address_that_is_none_makes_no_invitation(state, address):
    with pytest.raises(ValueError, match="give --at HOST:PORT"):
        invite(state, "attic", NODE, address, ROOT, 60.0)
    assert list((state / "principals").glob("enroll-*")) == []


def test_a_name_that_was_taken_meanwhile_is_not_taken_over(state, other):
    made = invited(state)
    ensure_principal(state, "attic", "data_node", "12" * 32)
    with pytest.raises(RefusedError, match="another attic by now: ask for an invitation with --rekey"):
        accept(state, made.principal, *proof(other, made))
    assert compile_policy(state)["principals"]["attic"]["keys"] == ["12" * 32]


def test_a_broken_file_holds_back_only_its_own_name(state, other):
    made, another = invited(state), invited(state, "cellar")
    (state / "principals" / "attic.json").write_text("{")
    with pytest.raises(RefusedError, match="the file of attic cannot be read, and is not overwritten"):
        accept(state, made.principal, *proof(other, made))
    assert accept(state, another.principal, *proof(other, another)) == ("cellar", "data_node", "")


def test_who_is_withdrawn_is_gone_with_what_was_to_come_whatever_else_is_broken(state):
    made = invited(state)
    (state / "principals" / "x.json").write_text("{")
    (state / "principals" / "enroll-x.json").write_text("{")
    assert withdraw(state, "attic") == 1
    for broken in ("x", "enroll-x"):
        (state / "principals" / f"{broken}.json").unlink()
    assert made.principal not in compile_policy(state)["principals"]
    ensure_principal(state, "attic", "data_node", "12" * 32)
    assert (withdraw(state, "attic"), withdraw(state, "attic")) == (1, 0)


def test_an_invitation_may_do_nothing_but_enroll(state):
    made, uris = invited(state), Uris()
    policy = read_policy(compile_policy(state))
    assert allows(policy, uris, made.principal, Action("call", uris.enroll))
    for kind in ("call", "register", "publish", "subscribe"):
        for uri in (
            uris.hub_nodes,
            uris.get_data_node,
            uris.add,
            uris.added,
            uris.node("attic", "get_data"),
            uris.set_policy,
        ):
            assert not allows(policy, uris, made.principal, Action(kind, uri))
    assert not may_see(policy, made.principal, "attic")
    assert not may_offer(policy, made.principal, "attic")
    ensure_principal(state, "ann", "consumer", "12" * 32)
    assert not allows(read_policy(compile_policy(state)), uris, "ann", Action("call", uris.enroll))


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        ({"role": "enrolling"}, "'invites' and the role 'enrolling' belong together"),
        ({"role": "consumer", "invites": {"until": 1}}, "belong together"),
        ({"role": "enrolling", "invites": {}}, "must say 'until' when"),
        ({"role": "enrolling", "invites": 7}, "must say 'until' when"),
    ],
)
def test_a_wrong_invitation_in_a_file_is_a_sentence(state, entry, sentence):
    (state / "principals").mkdir(parents=True)
    (state / "principals" / "enroll-1.json").write_text(json.dumps(entry))
    with pytest.raises(ValueError, match=sentence):
        read_policy(compile_policy(state))
