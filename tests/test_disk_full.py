"""A disk that takes no more: what is there is answered, what could not be written waits, and nothing is half done."""

import resource
import subprocess
import sys
from pathlib import Path

import numpy as np

from sisock.frames import Column, Field, Frame, Query
from sisock.store.archive import Archive
from sisock.times import FIRST, LAST, NS

BASE = 1_700_000_000 * NS
ROWS = 20_000


def frame(number):
    t = BASE + (number * ROWS + np.arange(ROWS)) * NS
    values = np.random.default_rng(number).normal(size=ROWS)
    return Frame("t", t, {"a": Column(values)}, "e", (number + 1) * ROWS)


def counted(archive):
    answer = archive.answer("n", Query(("a",), FIRST, LAST, max_points=50, reduce="count"))
    assert answer.notices == ()
    return int(answer.series("a")[1].values.sum())


def files(folder):
    return {str(path.relative_to(folder / "segments")) for path in (folder / "segments").rglob("*.parquet")}


def fill(folder):
    """In a process of its own: files must not grow beyond a size, then they may again."""
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with Archive(folder) as archive:
        refused = 0
        for number in range(12):
            archive.put("n", frame(number), {"a": Field()})
            size = 40_000 + 400_000 * (number % 3) if number % 4 else hard
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
            try:
                archive.flush()
            except OSError:
                refused += 1
                assert archive.weight
            listed = {each.name for each in archive.timelines()[0].snapshot().segments.every}
            assert files(folder) == listed
            assert counted(archive) == (number + 1) * ROWS
        assert refused
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))


def test_what_a_full_disk_did_not_take_waits_and_nothing_is_half_done(tmp_path):
    code = f"from tests.test_disk_full import fill; from pathlib import Path; fill(Path({str(tmp_path)!r}))"
    root = Path(__file__).parents[1]
    made = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, timeout=100, check=False
    )
    assert made.returncode == 0, made.stderr
    with Archive(tmp_path) as archive:
        assert archive.notices == ()
        assert counted(archive) == 12 * ROWS
        list(archive.rebuild())
        assert counted(archive) == 12 * ROWS


def test_tiers_that_cannot_be_changed_double_nothing_and_are_mended(tmp_path):
    with Archive(tmp_path) as archive:
        archive.put("n", frame(0), {"a": Field()})
        archive.flush()
        lists = sorted((tmp_path / "tiers").rglob("*.blocks"))
        assert lists
        for path in lists:
            path.rename(path.with_suffix(".aside"))
            path.mkdir()  # so that it cannot be written, not even by root
        for _ in range(2):
            late = frame(0)
            archive.put("n", Frame("t", late.t + NS // 2, late.columns, "late", ROWS), {"a": Field()})
            archive.flush()
            assert archive.weight == 0
            assert counted(archive) == 2 * ROWS
        for path in lists:
            path.rmdir()
            path.with_suffix(".aside").rename(path)
        assert archive.stale
        list(archive.rebuild())
        assert not archive.stale
        assert counted(archive) == 2 * ROWS
    with Archive(tmp_path) as again:
        assert counted(again) == 2 * ROWS
