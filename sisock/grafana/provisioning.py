"""All that Grafana is provisioned with, as texts of files, and how these come into a folder."""

import contextlib
import os
import tempfile
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from sisock.durable import sync
from sisock.grafana import bridge_dashboard, fleet_dashboard
from sisock.grafana.alerting import alerting
from sisock.grafana.doors import DOORS, Door
from sisock.grafana.marking import as_json, as_yaml, is_ours
from sisock.grafana.node_dashboard import node_dashboard
from sisock.grafana.seen import NODE_UID, Seen, uid
from sisock.grafana.sources import Bridge, data_sources, provider

_SOURCES = "The bridge as Grafana's data source."
_PROVIDER = "The dashboards beside this file."
_RULES = "Examples of alert rules, paused: copy what you want to a file of your own, and set isPaused: false."
DASHBOARDS = PurePosixPath("dashboards")
_MODE = 0o644  # Grafana runs as somebody else; there is no secret in it


def dashboard_file(uid: str) -> str:
    """The file of a dashboard, in the folder."""
    return str(DASHBOARDS / f"{uid}.json")


def node_file(node: str) -> str:
    """The file of a node's dashboard, in the folder."""
    return dashboard_file(uid(NODE_UID, node))


class Pages:
    """The dashboards of nodes as texts, each made once and again where its node is another."""

    def __init__(self, doors: Sequence[Door]) -> None:
        """Ask through these doors."""
        self._doors = doors
        self._made: dict[str, tuple[Seen, str]] = {}

    def of(self, node: Seen) -> str:
        """The dashboard of the node."""
        before = self._made.get(node.name)
        if before is None or before[0] != node:
            before = self._made[node.name] = (node, as_json(node_dashboard(node, self._doors)))
        return before[1]


def files(
    nodes: Sequence[Seen], doors: Sequence[Door], bridge: Bridge, folder: str, pages: Pages | None = None
) -> dict[str, str]:
    """The texts by their names in the folder, which Grafana sees as `folder`: the same for the same nodes, in any order.

    `pages` remembers dashboards that were made for the same doors.
    """
    ordered, made = sorted(nodes, key=lambda node: node.name), dict[str, str]()
    pages = pages or Pages(doors)
    for node in ordered:  # first: what links to them comes later
        made[dashboard_file(node.uid)] = pages.of(node)
    made[dashboard_file(fleet_dashboard.UID)] = as_json(fleet_dashboard.fleet_dashboard(ordered, doors))
    made[dashboard_file(bridge_dashboard.UID)] = as_json(bridge_dashboard.bridge_dashboard())
    made[str(DASHBOARDS / "sisock.yaml")] = as_yaml(provider(str(PurePosixPath(folder) / DASHBOARDS)), _PROVIDER)
    if DOORS["prometheus"] in doors:
        made["alerting/sisock.yaml"] = as_yaml(alerting(ordered, DOORS["prometheus"]), _RULES)
    made["datasources/sisock.yaml"] = as_yaml(data_sources(doors, bridge), _SOURCES)
    return made


class Written(NamedTuple):
    """Names of files: those made, changed or removed, and those that were left because somebody edited them."""

    changed: tuple[str, ...]
    edited: tuple[str, ...]


def write(folder: Path, texts: Mapping[str, str], keep: Collection[str] = ()) -> Written:
    """Bring the texts into the folder, each file whole or not at all; those of `keep` only where they are missing.

    What is there and is not ours, or was edited, stays as it is. Raises OSError.
    """
    changed, edited = list[str](), list[str]()
    for name, text in texts.items():
        path = folder / name
        there = _read(path)
        if there == text or (there is not None and name in keep):
            continue
        if there is not None and not is_ours(there):
            edited.append(name)
            continue
        _put(path, text)
        changed.append(name)
    return Written(tuple(changed), tuple(edited))


def remove(folder: Path, names: Iterable[str]) -> Written:
    """Take these files away where they are ours and nobody has edited them. Raises OSError."""
    removed, edited = list[str](), list[str]()
    for name in names:
        there = _read(folder / name)
        if there is not None and is_ours(there):
            (folder / name).unlink(missing_ok=True)
            removed.append(name)
        elif there is not None:
            edited.append(name)
    return Written(tuple(removed), tuple(edited))


def _read(path: Path) -> str | None:
    """What the file holds, None where there is none; what is no text is nobody's but its author's."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return None


def _put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            os.fchmod(file.fileno(), _MODE)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise
    sync(path.parent)
