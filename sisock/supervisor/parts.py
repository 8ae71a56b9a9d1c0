"""Which parts `sisock up` runs, each as a command line."""

import sys
import sysconfig
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from sisock.interfaces import reachable
from sisock.settings import Settings, environment


class Part(NamedTuple):
    """One process. Parts of the highest wave are stopped first; `port` is (host, port) where that says it is ready.

    Without a part that is `needed` nothing works.
    """

    name: str
    argv: Sequence[str]
    wave: int = 2
    port: tuple[str, int] | None = None
    needed: bool = False


def plan(settings: Settings, *, bridge: bool = True) -> list[Part]:
    """The parts of a complete sisock with the nodes of the settings: router, hub, bridge, one process a node.

    Raises ValueError with the cure if two would have the same name.
    """
    router = (reachable(settings.interface), settings.router_port)
    parts = [
        Part("router", _module("sisock.router"), 0, router, needed=True),
        Part("hub", _module("hub"), 1, needed=True),
    ]
    if bridge:
        parts.append(Part("bridge", _module("grafana_json")))
    for word in words(settings.nodes):
        if part_name(word) in [part.name for part in parts]:
            raise ValueError(f"--nodes: there is already a part called {part_name(word)!r}: give {word} another name")
        parts.append(Part(part_name(word), _module("sisock", "node", word)))
    return parts


def words(nodes: str) -> list[str]:
    """The names and files in a comma-separated list of nodes, each once."""
    return list(dict.fromkeys(word.strip() for word in nodes.split(",") if word.strip()))


def part_name(word: str) -> str:
    """How the part of a node is called: by the node's name, or by the name of its file."""
    return Path(word).stem if word.endswith((".py", ".toml")) else word


def child_environment(settings: Settings) -> Mapping[str, str]:
    """The environment of the parts: the settings, unbuffered output, and where a checkout lies."""
    # Crossbar writes its title over its environment, by which `state.end_left_behind` knows our processes
    env = environment(settings) | {"PYTHONUNBUFFERED": "1", "SPT_NOENV": "1"}
    root = str(Path(__file__).parents[2])
    if root != sysconfig.get_path("purelib"):
        env["PYTHONPATH"] = ":".join(filter(None, (root, env.get("PYTHONPATH"))))
    return env


def _module(*arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-P", "-m", *arguments)
