"""Blocks of tiers that are kept no longer."""

from pathlib import Path

import numpy as np

from sisock.frames import Column, Frame
from sisock.store import growing
from sisock.store.tiers import Kept, Tiers
from sisock.times import NS


def test_what_is_forgotten_is_no_tier_any_more_also_once_it_is_opened_again(tmp_path: Path):
    frame = Frame("", np.arange(200_000) * NS, {"x": Column(np.arange(200_000.0))})
    asked = {"x": Kept(1, "f8")}
    tiers = Tiers(tmp_path)
    tiers.begin(frame.t)
    taken = growing.take(tiers, asked, frame)
    growing.grow(tiers, asked, taken, 0, lambda start, end, _: {"x": frame.between(start, end)})
    tiers.forget(50_000 * NS, 60_000 * NS)
    for each in (tiers, Tiers(tmp_path)):
        for level in each.levels:
            assert not any(a.kept for a in level.stretches(1, *span(level, 50_000, 60_000)))
        finest = each.levels[0]
        assert all(a.kept for a in finest.stretches(1, *span(finest, 0, 30_000)))


def span(level, start, end):
    return start * NS >> level.exponent, (end * NS >> level.exponent) + 1
