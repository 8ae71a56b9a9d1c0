"""How often fields are sampled, as far as a few bins tell it; remembered for a while."""

import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from grafana_json.source import Source
from sisock import reduction
from sisock.bins import Bins
from sisock.consumer import Request
from sisock.errors import ConsumerError
from sisock.times import NS

_LOOKS = 32  # bins that are looked at
_FRESH = 60.0  # seconds
_MOST = 50_000  # fields that are remembered
_DAY = 86_400 * NS
_LONG = 60 * _DAY  # how far back is looked where there are not two samples
_STATISTICS = ("t_first", "t_last")

Place = tuple[str, str]  # node and field


class Usual(NamedTuple):
    """How many samples a field has within a span, and the ns between them; None where there are not two."""

    count: int = 0  # type: ignore[assignment]  # hides what a tuple can do by this name
    interval: float | None = None


class Intervals:
    """What is known of how often fields are sampled. Any thread may ask."""

    def __init__(self) -> None:
        """Nothing is known at first."""
        self._known: dict[tuple[Place, int, int, int], tuple[float, Usual]] = {}
        self._lock = threading.Lock()

    def look(
        self, source: Source, wanted: Mapping[str, Sequence[str]], span: tuple[int, int], deadline: float
    ) -> tuple[dict[Place, Usual], dict[str, ConsumerError]]:
        """How often these fields of nodes are sampled within the span in ns; and the nodes that do not tell."""
        unit = power_above((span[1] - span[0]) // 8)
        about = span[0] // unit, span[1] // unit, unit
        found, missing = self._recall(wanted, about)
        told, wrong = _ask(source, missing, span, deadline)
        rare = by_node(place for place, usual in told.items() if usual.count < 2)
        if rare:
            longer, _ = _ask(source, rare, (span[1] - _LONG, span[1]), deadline)
            told |= {place: usual._replace(count=told[place].count) for place, usual in longer.items()}
        self._remember(told, about)
        return found | told, wrong

    def _recall(
        self, wanted: Mapping[str, Sequence[str]], about: tuple[int, int, int]
    ) -> tuple[dict[Place, Usual], dict[str, list[str]]]:
        now, found = time.monotonic(), dict[Place, Usual]()
        places = [(node, field) for node, fields in wanted.items() for field in fields]
        with self._lock:
            for place in places:
                at, usual = self._known.get((place, *about), (-_FRESH, Usual()))
                if now - at < _FRESH:
                    found[place] = usual
        return found, by_node(place for place in places if place not in found)

    def _remember(self, told: Mapping[Place, Usual], about: tuple[int, int, int]) -> None:
        now = time.monotonic()
        with self._lock:
            if len(self._known) + len(told) > _MOST:
                self._known.clear()
            self._known.update({(place, *about): (now, usual) for place, usual in told.items()})


def by_node(places: Iterable[Place]) -> dict[str, list[str]]:
    """The fields of each node."""
    nodes: dict[str, list[str]] = {}
    for node, field in places:
        nodes.setdefault(node, []).append(field)
    return nodes


def power_above(value: int) -> int:
    """The least power of two that is not less: bins so wide are what archives keep."""
    return 1 << max(0, value - 1).bit_length()


def _ask(
    source: Source, wanted: Mapping[str, Sequence[str]], span: tuple[int, int], deadline: float
) -> tuple[dict[Place, Usual], dict[str, ConsumerError]]:
    width = power_above((span[1] - span[0]) // _LOOKS)
    requests = [
        Request(node, tuple(fields), 0, 0, reduce="bins", bin=width, ns=span, statistics=_STATISTICS)
        for node, fields in wanted.items()
    ]
    answers = source.ask(requests, deadline) if requests else []
    told: dict[Place, Usual] = {}
    wrong: dict[str, ConsumerError] = {}
    for (node, fields), answer in zip(wanted.items(), answers, strict=True):
        if isinstance(answer, ConsumerError):
            wrong[node] = answer
            continue
        for field in fields:
            bins = [each for part in answer.parts if (each := reduction.bins_from(part.points, field)) is not None]
            told[node, field] = _usual(bins[0]) if bins else Usual()
    return told, wrong


def _usual(bins: Bins) -> Usual:
    assert bins.t_first is not None  # asked for
    assert bins.t_last is not None
    some = np.flatnonzero(bins.count > 0)
    count, t_first, t_last = bins.count[some], bins.t_first[some], bins.t_last[some]
    total = int(count.sum())
    if total < 2:
        return Usual(total)
    many = count > 1
    if many.any():
        return Usual(total, float(np.median((t_last - t_first)[many] / (count[many] - 1))))
    return Usual(total, float(t_last[-1] - t_first[0]) / (total - 1))
