"""What simPod's plugin asks and is answered, as JSON Schema; the readers are in simpod.py, the writers in columnar.py."""

from grafana_json.plugins.builder import FORM
from grafana_json.plugins.door import MOST_FOUND
from grafana_json.query import MOST_FILTERS, MOST_TARGETS, REDUCTIONS
from grafana_json.schemas import (
    _COUNT,
    _MS,
    _TEXT,
    _TEXT_OR_NOTHING,
    _WIDTH,
    Schema,
    _list,
    _object,
    _ref,
)

_FILTERS: Schema = {**_list(_ref("Filter"), maxItems=MOST_FILTERS), "type": ["array", "null"]}
_OPTION = _object("value", label=_TEXT, value=_TEXT)
_ROWS = _list(_COUNT)

ASKED: dict[str, Schema] = {
    "Query": {"description": "of SimpleJSON or of simPod", "anyOf": [_ref("Panel"), _ref("SimpodPanel")]},
    "SimpodPanel": _object(
        "range targets",
        range=_ref("Range"),
        maxDataPoints={**_WIDTH, "description": "points of a series at the most"},
        intervalMs={**_WIDTH, "description": "width of a point; two points are given for each"},
        targets=_list(_ref("SimpodTarget"), minItems=1, maxItems=MOST_TARGETS),
        adhocFilters=_FILTERS,
        filters=_FILTERS,
    ),
    "SimpodTarget": {
        **_object(
            target={**_TEXT_OR_NOTHING, "description": "a node, or node::field with (a|b) and .* anywhere"},
            refId={"description": "comes back with the series if it is a text; Anno: annotations are asked for"},
            hide={"description": "whether the target is not asked for"},
            payload={"oneOf": [{"type": "null"}, {"const": ""}, _ref("Payload")]},
        ),
        "not": {"required": ["type"]},
    },
    "Payload": _object(
        field={
            "description": "fields of the node, where the target is one",
            "anyOf": [_TEXT_OR_NOTHING, _list(_TEXT)],
        },
        reduce={"enum": [*REDUCTIONS, "", None], "default": "minmax"},
        points={
            "description": "of a series at the most, in place of the panel's",
            "anyOf": [_WIDTH, {"type": "string", "pattern": r"^(|[1-9][0-9]{0,9})$"}],
        },
    ),
    "Metric": _object(
        metric={**_TEXT_OR_NOTHING, "description": "what is chosen now"},
        payload={"description": "what is chosen beside it"},
    ),
    "Option": _object(
        "name",
        metric={**_TEXT_OR_NOTHING, "description": "a node, or (a|b)"},
        payload={"description": "what is chosen beside it"},
        name={"enum": list(FORM)},
    ),
    "Variable": _object(
        payload={
            **_object(
                target={**_TEXT_OR_NOTHING, "description": "nodes, fields of NODE, nodes with TAG, tags, or a text"}
            ),
            "type": ["object", "null"],
        },
    ),
}

ANSWERED: dict[str, Schema] = {
    "SimpodError": {
        **_object("error", error=_object("code message", code={"type": "integer"}, message=_TEXT)),
        "additionalProperties": False,
    },
    "AnyError": {"oneOf": [_ref("Error"), _ref("SimpodError")]},
    "Frame": {
        **_object(
            "schema data",
            schema=_object(
                "name meta fields",
                name=_TEXT,
                refId=_TEXT,
                meta=_object(custom=_ref("Label"), notices=_list(_ref("Notice"))),
                fields=_list(
                    _object(
                        "name type config",
                        name=_TEXT,
                        type={"enum": ["time", "number", "string", "boolean", "other"]},
                        config=_object(displayNameFromDS=_TEXT, unit=_TEXT, description=_TEXT),
                        labels={"type": "object", "additionalProperties": _TEXT},
                    )
                ),
            ),
            data=_object(
                "values",
                values={**_list(_list({})), "description": "of each field; times in ms"},
                entities=_list({"anyOf": [{"type": "null"}, _object(NaN=_ROWS, Inf=_ROWS, NegInf=_ROWS)]}),
                nanos=_list({"anyOf": [{"type": "null"}, _list({**_MS, "description": "beyond the ms"})]}),
            ),
        ),
        "additionalProperties": False,
    },
    "Metrics": _list(
        _object(
            "value payloads",
            value=_TEXT,
            payloads=_list(
                _object(
                    "name type",
                    label=_TEXT,
                    name={"enum": list(FORM)},
                    type={"enum": ["input", "select", "multi-select"]},
                    placeholder=_TEXT,
                    options=_list(_OPTION),
                )
            ),
        )
    ),
    "Options": _list(_OPTION, maxItems=MOST_FOUND),
    "Variables": _list(_object("__text __value", __text=_TEXT, __value=_TEXT), maxItems=MOST_FOUND),
}
