"""Bins as they lie in tiers: whatever a statistic may be comes back as it was."""

import numpy as np
import pytest

from sisock.bins import Bins, of_samples
from sisock.frames import Column, Field, Frame, Query
from sisock.store.archive import Archive
from sisock.store.records import FULL_COLUMNS, coded, decoded
from sisock.times import FIRST, LAST, NS

VALUES = {
    "f8": np.array([-1.7e308, np.inf, 5e-324, -0.0]),
    "i8": np.array([-(2**63), 2**63 - 1, 2**60 + 1, 0]),
    "b1": np.array([True, False, True, False]),
}


@pytest.mark.parametrize("kind", VALUES)
def test_extremes_of_every_kind_come_back_to_the_last_bit(kind: str) -> None:
    values, t = VALUES[kind], np.array([FIRST, -1, 0, LAST])
    huge = np.array([2**40, 0, 1, 2**62])
    bins = Bins(t, huge, huge[::-1], values, values, huge * 1e280, huge * 1e270, t, t, values, values, t, t)
    records = coded(bins, FULL_COLUMNS)
    back = decoded({name: records[name] for name, _ in FULL_COLUMNS}, t, kind)
    for name, expected in bins._asdict().items():
        found = getattr(back, name)
        assert found.dtype == expected.dtype, name
        assert found.tobytes() == expected.tobytes(), name


def test_the_spread_of_very_large_values_is_the_same_from_tiers(tmp_path) -> None:
    t = np.arange(100_000) * NS
    density = np.random.default_rng(1).normal(1e20, 1e19, len(t))
    query = Query(("n_e",), FIRST, LAST, max_points=40, reduce="std")
    with Archive(tmp_path) as archive:
        archive.put("plasma", Frame("t", t, {"n_e": Column(density)}, "e", len(t)), {"n_e": Field(timeline="t")})
        archive.flush()
        answer = archive.answer("plasma", query)
    assert answer.tier is not None
    starts, found = answer.series("n_e")
    at = np.searchsorted(t, starts)
    at[0] = 0
    expected = of_samples(t, Column(density), at, starts, {"total", "m2"}).std
    assert np.allclose(found.values, expected, rtol=1e-12)
