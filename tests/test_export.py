"""Exports without a router: windows of time, cells of CSV, parts that go on, and what they become."""

import contextlib
import errno
import os
from pathlib import Path

import h5py
import numpy as np
import pandas
import pyarrow as pa
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import feather, parquet

from sisock.cli import main
from sisock.cli.export import _resumable
from sisock.cli.failures import Failure
from sisock.cli.kinds import kind_of
from sisock.exits import Exit
from sisock.export import arrow, text
from sisock.export.checking import count
from sisock.export.copying import rows
from sisock.export.finishing import finish, settle
from sisock.export.job import Job, Table, paths, state_of, target_of, unfinished
from sisock.export.ordering import Reduced, tables
from sisock.export.part import Part, PartError
from sisock.export.steps import Steps
from sisock.frames import Answer, Column, Field, Frame, Query, column
from sisock.frames import Part as Axis
from sisock.reduction import answer
from sisock.times import NS
from tests.made import columns

T0 = 1_500_000_000 * NS

# windows


def edges(steps, density, limit):
    """Go through all windows of a node that has so many bytes a second and refuses answers beyond the limit."""
    made = []
    while (window := steps.window()) is not None:
        size = density(*window)
        if size > limit:
            assert steps.refused(), "given up"
            continue
        made.append(window)
        steps.took(window[1], size)
    return made


@given(
    st.integers(-T0, T0),
    st.integers(1, 10**17),
    st.sampled_from([1, 7000, 3600 * NS]),
    st.integers(0, 10**9),
)
def test_windows_follow_each_other_from_the_first_edge_to_the_last_on_their_multiples(start, span, unit, size):
    made = edges(Steps(start, start + span, unit, 0, 2**20), lambda a, b: (b - a) * size // span, 2**62)
    assert len(made) < 5000
    assert (made[0][0], made[-1][1]) == (start, start + span)
    assert [a for a, _ in made[1:]] == [b for _, b in made[:-1]]
    assert all(b % unit == 0 for _, b in made[:-1])


def test_windows_become_as_wide_as_answers_may_be_large():
    made = edges(Steps(T0, T0 + 10**7 * NS, 1, 0, 2**20), lambda a, b: (b - a) * 1600 // NS, 2**24)
    sizes = [(b - a) * 1600 // NS for a, b in made]
    assert sum(size > 2**19 for size in sizes) > 0.99 * len(sizes)
    assert max(sizes) < 2**21


def test_windows_cross_decades_of_nothing_in_a_few_steps_and_stand_a_sudden_crowd():
    decades, crowd = 30 * 31_557_600 * NS, T0 + 30 * 31_557_600 * NS
    steps = Steps(T0, crowd + 1000 * NS, 1, 0, 2**20)
    made = edges(steps, lambda a, b: max(0, b - max(a, crowd)) * 10**6 // NS, 2**24)
    assert sum(b <= T0 + decades for _, b in made) < 50
    assert 900 < len(made) < 3000


def test_a_window_that_is_never_answered_is_given_up():
    steps = Steps(T0, T0 + 3600 * NS, 1, 0, 2**20)
    tries = 0
    while steps.refused():
        tries += 1
    assert 0 < tries < 20


# csv


def test_cells_tell_missing_from_empty_from_not_a_number():
    assert text.cells(column(["", None, "a b", 'say "x"', "1,5", "two\nlines", "ü"])) == [
        '""', "", "a b", '"say ""x"""', '"1,5"', '"two\nlines"', "ü",
    ]  # fmt: skip
    assert text.cells(Column(np.array([1.5, np.nan, -np.inf, 0.1]), np.array([0, 0, 0, 1], bool))) == [
        "1.5", "NaN", "-inf", "",
    ]  # fmt: skip
    assert text.cells(column([2**63 - 1, None, -(2**53) - 1])) == ["9223372036854775807", "", "-9007199254740993"]
    assert text.cells(column([True, None, False])) == ["true", "", "false"]


def test_times_in_csv_all_have_the_same_form():
    t = np.array([0, 1, NS], np.int64)
    assert text.stamps(t) == [
        "1970-01-01T00:00:00.000000000Z", "1970-01-01T00:00:00.000000001Z", "1970-01-01T00:00:01.000000000Z",
    ]  # fmt: skip
    assert text.nanoseconds(t) == ["0", "1", "1000000000"]


# rows


def test_fields_that_were_sampled_apart_share_the_rows_of_equal_times():
    a = Frame("t", np.array([1, 2]), {"a": column([1.0, 2.0])})
    b = Frame("t", np.array([2, 3]), {"b": column([5.0, 6.0])})
    frame, samples = rows(answer([a, b], Query(("a", "b"), 0, 9), {}), table("a", "b"))
    assert frame.t.tolist() == [1, 2, 3]
    assert (frame.columns["a"].present().tolist(), samples) == ([True, True, False], 2)


@pytest.mark.parametrize(
    ("method", "names"), [("minmax", ["a", "b"]), ("band", ["a::min", "a", "a::max", "b::min", "b", "b::max"])]
)
def test_reduced_fields_are_columns_of_one_table(method, names):
    made = Frame("t", np.arange(100) * NS, {"a": Column(np.arange(100.0)), "b": Column(-np.arange(100))})
    reduced = answer([made], Query(("a", "b"), 0, 100 * NS, bin=10 * NS, reduce=method), {})
    of = table("a", "b", method=method)
    frame, samples = rows(reduced, of)
    assert of.columns == names
    assert set(frame.columns) == set(names)
    assert (samples, len(frame)) == (100, 10 if method == "band" else 20)


def table(*names, method=None, path=None, **fields):
    about = {**{name: Field(timeline="t") for name in names}, **fields}
    return Table("n", "t", about, path, 0, 100 * NS, method=method)


# parts


def test_a_part_goes_on_after_what_was_noted(tmp_path):
    with Part(tmp_path / "x.part", 0) as part:
        sound = part.append(b"one", chunk=True) + part.append(b"two", chunk=True)
        part.append(b"not noted any more", chunk=True)
    with Part(tmp_path / "x.part", sound) as part:
        part.append(b"three", chunk=True)
        assert list(part.chunks()) == [b"one", b"two", b"three"]


def test_a_part_is_for_one_export_at_a_time(tmp_path):
    with Part(tmp_path / "x.part", 0), pytest.raises(PartError, match="another export writes"):
        Part(tmp_path / "x.part", 0)
    with pytest.raises(PartError, match="has less than was written"):
        Part(tmp_path / "x.part", 10)


def test_an_export_is_remembered_as_it_was(tmp_path):
    one = table("a", path=tmp_path / "x.csv", b=Field("what", "t", "bool", "V"))
    one.done, one.rows, one.values, one.kinds = T0, 5, {"a": 4}, {"a": ["float64", "int64"]}
    job = Job(tmp_path / "x.csv", "csv", "iso", {"targets": ("n::a",), "last": None}, [one])
    job.save()
    again = unfinished(job.output, {"targets": ("n::a",), "last": None})
    assert again.tables == [one]
    with pytest.raises(ValueError, match="begun by an export of something else: finish it"):
        unfinished(job.output, {"targets": ("n::b",), "last": None})
    for junk in ("", "[]", '{"v": 2}', '{"v": 1, "tables": [{}]}'):
        job.state.write_text(junk)
        with pytest.raises(ValueError, match="delete it to begin anew"):
            unfinished(job.output, {})
    job.forget()
    assert unfinished(job.output, {}) is None


def test_files_are_named_after_timelines_where_there_are_several(tmp_path):
    named = lambda *timelines: [path.name for path in paths(tmp_path / "x.tar.csv", timelines)]  # noqa: E731
    assert named(("n", "samples")) == ["x.tar.csv"]
    assert named(("n", "samples"), ("n", "load/1 m"), ("n", "load_1 m")) == [
        "x.tar-samples.csv", "x.tar-load_1_m.csv", "x.tar-load_1_m-2.csv",
    ]  # fmt: skip
    assert named(("n", "t"), ("m", "t")) == ["x.tar-n-t.csv", "x.tar-m-t.csv"]


def test_what_is_no_file_is_never_replaced(tmp_path):
    os.mkfifo(tmp_path / "fifo.csv")
    (tmp_path / "to-fifo.csv").symlink_to("fifo.csv")
    (tmp_path / "circle.csv").symlink_to("circle.csv")
    (tmp_path / "x-samples.csv").mkdir()
    before = sorted(tmp_path.iterdir())
    for name in ("fifo.csv", "to-fifo.csv", "circle.csv"):
        shown = CliRunner().invoke(main, ["export", "n", "--output", str(tmp_path / name)])
        assert shown.exit_code == Exit.USAGE
        assert (
            f"{name} is there and no regular file: an export would take its place, choose another name" in shown.output
        )
    with pytest.raises(ValueError, match=r"x-samples\.csv is there and no regular file"):
        paths(tmp_path / "x.csv", [("n", "samples"), ("n", "load")])
    assert sorted(tmp_path.iterdir()) == before
    assert (tmp_path / "fifo.csv").is_fifo()


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (("w.xyz",), "w.xyz does not say by its name what format it has: end it in .csv, .parquet, .arrow"),
        (("w",), "w does not say by its name"),
        (("w.parquet", "--format", "csv"), "w.parquet has a name of parquet, and --format says csv: leave out one"),
        (("w.json",), "w.json has a name of json, which is not written here: end it in .csv"),
    ],
)
def test_a_name_that_does_not_fit_the_format_is_refused(given, says, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shown = CliRunner().invoke(main, ["export", "n", "--output", *given])
    assert (shown.exit_code, says in shown.output) == (Exit.USAGE, True), shown.output


@pytest.mark.parametrize(
    ("name", "given", "kind"),
    [("x.parquet", None, "parquet"), ("x.H5", None, "hdf5"), ("x.csv", "csv", "csv"), ("x.dat", "arrow", "arrow")],
)
def test_the_format_is_the_one_of_the_name_or_the_one_that_is_given(name, given, kind):
    assert kind_of(Path(name), given, ("csv", "parquet", "arrow", "hdf5")) == kind


def test_a_symlink_is_followed(tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "old.csv").touch()
    for name in ("old.csv", "new.csv"):
        link = tmp_path / name
        link.symlink_to(f"there/{name}")
        assert target_of(link) == tmp_path / "there" / name
    (tmp_path / "x-load.csv").symlink_to("there/new.csv")
    assert paths(tmp_path / "x.csv", [("n", "samples"), ("n", "load")]) == [
        tmp_path / "x-samples.csv", tmp_path / "there" / "new.csv",
    ]  # fmt: skip


def test_more_points_than_will_ever_be_done_are_refused(tmp_path):
    shown = CliRunner().invoke(
        main, ["export", "n", "--points", "100000000000000", "--output", str(tmp_path / "x.csv")]
    )
    assert shown.exit_code == Exit.USAGE
    assert "--points 100000000000000 is too many: give 1000000 at the most, or none for all samples" in shown.output


async def test_more_bins_than_will_ever_be_done_are_refused(tmp_path):
    wanted, year = {"n": {"x": Field(timeline="t")}}, (1_500_000_000.0, 1_531_557_600.0)
    with pytest.raises(
        ValueError, match="31,557,600,000,000,000 bins would never be done: ask for wider ones with --bin"
    ):
        await tables(None, wanted, year, Reduced("mean", bin=1), tmp_path / "x.csv")
    assert len(await tables(None, wanted, year, Reduced("mean", bin=10**6), tmp_path / "x.csv")) == 1


@pytest.mark.parametrize(
    ("number", "says"),
    [
        (errno.ENOSPC, [f": make room, and the same command {how}" for how in ("begins anew", "goes on from here")]),
        (errno.EFBIG, ["", "; the same command goes on from here"]),
    ],
)
def test_a_disk_that_takes_no_more_is_told_with_the_file_and_how_to_go_on(tmp_path, number, says):
    for sentence in says:
        with pytest.raises(Failure) as told, _resumable(tmp_path / "x.csv"):
            raise OSError(number, os.strerror(number))
        assert str(told.value) == f"{tmp_path}/x.csv: {os.strerror(number)}{sentence}"
        assert told.value.exit_code == Exit.ERROR
        state_of(tmp_path / "x.csv").touch()


# files


def written(tmp_path, kind, frames, **fields):
    """The file that these frames become, each of them a chunk."""
    of = table(path=tmp_path / f"x.{kind}", **fields)
    job = Job(of.path, kind, "iso", {}, [of])
    with Part(of.part, 0) as part:
        for frame in frames:
            of.bytes += part.append(arrow.encode(frame), chunk=True)
            of.rows += len(frame)
            for name, each in frame.columns.items():
                if each.missing is None or not each.missing.all():
                    of.kinds[name] = sorted({*of.kinds.get(name, ()), arrow.kind_of(each)})
        finish(job, of, part, lambda share: None)
    assert not of.part.exists()
    return of.path


def read(path):
    """Times and columns of a file, None where a value is missing."""
    if path.suffix == ".hdf5":
        with h5py.File(path) as file:
            made = {"time": file["time"][:].tolist()}
            for name in set(file) - {"time"}:
                if not name.endswith(".missing"):
                    each = file[name]
                    listed = each.asstr()[:].tolist() if each.dtype.kind == "O" else each[:].tolist()
                    gone = file[f"{name}.missing"][:].tolist() if f"{name}.missing" in file else [False] * len(listed)
                    made[each.attrs["target"]] = [None if m else v for v, m in zip(listed, gone, strict=True)]
            return made
    of = parquet.read_table(path) if path.suffix == ".parquet" else feather.read_table(path)
    return {name: (of[name].cast(pa.int64()) if name == "time" else of[name]).to_pylist() for name in of.column_names}


KINDS = ["parquet", "arrow", "hdf5"]


@pytest.mark.parametrize("kind", KINDS)
def test_values_come_back_as_they_were(tmp_path, kind):
    first = Frame("t", T0 + np.arange(3), {
        "x": Column(np.array([1.5, np.nan, -np.inf]), np.array([False, False, False])),
        "i": column([2**63 - 1, None, -(2**53) - 1]),
        "s": column(["", None, "ü\n"]), "b": column([True, None, False]),
    })  # fmt: skip
    second = Frame("t", T0 + 10**6 + np.arange(2), {"x": column([None, 2.5]), "s": column(["x", "y"])})
    fields = {"x": Field(units="V", timeline="t"), "i": Field(), "s": Field(type="string"), "b": Field(type="bool"),
              "load/1": Field()}  # fmt: skip
    made = read(written(tmp_path, kind, [first, second], **fields))
    assert made["time"] == [*first.t.tolist(), *second.t.tolist()]
    assert repr(made["n::x"]) == "[1.5, nan, -inf, None, 2.5]"
    assert made["n::i"] == [2**63 - 1, None, -(2**53) - 1, None, None]
    assert made["n::s"] == ["", None, "ü\n", "x", "y"]
    assert made["n::b"] == [True, None, False, None, None]
    assert made["n::load/1"] == [None] * 5


@pytest.mark.parametrize("kind", KINDS)
def test_whole_numbers_and_others_become_one_column_and_nothing_is_a_file_too(tmp_path, kind):
    frames = [Frame("t", np.array([at]), {"x": column([value])}) for at, value in ((1, 7), (2, 0.5), (3, None))]
    assert read(written(tmp_path, kind, frames, x=Field()))["n::x"] == [7.0, 0.5, None]
    assert read(written(tmp_path, kind, [], x=Field()))["time"] == []


@pytest.mark.parametrize("kind", KINDS)
def test_texts_and_numbers_of_one_field_are_refused_with_the_cure(tmp_path, kind):
    frames = [Frame("t", np.array([at]), {"x": column([value])}) for at, value in ((1, 7), (2, "seven"))]
    with pytest.raises(ValueError, match="n::x has values of the types int64, string in this range: export them apart"):
        written(tmp_path, kind, frames, x=Field())


@given(data=st.data())
def test_every_column_survives_a_chunk(data):
    n = data.draw(st.integers(0, 10))
    given_ = data.draw(columns(n))
    back = arrow.decode(arrow.encode(Frame("t", np.arange(n), {"x": given_})))["x"].to_pylist()
    expected = [None if gone else value for value, gone in zip(given_.values.tolist(), missing(given_), strict=True)]
    assert repr(back) == repr(expected)


def missing(given_):
    return [False] * len(given_.values) if given_.missing is None else given_.missing.tolist()


def test_files_say_what_they_hold(tmp_path):
    frame = Frame("t", np.array([T0]), {"x": column([1.5])})
    schema = parquet.read_schema(written(tmp_path, "parquet", [frame], x=Field("how high", units="m")))
    assert schema.field("n::x").metadata == {b"units": b"m", b"description": b"how high", b"method": b"raw"}
    assert schema.metadata[b"node"] == b"n"
    assert str(schema.field("time").type) == "timestamp[ns, tz=UTC]"
    with h5py.File(written(tmp_path, "hdf5", [frame], x=Field("how high", units="m"))) as file:
        assert dict(file["n::x"].attrs) == {"target": "n::x", "units": "m", "description": "how high", "method": "raw"}


def test_many_small_chunks_become_few_row_groups(tmp_path):
    frames = [
        Frame("t", T0 + np.arange(at, at + 100), {"x": Column(np.arange(100.0))}) for at in range(0, 300_000, 100)
    ]
    about = parquet.read_metadata(written(tmp_path, "parquet", frames, x=Field()))
    assert (about.num_rows, about.num_row_groups) == (300_000, 5)


def test_csv_is_read_by_pandas(tmp_path):
    frame = Frame("t", T0 + np.arange(3), {"x": column([1.5, None, 3.0]), "s": column(["a,b", "", 'q"']),
                                           "i": column([2**53 + 1, 2, 3])})  # fmt: skip
    of = table(x=Field(), s=Field(type="string"), i=Field())
    made = text.head(map(of.target, of.columns)) + text.lines(text.stamps(frame.t), list(frame.columns.values()))
    (tmp_path / "x.csv").write_text(made)
    back = pandas.read_csv(tmp_path / "x.csv", parse_dates=["time"], keep_default_na=False, na_values={"n::x": [""]})
    assert back["time"].astype("int64").tolist() == frame.t.tolist()
    assert back["n::s"].tolist() == ["a,b", "", 'q"']
    assert back["n::i"].tolist() == [2**53 + 1, 2, 3]
    assert back["n::x"].isna().tolist() == [False, True, False]


# ends


class Killed(BaseException):
    """The process ends here."""


def killing(monkeypatch, at):
    """Be killed before (even `at`) or after (odd) the so manieth change of what the folder lists."""
    calls = []

    def instead(real):
        def call(self, *args, **named):
            calls.append(self)
            if 2 * len(calls) - 2 == at:
                raise Killed
            made = real(self, *args, **named)
            if 2 * len(calls) - 1 == at:
                raise Killed
            return made

        return call

    for name in ("replace", "unlink"):
        monkeypatch.setattr(Path, name, instead(getattr(Path, name)))


@pytest.mark.parametrize("kind", ["csv", *KINDS])
@pytest.mark.parametrize("at", range(8))
def test_wherever_it_is_killed_at_its_end_the_export_goes_on_and_is_whole(tmp_path, kind, at, monkeypatch):
    of = table(path=tmp_path / f"x.{kind}", x=Field())
    job = Job(of.path, kind, "iso", {}, [of])
    frame = Frame("t", T0 + np.arange(3), {"x": column([1.5, None, 3.0])})
    content = b"time,n::x\n1,2\n"
    with Part(of.part, 0) as part:
        of.bytes = part.append(content) if kind == "csv" else part.append(arrow.encode(frame), chunk=True)
        of.rows, of.kinds = 3, {"x": ["float64"]}
        part.sound()
        job.save()
        with monkeypatch.context() as patched:
            killing(patched, at)
            with contextlib.suppress(Killed):
                finish(job, of, part, lambda share: None)
    again = unfinished(of.path, {})
    settle(again)
    for each in again.unfinished:
        with Part(each.part, each.bytes) as part:
            finish(again, each, part, lambda share: None)
    assert {each.name for each in tmp_path.iterdir() if each.name[0] != "."} == {
        of.path.name,
        f"{of.path.name}.part.json",
    }
    assert of.path.read_bytes() == content if kind == "csv" else read(of.path)["n::x"] == [1.5, None, 3.0]


@pytest.mark.parametrize("kind", ["csv", *KINDS])
def test_a_file_and_its_name_are_on_disk_before_what_it_was_made_of_is_deleted(tmp_path, kind, monkeypatch):
    steps, sync, unlink = [], os.fsync, Path.unlink
    monkeypatch.setattr(os, "fsync", lambda at: steps.append(str(Path(f"/proc/self/fd/{at}").readlink())) or sync(at))
    monkeypatch.setattr(Path, "unlink", lambda self, **named: steps.append(f"without {self}") or unlink(self, **named))
    path = tmp_path / f"x.{kind}"
    if kind == "csv":
        of = table(path=path, x=Field())
        with Part(of.part, 0) as part:
            of.bytes = part.append(b"time\n")
            finish(Job(path, kind, "iso", {}, [of]), of, part, lambda share: None)
    else:
        written(tmp_path, kind, [Frame("t", np.array([T0]), {"x": column([1.5])})], x=Field())
        assert steps.index(f"{path}.part.{kind}") < steps.index(str(tmp_path)) < steps.index(f"without {path}.part")
    assert str(tmp_path) in steps


# counting again


class Counting:
    """A node that counts so many samples, and of each field so many values, in any piece of the range that begins it."""

    def __init__(self, samples, **values):
        self.samples, self.values = samples, values

    async def data(self, node, fields, ns, **named):
        here = ns[0] == 0
        counts = {name: Column(np.array([self.values[name] if here else 0])) for name in fields}
        return Answer(
            (Axis(Frame("t::count", np.array([ns[0]]), counts), "t", None, self.samples if here else 0),), "count"
        )


@pytest.mark.parametrize(
    ("method", "samples", "exact", "difference"),
    [
        ("mean", 10, True, None),
        ("mean", 11, False, "10 samples were written, but n counts 11 between"),
        ("mean", 9, False, None),
        (None, 10, True, None),
        (None, 9, True, None),  # fields that are sampled apart: their values are counted
        (None, 11, False, "10 samples were written, but n counts 11 between"),
    ],
)
async def test_the_same_is_said_only_where_as_many_are_counted(tmp_path, method, samples, exact, difference):
    of = table("a", "b", method=method, path=tmp_path / "x.csv")
    of.rows = of.samples = 10
    of.values = {"a": 6, "b": 7}
    told = await count(Counting(samples, a=6, b=7), of)
    assert told.exact == exact
    assert told.difference is None if difference is None else difference in told.difference


async def test_of_a_single_reduced_field_more_written_than_counted_is_a_difference(tmp_path):
    of = table("a", method="mean", path=tmp_path / "x.csv")
    of.samples = 10
    assert "10 samples were written, but n counts 9" in (await count(Counting(9, a=9), of)).difference


@pytest.mark.parametrize(
    "change", [lambda text: "[" * 5000, lambda text: text.replace('"asked": {', '"asked": 1, "x": {')]
)
def test_what_an_interrupted_export_left_is_refused_where_it_is_damaged(tmp_path, change):
    job = Job(tmp_path / "x.csv", "csv", "iso", {"a": 1}, [])
    job.save()
    job.state.write_text(change(job.state.read_text()))
    with pytest.raises(ValueError, match="delete it to begin anew"):
        unfinished(tmp_path / "x.csv", {"a": 1})
