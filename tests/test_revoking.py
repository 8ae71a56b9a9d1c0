"""Revoking takes back what other machines have by a name, whatever lies in keys/; what runs here does not mix with it."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from sisock.cli import main
from sisock.exits import Exit
from sisock.keys import compile_policy, ensure_key, ensure_principal
from sisock.keys.invitations import invite
from sisock.keys.principals import load_principal
from sisock.keys.revoking import UnknownError, revoke
from tests.fleet import COUNTER

ELSEWHERE = "12" * 32
NODE = {"role": "data_node"}


@pytest.fixture
def hub(state: Path) -> Path:
    """The state directory of a hub."""
    ensure_principal(state, "hub", "hub", ensure_key(state, "hub").public)
    return state


def run(state: Path, *words: str) -> Result:
    return CliRunner().invoke(main, list(words), env={"SISOCK_STATE": str(state)}, prog_name="sisock")


def invitations(state: Path) -> int:
    return sum("invites" in entry for entry in compile_policy(state)["principals"].values())


def test_a_key_of_the_same_name_that_admits_nobody_is_in_nobodys_way(hub: Path) -> None:
    ensure_key(hub, "cellar")
    ensure_principal(hub, "cellar", "data_node", ELSEWHERE)
    assert revoke(hub, "cellar") is None
    assert load_principal(hub, "cellar") is None
    with pytest.raises(UnknownError):
        revoke(hub, "cellar")


def test_what_other_machines_have_is_taken_back_where_this_one_has_a_key_too(hub: Path) -> None:
    here = ensure_key(hub, "cellar").public
    ensure_principal(hub, "cellar", "data_node", ELSEWHERE, names=["cellar", "roof"])
    ensure_principal(hub, "cellar", "data_node", here)
    invite(hub, "cellar", {}, "lab.example:8443", "", 60.0)
    assert revoke(hub, "cellar") == hub / "keys" / "cellar.key"
    assert load_principal(hub, "cellar") == {"role": "data_node", "names": ["cellar", "roof"], "keys": [here]}
    assert invitations(hub) == 0
    done = run(hub, "revoke", "cellar")
    assert (done.exit_code, load_principal(hub, "cellar") is None) == (Exit.ERROR, False)
    assert f"remove {hub / 'keys' / 'cellar.key'}" in done.stderr
    (hub / "keys" / "cellar.key").unlink()
    assert run(hub, "revoke", "cellar").stdout == "cellar may do nothing any more\n"


def test_the_command_says_what_stays(hub: Path) -> None:
    ensure_principal(hub, "cellar", "data_node", ensure_key(hub, "cellar").public)
    ensure_principal(hub, "cellar", "data_node", ELSEWHERE)
    done = run(hub, "revoke", "cellar")
    assert done.exit_code == 0
    assert "cellar may do nothing from other machines any more; this machine's own stays by" in done.stdout


def test_other_ways_to_sign_in_are_taken_back_too(hub: Path) -> None:
    here = ensure_key(hub, "cellar").public
    ensure_principal(hub, "cellar", "data_node", here, certificate=True, wampcra={"secret_file": "x"})
    revoke(hub, "cellar")
    assert load_principal(hub, "cellar") == {"role": "data_node", "keys": [here]}


@pytest.mark.parametrize("more", [NODE, {}])
def test_who_runs_on_this_machine_is_not_invited(hub: Path, more: dict[str, str]) -> None:
    ensure_principal(hub, "attic", "data_node", ensure_key(hub, "attic").public)
    with pytest.raises(ValueError, match=r"attic is of this machine: .*remove .*attic\.key and `sisock revoke attic`"):
        invite(hub, "attic", more, "lab.example:8443", "", 60.0)
    assert invitations(hub) == 0


def test_a_node_started_here_does_not_join_one_of_another_machine(hub: Path, tmp_path: Path) -> None:
    ensure_principal(hub, "cellar", "data_node", ELSEWHERE)
    (tmp_path / "counter.py").write_text(COUNTER)
    done = run(hub, "node", str(tmp_path / "counter.py"), "--name", "cellar")
    assert done.exit_code == Exit.NAME_TAKEN
    assert not (hub / "keys" / "cellar.key").exists()
    assert (load_principal(hub, "cellar") or {})["keys"] == [ELSEWHERE]
    done = run(hub, "init", "--principals", f"cli,{tmp_path / 'counter.py'}")
    assert done.exit_code == 0
    ensure_principal(hub, "weather", "data_node", ELSEWHERE)
    done = run(hub, "init", "--principals", "weather,bridge")
    assert "another key than this machine's" in done.stderr
    assert not (hub / "keys" / "weather.key").exists()
    assert (hub / "keys" / "bridge.key").exists()
