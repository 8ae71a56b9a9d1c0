"""The node for folders of files of others: every format, every zoom, and the node at work."""

import asyncio
import tracemalloc
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data_nodes.files import indexing, scanning
from data_nodes.files.catalog import Catalog
from data_nodes.files.indexing import Indexer
from data_nodes.files.lately import Lately
from data_nodes.files.naming import series_of
from data_nodes.files.node import Files
from data_nodes.files.seeking import sample
from sisock.frames import Query
from sisock.store import reading
from sisock.times import NS
from tests.folders import FORMATS, START, ask, binned, bins, opened, samples, write


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_file_is_answered_from_tiers_at_any_zoom_and_a_spike_stays(tmp_path: Path, suffix: str):
    t, x = samples(200_000)
    x[77_777] = 1e9
    write(tmp_path / "lab" / f"room.{suffix}", t, x=x, k=np.arange(200_000))
    with opened(tmp_path / "lab", tmp_path / "home") as (catalog, _):
        whole = ask(catalog, "room/x", max_points=200)
        assert whole.tier is not None
        assert whole.samples == 200_000
        assert whole.series("room/x")[1].values.max() == 1e9
        zoomed = ask(catalog, "room/x", "room/k", start=int(t[150_000]), end=int(t[150_100]))
        assert np.array_equal(zoomed.series("room/x")[0], t[150_000:150_100])
        assert np.array_equal(zoomed.series("room/x")[1].values, x[150_000:150_100])
        assert zoomed.series("room/k")[1].values.tolist() == list(range(150_000, 150_100))


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    suffix=st.sampled_from(FORMATS),
    sizes=st.lists(st.integers(1, 60_000), min_size=1, max_size=3),
    seed=st.integers(0, 2**32),
    shuffled=st.booleans(),
    exponent=st.integers(27, 38),
)
def test_bins_are_those_of_brute_force(tmp_path_factory, suffix, sizes, seed, shuffled, exponent):
    folder = tmp_path_factory.mktemp("files")
    t, x = samples(sum(sizes), seed)
    at = 0
    for number, size in enumerate(sizes):
        rows = np.arange(at, at + size)
        if shuffled:
            np.random.default_rng(seed).shuffle(rows)
        write(folder / "lab" / f"run_2024-01-0{number + 1}.{suffix}", t[rows], x=x[rows])
        at += size
    width = max(1 << exponent, int(t[-1] - t[0]) // 100_000)
    with opened(folder / "lab", folder / "home") as (catalog, _):
        answer = ask(catalog, "run/x", start=int(t[0]), end=int(t[-1]) + 1, bin=width, reduce="bins")
        assert bins(answer, "run/x") == binned(t, x, width)


def test_texts_and_booleans_are_fields_too_and_missing_values_are_missing(tmp_path: Path):
    (tmp_path / "lab").mkdir()
    (tmp_path / "lab" / "door.csv").write_text(
        "# opened by hand\n"
        "Time;Temp [°C];open;who\n"
        "2024-01-01T00:00:00Z;1,5;true;ann\n"
        "2024-01-01T00:00:01Z;;false;\n"
        "2024-01-01T00:00:02Z;2,5;true;bob\n"
    )
    with opened(tmp_path / "lab", tmp_path / "home") as (catalog, _):
        fields = catalog.fields()
        assert {name: (each.type, each.units) for name, each in fields.items()} == {
            "door/Temp": ("number", "°C"),
            "door/open": ("bool", None),
            "door/who": ("string", None),
        }
        answer = ask(catalog, *fields)
        t, temp = answer.series("door/Temp")
        assert t.tolist() == [1_704_067_200 * NS, 1_704_067_201 * NS, 1_704_067_202 * NS]
        assert temp.present().tolist() == [True, False, True]
        assert temp.values[[0, 2]].tolist() == [1.5, 2.5]
        assert answer.series("door/open")[1].values.tolist() == [True, False, True]
        who = answer.series("door/who")[1]
        assert who.rows(who.present()).values.tolist() == ["ann", "bob"]


@pytest.mark.parametrize(
    ("text", "t"),
    [
        ("time,x\n1700000000,1\n", START),
        ("time,x\n1700000000.25,1\n", START + NS // 4),
        ("time,x\n1700000000250,1\n", START + NS // 4),
        ("unixtime\tx\n1700000000250000\t1\n", START + NS // 4),
        ("t,x\n1700000000000000001,1\n", START + 1),
        ("x,when\n1,2023-11-14 22:13:20\n", START),
        ("date,x\n2023/11/14 22:13:20.5,1\n", START + NS // 2),
        ("1700000000,1\n1700000001,1\n", None),
    ],
)
def test_times_are_found_by_type_or_name_and_their_unit_by_their_size(tmp_path: Path, text: str, t: int | None):
    (tmp_path / "lab").mkdir()
    (tmp_path / "lab" / "a.csv").write_text(text)
    with opened(tmp_path / "lab", tmp_path / "home") as (catalog, indexer):
        if t is None:
            assert "say with time = which of its columns it is (column 1, column 2)" in indexer.troubles["a.csv"]
        else:
            assert ask(catalog, "a/x").series("a/x")[0].tolist() == [t]


def test_the_column_of_the_time_and_units_can_be_told(tmp_path: Path):
    (tmp_path / "lab").mkdir()
    (tmp_path / "lab" / "a.csv").write_text("1700000000,1\n1700000001,2\n")
    with opened(tmp_path / "lab", tmp_path / "home", time="column 1", units={"column 2": "V"}) as (catalog, _):
        assert catalog.fields()["a/column 2"].units == "V"
        assert ask(catalog, "a/column 2").series("a/column 2")[1].values.tolist() == [1, 2]


def test_an_hdf5_file_has_a_timeline_for_each_group_with_a_time(tmp_path: Path):
    (tmp_path / "lab").mkdir()
    with h5py.File(tmp_path / "lab" / "run.h5", "w") as file:
        for name in ("left", "deep/right"):
            group = file.create_group(name)
            group["timestamp"] = np.arange(5) + 1_700_000_000.0
            group["x"] = np.arange(5, dtype=">f4")
            group["x"].attrs["units"] = "V"
            group["image"] = np.zeros((5, 2))
            group["state"] = [b"on"] * 5
    with opened(tmp_path / "lab", tmp_path / "home") as (catalog, indexer):
        assert indexer.notices() == []
        fields = catalog.fields()
        assert set(fields) == {"run/left/x", "run/left/state", "run/deep/right/x", "run/deep/right/state"}
        assert fields["run/left/x"].units == "V"
        answer = ask(catalog, "run/deep/right/x", "run/left/state")
        assert answer.series("run/deep/right/x")[1].values.tolist() == [0, 1, 2, 3, 4]
        assert answer.series("run/left/state")[1].values.tolist() == ["on"] * 5


def test_bad_lines_and_cells_are_left_out_and_counted(tmp_path: Path):
    (tmp_path / "lab").mkdir()
    lines = [f"{1_700_000_000 + i},{i}" for i in range(100)]
    lines[20], lines[30], lines[40] = "torn", "1700000030,oops", "never,7"
    (tmp_path / "lab" / "a.csv").write_text("time,x\n" + "\n".join(lines) + "\n")
    with opened(tmp_path / "lab", tmp_path / "home") as (catalog, indexer):
        t, x = ask(catalog, "a/x").series("a/x")
        assert len(t) == 98
        assert x.present().sum() == 97
        assert indexer.notices() == [
            "a.csv: 3 lines or values could not be read and are left out; the first in line 22"
        ]


@pytest.mark.parametrize(("broken", "line"), [("torn", 40_003), ("never,7", 40_003), ("1700040001,oops", 40_003)])
def test_the_first_bad_line_is_told_by_its_number_wherever_it_is(tmp_path: Path, broken: str, line: int):
    (tmp_path / "lab").mkdir()
    lines = [f"{1_700_000_000 + i},{i}" for i in range(50_000)]
    lines[40_001] = lines[45_000] = broken
    (tmp_path / "lab" / "a.csv").write_text("time,x\n" + "\n".join(lines) + "\n")
    with opened(tmp_path / "lab", tmp_path / "home") as (_, indexer):
        (notice,) = indexer.notices()
        assert notice.endswith(f"2 lines or values could not be read and are left out; the first in line {line}")


def test_what_is_wrong_with_a_file_is_told_with_its_own_timeline_only(tmp_path: Path):
    t, x = samples(1000)
    (tmp_path / "lab").mkdir()
    (tmp_path / "lab" / "bad.csv").write_text("time,x\n1700000000,1\nnever,7\n1700000001,2\n")
    gone = write(tmp_path / "lab" / "gone_2024-01-01.parquet", t[:500], x=x[:500])
    write(tmp_path / "lab" / "gone_2024-01-02.parquet", t[500:], x=x[500:])
    write(tmp_path / "lab" / "good.parquet", t, x=x)
    with opened(tmp_path / "lab", tmp_path / "home") as (_, indexer):
        gone.unlink()
        indexer.round()
        assert len(indexer.notices()) == 2
        assert indexer.notices({"good"}) == indexer.notices(()) == []
        assert [each.partition(":")[0] for each in indexer.notices({"good", "bad"})] == ["bad.csv"]
        assert [each.partition(":")[0] for each in indexer.notices({"gone"})] == [gone.name]


def test_files_of_successive_dates_are_one_timeline(tmp_path: Path):
    named = [
        "2024/lab_2024-01-01.csv",
        "lab-2024-01-01T12-00-00Z.csv",
        "lab_1700000000.csv",
        "year=2024/month=1/lab.csv",
    ]
    assert {series_of(each, "", "data") for each in [*named, "lab/part-0001.csv", "lab.csv"]} == {"lab"}
    assert series_of("2024-01-01.csv", "", "data") == "data"
    assert series_of("a/b 1.csv", "x", "data") == "a/b 1/x"
    t, x = samples(3000)
    for day, rows in enumerate((slice(0, 1000), slice(1000, 2000), slice(2000, 3000)), 1):
        write(tmp_path / "lab" / "room" / f"2024-01-0{day}.parquet", t[rows], x=x[rows])
    with opened(tmp_path / "lab", tmp_path / "home") as (catalog, _):
        assert np.array_equal(ask(catalog, "room/x").series("room/x")[1].values, x)


# the node ---------------------------------------------------------------------------------------


def test_the_nearest_sample_is_found(tmp_path: Path):
    t, x = samples(100_000)
    write(tmp_path / "lab" / "a.parquet", t, x=x)
    with opened(tmp_path / "lab", tmp_path / "home") as (catalog, _):
        (timeline,) = catalog.timelines.values()
        for which, row in (("at", 50_000), ("before", 49_999), ("after", 50_001)):
            found = sample(timeline, "a/x", int(t[50_000]), which, [])
            assert found is not None
            assert (found.t[0], found.columns["a/x"].values[0]) == (t[row], x[row])
        assert sample(timeline, "a/x", int(t[0]), "before", []) is None


async def test_the_node_tells_its_progress_and_answers(tmp_path: Path):
    t, x = samples(50_000)
    write(tmp_path / "lab" / "room.parquet", t, x=x)
    node = Files(folder=tmp_path / "lab", index=tmp_path / "home", units={"x": "V"})
    service, frames, indexed = node.service(), [], asyncio.Event()

    def publish(frame):
        frames.append(frame)
        if (
            "indexed" in frame.columns
            and frame.columns["indexed"].values[-1] == 100
            and frame.columns["files"].values[-1]
        ):
            indexed.set()

    task = asyncio.create_task(service.run(publish))
    await asyncio.wait_for(indexed.wait(), 30)
    fields, timelines = await service.get_fields(0, 2**62)
    assert fields["room/x"].units == "V"
    assert timelines["room"].interval == pytest.approx((t[-1] - t[0]) / NS / 49_999)
    answer = await service.get_data(Query(("room/x", "indexed"), 0, 2**62, max_points=100))
    assert answer.samples > 50_000
    assert answer.series("indexed")[1].values[-1] == 100
    found = await service.get_sample(["room/x"], int(t[7]), "at")
    assert found.series("room/x")[1].values.tolist() == [x[7]]
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def test_a_folder_that_is_not_there_is_told(tmp_path: Path):
    with pytest.raises(ValueError, match="there is no folder"):
        Files(folder=tmp_path / "nowhere")


@pytest.mark.parametrize("suffix", FORMATS)
def test_what_is_in_no_tier_yet_is_answered_from_the_samples(tmp_path: Path, suffix: str, monkeypatch):
    t, x = samples(90_000)
    for day in range(3):
        rows = slice(day * 30_000, (day + 1) * 30_000)
        write(tmp_path / "lab" / f"a_2024-01-0{day + 1}.{suffix}", t[rows], x=x[rows])
    monkeypatch.setattr(indexing, "groups_of", lambda table: 1)
    monkeypatch.setattr(scanning, "groups_of", lambda table: 1)
    catalog, found = Catalog(tmp_path / "lab", tmp_path / "home", taken=set()), []

    def told() -> None:
        for width in (1 << 33, 1 << 37):
            for timeline in [each for each in catalog.timelines.values() if each.pieces or each.late]:
                seen = Lately(timeline, (int(t[0]), int(t[-1]) + 1), 1)
                query = Query(("a/x",), int(t[0]), int(t[-1]) + 1, bin=width, reduce="bins")
                found.append(bins(reading.answer([seen], query), "a/x") == binned(t, x, width))

    Indexer(catalog, "**/*", told).round()
    assert len(found) > 10
    assert all(found)
    assert all(not timeline.late for timeline in catalog.timelines.values())
    catalog.close()


def test_five_million_rows_are_answered_as_a_whole_in_little_memory(tmp_path: Path):
    t = START + np.arange(5_000_000) * 1_000_000
    x = np.sin(np.arange(5_000_000) / 1e5)
    x[3_333_333] = 99
    (tmp_path / "lab").mkdir()
    pq.write_table(pa.table({"time": pa.array(t, pa.timestamp("ns")), "x": x}), tmp_path / "lab" / "a.parquet")
    with opened(tmp_path / "lab", tmp_path / "home") as (catalog, _):
        pa.default_memory_pool().release_unused()
        before = pa.total_allocated_bytes()
        tracemalloc.start()
        answer = ask(catalog, "a/x", start=START, end=int(t[-1]) + 1, max_points=2000)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert answer.samples == 5_000_000
        assert answer.series("a/x")[1].values.max() == 99
        assert peak < 8 * 2**20
        assert pa.total_allocated_bytes() - before < 17 * 2**20  # a row group of the file, of five
