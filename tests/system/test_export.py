"""`sisock export` against a real router: files that hold what the nodes have, whatever happens on the way."""

import csv
import json
import re
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from sisock import settings as configuration
from sisock.blocking import BlockingConsumer
from sisock.errors import NoHub
from sisock.listing import Node
from tests.demo import wait_for
from tests.fleet import ARCHIVE, COUNTER, ROOT, Fleet, running_fleet
from tests.test_export import read

MIXED = '''
import numpy as np
from sisock.frames import Column, Field
from sisock.nodes import ArchivedNode

YEAR = 31_557_600 * 10**9

class Mixed(ArchivedNode):
    """Numbers, texts and booleans on two timelines, with a year of nothing in between."""

    fields = {
        "level": Field("how high", "fast", units="m"), "big": Field(timeline="fast"),
        "word": Field(timeline="fast", type="string"), "on": Field(timeline="fast", type="bool"),
        "daily": Field(timeline="slow/1"),
    }
    t = np.concatenate([1_500_000_000 * 10**9 + np.arange(2000) * 10**9, 1_500_000_000 * 10**9 + YEAR + np.arange(3000)])

    def read(self, field, start, end):
        first, last = np.searchsorted(self.t, (start, end))
        n = np.arange(first, last)
        if field == "daily":
            return self.t[n[n % 1000 == 0]], n[n % 1000 == 0] / 2
        missing = n % 7 == 3
        if field == "level":
            return self.t[n], Column(np.where(n % 5 == 0, np.nan, n / 3), missing)
        if field == "big":
            return self.t[n], Column(2**60 + n, missing)
        if field == "word":
            words = ["", 'a "b"', "c,d", "two\\\\nlines", "ü"]
            return self.t[n], Column(np.array([words[each % 5] for each in n], np.dtypes.StringDType()), missing)
        return self.t[n], Column(n % 2 == 0, missing)
'''
FORGETFUL = '''
import numpy as np
from sisock.frames import Field
from sisock.nodes import ArchivedNode

class Forgetful(ArchivedNode):
    """Has more each time it is asked."""

    fields = {"x": Field()}
    asked = 0

    def read(self, field, start, end):
        self.asked += 1
        t = 1_500_000_000 * 10**9 + np.arange(100 + self.asked) * 1000
        return t, np.arange(len(t))
'''

LATE = '''
import time
import numpy as np
from sisock.frames import Column, Frame
from sisock.nodes import LiveNode

class Late(LiveNode):
    """Tells a hundred times a second what it measured a second ago."""

    interval = 0.01

    def sample(self):
        t = time.time_ns() - 10**9 + np.arange(5)
        return Frame("samples", t, {"x": Column(np.arange(5.0))})
'''


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    folder = tmp_path_factory.mktemp("export")
    with running_fleet(folder, message_limit=2**16) as fleet:  # so small that there are many windows
        for name, code in (
            ("mixed", MIXED),
            ("archive", ARCHIVE.replace("1_000_000", "300_000")),
            ("counter", COUNTER),
            ("forgetful", FORGETFUL),
            ("late", LATE),
        ):
            fleet.node(name, code)
        with BlockingConsumer(fleet.settings) as consumer:
            wait_for(lambda: len(nodes(consumer)) == 5, 30)
        yield fleet


def nodes(consumer: BlockingConsumer) -> list[Node]:
    """The nodes that are listed; none while there is no hub."""
    try:
        return consumer.nodes()
    except NoHub:
        return []


def begin(fleet: Fleet, *arguments: str) -> subprocess.Popen[str]:
    environment = {**configuration.environment(fleet.settings), "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [sys.executable, "-m", "sisock", "export", *arguments], env=environment, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def export(fleet: Fleet, *arguments: str) -> tuple[int, str, str]:
    """Run it to its end: exit code, stdout, stderr."""
    running = begin(fleet, *arguments)
    out, err = running.communicate(timeout=100)
    return running.returncode, out, err


def expected(fleet: Fleet, node: str, *fields: str) -> dict[str, list[Any]]:
    """What the node answers at once, as a file has it."""
    made: dict[str, list[Any]] = {}
    with BlockingConsumer(fleet.settings) as consumer:
        for name in fields:
            t, column = consumer.data(node, [name], 1, 0, deadline=60).series(name)
            gone = [False] * len(t) if column.missing is None else column.missing.tolist()
            made["time"] = t.tolist()
            made[f"{node}::{name}"] = [
                None if missing else value for value, missing in zip(column.values.tolist(), gone, strict=True)
            ]
    return made


FAST = ("level", "big", "word", "on")


@pytest.mark.parametrize("kind", ["parquet", "arrow", "hdf5"])
def test_a_file_for_each_timeline_holds_what_the_node_has(fleet: Fleet, tmp_path: Path, kind: str) -> None:
    code, out, err = export(fleet, "mixed", "--last", "all", "--output", str(tmp_path / f"x.{kind}"))
    assert (code, err) == (0, ""), err
    assert sorted(each.name for each in tmp_path.iterdir()) == [f"x-fast.{kind}", f"x-slow_1.{kind}"]
    assert f"x-fast.{kind}: 5,000 rows of 4 fields" in out
    assert f"x-slow_1.{kind}: 5 rows of 1 field" in out
    assert out.endswith("counted again, the same\n")
    made, truth = read(tmp_path / f"x-fast.{kind}"), expected(fleet, "mixed", *FAST)
    assert repr(sorted(made.items())) == repr(sorted(truth.items()))  # NaN is itself
    assert read(tmp_path / f"x-slow_1.{kind}") == expected(fleet, "mixed", "daily")


def test_csv_holds_the_same_in_its_own_way(fleet: Fleet, tmp_path: Path) -> None:
    file = tmp_path / "x.csv"
    targets = [f"mixed::{name}" for name in FAST]
    code, _, err = export(fleet, *targets, "--last", "all", "--times", "ns", "--output", str(file))
    assert (code, err) == (0, ""), err
    head, *lines = csv.reader(file.read_text().splitlines(keepends=True))
    truth = expected(fleet, "mixed", *FAST)
    assert head == ["time", *targets]
    readers = [int, float, int, str, {"true": True, "false": False}.__getitem__]
    for name, column, reads in zip(head, zip(*lines, strict=True), readers, strict=True):
        there = [
            None if text == "" and each is None else reads(text) for text, each in zip(column, truth[name], strict=True)
        ]
        assert repr(there) == repr(truth[name]), name
    other = ("mixed::level", "--start", "1500000000", "--end", "1500000003", "--output", str(file))
    before = file.read_bytes()
    code, _, err = export(fleet, *other)
    assert (code, err) == (2, f"sisock: {file} is there already: choose another name, or give --overwrite\n")
    assert (file.read_bytes(), list(tmp_path.iterdir())) == (before, [file])
    assert export(fleet, *other, "--overwrite")[0] == 0
    assert file.read_text().splitlines() == [
        "time,mixed::level", "2017-07-14T02:40:00.000000000Z,NaN", "2017-07-14T02:40:01.000000000Z,0.3333333333333333",
        "2017-07-14T02:40:02.000000000Z,0.6666666666666666",
    ]  # fmt: skip


@pytest.mark.parametrize("method", ["minmax", "band", "m4", "mean", "count", "stride"])
def test_what_is_reduced_is_the_same_in_windows_as_at_once(fleet: Fleet, tmp_path: Path, method: str) -> None:
    file, span = tmp_path / "x.parquet", (1_500_000_000.0, 1_500_200_000.0)
    window = ("--start", f"{span[0]:.0f}", "--end", f"{span[1]:.0f}", "--bin", "100s", "--reduce", method)
    ended = export(fleet, "archive::sine", *window, "--format", "parquet", "--output", str(file))
    assert ended[0] == 0, ended
    assert f"{method} of 200,000 samples" in ended[1]
    made = read(file)
    with BlockingConsumer(fleet.settings) as consumer:
        answer = consumer.data("archive", ["sine"], *span, reduce=method, deadline=60, bin=100 * 10**9)
    (part,) = answer.parts
    assert made["time"] == part.points.t.tolist()
    for name, column in part.points.columns.items():
        assert made[f"archive::{name}"] == column.values.tolist()


def test_a_number_of_points_is_kept_and_no_spike_is_lost(fleet: Fleet, tmp_path: Path) -> None:
    file = tmp_path / "x.parquet"
    code, out, _ = export(
        fleet, "archive::sine", "--last", "all", "--points", "1000", "--format", "parquet", "--output", str(file)
    )
    made = read(file)["archive::sine"]
    assert (code, "minmax of 300,000 samples" in out) == (0, True)
    whole = np.sin((np.arange(300_000) + 1_500_000_000) * 1e9 / 1e11)
    assert 500 < len(made) <= 1000
    assert (min(made), max(made)) == (whole.min(), whole.max())


def test_several_nodes_each_have_a_file_and_health_is_there_where_it_is_named(fleet: Fleet, tmp_path: Path) -> None:
    code, out, err = export(
        fleet, "counter", "mixed::daily", "counter::health.state", "--last", "1y", "--output", str(tmp_path / "x.csv")
    )
    assert (code, err) == (0, ""), err
    assert sorted(each.name for each in tmp_path.iterdir()) == ["x-counter-samples.csv", "x-mixed-slow_1.csv"]
    assert (tmp_path / "x-mixed-slow_1.csv").read_text() == "time,mixed::daily\n"
    assert "x-mixed-slow_1.csv: 0 rows of 1 field" in out
    code, _, err = export(fleet, "counter::health.state", "--last", "1h", "--output", str(tmp_path / "h.csv"))
    assert (code, err) == (0, ""), err
    assert (tmp_path / "h.csv").read_text().splitlines()[-1].endswith(",ok")


def test_a_live_node_has_all_of_its_ring_copied(fleet: Fleet, tmp_path: Path) -> None:
    code, out, err = export(fleet, "counter::count", "--last", "all", "--output", str(tmp_path / "x.csv"))
    assert (code, err) == (0, ""), err
    counts = [int(line.split(",")[1]) for line in (tmp_path / "x.csv").read_text().splitlines()[1:]]
    assert counts == list(range(1, len(counts) + 1))
    assert f"{len(counts)} rows of 1 field" in out


def test_a_range_until_now_ends_with_what_had_come_when_it_began(fleet: Fleet, tmp_path: Path) -> None:
    code, out, err = export(fleet, "late", "--output", str(tmp_path / "x.csv"))
    assert (code, err) == (0, ""), err
    assert out.endswith("counted again, the same\n")
    assert (tmp_path / "x.csv").read_text().count("\n") > 5


@pytest.mark.parametrize(("how", "kind"), [(signal.SIGINT, "csv"), (signal.SIGKILL, "parquet")])
def test_what_is_interrupted_goes_on_and_is_whole(fleet: Fleet, tmp_path: Path, how: signal.Signals, kind: str) -> None:
    file = tmp_path / f"x.{kind}"
    command = ("archive::sine", "archive::label", "--last", "all", "--format", kind, "--output", str(file))
    for share in (0.0, 0.3):
        enough = max(share, done(file))  # so that it is this process that has written some, too
        running = begin(fleet, *command)
        wait_for(lambda enough=enough, running=running: done(file) > enough or running.poll() is not None, 60)
        running.send_signal(how)
        _, err = running.communicate(timeout=30)
        if how == signal.SIGINT:
            assert running.returncode == 130
            assert f"{file}: interrupted; the same command goes on from here" in err
        assert not file.exists()
    other = export(fleet, "archive::sine", "--last", "all", "--output", str(file))
    assert other[0] == 2
    assert "was begun by an export of something else" in other[2]
    code, out, err = export(fleet, *command)
    assert (code, err) == (0, f"sisock: {file}: goes on with what was begun\n"), err
    assert "300,000 rows of 2 fields" in out
    assert [each.name for each in tmp_path.iterdir()] == [file.name]
    times, labels = columns(file)
    assert times == list(range(1_500_000_000, 1_500_300_000))
    assert labels == [f"{each % 100:03}" for each in times]


def done(file: Path) -> float:
    """The share of the time that was noted as copied."""
    state = file.with_name(f"{file.name}.part.json")
    if not state.exists():
        return -1.0
    (table,) = json.loads(state.read_text())["tables"]
    return (table["done"] - table["start"]) / (table["end"] - table["start"])


def columns(file: Path) -> tuple[list[int], list[str]]:
    """Seconds and labels."""
    if file.suffix == ".parquet":
        table = parquet.read_table(file)
        return [each // 10**9 for each in table["time"].cast(pa.int64()).to_pylist()], table[
            "archive::label"
        ].to_pylist()
    lines = [line.split(",") for line in file.read_text().splitlines()[1:]]
    stamps = np.array([line[0].removesuffix("Z") for line in lines], "datetime64[s]")
    return stamps.astype(np.int64).tolist(), [line[2] for line in lines]


@pytest.mark.parametrize("kind", ["csv", "parquet", "hdf5"])
def test_a_disk_that_takes_no_more_is_told_and_the_same_command_goes_on(
    fleet: Fleet, tmp_path: Path, kind: str
) -> None:
    file = tmp_path / f"x.{kind}"
    command = ("archive::sine", "--last", "all", "--format", kind, "--output", str(file))
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    for most in (300_000, 2_500_000):  # bytes of a file
        running = begin(fleet, *command)
        resource.prlimit(running.pid, resource.RLIMIT_FSIZE, (most, hard))
        out, err = running.communicate(timeout=100)
        if running.returncode == 0:
            break
        assert (running.returncode, file.exists()) == (1, False), (out, err)
        assert err.splitlines()[-1].startswith(f"sisock: {file}: ")
        assert err.endswith("; the same command goes on from here\n"), err
        assert done(file) >= 0
    assert most > 300_000
    if running.returncode:
        code, out, err = export(fleet, *command)
        assert (code, err) == (0, f"sisock: {file}: goes on with what was begun\n"), err
    assert "300,000 rows of 1 field" in out
    assert out.endswith("counted again, the same\n")
    assert [each.name for each in tmp_path.iterdir()] == [file.name]


def test_a_symlink_stays_and_what_it_leads_to_is_replaced(fleet: Fleet, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    file, link = tmp_path / "there" / "x.csv", tmp_path / "link.csv"
    link.symlink_to(file)
    file.write_text("old")
    code, _, err = export(fleet, "mixed::daily", "--last", "all", "--output", str(link), "--overwrite")
    assert (code, err) == (0, ""), err
    assert link.is_symlink()
    assert not file.is_symlink()
    assert file.read_text().startswith("time,mixed::daily\n")
    assert sorted(each.name for each in tmp_path.rglob("*")) == ["link.csv", "there", "x.csv"]


def test_a_difference_is_told_and_is_an_error(fleet: Fleet, tmp_path: Path) -> None:
    window = ("--start", "1500000000", "--end", "1500000001")
    code, out, err = export(fleet, "forgetful", *window, "--output", str(tmp_path / "x.csv"))
    assert code == 1
    assert re.search(r"\d+ samples were written, but forgetful counts \d+ between 2017-07-14 02:40:00 UTC", err)
    assert "counted again" not in out
    assert (tmp_path / "x.csv").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("mixed::nothing", "--output", "x.csv"), 3, "mixed has no field 'nothing'"),
        (("nobody", "--output", "x.csv"), 3, "no data node 'nobody'"),
        (("mixed", "--output", "nowhere/x.csv"), 2, "there is no folder nowhere: make it first"),
        (("mixed", "--output", "x.csv", "--reduce", "mean"), 2, "--reduce needs --points or --bin"),
        (("mixed", "--output", "x.csv", "--points", "5", "--bin", "1m"), 2, "--points does not go together with --bin"),
        (("mixed", "--output", "x.csv", "--bin", "soon"), 2, "'soon' is not a duration"),
    ],
)
def test_what_cannot_be_exported_is_a_sentence(
    fleet: Fleet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], code: int, says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    ended = export(fleet, *arguments)
    assert (ended[0], says in ended[2]) == (code, True), ended
    assert list(tmp_path.iterdir()) == []


def test_memory_does_not_grow_with_the_samples(fleet: Fleet, tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from sisock.cli import main\n"
        "main(sys.argv[1:], standalone_mode=False)\n"
        "print(Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0])"
    )
    environment = {**configuration.environment(fleet.settings), "PYTHONPATH": str(ROOT)}
    argv = ("export", "archive", "--last", "all", "--format", "parquet", "--output", str(tmp_path / "x.parquet"))
    ended = subprocess.run(
        [sys.executable, "-c", script, *argv], env=environment, capture_output=True, text=True, timeout=100, check=True
    )
    assert int(ended.stdout.split()[-1]) < 200_000  # kB
