"""The form in which simPod's plugin lets people build a target: a node, its fields, how they are reduced, how many points.

Source: `/metrics` and `/metric-payload-options` of the plugin's README.
"""

from typing import Any

from grafana_json.plugins.names import fields_of
from grafana_json.query import REDUCTIONS, RequestError, shown
from grafana_json.targets import Known
from sisock.frames import Field
from sisock.uris import JOINT

FORM = ("field", "reduce", "points")
_LABELS = {
    "minmax": "minimum and maximum: every spike",
    "m4": "first, minimum, maximum, last: every spike",
    "band": "mean between minimum and maximum: every spike",
    "mean": "mean",
    "first": "first",
    "last": "last",
    "count": "number of samples",
    "std": "standard deviation",
    "lttb": "largest triangles",
    "stride": "every so many",
}
_LONGEST = 300  # characters of a target that comes back as an option


def metrics(known: Known, current: str, most: int) -> list[dict[str, Any]]:
    """The nodes with the form of each, at most so many; first what is chosen now, where it was typed as a target."""
    typed = [current] if JOINT in current and len(current) <= _LONGEST else []
    forms: dict[str, tuple[str, ...]] = dict.fromkeys(typed, FORM[1:])
    forms |= dict.fromkeys(sorted(known)[:most], FORM)
    return [{"value": value, "payloads": _form(names)} for value, names in forms.items()]


def _form(names: tuple[str, ...]) -> list[dict[str, Any]]:
    """What can be set; the options of `field` are asked for when they are looked at."""
    all_of_it: dict[str, dict[str, Any]] = {
        "field": {"label": "Fields", "name": "field", "type": "multi-select", "placeholder": "choose fields"},
        "reduce": {"label": "Reduce", "name": "reduce", "type": "select", "options": _reductions()},
        "points": {"label": "Points", "name": "points", "type": "input", "placeholder": "as wide as the panel"},
    }
    return [all_of_it[name] for name in names]


def options(name: str, node: str, known: Known, most: int) -> list[dict[str, str]]:
    """What one line of the form can be set to, at most so many; raises RequestError for another line."""
    if name not in FORM:
        raise RequestError(f"the option {shown(name)} is unknown: use one of {', '.join(FORM)}")
    if name == "field":
        listed = list(fields_of(node, known).items())[:most]
        return [{"label": _label(field, about), "value": field} for field, about in listed]
    return _reductions() if name == "reduce" else []


def _reductions() -> list[dict[str, str]]:
    return [{"label": _LABELS[each], "value": each} for each in REDUCTIONS]


def _label(field: str, about: Field) -> str:
    return f"{field} ({about.units})" if about.units else field
