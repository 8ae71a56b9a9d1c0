"""Gets what windows need of fields: the samples where they are few, bins of them where they are many.

Cost follows the steps that are asked for, not what is stored: beyond a bound the bins are such as archives keep, of
powers of two of nanoseconds, and windows begin and end where these do; a sentence says so.
"""

import time
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from grafana_json.directory import Directory
from grafana_json.prometheus.intervals import Intervals, Place, Usual, by_node, power_above
from grafana_json.prometheus.naming import Series
from grafana_json.prometheus.overtime import OverTime
from grafana_json.prometheus.presence import presence
from grafana_json.prometheus.samples import Samples, of_bins, of_column
from grafana_json.prometheus.trouble import QueryError, cannot
from grafana_json.prometheus.vectors import MS
from grafana_json.prometheus.windows import Windows
from grafana_json.series import duration
from grafana_json.source import Source
from sisock import reduction
from sisock.consumer import Request
from sisock.errors import ConsumerError, NoHub
from sisock.frames import Answer

MOST_RAW = 200_000  # samples of all series together up to which they are taken as they are
MOST_ONLY_RAW = 2_000_000  # where nothing else will do
MOST_EXACT = 2_000_000  # samples up to which bins are as wide as the windows want, whatever archives keep
MOST_BINS = 400_000  # values of bins of all series together
_PER_STEP = 16  # bins a step, or a window where that is shorter, where these cannot begin and end exactly
_FOR_LAST = 8  # bins a step where only what lies before the step's end is wanted
_MOST_PER_STEP = 64
_IN_WINDOW = 128  # bins of a single window
_MOST_NOTES = 20


class Notes(NamedTuple):
    """What whoever asks should know of the answer: sentences, each once."""

    warnings: dict[str, None]
    infos: dict[str, None]

    def warn(self, sentence: str) -> None:
        """Something is missing."""
        if len(self.warnings) < _MOST_NOTES:
            self.warnings[sentence] = None

    def tell(self, sentence: str) -> None:
        """Everything is there, but not quite as asked."""
        if len(self.infos) < _MOST_NOTES:
            self.infos[sentence] = None


class _How(NamedTuple):
    """How samples are asked for: as they are, or in bins of a width in ns, which windows may end with."""

    width: int | None = None
    aligned: bool = False


class Stretch(NamedTuple):
    """Series, and the windows in which their samples are wanted."""

    series: Sequence[Series]
    windows: Windows


class Fetch:
    """Gets samples for one request, until the time at which it has to be answered."""

    def __init__(
        self, source: Source, directory: Directory, intervals: Intervals, patience: tuple[float, float], notes: Notes
    ) -> None:
        """`patience`: seconds that a node may take to answer, and that all together may take."""
        self._source, self._directory, self._intervals, self._notes = source, directory, intervals, notes
        self._deadline, self._until = patience[0], time.monotonic() + patience[1]
        self._lost: dict[str, ConsumerError] = {}  # nodes that have not answered, and why
        self._hub_seen = False

    @property
    def left(self) -> float:
        """Seconds that a node may still take; raises QueryError where none are."""
        left = self._until - time.monotonic()
        if left <= 0:
            raise QueryError("the query took too long: ask for less time, a longer step or fewer series", "timeout")
        return min(left, self._deadline)

    def usual(self, series: Sequence[Series], windows: Windows) -> dict[Place, Usual]:
        """How often the fields are sampled; a node that does not answer is warned of, or raises where there is no other."""
        usual = self._look(Stretch(series, windows))
        self._check(series)
        return usual

    def samples(self, stretches: Sequence[Stretch], wanted: OverTime) -> list[list[Samples | None]]:
        """What the windows of each stretch hold of its series, or nothing where there is none or the node does not answer."""
        usual = [each for stretch in stretches for each in self._look(stretch).values()]
        count = sum(each.count for each in usual)
        how = [self._how(stretch.windows, count, len(usual), wanted) for stretch in stretches]
        answers = self._ask(stretches, how, wanted)
        every = [each for stretch in stretches for each in stretch.series]
        self._check(every)
        nodes = sum(not each.field for each in every)
        if nodes:
            self._see_hub()
        now = time.time_ns()
        return [
            [
                self._of_answer(found.get(each.node), each, stretch.windows, in_bins)
                if each.field
                else presence(self._directory, each.node, stretch.windows, now, wanted, nodes)
                for each in stretch.series
            ]
            for stretch, in_bins, found in zip(stretches, how, answers, strict=True)
        ]

    def _look(self, stretch: Stretch) -> dict[Place, Usual]:
        wanted = self._nodes(stretch.series)
        if not wanted:
            return {}
        usual, wrong = self._intervals.look(self._source, wanted, _span(stretch.windows), self.left)
        self._lost |= wrong
        return usual

    def _nodes(self, series: Iterable[Series]) -> dict[str, list[str]]:
        """The fields that are asked for, by node; one that has not answered before is not asked again."""
        wanted = dict.fromkeys((each.node, each.field) for each in series if each.field and each.node not in self._lost)
        return by_node(wanted)

    def _how(self, windows: Windows, count: int, series: int, wanted: OverTime) -> _How:
        if not wanted.statistics:
            if count > MOST_ONLY_RAW:
                raise cannot(
                    f"this function needs the samples themselves, which are about {count}: ask for less time or fewer "
                    "series, or use rate, delta or another function of bins"
                )
            return _How()
        if count <= MOST_RAW:
            return _How()
        start, end = _span(windows)
        if _single(windows):
            return _How(power_above(-(-(end - start) // _IN_WINDOW)))
        steps, columns = len(windows.until), series * (len(wanted.statistics) + 1)
        most = MOST_BINS // columns
        edges = windows.until if wanted.until_only else np.concatenate((windows.until, windows.after))
        width = int(np.gcd.reduce(edges // MS)) * MS
        if count <= MOST_EXACT and width and (end - start) // width <= most:
            return _How(width, aligned=True)
        step = (int(windows.until[-1]) - int(windows.until[0])) // (steps - 1)
        shortest = int((windows.until - windows.after).min())
        narrow = step // _FOR_LAST if wanted.until_only else min(step, shortest) // _PER_STEP
        most = max(2, min(most, _MOST_PER_STEP * steps))
        width = power_above(max(1, -(-(end - start) // most), narrow))
        self._notes.tell(
            f"some {count:,} samples are looked at in bins of {duration(width)}: windows begin and end where these do"
        )
        return _How(width)

    def _ask(self, stretches: Sequence[Stretch], how: Sequence[_How], wanted: OverTime) -> list[dict[str, Answer]]:
        """The answers of the nodes of each stretch, asked at the same time."""
        requests = [
            (at, self._request(node, fields, stretch.windows, in_bins, wanted))
            for at, (stretch, in_bins) in enumerate(zip(stretches, how, strict=True))
            for node, fields in self._nodes(stretch.series).items()
        ]
        answers = self._source.ask([request for _, request in requests], self.left) if requests else []
        found: list[dict[str, Answer]] = [{} for _ in stretches]
        for (at, request), answer in zip(requests, answers, strict=True):
            if isinstance(answer, ConsumerError):
                self._lost[request.node] = answer
                continue
            found[at][request.node] = answer
            for notice in answer.notices:
                self._notes.tell(notice)
        return found

    @staticmethod
    def _request(node: str, fields: Sequence[str], windows: Windows, how: _How, wanted: OverTime) -> Request:
        if how.width is None:
            return Request(node, tuple(fields), 0, 0, ns=_span(windows))
        statistics = tuple(dict.fromkeys((*wanted.statistics, *(wanted.split if how.aligned else ()))))
        return Request(
            node, tuple(fields), 0, 0, ns=_span(windows), reduce="bins", bin=how.width, statistics=statistics
        )

    def _see_hub(self) -> None:
        """Raise NoHub where there is none now: then nobody is known to be up, whatever was heard last."""
        if not self._hub_seen:
            if not self._source.connected:
                raise NoHub(
                    "which nodes are up is not known: the bridge is not joined to the router, start it with `sisock up`"
                )
            self._source.nodes()
            self._hub_seen = True

    def _check(self, series: Iterable[Series]) -> None:
        """Warn of the nodes of these that did not answer; raise QueryError where none did."""
        nodes = dict.fromkeys(each.node for each in series if each.field)
        wrong = [str(self._lost[node]) for node in nodes if node in self._lost]
        if wrong and len(wrong) == len(nodes):
            raise QueryError("; ".join(dict.fromkeys(wrong[:5])), "unavailable")
        for sentence in wrong:
            self._notes.warn(sentence)

    @staticmethod
    def _of_answer(answer: Answer | None, series: Series, windows: Windows, how: _How) -> Samples | None:
        if answer is None:
            return None
        if how.width is None:
            t, column = answer.series(series.field)
            return None if column.type == "string" else of_column(t, column)
        bins = next((b for part in answer.parts if (b := reduction.bins_from(part.points, series.field))), None)
        if bins is None or (bins.first is not None and bins.first.dtype.kind == "T"):
            return None
        width = answer.bin or how.width
        return of_bins(bins, width, _span(windows), aligned=how.aligned and width == how.width)


def _span(windows: Windows) -> tuple[int, int]:
    """The time that all windows lie in, half-open."""
    return int(windows.after.min()) + 1, int(windows.until.max()) + 1


def _single(windows: Windows) -> bool:
    return int(windows.until.min()) == int(windows.until.max()) and int(windows.after.min()) == int(windows.after.max())
