"""The bridge's description of itself, as OpenAPI 3.1 has it: its doors, what they are asked and what they answer."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import sisock
from grafana_json.exchange import LARGEST_REQUEST
from grafana_json.json_schema import Schema
from grafana_json.measures import FORM
from grafana_json.plugins import simpod_schemas
from grafana_json.prometheus import described as prometheus
from grafana_json.rows import schemas as rows
from grafana_json.schemas import ANSWERED, ASKED

_ABOUT = (
    'Answers are JSON; an error is `{"error": sentence}`, below /api/v1 as Prometheus has it. A request body is read as JSON whatever its Content-Type says; '
    "none at all is read as `{}`. A path that is not listed here is 404, a method that is not 405 (HEAD is GET without "
    "the body), a Transfer-Encoding other than chunked 501."
)
_ERRORS = {
    400: "the request makes no sense: the sentence says why, and what would",
    401: "the token is missing or wrong, or has ended",
    403: "the Host is not one of the bridge's names, or pages of the Origin, or of another site, may not ask it",
    404: "there is no such node or field, or whoever asks may not see it",
    406: "none of the forms that are accepted can be written",
    413: f"the request is longer than {LARGEST_REQUEST} bytes",
    415: "the request is compressed",
    431: "the headers are too long",
    503: "there is no router or no hub",
}
_BEFORE_ANY_DOOR = 431  # refused while the request arrives, in the form of all
_EVERYWHERE = (400, 401, 403, 413, 415, 431, 503)
_UNCHANGED = 304
_TOKENS = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "the bridge's own token, or an API token"},
    "basic": {"type": "http", "scheme": "basic", "description": "an API token: its name, and its secret as password"},
}


class Door(NamedTuple):
    """One method at one path: what it is asked (a schema's name; "" where the body is not read), what it answers.

    `errors`: the schema of an error of its own. `parameters`: those of the URL. `more`: further answers than the one of 200
    and those that all doors have. `forms`: others than JSON in which the answer comes.
    """

    method: str
    path: str
    summary: str
    answer: str
    asked: str = ""
    needs_body: bool = True
    form: str = "application/json"  # of the answer
    errors: str = "Error"
    parameters: tuple[Schema, ...] = ()
    more: tuple[int, ...] = ()
    forms: tuple[str, ...] = ()


DOORS = (
    Door("get", "/", "How many nodes are up; Grafana's test of the data source", "Health"),
    Door("post", "/search", "Targets that contain a text; nodes, fields, tags", "Names", "Search", needs_body=False),
    Door("post", "/query", "The series of a panel, or simPod's annotations", "Series", "Query", errors="AnyError"),
    Door("post", "/annotations", "Nodes that came and went, gaps and events of series", "Changes", "AnnotationQuery"),
    Door("post", "/tag-keys", "What ad-hoc filters can look at", "TagKeys"),
    Door("post", "/tag-values", "What an ad-hoc filter can be set to", "TagValues", "TagKey", errors="AnyError"),
    Door("post", "/metrics", "Nodes, and the form of each", "Metrics", "Metric", needs_body=False, errors="AnyError"),
    Door("post", "/metric-payload-options", "What a line of a form can be", "Options", "Option", errors="AnyError"),
    Door("post", "/variable", "As /search", "Variables", "Variable", needs_body=False, errors="AnyError"),
    Door("get", "/metrics", "How the bridge is doing, as Prometheus reads it", "Measures", form=FORM),
    Door("get", "/openapi.json", "This description", "Description"),
    *(Door(**each) for each in rows.DOORS),
)


def describe(*, guarded: bool) -> dict[str, Any]:
    """The description of a bridge that asks for a token, or of one that takes one, too."""
    paths: dict[str, dict[str, Any]] = {}
    for door in DOORS:
        paths.setdefault(door.path, {"options": _preflight()})[door.method] = _operation(door, guarded=guarded)
    paths |= prometheus.paths("/api/v1", _security(guarded=guarded), _preflight())
    return {
        "openapi": "3.1.0",
        "info": {"title": "sisock: the bridge for Grafana", "version": sisock.__version__, "description": _ABOUT},
        "paths": paths,
        "components": {
            "schemas": ASKED
            | ANSWERED
            | simpod_schemas.ASKED
            | simpod_schemas.ANSWERED
            | rows.SCHEMAS
            | prometheus.SCHEMAS,
            "responses": {str(status): _answer(told, "Error") for status, told in _ERRORS.items()},
            "securitySchemes": _TOKENS,
        },
    }


def _operation(door: Door, *, guarded: bool) -> dict[str, Any]:
    body = {"required": door.needs_body, "content": _content(door.asked)}
    return {
        "operationId": f"{door.method} {door.path}",
        "summary": door.summary,
        **({"requestBody": body} if door.asked else {}),
        **({"parameters": list(door.parameters)} if door.parameters else {}),
        "responses": _responses(door),
        "security": _security(guarded=guarded),
    }


def _responses(door: Door) -> dict[str, Any]:
    well = _answer(door.summary, door.answer, door.form)
    well["content"] |= {form: {} for form in door.forms}
    unchanged = {"304": {"description": "it is what If-None-Match says"}} if _UNCHANGED in door.more else {}
    statuses = [*_EVERYWHERE, *(each for each in door.more if each != _UNCHANGED)]
    return {"200": well, **unchanged, **_errors(statuses, door.errors)}


def _security(*, guarded: bool) -> list[dict[str, list[str]]]:
    tokens: list[dict[str, list[str]]] = [{name: []} for name in _TOKENS]
    return tokens if guarded else [{}, *tokens]


def _preflight() -> dict[str, Any]:
    """What browsers ask first: the answer's headers say whether pages of the Origin may ask."""
    answers = {
        "204": {"description": "the headers say which pages may ask"},
        **_errors([status for status in _EVERYWHERE if status not in (401, 503)]),
    }
    return {"summary": "A browser's preflight; it cannot carry a token", "responses": answers, "security": []}


def _answer(told: str, schema: str, form: str = "application/json") -> dict[str, Any]:
    return {"description": told, "content": _content(schema, form)}


def _errors(statuses: Sequence[int], schema: str = "Error") -> dict[str, Any]:
    shared = {str(status): {"$ref": f"#/components/responses/{status}"} for status in sorted(statuses)}
    own = (status for status in statuses if schema != "Error" and status != _BEFORE_ANY_DOOR)
    return shared | {str(status): _answer(_ERRORS[status], schema) for status in own}


def _content(schema: str, form: str = "application/json") -> dict[str, dict[str, Schema]]:
    return {form: {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
