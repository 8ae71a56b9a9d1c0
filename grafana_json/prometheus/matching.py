"""Which series a selector stands for, among all that are known to be there."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from promql_parser import Matcher, MatchOp

from grafana_json.prometheus.naming import ANY, Series, as_any, series_of
from grafana_json.prometheus.regexes import Budget, Pattern, PatternError
from grafana_json.prometheus.trouble import QueryError, cannot
from grafana_json.prometheus.vectors import NAME
from grafana_json.query import shown
from sisock.consumer import Node
from sisock.frames import Field

Test = Callable[[str], bool]
Fields = Mapping[str, Mapping[str, Field]]  # by node


class Catalog:
    """All series that are known, as they were at one time; those of a node that has not changed are kept."""

    def __init__(self, nodes: Mapping[str, Node], fields: Fields, before: "Catalog | None" = None) -> None:
        """The series of these nodes, with what is the same as before."""
        self.of: dict[str, tuple[Any, list[Series]]] = {}
        known = before.of if before is not None else {}
        for name, node in nodes.items():
            about = node.tags, fields.get(name, {})
            kept = known.get(name)
            self.of[name] = kept if kept is not None and kept[0] == about else (about, series_of(node, about[1]))
        self.by_name: dict[str, list[Series]] = {}
        if (
            before is not None
            and all(before.of.get(n) is e for n, e in self.of.items())
            and len(before.of) == len(self.of)
        ):
            self.by_name = before.by_name
            return
        for _, every in self.of.values():
            for series in every:
                self.by_name.setdefault(series.labels[NAME], []).append(series)

    @property
    def names(self) -> list[str]:
        """The names of metrics, sorted."""
        return sorted(self.by_name)

    def named(self, name: str | None) -> Iterable[Series]:
        """The series of a metric; all, each once, where none is named."""
        if name == ANY:
            return [as_any(series) for _, every in self.of.values() for series in every if series.field]
        if name is not None:
            return self.by_name.get(name, [])
        return [series for every in self.by_name.values() for series in every]


class Selector(NamedTuple):
    """What series have to be: alternatives, of each of which all tests have to pass."""

    name: str | None
    alternatives: Sequence[Sequence[Matcher]]

    @classmethod
    def of(cls, selector: Any) -> "Selector":
        """The selector of an expression."""
        every = list(selector.matchers.matchers)
        some = [[*every, *each] for each in selector.matchers.or_matchers] or [every]
        return cls(selector.name, some)

    @property
    def key(self) -> Any:
        """What is the same for selectors that say the same."""
        return self.name, tuple(tuple((m.name, str(m.op), m.value) for m in each) for each in self.alternatives)


class Finder:
    """Finds series for one request, whose work is bounded."""

    def __init__(self, catalog: Catalog) -> None:
        """Look among these."""
        self._catalog = catalog
        self.budget = Budget()
        self._known: dict[Any, list[Series]] = {}

    def find(self, selector: Selector, most: int | None = None) -> list[Series]:
        """The series, each once; raises QueryError where they are more than `most`, or hard to find."""
        key = selector.key
        if key not in self._known:
            self._known[key] = self._find(selector, most)
        return self._known[key]

    def _find(self, selector: Selector, most: int | None) -> list[Series]:
        found: dict[tuple[str, str, str], Series] = {}
        for matchers in selector.alternatives:
            for series in self._matching(selector.name, matchers):
                found[series.node, series.field, series.labels[NAME]] = series
                if most is not None and len(found) > most:
                    raise cannot(f"the selector stands for more than {most} series: name nodes or fields in its labels")
        return list(found.values())

    def _matching(self, name: str | None, matchers: Sequence[Matcher]) -> Iterable[Series]:
        if name is None:
            name = next((each.value for each in matchers if each.name == NAME and each.op == MatchOp.Equal), None)
        tests = [(each.name, self._test(each)) for each in matchers]
        for series in self._catalog.named(name):
            labels = series.labels
            if all(test(labels.get(label, "")) for label, test in tests):
                yield series

    def _test(self, matcher: Matcher) -> Test:
        """Whether a label's value passes; the same value is looked at once."""
        wanted, op = matcher.value, matcher.op
        if op == MatchOp.Equal:
            return lambda value: value == wanted
        if op == MatchOp.NotEqual:
            return lambda value: value != wanted
        pattern, positive = pattern_of(wanted, self.budget), op == MatchOp.Re
        known: dict[str, bool] = {}

        def test(value: str) -> bool:
            if value not in known:
                known[value] = pattern.matches(value) is positive
            return known[value]

        return test


def pattern_of(pattern: str, budget: Budget, *, groups: bool = False) -> Pattern:
    """What the pattern matches; raises QueryError."""
    try:
        return Pattern(pattern, budget, groups=groups)
    except PatternError as error:
        raise QueryError(f"the regular expression {shown(pattern)} cannot be read: {error}") from None
