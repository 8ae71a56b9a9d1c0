"""Panels of an archive as Grafana asks for them: through bridge, router and recorder."""

import contextlib
import http.client
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.common import running
from sisock import settings as configuration
from sisock.testing import running_router
from sisock.testing.router import free_port

_PANELS = 300
_WARM = 20  # before those that count
_POINTS = 1000


@contextlib.contextmanager
def bridge(folder: Path) -> Iterator[int]:
    """Router, hub, a recorder that has this archive, and bridge; the bridge's port."""
    port = free_port()
    with tempfile.TemporaryDirectory() as state, contextlib.ExitStack() as parts:
        principals = {"bridge": "consumer", "recorder": "recorder"}
        options = {"bridge_port": port, "archive": str(folder), "log_level": "warning"}
        router = parts.enter_context(running_router(Path(state), principals, **options))
        environment = configuration.environment(router.settings)
        for module in (["hub"], ["sisock", "node", "recorder"], ["grafana_json"]):
            parts.enter_context(running([sys.executable, "-P", "-m", *module], environment))
        yield port


def panels(port: int, whole: tuple[int, int], fields: int, seed: int) -> list[float]:
    """Milliseconds of each panel of windows of every length anywhere in a time (its begin, its length; ns), one after the other."""
    rng, took, (begin, widest) = np.random.default_rng(seed), list[float](), whole
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    targets = [{"target": f"n::f{i}", "refId": f"R{i}", "type": "timeserie"} for i in range(fields)]
    for number in range(-_WARM, _PANELS):
        span = int(10 ** rng.uniform(8, np.log10(widest)))
        start = begin + int(rng.uniform(0, widest - span))
        window = {"from": _iso(start), "to": _iso(start + span)}
        body = json.dumps(
            {"panelId": 1, "range": window, "intervalMs": 1, "maxDataPoints": _POINTS, "targets": targets}
        )
        began = time.perf_counter()
        connection.request("POST", "/query", body, {"Content-Type": "application/json"})
        answer = connection.getresponse().read()
        if number >= 0:
            took.append((time.perf_counter() - began) * 1e3)
        series = json.loads(answer)
        assert len(series) == fields, f"{len(series)} series: {answer[:500]!r}"
        assert all(each["datapoints"] for each in series) or span < 10**9, f"a panel is empty: {window}"
    connection.close()
    return took


def _iso(ns: int) -> str:
    return f"{np.datetime64(ns // 10**6, 'ms')}Z"
