"""What the bridge is asked and answers, as JSON Schema; the readers are in query.py, the writers in simplejson.py."""

from grafana_json.changes import MOST_SHOWN
from grafana_json.json_schema import COUNT, MS, TEXT, TEXT_OR_NOTHING, WIDTH, Schema, array, obj, ref, row
from grafana_json.plugins.door import MOST_FOUND
from grafana_json.query import KEYS, MOST_FILTERS, MOST_TARGETS, OPERATORS

_VALUE: Schema = {"type": ["number", "string", "null"], "description": "null: missing, not a number, or infinite"}
_MOMENT: Schema = {
    "type": "string",
    "description": "a time as ISO 8601 has it, UTC where it says no offset",
    "examples": ["2026-01-31T00:00:00.000Z", "2026-01-31"],
    "anyOf": [{"format": "date-time"}, {"format": "date"}],
}

ASKED: dict[str, Schema] = {
    "Search": obj(target={**TEXT_OR_NOTHING, "description": "what is typed, or alternatives: (a|b)"}),
    "Range": {
        **obj("from to", **{"from": _MOMENT, "to": _MOMENT}),
        "description": "`to` is not before `from`",
    },
    "Target": obj(
        target={**TEXT_OR_NOTHING, "description": "node::field, with (a|b) and .* anywhere; nothing is not asked for"},
        type={"enum": ["timeserie", "table", "", None], "default": "timeserie"},
        refId={"description": "comes back with the series if it is a text"},
        hide={"description": "whether the target is not asked for"},
        payload={"description": "`reduce` and `points` as simPod has them, where it is an object that says so"},
        data={"description": "likewise"},
    ),
    "Filter": {
        "oneOf": [
            obj(
                "key value",
                key={"enum": list(KEYS)},
                operator={"enum": list(OPERATORS[:4]), "default": "="},
                value=TEXT,
            ),
            obj(
                "key operator values",
                key={"enum": list(KEYS)},
                operator={"enum": list(OPERATORS[4:])},
                values=array(TEXT),
            ),
        ]
    },
    "Panel": obj(
        "range",
        range=ref("Range"),
        maxDataPoints={**WIDTH, "description": "points of a series at the most"},
        intervalMs={**WIDTH, "description": "width of a point; two points are given for each"},
        targets={**array(ref("Target"), maxItems=MOST_TARGETS), "type": ["array", "null"]},
        adhocFilters={**array(ref("Filter"), maxItems=MOST_FILTERS), "type": ["array", "null"]},
    ),
    "AnnotationQuery": obj(
        "range annotation",
        range=ref("Range"),
        annotation=obj(
            query={
                **TEXT_OR_NOTHING,
                "description": "a part of a node's name, or (a|b): it came and went; node::field: its gaps and events; events with TAG",
            },
            enable={"description": "whether anything is wanted", "default": True},
        ),
    ),
    "TagKey": obj(
        "key",
        key={"enum": list(KEYS)},
        filters={**array(ref("Filter"), maxItems=MOST_FILTERS), "type": ["array", "null"]},
    ),
}

ANSWERED: dict[str, Schema] = {
    "Error": {**obj("error", error=TEXT), "additionalProperties": False},
    "Health": obj("nodes", nodes={**COUNT, "description": "how many are up"}),
    "Names": array(TEXT, maxItems=MOST_FOUND),
    "Series": array({"oneOf": [ref("Timeserie"), ref("Table"), ref("Frame")]}),
    "Timeserie": {
        **obj(
            "target datapoints meta",
            target=TEXT,
            datapoints=array(row(_VALUE, MS)),
            unit={**TEXT, "description": "Grafana's name of it, where there is one"},
            refId=TEXT,
            meta=obj(custom=ref("Label"), notices=array(ref("Notice"))),
        ),
        "additionalProperties": False,
    },
    "Table": {
        **obj(
            "type columns rows meta",
            type={"const": "table"},
            columns=array(obj("text type", text=TEXT, type={"enum": ["time", "number", "string"]})),
            rows=array({"type": "array", "prefixItems": [MS], "items": _VALUE, "minItems": 2}),
            refId=TEXT,
            meta=obj(
                custom={
                    "description": "one label, or the label of each column where there are several",
                    "anyOf": [ref("Label"), {"type": "object", "additionalProperties": ref("Label")}],
                },
                notices=array(ref("Notice")),
            ),
        ),
        "additionalProperties": False,
    },
    "Label": {
        **obj(
            "method samples gaps",
            method={**TEXT, "description": "how samples became points; raw: each is one"},
            samples={**COUNT, "description": "how many are behind the points"},
            bin={"type": "number", "description": "width in ms, where there are bins"},
            gaps=array(row(MS, MS)),
        ),
        "additionalProperties": False,
    },
    "Notice": obj("severity text", severity={"enum": ["info", "warning", "error"]}, text=TEXT),
    "Changes": array(
        obj(
            "annotation time title text tags",
            annotation={"type": "object", "additionalProperties": {"type": ["string", "boolean"]}},
            time=MS,
            timeEnd=MS,
            title=TEXT,
            text=TEXT,
            tags={**array(TEXT), "description": "the node, and up or away; the node, the field, and gap"},
        ),
        maxItems=MOST_SHOWN,
    ),
    "TagKeys": array(obj("type text", type={"const": "string"}, text={"enum": list(KEYS)})),
    "TagValues": array(obj("text", text=TEXT), maxItems=MOST_FOUND),
    "Measures": {**TEXT, "description": "Prometheus's text format"},
    "Description": obj("openapi info paths", openapi=TEXT, info={"type": "object"}, paths={"type": "object"}),
}
