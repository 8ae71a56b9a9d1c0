"""`sisock import`: files of others become history; what cannot be read is told and costs nothing else."""

import os
import re
import shutil
import signal
import subprocess
import sys

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from pyarrow import feather

from sisock.cli import main
from sisock.frames import Column, Field, Frame, Query
from sisock.store import incoming
from sisock.store.archive import Archive
from sisock.times import FIRST, LAST, NS

BASE = 1_700_000_000 * NS
N = 50_000
T = BASE + np.arange(N) * NS
A = np.random.default_rng(0).normal(size=N)
B = np.arange(N)


def run(folder, *args, code=0):
    result = CliRunner().invoke(main, ["import", *map(str, args), "--archive", str(folder / "archive")])
    assert result.exit_code == code, result.output
    return result.output


def held(folder, *names, node="n", **options):
    with Archive(folder / "archive") as archive:
        answer = archive.answer(node, Query(names, FIRST, LAST, **options))
        assert answer.notices == ()
        return archive, {name: answer.series(name) for name in names}


def csv_of(path, rows=slice(None), head="time,a,b"):
    times = np.char.add(T[rows].astype("datetime64[ns]").astype(str), "Z")
    lines = [f"{t},{a!r},{b}" for t, a, b in zip(times, A[rows].tolist(), B[rows].tolist(), strict=True)]
    path.write_text("\n".join([head, *lines]) + "\n")
    return path


def parquet_of(path):
    units = [pa.field("a", pa.float64(), metadata={"units": "K", "description": "how warm"}), pa.field("b", pa.int64())]
    table = pa.table([T, A, B], schema=pa.schema([pa.field("time", pa.timestamp("ns", "UTC")), *units]))
    pq.write_table(table, path)
    return path


def arrow_of(path):
    feather.write_feather(pa.table({"when": pa.array(T, pa.timestamp("ns")), "a": A, "b": B}), path)
    return path


def hdf5_of(path):
    with h5py.File(path, "w") as file:
        file["time"], file["a"], file["b"] = T, A, B
        file["a"].attrs["units"] = "K"
    return path


@pytest.mark.parametrize(
    ("make", "name"), [(csv_of, "x.csv"), (parquet_of, "x.parquet"), (arrow_of, "x.arrow"), (hdf5_of, "x.h5")]
)
def test_every_format_comes_with_all_its_samples_exactly(tmp_path, make, name):
    said = run(tmp_path, make(tmp_path / name), "--node", "n", "--field", "b=V")
    assert f"{name}: 50,000 rows read" in said
    assert "50,000 of 50,000 rows, all rows taken" in said
    archive, found = held(tmp_path, "a", "b")
    assert found["a"][0].tolist() == T.tolist()
    assert found["a"][1].values.tolist() == A.tolist()
    assert found["b"][1].values.tolist() == B.tolist()
    assert archive.fields("n")["b"].units == "V"
    if name in ("x.parquet", "x.h5"):
        assert archive.fields("n")["a"].units == "K"


def test_the_same_file_again_changes_nothing_and_one_that_has_grown_adds_only_what_is_new(tmp_path):
    path = csv_of(tmp_path / "x.csv", slice(0, 40_000))
    assert "nothing new" not in run(tmp_path, path, "--node", "n")
    assert "n samples: nothing new: all of it is there already\n" in run(tmp_path, path, "--node", "n")
    assert len(held(tmp_path, "a")[1]["a"][0]) == 40_000
    said = run(tmp_path, csv_of(path), "--node", "n")
    assert "40,000 samples replaced by a later one at the same time" in said
    archive, found = held(tmp_path, "a")
    assert found["a"][0].tolist() == T.tolist()
    assert archive.timelines("n")[0].counts["replaced"] == 40_000


def test_what_was_imported_is_removed_as_the_docs_say_and_can_be_imported_again(tmp_path):
    path, archive = csv_of(tmp_path / "x.csv"), tmp_path / "archive"
    for node in ("n", "other"):
        run(tmp_path, path, "--node", node)
    (archive / "segments" / "n").rename(tmp_path / "out")
    (archive / "index.sqlite").unlink()
    shutil.rmtree(archive / "tiers")
    with Archive(archive) as opened:
        assert opened.nodes() == ["other"]
    assert held(tmp_path, "a", node="other")[1]["a"][0].tolist() == T.tolist()
    assert "50,000 of 50,000 rows, all rows taken" in run(tmp_path, path, "--node", "n")
    assert held(tmp_path, "a")[1]["a"][0].tolist() == T.tolist()


def test_of_samples_at_one_time_the_later_wins_field_by_field_and_every_zoom_knows(tmp_path):
    first = tmp_path / "first.csv"
    first.write_text(
        "time,a,b\n" + "".join(f"{1_700_000_000 + i},{i},{i}\n" for i in range(30_000)) + "1700000005,55,\n"
    )
    second = tmp_path / "second.csv"
    second.write_text("time,a\n" + "".join(f"{1_700_000_000 + i},{-i}\n" for i in range(10_000, 20_000)))
    run(tmp_path, first, second, "--node", "n")
    i = np.arange(30_000)
    a = np.where((i >= 10_000) & (i < 20_000), -i, i)
    a[5] = 55
    _, found = held(tmp_path, "a", "b")
    assert found["a"][1].values.tolist() == a.tolist()
    assert found["b"][1].values.tolist() == i.tolist()
    with Archive(tmp_path / "archive") as archive:
        answer = archive.answer("n", Query(("a",), FIRST, LAST, bin=1000 * NS, reduce="mean"))
        assert np.allclose(answer.series("a")[1].values, [a[k : k + 1000].mean() for k in range(0, 30_000, 1000)])
        assert not archive.stale


def test_what_cannot_be_read_is_told_with_its_line_and_costs_nothing_else(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text(
        "# a comment\ntime;a;a;s\n"
        "2024-01-01T00:00:00Z;1.5;2;up\n"
        "garbage\n"
        "2024-01-01T00:00:02Z;oops;3;down\n"
        "yesterday;1;4;up\n"
        '2024-01-01T00:00:01.123456789Z;;5;"a;b"\n'
        "2024-01-01T00:00:03Z;2.5;6;up\n"
    )  # fmt: skip
    said = run(tmp_path, path, "--node", "n", code=1)
    assert "line 2: there are several columns 'a'; this one is a (2)" in said
    assert "line 4: it has 1 cells instead of 4; the row is left out" in said
    assert "line 5: a is 'oops', which is no value like those before; it counts as missing" in said
    assert "line 6: time is 'yesterday', which is no time; the row is left out" in said
    assert "4 rows read, 2 left out, 1 cells without a value that can be read, 1 times earlier" in said
    _, found = held(tmp_path, "a", "a (2)", "s")
    t, a = found["a"]
    begin = 1_704_067_200 * NS
    assert (t - begin).tolist() == [0, NS + 123_456_789, 2 * NS, 3 * NS]
    assert a.present().tolist() == [True, False, False, True]
    assert found["a (2)"][1].values.tolist() == [2, 5, 3, 6]
    assert found["s"][1].values.tolist() == ["up", "a;b", "down", "up"]


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("x.csv", "", "is empty: it needs a line of column names"),
        ("x.csv", "a,b\n1,2\n", "none of its columns is known as the time: name it with --time (a, b)"),
        ("x.csv", "time,a\n", "has no row that can be read"),
        ("x.csv", "time\n1\n", "has a time but no column of values"),
        ("x.parquet", "no", "is no whole Parquet file"),
        ("x.arrow", "no", "is no whole Arrow file"),
        ("x.h5", "no", "is no whole HDF5 file"),
        ("x.xls", "no", ".xls is no known format"),
    ],
)
def test_a_file_that_is_none_is_told_and_the_others_are_taken(tmp_path, name, text, sentence):
    bad, good = tmp_path / name, csv_of(tmp_path / "good.csv", slice(0, 10))
    bad.write_text(text)
    said = run(tmp_path, bad, good, "--node", "n", code=1)
    assert sentence in said
    assert "10 of 10 rows, all rows taken" in said
    assert sorted(path.suffix for path in (tmp_path / "archive" / "incoming").iterdir()) == []


def test_whole_numbers_that_go_on_as_fractions_are_numbers(tmp_path):
    path = tmp_path / "x.csv"
    rows = 400_000
    lines = [f"{1_700_000_000 + i},{i if i < rows - 5 else i + 0.5}" for i in range(rows)]
    path.write_text("time,a\n" + "\n".join(lines))
    run(tmp_path, path, "--node", "n")
    _, found = held(tmp_path, "a")
    assert found["a"][1].values[[0, -1]].tolist() == [0.0, rows - 0.5]


def test_an_import_killed_at_any_instant_goes_on_and_takes_each_sample_once(tmp_path):
    path = csv_of(tmp_path / "x.csv")
    argv = [sys.executable, "-m", "sisock", "import", str(path), "--node", "n", "--archive", str(tmp_path / "archive")]
    for seconds in (0.7, 0.9, 1.1, 1.3):
        process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        try:
            process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            os.kill(process.pid, signal.SIGKILL)
            process.communicate(timeout=30)
    run(tmp_path, path, "--node", "n")
    _, found = held(tmp_path, "a")
    assert found["a"][0].tolist() == T.tolist()


def test_a_recorder_that_has_the_archive_takes_what_was_imported(tmp_path):
    with Archive(tmp_path / "archive") as archive:
        archive.put("n", Frame("samples", T[:10] + 7, {"a": Column(A[:10])}, "e", 10), {"a": Field()})
        said = run(tmp_path, csv_of(tmp_path / "x.csv"), "--node", "n")
        assert "a recorder has the archive" in said
        *_, last = archive.take_incoming()
        assert (last.done, last.file.rows) == (N, N)
        assert archive.answer("n", Query(("a",), FIRST, LAST)).samples == N + 10
        assert list(archive.take_incoming()) == []


@pytest.mark.parametrize("timeline", ["", "a::b", "x" * 500])
def test_a_timeline_that_cannot_be_one_is_refused_before_anything_is_read(tmp_path, timeline):
    path = csv_of(tmp_path / "x.csv", slice(0, 10))
    said = run(tmp_path, path, "--node", "n", "--timeline", timeline, code=2)
    assert "cannot name a timeline: use 1 to 200 printable characters without '::'" in said
    assert not (tmp_path / "archive").exists()


def test_what_is_no_regular_file_is_told_and_nothing_waits_for_it(tmp_path):
    path = tmp_path / "f.csv"
    os.mkfifo(path)
    argv = [sys.executable, "-m", "sisock", "import", str(path), "--node", "n", "--archive", str(tmp_path / "archive")]
    ended = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False)
    assert ended.returncode == 1
    assert f"{path} is no regular file" in ended.stderr


def test_letters_in_another_encoding_far_into_a_file_are_told_with_their_lines(tmp_path):
    path = tmp_path / "x.csv"
    lines = ["t,w,i", *(f"{1_700_000_000 + i},Bern,{i}" for i in range(60_000)), "1700060000,Zürich,1"]
    path.write_bytes("\n".join([*lines, "x", "1700060001,Genève,2"]).encode("latin-1"))
    said = run(tmp_path, path, "--node", "n", code=1)
    assert "line 60002: it has letters that are no UTF-8" in said
    assert "line 60004: it has letters that are no UTF-8" in said
    assert "60,002 rows read, 1 left out, 2 lines with letters that cannot be read" in said
    path.write_bytes("\n".join(lines).encode())
    assert "60,001 rows read\n" in run(tmp_path, path, "--node", "n")


def test_letters_in_another_encoding_in_a_line_of_too_many_numbers_are_told_too(tmp_path, capfd):
    path = tmp_path / "x.csv"
    lines = ["t,a", *(f"{1_700_000_000 + i},{i}" for i in range(100_000)), "1700100000,1,ü"]
    path.write_bytes("\n".join(lines).encode("latin-1"))
    said = run(tmp_path, path, "--node", "n", code=1)
    assert "line 100002: it has 3 cells instead of 2; the row is left out" in said
    assert "100,000 rows read, 1 left out, 1 lines with letters that cannot be read" in said
    assert "Exception" not in capfd.readouterr().err


@pytest.mark.parametrize("name", ["x.parquet", "x.arrow"])
def test_times_beyond_every_date_are_left_out_and_told(tmp_path, name):
    path = tmp_path / name
    table = pa.table({"time": pa.array([2**62, -(2**62), 10**11], pa.timestamp("us")), "a": [1, 2, 3]})
    pq.write_table(table, path) if path.suffix == ".parquet" else feather.write_feather(table, path)
    said = run(tmp_path, path, "--node", "n", code=1)
    assert f"line 1: time is {2**62}, which is no time; the row is left out" in said
    assert "1 rows read, 2 left out" in said
    assert held(tmp_path, "a")[1]["a"][1].values.tolist() == [3]


def test_times_that_no_clock_can_mean_are_left_out_and_a_file_of_them_leaves_no_node(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("time,a\n1850-01-01T00:00:00Z,1\n1860-01-01T00:00:00Z,2\n")
    said = run(tmp_path, path, "--node", "n", code=1)
    assert "has no row that can be read: time is 1850-01-01 00:00:00+00:00, which no clock can mean" in said
    with Archive(tmp_path / "archive") as archive:
        assert archive.nodes() == []
    path.write_text("time,a\n1850-01-01T00:00:00Z,1\n1960-01-01T00:00:00Z,2\n")
    assert "1 rows read, 1 left out" in run(tmp_path, path, "--node", "n", code=1)


def test_samples_that_an_archive_refuses_are_no_success(tmp_path):
    about = incoming.about("n", "t", {"a": Field(timeline="t")}, "source")
    table = pa.table({"time": pa.array([2**63 - 1, BASE], pa.timestamp("ns", "UTC")), "a": [1.0, 2.0]})
    (tmp_path / "archive" / "incoming").mkdir(parents=True)
    pq.write_table(table.replace_schema_metadata(about), tmp_path / "archive" / "incoming" / "a.parquet")
    said = run(tmp_path, csv_of(tmp_path / "x.csv", slice(0, 10)), "--node", "n", code=1)
    assert "1 samples refused: no clock can mean such a time" in said


@pytest.mark.parametrize("node", ["n", "a::b"])
@pytest.mark.parametrize("timeline", ["", "a::b"])
def test_a_file_of_others_with_names_that_cannot_be_is_not_taken(tmp_path, node, timeline):
    about = incoming.about(node, timeline, {"a": Field(timeline=timeline)}, "source")
    table = pa.table({"time": pa.array([BASE], pa.timestamp("ns", "UTC")), "a": [1.0]})
    (tmp_path / "archive" / "incoming").mkdir(parents=True)
    pq.write_table(table.replace_schema_metadata(about), tmp_path / "archive" / "incoming" / "a.parquet")
    said = run(tmp_path, csv_of(tmp_path / "x.csv", slice(0, 10)), "--node", "m", code=1)
    assert "a.parquet cannot be taken (" in said
    assert "cannot name a" in said
    with Archive(tmp_path / "archive") as archive:
        assert archive.nodes() == ["m"]


def test_lines_that_a_stray_quote_takes_are_counted(tmp_path):
    path, rows = tmp_path / "x.csv", 400_000
    lines = [f"{1_577_836_800 + i},wo,{i}" for i in range(rows)]
    lines[4999] = '1577841799,"wo,4999'
    lines[-1] = "torn"
    path.write_text("\n".join(["t,w,i", *lines]))
    said = run(tmp_path, path, "--node", "n", code=1)
    read, left_out = re.search(r"([\d,]+) rows read, ([\d,]+) left out", said).groups()
    assert int(read.replace(",", "")) + int(left_out.replace(",", "")) == rows
    assert re.search(
        r"line 5001: it has 2 cells instead of 3, for a quote in it is not closed within the next \d", said
    )
    assert "line 400001: it has 1 cells" in said


def test_lines_that_became_part_of_a_text_are_told(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text('t,w,i\n1700000000,"a\nb",1\n1700000001,"c,2\n1700000002,d,3\n1700000003,"e,4\n1700000004,f,x\n')
    said = run(tmp_path, path, "--node", "n", code=1)
    assert "3 rows read, 1 cells without a value that can be read, 3 lines within a text in quotes" in said
    assert held(tmp_path, "w")[1]["w"][1].values.tolist()[0] == "a\nb"


@pytest.mark.parametrize("end", ["", "\r", "\n"])
def test_lines_that_end_with_cr_alone_are_told_as_such(tmp_path, end):
    path = tmp_path / "x.csv"
    path.write_bytes(b"time,a\r1700000000,1\r1700000001,2" + end.encode())
    assert "its lines end with CR alone" in run(tmp_path, path, "--node", "n", code=1)


def test_a_file_of_others_whose_texts_are_none_is_not_taken(tmp_path):
    about = incoming.about("n", "t", {"s": Field(timeline="t", type="string")}, "source")
    texts = pa.Array.from_buffers(pa.string(), 1, [None, pa.py_buffer(b"\0\0\0\0\1\0\0\0"), pa.py_buffer(b"\xff")])
    table = pa.table({"time": pa.array([BASE], pa.timestamp("ns", "UTC")), "s": texts})
    pq.write_table(table.replace_schema_metadata(about), tmp_path / "a.parquet")
    with pytest.raises(incoming.IncomingError, match="is damaged .*UTF8"):
        list(incoming.frames(incoming.opened(tmp_path / "a.parquet"), 0))
