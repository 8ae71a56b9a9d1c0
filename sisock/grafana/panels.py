"""Panels as Grafana has them in a dashboard, without their place.

Source: `@grafana/schema`, to whose types tests hold them.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sisock.grafana.promql import Target

Panel = dict[str, Any]
STALE = 300_000  # ms without samples after which a line is broken; Prometheus looks back as far
UP_AWAY = [
    {
        "type": "value",
        "options": {
            "0": {"text": "away", "color": "red", "index": 0},
            "1": {"text": "up", "color": "green", "index": 1},
        },
    },
]
LEGEND = {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []}
TOOLTIP = {"mode": "multi", "sort": "none"}
_CELLS = {"align": "left", "cellOptions": {"type": "auto"}, "inspect": False}


def panel(kind: str, title: str, source: Mapping[str, str], targets: Sequence[Target], **more: Any) -> Panel:
    """A panel of this kind that asks the source for the targets."""
    asked = [{**target, "datasource": dict(source)} for target in targets]
    return {"type": kind, "title": title, "datasource": dict(source), "targets": asked, **more}


def stat(
    title: str, source: Mapping[str, str], targets: Sequence[Target], *, overrides: Sequence[Any] = (),
    described: str = "", mappings: Sequence[Any] = (), unit: str = "",
) -> Panel:  # fmt: skip
    """Newest values as text."""
    defaults: dict[str, Any] = {"mappings": list(mappings), **({"unit": unit} if unit else {})}
    return panel(
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


def states(
    title: str, source: Mapping[str, str], targets: Sequence[Target], mappings: Sequence[Any] = (), described: str = ""
) -> Panel:
    """Words over time."""
    return panel(
        "state-timeline",
        title,
        source,
        targets,
        description=described,
        fieldConfig={
            "defaults": {
                "mappings": list(mappings),
                "custom": {"lineWidth": 0, "fillOpacity": 70, "spanNulls": STALE},
            },
            "overrides": [],
        },
        options={
            "showValue": "auto",
            "rowHeight": 0.9,
            "mergeValues": True,
            "alignValue": "left",
            "legend": {**LEGEND, "showLegend": False},
            "tooltip": {**TOOLTIP, "mode": "single"},
        },
    )


def series(
    title: str, source: Mapping[str, str], targets: Sequence[Target], unit: str = "", described: str = ""
) -> Panel:
    """Lines of what is asked, as it is asked."""
    custom = {"lineWidth": 1, "fillOpacity": 8, "showPoints": "never", "spanNulls": STALE}
    defaults = {"custom": custom, "min": 0, **({"unit": unit} if unit else {})}
    return panel(
        "timeseries",
        title,
        source,
        targets,
        description=described,
        fieldConfig={"defaults": defaults, "overrides": []},
        options={"legend": LEGEND, "tooltip": TOOLTIP},
    )


def table(
    title: str, source: Mapping[str, str], targets: Sequence[Target], overrides: Sequence[Any],
    transformations: Sequence[Any], described: str = "",
) -> Panel:  # fmt: skip
    """Rows of what is asked."""
    return panel(
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
