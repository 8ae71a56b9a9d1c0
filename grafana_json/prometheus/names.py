"""What there is to ask for: series, the names and values of labels, what metrics are."""

from collections.abc import Iterable, Sequence
from typing import Any

import promql_parser

from grafana_json.prometheus.fetching import Notes
from grafana_json.prometheus.grammar import length, parse_all
from grafana_json.prometheus.matching import Catalog, Finder, Selector
from grafana_json.prometheus.naming import ANY, UP, Series
from grafana_json.prometheus.trouble import QueryError, cannot
from grafana_json.prometheus.vectors import NAME, Labels, key_of
from grafana_json.query import shown
from grafana_json.targets import Known

MOST = 100_000  # series, names or values in an answer
MOST_SELECTORS = 100


def matched(catalog: Catalog, selectors: Sequence[str]) -> list[Series]:
    """The series for which one of the selectors stands, each once; all where there is none. Raises QueryError."""
    if len(selectors) > MOST_SELECTORS:
        raise QueryError(f"{len(selectors)} selectors are too many: use {MOST_SELECTORS} at the most")
    if not selectors:
        return list(catalog.named(None))
    finder = Finder(catalog)
    expressions = zip(selectors, parse_all(selectors), strict=True)
    found = [series for each in expressions for series in finder.find(_selector(*each), MOST)]
    return list({(each.node, each.field, each.labels[NAME]): each for each in found}.values())


def _selector(text: str, expression: Any) -> Selector:
    if not isinstance(expression, promql_parser.VectorSelector) or length(expression, "offset") or expression.at:
        raise QueryError(f'{shown(text)} is not a selector: write it as name{{label="value"}}')
    return Selector.of(expression)


def label_names(series: Iterable[Series]) -> list[str]:
    """The names of labels of these series, sorted."""
    return sorted({name for each in series for name in each.labels})


def label_values(series: Iterable[Series], name: str, *, any_too: bool) -> list[str]:
    """The values of a label, sorted; `any_too`: among metrics the one under which every field can be asked for."""
    values = {each.labels[name] for each in series if name in each.labels}
    return sorted(values | {ANY}) if any_too and name == NAME and values else sorted(values)


def label_sets(series: Iterable[Series]) -> list[Labels]:
    """The labels of the series, sorted."""
    return sorted((each.labels for each in series), key=key_of)


def metadata(catalog: Catalog, known: Known, metric: str, most: int, most_each: int) -> dict[str, list[dict[str, str]]]:
    """What metrics are: type, description and unit, each that fields of the name have once. 0: without limit."""
    about: dict[str, list[dict[str, str]]] = {}
    names = [metric] if metric else catalog.names
    for name in names[: most or None]:
        entries: dict[tuple[str, str], None] = {}
        for series in catalog.named(None if name is None else name):
            field = known.get(series.node, {}).get(series.field)
            unit, help_ = (field.units or "", field.description or "") if field is not None else ("", "")
            entries["whether the data node is there" if name == UP else help_, unit] = None
        listed = [{"type": "gauge", "unit": unit, "help": help_} for help_, unit in entries]
        if listed:
            about[name] = listed[: most_each or None]
    return about


def cut(listed: Sequence[Any], most: int, notes: Notes) -> Sequence[Any]:
    """At most so many (0: all), and a warning where that leaves some out. Raises QueryError for far too many."""
    if most and len(listed) > most:
        notes.warn("results truncated due to limit")
        return listed[:most]
    if len(listed) > MOST:
        raise cannot(f"{len(listed)} results are too many: use match[] or limit")
    return listed
