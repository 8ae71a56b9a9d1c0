"""JSON as it lies in files: whatever is wrong with it is a ValueError."""

import json
from typing import Any


def from_json(text: str | bytes) -> Any:
    """What the text says. Raises ValueError where it is no JSON, or lists and objects lie in it too deep to be read."""
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("lists and objects lie too deep in it") from error
