"""Any zoom, any age: what a picture costs, whatever lies behind it; against peers over the same samples.

An archive of one field with `--size` samples, one of ten fields with a tenth of the rows, and one of a million. Peers:
DuckDB over the same Parquet files, numpy over a memory map of the raw columns, InfluxDB where it is installed. Every answer is compared with the peer's. The one
of ten fields is also asked as Grafana does, through bridge, router and recorder, and opened after a process that wrote was killed.

A machine may be shared with others that slow it down for a while: what is warm is measured in several looks, each of which
is printed, and the best of them counts; so it does for peers.

`python -m benchmarks.any_zoom [--size 1e7] [--fields 10] [--folder DIR]`; exit code 1 if a figure is missed or an answer
is wrong. The figures of 10^8 and 10^9 samples take minutes and 17 GB at 10^9; archives in `--folder` are used again.
"""

import argparse
import contextlib
import itertools
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray

from benchmarks import influx
from benchmarks.common import Figure, machine, outcome
from benchmarks.panels import bridge, panels
from sisock.frames import Column, Field, Frame, Query
from sisock.store.archive import Archive
from sisock.times import FIRST, LAST

BEGIN = 1_500_000_000 * 10**9
STEP = 10**7  # ns between samples: 100 Hz
BINS = 1000
_BATCH = 262_144
_WINDOWS = 400
_COLD = "--one-cold-query"
_WRITE = "--write-until-killed"
_LOOKS = 5  # at what is warm
_FLUSHES = 20  # that are waited for before the kill


def noise(first: int, rows: int) -> NDArray[np.float64]:
    """Noise on a slow sine, the same at each call; a spike here and there."""
    values: NDArray[np.float64] = np.random.default_rng(first).normal(size=rows) + 10 * np.sin(
        np.arange(first, first + rows) / 1e6
    )
    values[rows // 2] += 100
    return values


def fill(folder: Path, rows: int, fields: int) -> tuple[Archive, float]:
    """An archive of so many samples of so many fields, and the seconds that it took; one that is there is opened."""
    ready = folder / "ready"
    archive = Archive(folder)
    began = time.perf_counter()
    if not ready.exists():
        about = {f"f{i}": Field(units="V", timeline="t") for i in range(fields)}
        for first in range(0, rows, _BATCH):
            count = min(_BATCH, rows - first)
            t = np.arange(first, first + count) * STEP + BEGIN
            columns = {name: Column(noise(first + i, count)) for i, name in enumerate(about)}
            archive.put("n", Frame("t", t, columns, "epoch", first + count), about)
            archive.flush()
        archive.compact()
        ready.touch()
    return archive, time.perf_counter() - began


def timed(act: Callable[[], Any], times: int) -> list[float]:
    """Milliseconds of each of so many calls, after a few that do not count."""
    for _ in range(3):
        act()
    took = []
    for _ in range(times):
        began = time.perf_counter()
        act()
        took.append((time.perf_counter() - began) * 1e3)
    return took


def best(what: str, looks: list[float]) -> float:
    """The least of several looks, which are printed."""
    print(f"{what}, each look: {', '.join(f'{each:.3g}' for each in looks)} ms", flush=True)
    return min(looks)


def whole(fields: int = 1) -> Query:
    """A thousand bins of min, max and mean over all there is."""
    return Query(tuple(f"f{i}" for i in range(fields)), FIRST, LAST, max_points=BINS, reduce="band")


# figures ----------------------------------------------------------------------------------------


def whole_archive(archive: Archive, million: Archive, segments: str) -> Iterator[Figure]:
    """The whole archive on one screen."""

    def look(at: Archive) -> float:
        return statistics.median(timed(lambda: at.answer("n", whole()), 100))

    looks = [(look(archive), look(million)) for _ in range(_LOOKS)]
    took = best("the whole archive", [large for large, _ in looks])
    yield Figure("1,000 bins over the whole archive", took, 1.0, "ms")
    yield Figure("… times that of 10^6 samples", statistics.median(a / b for a, b in looks), 1.5, "")
    answer = archive.answer("n", whole())
    sql = (
        f"SELECT epoch_ns(time) // {answer.bin} AS bin, min(f0), max(f0), avg(f0), count(f0) "
        f"FROM read_parquet('{segments}') GROUP BY bin ORDER BY bin"
    )
    times = []
    for _ in range(2):
        began = time.perf_counter()
        rows = _peer(sql)
        times.append((time.perf_counter() - began) * 1e3)
    peer = best("DuckDB", times)
    for name, expected in (("f0::min", "min(f0)"), ("f0::max", "max(f0)")):
        assert np.array_equal(answer.series(name)[1].values, rows[expected]), f"{name} is not what DuckDB finds"
    assert np.allclose(answer.series("f0")[1].values, rows["avg(f0)"]), "the means are not what DuckDB finds"
    yield Figure(
        f"… times faster than DuckDB ({peer:.0f} ms)", peer / took, 1000 if answer.samples >= 10**8 else 10, "", True
    )


def of_influx(million: Archive) -> Iterator[Figure]:
    """The million samples in InfluxDB, where it is installed: the same bins."""
    if not influx.installed():
        print("InfluxDB is not installed (Debian's package influxdb): not compared")
        return
    answer = million.answer("n", whole())
    took = statistics.median(timed(lambda: million.answer("n", whole()), 50))
    raw = million.answer("n", Query(("f0",), FIRST, LAST))
    t, column = raw.series("f0")
    with influx.running() as peer:
        seconds = peer.fill(t, column.values)
        rows, ms = peer.bins(int(t[0]), int(t[-1]) + 1, answer.bin or 1)
    assert np.array_equal(answer.series("f0::max")[1].values, [high for _, _, high, _ in rows]), "not what it finds"
    print(f"InfluxDB: filled with {len(t) / seconds / 1e6:.2f} million values/s, 1,000 bins in {ms:.0f} ms")
    yield Figure("a million samples in 1,000 bins, times faster than InfluxDB", ms / took, 10, "", True)


def any_window(archive: Archive, rows: int, fields: int) -> Iterator[Figure]:
    """Windows of every length anywhere, several fields; each was looked at once before, and many others since."""
    rng, widest = np.random.default_rng(1), rows * STEP
    for method in ("band", "minmax", "m4"):
        spans = (10 ** rng.uniform(5, np.log10(widest), _WINDOWS)).astype(np.int64)
        starts = BEGIN + (rng.uniform(size=_WINDOWS) * (widest - spans)).astype(np.int64)
        windows = list(zip(starts.tolist(), (starts + spans).tolist(), strict=True))
        looks: list[list[float]] = [[] for _ in range(1 + _LOOKS)]
        for took in looks:
            for start, end in windows:
                query = whole(fields)._replace(start=start, end=end, reduce=method)
                began = time.perf_counter()
                answer = archive.answer("n", query)
                took.append((time.perf_counter() - began) * 1e3)
                first, beyond = -(-(start - BEGIN) // STEP), -(-(end - BEGIN) // STEP)
                expected = {beyond - first} if beyond > first else set()
                assert {part.samples for part in answer.parts} == expected, f"{method}: samples are missing"
                assert sum(len(part.points.columns) for part in answer.parts) >= fields or not expected, (
                    "a field is missing"
                )
        p99 = best(f"any window, {method}", [float(np.percentile(took, 99)) for took in looks[1:]])
        yield Figure(f"any window, {fields} fields, {method}, warm, p99", p99, 10, "ms")


def cold(folder: Path) -> Figure:
    """The first queries of a new process, nothing of the archive in the page cache."""
    took = []
    for seed in range(5):
        for path in folder.rglob("*"):
            if path.is_file():
                _forget(path)
        argv = [sys.executable, "-m", "benchmarks.any_zoom", _COLD, str(seed), "--folder", str(folder)]
        took.append(float(subprocess.run(argv, capture_output=True, text=True, check=True).stdout))
    return Figure("any window, cold, the worst of 5", max(took), 100, "ms")


def _forget(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    os.fsync(descriptor)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(descriptor)


def one_cold_query(folder: Path, seed: int) -> None:
    """Print the milliseconds of a query somewhere in the archive."""
    archive = Archive(folder)
    ends = archive.timelines("n")[0].snapshot().ends()
    assert ends is not None  # it was filled
    rng = np.random.default_rng(seed)
    span = int((ends[1] - ends[0]) * 10 ** rng.uniform(-5, 0))
    start = ends[0] + int(rng.uniform(0, ends[1] - ends[0] - span))
    began = time.perf_counter()
    archive.answer("n", whole(10)._replace(start=start, end=start + span))
    print((time.perf_counter() - began) * 1e3)


def raw(archive: Archive, rows: int, folder: Path, segments: str) -> Iterator[Figure]:
    """A million samples out of the middle."""
    count = min(1_000_000, rows // 2)
    start = BEGIN + rows // 2 * STEP
    end = start + count * STEP
    query = Query(("f0",), start, end)
    took = statistics.median(timed(lambda: archive.answer("n", query), 9))
    sql = f"SELECT epoch_ns(time) AS t, f0 FROM read_parquet('{segments}') WHERE time >= {_stamp(start)} AND time < {_stamp(end)}"
    peer = statistics.median(timed(lambda: _peer(sql), 9))
    answer = archive.answer("n", query)
    assert np.array_equal(answer.series("f0")[1].values, _peer(sql + " ORDER BY time")["f0"])
    t, values = (np.memmap(folder / name, "<i8" if name == "t" else "<f8", "w+", shape=(2 * count,)) for name in "tv")
    t[:], values[:] = 1, 2.0
    copy = statistics.median(
        timed(lambda: (np.array(t[count // 2 : -count // 2]), np.array(values[count // 2 : -count // 2])), 9)
    )
    yield Figure(f"{count:,} samples out of the middle, times DuckDB ({peer:.1f} ms)", took / peer, 1, "")
    yield Figure(f"… times a copy out of a memory map ({copy:.1f} ms)", took / copy, 20, "")


def _peer(sql: str) -> dict[str, Any]:
    """What DuckDB finds, as arrays."""
    found = duckdb.sql(sql)
    assert found is not None  # it is a SELECT
    return found.fetchnumpy()


def _stamp(ns: int) -> str:
    return f"make_timestamp_ns({ns})::TIMESTAMPTZ_NS"


def disk(archive: Archive, folder: Path, segments: str) -> Iterator[Figure]:
    """Bytes at rest."""
    series = archive.timelines("n")[0]
    ours = sum(segment.nbytes for segment in series.snapshot().segments.every)
    theirs = folder / "duckdb.parquet"
    duckdb.sql(f"COPY (SELECT * FROM read_parquet('{segments}')) TO '{theirs}' (FORMAT parquet, COMPRESSION zstd)")
    yield Figure("tiers on top of segments", 100 * series.tiers.nbytes / ours, 60, "%")
    yield Figure("segments, times DuckDB's own zstd Parquet", ours / theirs.stat().st_size, 1.1, "")
    theirs.unlink()


# after a kill, and through the bridge --------------------------------------------------------------


def write_until_killed(folder: Path, fields: int) -> None:
    """Write samples of another node; print how many of it are on disk, after each flush."""
    about = {f"f{i}": Field(units="V", timeline="t") for i in range(fields)}
    epoch, rows = f"epoch {time.time_ns()}", 20_000
    with Archive(folder) as archive:
        before = sum(series.snapshot().rows_within(FIRST, LAST) for series in archive.timelines("killed"))
        for first in itertools.count(0, rows):
            t = np.arange(first, first + rows) * STEP + time.time_ns()
            columns = {name: Column(noise(first + i, rows)) for i, name in enumerate(about)}
            archive.put("killed", Frame("t", t, columns, epoch, first + rows), about)
            archive.flush()
            print(before + first + rows, flush=True)


def killed(folder: Path, fields: int) -> Figure:
    """How long it takes to open the archive that a process was writing when it was killed; all that it wrote is there."""
    argv = [sys.executable, "-m", "benchmarks.any_zoom", _WRITE, str(fields), "--folder", str(folder)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None  # it is a pipe
        for _ in range(_FLUSHES):
            written = int(process.stdout.readline())
        process.kill()
        written = max([written, *map(int, process.stdout.read().split("\n")[:-1])])
    began = time.perf_counter()
    archive = Archive(folder)
    took = time.perf_counter() - began
    assert archive.timelines("killed")[0].snapshot().rows_within(FIRST, LAST) >= written, "samples are missing"
    archive.close()
    return Figure("archive opens, after kill -9", took, 2, "s")


def through_bridge(folder: Path, rows: int, fields: int) -> Iterator[Figure]:
    """The same windows as Grafana asks for them."""
    with bridge(folder) as port:
        looks = [panels(port, (BEGIN, rows * STEP), fields, seed) for seed in range(_LOOKS)]
    p99 = best("any window through the bridge", [float(np.percentile(took, 99)) for took in looks])
    yield Figure(f"any window, {fields} fields, warm, p99 through the bridge", p99, 40, "ms")
    print(f"median through the bridge: {min(map(statistics.median, looks)):.1f} ms")


def main() -> int:
    """Print the figures; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--size", type=float, default=1e7, help="samples of the field")
    parser.add_argument("--fields", type=int, default=10)
    parser.add_argument("--folder", type=Path, help="where archives lie that are used again")
    parser.add_argument(_COLD, type=int, dest="cold", help=argparse.SUPPRESS)
    parser.add_argument(_WRITE, type=int, dest="write", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.write is not None:
        write_until_killed(options.folder, options.write)
        return 0
    if options.cold is not None:
        one_cold_query(options.folder, options.cold)
        return 0
    rows = int(options.size)
    with contextlib.ExitStack() as stack:
        place = options.folder or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        figures = list(_figures(place, rows, options.fields))
    print(f"{rows:,} samples; {machine()}")
    return outcome(figures)


def _figures(place: Path, rows: int, fields: int) -> Iterator[Figure]:
    one, many, million = (place / name for name in (f"one-{rows}", f"many-{rows}", "million"))
    archive, took = fill(one, rows, 1)
    small, _ = fill(million, 10**6, 1)
    segments = f"{one}/segments/**/*.parquet"
    print(f"filled with {rows / took / 1e6:.1f} million values/s" if took > 1 else "filled before", flush=True)
    yield from whole_archive(archive, small, segments)
    yield from of_influx(small)
    yield from raw(archive, rows, place, segments)
    yield from disk(archive, place, segments)
    archive.close()
    small.close()
    wide, _ = fill(many, rows // 10, fields)
    yield from any_window(wide, rows // 10, fields)
    wide.close()
    yield cold(many)
    yield from through_bridge(many, rows // 10, fields)
    yield killed(many, fields)
    shutil.rmtree(place / "t", ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
