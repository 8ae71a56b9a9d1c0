"""What simPod's plugin asks and is answered, as JSON Schema; the readers are in simpod.py, the writers in columnar.py."""

from grafana_json.json_schema import COUNT, MS, TEXT, TEXT_OR_NOTHING, WIDTH, Schema, array, obj, ref
from grafana_json.plugins.builder import FORM
from grafana_json.plugins.door import MOST_FOUND
from grafana_json.query import MOST_FILTERS, MOST_TARGETS, REDUCTIONS

_FILTERS: Schema = {**array(ref("Filter"), maxItems=MOST_FILTERS), "type": ["array", "null"]}
_OPTION = obj("value", label=TEXT, value=TEXT)
_ROWS = array(COUNT)

ASKED: dict[str, Schema] = {
    "Query": {"description": "of SimpleJSON or of simPod", "anyOf": [ref("Panel"), ref("SimpodPanel")]},
    "SimpodPanel": obj(
        "range targets",
        range=ref("Range"),
        maxDataPoints={**WIDTH, "description": "points of a series at the most"},
        intervalMs={**WIDTH, "description": "width of a point; two points are given for each"},
        targets=array(ref("SimpodTarget"), minItems=1, maxItems=MOST_TARGETS),
        adhocFilters=_FILTERS,
        filters=_FILTERS,
    ),
    "SimpodTarget": {
        **obj(
            target={**TEXT_OR_NOTHING, "description": "a node, or node::field with (a|b) and .* anywhere"},
            refId={"description": "comes back with the series if it is a text; Anno: annotations are asked for"},
            hide={"description": "whether the target is not asked for"},
            payload={"oneOf": [{"type": "null"}, {"const": ""}, ref("Payload")]},
        ),
        "not": {"required": ["type"]},
    },
    "Payload": obj(
        field={
            "description": "fields of the node, where the target is one",
            "anyOf": [TEXT_OR_NOTHING, array(TEXT)],
        },
        reduce={"enum": [*REDUCTIONS, "", None], "default": "minmax"},
        points={
            "description": "of a series at the most, in place of the panel's",
            "anyOf": [WIDTH, {"type": "string", "pattern": r"^(|[1-9][0-9]{0,9})$"}],
        },
    ),
    "Metric": obj(
        metric={**TEXT_OR_NOTHING, "description": "what is chosen now"},
        payload={"description": "what is chosen beside it"},
    ),
    "Option": obj(
        "name",
        metric={**TEXT_OR_NOTHING, "description": "a node, or (a|b)"},
        payload={"description": "what is chosen beside it"},
        name={"enum": list(FORM)},
    ),
    "Variable": obj(
        payload={
            **obj(target={**TEXT_OR_NOTHING, "description": "nodes, fields of NODE, nodes with TAG, tags, or a text"}),
            "type": ["object", "null"],
        },
    ),
}

ANSWERED: dict[str, Schema] = {
    "SimpodError": {
        **obj("error", error=obj("code message", code={"type": "integer"}, message=TEXT)),
        "additionalProperties": False,
    },
    "AnyError": {"oneOf": [ref("Error"), ref("SimpodError")]},
    "Frame": {
        **obj(
            "schema data",
            schema=obj(
                "name meta fields",
                name=TEXT,
                refId=TEXT,
                meta=obj(custom=ref("Label"), notices=array(ref("Notice"))),
                fields=array(
                    obj(
                        "name type config",
                        name=TEXT,
                        type={"enum": ["time", "number", "string", "boolean", "other"]},
                        config=obj(displayNameFromDS=TEXT, unit=TEXT, description=TEXT),
                        labels={"type": "object", "additionalProperties": TEXT},
                    )
                ),
            ),
            data=obj(
                "values",
                values={**array(array({})), "description": "of each field; times in ms"},
                entities=array({"anyOf": [{"type": "null"}, obj(NaN=_ROWS, Inf=_ROWS, NegInf=_ROWS)]}),
                nanos=array({"anyOf": [{"type": "null"}, array({**MS, "description": "beyond the ms"})]}),
            ),
        ),
        "additionalProperties": False,
    },
    "Metrics": array(
        obj(
            "value payloads",
            value=TEXT,
            payloads=array(
                obj(
                    "name type",
                    label=TEXT,
                    name={"enum": list(FORM)},
                    type={"enum": ["input", "select", "multi-select"]},
                    placeholder=TEXT,
                    options=array(_OPTION),
                )
            ),
        )
    ),
    "Options": array(_OPTION, maxItems=MOST_FOUND),
    "Variables": array(obj("__text __value", __text=TEXT, __value=TEXT), maxItems=MOST_FOUND),
}
