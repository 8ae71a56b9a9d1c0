"""Which nodes were there when, as far as the bridge has heard: what windows hold of `up`."""

import numpy as np
from numpy.typing import NDArray

from grafana_json.directory import Directory
from grafana_json.prometheus.overtime import OverTime
from grafana_json.prometheus.samples import Samples, of_values
from grafana_json.prometheus.vectors import MS, Floats
from grafana_json.prometheus.windows import Windows
from sisock.frames import Times
from sisock.times import NS

_EVERY = 15 * NS  # between samples: as often as Prometheus would look
_MOST = 20_000  # samples of a node
_MOST_TOGETHER = 2_000_000


def presence(directory: Directory, node: str, windows: Windows, now: int, wanted: OverTime, among: int = 1) -> Samples:
    """1 where the node was up and 0 where it was away, up to now; nothing before the bridge first knew.

    Stretches from one edge of a window or change to the next, each standing for as many samples as are in it. Where a
    function wants samples, some of these, fewer where the node is one `among` many.
    """
    changes = sorted((change.at, change.state) for change in directory.changes.of(node))
    if directory.nodes().get(node) is None or not changes:
        return _NOTHING
    at = np.array([change for change, _ in changes], np.int64) - 1  # a stretch does not hold its begin
    states = np.array([state == "up" for _, state in changes], np.float64)
    begin, end = max(int(windows.after.min()), int(at[0])), min(int(windows.until.max()), now)
    if begin >= end:
        return _NOTHING
    if not wanted.statistics:
        most = max(1, min(_MOST, _MOST_TOGETHER // among))
        every = max(_EVERY, (end - begin) // most)
        grid = np.arange(-(-(begin + 1) // every) * every, end + 1, every, dtype=np.int64)
        t = _inside(begin, end, grid, at + 1, windows.after + MS, windows.until)
        return of_values(t, _state(states, at, t - 1))
    edges = _inside(begin - 1, end, at, windows.until, *(() if wanted.until_only else (windows.after,)), [begin])
    return _stretches(edges, _state(states, at, edges[:-1]))


def _inside(after: int, until: int, *times: NDArray[np.int64] | list[int]) -> Times:
    """These times, as far as they are `after < t <= until`, in order, each once, and the end."""
    every = np.unique(np.concatenate((*times, [until])))
    return every[(every > after) & (every <= until)]


def _state(states: Floats, at: Times, t: Times) -> Floats:
    """The state just after each of these times."""
    return states[np.searchsorted(at, t, "right") - 1]


def _stretches(edges: Times, states: Floats) -> Samples:
    count = np.diff(edges) / _EVERY
    begun, ended = edges[:-1] + 1, edges[1:]
    return Samples(
        ended, count, low=states, high=states, total=states * count, m2=np.zeros(len(count)), first=states, last=states,
        t_first=begun, t_last=ended, t_low=begun, t_high=begun,
    )  # fmt: skip


_NOTHING = of_values(np.empty(0, np.int64), np.empty(0))
