"""What an expression will cost at the least, told from its form and the series that are known, before any node is asked."""

from typing import Any

import promql_parser as grammar
from promql_parser import AggModifierType

from grafana_json.prometheus.effort import COSTLY, Effort
from grafana_json.prometheus.grammar import length
from grafana_json.prometheus.matching import Finder, Selector
from grafana_json.prometheus.selecting import MOST_SERIES
from grafana_json.prometheus.vectors import check_size

MOST_INNER = 50_000  # steps of a subquery
MINUTE = 60_000  # ms between the steps of a subquery that does not say


class Foresight:
    """Goes through the expression of one request."""

    def __init__(self, finder: Finder, effort: Effort) -> None:
        """Find series so, and spend this."""
        self._finder, self._effort = finder, effort
        self._values = 0  # of all series that are selected

    def look(self, expression: Any, steps: int, span: int) -> int:
        """How many series it will have at so many steps, which lie within so many ms: where that is not known, few.

        Raises QueryError where it is too much.
        """
        series = 0
        match expression:
            case grammar.ParenExpr():
                series = self.look(expression.expr, steps, span)
            case grammar.UnaryExpr():
                series = self._paid(self.look(expression.expr, steps, span), steps)
            case grammar.VectorSelector():
                series = self._found(expression, steps)
            case grammar.MatrixSelector():
                series = self._found(expression.vector_selector, steps)
            case grammar.SubqueryExpr():
                series = self._inner(expression, span)
            case grammar.AggregateExpr():
                series = self._aggregated(expression, steps, span)
            case grammar.BinaryExpr():
                series = self._operated(expression, steps, span)
            case grammar.Call():
                weight = COSTLY.get(expression.func.name, 1)
                for each in expression.args:
                    series = max(series, self._paid(self.look(each, steps, span), steps, weight))
        return series

    def _operated(self, expression: Any, steps: int, span: int) -> int:
        """The series of a chain of operators, as `a + b + c`, which may be longer than what can be followed inwards."""
        chain = []
        while isinstance(expression, grammar.BinaryExpr):
            chain.append((str(expression.op), expression.rhs))
            expression = expression.lhs
        series = self.look(expression, steps, span)
        for op, right in reversed(chain):
            sides = [self._paid(each, steps) for each in (series, self.look(right, steps, span))]
            series = max(sides) if 0 in sides or op == "or" else min(sides)
        return series

    def _paid(self, series: int, steps: int, weight: int = 1) -> int:
        self._effort.spend(series * steps * weight)
        return series

    def _found(self, selector: Any, steps: int) -> int:
        found = len(self._finder.find(Selector.of(selector), MOST_SERIES))
        self._values = check_size(found, steps, self._values)
        return found

    def _inner(self, subquery: Any, span: int) -> int:
        span = length(subquery, "range") + (span if subquery.at is None else 0)
        steps = span // (length(subquery, "step") or MINUTE)
        return self.look(subquery.expr, steps, span) if steps <= MOST_INNER else 0

    def _aggregated(self, expression: Any, steps: int, span: int) -> int:
        op, modifier = str(expression.op), expression.modifier
        series = self._paid(self.look(expression.expr, steps, span), steps, COSTLY.get(op, 1))
        if expression.param is not None:
            self.look(expression.param, steps, span)
        if op in ("topk", "bottomk"):
            k = expression.param.val if isinstance(expression.param, grammar.NumberLiteral) else 1
            return series if k >= series else min(series, 1)
        whole = modifier is not None and modifier.type == AggModifierType.Without and not modifier.labels
        return series if whole else min(series, 1)
