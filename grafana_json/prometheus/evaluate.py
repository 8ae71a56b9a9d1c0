"""What an expression is at each step: vectors of series, scalars or a text."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import promql_parser as grammar

from grafana_json.prometheus import functions, labeling
from grafana_json.prometheus.aggregations import Grouping, aggregate
from grafana_json.prometheus.binary import operate
from grafana_json.prometheus.effort import COSTLY, Effort
from grafana_json.prometheus.fetching import Fetch
from grafana_json.prometheus.foresight import MINUTE, MOST_INNER, Foresight
from grafana_json.prometheus.grammar import length
from grafana_json.prometheus.matching import Finder
from grafana_json.prometheus.overtime import FUNCTIONS, LATEST, OverTime, quantile, regression, sorting
from grafana_json.prometheus.samples import Samples, of_values
from grafana_json.prometheus.selecting import Selecting, spread
from grafana_json.prometheus.trouble import QueryError, cannot
from grafana_json.prometheus.vectors import (
    NAME,
    Floats,
    Labels,
    Steps,
    Value,
    Vector,
    check_size,
    distinct,
    nothing,
    to_ns,
    without_name,
)
from grafana_json.prometheus.windows import Windows


class Evaluation:
    """The evaluation of one request."""

    def __init__(self, steps: Steps, finder: Finder, fetch: Fetch, lookback: int | None = None) -> None:
        """Evaluate at these steps; `lookback`, in ms, in place of what is usual."""
        self._query, self._selecting = steps, Selecting(steps, finder, fetch, lookback)
        self._finder, self._budget, self._effort = finder, finder.budget, Effort(lambda: fetch.left)

    def run(self, expression: Any) -> Value:
        """The expression's value at the steps of the query; raises QueryError, and ConsumerError without a hub."""
        with _bounded():
            foreseen = Foresight(self._finder, Effort())
            foreseen.look(expression, self._query.count, self._query.end - self._query.start)
            return self._value(expression, self._query)

    def _value(self, expression: Any, steps: Steps) -> Value:
        value: Value
        match expression:
            case grammar.NumberLiteral():
                value = np.full(steps.count, expression.val)
            case grammar.StringLiteral():
                value = str(expression.val)
            case grammar.ParenExpr():
                value = self._value(expression.expr, steps)
            case grammar.UnaryExpr():
                value = functions.negative(self._looked_at(expression.expr, steps))
            case grammar.VectorSelector():
                value = self._selecting.latest(expression, steps)[0]
            case grammar.AggregateExpr():
                value = self._aggregate(expression, steps)
            case grammar.BinaryExpr():
                left, right = self._value(expression.lhs, steps), self._value(expression.rhs, steps)
                self._effort.look_at(left)
                self._effort.look_at(right)
                value = operate(str(expression.op), left, right, expression.modifier)
            case grammar.Call():
                value = self._call(expression, steps)
            case _:
                raise QueryError("a range such as x[5m] is no value: put it into a function, as avg_over_time(x[5m])")
        return value

    def _looked_at(self, expression: Any, steps: Steps, weight: int = 1) -> Value:
        """The value, paid for what is then done with it."""
        value = self._value(expression, steps)
        self._effort.look_at(value, weight)
        return value

    def _vector(self, expression: Any, steps: Steps, weight: int = 1) -> Vector:
        value = self._looked_at(expression, steps, weight)
        if not isinstance(value, Vector):
            raise QueryError("a vector is needed here: select series, or use vector(…)")
        return value

    def _scalar(self, expression: Any, steps: Steps) -> Floats:
        value = self._value(expression, steps)
        if isinstance(value, (Vector, str)):
            raise QueryError("a number is needed here: use scalar(…)")
        return value

    def _text(self, expression: Any) -> str:
        value = self._value(expression, self._query)
        if not isinstance(value, str):
            raise QueryError("a text in quotation marks is needed here")
        return value

    # windows

    def _over_time(self, function: OverTime, argument: Any, steps: Steps) -> Vector:
        """A function of the windows of an argument as `x[5m]` or `x[1h:5m]`."""
        while isinstance(argument, grammar.ParenExpr):
            argument = argument.expr
        if isinstance(argument, grammar.SubqueryExpr):
            labels, samples, windows = self._inner(argument, steps)
        else:
            labels, samples, windows = self._selecting.ranges(function, argument, steps)
        some = [(label, each) for label, each in zip(labels, samples, strict=True) if each is not None and len(each.p)]
        if not some:
            return nothing(steps.count)
        check_size(len(some), steps.count)
        held = [(each, windows.at_least(each.width)) for _, each in some]
        self._effort.spend(sum(function.work(*each) for each in held))
        made = [self._effort.in_time(function.made, *each) for each in held]
        kept = [label if function.keeps_name else without_name(label) for label, _ in some]
        vector = Vector(kept, np.array([values for values, _ in made]), np.array([there for _, there in made]))
        return distinct(spread(vector, steps.count))

    def _inner(self, subquery: Any, steps: Steps) -> tuple[list[Labels], list[Samples | None], Windows]:
        """The values of the inner expression at its own steps, which lie on multiples of their width, as samples."""
        long, width = length(subquery, "range"), length(subquery, "step") or MINUTE
        times = self._selecting.times(subquery, steps)
        first = ((int(times[0]) - long) // width + 1) * width
        count = (int(times[-1]) - first) // width + 1
        if count > MOST_INNER:
            raise cannot(f"the subquery has {count} steps, {MOST_INNER} at the most: use a longer step or less time")
        windows = Windows(to_ns(times - long), to_ns(times))
        if count < 1:
            return [], [], windows
        inner = Steps(first, width, count)
        value = self._value(subquery.expr, inner)
        vector = value if isinstance(value, Vector) else functions.as_vector(np.asarray(value, np.float64))
        at = to_ns(inner.ms)
        samples: list[Samples | None] = [
            of_values(at[there], values[there]) for values, there in zip(vector.values, vector.there, strict=True)
        ]
        return list(vector.labels), samples, windows

    def matrix(self, selector: Any) -> list[tuple[Labels, Samples]]:
        """The samples of `x[5m]` at the one step of a query."""
        with _bounded():
            return self._matrix(selector)

    def _matrix(self, selector: Any) -> list[tuple[Labels, Samples]]:
        if isinstance(selector, grammar.SubqueryExpr):
            labels, samples, windows = self._inner(selector, self._query)
        else:
            labels, samples, windows = self._selecting.ranges(_SAMPLES, selector, self._query)
        found = []
        for label, each in zip(labels, samples, strict=True):
            if each is not None:
                low, high = windows.held(each)
                found.append((label, each.rows(np.arange(int(low[0]), int(high[0])))))
        return found

    # aggregations and functions

    def _aggregate(self, expression: Any, steps: Steps) -> Vector:
        op = str(expression.op)
        vector = self._vector(expression.expr, steps, COSTLY.get(op, 1))
        param: Floats | str | None = None
        if expression.param is not None:
            value = self._value(expression.param, steps)
            if isinstance(value, Vector):
                raise QueryError("the first argument of an aggregation is a number or a text: use scalar(…)")
            param = value
        result = aggregate(op, vector, Grouping.of(expression.modifier), param)
        if op in ("topk", "bottomk") and steps.count == 1:
            return functions.ordered(result, descending=op == "topk")
        return result

    def _call(self, call: Any, steps: Steps) -> Value:
        name, args = call.func.name, call.args
        if name in FUNCTIONS:
            return self._windowed(name, args[0], steps)
        if name in functions.OF_NUMBERS:
            return self._of_numbers(name, args, steps)
        if name in self._SPECIAL:
            return self._SPECIAL[name](self, args, steps)
        raise cannot(f"{name}() is not supported: docs/prometheus.md says which functions are")

    def _windowed(self, name: str, argument: Any, steps: Steps) -> Vector:
        vector = self._over_time(FUNCTIONS[name], argument, steps)
        if name != "absent_over_time":
            return vector
        while isinstance(argument, grammar.ParenExpr):
            argument = argument.expr
        return functions.absent(vector, _equal_labels(getattr(argument, "vector_selector", None)))

    def _of_numbers(self, name: str, args: Any, steps: Steps) -> Value:
        if not args:  # of the calendar, now
            return functions.of_numbers(name, functions.as_vector(steps.ms / 1000))
        params = [self._scalar(each, steps) for each in args[1:]]
        if name == "round" and not params:
            params = [np.ones(steps.count)]
        return functions.of_numbers(name, self._vector(args[0], steps, COSTLY.get(name, 1)), *params)

    def _timestamp(self, args: Any, steps: Steps) -> Value:
        argument = args[0]
        while isinstance(argument, grammar.ParenExpr):
            argument = argument.expr
        if isinstance(argument, grammar.VectorSelector):
            vector, at = self._selecting.latest(argument, steps)
        else:
            vector = self._vector(argument, steps)
            at = np.broadcast_to(steps.ms / 1000, vector.values.shape)
        return distinct(Vector([without_name(each) for each in vector.labels], np.array(at), vector.there))

    def _absent(self, args: Any, steps: Steps) -> Value:
        argument = args[0]
        while isinstance(argument, grammar.ParenExpr):
            argument = argument.expr
        labels = _equal_labels(argument if isinstance(argument, grammar.VectorSelector) else None)
        return functions.absent(self._vector(argument, steps), labels)

    def _sorted(self, args: Any, steps: Steps, *, descending: bool) -> Value:
        return functions.ordered(self._vector(args[0], steps), descending=descending)

    def _label_replace(self, args: Any, steps: Steps) -> Value:
        target, replacement, source, pattern = (self._text(each) for each in args[1:])
        return labeling.replace(self._vector(args[0], steps), target, replacement, source, pattern, self._budget)

    def _label_join(self, args: Any, steps: Steps) -> Value:
        target, between, *sources = (self._text(each) for each in args[1:])
        return labeling.join(self._vector(args[0], steps), target, between, sources)

    _SPECIAL: dict[str, Callable[["Evaluation", Any, Steps], Value]] = {  # noqa: RUF012  # never changed
        "time": lambda self, args, steps: steps.ms / 1000,
        "pi": lambda self, args, steps: np.full(steps.count, np.pi),
        "vector": lambda self, args, steps: functions.as_vector(self._scalar(args[0], steps)),
        "scalar": lambda self, args, steps: functions.scalar(self._vector(args[0], steps)),
        "timestamp": _timestamp,
        "absent": _absent,
        "sort": lambda self, args, steps: self._sorted(args, steps, descending=False),
        "sort_desc": lambda self, args, steps: self._sorted(args, steps, descending=True),
        "label_replace": _label_replace,
        "label_join": _label_join,
        "quantile_over_time": lambda self, args, steps: self._over_time(
            OverTime(quantile(self._scalar(args[0], steps)), work=sorting), args[1], steps
        ),
        "predict_linear": lambda self, args, steps: self._over_time(
            OverTime(regression(self._scalar(args[1], steps))), args[0], steps
        ),
    }


@contextlib.contextmanager
def _bounded() -> Iterator[None]:
    """Refuse what is nested more deeply than can be followed."""
    try:
        yield
    except RecursionError:
        raise cannot("the query is nested too deeply: make it simpler") from None


_SAMPLES = OverTime(LATEST.made)  # only the samples themselves will do


def _equal_labels(selector: Any) -> Labels:
    """What a selector says of the labels that its series would have."""
    if selector is None:
        return {}
    counts: dict[str, list[str]] = {}
    for matcher in selector.matchers.matchers:
        if matcher.op == grammar.MatchOp.Equal and matcher.name != NAME:
            counts.setdefault(matcher.name, []).append(matcher.value)
        else:
            counts.setdefault(matcher.name, []).append("")
    return {name: values[0] for name, values in counts.items() if len(values) == 1 and values[0]}
