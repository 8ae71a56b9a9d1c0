"""The command line without a router: what it reads, draws, writes and says."""

import json
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from sisock.cli import main
from sisock.cli.loading import loading
from sisock.cli.options import described
from sisock.cli.plugins import configured, find, names
from sisock.cli.reference import page
from sisock.exits import Exit
from sisock.nodes.base import tags_of

ROOT = Path(__file__).parents[1]
NS = 10**9


def run(*arguments: str, **environment: str) -> Result:
    return CliRunner().invoke(main, arguments, env=environment, prog_name="sisock")


# help


def commands(command=main, path=()):
    for name, each in command.commands.items():
        yield (*path, name)
        if hasattr(each, "commands"):
            yield from commands(each, (*path, name))


@pytest.mark.parametrize("path", list(commands()), ids=" ".join)
def test_help_of_every_command_teaches_by_examples(path: tuple[str, ...]) -> None:
    shown = run(*path, "--help")
    assert shown.exit_code == Exit.OK
    assert path == ("principal",) or re.search(
        rf"^    (SISOCK_\S+ )?sisock {' '.join(path)}\b", shown.output, re.MULTILINE
    )


def test_page_of_commands_is_made_from_the_helps() -> None:
    made = (ROOT / "docs" / "commands.md").read_text()
    assert made == page(), "make it anew: python -m sisock.cli.reference > docs/commands.md"


def test_start_is_quick_because_what_is_not_needed_is_not_imported() -> None:
    script = "import sys, sisock.cli; print([each for each in ('numpy', 'autobahn', 'nacl') if each in sys.modules])"
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    assert ended.stdout == "[]\n"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_printed_for_each_shell(shell: str) -> None:
    assert "_SISOCK_COMPLETE" in run("completion", shell).output


@pytest.mark.parametrize(
    ("words", "offered"),
    [("grafana p", {"provision", "push"}), ("grafana provision --do", {"--door"}), ("grafana provision --door si", {"simpod", "simplejson"})],
)  # fmt: skip
def test_commands_options_and_choices_of_families_are_completed(words: str, offered: set[str]) -> None:
    ended = run(_SISOCK_COMPLETE="bash_complete", COMP_WORDS=f"sisock {words}", COMP_CWORD=str(len(words.split())))
    assert {line.partition(",")[2] for line in ended.output.split()} == offered


def test_names_of_nodes_are_completed() -> None:
    ended = run(_SISOCK_COMPLETE="bash_complete", COMP_WORDS="sisock node we", COMP_CWORD="2")
    assert ended.output == "plain,weather\n"


def completed(*pieces: str, **environment: str) -> list[str]:
    """What bash is given for a line that it took apart into these pieces."""
    words = {"COMP_WORDS": "\n".join(pieces), "COMP_CWORD": str(len(pieces) - 1)}
    ended = run(_SISOCK_COMPLETE="bash_complete", **words, **environment)
    assert (ended.exit_code, ended.stderr) == (0, "")
    return [line.partition(",")[2] for line in ended.output.split()]


def test_principals_are_completed_where_they_can_be_dismissed_or_changed(state: Path) -> None:
    for name in ("ann", "anton", "bert"):
        run("principal", "add", name, "--role", "viewer", "--key", "ab" * 32, SISOCK_STATE=str(state))
    for command in (("revoke",), ("principal", "rm"), ("principal", "set"), ("principal", "token")):
        assert completed("sisock", *command, "an", SISOCK_STATE=str(state)) == ["ann", "anton"]
    assert completed("sisock", "revoke", "--state", str(state), "b") == ["bert"]


@pytest.mark.parametrize("command", ["ls", "get", "at", "revoke", "plot"])
def test_where_nobody_can_be_asked_nothing_is_completed_and_nothing_said(command: str, tmp_path: Path) -> None:
    (tmp_path / "principals").mkdir()
    (tmp_path / "principals" / "ann.json").write_text("{")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        where = {"SISOCK_STATE": str(tmp_path), "SISOCK_ROUTER": f"ws://127.0.0.1:{silent.getsockname()[1]}/ws"}
        assert completed("sisock", command, "a", **where) == []
    assert completed("sisock", command, "a", **where) == []


# settings and errors


def test_settings_shows_all_of_them_with_value_default_and_meaning() -> None:
    shown = run("settings", SISOCK_RING="1000").output
    for each in described().values():
        assert f"SISOCK_{each.name.upper()} " in shown
        assert each.comment, each.name
        assert each.comment in shown
    assert re.search(r"SISOCK_RING +1000  \(default 6291456\)", shown)


@pytest.mark.parametrize(
    ("arguments", "environment", "code", "says"),
    [
        (("plot", "weather"), {}, Exit.USAGE, "'weather' is not a target: write it as node::field"),
        (("get", "a::b", "--last", "soon"), {}, Exit.USAGE, "'soon' is not a duration: write a number"),
        (("get", "a::b", "--start", "yesterday"), {}, Exit.USAGE, "'yesterday' is not a time: write 2017-07-14T00:00Z"),
        (("get", "a::b", "--last", "1h", "--end", "now"), {}, Exit.USAGE, "--last does not go together with"),
        (("get", "a::b", "--reduce", "lttb"), {}, Exit.USAGE, "--reduce needs --points or --bin"),
        (("get", "a::b", "--points", "9", "--bin", "1m"), {}, Exit.USAGE, "--points does not go together with --bin"),
        (("ls",), {"SISOCK_DEADLINE": "soon"}, Exit.USAGE, "SISOCK_DEADLINE='soon': not a valid float"),
        (
            ("ls", "--router", "ws://127.0.0.1:1/ws"),
            {},
            Exit.NO_ANSWER,
            "no router at ws://127.0.0.1:1/ws (Connection ref",
        ),
        (
            ("node", "nonsense"),
            {},
            Exit.USAGE,
            "no data node is called 'nonsense': there are coap, files, host, ingest, kafka_replay, lsof, mqtt, ocs_feeds, recorder, sensors, weather",
        ),
        (("node", "none.py"), {}, Exit.USAGE, "there is no file none.py"),
        (("principal", "rm", "nobody"), {}, Exit.UNKNOWN, "there is no principal 'nobody'"),
        (("principal", "add", "a", "--role", "consumer"), {}, Exit.USAGE, "give what it signs in with"),
        (("principal", "add", "a", "--role", "consumer", "--key", "x"), {}, Exit.USAGE, "'x' is not a public key"),
        (("link",), {}, Exit.ERROR, "is no router's state directory"),
    ],
)
def test_mistake_is_a_sentence_and_an_exit_code(
    tmp_path: Path, arguments: tuple[str, ...], environment: dict[str, str], code: Exit, says: str
) -> None:
    ended = run(*arguments, SISOCK_STATE=str(tmp_path), **environment)
    assert ended.exit_code == code, ended.output
    assert says in ended.stderr
    assert "Traceback" not in ended.output


# nodes


NODES = '''
from sisock.nodes.base import tags_of
from sisock.nodes import LiveNode

class Inner(LiveNode):
    """An inner node."""

    def __init__(self, *, pin: int = 4) -> None:
        self.pin = pin

class Outer(Inner):
    """An outer node."""

    name = "attic"
'''


def test_file_gives_the_nodes_it_defines_and_no_others(tmp_path: Path) -> None:
    path = tmp_path / "inside.py"
    path.write_text(NODES)
    assert [kind.__name__ for kind in find(str(path))] == ["Inner", "Outer"]


@pytest.mark.parametrize("value", ['"1883"', "[1883]", "{}"])
def test_a_setting_that_has_to_be_a_number_is_told(tmp_path: Path, value: str) -> None:
    config = tmp_path / "sisock.toml"
    config.write_text(f"[mqtt]\nlargest = {value}\n")
    (kind,) = find("mqtt")
    with pytest.raises(ValueError, match=r"table \[mqtt\]: largest = .* cannot be: give a number"):
        configured(kind, config)


def test_node_takes_its_configuration_from_the_table_of_its_name(tmp_path: Path) -> None:
    path, config = tmp_path / "configured.py", tmp_path / "sisock.toml"
    path.write_text(NODES)
    config.write_text("[inner]\npin = 17\n[attic]\npins = 18\n[cellar]\npin = 19\n")
    inner, outer = find(str(path))
    assert configured(inner, config).pin == 17
    cellar = configured(inner, config, "cellar")
    assert (cellar.name, cellar.pin) == ("cellar", 19)
    with pytest.raises(ValueError, match=r"table \[attic\]: .*'pins'; Outer takes pin, tags, interval"):
        configured(outer, config)
    assert configured(outer, tmp_path / "none.toml").pin == 4


def test_any_node_has_the_tags_that_its_table_gives(tmp_path: Path) -> None:
    path, config = tmp_path / "tagged.py", tmp_path / "sisock.toml"
    path.write_text(NODES)
    config.write_text('[inner]\npin = 17\ntags = ["cryo", "hall2"]\n[attic]\ntags = "cryo"\n[cellar]\ntags = ["a b"]\n')
    inner, outer = find(str(path))
    assert tags_of(configured(inner, config)) == ["cryo", "hall2"]
    assert tags_of(configured(inner, tmp_path / "none.toml")) == []
    for kind, name in ((outer, "attic"), (inner, "cellar")):
        with pytest.raises(ValueError, match="cannot be tags: give a list of words"):
            configured(kind, config, name)


def test_interval_of_any_node_that_has_one_is_configured(tmp_path: Path) -> None:
    path, config = tmp_path / "timed.py", tmp_path / "sisock.toml"
    path.write_text(f"{NODES}\nfrom sisock import ArchivedNode\nclass Past(ArchivedNode):\n    pass\n")
    config.write_text("[inner]\ninterval = 2\n[past]\ninterval = 2\n")
    inner, _, past = find(str(path))
    assert configured(inner, config).interval == 2
    assert inner.interval == 1.0
    with pytest.raises(ValueError, match=r"table \[past\]: .*'interval'; Past takes tags"):
        configured(past, config)


def test_file_without_a_node_says_what_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "empty.py"
    path.write_text("x = 1\n")
    with pytest.raises(ValueError, match="defines no data node: derive a class from LiveNode"):
        find(str(path))


@pytest.mark.parametrize(
    ("script", "line", "says"),
    [
        ("x = 1\ndef (\n", 2, "SyntaxError: invalid syntax"),
        ("import sys\nsys.exit(0)\n", 2, "SystemExit: 0"),
        ("import json\n\njson.loads('{')\n", 3, "JSONDecodeError: Expecting property name"),
        ("raise BaseException('odd')\n", 1, "BaseException: odd"),
        ("import nothing_of_that_name\n", 1, "ModuleNotFoundError: No module named 'nothing_of_that_name'"),
    ],
)
def test_file_that_cannot_be_loaded_is_told_by_its_line(tmp_path: Path, script: str, line: int, says: str) -> None:
    path = tmp_path / "bad.py"
    path.write_text(script)
    with pytest.raises(ValueError, match=re.escape(f"{path}, line {line}: cannot be loaded: {says}")):
        find(str(path))


def test_import_that_never_ends_is_ended(tmp_path: Path) -> None:
    path = tmp_path / "hangs.py"
    path.write_text("import threading\nthreading.Event().wait()\n")
    code = compile(path.read_text(), path, "exec")
    with (
        pytest.raises(ValueError, match=r"hangs.py, line 2: cannot be loaded: TimeoutError: it was not done after 0.1"),
        loading(str(path), path, patience=0.1),
    ):
        exec(code, {})  # as an import does


def test_configuration_that_is_no_text_is_told(tmp_path: Path) -> None:
    path, config = tmp_path / "latin.py", tmp_path / "sisock.toml"
    path.write_text(NODES)
    config.write_bytes("[inner]\nname = 'Köln'\n".encode("latin-1"))
    with pytest.raises(ValueError, match=r"sisock.toml is not UTF-8 \(byte 18\): save it as UTF-8"):
        configured(find(str(path))[0], config)


def test_configuration_that_lies_too_deep_is_told(tmp_path: Path) -> None:
    path, config = tmp_path / "deep.py", tmp_path / "sisock.toml"
    path.write_text(NODES)
    config.write_text("a = " + "[" * 5000)
    with pytest.raises(ValueError, match=r"sisock.toml is not TOML: "):
        configured(find(str(path))[0], config)


def test_our_own_nodes_are_found_by_name() -> None:
    assert {"host", "lsof", "sensors", "weather"} <= set(names())


# keys and principals


def test_init_makes_keys_principals_and_policy_and_changes_nothing_that_exists(state: Path) -> None:
    first = run("init", "--principals", "hub,bridge,cli,page,lsof,host", SISOCK_STATE=str(state))
    assert first.exit_code == Exit.OK, first.output
    policy = json.loads((state / "router" / "policy.json").read_text())["principals"]
    assert {name: entry["role"] for name, entry in policy.items()} == {
        "hub": "hub", "bridge": "consumer", "cli": "consumer", "page": "consumer", "lsof": "data_node", "host": "data_node",
    }  # fmt: skip
    assert [name for name, entry in policy.items() if entry.get("sensitive")] == ["page", "cli", "lsof"]
    assert (state / "keys" / "hub.key").stat().st_mode & 0o777 == 0o600
    assert run("init", "--principals", "hub,bridge,cli,page,lsof,host", SISOCK_STATE=str(state)).output == first.output


def test_init_makes_the_others_where_a_node_cannot_be_loaded(tmp_path: Path, state: Path) -> None:
    (tmp_path / "good.py").write_text(NODES)
    (tmp_path / "bad.py").write_text("import sys\nsys.exit(0)\n")
    ended = run("init", "--state", str(state), "--principals", f"hub,{tmp_path}/bad.py,{tmp_path}/good.py")
    assert ended.exit_code == Exit.ERROR
    assert "bad.py, line 2: cannot be loaded: SystemExit: 0" in ended.stderr
    made = {each.stem for each in (state / "principals").glob("*.json")}
    assert made >= {"hub", "inner", "attic"}
    assert "attic" in (state / "router" / "policy.json").read_text()


def test_principal_is_admitted_listed_and_dismissed(
    tmp_path: Path, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    where = {"SISOCK_STATE": str(state)}
    assert run("principal", "add", "attic", "--role", "data_node", "--key", "ab" * 32, **where).exit_code == Exit.OK
    secret = ("--wampcra-secret", "server.txt", "--names", "weather,apex")
    missed = run("principal", "add", "server", "--role", "data_node", *secret, **where)
    assert missed.exit_code == Exit.ERROR
    assert "there is no file server.txt: `openssl rand" in missed.stderr
    (tmp_path / "server.txt").write_text("5ec5e7")
    assert run("principal", "add", "server", "--role", "data_node", *secret, **where).exit_code == Exit.OK
    kept = json.loads((state / "principals" / "server.json").read_text())
    assert kept["wampcra"]["secret_file"] == str(tmp_path / "server.txt")  # from wherever the router is started
    shown = run("principal", "ls", **where).output
    assert re.search(r"^attic +data_node +by key", shown, re.MULTILINE)
    assert re.search(r"^server +data_node +by secret +last never +names: weather, apex", shown, re.MULTILINE)
    assert "attic" in json.loads(run("principal", "ls", "--json", **where).output)
    assert run("principal", "rm", "attic", **where).exit_code == Exit.OK
    assert "attic" not in run("principal", "ls", **where).output


def test_link_is_an_address_of_the_page_with_a_new_token_each_time(state: Path) -> None:
    run("init", "--principals", "hub,page", SISOCK_STATE=str(state))
    links = [run("link", SISOCK_STATE=str(state), SISOCK_ROUTER="wss://lab:8443/ws").output for _ in range(2)]
    assert all(re.fullmatch(r"https://lab:8443/#token=[\w-]{43}\n", link) for link in links)
    assert links[0] != links[1]
