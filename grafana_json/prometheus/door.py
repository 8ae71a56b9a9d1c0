"""The door for whatever reads a Prometheus: Grafana's own data source, its alerting, promtool."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import promql_parser as grammar
from flask import Blueprint, Response, request

import sisock
from grafana_json.prometheus import answers, asked, names
from grafana_json.prometheus.evaluate import Evaluation
from grafana_json.prometheus.fetching import Fetch, Notes
from grafana_json.prometheus.grammar import parse
from grafana_json.prometheus.known import Memories
from grafana_json.prometheus.matching import Finder
from grafana_json.prometheus.naming import Series
from grafana_json.prometheus.trouble import QueryError, cannot
from grafana_json.prometheus.vectors import MS, Steps, Value, Vector, text
from grafana_json.views import View

PATH = "/api/v1"
SPEAKS = "3.0.0"  # the version of Prometheus whose rules are followed
MOST_ANSWERED = 1_000_000  # values
_BOTH = ["GET", "POST"]


def door(view: Callable[[], View], deadline: float) -> Blueprint:
    """The read API; each is answered with what may be seen, and waits for a node no longer than the deadline."""
    at, memories = Blueprint("prometheus", __name__, url_prefix=PATH), Memories()
    _answer_queries(at, view, deadline, memories)
    _answer_names(at, view, memories)
    _answer_probes(at)

    @at.errorhandler(QueryError)
    def wrong(error: QueryError) -> Response:
        return answers.refusal(error)

    return at


# values -----------------------------------------------------------------------------------------


def _answer_queries(at: Blueprint, view: Callable[[], View], deadline: float, memories: Memories) -> None:
    def evaluation(steps: Steps, notes: Notes) -> tuple[Evaluation, Any]:
        """What is asked, and what evaluates it."""
        expression, limits = parse(request.values.get("query", "")), asked.limits(request.values)
        seen = view()
        memory = memories.of(seen.directory)
        fetch = Fetch(seen.source, seen.directory, memory.intervals, (deadline, limits.timeout), notes)
        finder = Finder(memory.catalog(seen.directory))
        return Evaluation(steps, finder, fetch, limits.lookback), expression

    @at.route("/query", methods=_BOTH)
    def query() -> Response:
        """The value of an expression at one time."""
        steps, notes = asked.instant(request.values), Notes({}, {})
        evaluating, expression = evaluation(steps, notes)
        if isinstance(expression, (grammar.MatrixSelector, grammar.SubqueryExpr)):
            return answers.success(_samples(evaluating, expression), notes)
        return answers.success(answers.instant(_cut(evaluating.run(expression), notes), steps.start), notes)

    @at.route("/query_range", methods=_BOTH)
    def query_range() -> Response:
        """The values of an expression at steps of time."""
        steps, notes = asked.steps(request.values), Notes({}, {})
        evaluating, expression = evaluation(steps, notes)
        value = evaluating.run(expression)
        if isinstance(value, str):
            raise QueryError("a text has no values over time: ask for numbers or series")
        if isinstance(value, Vector) and np.count_nonzero(value.there) > MOST_ANSWERED:
            raise cannot(f"the answer has more than {MOST_ANSWERED} values: use a longer step, or aggregate")
        return answers.success(answers.matrix(_cut(value, notes), steps.ms), notes)


def _cut(value: Value, notes: Notes) -> Any:
    """The value, with no more series than the request wants."""
    most = asked.count(request.values, "limit")
    if not isinstance(value, Vector):
        return value
    value = value.filled()
    return value.rows([*range(len(names.cut(value.labels, most, notes)))])


def _samples(evaluation: Evaluation, expression: Any) -> dict[str, Any]:
    """The samples of a range, as `x[5m]`."""
    found = evaluation.matrix(expression)
    if sum(len(samples.p) for _, samples in found) > MOST_ANSWERED:
        raise cannot(f"there are more than {MOST_ANSWERED} samples: ask for less time or fewer series")
    result = []
    for labels, samples in found:
        listed = zip((samples.p // MS).tolist(), samples.last.tolist(), strict=True)
        if values := [[answers.seconds(ms), text(value)] for ms, value in listed]:
            result.append({"metric": labels, "values": values})
    return {"resultType": "matrix", "result": result}


# names ------------------------------------------------------------------------------------------


def _answer_names(at: Blueprint, view: Callable[[], View], memories: Memories) -> None:
    def matched(selectors: Sequence[str]) -> list[Series]:
        asked.window(request.values)
        directory = view().directory
        return names.matched(memories.of(directory).catalog(directory), selectors)

    @at.route("/series", methods=_BOTH)
    def series() -> Response:
        """The labels of the series that selectors stand for."""
        selectors = request.values.getlist("match[]")
        if not selectors:
            raise QueryError("match[] is missing: say which series, as match[]=up")
        return _listed(names.label_sets(matched(selectors)))

    @at.route("/labels", methods=_BOTH)
    def labels() -> Response:
        """The names of labels."""
        return _listed(names.label_names(matched(request.values.getlist("match[]"))))

    @at.get("/label/<name>/values")
    def label_values(name: str) -> Response:
        """The values of a label."""
        selectors = request.values.getlist("match[]")
        return _listed(names.label_values(matched(selectors), name, any_too=not selectors))

    @at.get("/metadata")
    def metadata() -> Response:
        """What metrics are."""
        most, each = (asked.count(request.values, name) for name in ("limit", "limit_per_metric"))
        directory = view().directory
        catalog = memories.of(directory).catalog(directory)
        metric = request.values.get("metric", "")
        return answers.success(names.metadata(catalog, directory.at_hand(), metric, most, each))


def _listed(listed: Sequence[Any]) -> Response:
    notes = Notes({}, {})
    return answers.success(names.cut(listed, asked.count(request.values, "limit"), notes), notes)


# what Grafana looks for -------------------------------------------------------------------------


def _answer_probes(at: Blueprint) -> None:
    @at.get("/status/buildinfo")
    def buildinfo() -> Response:
        """Which version of Prometheus this speaks like."""
        about = {"version": SPEAKS, "revision": f"sisock {sisock.__version__}", "branch": "", "buildUser": ""}
        return answers.success({**about, "buildDate": "", "goVersion": ""})

    @at.get("/rules")
    def rules() -> Response:
        """None: alerts and recorded series are Grafana's or another's."""
        return answers.success({"groups": []})

    @at.get("/alerts")
    def alerts() -> Response:
        """None, likewise."""
        return answers.success({"alerts": []})

    @at.route("/query_exemplars", methods=_BOTH)
    def exemplars() -> Response:
        """None: samples have no traces."""
        return answers.success([])
