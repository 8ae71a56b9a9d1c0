"""`sisock principal` without a router: what it writes, and what it refuses."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from sisock.cli import main
from sisock.exits import Exit
from sisock.keys import ensure_principal
from sisock.keys.entry import parse
from sisock.keys.passwords import check
from sisock.keys.principals import load_principal

WORDS = "three small words"


def run(state: Path, *arguments: str, typed: str = "") -> Result:
    environment = {"SISOCK_STATE": str(state)}
    return CliRunner().invoke(main, ["principal", *arguments], input=typed, env=environment, prog_name="sisock")


def test_rights_are_given_changed_and_taken_away(state: Path) -> None:
    assert run(state, "add", "ann", "--role", "viewer", "--nodes", "a*,tag:cold", typed=f"{WORDS}\n").exit_code == 0
    entry = load_principal(state, "ann") or {}
    assert check(entry["password"], WORDS)
    assert entry["nodes"] == ["a*", "tag:cold"]
    assert run(state, "set", "ann", "--role", "operator", "--switch", "a1").exit_code == 0
    assert run(state, "set", "ann", "--nodes", "").exit_code == 0
    assert run(state, "password", "ann", typed="other small words\n").exit_code == 0
    ann = parse("ann", load_principal(state, "ann"))
    assert (ann.role, ann.nodes, ann.switch) == ("operator", (), ("a1",))
    assert check(ann.password, "other small words")
    assert "password" in run(state, "ls").output
    assert ann.password not in run(state, "ls", "--json").output
    assert run(state, "rm", "ann").exit_code == 0
    assert load_principal(state, "ann") is None


@pytest.mark.parametrize(
    ("arguments", "typed", "says"),
    [
        (("add", "new", "--role", "viewer"), "short\n", "10 to 200 characters"),
        (("add", "new", "--role", "viewer"), "", "10 to 200 characters"),
        (("add", "new", "--role", "data_node"), "", "--key HEX"),
        (("add", "freezer1", "--role", "viewer"), WORDS, "is there as data_node"),
        (("add", "new", "--role", "viewer", "--nodes", "tag:a b"), WORDS, "is no tag"),
        (("add", "new", "--role", "viewer", "--nodes", "tagg:cold"), WORDS, "'tagg:cold' is no pattern"),
        (("add", "new", "--role", "viewer", "--nodes", "ho st;"), WORDS, "'ho st;' is no pattern"),
        (("add", "new", "--role", "operator", "--switch", "a" * 300), WORDS, "is no pattern: write names"),
        (("set", "freezer1", "--role", "viewer", "--nodes", "a::b"), "", "'a::b' is no pattern"),
        (("add", "ann b", "--role", "operator"), WORDS, "'ann b' cannot name a principal: use a letter"),
        (("rm", "ann b"), "", "'ann b' cannot name a principal: use a letter"),
        (("token", "ann b"), "", "'ann b' cannot name a principal: use a letter"),
        (("set", "nobody", "--nodes", "x"), "", "no principal 'nobody'"),
        (("set", "freezer1"), "", "give what to change"),
        (("password", "freezer1"), WORDS, "is no person"),
        (("password", "nobody"), WORDS, "no principal 'nobody'"),
        (("token", "freezer1"), "", "signs in otherwise"),
        (("token", "new", "--valid", "soon"), "", "soon"),
        (("token", "new", "--valid", "100000000000d"), "", "'token' is for"),
        (("token", "page"), "", "page is a part of sisock"),
        (("set", "hub", "--role", "viewer"), "", "hub is a part of sisock"),
        (("rm", "hub"), "", "hub is a part of sisock"),
        (("add", "new", "--role", "viewer", "--switch", "x"), WORDS, "--switch means nothing for a viewer"),
        (("add", "new", "--role", "admin", "--names", "x"), WORDS, "--names means nothing for a admin"),
        (("add", "new", "--role", "viewer"), "a" * 43, "looks like a token"),
    ],
)
def test_what_cannot_be_is_told_with_the_cure(state: Path, arguments: tuple[str, ...], typed: str, says: str) -> None:
    ensure_principal(state, "freezer1", "data_node", "12" * 32)
    ensure_principal(state, "hub", "hub", None)
    done = run(state, *arguments, typed=typed)
    assert done.exit_code in (Exit.USAGE, Exit.ERROR, Exit.UNKNOWN)
    assert says in done.stderr
    assert "Traceback" not in done.output
    assert not (state / "principals" / "new.json").exists()


def test_a_pattern_that_means_no_node_of_now_is_told(state: Path) -> None:
    ensure_principal(state, "host", "data_node", "12" * 32, tags=["cold"])
    ensure_principal(state, "weather", "data_node", "34" * 32)
    for word in ("hots*", "tag:warm"):
        done = run(
            state, "add", f"a{word[:3]}".replace(":", ""), "--role", "viewer", "--nodes", word, typed=f"{WORDS}\n"
        )
        assert (done.exit_code, done.stderr) == (
            0,
            f"note: {word!r} of --nodes means no data node that is admitted now\n",
        )
    done = run(state, "token", "t", "--nodes", "h[ao]st,tag:cold,*")
    assert (done.exit_code, done.stderr) == (0, "")
    done = run(state, "add", "op", "--role", "operator", "--nodes", "host*", "--switch", "weather", typed=f"{WORDS}\n")
    assert done.stderr == "note: 'weather' of --switch means no data node that op may see\n"
    assert run(state, "set", "op", "--switch", "host").stderr == ""
    assert "means no data node that op may see" in run(state, "set", "op", "--nodes", "weather").stderr


def test_what_each_may_is_listed_though_nobody_has_said_it(state: Path) -> None:
    ensure_principal(state, "bridge", "consumer", "12" * 32, sensitive=False)
    ensure_principal(state, "cli", "consumer", "34" * 32, sensitive=True)
    ensure_principal(state, "none", "operator", "56" * 32, nodes=[])
    ensure_principal(state, "host", "data_node", "78" * 32)
    said = {line.split()[0]: line for line in run(state, "ls").stdout.splitlines()}
    assert said["bridge"].endswith("last never            nodes: *")
    assert said["page"].endswith("nodes: *")
    assert said["cli"].endswith("sensitive; nodes: *")
    assert said["none"].endswith("nodes: none; switch: *")
    assert said["host"].endswith("last never")
