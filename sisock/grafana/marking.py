"""How a file says that it is ours and that nobody has edited it: a line with the hash of the rest."""

import hashlib
import json
import re
from typing import Any

from sisock.grafana import yaml

_WORDS = "Made by `sisock grafana provision`, which keeps it current unless it is edited"
_MARK = re.compile(rf"{re.escape(_WORDS)} \[([0-9a-f]{{16}})\]\.")


def as_json(dashboard: dict[str, Any]) -> str:
    """The dashboard as a file of ours; the mark is the last line of its description."""
    told = dashboard.get("description", "")
    mark = _mark(json.dumps({**dashboard, "description": told}, sort_keys=True))
    marked = {**dashboard, "description": f"{told}\n\n{mark}" if told else mark}
    return json.dumps(marked, indent=1, ensure_ascii=False) + "\n"


def as_yaml(data: dict[str, Any], about: str) -> str:
    """The data as a file of ours, with what it is about and the mark as comments."""
    body = f"# {about}\n{yaml.dump(data)}"
    return f"# {_mark(body)}\n{body}"


def is_ours(text: str) -> bool:
    """Whether a file is one of ours that nobody has edited."""
    return _json_is_ours(text) if text.startswith("{") else _yaml_is_ours(text)


def _json_is_ours(text: str) -> bool:
    try:
        dashboard = json.loads(text)
    except (ValueError, RecursionError):
        return False
    told = dashboard.get("description")
    mark = _MARK.search(told) if isinstance(told, str) else None
    if mark is None or mark.end() != len(told):
        return False
    before = told[: mark.start()].removesuffix("\n\n")
    return mark[0] == _mark(json.dumps({**dashboard, "description": before}, sort_keys=True))


def _yaml_is_ours(text: str) -> bool:
    first, _, body = text.partition("\n")
    return first == f"# {_mark(body)}"


def _mark(content: str) -> str:
    return f"{_WORDS} [{hashlib.sha256(content.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}]."
