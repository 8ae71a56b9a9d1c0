"""Compaction, and single samples: what an archive answers stays the same, in fewer files and less work."""

import random

import numpy as np
import pytest

from sisock.frames import TEXT, Column, Frame, Query
from sisock.nearest import nearest, sought
from sisock.store.archive import Archive
from sisock.times import FIRST, LAST, NS
from tests.archives import FIELDS, bins_by_hand, bins_of, everything, same

BASE = 1_700_000_000 * NS


def filled(archive, parts, rows=5000, seed=0):
    """Samples in so many flushes, some of them late, some without a value; all of them as one frame."""
    rng = np.random.default_rng(seed)
    frames = []
    for part in range(parts):
        t = BASE + (part * rows + np.arange(rows)) * NS - (rows * NS // 2 if part % 7 == 3 else 0)
        a = rng.normal(size=rows)
        words = np.array(["up", "down"], TEXT)[(np.arange(rows) // 700 + part) % 2]
        columns = {"a": Column(a, rng.random(rows) < 0.1), "b": Column(np.arange(rows) + part), "s": Column(words)}
        frames.append(Frame("t", t, columns, "e", (part + 1) * rows))
        archive.put("n", frames[-1], FIELDS)
        archive.flush()
    t = np.concatenate([frame.t for frame in frames])
    order = np.argsort(t, kind="stable")
    columns = {}
    for name in ("a", "b", "s"):
        values = np.concatenate([frame.columns[name].values for frame in frames])
        gone = np.concatenate([np.zeros(rows, bool) if (m := f.columns[name].missing) is None else m for f in frames])
        columns[name] = Column(values[order], gone[order] if gone.any() else None)
    return Frame("t", t[order], columns)


def right(archive, whole):
    answer = archive.answer("n", Query(("a", "b", "s"), FIRST, LAST))
    assert answer.notices == ()
    for name, column in whole.columns.items():
        t, found = answer.series(name)
        assert t.tolist() == whole.t.tolist()
        assert found.values[found.present()].tolist() == column.values[column.present()].tolist()
    for points in (7, 300):
        bins, answer = bins_of(archive, everything(max_points=points))
        same(bins, bins_by_hand(whole, "a", answer.bin))


def names(folder):
    return sorted(path.name for path in (folder / "segments").rglob("*.parquet"))


def test_many_small_segments_become_few_large_ones_with_the_same_samples(tmp_path):
    with Archive(tmp_path) as archive:
        whole = filled(archive, 40)
        assert len(names(tmp_path)) == 40
        while archive.compact():
            right(archive, whole)
        assert len(names(tmp_path)) <= 8
        right(archive, whole)
        assert archive.put("n", Frame("t", whole.t[:5], {"a": Column(np.ones(5))}, "e", 200_000), FIELDS) == 0
    with Archive(tmp_path) as archive:
        assert archive.notices == ()
        right(archive, whole)
        archive.timelines()[0].doubt_tiers()
        list(archive.rebuild())
        right(archive, whole)


def test_samples_are_written_anew_only_a_few_times(tmp_path):
    with Archive(tmp_path) as archive:
        rewritten = 0
        for part in range(80):
            t = BASE + (part * 1000 + np.arange(1000)) * NS
            archive.put(
                "n",
                Frame("t", t, {"a": Column(np.random.default_rng(part).normal(size=1000))}, "e", part * 1000 + 1000),
                FIELDS,
            )
            archive.flush()
            rewritten += archive.compact()
        size = sum(segment.nbytes for segment in archive.timelines()[0].snapshot().segments.every)
        assert rewritten < 4 * size
        assert len(names(tmp_path)) < 16


def test_a_reader_keeps_what_it_has_begun_to_read(tmp_path):
    from sisock.store.snapshot import Trouble

    with Archive(tmp_path) as archive:
        whole = filled(archive, 16)
        before = archive.timelines()[0].snapshot()
        archive.compact()
        trouble = Trouble()
        read = before.read((FIRST, LAST), ("b",), trouble)
        assert not trouble.lost
        assert read.frame.columns["b"].values.tolist() == whole.columns["b"].values.tolist()
        assert len(names(tmp_path)) > 16
        del before, read
        archive.compact()
        assert len(names(tmp_path)) < 16


def test_segments_that_are_damaged_stay_as_they_are(tmp_path):
    with Archive(tmp_path) as archive:
        filled(archive, 10)
        path = sorted((tmp_path / "segments").rglob("*.parquet"))[3]
        data = bytearray(path.read_bytes())
        data[len(data) // 3] ^= 1
        path.write_bytes(data)
        archive.compact()
        assert path.exists()


def test_an_index_lost_in_the_middle_of_a_compaction_gives_no_sample_twice(tmp_path):
    with Archive(tmp_path) as archive:
        whole = filled(archive, 16)
        kept = archive.timelines()[0].snapshot()
        archive.compact()
        assert len(names(tmp_path)) > 16
    (tmp_path / "index.sqlite").unlink()
    del kept
    with Archive(tmp_path) as archive:
        right(archive, whole)


@pytest.mark.parametrize("seed", range(6))
def test_single_samples_are_those_of_brute_force(tmp_path, seed):
    rng = random.Random(seed)
    with Archive(tmp_path) as archive:
        whole = filled(archive, rng.choice([1, 5, 25]), seed=seed)
        for _ in range(40):
            t = rng.choice([rng.choice(whole.t.tolist()), rng.randrange(BASE - NS, int(whole.t[-1]) + NS), FIRST, LAST])
            which, name = rng.choice(["at", "before", "after"]), rng.choice(["a", "b", "s"])
            expected = nearest(whole, name, *sought(t, which), which)
            answer = archive.sample("n", (name,), t, which)
            assert answer.method == which
            found, column = answer.series(name)
            if expected is None:
                assert not len(found)
            else:
                assert found.tolist() == expected.t.tolist()
                if (whole.t == expected.t[0]).sum() == 1:
                    assert column.values.tolist() == expected.columns[name].values.tolist()
