"""The read API as OpenAPI 3.1 has it: what it is asked and what it answers."""

from typing import Any

from grafana_json.json_schema import TEXT, Schema, array, closed
from grafana_json.prometheus.asked import MOST_COUNT
from grafana_json.prometheus.names import MOST, MOST_SELECTORS

_ONE_OR_MORE = {"type": ["array", "string"]}  # a form cannot tell a list of one from its only item
_FORM = "application/x-www-form-urlencoded"
_LABELS: Schema = {"type": "object", "additionalProperties": TEXT}
_SECONDS: Schema = {"type": "number", "description": "seconds since 1970 UTC, to the millisecond"}
_VALUE: Schema = {"type": "string", "description": "a number as text; NaN, +Inf or -Inf too"}
_PAIR: Schema = {"$ref": "#/components/schemas/Pair"}
_SENTENCES: Schema = {"type": "array", "items": TEXT}
_ABOUT = {
    400: "the request makes no sense: the sentence says why, and what would",
    401: "the token is missing or wrong, or has ended",
    403: "the Host is not one of the bridge's names, or pages of the Origin may not ask it",
    413: "the request is too long",
    415: "the request is compressed in a way that the bridge does not know",
    422: "this cannot be had: the sentence says why, and what can",
    431: "the headers are too long",
    503: "there is no router or no hub, no node that was asked answers, or the time ran out",
}
_KINDS = ["bad_data", "execution", "timeout", "unavailable", "internal", "not_found", "unauthorized", "forbidden"]


def _success(data: Schema) -> Schema:
    told = {**_SENTENCES, "description": "what is missing from the answer"}
    notes = {**_SENTENCES, "description": "what is not quite as asked"}
    return closed("status data", status={"const": "success"}, data=data, warnings=told, infos=notes)


def _result(kind: str, result: Schema) -> Schema:
    return closed("resultType result", resultType={"const": kind}, result=result)


_MATRIX = _result("matrix", array(closed("metric values", metric=_LABELS, values=array(_PAIR, minItems=1))))
_VECTOR = _result("vector", array(closed("metric value", metric=_LABELS, value=_PAIR)))
_ABOUT_METRIC = closed("type unit help", type={"const": "gauge"}, unit=TEXT, help=TEXT)
_BUILD = ("version", "revision", "branch", "buildUser", "buildDate", "goVersion")
SCHEMAS: dict[str, Schema] = {
    "PrometheusError": closed(
        "status errorType error", status={"const": "error"}, errorType={"enum": _KINDS}, error=TEXT
    ),
    "Pair": {"type": "array", "prefixItems": [_SECONDS, _VALUE], "items": False, "minItems": 2},
    "Instant": _success({"oneOf": [_VECTOR, _MATRIX, _result("scalar", _PAIR), _result("string", _PAIR)]}),
    "Matrix": _success(_MATRIX),
    "LabelSets": _success(array(_LABELS, maxItems=MOST)),
    "Texts": _success(array(TEXT, maxItems=MOST)),
    "Metadata": _success({"type": "object", "additionalProperties": array(_ABOUT_METRIC, minItems=1)}),
    "BuildInfo": _success(closed(" ".join(_BUILD), **dict.fromkeys(_BUILD, TEXT))),
    "Rules": _success(closed("groups", groups=array({}, maxItems=0))),
    "Alerts": _success(closed("alerts", alerts=array({}, maxItems=0))),
    "Exemplars": _success(array({}, maxItems=0)),
}
_QUERY: Schema = {**TEXT, "minLength": 1, "description": "an expression of PromQL", "examples": ["up"]}
_TIME: Schema = {**TEXT, "description": "seconds since 1970, or as RFC 3339 has it", "examples": ["1770000000"]}
_LENGTH: Schema = {**TEXT, "description": "seconds, or as 1h30m", "examples": ["60", "5m"]}
_COUNT: Schema = {"type": "integer", "minimum": 0, "maximum": MOST_COUNT, "description": "at most so many; 0: all"}
_MATCH: Schema = {**array(TEXT, maxItems=MOST_SELECTORS), "description": "selectors", "examples": [["up"]]}
_LIMITS = {"timeout": _LENGTH, "limit": _COUNT, "lookback_delta": _LENGTH}
_WINDOW = {"start": _TIME, "end": _TIME, "limit": _COUNT}
_INSTANT = {"query": _QUERY, "time": _TIME, **_LIMITS}
_RANGE = {"query": _QUERY, "start": _TIME, "end": _TIME, "step": _LENGTH, **_LIMITS}
_SERIES = {"match[]": {**_MATCH, "minItems": 1}, **_WINDOW}
_NAMES = {"match[]": _MATCH, **_WINDOW}
_METRIC = {"metric": TEXT, "limit": _COUNT, "limit_per_metric": _COUNT}

_ASKED: tuple[tuple[str, str, str, dict[str, Schema], str, bool], ...] = (
    ("/query", "The value of an expression at one time", "Instant", _INSTANT, "query", True),
    ("/query_range", "The values of an expression at steps of time", "Matrix", _RANGE, "query start end step", True),
    ("/series", "The labels of the series that selectors stand for", "LabelSets", _SERIES, "match[]", True),
    ("/labels", "The names of labels", "Texts", _NAMES, "", True),
    ("/label/{name}/values", "The values of a label", "Texts", _NAMES, "", False),
    ("/metadata", "What metrics are", "Metadata", _METRIC, "", False),
    ("/status/buildinfo", "Which version of Prometheus this speaks like", "BuildInfo", {}, "", False),
    ("/rules", "None: rules are Grafana's or another's", "Rules", {}, "", False),
    ("/alerts", "None: alerts are Grafana's or another's", "Alerts", {}, "", False),
    ("/query_exemplars", "None: samples have no traces", "Exemplars", {}, "", True),
)


def paths(path: str, security: Any, preflight: Schema) -> dict[str, dict[str, Schema]]:
    """What OpenAPI calls path items, below this path."""
    described: dict[str, dict[str, Schema]] = {}
    for below, summary, answer, fields, required, posted in _ASKED:
        needed = set(required.split())
        about = {"summary": summary, "responses": _responses(summary, answer), "security": security}
        get = {**about, "operationId": f"get {path}{below}", "parameters": _parameters(fields, needed)}
        posted_fields = {
            name: {**schema, **_ONE_OR_MORE} if "items" in schema else schema for name, schema in fields.items()
        }
        body = {"type": "object", "properties": posted_fields, "required": sorted(needed)}
        form = {"required": bool(needed), "content": {_FORM: {"schema": body}}}
        post = {**about, "operationId": f"post {path}{below}", **({"requestBody": form} if fields else {})}
        named: dict[str, Any] = {"parameters": [_name()]} if "{name}" in below else {}
        described[path + below] = {"get": get, **({"post": post} if posted else {}), "options": preflight, **named}
    return described


def _name() -> Schema:
    return {"name": "name", "in": "path", "required": True, "schema": {**TEXT, "minLength": 1}}


def _parameters(fields: dict[str, Schema], needed: set[str]) -> list[Schema]:
    return [
        {"name": name, "in": "query", "required": name in needed, "schema": schema} for name, schema in fields.items()
    ]


def _responses(summary: str, answer: str) -> dict[str, Schema]:
    good = {"description": summary, "content": _json({"$ref": f"#/components/schemas/{answer}"})}
    return {"200": good, **{str(status): _wrong(status) for status in _ABOUT}}


def _wrong(status: int) -> Schema:
    schema: Schema = {"$ref": "#/components/schemas/PrometheusError"}
    if status in (413, 431):  # may be refused before it is known who should answer
        schema = {"anyOf": [schema, {"$ref": "#/components/schemas/Error"}]}
    return {"description": _ABOUT[status], "content": _json(schema)}


def _json(schema: Schema) -> dict[str, dict[str, Schema]]:
    return {"application/json": {"schema": schema}}
