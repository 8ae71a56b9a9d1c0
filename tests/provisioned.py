"""Data nodes of many kinds, and what Grafana is provisioned with for them."""

import functools
import json
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from sisock.frames import Field
from sisock.grafana.doors import DOORS
from sisock.grafana.provisioning import files
from sisock.grafana.seen import Seen, seen
from sisock.grafana.sources import Bridge
from sisock.nodes import health
from tests.grafana_types import every_panel

BRIDGE = Bridge("http://bridge:5000", "$__file{/secrets/bridge.token}")
FOLDER = "/etc/grafana/provisioning"
ODD = 'say "x"\\(y|z).*$[°]'
HOST = {
    "cpu": Field("how busy", units="%"),
    **{f"cpu/{core}": Field(units="%") for core in range(12)},
    "load/1": Field(units="processes"),
    "memory/used": Field(units="B"),
    "memory/usage": Field(units="%"),
    **{f"network/eth{at}/{what}": Field(units="B/s") for at in range(8) for what in ("sent", "received")},
    "door": Field("whether it is open", type="bool"),
    "mode": Field(type="string"),
    ODD: Field(units="furlong"),
    **health.FIELDS,
}
WIDE = {f"{chr(97 + at % 26)}{at}/value": Field(units="K") for at in range(500)}
DAY = 86400 * 10**9


def fleet() -> list[Seen]:
    """A machine, an archive, one with many fields, one with none, one in the old way, one with a long name."""
    return [
        seen("host", "this machine", HOST),
        seen("weather", "an archive", {"a/t": Field(units="°C")} | health.FIELDS, "archive", (DAY * 15000 + 5, DAY * 16000 + 5)),
        seen("wide", "", WIDE | health.FIELDS),
        seen("empty", "nothing yet", {}),
        seen("old", "in the old way", {"x": Field(), "y": Field()}),
        seen("n" * 63, "", {"x": Field()} | health.FIELDS),
    ]  # fmt: skip


def provisioned(doors: Sequence[str] = ("prometheus",), nodes: Sequence[Seen] | None = None) -> dict[str, str]:
    """The texts of all files."""
    return dict(_usual(tuple(doors))) if nodes is None else _made(doors, nodes)


@functools.cache
def _usual(doors: tuple[str, ...]) -> dict[str, str]:
    return _made(doors, fleet())


def _made(doors: Sequence[str], nodes: Sequence[Seen]) -> dict[str, str]:
    return files(nodes, [DOORS[door] for door in doors], BRIDGE, FOLDER)


def dashboards(doors: Sequence[str] = ("prometheus",)) -> dict[str, dict[str, Any]]:
    """The dashboards by their uids."""
    made = [json.loads(text) for name, text in provisioned(doors).items() if name.endswith(".json")]
    return {each["uid"]: each for each in made}


def parsed(name: str, doors: Sequence[str] = ("prometheus",), nodes: Sequence[Seen] | None = None) -> Any:
    """What one of the files in YAML says."""
    return yaml.safe_load(provisioned(doors, nodes)[name])


def expressions(dashboard: Mapping[str, Any]) -> str:
    """What its panels ask in PromQL, a line each."""
    return "\n".join(target.get("expr", "") for panel in every_panel(dashboard) for target in panel.get("targets", ()))
