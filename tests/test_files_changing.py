"""The node for folders of files of others: files that grow, change, go and are damaged; a start after a kill."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from data_nodes.files.catalog import Catalog
from data_nodes.files.indexing import Indexer
from tests.folders import FORMATS, ask, binned, bins, opened, samples, write


@pytest.mark.parametrize("suffix", ["csv", "h5"])
def test_of_a_file_that_grows_only_what_is_new_is_read(tmp_path: Path, suffix: str):
    t, x = samples(150_000)
    path = write(tmp_path / "lab" / f"a.{suffix}", t[:90_000], x=x[:90_000])
    catalog = Catalog(tmp_path / "lab", tmp_path / "home", taken=set())
    indexer = Indexer(catalog, "**/*")
    indexer.round()
    for first, beyond in ((90_000, 90_003), (90_003, 90_010), (90_010, 150_000)):
        if suffix == "csv":
            write(tmp_path / "more.csv", t[first:beyond], x=x[first:beyond])
            with path.open("ab") as file:
                file.write((tmp_path / "more.csv").read_bytes().split(b"\n", 1)[1])
        else:
            with h5py.File(path, "a") as file:
                for name, values in (("time", t), ("x", x)):
                    file[name].resize((beyond,))
                    file[name][first:] = values[first:beyond]
        indexer.round()
        assert indexer.notices() == []
        (timeline,) = catalog.timelines.values()
        assert len(timeline.pieces) == 1
        assert timeline.pieces[0].rows == beyond
        width = 1 << 33
        answer = ask(catalog, "a/x", start=int(t[0]), end=int(t[beyond - 1]) + 1, bin=width, reduce="bins")
        assert bins(answer, "a/x") == binned(t[:beyond], x[:beyond], width)
        last = ask(catalog, "a/x", start=int(t[beyond - 20]), end=int(t[beyond - 1]) + 1)
        assert np.array_equal(last.series("a/x")[1].values, x[beyond - 20 : beyond])
    catalog.close()


def test_a_line_counts_when_it_has_its_newline(tmp_path: Path):
    (tmp_path / "lab").mkdir()
    path = tmp_path / "lab" / "a.csv"
    path.write_text("time,x\n1700000000,1\n1700000001,2")
    with opened(tmp_path / "lab", tmp_path / "home") as (catalog, indexer):
        assert ask(catalog, "a/x").series("a/x")[1].values.tolist() == [1]
        with path.open("a") as file:
            file.write("0\n")
        indexer.round()
        assert ask(catalog, "a/x").series("a/x")[1].values.tolist() == [1, 20]


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_file_that_has_changed_is_indexed_anew_and_its_neighbours_stay(tmp_path: Path, suffix: str):
    t, x = samples(90_000)
    for day in range(3):
        rows = slice(day * 30_000, (day + 1) * 30_000)
        write(tmp_path / "lab" / f"a_2024-01-0{day + 1}.{suffix}", t[rows], x=x[rows])
    with opened(tmp_path / "lab", tmp_path / "home") as (catalog, indexer):
        x[30_000:50_000] += 100
        kept = np.r_[0:50_000, 60_000:90_000]
        write(tmp_path / "lab" / f"a_2024-01-02.{suffix}", t[30_000:50_000], x=x[30_000:50_000])
        indexer.round()
        for width in (1 << 30, 1 << 36):
            answer = ask(catalog, "a/x", start=int(t[0]), end=int(t[-1]) + 1, bin=width, reduce="bins")
            assert bins(answer, "a/x") == binned(t[kept], x[kept], width)
        assert answer.tier is not None
        assert indexer.notices() == []


def test_a_file_that_vanishes_is_told_and_a_folder_that_is_away_keeps_its_index(tmp_path: Path):
    t, x = samples(60_000)
    for day in range(2):
        write(
            tmp_path / "lab" / f"a_2024-01-0{day + 1}.parquet",
            *(each[day * 30_000 :][:30_000] for each in (t,)),
            x=x[day * 30_000 :][:30_000],
        )
    with opened(tmp_path / "lab", tmp_path / "home") as (catalog, indexer):
        (tmp_path / "lab").rename(tmp_path / "away")
        indexer.round()
        assert "cannot be looked at" in indexer.notices()[0]
        (tmp_path / "away").rename(tmp_path / "lab")
        indexer.round()
        assert indexer.notices() == []
        assert ask(catalog, "a/x", max_points=100).samples == 60_000
        (tmp_path / "lab" / "a_2024-01-01.parquet").unlink()
        indexer.round()
        assert indexer.notices() == ["a_2024-01-01.parquet: it has vanished: 30000 samples are no longer shown"]
        answer = ask(catalog, "a/x", start=int(t[0]), end=int(t[-1]) + 1, bin=1 << 34, reduce="bins")
        assert bins(answer, "a/x") == binned(t[30_000:], x[30_000:], 1 << 34)


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_damaged_file_costs_only_itself(tmp_path: Path, suffix: str):
    t, x = samples(40_000)
    write(tmp_path / "lab" / f"good.{suffix}", t, x=x)
    bad = write(tmp_path / "lab" / f"bad.{suffix}", t, x=x)
    bad.write_bytes(b"\x00\xff" * 5000)
    with opened(tmp_path / "lab", tmp_path / "home") as (catalog, indexer):
        assert list(indexer.troubles) == [bad.name]
        assert ask(catalog, "good/x", max_points=100).samples == 40_000
        write(bad, t, x=x)
        indexer.round()
        assert indexer.notices() == []
        assert ask(catalog, "bad/x", max_points=100).samples == 40_000


def test_files_are_never_changed(tmp_path: Path):
    t, x = samples(20_000)
    before = {}
    for suffix in FORMATS:
        path = write(tmp_path / "lab" / f"{suffix}.{suffix}", t, x=x)
        path.chmod(0o400)
        before[path] = path.read_bytes(), path.stat().st_mtime_ns
    with opened(tmp_path / "lab", tmp_path / "home") as (catalog, _):
        assert ask(catalog, *catalog.fields(), max_points=10).samples == 80_000
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in (tmp_path / "lab").iterdir()} == before


# from one start to the next ---------------------------------------------------------------------

KILLED = """
import sys
import tracemalloc
from pathlib import Path
from data_nodes.files import indexing, scanning
from data_nodes.files.catalog import Catalog
from data_nodes.files.indexing import Indexer
import data_nodes.files.scanning as scanning, data_nodes.files.indexing as indexing
folder = Path(sys.argv[1])
indexing.groups_of = lambda table: 2
catalog = Catalog(folder / "lab", folder / "home", taken={"health"})
indexer = Indexer(catalog, "**/*", told=lambda: print(flush=True))
indexer.round()
"""


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_what_was_indexed_before_a_kill_is_kept_and_the_rest_is_made(tmp_path: Path, suffix: str):
    t, x = samples(400_000)
    write(tmp_path / "lab" / f"a.{suffix}", t, x=x)
    for pieces in (2, 3, 2):
        process = subprocess.Popen(
            [sys.executable, "-c", KILLED, str(tmp_path)], stdout=subprocess.PIPE, cwd=Path(__file__).parents[1]
        )
        assert process.stdout
        for _ in range(pieces + 1):
            process.stdout.readline()
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()
    catalog = Catalog(tmp_path / "lab", tmp_path / "home", taken={"health"})
    (timeline,) = catalog.timelines.values()
    kept = sum(each.rows for each in timeline.pieces)
    assert kept > 0
    Indexer(catalog, "**/*").round()
    assert sum(each.rows for each in timeline.pieces) == 400_000
    for width in (1 << 31, 1 << 36):
        answer = ask(catalog, "a/x", start=int(t[0]), end=int(t[-1]) + 1, bin=width, reduce="bins")
        assert bins(answer, "a/x") == binned(t, x, width)
    with opened(tmp_path / "lab", tmp_path / "fresh") as (fresh, _):
        blocks = [each.tiers.levels[0].blocks for each in (timeline, *fresh.timelines.values())]
        assert blocks[0] == pytest.approx(blocks[1], rel=0.1)
    catalog.close()


def test_tiers_that_were_being_changed_are_made_anew(tmp_path: Path):
    t, x = samples(100_000)
    write(tmp_path / "lab" / "a.parquet", t, x=x)
    with opened(tmp_path / "lab", tmp_path / "home") as (catalog, _):
        (timeline,) = catalog.timelines.values()
        span = [int(t[20_000]), int(t[60_000])]
        catalog.state.put(timeline._stale, json.dumps({"span": span, "levels": [timeline.tiers.levels[0].exponent]}))
        for level in timeline.tiers.levels:
            level._slots.bins["high"][:] = 0  # whatever may be half written
    with opened(tmp_path / "lab", tmp_path / "home") as (catalog, indexer):
        answer = ask(catalog, "a/x", start=span[0], end=span[1], bin=1 << 33, reduce="bins")
        inside = (t >= span[0]) & (t < span[1])
        assert bins(answer, "a/x") == binned(t[inside], x[inside], 1 << 33)
        whole = ask(catalog, "a/x", start=int(t[0]), end=int(t[-1]) + 1, bin=1 << 36, reduce="bins")
        assert bins(whole, "a/x") == binned(t, x, 1 << 36)
        indexer.round()
        assert not catalog.timelines[next(iter(catalog.timelines))].tiers.damaged
        whole = ask(catalog, "a/x", start=int(t[0]), end=int(t[-1]) + 1, bin=1 << 36, reduce="bins")
        assert bins(whole, "a/x") == binned(t, x, 1 << 36)


def test_a_second_start_reads_no_file_and_only_one_process_has_the_index(tmp_path: Path):
    t, x = samples(50_000)
    path = write(tmp_path / "lab" / "a.csv", t, x=x)
    with opened(tmp_path / "lab", tmp_path / "home"), pytest.raises(ValueError, match="another process has"):
        Catalog(tmp_path / "lab", tmp_path / "home", taken=set())
    path.chmod(0)
    with opened(tmp_path / "lab", tmp_path / "home") as (catalog, indexer):
        assert indexer.progress.percent == 100
        assert ask(catalog, "a/x", max_points=50).samples == 50_000


def test_a_damaged_index_is_made_anew(tmp_path: Path):
    t, x = samples(20_000)
    write(tmp_path / "lab" / "a.csv", t, x=x)
    for _ in range(2):
        with opened(tmp_path / "lab", tmp_path / "home") as (catalog, _indexer):
            assert ask(catalog, "a/x", max_points=50).samples == 20_000
        (tmp_path / "home" / "state.sqlite").write_bytes(b"junk" * 5000)
