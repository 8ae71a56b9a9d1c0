"""Panels as Grafana has them in a dashboard, without their place.

Source: `@grafana/schema`, to whose types tests hold them.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sisock.grafana.doors import Door, Target
from sisock.grafana.units import grafana_unit

Panel = dict[str, Any]
_STALE = 300_000  # ms without samples after which a line is broken; Prometheus looks back as far
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
UP_AWAY = [
    {
        "type": "value",
        "options": {
            "0": {"text": "away", "color": "red", "index": 0},
            "1": {"text": "up", "color": "green", "index": 1},
        },
    },
]
_LEGEND = {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []}
_TOOLTIP = {"mode": "multi", "sort": "none"}
_CELLS = {"align": "left", "cellOptions": {"type": "auto"}, "inspect": False}


def _panel(kind: str, title: str, source: Mapping[str, str], targets: Sequence[Target], **more: Any) -> Panel:
    asked = [{**target, "datasource": dict(source)} for target in targets]
    return {"type": kind, "title": title, "datasource": dict(source), "targets": asked, **more}


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
            "spanNulls": True if joined else _STALE,
        }
    }
    _with_unit(defaults, units)
    overrides = [each for field in fields for each in _band(door.series(node, field))] if door.bands else []
    return _panel(
        "timeseries",
        title,
        door.reference,
        door.numbers(node, fields),
        description=described,
        fieldConfig={"defaults": defaults, "overrides": overrides},
        options={"legend": _LEGEND, "tooltip": _TOOLTIP},
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


def stat(
    title: str, source: Mapping[str, str], targets: Sequence[Target], *, overrides: Sequence[Any] = (),
    described: str = "", mappings: Sequence[Any] = (), unit: str = "",
) -> Panel:  # fmt: skip
    """Newest values as text."""
    defaults: dict[str, Any] = {"mappings": list(mappings), **({"unit": unit} if unit else {})}
    return _panel(
        "stat",
        title,
        source,
        targets,
        description=described,
        fieldConfig={"defaults": defaults, "overrides": list(overrides)},
        options={
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
            "orientation": "auto",
            "textMode": "auto",
            "wideLayout": True,
            "colorMode": "value",
            "graphMode": "none",
            "justifyMode": "auto",
            "showPercentChange": False,
            "percentChangeColorMode": "standard",
        },
    )


def booleans(door: Door, title: str, node: str, fields: Sequence[str]) -> Panel:
    """Booleans over time; a step in which a field was both says so."""
    return states(title, door.reference, door.states(node, fields), _TRUE_FALSE)


def states(
    title: str, source: Mapping[str, str], targets: Sequence[Target], mappings: Sequence[Any] = (), described: str = ""
) -> Panel:
    """Words over time."""
    return _panel(
        "state-timeline",
        title,
        source,
        targets,
        description=described,
        fieldConfig={
            "defaults": {
                "mappings": list(mappings),
                "custom": {"lineWidth": 0, "fillOpacity": 70, "spanNulls": _STALE},
            },
            "overrides": [],
        },
        options={
            "showValue": "auto",
            "rowHeight": 0.9,
            "mergeValues": True,
            "alignValue": "left",
            "legend": {**_LEGEND, "showLegend": False},
            "tooltip": {**_TOOLTIP, "mode": "single"},
        },
    )


def series(
    title: str, source: Mapping[str, str], targets: Sequence[Target], unit: str = "", described: str = ""
) -> Panel:
    """Lines of what is asked, as it is asked."""
    custom = {"lineWidth": 1, "fillOpacity": 8, "showPoints": "never", "spanNulls": _STALE}
    defaults = {"custom": custom, "min": 0, **({"unit": unit} if unit else {})}
    return _panel(
        "timeseries",
        title,
        source,
        targets,
        description=described,
        fieldConfig={"defaults": defaults, "overrides": []},
        options={"legend": _LEGEND, "tooltip": _TOOLTIP},
    )


def table(
    title: str, source: Mapping[str, str], targets: Sequence[Target], overrides: Sequence[Any],
    transformations: Sequence[Any], described: str = "",
) -> Panel:  # fmt: skip
    """Rows of what is asked."""
    return _panel(
        "table",
        title,
        source,
        targets,
        description=described,
        fieldConfig={"defaults": {"custom": _CELLS}, "overrides": list(overrides)},
        options={"showHeader": True, "cellHeight": "sm", "frameIndex": 0},
        transformations=list(transformations),
    )


def words(title: str, markdown: str) -> Panel:
    """A text."""
    return {"type": "text", "title": title, "options": {"mode": "markdown", "content": markdown}}


def dashboards(title: str, tag: str) -> Panel:
    """Links to all dashboards of a tag."""
    options = {
        "showStarred": False,
        "showRecentlyViewed": False,
        "showSearch": True,
        "showHeadings": False,
        "showFolderNames": False,
        "includeVars": False,
        "keepTime": True,
        "maxItems": 1000,
        "query": "",
        "tags": [tag],
    }
    return {"type": "dashlist", "title": title, "options": options}
