"""The doors of the bridge as Grafana's data sources, and how a panel asks each for fields of a node."""

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from sisock.grafana.promql import Target, prometheus, reference, selector
from sisock.uris import JOINT

_VARIABLE = re.compile(r"\$[\w{]|\[\[", re.ASCII)  # what `$name`, `${name}` and `[[name]]` begin with in Grafana


class Door(NamedTuple):
    """One door: its name on the command line, the type of its data source, and what it is called in Grafana.

    `numbers`, `states` (of booleans), `newest` and `texts` give the targets by which a panel asks for fields of a node;
    `texts` is None where the door has none.
    """

    name: str
    type: str
    title: str
    numbers: Callable[[str, Sequence[str]], list[Target]]
    states: Callable[[str, Sequence[str]], list[Target]]
    newest: Callable[[str, Sequence[str]], list[Target]]
    texts: Callable[[str, Sequence[str]], list[Target]] | None
    bands: bool = False  # whether numbers come as two series each, `field` and `field (min)`
    bare: bool = False  # whether series are called by the field alone
    any_name: bool = False  # whether it asks so that Grafana puts no value of its own into a name

    @property
    def uid(self) -> str:
        """The uid of its data source."""
        return f"sisock-{self.name}"

    @property
    def reference(self) -> dict[str, str]:
        """How panels name it."""
        return {"type": self.type, "uid": self.uid}

    def takes(self, field: str) -> bool:
        """Whether it can ask for a field of this name as it is."""
        return self.any_name or not _VARIABLE.search(field)

    def series(self, node: str, field: str) -> str:
        """What a panel calls the series of a field."""
        return field if self.bare else f"{node}{JOINT}{field}"


def _bands(node: str, fields: Sequence[str]) -> list[Target]:
    """The largest and the smallest value of each step: what is drawn has every spike."""
    chosen = selector(node, fields)
    return [
        prometheus(f"max_over_time({chosen}[$__interval])", "{{field}}", 0),
        prometheus(f"min_over_time({chosen}[$__interval])", "{{field}} (min)", 1),
    ]


def _means(node: str, fields: Sequence[str]) -> list[Target]:
    """Of booleans the mean of each step: what lies between 0 and 1 was both."""
    return [prometheus(f"avg_over_time({selector(node, fields)}[$__interval])", "{{field}}")]


def _newest(node: str, fields: Sequence[str]) -> list[Target]:
    return [prometheus(f"last_over_time({selector(node, fields)}[$__range])", "{{field}}", instant=True)]


# the JSON plugins


def _simplejson(kind: str) -> Callable[[str, Sequence[str]], list[Target]]:
    def targets(node: str, fields: Sequence[str]) -> list[Target]:
        return [
            {"refId": reference(at), "target": f"{node}{JOINT}{field}", "type": kind} for at, field in enumerate(fields)
        ]

    return targets


def _simpod(node: str, fields: Sequence[str]) -> list[Target]:
    return [
        {"refId": reference(at), "target": f"{node}{JOINT}{field}", "payload": {}, "editorMode": "code"}
        for at, field in enumerate(fields)
    ]


def _infinity(kind: str) -> Callable[[str, Sequence[str]], list[Target]]:
    def targets(node: str, fields: Sequence[str]) -> list[Target]:
        return [_rows(at, f"{node}{JOINT}{field}", kind) for at, field in enumerate(fields)]

    return targets


def _rows(at: int, target: str, kind: str) -> Target:
    """Rows of time and value, in Infinity's words."""
    asked = {"target": target, "from": "${__from}", "to": "${__to}", "points": "1000", "shape": "long"}
    return {
        "refId": reference(at),
        "type": "json",
        "source": "url",
        "parser": "backend",
        "format": "timeseries" if kind == "number" else "table",
        "url": "/api/data",
        "url_options": {"method": "GET", "params": [{"key": key, "value": value} for key, value in asked.items()]},
        "root_selector": "",
        "columns": [
            {"selector": "time", "text": "time", "type": "timestamp_epoch"},
            {"selector": "value", "text": target, "type": kind},
        ],
    }


_ROWS = _infinity("number")
DOORS = {
    each.name: each
    for each in (
        Door("prometheus", "prometheus", "sisock", _bands, _means, _newest, None, bands=True, bare=True, any_name=True),
        Door("simpod", "simpod-json-datasource", "sisock (JSON)", _simpod, _simpod, _simpod, _simpod),
        Door(
            "simplejson",
            "grafana-simple-json-datasource",
            "sisock (SimpleJSON)",
            _simplejson("timeserie"),
            _simplejson("timeserie"),
            _simplejson("timeserie"),
            _simplejson("table"),
        ),
        Door(
            "infinity", "yesoreyeram-infinity-datasource", "sisock (Infinity)", _ROWS, _ROWS, _ROWS, _infinity("string")
        ),
    )
}
