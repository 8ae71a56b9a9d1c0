"""Words of JSON Schema with which the doors describe themselves."""

import sys
from typing import Any

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
TEXT_OR_NOTHING: Schema = {"type": ["string", "null"]}
COUNT: Schema = {"type": "integer", "minimum": 0}
MS: Schema = {"type": "integer", "description": "milliseconds since 1970 UTC"}
WIDTH: Schema = {"type": ["number", "null"], "exclusiveMinimum": 0, "maximum": sys.float_info.max}


def obj(required: str = "", /, **properties: Schema) -> Schema:
    """An object with these properties; further ones are ignored in requests, and absent from answers."""
    return {"type": "object", "properties": properties} | ({"required": required.split()} if required else {})


def closed(required: str, /, **properties: Schema) -> Schema:
    """An object with these properties and no others."""
    return {**obj(required, **properties), "additionalProperties": False}


def array(items: Schema, **limits: int) -> Schema:
    """A list of such items."""
    return {"type": "array", "items": items, **limits}


def row(*items: Schema) -> Schema:
    """A list of exactly these."""
    return {"type": "array", "prefixItems": list(items), "items": False, "minItems": len(items)}


def ref(name: str) -> Schema:
    """What is described elsewhere by this name."""
    return {"$ref": f"#/components/schemas/{name}"}
