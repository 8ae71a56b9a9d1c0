"""The series that selectors stand for, and what is known of them at steps and in windows of time."""

from typing import Any

import numpy as np
import promql_parser as grammar
from promql_parser import AtModifierType

from grafana_json.prometheus.fetching import Fetch, Stretch
from grafana_json.prometheus.grammar import length, moment
from grafana_json.prometheus.matching import Finder, Selector
from grafana_json.prometheus.naming import Series
from grafana_json.prometheus.overtime import LATEST, OverTime
from grafana_json.prometheus.samples import Samples
from grafana_json.prometheus.trouble import QueryError
from grafana_json.prometheus.vectors import MS, Floats, Labels, Millis, Steps, Vector, check_size, nothing, to_ns
from grafana_json.prometheus.windows import Windows, latest
from sisock.frames import Times

MOST_SERIES = 2_000  # that one selector may stand for
LOOKBACK = 300_000  # ms for which a sample stands for what comes after it
_INTERVALS = 3  # or so many usual intervals between samples, where that is longer
_LONGEST = 400 * 86_400 * 10**9  # ns for which it stands at the most


class Selecting:
    """Selects for one request."""

    def __init__(self, steps: Steps, finder: Finder, fetch: Fetch, lookback: int | None) -> None:
        """The query is asked at these steps; `lookback`, in ms, in place of what is usual."""
        self._query, self._finder, self._fetch, self._lookback = steps, finder, fetch, lookback
        self._values = 0  # of all series that were selected

    def latest(self, selector: Any, steps: Steps) -> tuple[Vector, Floats]:
        """The last sample of each series at each step, and when it was, in seconds."""
        series = self._find(selector, steps)
        times = self.times(selector, steps)
        until = to_ns(times)
        least = self._lookback or LOOKBACK
        usual = self._fetch.usual(series, Windows(until - least * MS, until))
        back = [self._lookback_of(usual.get((each.node, each.field))) for each in series]
        rows = [
            latest(samples, Windows(until - ns, until).at_least(samples.width)) if samples is not None else None
            for samples, ns in zip(self._looked_back(series, back, until), back, strict=True)
        ]
        some = [(each, row) for each, row in zip(series, rows, strict=True) if row is not None]
        if not some:
            return nothing(steps.count), np.empty((0, steps.count))
        values, at, there = (np.array([row[i] for _, row in some]) for i in range(3))
        vector = Vector([each.labels for each, _ in some], values, there)
        return spread(vector, steps.count), np.broadcast_to(at / 1e9, (len(some), steps.count))

    def _looked_back(self, series: list[Series], back: list[int], until: Times) -> list[Samples | None]:
        """The samples of each series from so many ns before these times on, or a little earlier.

        Series that look back about as far, up to a factor of two, are asked for together: what comes rarely does not
        make what comes often be asked for as far back.
        """
        together: dict[int, list[int]] = {}
        for row, ns in enumerate(back):
            together.setdefault(ns.bit_length(), []).append(row)
        stretches = [
            Stretch([series[row] for row in rows], Windows(until - max(back[row] for row in rows), until))
            for rows in together.values()
        ]
        found: list[Samples | None] = [None] * len(series)
        for rows, samples in zip(together.values(), self._fetch.samples(stretches, LATEST), strict=True):
            for row, each in zip(rows, samples, strict=True):
                found[row] = each
        return found

    def _lookback_of(self, usual: Any) -> int:
        """For how many ns a sample stands."""
        if self._lookback is not None:
            return self._lookback * MS
        often = 0 if usual is None or usual.interval is None else int(_INTERVALS * usual.interval)
        return max(LOOKBACK * MS, min(often, _LONGEST))

    def _find(self, selector: Any, steps: Steps) -> list[Series]:
        series = self._finder.find(Selector.of(selector), MOST_SERIES)
        self._values = check_size(len(series), steps.count, self._values)
        return series

    def times(self, selector: Any, steps: Steps) -> Millis:
        """When a selector or subquery looks: at each step, or only once where it says when."""
        at = selector.at
        times = steps.ms
        if at is not None:
            ends = self._query.start if at.type == AtModifierType.Start else self._query.end
            times = np.array([moment(at) if at.type == AtModifierType.At else ends], np.int64)
        return times - length(selector, "offset")

    def ranges(
        self, function: OverTime, matrix: Any, steps: Steps
    ) -> tuple[list[Labels], list[Samples | None], Windows]:
        """The samples of the series of `x[5m]`."""
        if not isinstance(matrix, grammar.MatrixSelector):
            raise QueryError("a range is needed here, as x[5m]")
        series = self._find(matrix.vector_selector, steps)
        windows = self._windows(matrix.vector_selector, length(matrix, "range"), steps)
        (samples,) = self._fetch.samples([Stretch(series, windows)], function)
        return [each.labels for each in series], samples, windows

    def _windows(self, selector: Any, long: int, steps: Steps) -> Windows:
        times = self.times(selector, steps)
        return Windows(to_ns(times - long), to_ns(times))


def spread(vector: Vector, count: int) -> Vector:
    """What was looked at once, at each of so many steps."""
    shape = len(vector.labels), count
    if vector.values.shape == shape:
        return vector
    return Vector(
        vector.labels, np.array(np.broadcast_to(vector.values, shape)), np.array(np.broadcast_to(vector.there, shape))
    )
