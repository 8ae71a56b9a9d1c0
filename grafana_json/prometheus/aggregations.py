"""Aggregations over series: `sum by (node) (…)` and its like.

https://prometheus.io/docs/prometheus/latest/querying/operators/#aggregation-operators
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from promql_parser import AggModifierType

from grafana_json.prometheus.overtime import ranked
from grafana_json.prometheus.trouble import cannot
from grafana_json.prometheus.vectors import (
    NAME,
    Bools,
    Floats,
    Key,
    Labels,
    Vector,
    check_size,
    distinct,
    key_of,
    nothing,
    text,
)

_MOST_VALUES = 1_000  # series that count_values may make


class Grouping(NamedTuple):
    """By which labels series come together: these, or (`without`) all but these."""

    labels: tuple[str, ...] = ()
    without: bool = False

    @classmethod
    def of(cls, modifier: Any) -> "Grouping":
        """As the modifier of an expression says."""
        if modifier is None:
            return cls()
        return cls(tuple(modifier.labels), modifier.type == AggModifierType.Without)

    def kept(self, labels: Labels) -> Labels:
        """The labels that remain."""
        if self.without:
            return {name: value for name, value in labels.items() if name != NAME and name not in self.labels}
        return {name: labels[name] for name in self.labels if labels.get(name)}


def aggregate(op: str, vector: Vector, grouping: Grouping, param: Floats | str | None) -> Vector:
    """The aggregation of a vector; `param` as `topk` and others have it, a number at each step. Raises QueryError."""
    groups: dict[Key, tuple[Labels, list[int]]] = {}
    for row, labels in enumerate(vector.labels):
        kept = grouping.kept(labels)
        groups.setdefault(key_of(kept), (kept, []))[1].append(row)
    if op in ("topk", "bottomk"):
        return _extreme(vector, [rows for _, rows in groups.values()], _number(op, param), least=op == "bottomk")
    if op == "count_values":
        return _count_values(vector, list(groups.values()), param)
    if op == "quantile":
        q = _number(op, param)
        return _each(vector, groups.values(), lambda values, there: _quantile(values, there, q))
    if op not in _SIMPLE:
        raise cannot(
            f"the aggregation {op} is not supported: use one of {', '.join((*_SIMPLE, 'quantile', 'topk', 'bottomk'))}"
        )
    return _each(vector, groups.values(), _SIMPLE[op])


def _each(vector: Vector, groups: Any, made: Callable[[Floats, Bools], Floats]) -> Vector:
    labels, values, there = [], [], []
    for kept, rows in groups:
        of = vector.there[rows]
        labels.append(kept)
        with np.errstate(all="ignore"):
            values.append(made(vector.values[rows], of))
        there.append(of.any(axis=0))
    if not labels:
        return nothing(vector.values.shape[1])
    return Vector(labels, np.array(values), np.array(there))


def _number(op: str, param: Floats | str | None) -> Floats:
    if param is None or isinstance(param, str):
        raise cannot(f"{op} takes a number first")
    return param


# values and where they are: shape (series, steps); the result: shape (steps,)


def _sum(values: Floats, there: Bools) -> Floats:
    total: Floats = np.where(there, values, 0.0).sum(axis=0)
    return total


def _count(values: Floats, there: Bools) -> Floats:
    return np.asarray(there.sum(axis=0), np.float64)


def _mean(values: Floats, there: Bools) -> Floats:
    return np.asarray(_sum(values, there) / np.maximum(_count(values, there), 1))


def _variance(values: Floats, there: Bools) -> Floats:
    off = values - _mean(values, there)
    return _sum(off * off, there) / np.maximum(_count(values, there), 1)


def _deviation(values: Floats, there: Bools) -> Floats:
    return np.sqrt(_variance(values, there))


def _least(values: Floats, there: Bools) -> Floats:
    """NaN only where all are."""
    least: Floats = np.fmin.reduce(np.where(there, values, np.nan), axis=0)
    return least


def _greatest(values: Floats, there: Bools) -> Floats:
    greatest: Floats = np.fmax.reduce(np.where(there, values, np.nan), axis=0)
    return greatest


def _group(values: Floats, there: Bools) -> Floats:
    return np.ones(values.shape[1])


_SIMPLE: dict[str, Callable[[Floats, Bools], Floats]] = {
    "sum": _sum,
    "avg": _mean,
    "min": _least,
    "max": _greatest,
    "count": _count,
    "group": _group,
    "stddev": _deviation,
    "stdvar": _variance,
}


def _quantile(values: Floats, there: Bools, q: Floats) -> Floats:
    """The quantile at each step, NaN being less than all."""
    counts = there.sum(axis=0)
    ordered = np.sort(np.where(there, np.where(np.isnan(values), -np.inf, values), np.inf), axis=0).T
    result = np.zeros(values.shape[1])
    for count in np.unique(counts[counts > 0]).tolist():
        of = np.flatnonzero(counts == count)
        result[of] = ranked(ordered[of, :count], q[of])
    return result


def _extreme(vector: Vector, groups: Sequence[list[int]], k: Floats, *, least: bool) -> Vector:
    """The k greatest or least series of each group at each step, with all their labels; NaN comes last."""
    kept = np.zeros_like(vector.there)
    most = np.nan_to_num(k, nan=0.0, posinf=1e9, neginf=0.0)
    for rows in groups:
        values, there = vector.values[rows], vector.there[rows]
        ranking = np.where(np.isnan(values), np.inf, values if least else -values)
        order = np.lexsort((np.where(there, ranking, np.inf), np.isnan(values) & there, ~there), axis=0)
        place = np.argsort(order, axis=0, kind="stable")
        kept[rows] = there & (place < np.floor(most)[None, :])
    return Vector(vector.labels, vector.values, kept).filled()


def _count_values(vector: Vector, groups: Sequence[tuple[Labels, list[int]]], label: Floats | str | None) -> Vector:
    if not isinstance(label, str):
        raise cannot("count_values takes the name of a label first, in quotation marks")
    labels: list[Labels] = []
    values: list[Floats] = []
    there: list[Bools] = []
    steps = vector.values.shape[1]
    for kept, rows in groups:
        where = vector.there[rows]
        found, place = np.unique(vector.values[rows][where], return_inverse=True)
        if len(labels) + len(found) > _MOST_VALUES:
            raise cannot(f"count_values would make more than {_MOST_VALUES} series: round the values first")
        check_size(len(labels) + len(found), steps)
        counts = np.bincount(place * steps + np.nonzero(where)[1], minlength=len(found) * steps)
        counts = counts.reshape(len(found), steps)
        labels += [{**kept, label: text(value)} for value in found.tolist()]
        values += list(counts.astype(np.float64))
        there += list(counts > 0)
    return distinct(Vector(labels, np.array(values), np.array(there))) if labels else nothing(vector.values.shape[1])
