"""Tiers that are damaged or missing: no bin is wrong meanwhile, and they can be made whole."""

import os
import random
import shutil

import numpy as np
import pytest

from sisock.frames import Column, Frame
from sisock.store import growing
from sisock.store.archive import Archive
from sisock.store.index import Index
from sisock.store.levels import BLOCK
from sisock.store.records import LEAN_COLUMNS
from sisock.store.slots import held_size
from sisock.times import NS
from tests.archives import FIELDS, bins_by_hand, bins_of, everything, same

BASE = 1_700_000_000 * NS
ROWS = 300_000
GROUP = 8_192  # rows of a row group
T = BASE + np.cumsum(np.random.default_rng(1).integers(0, 2 * NS, ROWS))
M2 = [name for name, _ in LEAN_COLUMNS].index("m2") * BLOCK * 8  # where in a block the squared distances are
VALUES = np.random.default_rng(0).normal(size=ROWS)
VALUES[1000:3000] = np.nan
WHOLE = Frame("t", T, {"a": Column(VALUES), "b": Column(np.arange(ROWS))}, "e", ROWS)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A closed archive."""
    folder = tmp_path_factory.mktemp("whole")
    with Archive(folder) as made:
        for rows in (slice(0, 100_000), slice(100_000, 250_000), slice(250_000, ROWS)):
            made.put("n", part(rows), FIELDS)
            made.flush()
    return folder


def part(rows):
    return Frame("t", T[rows], {n: c.rows(rows) for n, c in WHOLE.columns.items()}, "e", rows.stop)


@pytest.fixture
def folder(whole, tmp_path):
    return shutil.copytree(whole, tmp_path / "copy")


def sizes(archive):
    return [(level.exponent, level.blocks) for level in archive.timelines()[0].tiers.levels]


def right(archive, frame=WHOLE):
    """Every zoom is what all samples give."""
    for name, points in (("a", 5), ("a", 200), ("a", 1500), ("b", 60)):
        query = everything(max_points=points)._replace(fields=(name,))
        bins, answer = bins_of(archive, query, name)
        assert answer.notices == ()
        same(bins, bins_by_hand(frame, name, answer.bin))


def harm(folder, seed):
    """Something happens to one of the files of tiers."""
    rng = random.Random(seed)
    path = rng.choice(sorted((folder / "tiers").rglob("*.b*")))
    data, kind = bytearray(path.read_bytes()), rng.choice(["flip", "cut", "zeros", "gone", "flip"])
    if kind == "gone":
        path.unlink()
        return
    at = rng.randrange(len(data))
    if kind == "flip":
        for _ in range(rng.choice([1, 2, 50])):
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    elif kind == "cut":
        del data[at:]
    else:
        data[at : at + 4096] = bytes(len(data[at : at + 4096]))
    path.write_bytes(data)


@pytest.mark.parametrize("seed", range(16))
def test_damaged_tiers_are_never_believed_and_made_whole(folder, seed):
    with Archive(folder) as made:
        before = sizes(made)
    for each in range(seed % 3 + 1):
        harm(folder, seed * 10 + each)
    with Archive(folder) as damaged:
        right(damaged)
        list(damaged.rebuild())
        assert not damaged.stale
        right(damaged)
    with Archive(folder) as mended:
        right(mended)
        assert not mended.stale
        after = dict(sizes(mended))
        assert all(after.get(e, 0) >= blocks for e, blocks in before), (before, after)


@pytest.mark.parametrize("seed", range(6))
def test_samples_that_come_into_damaged_tiers_make_no_bin_wrong(folder, seed):
    harm(folder, seed)
    late = Frame("t", T[:120_000:3] + 7, {"a": Column(VALUES[:120_000:3])}, "late", 40_000)
    more = Frame("t", T + (T[-1] - T[0]), {"a": Column(VALUES)}, "more", ROWS)
    with Archive(folder) as damaged:
        steps = damaged.rebuild()
        for frame in (late, more):
            damaged.put("n", frame, FIELDS)
            damaged.flush()
            next(steps, None)
        t = np.concatenate([T, late.t, more.t])
        order = np.argsort(t, kind="stable")
        a = np.concatenate([VALUES, late.columns["a"].values, VALUES])
        every = Frame("t", t[order], {"a": Column(a[order])})
        for _ in range(2):
            for points in (3, 100, 1000):
                bins, answer = bins_of(damaged, everything(max_points=points))
                same(bins, bins_by_hand(every, "a", answer.bin))
            list(steps)


def test_bytes_that_flip_while_the_archive_is_open_are_noticed(folder):
    with Archive(folder) as opened:
        right(opened)
        for path in (folder / "tiers").rglob("*.bins"):
            with path.open("r+b") as file:
                size = path.stat().st_size
                for at in range(0, size, 20_000):
                    os.pwrite(file.fileno(), b"\xff", at)
        right(opened)
        assert opened.stale
        list(opened.rebuild())
        right(opened)
        assert not opened.stale


@pytest.mark.parametrize(("wanted", "noticed"), [("band", False), ("std", True)])
def test_a_damaged_statistic_is_noticed_by_who_needs_it_and_hinders_nobody_else(folder, wanted, noticed):
    with Archive(folder) as opened:
        query = everything(max_points=200)._replace(fields=("b",), reduce=wanted)
        before = opened.answer("n", query)
        for path in (folder / "tiers").rglob("*.bins"):
            slot = held_size(path.parent, int(path.stem))
            with path.open("r+b") as file:
                for at in range(M2, path.stat().st_size, slot):
                    os.pwrite(file.fileno(), b"\xff" * 8, at)
        after = opened.answer("n", query)
        assert opened.stale == noticed
        for name, column in before.parts[0].points.columns.items():
            assert np.allclose(after.series(name)[1].values, column.values)


def test_tiers_that_are_all_gone_are_made_anew_as_they_were(folder):
    with Archive(folder) as made:
        before = sizes(made)
        made.timelines()[0].doubt_tiers()
        assert made.stale
        assert sizes(made) == []
        right(made)
    with Archive(folder) as opened:  # it is not forgotten that they are missing
        assert opened.stale
        assert [done for _, done in opened.rebuild()][-1] == 1.0
        assert sizes(opened) == before
        right(opened)


def test_of_samples_that_cannot_be_read_no_bins_are_kept_and_what_lacks_is_always_told(folder):
    segment = sorted((folder / "segments").rglob("*.parquet"))[1]
    with segment.open("r+b") as file:
        file.seek(segment.stat().st_size // 2)
        file.write(b"damaged")
    with Archive(folder) as made:
        exact, answer = bins_of(made, everything(max_points=50))
        assert answer.notices == ()  # the bins are still there
        made.timelines()[0].doubt_tiers()
        for _ in range(2):
            bins, answer = bins_of(made, everything(max_points=50))
            assert "cannot be read from" in answer.notices[0]
            assert 0 < exact.samples - bins.samples <= GROUP
            list(made.rebuild())


def test_tiers_that_could_not_grow_are_mended_after_a_restart_too(tmp_path, monkeypatch):
    grow, keep = growing.grow, Index.keep_holes

    def full(*_):
        raise OSError(28, "No space left on device")

    with Archive(tmp_path / "kept") as archive:
        archive.put("n", part(slice(0, 100_000)), FIELDS)
        archive.flush()
        monkeypatch.setattr(growing, "grow", full)
        archive.put("n", part(slice(100_000, 200_000)), FIELDS)
        archive.flush()
        monkeypatch.setattr(Index, "keep_holes", full)
        archive.put("n", part(slice(200_000, 250_000)), FIELDS)
        archive.flush()
        monkeypatch.setattr(growing, "grow", grow)
        monkeypatch.setattr(Index, "keep_holes", keep)
        archive.put("n", part(slice(250_000, ROWS)), FIELDS)
        archive.flush()
        shutil.copytree(tmp_path / "kept", tmp_path / "killed")
    for folder in ("kept", "killed"):
        with Archive(tmp_path / folder) as archive:
            assert archive.stale
            few = sizes(archive)
            right(archive)
            list(archive.rebuild())
            assert not archive.stale
            assert sizes(archive) > few
            right(archive)
