"""How fields of a node are drawn through a door: numbers as lines, booleans as states, newest values as text."""

from collections.abc import Mapping, Sequence
from typing import Any

from sisock.grafana.doors import Door
from sisock.grafana.panels import LEGEND, STALE, TOOLTIP, Panel, panel, stat, states
from sisock.grafana.units import grafana_unit

_TRUE_FALSE = [
    {
        "type": "value",
        "options": {
            "0": {"text": "false", "color": "blue", "index": 0},
            "1": {"text": "true", "color": "green", "index": 1},
        },
    },
    {"type": "range", "options": {"from": 0, "to": 1, "result": {"text": "both", "color": "yellow", "index": 2}}},
]


def lines(
    door: Door, title: str, node: str, fields: Sequence[str], units: str | None, *, described: str = "",
    joined: bool = False,
) -> Panel:  # fmt: skip
    """Numbers as lines, with every spike; `joined`: also over long stretches without samples."""
    defaults: dict[str, Any] = {
        "custom": {
            "lineWidth": 1,
            "fillOpacity": 0,
            "showPoints": "auto",
            "spanNulls": True if joined else STALE,
        }
    }
    _with_unit(defaults, units)
    overrides = [each for field in fields for each in _band(door.series(node, field))] if door.bands else []
    return panel(
        "timeseries",
        title,
        door.reference,
        door.numbers(node, fields),
        description=described,
        fieldConfig={"defaults": defaults, "overrides": overrides},
        options={"legend": LEGEND, "tooltip": TOOLTIP},
    )


def _band(series: str) -> list[dict[str, Any]]:
    """How a series and the one of its minima become one band."""
    least = f"{series} (min)"
    hidden = {"legend": True, "tooltip": False, "viz": False}
    return [
        _override(series, {"custom.fillBelowTo": least, "custom.fillOpacity": 30}),
        _override(least, {"custom.lineWidth": 0, "custom.hideFrom": hidden}),
    ]


def _override(series: str, properties: Mapping[str, Any]) -> dict[str, Any]:
    listed = [{"id": name, "value": value} for name, value in properties.items()]
    return {"matcher": {"id": "byName", "options": series}, "properties": listed}


def _with_unit(defaults: dict[str, Any], units: str | None) -> None:
    unit = grafana_unit(units)
    if unit:
        defaults["unit"] = unit


def newest(door: Door, title: str, node: str, units: Mapping[str, str | None]) -> Panel:
    """The newest value of each field, in its unit."""
    overrides = [
        _override(door.series(node, field), {"unit": unit})
        for field, written in units.items()
        if (unit := grafana_unit(written))
    ]
    return stat(title, door.reference, door.newest(node, list(units)), overrides=overrides)


def booleans(door: Door, title: str, node: str, fields: Sequence[str]) -> Panel:
    """Booleans over time; a step in which a field was both says so."""
    return states(title, door.reference, door.states(node, fields), _TRUE_FALSE)
