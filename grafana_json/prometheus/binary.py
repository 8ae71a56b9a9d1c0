"""Operators between scalars and vectors, and which series of two vectors belong together.

https://prometheus.io/docs/prometheus/latest/querying/operators/
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from promql_parser import LabelModifierType, VectorMatchCardinality

from grafana_json.prometheus.arithmetic import COMPARISONS, SETS, calculated, compared
from grafana_json.prometheus.trouble import cannot
from grafana_json.prometheus.vectors import (
    NAME,
    Bools,
    Floats,
    Key,
    Labels,
    Value,
    Vector,
    check_size,
    distinct,
    key_of,
    nothing,
    shown,
    without_name,
)


class Matching(NamedTuple):
    """How series of two sides are matched: by these labels, or (not `on`) by all but these."""

    labels: tuple[str, ...] = ()
    on: bool = False
    cardinality: Any = VectorMatchCardinality.OneToOne
    include: tuple[str, ...] = ()  # labels of the one side that come along

    @classmethod
    def of(cls, modifier: Any) -> "Matching":
        """As the modifier of an expression says; raises QueryError for what is not supported."""
        if modifier is None:
            return cls()
        fill = modifier.fill_values
        if fill is not None and (fill.lhs is not None or fill.rhs is not None):
            raise cannot("fill() is not supported: use `or` with vector(0) in its place")
        matching = modifier.matching
        labels = tuple(matching.labels) if matching is not None else ()
        on = matching is not None and matching.type == LabelModifierType.Include
        return cls(labels, on, modifier.card, tuple(modifier.group_labels or ()))

    def key(self, labels: Labels) -> Key:
        """By what a series is matched."""
        if self.on:
            return tuple((name, labels.get(name, "")) for name in sorted(self.labels))
        return tuple(item for item in key_of(labels) if item[0] != NAME and item[0] not in self.labels)


def operate(op: str, left: Value, right: Value, modifier: Any) -> Value:
    """What the operator makes of two values that have the same steps; raises QueryError."""
    as_bool = modifier is not None and modifier.return_bool
    if isinstance(left, str) or isinstance(right, str):
        raise cannot(f"{op} takes numbers and vectors, no texts")
    if isinstance(left, Vector) and isinstance(right, Vector):
        matching = Matching.of(modifier)
        return _set(op, left, right, matching) if op in SETS else _matched(op, left, right, matching, as_bool=as_bool)
    if isinstance(left, Vector):
        return _with_scalar(op, left, left.values, np.asarray(right)[None, :], as_bool=as_bool)
    if isinstance(right, Vector):
        return _with_scalar(op, right, np.asarray(left)[None, :], right.values, as_bool=as_bool)
    return compared(op, left, right).astype(np.float64) if op in COMPARISONS else calculated(op, left, right)


def _with_scalar(op: str, vector: Vector, left: Floats, right: Floats, *, as_bool: bool) -> Vector:
    if op in COMPARISONS and not as_bool:
        return vector._replace(there=vector.there & compared(op, left, right))
    values = compared(op, left, right).astype(np.float64) if op in COMPARISONS else calculated(op, left, right)
    return distinct(Vector([without_name(each) for each in vector.labels], values, vector.there))


# two vectors ------------------------------------------------------------------------------------


def _matched(op: str, left: Vector, right: Vector, matching: Matching, *, as_bool: bool) -> Vector:
    many, one, swapped = left, right, False
    if matching.cardinality == VectorMatchCardinality.OneToMany:
        many, one, swapped = right, left, True
    singles = _unique(one, matching, "left" if swapped else "right")
    pairs = [(row, singles[key]) for row, labels in enumerate(many.labels) if (key := matching.key(labels)) in singles]
    if not pairs:
        return nothing(left.values.shape[1])
    check_size(len(pairs), left.values.shape[1])
    rows = [row for row, _ in pairs]
    others = Vector(*zip(*(single for _, single in pairs), strict=True))  # type: ignore[arg-type]
    there = many.there[rows] & np.array(others.there)
    a, b = many.values[rows], np.array(others.values)
    first, second = (b, a) if swapped else (a, b)
    if op in COMPARISONS:
        holds = compared(op, first, second)
        values = holds.astype(np.float64) if as_bool else first
        kept = there if as_bool else there & holds
    else:
        values, kept = calculated(op, first, second), there
    drop = op not in COMPARISONS or as_bool
    labels = [
        _result(many.labels[row], other, matching, drop=drop) for row, other in zip(rows, others.labels, strict=True)
    ]
    if matching.cardinality == VectorMatchCardinality.OneToOne:
        keys = [matching.key(many.labels[row]) for row in rows]
    else:
        keys = [key_of(each) for each in labels]
    _check_single(keys, labels, kept, matching)
    return distinct(Vector(labels, values, kept))


def _unique(one: Vector, matching: Matching, side: str) -> dict[Key, tuple[Labels, Floats, Bools]]:
    """The series of the one side by what they are matched by; of several such no two may be there at a step."""
    found: dict[Key, tuple[Labels, Floats, Bools]] = {}
    for row, labels in enumerate(one.labels):
        key = matching.key(labels)
        values, there = one.values[row], one.there[row]
        if key in found:
            other, known, before = found[key]
            if (there & before).any():
                raise cannot(
                    f"many-to-many matching is not possible: on the {side} {shown(other)} and {shown(labels)} are both "
                    f"matched by {shown(dict(key))}: name more labels in on(…), or aggregate"
                )
            values, there, labels = np.where(there, values, known), there | before, other  # noqa: PLW2901
        found[key] = labels, values, there
    return found


def _result(labels: Labels, other: Labels, matching: Matching, *, drop: bool) -> Labels:
    made = without_name(labels) if drop else dict(labels)
    if matching.cardinality == VectorMatchCardinality.OneToOne:
        if matching.on:
            return {name: value for name, value in made.items() if name in matching.labels}
        return {name: value for name, value in made.items() if name not in matching.labels}
    for name in matching.include:
        if other.get(name):
            made[name] = other[name]
        else:
            made.pop(name, None)
    return made


def _check_single(keys: Sequence[Key], labels: Sequence[Labels], kept: Bools, matching: Matching) -> None:
    """Raise where two series of the many side, which have these keys, would become one at the same step.

    What a comparison filters out is matched with nothing (Prometheus 2, promql/engine.go, VectorBinop).
    """
    seen: dict[Key, Bools] = {}
    for row, (key, each) in enumerate(zip(keys, labels, strict=True)):
        if key in seen and (seen[key] & kept[row]).any():
            cure = (
                "use group_left or group_right"
                if matching.cardinality == VectorMatchCardinality.OneToOne
                else "name more labels"
            )
            raise cannot(f"several series are matched for {shown(each)}: {cure}")
        seen[key] = kept[row] | seen.get(key, False)


def _set(op: str, left: Vector, right: Vector, matching: Matching) -> Vector:
    there = _by_key(right if op != "or" else left, matching)
    absent = np.zeros(left.values.shape[1], bool)
    if op == "or":
        rest = [right.there[row] & ~there.get(matching.key(each), absent) for row, each in enumerate(right.labels)]
        if not rest:
            return left
        check_size(len(left.labels) + len(rest), left.values.shape[1])
        return distinct(
            Vector(
                [*left.labels, *right.labels],
                np.concatenate((left.values, right.values)),
                np.concatenate((left.there, np.array(rest))),
            )
        )
    found = [there.get(matching.key(each), absent) for each in left.labels]
    if not found:
        return left
    mask = np.array(found)
    return left._replace(there=left.there & (mask if op == "and" else ~mask))


def _by_key(vector: Vector, matching: Matching) -> dict[Key, Bools]:
    found: dict[Key, Bools] = {}
    for row, labels in enumerate(vector.labels):
        key = matching.key(labels)
        found[key] = vector.there[row] | found[key] if key in found else vector.there[row]
    return found
