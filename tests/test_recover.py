"""`sisock recover`: what loggers wrote becomes history, each line once; what is torn or garbage is told and kept apart."""

import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.streams_recover import write
from sisock.cli import main
from sisock.frames import Query
from sisock.imports import recovering, seeking
from sisock.imports.recovering import Wanted
from sisock.parsers import headed, logs, told
from sisock.store import quarantine
from sisock.store.archive import Archive
from sisock.times import FIRST, LAST

T0 = 1_767_225_600 * 10**9  # 2026-01-01
MS = 10**6


def run(folder, *args, code=0):
    options = ["--node", "freezer", "--state", str(folder / "state")]
    result = CliRunner().invoke(main, ["recover", *map(str, args), *options])
    assert result.exit_code == code, result.output
    return result.output


def held(folder, *names):
    with Archive(folder / "state" / "archive") as archive:
        answer = archive.answer("freezer", Query(names, FIRST, LAST))
        return {name: answer.series(name) for name in names}


def reasons(folder):
    return {each.reason: each.n for each in quarantine.counts(folder / "state", "freezer")}


def log_of(folder, *lines, name="x.log", end="\n"):
    path = folder / name
    path.write_bytes(b"".join(line if isinstance(line, bytes) else f"{line}{end}".encode() for line in lines))
    return path


def ma(seconds, data, level="INFO"):
    return f"2026-01-01 00:00:{seconds:06.3f} - [{level}] - {data}".replace(".", ",", 1)


# what a logger wrote


def test_a_log_with_garbage_zeros_and_torn_lines_gives_exactly_what_was_written_and_once(tmp_path):
    path = tmp_path / "temperature.log"
    made = write(path, 3_000_000)
    assert made.bad > 50
    said = run(tmp_path, path)
    assert f"{made.sound:,} samples recovered, 0 already there, {made.bad:,} unreadable" in said
    before = held(tmp_path, "temperature", "humidity")
    t, temperature = before["temperature"]
    assert (len(t), len(np.unique(t)), len(before["humidity"][0])) == (made.sound, made.sound, made.sound)
    assert sum(reasons(tmp_path).values()) == made.bad
    said = run(tmp_path, path)
    assert f"0 samples recovered, {made.sound:,} already there, {made.bad:,} unreadable" in said
    assert held(tmp_path, "temperature")["temperature"][1].values.tolist() == temperature.values.tolist()
    assert sum(reasons(tmp_path).values()) == made.bad
    assert list((tmp_path / "state" / "archive" / "incoming").iterdir()) == []


def test_each_line_is_at_its_time_with_its_values(tmp_path):
    path = log_of(
        tmp_path,
        ma(0.123, 'data: {"temp": -20.5, "door": "shut", "deep": {"x": 1}}'),
        ma(1, "data: {'temp': -21.5, 'ok': True, 'none': None}"),
        ma(2, "data: temp=-22.5 door=open"),
        ma(3, "data: -23.5"),
        ma(4, "retry in 5 s"),
    )
    said = run(tmp_path, path, "--field", "temp=°C")
    assert "4 lines with values, 1 without data" in said
    assert "log: 1 line with values" in run(tmp_path, path, "--since", "2026-01-01T00:00:03")
    found = held(tmp_path, "temp", "door", "ok", "deep/x", "value")
    present = {name: values.values[values.present()].tolist() for name, (_, values) in found.items()}
    assert present == {
        "temp": [-20.5, -21.5, -22.5],
        "door": ["shut", "open"],
        "ok": [True],
        "deep/x": [1],
        "value": [-23.5],
    }
    assert found["temp"][0].tolist()[0] == T0 + 123 * MS
    with Archive(tmp_path / "state" / "archive") as archive:
        assert archive.fields("freezer")["temp"].units == "°C"


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("plain.log", ["2026-01-01T00:00:00Z temp=1 hum=2", "[2026-01-01 00:00:01.5] INFO: temp=3 hum=4", "2026-01-01 00:00:02 nothing"]),
        ("x.json", ['{"time": 1767225600, "temp": 1, "hum": 2}', '{"time": "2026-01-01T00:00:01.5", "temp": 3, "hum": 4}']),
        ("x.csv", ["Time;temp;hum", "2026-01-01 00:00:00;1;2", "2026-01-01 00:00:01.5;3;4"]),
        ("numbers.log", ["2026-01-01 00:00:00 - 1", "2026-01-01 00:00:01.5 - -3"]),
    ],
)  # fmt: skip
def test_the_format_is_known_by_the_first_lines(tmp_path, name, lines):
    said = run(tmp_path, log_of(tmp_path, *lines, name=name))
    assert "2 samples recovered, 0 already there, 0 unreadable" in said
    field = "value" if name.startswith("numbers") else "temp"
    t, values = held(tmp_path, field)[field]
    assert t.tolist() == [T0, T0 + 1500 * MS]
    assert values.values.tolist() == ([1, -3] if field == "value" else [1, 3])


def test_times_without_a_zone_are_of_the_zone_that_is_said(tmp_path):
    path = log_of(tmp_path, "2026-07-01 12:00:00 temp=1", "2026-07-01 12:00:00+00:00 temp=2")
    run(tmp_path, path, "--zone", "Europe/Berlin")
    t, _ = held(tmp_path, "temp")["temp"]
    assert np.diff(t).tolist() == [2 * 3600 * 10**9]


TORN = [
    (ma(0, 'data: {"temp": 1')[:-2] + ma(1, 'data: {"temp": 2}'), told.TORN),
    (ma(0, "data: temp=20.") + ma(1, "data: temp=2"), told.TORN),
    ("2026-01-01 00:0" + ma(1, "data: temp=2"), "there is no time in it"),
    ("\0\0\0\0" + ma(1, "data: temp=2"), told.NUL),
    (ma(0, "data: temp=20.\0\0\0") + ma(1, "data: temp=2"), told.NUL),
    (ma(0, "data: ") + "\n" + ma(1, "data: temp=2"), "there are no values in its data"),
    ("Traceback (most recent call last):\n" + ma(1, "data: temp=2"), "there is no time in it"),
    ("x" * 70_000 + "\n" + ma(1, "data: temp=2"), "it is longer than 65536 bytes"),
    (ma(70, "data: temp=3") + "\n" + ma(1, "data: temp=2"), "its time cannot be read"),
]


@pytest.mark.parametrize(("line", "reason"), TORN, ids=range(len(TORN)))
def test_what_is_torn_is_told_and_the_line_behind_it_recovered(tmp_path, line, reason):
    path = log_of(tmp_path, line, ma(5, "data: temp=5"))
    assert "2 samples recovered, 0 already there, 1 unreadable" in run(tmp_path, path)
    assert held(tmp_path, "temp")["temp"][1].values.tolist() == [2, 5]
    assert reasons(tmp_path) == {reason: 1}


def test_a_last_line_without_its_end_is_not_believed(tmp_path):
    path = log_of(tmp_path, ma(0, "data: temp=1"), ma(1, "data: temp=2").encode())
    assert "1 samples recovered, 0 already there, 1 unreadable" in run(tmp_path, path)
    path.write_bytes(path.read_bytes() + b"0.5\n" + ma(2, "data: temp=3").encode() + b"\n")
    assert "2 samples recovered, 1 already there, 0 unreadable" in run(tmp_path, path)
    assert held(tmp_path, "temp")["temp"][1].values.tolist() == [1, 20.5, 3]
    assert reasons(tmp_path) == {}


def test_values_of_another_type_and_names_that_cannot_be_are_left_out_and_told(tmp_path):
    path = log_of(tmp_path, *(ma(i, f"data: {each}") for i, each in enumerate(
        ['{"temp": 1, "a::b": 2}', '{"temp": "off", "hum": 3}', '{"temp": 4, "health.state": 5}'])))  # fmt: skip
    assert "3 samples recovered, 0 already there, 3 unreadable" in run(tmp_path, path)
    assert "'temp' is a number, and a string came" in reasons(tmp_path)
    _, values = held(tmp_path, "temp")["temp"]
    assert values.values[values.present()].tolist() == [1, 4]


def test_what_python_writes_and_no_field_can_hold_is_left_out_and_told(tmp_path):
    path = log_of(tmp_path, ma(0, "data: {'n': 1, 'a': b'x', 'b': (1, 2), 'c': {3}, 'd': 1j}"), ma(1, "data: {1: 2}"))
    assert "1 samples recovered, 0 already there, 2 unreadable" in run(tmp_path, path)
    assert held(tmp_path, "n")["n"][1].values.tolist() == [1]


def test_lines_of_several_sensors_at_one_time_are_one_sample(tmp_path):
    path = log_of(tmp_path, ma(0, "data: a=1"), ma(0, "data: b=2"), ma(0, "data: a=3"))
    run(tmp_path, path)
    found = held(tmp_path, "a", "b")
    assert (found["a"][1].values.tolist(), found["b"][1].values.tolist()) == ([3], [2])


# ranges


def test_a_part_of_a_log_is_recovered_by_its_times(tmp_path):
    path = log_of(tmp_path, *(f"{ma(i, f'data: n={i}')}\ngarbage\n{ma(i, 'retry')}" for i in range(60)))
    said = run(tmp_path, path, "--since", "2026-01-01T00:00:10Z", "--until", "2026-01-01T00:00:20Z")
    assert "10 lines with values, 10 without data, 10 unreadable" in said
    assert held(tmp_path, "n")["n"][1].values.tolist() == list(range(10, 20))
    assert "50 samples recovered, 10 already there" in run(tmp_path, path)


class Counted(io.BytesIO):
    """A file that tells how much of it was read."""

    read_bytes = 0

    def read(self, size=-1):
        piece = super().read(size)
        self.read_bytes += len(piece)
        return piece


def test_a_part_of_a_large_log_is_found_without_reading_the_rest():
    lines = [b"2026-01-01 %02d:%02d:%02d n=%060d" % (i // 3600, i // 60 % 60, i % 60, i) for i in range(86_400)]
    raw = b"\n".join([*lines[:40_000], b"\xff" * 500_000, *lines[40_000:]]) + b"\n"
    file = Counted(raw * 1)
    time_of = logs.lines("log").time
    first, beyond = seeking.window(file, len(raw), T0 + 50_000 * 10**9, T0 + 51_000 * 10**9, time_of)
    assert raw.find(lines[50_000]) >= first
    assert raw.find(lines[51_000]) <= beyond
    assert beyond - first < 3_000_000
    assert file.read_bytes < 6_000_000 < len(raw)
    assert first == 0 or raw[first - 1] == 10


@given(st.lists(st.binary(max_size=40) | st.integers(0, 59), max_size=60), st.integers(0, 59), st.integers(0, 59))
def test_no_line_of_the_range_is_outside_the_window(given_lines, start, end):
    seconds = iter(sorted(each for each in given_lines if isinstance(each, int)))
    lines = [ma(next(seconds), "data: n=1").encode() if isinstance(each, int) else each for each in given_lines]
    raw = b"\n".join(lines)
    time_of = logs.lines("ma").time
    first, beyond = seeking.window(io.BytesIO(raw), len(raw), T0 + start * 10**9, T0 + end * 10**9, time_of)
    assert (first, beyond) == (0, len(raw))  # of a small one all of it


# interruptions


def test_a_recovery_that_is_killed_goes_on_and_recovers_each_line_once(tmp_path, monkeypatch):
    path = tmp_path / "x.log"
    made = write(path, 4_000_000)
    monkeypatch.setattr("sisock.imports.pieces._ROWS", 1000)
    argv = [
        sys.executable,
        "-m",
        "sisock",
        "recover",
        str(path),
        "--node",
        "freezer",
        "--state",
        str(tmp_path / "state"),
    ]
    incoming = tmp_path / "state" / "archive" / "incoming"
    for pieces in (1, 2):
        with subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as child:
            while child.poll() is None and len(list(incoming.glob("*.parquet"))) < pieces:
                signal.sigtimedwait([], 0.005)
            child.kill()
    said = run(tmp_path, path)
    assert f"{made.sound:,} lines with values" in said
    assert len(held(tmp_path, "temperature")["temperature"][0]) == made.sound


def test_what_was_read_before_an_interruption_is_not_read_again(tmp_path, monkeypatch):
    path = tmp_path / "x.log"
    made = write(path, 1_000_000)
    monkeypatch.setattr("sisock.imports.pieces._ROWS", 1000)
    monkeypatch.setattr(recovering, "_BLOCK", 2**17)
    read, log = [], headed.Headed.row

    def row(self, line):
        read.append(line)
        if len(read) == 6000:
            raise KeyboardInterrupt
        return log(self, line)

    monkeypatch.setattr(headed.Headed, "row", row)
    wanted, kept = Wanted("freezer", "samples"), quarantine.Quarantine(tmp_path / "state", "freezer")
    with pytest.raises(KeyboardInterrupt):
        recovering.recover(path, wanted, tmp_path / "state" / "archive", kept, lambda share: None)
    said = run(tmp_path, path)
    assert len(read) < 6000 + made.sound - 3000
    assert f"{made.sound:,} samples recovered, 0 already there, {made.bad:,} unreadable" in said
    assert len(held(tmp_path, "temperature")["temperature"][0]) == made.sound


def test_a_log_that_is_cut_while_it_is_read_ends_where_it_was_cut(tmp_path, monkeypatch):
    monkeypatch.setattr(recovering, "_BLOCK", 2**17)
    path = tmp_path / "x.log"
    write(path, 1_000_000)

    def cut(share):
        at = path.read_bytes().rfind(b"\n", 0, 2**17) + 5
        if path.stat().st_size == at:
            cuts.append(share)
            assert len(cuts) < 3, "it goes on for ever"
        os.truncate(path, at)

    cuts = []
    wanted, kept = Wanted("freezer", "samples"), quarantine.Quarantine(tmp_path / "state", "freezer")
    made = recovering.recover(path, wanted, tmp_path / "state" / "archive", kept, cut)
    assert (made.done, made.at) == (True, path.stat().st_size)


def test_a_log_that_is_another_one_now_is_read_from_its_beginning(tmp_path, monkeypatch):
    monkeypatch.setattr(recovering, "finish", lambda *_: None)  # as if it had been killed just before
    path = log_of(tmp_path, *(ma(i, f"data: n={i}") for i in range(10)))
    run(tmp_path, path)
    log_of(tmp_path, *(ma(i, f"data: n={i}") for i in range(20, 40)))
    run(tmp_path, path)
    assert held(tmp_path, "n")["n"][1].values.tolist() == [*range(10), *range(20, 40)]


def test_where_a_recorder_has_the_archive_it_takes_what_was_read(tmp_path):
    path = log_of(tmp_path, ma(0, "data: n=1"))
    with Archive(tmp_path / "state" / "archive") as archive:
        said = run(tmp_path, path)
        assert f"1 samples are given to the recorder that has the archive {tmp_path / 'state' / 'archive'}" in said
        assert "how many of them were there already is not known here, as it takes them later" in said
        for _ in archive.take_incoming():
            pass
    assert held(tmp_path, "n")["n"][1].values.tolist() == [1]


# what goes wrong


@pytest.mark.parametrize(
    ("lines", "args", "code", "sentence"),
    [
        ([",b", "1,2"], ["--format", "csv"], 1, "none of its columns is known as the time"),
        (
            ["a,b", "1,2"],
            ["--format", "csv"],
            1,
            "none of its columns is known as the time: name it with --time (a, b)",
        ),
        ([], [], 1, "has no whole line in its first 1048576 bytes"),
        (["x"], ["--zone", "Mars"], 2, "'Mars' is no time zone that this machine knows"),
        (["x"], ["--since", "2026", "--until", "2025"], 2, "--since 2026 is not before --until 2025"),
        (["x"], ["--since", "soon"], 2, "'soon' is not a time: write 2017-07-14T00:00Z"),
        (["x"], ["--timeline", ""], 2, "'' cannot name a timeline"),
        (["x"], ["--field", "x"], 2, "--field x gives no unit"),
        (
            ["x"],
            ["--time", "when"],
            1,
            "is a log whose lines begin with their times: leave out --time, or say --format",
        ),
    ],
)
def test_what_cannot_be_is_told_with_the_cure(tmp_path, lines, args, code, sentence):
    assert sentence in run(tmp_path, log_of(tmp_path, *lines), *args, code=code)


NOTHING = {
    "no log": (["[settings]", "x = 1"], [], "2 lines cannot be read, the last for this: there is no time in it"),
    "bytes": ([b"\x00\x01\xff\n" * 50], [], "cannot be read, the last for this: there is no time in it"),
    "json by another name": (['{"when": 1767225600, "n": 1}'], ["--time", "wann"], "the last for this: there is no time in it"),
    "of a kind": ([ma(0, "data: {'n': b'x'}")], [], "the last for this: 'n' is of a kind that no field can hold"),
    "no values": ([ma(0, "data: up"), ma(1, "retry")], ["--format", "log"], "2 lines, and no values in them"),
    "another time": ([ma(0, "data: n=1")], ["--since", "2027"], "it has no sample of that time"),
}  # fmt: skip


@pytest.mark.parametrize("what", NOTHING)
def test_where_nothing_is_recovered_that_is_an_error_and_the_quarantine_is_not_filled(tmp_path, what):
    lines, args, sentence = NOTHING[what]
    said = run(tmp_path, log_of(tmp_path, *lines), *args, code=1)
    assert "nothing in it is recovered: " in said
    assert sentence in said
    assert not quarantine.path_of(tmp_path / "state", "freezer").exists() or reasons(tmp_path) == {}
    assert list((tmp_path / "state" / "archive").glob("incoming/*")) == []


def test_a_log_of_which_nothing_can_be_read_costs_only_itself(tmp_path):
    good, early = log_of(tmp_path, "x", ma(9, "data: n=1")), log_of(tmp_path, ma(1, "data: n=1"), name="early.log")
    bad = log_of(tmp_path, "[settings]", name="bad.log")
    said = run(tmp_path, bad, good, code=1)
    assert "bad.log: nothing in it is recovered" in said
    assert "1 samples recovered, 0 already there, 1 unreadable" in said
    assert reasons(tmp_path) == {"there is no time in it": 1}
    run(tmp_path, early, good, "--since", "2026-01-01T00:00:05Z")  # one of many logs may have nothing of that time


@pytest.mark.parametrize(
    ("field", "sentence"),
    [("tmep=°C", "no line has the field 'tmep': did you mean 'temp'?"), ("x=K", "no line has the field 'x': there are temp, hum")],
)  # fmt: skip
def test_a_unit_of_a_field_that_no_line_has_is_told(tmp_path, field, sentence):
    path = log_of(tmp_path, ma(0, "data: temp=1 hum=2"))
    said = run(tmp_path, path, "--field", field, "--field", "hum=%")
    assert f"sisock: --field {field}: {sentence}\n" in said
    assert "1 samples recovered" in said
    assert "--field" not in run(tmp_path, path, "--field", "temp=°C")


def test_a_log_that_is_no_file_costs_only_itself(tmp_path):
    said = run(tmp_path, tmp_path / "no.log", log_of(tmp_path, ma(0, "data: n=1")), code=1)
    assert "no.log: No such file or directory" in said
    assert "1 samples recovered" in said


@given(st.binary(max_size=300) | st.text(max_size=100).map(str.encode), st.sampled_from(["log", "ma", "json"]))
def test_any_line_is_a_row_or_told_or_without_data(line, form):
    reader = logs.lines(form)
    for each in (line, ma(0, "data: ").encode() + line, b'{"time": 1, "x": ' + line):
        before = reader.others
        found = reader.read(each)
        assert found is not None or reader.refused or reader.others > before or not each.strip()
        reader.refused.clear()
        reader.time(each)


@pytest.mark.parametrize("form", ["log", "ma"])
@pytest.mark.parametrize("middle", [" - [INFO] - data: ", " INFO ", " "])
def test_wherever_a_line_is_torn_the_next_one_is_read_at_its_own_time(form, middle):
    if form == "ma" and "data" not in middle:
        middle += "data: "
    torn, whole = (f"2026-01-01 00:00:0{second},123{middle}temp={second}.5 hum=4" for second in (5, 6))
    for cut in range(1, len(torn) + 1):
        reader = logs.lines(form)
        found = reader.read((torn[:cut] + whole).encode())
        assert found == (T0 + 6123 * MS, {"temp": 6.5, "hum": 4}), cut
        assert len(reader.refused) == 1


@given(
    st.dictionaries(st.from_regex("[a-z]{1,5}", fullmatch=True), st.integers() | st.floats(allow_nan=False), min_size=1)
)
def test_what_a_logger_writes_is_what_is_read(values):
    reader = logs.lines("ma")
    for text in (json.dumps(values), repr(values)):
        if "inf" not in text:
            assert reader.read(ma(1.5, f"data: {text}").encode()) == (T0 + 1500 * MS, values)


def test_the_seed_of_its_format_is_read():
    line = b"2026-01-01 00:00:00,123 - [INFO] - data: "
    assert logs.likely([line]) == "ma"
    assert Path(logs.__file__).exists()
