"""A timeline whose rate rises hundreds of times, and falls again: quick at any zoom, and right."""

import shutil

import numpy as np
import pytest

from sisock.frames import Column, Field
from sisock.grouping import Many
from sisock.store.archive import Archive
from sisock.times import NS
from tests.archives import bins_by_hand, bins_of, everything, frame_of, in_time, same

BASE = 1_700_000_000 * NS
SLOW, FAST = 60 * NS, NS // 100


def samples(start, interval, count, seed):
    t = start + np.arange(count) * interval
    return t, Column(np.random.default_rng(seed).normal(size=count))


def filled(archive, *stretches):
    """These stretches of (interval, samples) one after the other, in several flushes; all of it as a frame, and their ends."""
    frames, ends, start, seq = [], [], BASE, 0
    for number, (interval, count) in enumerate(stretches):
        t, column = samples(start, interval, count, number)
        for first in range(0, count, 60_000):
            rows = slice(first, first + 60_000)
            seq += len(t[rows])
            frames.append(frame_of(t[rows], column.rows(rows), "e", seq))
            archive.put("n", frames[-1], {"a": Field()})
            archive.flush()
        start = int(t[-1]) + interval
        ends.append(start)
    return in_time(frames), ends


def right(archive, whole, spans):
    for start, end in spans:
        for points in (7, 300):
            bins, answer = bins_of(archive, everything(max_points=points)._replace(start=start, end=end))
            same(bins, bins_by_hand(whole, "a", answer.bin, start, end))
            assert answer.samples == len(whole.between(start, end))
            lean = archive.answer("n", everything(max_points=points, reduce="band")._replace(start=start, end=end))
            expected = bins_by_hand(whole, "a", lean.bin, start, end)
            assert lean.series("a::max")[1].values.tolist() == expected.high.tolist()
            assert lean.series("a::min")[1].values.tolist() == expected.low.tolist()


def levels(archive):
    return [(level.exponent, level.full) for level in archive.timelines()[0].tiers.levels]


def spans_of(ends):
    edges = [BASE, *ends]
    return [(edges[0], edges[-1]), *zip(edges, ends, strict=False), (edges[1] - 10**12 - 7, edges[1] + 10**11 + 3)]


@pytest.mark.parametrize("stretches", [
    [(SLOW, 20_000), (FAST, 300_000)],
    [(SLOW, 20_000), (FAST, 200_000), (SLOW, 40_000)],
    [(3600 * NS, 3000), (SLOW, 5000), (FAST, 100_000), (SLOW, 5000)],
])  # fmt: skip
def test_bins_are_right_and_those_of_the_fast_stretch_come_from_tiers(tmp_path, stretches):
    with Archive(tmp_path) as archive:
        whole, ends = filled(archive, *stretches)
        right(archive, whole, spans_of(ends))
        before = levels(archive)
        assert 20 <= 2 ** before[0][0] / FAST < 80
        fast = next(number for number, (interval, _) in enumerate(stretches) if interval == FAST)
        asked = everything(max_points=300)._replace(start=ends[fast - 1], end=ends[fast])
        assert archive.answer("n", asked).tier is not None
    with Archive(tmp_path) as archive:
        assert levels(archive) == before
        assert not archive.stale
        right(archive, whole, spans_of(ends))
    shutil.rmtree(tmp_path / "tiers")
    with Archive(tmp_path) as archive:
        assert archive.stale
        list(archive.rebuild())
        assert levels(archive)[0] == before[0]
        assert archive.answer("n", asked).tier is not None
        right(archive, whole, spans_of(ends))


def test_slow_samples_after_a_fast_stretch_come_from_tiers(tmp_path):
    with Archive(tmp_path) as archive:
        _, ends = filled(archive, (SLOW, 60_000), (FAST, 100_000), (SLOW, 120_000))
        series = archive.timelines()[0]
        for again in (False, True):
            if again:
                series.doubt_tiers()
                list(archive.rebuild())
            ((_, pieces),) = series.tiers.read(
                [series.kinds["a"]["f8"]], (ends[1], ends[2]), 2**44, {"low", "high"}, series.tiers.level_for(2**44, ())
            )
            read = [each for each in pieces if not isinstance(each, Many)]
            rows = sum(series.snapshot().rows_within(*each) for each in read)
            assert rows < 30_000


@pytest.mark.parametrize("fast", [100, 1500])
def test_a_short_burst_begins_no_finer_tiers(tmp_path, fast):
    with Archive(tmp_path) as archive:
        filled(archive, (SLOW, 20_000), (FAST, fast), (SLOW, 20_000))
        assert levels(archive)[0] == (41, False)


def test_a_rate_that_rises_a_little_keeps_the_tiers_it_has(tmp_path):
    with Archive(tmp_path) as archive:
        filled(archive, (SLOW, 20_000), (SLOW // 5, 20_000))
        assert levels(archive)[0] == (41, False)


class Late:
    """A lock that comes to be held only after somebody else began finer tiers, each time but the first."""

    def __init__(self, series, t):
        self.series, self.t, self.lock, self.times = series, t, series.lock, 0

    def __enter__(self):
        self.times += 1
        if self.times > 1:
            with self.lock:
                self.series.tiers.begin(self.t)
        return self.lock.__enter__()

    def __exit__(self, *error):
        return self.lock.__exit__(*error)


def test_a_tier_stays_the_one_that_was_chosen_when_finer_ones_are_begun_meanwhile(tmp_path):
    with Archive(tmp_path) as archive:
        whole, _ = filled(archive, (SLOW, 100_000))
        (series,) = archive.timelines("n")
        before, first = archive.answer("n", everything(max_points=300)), levels(archive)
        series.lock = Late(series, whole.t[-1] + np.arange(4096) * FAST)
        after = archive.answer("n", everything(max_points=300))
        assert len(levels(archive)) > len(first)
        assert (after.tier, after.bin) == (before.tier, before.bin)
        assert after.series("a")[1].values.tolist() == before.series("a")[1].values.tolist()
