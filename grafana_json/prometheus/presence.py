"""Which nodes were there when, as far as the bridge has heard: the samples of `up`."""

import numpy as np

from grafana_json.directory import Directory
from grafana_json.prometheus.samples import Samples, of_values
from sisock.times import NS

_EVERY = 15 * NS  # between samples: as often as Prometheus would look
_MOST = 20_000  # samples of a node


def presence(directory: Directory, node: str, span: tuple[int, int], now: int) -> Samples:
    """1 where the node was up and 0 where it was away, within `[start, end)` in ns and not later than now.

    Nothing before the bridge first knew.
    """
    listed = directory.nodes().get(node)
    changes = sorted((change.at, change.state) for change in directory.changes.of(node))
    start, end = max(span[0], changes[0][0] if changes else now), min(span[1], now + 1)
    if listed is None or start >= end:
        return of_values(np.empty(0, np.int64), np.empty(0))
    every = max(_EVERY, (end - start) // _MOST)
    grid = np.arange(-(-start // every) * every, end, every, dtype=np.int64)
    at = np.array([change for change, _ in changes], np.int64)
    inside = at[(at >= start) & (at < end)]
    t = np.unique(np.concatenate((grid, inside, np.array([end - 1], np.int64))))
    states = np.array([state == "up" for _, state in changes], np.float64)
    return of_values(t, states[np.searchsorted(at, t, "right") - 1])
