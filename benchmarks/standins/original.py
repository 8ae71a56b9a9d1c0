"""Runs the stand-in of benchmarks/bridge.py: router, node and bridge that work the original's way."""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.common import end, running
from sisock.testing.router import free_port


@contextlib.contextmanager
def standin(folder: Path) -> Iterator[int]:
    """A plain Crossbar with JSON, and a node of folder/archive and a bridge beside it; the bridge's port."""
    router_port, port = free_port(), free_port()
    cbdir = folder / "crossbar"
    cbdir.mkdir()
    (cbdir / "config.json").write_text(json.dumps(_plain_router(router_port)))
    log = (cbdir / "log").open("wb")
    crossbar = Path(sys.executable).with_name("crossbar")
    router = subprocess.Popen([crossbar, "start", "--cbdir", cbdir, "--loglevel", "error"], stdout=log, stderr=log)
    url = f"ws://127.0.0.1:{router_port}/ws"
    program = str(Path(__file__).with_name("original_bridge.py"))
    try:
        environment = dict(os.environ)  # noqa: TID251  # what the stand-in shall see
        with (
            running([sys.executable, program, "node", url, str(folder / "archive")], environment),
            running([sys.executable, program, "bridge", url, str(port)], environment),
        ):
            yield port
    finally:
        end(router)
        log.close()


def _plain_router(port: int) -> dict[str, Any]:
    everything = {"uri": "", "match": "prefix", "allow": {"call": True, "register": True}}
    realm = {"name": "test_realm", "roles": [{"name": "anonymous", "permissions": [everything]}]}
    websocket = {
        "type": "websocket",
        "serializers": ["json"],
        "auth": {"anonymous": {"type": "static", "role": "anonymous"}},
    }
    transport = {
        "type": "web",
        "endpoint": {"type": "tcp", "port": port, "interface": "127.0.0.1"},
        "paths": {"ws": websocket, "/": {"type": "json", "value": {}}},
    }
    return {"version": 2, "workers": [{"type": "router", "realms": [realm], "transports": [transport]}]}
