"""Clocks that go wrong: what they said is kept as it was said, or refused and counted; nothing is lost between."""

import itertools

import numpy as np
import pytest

from sisock.frames import Column, Frame, Query
from sisock.store.intake import EARLIEST, LATEST
from sisock.store.keeper import Keeper, Taking
from sisock.times import FIRST, LAST, NS

LEAP = 1_483_228_800 * NS  # 2017-01-01T00:00:00Z; the second before it was 23:59:60, which POSIX time does not have
TENTH = NS // 10
ROWS = 6000


def kept(folder, t, parts=7):
    """What an archive has of samples with these times, each with its number as its value, and the counts; once reopened."""
    cuts = np.linspace(0, len(t), parts + 1).astype(int).tolist()
    with Keeper(folder, flush_age=0.0) as keeping:
        for first, beyond in itertools.pairwise(cuts):
            column = Column(np.arange(first, beyond))
            keeping.take([Taking("n", [Frame("t", t[first:beyond], {"a": column}, "e", beyond)])])
            keeping.tend()
    with Keeper(folder) as keeping:
        answer = keeping.archive.answer("n", Query(("a",), FIRST, LAST))
        reduced = keeping.archive.answer("n", Query(("a",), FIRST, LAST, max_points=50, reduce="count"))
        assert reduced.series("a")[1].values.sum() == answer.samples
        times, column = answer.series("a")
        assert (np.diff(times) >= 0).all()
        assert times.tolist() == t[column.values].tolist()
        (series,) = keeping.archive.timelines()
        return column.values.tolist(), series.counts


def ticks(first, count, tick=TENTH):
    return first + np.arange(count) * tick


CLOCKS = {
    "steps back a second at a leap second": np.concatenate([ticks(LEAP - 300 * NS, 3000), ticks(LEAP - NS, 3000)]),
    "smears a leap second over a day": LEAP - 43_200 * NS + np.arange(ROWS) * 86_401 * NS // ROWS * 86_400 // 86_401,
    "stands still for a second": np.concatenate([ticks(LEAP, 3000), np.full(10, LEAP + 300 * NS), ticks(LEAP + 300 * NS, 2990)]),
    "begins in 1970 and is set right": np.concatenate([ticks(0, 100), ticks(LEAP, 5900)]),
    "goes to 2199 and comes back": np.concatenate([ticks(LEAP, 3000), ticks(LATEST - 10 * NS, 100), ticks(LEAP + 300 * NS, 2900)]),
    "was right before 1970": ticks(EARLIEST, ROWS, 10**9 * NS // ROWS),
    "jitters": ticks(LEAP, ROWS) + np.random.default_rng(0).integers(-NS, NS, ROWS),
    "runs backwards": ticks(LEAP, ROWS)[::-1],
}  # fmt: skip


@pytest.mark.parametrize("clock", CLOCKS)
def test_every_sample_is_kept_once_as_its_clock_stamped_it_when_the_clock(clock, tmp_path):
    values, counts = kept(tmp_path, CLOCKS[clock])
    assert sorted(values) == list(range(ROWS))
    assert counts == {}


@pytest.mark.parametrize("t", [FIRST, EARLIEST - 1, LATEST, 9_214_646_400 * NS, LAST])
def test_a_time_that_no_clock_can_mean_is_refused_and_counted_and_the_others_are_kept(t, tmp_path):
    times = ticks(LEAP, ROWS)
    times[100:110] = t
    values, counts = kept(tmp_path, times)
    assert values == [*range(100), *range(110, ROWS)]
    assert counts == {"refused": 10}
