"""Samples of a small laboratory, the same at each run, at times that are on no whole second."""

import numpy as np

from sisock.frames import Column, Field, Frame
from tests.memory import Memory

BEGIN = 1_769_990_400_000  # ms: 2026-02-02T00:00:00Z
LENGTH = 7_200_000  # ms
MS = 1_000_000
ABOUT = {
    "alpha": {"temperature": Field(units="K"), "requests": Field(units=""), "pump on": Field(type="bool")},
    "beta": {"temperature": Field(units="K"), "requests": Field(), "load": Field(), "word": Field(type="string")},
    "slow": {"level": Field(units="mm")},
}
PERIOD = {"alpha": 5_000, "beta": 7_000, "slow": 240_000}  # ms


def _times(rng, period):
    t = BEGIN + np.arange(0, LENGTH, period, dtype=np.int64)
    return t - t % 1000 + rng.integers(100, 900, len(t))


def _counter(rng, count, *, falls):
    steps = rng.integers(0, 9, count).astype(float)
    values = np.cumsum(steps) + 50
    for at in rng.choice(np.arange(20, count), falls, replace=False):
        values[at:] -= values[at] - steps[at]
    return values


def _values(rng, name, t):
    if name == "requests":
        return _counter(rng, len(t), falls=6)
    if name == "pump on":
        return (rng.random(len(t)) < 0.3).astype(float)
    return 280 + np.cumsum(rng.normal(size=len(t))) + (name == "load") * 1e6


def made(seed=20260202):
    """The samples as nodes of a consumer, and as series of Prometheus."""
    rng = np.random.default_rng(seed)
    nodes, series = {}, []
    for node, fields in ABOUT.items():
        t = _times(rng, PERIOD[node])
        keep = (t < BEGIN + 3_000_000) | (t > BEGIN + 4_500_000) | (node != "beta")  # beta was away for a while
        t = t[keep]
        columns = {}
        for name, field in fields.items():
            if field.type == "string":
                columns[name] = Column(np.array(["a"] * len(t), np.dtypes.StringDType()))
                continue
            values = _values(rng, name, t)
            columns[name] = Column(values.astype(bool) if field.type == "bool" else values)
            labels = {"__name__": name.replace(" ", "_"), "node": node, "field": name}
            series.append((labels | ({"unit": field.units} if field.units else {}), t.tolist(), values.tolist()))
        nodes[node] = fields, Frame("samples", t * MS, columns)
    return Memory(nodes), series
