"""The command line without a router: what it reads, draws, writes and says."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from sisock.cli import main
from sisock.cli.canvas import BRAILLE, STARS, Canvas
from sisock.cli.common import by_node, described
from sisock.cli.formats import as_csv, as_json, as_parquet, as_table, stamps
from sisock.cli.moments import moment, span
from sisock.cli.plot import drawn
from sisock.cli.plugins import configured, find, names
from sisock.cli.reference import page
from sisock.cli.series import Series, label, side_by_side
from sisock.exits import Exit
from sisock.frames import Answer, Column, Field, Frame, Part, column

ROOT = Path(__file__).parents[1]
NS = 10**9


def run(*arguments: str, **environment: str) -> Result:
    return CliRunner().invoke(main, arguments, env=environment, prog_name="sisock")


def series(target: str, t: list[int], values: list[object], *, units: str | None = None, gaps=()) -> Series:
    times = np.array(t, np.int64) * NS
    answer = Answer((Part(Frame("samples", times, {}), "samples", None, len(t), gaps),))
    return Series(target, Field("something", units=units), times, column(values), answer)


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


def test_names_of_nodes_are_completed() -> None:
    ended = run(_SISOCK_COMPLETE="bash_complete", COMP_WORDS="sisock node we", COMP_CWORD="2")
    assert ended.output == "plain,weather\n"


# settings and errors


def test_settings_shows_all_of_them_with_value_default_and_meaning() -> None:
    shown = run("settings", SISOCK_RING="1000").output
    for each in described().values():
        assert f"SISOCK_{each.name.upper()} " in shown
        assert each.comment, each.name
        assert each.comment in shown
    assert re.search(r"SISOCK_RING +1000  \(default 8388608\)", shown)


@pytest.mark.parametrize(
    ("arguments", "environment", "code", "says"),
    [
        (("get", "weather"), {}, Exit.USAGE, "'weather' is not a target: write it as node::field"),
        (("get", "a::b", "--last", "soon"), {}, Exit.USAGE, "'soon' is not a duration: write a number"),
        (("get", "a::b", "--start", "yesterday"), {}, Exit.USAGE, "'yesterday' is not a time: write 2017-07-14T00:00Z"),
        (("get", "a::b", "--last", "1h", "--end", "now"), {}, Exit.USAGE, "--last does not go together with"),
        (("get", "a::b", "--reduce", "lttb"), {}, Exit.USAGE, "--reduce needs --points"),
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
            "no data node is called 'nonsense': there are host, lsof, sensors, weather",
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


# times


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("now", 0.0),
        ("now-2d", -172800.0),
        ("2017-07-14T02:40:00Z", 1.5e9),
        ("2017-07-14T02:40", 1.5e9),
        ("2017-07-14T04:40+02:00", 1.5e9),
        ("1500000000.5", 1500000000.5),
    ],
)
def test_times_are_read_as_people_write_them(text: str, time: float) -> None:
    assert moment(text) == time


@pytest.mark.parametrize("text", ["", "now-", "1969-12-31", "-5", "nan", "inf", "14.7.2017"])
def test_other_times_are_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(ValueError, match="is not a"):
        moment(text)


def test_range_is_the_last_hour_unless_said_otherwise() -> None:
    assert span(None, None, None) == (-3600.0, 0.0)
    assert span("all", None, None) == (1.0, 0.0)
    assert span("15m", None, None) == (-900.0, 0.0)
    assert span(None, "1500000000", None) == (1.5e9, 0.0)
    assert span(None, None, "1500000000") == (1.0, 1.5e9)


# what is written


def test_targets_are_gathered_by_node_each_once() -> None:
    assert by_node(("a::x", "b::x", "a::y", "a::x")) == {"a": ["x", "y"], "b": ["x"]}


def test_times_are_as_fine_as_they_need_to_be() -> None:
    assert stamps(np.array([0, NS], np.int64)) == ["1970-01-01T00:00:00Z", "1970-01-01T00:00:01Z"]
    assert stamps(np.array([0, 1_000_000], np.int64))[1] == "1970-01-01T00:00:00.001Z"
    assert stamps(np.array([1], np.int64)) == ["1970-01-01T00:00:00.000000001Z"]
    assert stamps(np.empty(0, np.int64)) == []


def test_series_of_several_timelines_share_the_rows_of_equal_times() -> None:
    t, (a, b) = side_by_side([series("n::a", [1, 2, 4], [1.0, 2.0, 4.0]), series("n::b", [2, 3], ["x", "y"])])
    assert (t // NS).tolist() == [1, 2, 3, 4]
    assert np.flatnonzero(a.missing).tolist() == [2]
    assert [b.values[1], b.values[2]] == ["x", "y"]
    assert np.flatnonzero(b.missing).tolist() == [0, 3]


def test_samples_of_equal_time_in_one_series_are_all_kept() -> None:
    t, (a, b) = side_by_side([series("n::a", [1, 1, 2], [1, 2, 3]), series("n::b", [1], [9])])
    assert len(t) == 4
    assert sorted(a.values[~a.missing].tolist()) == [1, 2, 3]
    assert b.values[~b.missing].tolist() == [9]


def test_csv_has_a_line_for_each_time_and_nothing_where_there_is_no_value() -> None:
    made = as_csv([series("n::a", [1, 2], [1.5, None]), series("n::b", [1, 3], ['say "x", y', "z"])])
    assert made == (
        'time,n::a,n::b\n1970-01-01T00:00:01Z,1.5,"say ""x"", y"\n1970-01-01T00:00:02Z,,\n1970-01-01T00:00:03Z,,z\n'
    )


def test_table_stands_in_columns_under_targets_and_units() -> None:
    lines = as_table([series("n::a", [1, 2], [1.5, 22.25], units="°C")]).splitlines()
    assert lines == [
        "          time (UTC)  n::a (°C)",
        "1970-01-01T00:00:01Z        1.5",
        "1970-01-01T00:00:02Z      22.25",
    ]


def test_json_is_strict_and_labelled() -> None:
    (made,) = json.loads(as_json([series("n::a", [1, 2, 3], [1.5, float("nan"), float("inf")], units="V")]))
    assert made["values"] == [1.5, None, None]
    assert (made["target"], made["units"], made["method"], made["samples"]) == ("n::a", "V", "raw", 3)


def test_parquet_keeps_types_nanoseconds_missing_values_and_units() -> None:
    pa = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    given = [
        series("n::a", [1, 2], [1.5, None], units="V"),
        series("n::s", [1, 2], ["x", None]),
        series("n::b", [1, 2], [True, False]),
    ]
    table = parquet.read_table(pa.BufferReader(as_parquet(given)))
    assert table.column("n::a").to_pylist() == [1.5, None]
    assert table.column("n::s").to_pylist() == ["x", None]
    assert table.column("n::b").to_pylist() == [True, False]
    assert table.column("time").cast(pa.int64()).to_pylist() == [NS, 2 * NS]
    assert table.schema.field("n::a").metadata[b"units"] == b"V"


def test_label_tells_method_samples_and_notices() -> None:
    part = Part(Frame("samples", np.zeros(2, np.int64), {}), "samples", None, 20167)
    reduced = Answer((part,), "minmax", 10, ("older samples are gone",))
    each = Series("n::a", Field(), np.zeros(2, np.int64), Column(np.zeros(2)), reduced)
    assert label([each]) == "2 values, minmax of 20,167 samples; older samples are gone"


# drawing


def test_canvas_sets_the_dots_of_a_line() -> None:
    canvas = Canvas(2, 1)
    canvas.line(0, 0, 3, 3)
    canvas.dot(99, 99)
    assert canvas.rows() == ["⡠⠊"]


def test_plot_shows_a_single_spike_at_its_full_height_and_says_so() -> None:
    values = [0.0] * 1000
    values[500] = 7.5
    lines = drawn(series("n::a", list(range(1000)), values, units="V"), 60, 10, BRAILLE)
    assert lines[0] == "n::a (V)"
    assert lines[1].strip(" ⠀") == "7.5 ┤⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⢸"
    assert lines[10].strip().startswith("0 ┤")
    assert lines[11].split() == ["1970-01-01T00:00:00Z", "1970-01-01T00:16:39Z"]
    assert lines[12].startswith("min 0, max 7.5; 1,000 values")
    assert max(map(len, lines[:12])) <= 60


def test_plot_does_not_draw_across_a_gap() -> None:
    gap = ((2 * NS, 8 * NS),)
    lines = drawn(series("n::a", [0, 1, 2, 8, 9, 10], [1] * 6, gaps=gap), 40, 3, STARS)
    curve = lines[2].partition("|")[2]
    assert re.fullmatch(r"\*+ +\*+", curve.strip())


@pytest.mark.parametrize("values", [[], [None, None], [5.0, 5.0], [True, False]])
def test_plot_of_little_is_still_a_picture(values: list[object]) -> None:
    lines = drawn(series("n::a", list(range(len(values))), values), 40, 5, BRAILLE)
    assert lines[0] == "n::a"


# nodes


NODES = '''
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


def test_node_takes_its_configuration_from_the_table_of_its_name(tmp_path: Path) -> None:
    path, config = tmp_path / "configured.py", tmp_path / "sisock.toml"
    path.write_text(NODES)
    config.write_text("[inner]\npin = 17\n[attic]\npins = 18\n[cellar]\npin = 19\n")
    inner, outer = find(str(path))
    assert configured(inner, config).pin == 17
    cellar = configured(inner, config, "cellar")
    assert (cellar.name, cellar.pin) == ("cellar", 19)
    with pytest.raises(ValueError, match=r"table \[attic\]: .*'pins'; Outer takes pin"):
        configured(outer, config)
    assert configured(outer, tmp_path / "none.toml").pin == 4


def test_file_without_a_node_says_what_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "empty.py"
    path.write_text("x = 1\n")
    with pytest.raises(ValueError, match="defines no data node: derive a class from LiveNode"):
        find(str(path))


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


def test_principal_is_admitted_listed_and_dismissed(state: Path) -> None:
    where = {"SISOCK_STATE": str(state)}
    assert run("principal", "add", "attic", "--role", "data_node", "--key", "ab" * 32, **where).exit_code == Exit.OK
    secret = ("--wampcra-secret", "server.txt", "--names", "weather,apex")
    assert run("principal", "add", "server", "--role", "data_node", *secret, **where).exit_code == Exit.OK
    shown = run("principal", "ls", **where).output
    assert re.search(r"^attic +data_node +by key", shown, re.MULTILINE)
    assert re.search(r"^server +data_node +by secret +names: weather, apex", shown, re.MULTILINE)
    assert "attic" in json.loads(run("principal", "ls", "--json", **where).output)
    assert run("principal", "rm", "attic", **where).exit_code == Exit.OK
    assert "attic" not in run("principal", "ls", **where).output


def test_link_is_an_address_of_the_page_with_a_new_token_each_time(state: Path) -> None:
    run("init", "--principals", "hub,page", SISOCK_STATE=str(state))
    links = [run("link", SISOCK_STATE=str(state), SISOCK_ROUTER="wss://lab:8443/ws").output for _ in range(2)]
    assert all(re.fullmatch(r"https://lab:8443/#token=[\w-]{43}\n", link) for link in links)
    assert links[0] != links[1]
