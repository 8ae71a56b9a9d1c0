"""Archives of any make: fields that come and go, rates that change, late samples, restarts in between."""

import numpy as np
import pytest

from sisock.frames import Column, Field, Frame, Query
from sisock.store.archive import Archive
from sisock.times import FIRST, LAST
from tests.archives import bins_by_hand, bins_of, in_time, same

BASE = 1_700_000_000 * 10**9


class History:
    """What came to an archive, made of a seed."""

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)
        self.names = [f"f{i}" for i in range(int(self.rng.integers(1, 5)))]
        self.interval = int(10 ** self.rng.uniform(3, 11))
        self.next = BASE
        self.frames = []

    def frame(self):
        """Some samples: usually the next ones, at times after a gap, earlier than others, or at another rate."""
        rng, n = self.rng, int(10 ** self.rng.uniform(0, 4.6))
        self.next += int(self.interval * 10 ** rng.uniform(0, 6)) if rng.random() < 0.2 else 0
        self.next -= int(self.interval * 10 ** rng.uniform(0, 4)) if rng.random() < 0.15 else 0
        rate = self.interval if rng.random() < 0.7 else max(1, int(self.interval * 10 ** rng.uniform(-2, 2)))
        t = self.next + np.cumsum(rng.integers(0, 2 * rate, n))
        self.next = int(t[-1]) + rate
        columns = {name: self.column(n) for name in self.names if rng.random() > 0.15}
        if columns:
            self.frames.append(Frame("t", t, columns))
        return Frame("t", t, columns, f"e{len(self.frames)} {self.next}", n)

    def column(self, n):
        values = self.rng.normal(size=n) * 10 ** self.rng.uniform(-3, 6)
        if self.rng.random() < 0.2:
            values[self.rng.random(n) < 0.3] = np.nan
        return Column(values, self.rng.random(n) < 0.3 if self.rng.random() < 0.2 else None)

    def window(self, t):
        a, b = sorted(int(each) for each in self.rng.choice(t, 2))
        return (a, b) if a < b and self.rng.random() < 0.7 else (FIRST, LAST)


@pytest.mark.parametrize("seed", range(20))
def test_every_zoom_of_any_history_is_what_all_samples_give(seed, tmp_path):
    history = History(seed)
    archive = Archive(tmp_path)
    for _ in range(int(history.rng.integers(1, 12))):
        archive.put("n", history.frame(), {name: Field() for name in history.names})
        if history.rng.random() < 0.6:
            archive.flush()
        if history.rng.random() < 0.15:
            archive.close()
            archive = Archive(tmp_path)
    for name in history.names:
        having = [frame.only([name]) for frame in history.frames if name in frame.columns]
        if not having:
            continue
        whole = in_time(having)
        for most in (3, 50, 1000):
            start, end = history.window(whole.t)
            bins, answer = bins_of(archive, Query((name,), start, end, max_points=most), name)
            expected = bins_by_hand(whole, name, answer.bin, start, end)
            there, wanted = bins.rows(bins.count > 0), expected.rows(expected.count > 0)
            same(
                there._replace(missing=wanted.missing), wanted
            )  # who writes several frames together marks more missing
    archive.close()
