"""The door for the plugins that speak JSON, SimpleJSON and simPod's: the same paths, each answered in its own form."""

from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, g
from werkzeug.exceptions import RequestEntityTooLarge

from grafana_json import exchange
from grafana_json.exchange import LARGEST_REQUEST, body, reply
from grafana_json.plugins import builder, columnar, marks, simplejson, simpod
from grafana_json.plugins.marks import Window
from grafana_json.plugins.names import names
from grafana_json.query import KEYS, Filter, RequestError, checked, optional, parse_filters, parse_panel, shown
from grafana_json.targets import values
from grafana_json.views import View
from sisock.errors import ConsumerError

MOST_FOUND = 5000  # names in a listing


def door(view: Callable[[], View]) -> Blueprint:
    """The procedures of the plugins, all but `/`, which all doors share; each answers with what its caller may see."""
    at = Blueprint("dialects", __name__)
    _explain(at)
    _answer_panels(at, view)
    _answer_variables(at, view)
    _answer_filters(at, view)
    _answer_builder(at, view)
    return at


def _explain(at: Blueprint) -> None:
    """Refuse in the form of whoever asked."""

    @at.errorhandler(RequestError)
    def senseless(error: RequestError) -> Response:
        return _refuse(str(error), 400)

    @at.errorhandler(RequestEntityTooLarge)
    def large(error: RequestEntityTooLarge) -> Response:
        return _refuse(f"a request may be {LARGEST_REQUEST} bytes long at the most", 413)

    @at.errorhandler(ConsumerError)
    def unanswered(error: ConsumerError) -> Response:
        return _refuse(str(error), 503)


def _refuse(sentence: str, status: int) -> Response:
    return exchange.refuse(sentence, status, simpod=g.get("simpod", False))


def _answer_panels(at: Blueprint, view: Callable[[], View]) -> None:
    """Answer what panels ask, and annotations, which simPod asks as if they were a panel."""

    @at.post("/query")
    def query() -> Response:
        asked = body()
        g.simpod = simpod.is_query(asked)
        if not g.simpod:
            return reply(simplejson.render(view().panels.fetch(parse_panel(asked))))
        panel, text = simpod.parse_panel(asked), simpod.parse_annotation(asked)
        if text is None:
            return reply([columnar.frame(series) for series in view().panels.fetch(panel)])
        told = marks.find(view(), Window(panel.start, panel.end, text))
        return reply([columnar.annotations(told, simpod.ANNOTATIONS)])

    @at.post("/annotations")
    def annotations() -> Response:
        """What happened in a window."""
        window, echo = simplejson.parse_annotation(body())
        return reply(simplejson.annotations(marks.find(view(), window), echo) if window else [])


def _answer_variables(at: Blueprint, view: Callable[[], View]) -> None:
    """Answer what is there by a text: for the editor of SimpleJSON, and for variables."""

    def find(text: str) -> list[str]:
        directory = view().directory
        return names(text, directory.known(), directory.tags(), MOST_FOUND)

    @at.post("/search")
    def search() -> Response:
        asked = checked(body(), dict, "the request", "an object")
        return reply(find(optional(asked.get("target"), "", "target", "the text to look for")))

    @at.post("/variable")
    def variable() -> Response:
        asked = checked(body(), dict, "the request", "an object")
        said = optional(asked.get("payload"), {}, "payload", 'an object as {"target": "nodes"}')
        found = find(optional(said.get("target"), "", "payload.target", "the text to look for"))
        return reply([{"__text": name, "__value": name} for name in found])


def _answer_filters(at: Blueprint, view: Callable[[], View]) -> None:
    """Answer what ad-hoc filters can look at, and what each can be set to."""

    @at.post("/tag-keys")
    def tag_keys() -> Response:
        return reply([{"type": "string", "text": key} for key in KEYS])

    @at.post("/tag-values")
    def tag_values() -> Response:
        """What an ad-hoc filter can be set to; where others are told, among what passes these."""
        said = body()
        g.simpod = simpod.is_filter(said)
        asked = checked(said, dict, "the request", "an object")
        key = asked.get("key")
        if key not in KEYS:
            raise RequestError(f"the key {shown(key)} is unknown: use one of {', '.join(KEYS)}")
        others: tuple[Filter, ...] = parse_filters(asked.get("filters"))
        directory = view().directory
        found = values(key, directory.known(), directory.tags(), others)
        return reply([{"text": value} for value in sorted(found)[:MOST_FOUND]])


def _answer_builder(at: Blueprint, view: Callable[[], View]) -> None:
    """Answer what simPod's form for a target asks. GET of `/metrics` is somebody else's."""

    @at.post("/metrics")
    def metrics() -> Response:
        current = optional(_asked().get("metric"), "", "metric", "a node, or a text as node::field")
        return reply(builder.metrics(view().directory.known(), current, MOST_FOUND))

    @at.post("/metric-payload-options")
    def options() -> Response:
        asked = _asked()
        node = optional(asked.get("metric"), "", "metric", "the name of a node")
        name = checked(asked.get("name"), str, "name", f"one of {', '.join(builder.FORM)}")
        return reply(builder.options(name, node, view().directory.known(), MOST_FOUND))

    def _asked() -> Any:
        return checked(body(), dict, "the request", "an object")
