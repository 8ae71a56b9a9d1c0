"""What the bridge is asked and answers, as JSON Schema; the readers are in query.py, the writers in simplejson.py."""

import sys
from typing import Any

from grafana_json.changes import MOST_SHOWN
from grafana_json.plugins.door import MOST_FOUND
from grafana_json.query import KEYS, MOST_FILTERS, MOST_TARGETS, OPERATORS

Schema = dict[str, Any]


def _object(required: str = "", /, **properties: Schema) -> Schema:
    """An object with these properties; further ones are ignored in requests, and absent from answers."""
    return {"type": "object", "properties": properties} | ({"required": required.split()} if required else {})


def _list(items: Schema, **limits: int) -> Schema:
    return {"type": "array", "items": items, **limits}


def _row(*items: Schema) -> Schema:
    """A list of exactly these."""
    return {"type": "array", "prefixItems": list(items), "items": False, "minItems": len(items)}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


_TEXT: Schema = {"type": "string"}
_TEXT_OR_NOTHING: Schema = {"type": ["string", "null"]}
_COUNT: Schema = {"type": "integer", "minimum": 0}
_VALUE: Schema = {"type": ["number", "string", "null"], "description": "null: missing, not a number, or infinite"}
_MS: Schema = {"type": "integer", "description": "milliseconds since 1970 UTC"}
_MOMENT: Schema = {
    "type": "string",
    "description": "a time as ISO 8601 has it, UTC where it says no offset",
    "examples": ["2026-01-31T00:00:00.000Z", "2026-01-31"],
    "anyOf": [{"format": "date-time"}, {"format": "date"}],
}
_WIDTH: Schema = {"type": ["number", "null"], "exclusiveMinimum": 0, "maximum": sys.float_info.max}

ASKED: dict[str, Schema] = {
    "Search": _object(target={**_TEXT_OR_NOTHING, "description": "what is typed, or alternatives: (a|b)"}),
    "Range": {
        **_object("from to", **{"from": _MOMENT, "to": _MOMENT}),
        "description": "`to` is not before `from`",
    },
    "Target": _object(
        target={**_TEXT_OR_NOTHING, "description": "node::field, with (a|b) and .* anywhere; nothing is not asked for"},
        type={"enum": ["timeserie", "table", "", None], "default": "timeserie"},
        refId={"description": "comes back with the series if it is a text"},
        hide={"description": "whether the target is not asked for"},
        payload={"description": "`reduce` and `points` as simPod has them, where it is an object that says so"},
        data={"description": "likewise"},
    ),
    "Filter": {
        "oneOf": [
            _object(
                "key value",
                key={"enum": list(KEYS)},
                operator={"enum": list(OPERATORS[:4]), "default": "="},
                value=_TEXT,
            ),
            _object(
                "key operator values",
                key={"enum": list(KEYS)},
                operator={"enum": list(OPERATORS[4:])},
                values=_list(_TEXT),
            ),
        ]
    },
    "Panel": _object(
        "range",
        range=_ref("Range"),
        maxDataPoints={**_WIDTH, "description": "points of a series at the most"},
        intervalMs={**_WIDTH, "description": "width of a point; two points are given for each"},
        targets={**_list(_ref("Target"), maxItems=MOST_TARGETS), "type": ["array", "null"]},
        adhocFilters={**_list(_ref("Filter"), maxItems=MOST_FILTERS), "type": ["array", "null"]},
    ),
    "AnnotationQuery": _object(
        "range annotation",
        range=_ref("Range"),
        annotation=_object(
            query={
                **_TEXT_OR_NOTHING,
                "description": "a part of a node's name, or (a|b): it came and went; or node::field: its gaps",
            },
            enable={"description": "whether anything is wanted", "default": True},
        ),
    ),
    "TagKey": _object(
        "key",
        key={"enum": list(KEYS)},
        filters={**_list(_ref("Filter"), maxItems=MOST_FILTERS), "type": ["array", "null"]},
    ),
}

ANSWERED: dict[str, Schema] = {
    "Error": {**_object("error", error=_TEXT), "additionalProperties": False},
    "Health": _object("nodes", nodes={**_COUNT, "description": "how many are up"}),
    "Names": _list(_TEXT, maxItems=MOST_FOUND),
    "Series": _list({"oneOf": [_ref("Timeserie"), _ref("Table"), _ref("Frame")]}),
    "Timeserie": {
        **_object(
            "target datapoints meta",
            target=_TEXT,
            datapoints=_list(_row(_VALUE, _MS)),
            unit={**_TEXT, "description": "Grafana's name of it, where there is one"},
            refId=_TEXT,
            meta=_object(custom=_ref("Label"), notices=_list(_ref("Notice"))),
        ),
        "additionalProperties": False,
    },
    "Table": {
        **_object(
            "type columns rows meta",
            type={"const": "table"},
            columns=_list(_object("text type", text=_TEXT, type={"enum": ["time", "number", "string"]})),
            rows=_list({"type": "array", "prefixItems": [_MS], "items": _VALUE, "minItems": 2}),
            refId=_TEXT,
            meta=_object(
                custom={
                    "description": "one label, or the label of each column where there are several",
                    "anyOf": [_ref("Label"), {"type": "object", "additionalProperties": _ref("Label")}],
                },
                notices=_list(_ref("Notice")),
            ),
        ),
        "additionalProperties": False,
    },
    "Label": {
        **_object(
            "method samples gaps",
            method={**_TEXT, "description": "how samples became points; raw: each is one"},
            samples={**_COUNT, "description": "how many are behind the points"},
            bin={"type": "number", "description": "width in ms, where there are bins"},
            gaps=_list(_row(_MS, _MS)),
        ),
        "additionalProperties": False,
    },
    "Notice": _object("severity text", severity={"enum": ["info", "warning", "error"]}, text=_TEXT),
    "Changes": _list(
        _object(
            "annotation time title text tags",
            annotation={"type": "object", "additionalProperties": {"type": ["string", "boolean"]}},
            time=_MS,
            timeEnd=_MS,
            title=_TEXT,
            text=_TEXT,
            tags={**_list(_TEXT), "description": "the node, and up or away; the node, the field, and gap"},
        ),
        maxItems=MOST_SHOWN,
    ),
    "TagKeys": _list(_object("type text", type={"const": "string"}, text={"enum": list(KEYS)})),
    "TagValues": _list(_object("text", text=_TEXT), maxItems=MOST_FOUND),
    "Measures": {**_TEXT, "description": "Prometheus's text format"},
    "Description": _object("openapi info paths", openapi=_TEXT, info={"type": "object"}, paths={"type": "object"}),
}
