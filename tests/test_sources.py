"""Sources: golden cases (a folder with source.toml, input and expected.json), and sources at work."""

import asyncio
import json
import math
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from data_nodes.sources import loading, source
from data_nodes.sources.lined import Lined
from sisock.cli import main
from sisock.store.journal import Journal, JournalError
from tests.sources import at_work, data, made, refused, until

HOME = Path(loading.__file__).parent
CASES = sorted((HOME / "testcases").iterdir())
NOW = 1_700_000_000 * 10**9


def outcome(case: Path) -> dict[str, Any]:
    """What the source of a case makes of its input."""
    (kind,) = loading.nodes(case / "source.toml")
    node = kind()
    raw = (case / "input").read_bytes()
    if isinstance(node, Lined):
        parsed = node._parsed(raw.splitlines(), raw.partition(b"\n")[0].decode("utf-8", "replace"))
    else:
        parsed = node.spec.parse(node.readable(raw.decode("utf-8", "replace")))
    frame, refused = node._shaping.frame(parsed, NOW)
    columns = {} if frame is None else frame.columns
    return {
        "t": [] if frame is None else frame.t.tolist(),
        "fields": {name: _listed(column) for name, column in columns.items()},
        "refused": [list(each) for each in refused],
    }


def _listed(column: Any) -> list[Any]:
    present = column.present().tolist()
    return [value if there else None for value, there in zip(column.values.tolist(), present, strict=True)]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_source_makes_of_its_input_what_the_case_expects(case: Path):
    assert outcome(case) == json.loads((case / "expected.json").read_text())


# commands


async def test_a_command_is_run_again_and_again_and_what_it_prints_are_samples(tmp_path):
    (tmp_path / "out").write_text("temp=20.5 door=closed\n")
    table = f"command = ['cat', '{tmp_path / 'out'}']\ninterval = 0.05\nfields = {{ temp = '°C' }}\n"
    async with at_work(tmp_path, table) as (service, published):
        await until(published, 1)
        (tmp_path / "out").write_text("temp=-1 door=open\n")
        await published.until(
            lambda frames: any("temp" in f.columns and f.columns["temp"].values[0] == -1 for f in frames)
        )
        fields, _ = await service.get_fields(0, 0)
        assert (fields["temp"].units, fields["door"].type) == ("°C", "string")


async def test_segments_sent_again_are_those_that_the_kernel_counts_to_the_digit(tmp_path):
    table = (HOME / "testcases" / "retransmits" / "source.toml").read_text().replace("[tcp]", "interval = 0.05")
    before = _counted()
    async with at_work(tmp_path, table) as (service, published):
        await until(published, 2)
        names = ("received", "sent", "retransmitted")
        found = await data(service, *names)
    for name, least, most in zip(names, before, _counted(), strict=True):
        assert [least, *found[name], most] == sorted([least, *found[name], most])


def _counted() -> tuple[int, int, int]:
    names, values = [
        line.split() for line in Path("/proc/net/snmp").read_text().splitlines() if line.startswith("Tcp:")
    ]
    return tuple(int(dict(zip(names, values, strict=True))[each]) for each in ("InSegs", "OutSegs", "RetransSegs"))


@pytest.mark.parametrize(
    ("table", "state", "error"),
    [
        ("command = ['no-such-program']", "failed", "the command 'no-such-program' is not installed (or not in PATH)"),
        ("command = ['false']", "failed", "'false' ended with exit code 1"),
        ("command = ['yes']\nmost = 1000", "failed", "'yes' printed more than 1000 bytes and was stopped"),
        ("command = ['sleep', '60']\ntimeout = 0.1", "failed", "'sleep' did not end within 0.1 s and was stopped"),
        ("command = ['true']", "no data", "there was nothing in what came"),
        (
            "command = ['echo', 'no such thing']",
            "failed",
            "nothing of what came could be taken: it is neither JSON nor",
        ),
        ("command = ['echo', '$HOME; id']\nparser = 'keys'", "failed", "there is no name=value in it"),
    ],
)
async def test_what_goes_wrong_with_a_command_is_told(tmp_path, table, state, error):
    async with at_work(tmp_path, table) as (_, published):

        def told(frames: list[Any]) -> bool:
            texts = [f.columns["health.error"].values[0] for f in frames if "health.error" in f.columns]
            return any(error in text for text in texts)

        await published.until(told)
        assert (await published.health(state))["state"] == state
    assert bool(refused(tmp_path)) == ("could be taken" in error or "name=value" in error)


async def test_values_of_another_type_go_into_quarantine_and_the_others_stay(tmp_path):
    (tmp_path / "x.log").write_text("temp=1 hum=5\ntemp=off hum=6\ntemp=3 hum=7 bad::name=1\n")
    async with at_work(tmp_path, f"file = '{tmp_path / 'x.log'}'\nbegin = 'beginning'\n") as (service, published):
        await until(published, 3)
        assert await data(service, "temp", "hum") == {"temp": [1, None, 3], "hum": [5, 6, 7]}
    assert list(refused(tmp_path)) == ["'temp' is a number, and a string came"]


async def test_a_regular_expression_that_a_line_would_keep_busy_for_ever_holds_up_nobody(tmp_path):
    (tmp_path / "x.log").write_text(f"{'a' * 30_000}!\ntemp=1\n")
    table = f"file = '{tmp_path / 'x.log'}'\nbegin = 'beginning'\nignore = '(b+)+$'\nregex = '^temp=(?P<temp>\\d+)|(?P<a>(a+)+)$'\n"
    async with at_work(tmp_path, table) as (service, published):
        await until(published, 1)
        assert await data(service, "temp") == {"temp": [1]}
    assert refused(tmp_path) == {"the regular expression does not match": 1}


# files


async def test_a_node_that_is_started_again_goes_on_where_it_was(tmp_path):
    path, table = tmp_path / "x.log", f"file = '{tmp_path / 'x.log'}'\ncolumns = ['n']\n"
    path.write_text("1\n2\n")
    async with at_work(tmp_path, table) as (service, published):
        await published.health("no data")
        await asyncio.wait_for(_noted(service), 30)
        with path.open("a") as file:
            file.write("3\n4\n")
        await until(published, 2)
    with path.open("a") as file:
        file.write("5\n")
    path.rename(tmp_path / "x.log.1")
    path.write_text("6\n7\n")
    async with at_work(tmp_path, table) as (service, published):
        await until(published, 3)
        assert await data(service, "n") == {"n": [3, 4, 5, 6, 7]}
    assert refused(tmp_path) == {}


async def _noted(service: Any) -> None:
    """Wait until the place where a file begins is noted."""
    while not service.notes:
        await asyncio.sleep(0.01)


async def test_columns_are_named_by_the_first_line_of_each_file(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("time,temp\n1700000000,1\n1700000001,2\n")
    table = f"file = '{path}'\nparser = 'csv'\ntime = 'time'\nbegin = 'beginning'\n"
    async with at_work(tmp_path, table) as (service, published):
        await until(published, 2)
        path.rename(tmp_path / "x.csv.1")
        path.write_text("time,hum,temp\n1700000002,50,3\n")
        await until(published, 3)
        assert await data(service, "temp", "hum") == {"temp": [1, 2, 3], "hum": [None, None, 50]}


async def test_a_file_that_is_not_there_yet_is_no_failure(tmp_path):
    path = tmp_path / "x.log"
    async with at_work(tmp_path, f"file = '{path}'\n") as (_, published):
        await published.until(
            lambda frames: any(
                "there is no file" in f.columns["health.error"].values[0] for f in frames if "health.error" in f.columns
            )
        )
        path.write_text("7\n")
        await until(published, 1)


async def test_where_the_disk_takes_nothing_no_more_is_read_and_nothing_comes_twice(tmp_path, monkeypatch):
    monkeypatch.setattr(source, "_AGAIN", 0.05)
    path, commit, full = tmp_path / "x.log", Journal.commit, [True]

    def committed(self, *given):
        if full[0]:
            raise JournalError("the disk is full")
        commit(self, *given)

    monkeypatch.setattr(Journal, "commit", committed)
    path.write_text("n=1\nn=2\n")
    async with at_work(tmp_path, f"file = '{path}'\nbegin = 'beginning'\n") as (service, published):
        assert (await published.health("failed"))["error"] == "the disk is full"
        with path.open("a") as file:
            file.write("n=3\n")
        full[0] = False
        await until(published, 3)
        await published.until(lambda frames: _states(frames)[-1:] == ["ok"])
        assert await data(service, "n") == {"n": [1, 2, 3]}


def _states(frames: list[Any]) -> list[str]:
    return [str(f.columns["health.state"].values[-1]) for f in frames if "health.state" in f.columns]


KILLED = """
import asyncio, sys
from pathlib import Path
from data_nodes.sources import loading, source
from sisock.store.journal import Journal

folder = Path(sys.argv[1])
(kind,) = loading.nodes(folder / "made.toml")
service = kind().service(journal=lambda: Journal(folder / "journal.sqlite", patient=True))
asyncio.run(service.run(lambda frame: print(len(frame), flush=True)))
"""


async def test_each_line_comes_once_though_the_node_is_killed_while_the_file_grows_and_is_rotated(tmp_path):
    path, n = tmp_path / "x.log", 0
    path.write_text("")
    table = f"file = '{path}'\nbegin = 'beginning'\nonly = ['n']\n"
    (tmp_path / "made.toml").write_text(table)
    for start in range(5):
        with subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path)], stdout=subprocess.PIPE) as child:
            for part in range(20):
                with path.open("a") as file:
                    file.writelines(f"n={number}\n" for number in range(n, n + 100))
                n += 100
                if part == 10 and start % 2:
                    path.rename(path.with_name(f"x.log.{start}"))
                    path.touch()
                child.stdout.readline()
            child.send_signal(signal.SIGKILL)
    with path.open("a") as file:
        file.write(f"n={n}\n")
    async with at_work(tmp_path, table) as (service, published):
        await published.until(lambda frames: any("n" in f.columns and f.columns["n"].values[-1] == n for f in frames))
        assert await data(service, "n") == {"n": list(range(n + 1))}
    assert refused(tmp_path) == {}


# trials


def test_a_trial_shows_fields_values_and_what_was_refused_and_keeps_nothing(tmp_path):
    (tmp_path / "x.log").write_text("torn li\ntemp=20.5\ntemp=21.5\n")
    (tmp_path / "lab.toml").write_text(f"[freezer]\nfile = '{tmp_path / 'x.log'}'\nfields = {{ temp = '°C' }}\n")
    before = sorted(tmp_path.iterdir())
    said = CliRunner().invoke(main, ["node", str(tmp_path / "lab.toml"), "--check"])
    assert said.exit_code == 0, said.output
    lines = said.output.splitlines()
    assert lines[0].startswith("freezer: ok: 1 refused, the last one from file: it is neither JSON")
    assert lines[0].endswith("2 samples, of which this is the last)")
    assert lines[2].split()[:4] == ["temp", "21.5", "°C", "number"]
    assert lines[-1].strip() == "torn li"
    assert sorted(tmp_path.iterdir()) == before


def test_a_trial_that_gives_nothing_is_an_error(tmp_path):
    (tmp_path / "lab.toml").write_text("[a]\ncommand = ['false']\n[b]\ncommand = ['echo', 'n=1']\n")
    said = CliRunner().invoke(main, ["node", str(tmp_path / "lab.toml"), "--check"])
    assert said.exit_code == 1
    assert "a: failed: 'false' ended with exit code 1" in said.output
    assert "b: ok" in said.output


def test_any_other_node_can_be_tried_too(tmp_path):
    said = CliRunner().invoke(main, ["node", "host", "--check"])
    assert said.exit_code == 0, said.output
    assert "  load/1" in said.output


def test_nothing_is_kept_of_a_value_that_no_field_can_hold(tmp_path):
    node = made(tmp_path, "command = ['x']\n")
    frame, refused = node._shaping.frame(node.spec.parse('{"a": 1e999, "b": [], "c": {}, "d": ' + "9" * 400 + "}"), NOW)
    assert frame is not None and math.isinf(frame.columns["a"].values[0])  # noqa: PT018
    assert [each.reason for each in refused] == ["'d' is a number too large for a float64"]
