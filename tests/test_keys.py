import json
import stat
from concurrent.futures import ThreadPoolExecutor

import pytest
from nacl.signing import SigningKey

from sisock.keys import compile_policy, ensure_key, ensure_principal, new_page_token, parse_policy, write_policy
from sisock.keys.files import write, write_once
from sisock.keys.passwords import nobodys
from sisock.keys.principals import load_principal
from sisock.keys.tokens import MOST, Tokens
from sisock.times import NS


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_a_key_is_made_at_first_use_and_is_private(state):
    key = ensure_key(state, "weather")
    assert ensure_key(state, "weather") == key
    assert SigningKey(bytes.fromhex(key.private)).verify_key.encode().hex() == key.public
    assert mode(state / "keys" / "weather.key") == 0o600
    assert mode(state) == mode(state / "keys") == 0o700


def test_starters_at_the_same_time_get_the_same_key(state):
    with ThreadPoolExecutor(16) as pool:
        keys = set(pool.map(lambda _: ensure_key(state, "host"), range(64)))
    assert len(keys) == 1
    assert [each.name for each in (state / "keys").iterdir()] == ["host.key"]


def test_a_broken_key_file_is_named_with_the_cure(state):
    path = state / "keys" / "host.key"
    write(path, "what?")
    with pytest.raises(ValueError, match=r"host\.key does not hold a key of 64 hex digits: restore it, or remove it"):
        ensure_key(state, "host")


@pytest.mark.parametrize("name", ["", "../etc", "a b", "1st", "a" * 64])
def test_no_key_is_made_under_a_name_against_the_grammar(state, name):
    with pytest.raises(ValueError, match="cannot name a principal"):
        ensure_key(state, name)
    assert not state.exists()


def test_a_file_written_once_stays(state):
    assert write_once(state / "a", "one")
    assert not write_once(state / "a", "two")
    assert (state / "a").read_text() == "one"
    assert [each.name for each in state.iterdir()] == ["a"]


def test_principals_compile_to_a_policy(state):
    key = ensure_key(state, "lsof")
    ensure_principal(state, "lsof", "data_node", key.public, sensitive=True)
    ensure_principal(state, "server", "data_node", None, names=["a", "b"], wampcra={"secret_file": "/s"})
    write_policy(state)
    snapshot = json.loads((state / "router" / "policy.json").read_text())
    assert snapshot == compile_policy(state)
    principals = parse_policy(snapshot)
    assert principals["lsof"].names == ("lsof",)
    assert principals["lsof"].keys == (key.public,)
    assert principals["lsof"].sensitive
    assert principals["server"].names == ("a", "b")
    assert principals["server"].secret_file == "/s"
    assert principals["page"].role == "consumer"
    assert mode(state / "principals" / "lsof.json") == 0o600


def test_ensuring_a_principal_again_keeps_what_its_owner_added(state):
    ensure_principal(state, "bridge", "consumer", "0" * 64)
    path = state / "principals" / "bridge.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "nodes": ["host"]}))
    before = path.stat().st_mtime_ns
    ensure_principal(state, "bridge", "consumer", "0" * 64)
    assert path.stat().st_mtime_ns == before
    ensure_principal(state, "bridge", "consumer", "1" * 64)
    assert json.loads(path.read_text()) == {"role": "consumer", "keys": ["0" * 64, "1" * 64], "nodes": ["host"]}


def test_what_was_said_of_a_principal_stays_at_each_start(state):
    ensure_principal(state, "page", "consumer", None, sensitive=True)
    path = state / "principals" / "page.json"
    path.write_text(json.dumps({"role": "viewer", "keys": [], "sensitive": False, "nodes": ["a"]}))
    ensure_principal(state, "page", "consumer", None, sensitive=True)
    assert json.loads(path.read_text()) == {"role": "viewer", "keys": [], "sensitive": False, "nodes": ["a"]}
    for said, by_itself, shown in ((True, False, True), (False, True, True), (True, True, True), (False, False, False)):
        ensure_principal(state, f"n{said}{by_itself}", "data_node", None, sensitive=said)
        ensure_principal(state, f"n{said}{by_itself}", "data_node", None, sensitive=by_itself)
        assert load_principal(state, f"n{said}{by_itself}")["sensitive"] is shown


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        ({"role": "root"}, "role 'root' must be one of hub, data_node, recorder, consumer"),
        ({}, "role None must be one of"),
        ({"role": "hub", "keys": ["short"]}, "'short' is not a public key: give 64 hex digits"),
        ({"role": "hub", "keys": "00"}, "'keys' must be a list of texts"),
        ({"role": "data_node", "names": ["a::b"]}, "cannot name a data node"),
        ({"role": "consumer", "nodes": [1]}, "'nodes' must be a list of texts"),
        ({"role": "consumer", "sensitive": "no"}, "'sensitive' must be true or false"),
        ({"role": "consumer", "wampcra": "secret"}, "'wampcra' must be"),
        ({"role": "consumer", "node": []}, "'node' is not an entry"),
        ([], "give an object"),
        ({"role": "data_node", "tags": ["a b"]}, "'a b' is no tag"),
        ({"role": "viewer", "nodes": ["tag:"]}, "'' is no tag"),
        ({"role": "viewer", "switch": "x"}, "'switch' must be a list of texts"),
        ({"role": "viewer", "password": "plain text"}, "'password' is for people, and made by"),
        ({"role": "consumer", "password": nobodys()}, "'password' is for people"),
        ({"role": "data_node", "token": {"sha256": "0" * 64, "until": 1}}, "'token' is for who sees nodes"),
        ({"role": "viewer", "token": {"sha256": "0" * 63, "until": 1}}, "'token' is for"),
        ({"role": "viewer", "token": {"sha256": "0" * 64}}, "'token' is for"),
        ({"role": "viewer", "token": "secret"}, "'token' is for"),
    ],
)
def test_a_wrong_entry_is_refused_with_a_sentence(entry, sentence):
    with pytest.raises(ValueError, match=sentence):
        parse_policy({"v": 1, "principals": {"x": entry}})


@pytest.mark.parametrize("snapshot", [None, {}, [], {"v": 2, "principals": {}}, {"v": 1, "principals": []}])
def test_what_is_not_a_policy_is_refused(snapshot):
    with pytest.raises(ValueError, match="a policy is"):
        parse_policy(snapshot)


def test_a_principal_that_is_not_json_is_named(state):
    write(state / "principals" / "x.json", "{")
    with pytest.raises(ValueError, match=r"x\.json is not JSON .*: correct or remove it"):
        compile_policy(state)


def test_a_token_is_valid_once_and_only_its_hash_is_at_rest(state):
    token = new_page_token(state, 60)
    (path,) = (state / "router" / "tokens").iterdir()
    assert token not in path.name + path.read_text()
    tokens = Tokens(path.parent)
    assert tokens.consume(token)
    assert not tokens.consume(token)
    assert not tokens.consume("")
    assert not tokens.consume("\ud800")


def test_of_many_that_come_with_one_token_only_one_gets_in(state):
    tokens = Tokens(state)
    token = tokens.new(60)
    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(lambda _: tokens.consume(token), range(32))) == 1


def test_a_token_is_good_for_its_owner_only(state):
    tokens = Tokens(state)
    token = tokens.new(60, "ann 1")
    assert tokens.expires(token, "ann 1")
    assert tokens.expires(token) is None
    assert tokens.expires(token, "ann 2") is None
    assert not tokens.consume(token)


def test_a_token_ends_and_is_swept(state):
    now = 1000 * NS
    tokens = Tokens(state, clock=lambda: now)
    token = tokens.new(60)
    assert tokens.expires(token) == 1060 * NS
    now = 1060 * NS
    assert tokens.expires(token) is None
    assert not tokens.consume(token)
    tokens.new(60)
    tokens.new(60)
    assert len(list(state.iterdir())) == 2


def test_tokens_are_bounded(state):
    state.mkdir()
    for number in range(MOST + 20):
        (state / f"{number:064x}").write_text(str((number + 1) * NS))
    Tokens(state, clock=lambda: 0).new(10**6)
    assert len(list(state.iterdir())) == MOST + 1
    assert not (state / f"{0:064x}").exists()


@pytest.mark.parametrize("text", ["[" * 5000, '{"role": "consumer", "keys": 5}', '{"a":' * 5000])
def test_a_principal_whose_file_is_damaged_is_refused_in_a_sentence(state, text):
    (state / "principals").mkdir(parents=True)
    (state / "principals" / "n.json").write_text(text)
    with pytest.raises(ValueError, match="correct or remove it|must be a list of texts"):
        ensure_principal(state, "n", "consumer", "ab" * 32)
    with pytest.raises(ValueError, match="correct or remove it|must be a list of texts"):
        compile_policy(state)
