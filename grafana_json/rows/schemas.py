"""What rows are asked with and answered as, as OpenAPI and JSON Schema have it."""

from grafana_json.json_schema import Schema, obj
from grafana_json.query import MOST_TARGETS
from grafana_json.rows.asking import REDUCTIONS, SHAPES, TIMES, USUAL_POINTS
from grafana_json.rows.forms import ARROW, CSV, FORMS
from grafana_json.rows.listings import MOST_LISTED
from sisock.nearest import WHICH
from sisock.reduction import MOST_POINTS

_UNIT = "(ms|s|m|h|d|w|y)"
_MOMENT: Schema = {
    "description": "ISO 8601 (UTC where it says no offset), -6h, now, or UNIX seconds (by their size: ms, µs, ns)",
    "examples": ["2026-01-31T00:00:00Z", "-6h", "now", 1769990400],
    "anyOf": [
        {"type": "number", "minimum": 0},
        {"type": "string", "pattern": rf"^(now)?-[0-9]{{1,6}}{_UNIT}$|^now$|^$"},
        {"type": "string", "format": "date-time"},
        {"type": "string", "format": "date"},
    ],
}
_WIDTH: Schema = {
    "description": "width of bins: 90s, 15m, 1h, or seconds; in place of points",
    "examples": ["1m"],
    "anyOf": [
        {"type": "number", "minimum": 0.000001},
        {"type": "string", "pattern": "[0-9]|^$"},
    ],
}
_POINTS: Schema = {"type": "integer", "minimum": 1, "maximum": MOST_POINTS, "description": "of a target at the most"}
_TARGET: Schema = {"type": "string", "description": "node::field, with (a|b) and .* anywhere"}
_TARGETS: Schema = {
    "type": "array",
    "items": _TARGET,
    "minItems": 1,
    "maxItems": MOST_TARGETS,
    "examples": [["host::cpu", "weather::.*"]],
}
_CHOICES: dict[str, Schema] = {
    "reduce": {"enum": list(REDUCTIONS), "description": "how points are chosen; minmax keeps every spike"},
    "shape": {"enum": list(SHAPES), "description": "a row a value, or a column a target"},
    "time": {"enum": list(TIMES), "description": "how times are written; in Arrow they are timestamps"},
    "format": {"enum": list(FORMS), "description": "comes before Accept; sheet is CSV that is safe to open in one"},
}
_OF_DATA: dict[str, Schema] = {"from": _MOMENT, "to": _MOMENT, "points": _POINTS, "bin": _WIDTH, **_CHOICES}


def _parameter(name: str, schema: Schema, *, required: bool = False) -> Schema:
    return {"name": name, "in": "query", "schema": schema, **({"required": True} if required else {})}


def _parameters(several: Schema | None = None, **schemas: Schema) -> tuple[Schema, ...]:
    """The parameters of a URL: targets, if they are asked for, and others."""
    first = [_parameter("target", several, required=True)] if several else []
    return (*first, *(_parameter(name, schema) for name, schema in schemas.items()))


_TIME: Schema = {"type": ["integer", "string", "null"], "description": "ms since 1970 UTC, unless time= says otherwise"}
_TEXT: Schema = {"type": ["string", "null"]}
_VALUE: Schema = {"type": ["number", "string", "boolean", "null"], "description": "null: missing, NaN or infinite"}
_LONG = obj("time node field value unit", time=_TIME, node=_TEXT, field=_TEXT, value=_VALUE, unit=_TEXT)
_WIDE: Schema = {"type": "object", "properties": {"time": _TIME}, "required": ["time"], "additionalProperties": _VALUE}
_FRAME = obj(
    "schema data",
    schema=obj("meta fields", meta={"type": "object"}, fields={"type": "array", "items": {"type": "object"}}),
    data=obj("values", values={"type": "array", "items": {"type": "array"}}, entities={"type": "array"}),
)


def _rows(*rows: Schema, most: int | None = None) -> Schema:
    """An array of these, or a frame of the same."""
    items = rows[0] if len(rows) == 1 else {"anyOf": list(rows)}
    return {"anyOf": [{"type": "array", "items": items, **({"maxItems": most} if most else {})}, _FRAME]}


def _or_null(schema: Schema) -> Schema:
    """In a body null is not said, and a number may be a text as in a URL."""
    texts = [{"type": "string", "pattern": "^[0-9]{1,7}$"}] if schema is _POINTS else []
    return {"anyOf": [schema, *texts, {"enum": [None, ""]}]}


SCHEMAS: dict[str, Schema] = {
    "RowsAsked": {
        **obj("target", target={"anyOf": [_TARGET, _TARGETS]}, **{n: _or_null(s) for n, s in _OF_DATA.items()}),
        "additionalProperties": False,
    },
    "Rows": _rows(_LONG, _WIDE),
    "Readings": _rows(_LONG),
    "Nodes": _rows(obj("node state since", node=_TEXT, state={"enum": ["up", "away"]}, since=_TIME)),
    "Fields": _rows(obj("target node field type unit", target=_TEXT), most=MOST_LISTED),
}
_MORE, _FORMS = (304, 404, 406), (CSV, ARROW)


def _door(path: str, summary: str, answer: str, parameters: tuple[Schema, ...]) -> Schema:
    """A GET, with the names of openapi.Door."""
    told = {"path": path, "summary": summary, "answer": answer, "parameters": parameters}
    return {"method": "get", **told, "more": _MORE, "forms": _FORMS}


_NODES: Schema = {"type": "array", "items": {"type": "string"}}
_OF_INSTANT = {"t": _MOMENT, "which": {"enum": list(WHICH)}, **{name: _CHOICES[name] for name in ("time", "format")}}
_SUMMARY = f"Samples as rows: of the last hour, at most {USUAL_POINTS} a target"
DOORS: tuple[Schema, ...] = (
    _door("/api/nodes", "Data nodes", "Nodes", _parameters(time=_CHOICES["time"], format=_CHOICES["format"])),
    _door(
        "/api/fields", "Fields, of all nodes or of some", "Fields", _parameters(node=_NODES, format=_CHOICES["format"])
    ),
    _door("/api/data", _SUMMARY, "Rows", _parameters(_TARGETS, **_OF_DATA)),
    _door("/api/at", "The samples at, before or after an instant", "Readings", _parameters(_TARGETS, **_OF_INSTANT)),
    {
        "method": "post",
        "path": "/api/data",
        "summary": "The same, asked with a body",
        "answer": "Rows",
        "asked": "RowsAsked",
        "more": (404, 406),
        "forms": _FORMS,
    },
)
