"""What is no longer kept singly: its bins answer as all samples would, whatever happened in between."""

import os
import random
import subprocess
import sys

import numpy as np
import pytest

from sisock.frames import TEXT, Column, Frame, Query
from sisock.store import archive as archives
from sisock.store.archive import Archive
from sisock.store.retention import Keep, Retention
from sisock.store.retired import Retired, retired
from sisock.store.series import Series
from sisock.store.tiers import Tiers
from sisock.times import FIRST, LAST, NS
from tests.archives import FIELDS, bins_by_hand, bins_of, everything, same
from tests.fleet import ROOT

BASE = 1_700_000_000 * NS
PARTS, ROWS = 12, 20_000
KEEP = Keep({"*": {"raw": "1d"}})
NOW = BASE + PARTS * ROWS * NS
SEED = int(os.environ.get("RETENTION_SEED", "20261126"))


def filled(folder, seed=0):
    """A closed archive of one sample a second with a spike, in so many segments; all samples."""
    rng = np.random.default_rng(seed)
    t = BASE + np.arange(PARTS * ROWS) * NS + rng.integers(0, NS // 2, PARTS * ROWS)
    a = rng.normal(size=len(t))
    a[[777, 100_001, 200_002]] = 1e3, -1e3, 2e3
    words = np.array(["up", "down"], TEXT)[np.arange(len(t)) // 700 % 2]
    columns = {"a": Column(a, rng.random(len(t)) < 0.1), "b": Column(np.arange(len(t))), "s": Column(words)}
    columns["a"].missing[[777, 100_001, 200_002]] = False
    whole = Frame("t", t, columns, "e", len(t))
    with Archive(folder) as archive:
        for part in range(PARTS):
            rows = slice(part * ROWS, (part + 1) * ROWS)
            archive.put("n", Frame("t", t[rows], {n: c.rows(rows) for n, c in columns.items()}, "e", rows.stop), FIELDS)
            archive.flush()
    return whole


def retained(archive, keep=KEEP, now=NOW):
    gone = 0
    while (step := archive.retain(keep, now))[1]:
        gone += step[0]
    return gone


def old_of(archive):
    return archive.timelines("n")[0].tiers.old


def right(archive, whole):
    """All of it, and windows over old, over new and across, are what all samples give; none narrower than is stored."""
    raw_from = old_of(archive).raw_from
    for points in (1, 7, 300, 4000):
        bins, answer = bins_of(archive, everything(max_points=points))
        assert not [each for each in answer.notices if "damaged" in each]
        same(bins, bins_by_hand(whole, "a", answer.bin) if points > 1 else whole_bin(bins, whole))
    for begin, end in ((BASE, raw_from), (raw_from, LAST // 2), (raw_from - 10**13, raw_from + 10**13)):
        for width in (4096 * NS, 137 * 2**37, 2**38):
            start = -(-begin // 2**40) * 2**40
            query = Query(("a",), start, min(end, NOW) // 2**40 * 2**40, bin=width)
            bins, answer = bins_of(archive, query)
            same(bins, bins_by_hand(whole, "a", answer.bin, query.start, query.end))


def whole_bin(bins, whole):
    made = bins_by_hand(whole, "a", 2**62)
    return made._replace(start=bins.start)


def test_answers_after_samples_went_are_those_that_all_samples_give(tmp_path):
    whole = filled(tmp_path)
    with Archive(tmp_path) as archive:
        before = archive.timelines("n")[0].nbytes
        gone = retained(archive)
        old = old_of(archive)
        assert gone > 4 * ROWS
        assert NOW - old.raw_from > 86_400 * NS
        assert archive.timelines("n")[0].nbytes < before
        right(archive, whole)
    with Archive(tmp_path) as archive:
        assert old_of(archive) == old
        assert archive.notices == ()
        right(archive, whole)
        assert retained(archive) == 0


@pytest.mark.parametrize("reduce", ["minmax", "m4", "band", "mean", "count", "std", "lttb", "first", "last"])
def test_any_reduction_reaches_back_before_the_samples_that_are_left(tmp_path, reduce):
    filled(tmp_path)
    with Archive(tmp_path) as archive:
        asked = everything(max_points=500, reduce=reduce)
        before = archive.answer("n", asked)
        retained(archive)
        after = archive.answer("n", asked)
        assert after.bin == before.bin
        for a, b in zip(before.parts, after.parts, strict=True):
            assert a.points.t.tolist() == b.points.t.tolist()
            for name, column in a.points.columns.items():
                assert np.allclose(column.values, b.points.columns[name].values, rtol=1e-5, atol=1e-6, equal_nan=True)
        if reduce in ("minmax", "m4", "lttb"):
            assert {1e3, -1e3, 2e3} <= set(after.series("a")[1].values.tolist())


def test_narrow_bins_of_what_went_are_those_that_are_stored_and_that_is_told(tmp_path):
    whole = filled(tmp_path)
    with Archive(tmp_path) as archive:
        retained(archive)
        tiers = archive.timelines("n")[0].tiers
        for reduce, low in (("band", 0), ("bins", 1)):
            query = Query(("a",), BASE + 1000 * NS, BASE + 1900 * NS, max_points=1000, reduce=reduce)
            answer = archive.answer("n", query)
            assert answer.bin == tiers.levels[low].width
            assert "wide" in answer.notices[0]
        bins, answer = bins_of(archive, query)
        start = -(-query.start // answer.bin) * answer.bin
        same(bins, bins_by_hand(whole, "a", answer.bin, start, -(-query.end // answer.bin) * answer.bin))


def test_samples_and_texts_that_went_are_told(tmp_path):
    whole = filled(tmp_path)
    with Archive(tmp_path) as archive:
        retained(archive)
        left = old_of(archive).beyond
        answer = archive.answer("n", Query(("a", "b", "s"), FIRST, LAST))
        assert "no longer kept singly" in answer.notices[0]
        assert "max_points" in answer.notices[0]
        for name in ("a", "b", "s"):
            assert answer.series(name)[0].tolist() == whole.t[whole.t >= left].tolist()
        texts = archive.answer("n", Query(("s",), FIRST, LAST, max_points=100))
        assert "no longer kept singly" in texts.notices[0]
        assert texts.series("s")[0][0] >= left
        for which, t in (("at", BASE + 10**13), ("before", left), ("after", BASE), ("after", BASE - 1)):
            sample = archive.sample("n", ("a", "s"), t, which)
            assert not any(len(part.points) for part in sample.parts)
            assert "no longer kept singly" in sample.notices[0]
        sample = archive.sample("n", ("b",), NOW, "at")
        assert sample.notices == ()
        assert sample.series("b")[1].values.tolist() == [len(whole) - 1]


@pytest.mark.parametrize("seed", range(4))
def test_late_samples_from_before_count_once(tmp_path, seed):
    whole = filled(tmp_path, seed)
    rng = np.random.default_rng(seed)
    with Archive(tmp_path) as archive:
        retained(archive)
        t = np.sort(rng.integers(BASE - 10**15, NOW, 500))
        late = Frame("t", t, {"a": Column(rng.normal(size=500))}, "late", 500)
        archive.put("n", late, FIELDS)
        every = together(whole, late)
        right(archive, every)
        archive.flush()
        right(archive, every)
    with Archive(tmp_path) as archive:
        right(archive, every)
        retained(archive)
        right(archive, every)
        archive.timelines("n")[0].doubt_tiers()
        right(archive, every)
        list(archive.rebuild())
        right(archive, every)


def together(whole, late):
    t = np.concatenate([whole.t, late.t])
    order = np.argsort(t, kind="stable")
    a, b = whole.columns["a"], late.columns["a"]
    missing = np.concatenate([a.missing, np.zeros(len(late), bool)])
    return Frame("t", t[order], {"a": Column(np.concatenate([a.values, b.values])[order], missing[order])})


def test_a_quota_is_kept_to_and_samples_go_before_bins(tmp_path):
    whole = filled(tmp_path)
    with Archive(tmp_path) as archive:
        series = archive.timelines("n")[0]
        quota = series.nbytes * 2 // 3
        retained(archive, Keep({"n": {"quota": f"{quota}B"}}))
        assert series.nbytes <= quota
        assert series.tiers.old.cut == FIRST
        right(archive, whole)
        quota = series.tiers.nbytes // 3
        retained(archive, Keep({"n": {"quota": f"{quota}B"}}))
        cut = series.tiers.old.cut
        assert cut > FIRST
        bins, answer = bins_of(archive, everything(max_points=100))
        same(bins, bins_by_hand(whole, "a", answer.bin, cut))


def test_bins_go_when_they_are_too_old(tmp_path):
    whole = filled(tmp_path)
    with Archive(tmp_path) as archive:
        retained(archive, Keep({"*": {"raw": "1d", "bins": "2d"}}))
        cut = old_of(archive).cut
        assert 2 * 86_400 * NS <= NOW - cut < 3 * 86_400 * NS
        bins, answer = bins_of(archive, everything(max_points=100))
        same(bins, bins_by_hand(whole, "a", answer.bin, cut))


def test_without_a_rule_nothing_goes(tmp_path):
    filled(tmp_path)
    with Archive(tmp_path) as archive:
        for keep in (Keep(), Keep({"other": {"raw": "1s"}}), Keep({"n": {"quota": "1TB"}})):
            assert retained(archive, keep, LAST // 2) == 0


def test_imported_samples_from_before_are_refused_and_counted(tmp_path):
    filled(tmp_path)
    with Archive(tmp_path) as archive:
        retained(archive)
        frame = Frame("t", np.array([BASE + 5, NOW]), {"a": Column(np.ones(2))})
        assert archive.put("n", frame, FIELDS) == 1
        assert archive.timelines("n")[0].counts["refused"] == 1


class StopError(Exception):
    pass


@pytest.mark.parametrize("step", ["sync", "note", "keep_old", "let_go", "add", "tidy"])
def test_an_end_at_any_step_leaves_right_answers(tmp_path, monkeypatch, step):
    whole = filled(tmp_path)
    owner = {"sync": Tiers, "keep_old": Series, "let_go": Series}.get(step, Retired)
    stop, archive = [False], Archive(tmp_path)
    true = getattr(owner, step)

    def stopping(*args):
        if stop[0]:
            raise StopError
        return true(*args)

    with monkeypatch.context() as patch:
        patch.setattr(owner, step, stopping)
        archive.retain(Keep({"*": {"raw": "3d"}}), NOW)
        stop[0] = True
        with pytest.raises(StopError):
            archive.retain(KEEP, NOW)
    os.close(archive._held)
    archive._index.close()
    with Archive(tmp_path) as again:
        assert again.notices == ()
        for _ in range(2):
            list(again.rebuild())
            if old_of(again):
                right(again, whole)
            retained(again)
        right(again, whole)
        listed = {segment.name for segment in again.timelines("n")[0].snapshot().segments.every}
        there = {str(path.relative_to(tmp_path / "segments")) for path in (tmp_path / "segments").rglob("*.parquet")}
        assert listed <= there <= listed | set(retired(again._index))


def test_wherever_a_process_is_killed_while_samples_go_answers_are_right(tmp_path):
    whole, rng = filled(tmp_path), random.Random(SEED)
    for hours in range(60, 5, -6):
        argv = [sys.executable, "-m", "tests.retaining", str(tmp_path), f"{hours}h", str(NOW)]
        with subprocess.Popen(
            argv, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE
        ) as one:
            one.stdout.readline()
            for _ in range(rng.randrange(4_000_000)):
                pass  # a moment that is not that of a line
            one.kill()
        with Archive(tmp_path) as archive:
            assert not [each for each in archive.notices if "lost" in each or "damaged" in each], f"seed {SEED}"
            if old_of(archive):
                right(archive, whole)
    with Archive(tmp_path) as archive:
        retained(archive, Keep({"*": {"raw": "6h"}}))
        assert old_of(archive).beyond > BASE + 40 * 3600 * NS
        right(archive, whole)


@pytest.mark.parametrize("seed", range(8))
def test_damaged_bins_of_what_went_are_told_and_never_wrong(tmp_path, seed):
    whole = filled(tmp_path)
    with Archive(tmp_path) as archive:
        retained(archive)
    rng = random.Random(seed)
    paths = sorted((tmp_path / "tiers").rglob("*.bins"))[:2]
    path = rng.choice(paths)
    data = bytearray(path.read_bytes())
    for _ in range(3):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    path.write_bytes(data)
    with Archive(tmp_path) as archive:
        for _ in range(2):
            for points in (10, 300, 3000):
                bins, answer = bins_of(archive, everything(max_points=points))
                expected = bins_by_hand(whole, "a", answer.bin)
                if not any("damaged" in each for each in answer.notices):
                    same(bins, expected)
                    continue
                at = np.searchsorted(expected.start, bins.start)
                assert (bins.count <= expected.count[at]).all()
            list(archive.rebuild())


@pytest.mark.parametrize("word", range(4))
def test_an_entry_of_bins_of_what_went_that_is_damaged_is_told(tmp_path, word):
    whole = filled(tmp_path)
    with Archive(tmp_path) as archive:
        retained(archive)
    for path in sorted((tmp_path / "tiers").rglob("*.blocks"))[:2]:
        data = bytearray(path.read_bytes())
        data[32 + 8 * word] ^= 2
        path.write_bytes(data)
    with Archive(tmp_path) as archive:
        for _ in range(2):
            bins, answer = bins_of(archive, everything(max_points=5))
            assert any("damaged" in each for each in answer.notices)
            expected = bins_by_hand(whole, "a", answer.bin)
            assert (bins.count <= expected.count[np.searchsorted(expected.start, bins.start)]).all()
            list(archive.rebuild())


def test_after_the_machine_went_down_what_is_proved_stays(tmp_path, monkeypatch):
    whole = filled(tmp_path)
    with Archive(tmp_path) as archive:
        retained(archive)
    boot = tmp_path / "boot"
    boot.write_text("another")
    with Archive(tmp_path) as archive:
        archive._index.note({"running": "gone"})
        archive._index.close()
        os.close(archive._held)
        archive._series.clear()
        monkeypatch.setattr(archives, "_BOOT", boot)
        with Archive(tmp_path) as again:
            assert again.stale
            right(again, whole)
            list(again.rebuild())
            assert not again.stale
            right(again, whole)
        monkeypatch.undo()
        archive.close = lambda **_: None


def test_segments_that_cannot_be_read_stay_and_so_do_their_samples(tmp_path):
    filled(tmp_path)
    with Archive(tmp_path) as archive:
        first = archive.timelines("n")[0].snapshot().segments.every[0]
        path = tmp_path / "segments" / first.name
        data = bytearray(path.read_bytes())
        data[200:300] = bytes(100)
        path.write_bytes(data)
        retained(archive)
        assert path.exists()
        assert old_of(archive).raw_from > BASE


@pytest.mark.parametrize(
    ("rules", "told"),
    [
        ({"*": {"raw": "2 years"}}, "not a duration"),
        ({"*": {"quota": "20 gigs"}}, "as in 20GB"),
        ({"*": {"bins": "1y"}}, "give raw"),
        ({"*": {"raw": "2y", "bins": "1y"}}, "give raw"),
        ({"*": {"age": "2y"}}, "raw, bins, quota"),
        ({"*": {"quota": 20}}, "as texts"),
        ({"*": "2y"}, "as texts"),
        (["*"], "no table"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_the_cure(rules, told):
    with pytest.raises(ValueError, match=told):
        Keep(rules)


def test_the_last_rule_that_matches_counts():
    keep = Keep({"*": {"quota": "1.5GB"}, "ls*": {"raw": "30d", "bins": "10y"}})
    assert keep("lsof") == Retention(30 * 86_400 * NS, 10 * 31_557_600 * NS)
    assert keep("host") == Retention(quota=1_500_000_000)
    assert Keep()("host") == Retention()


@pytest.mark.parametrize("all_of_it", [False, True])
def test_a_lost_index_is_made_anew_with_what_is_in_tiers_only(tmp_path, all_of_it):
    whole = filled(tmp_path)
    with Archive(tmp_path) as archive:
        retained(archive, Keep({"*": {"raw": "1s"}}) if all_of_it else KEEP)
        old = old_of(archive)
    (tmp_path / "index.sqlite").unlink()
    with Archive(tmp_path) as archive:
        assert old_of(archive) == old
        right(archive, whole)
        list(archive.rebuild())
        right(archive, whole)
        assert archive.put("n", Frame("t", whole.t[:9], {"a": Column(np.ones(9))}, "e", 9), FIELDS) == 0
