"""InfluxDB 1.x as a peer, where Debian's `influxd` is installed: the same samples, the same bins."""

import contextlib
import http.client
import json
import shutil
import statistics
import subprocess
import tempfile
import time
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sisock.testing.router import free_port

_LINES = 50_000  # of one request
_STARTS_WITHIN = 20.0  # seconds


def installed() -> bool:
    """Whether it is here."""
    return shutil.which("influxd") is not None


class Influx:
    """A server of its own, in a temporary folder."""

    def __init__(self, port: int) -> None:
        """Speak to the server at this port of this machine."""
        self._port = port

    def _ask(self, method: str, path: str, body: bytes | None = None, **query: str) -> bytes:
        """The body of the answer; raises RuntimeError where it is refused."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=300)
        with contextlib.closing(connection):
            connection.request(method, f"{path}?{urllib.parse.urlencode(query)}", body)
            answer = connection.getresponse()
            found = answer.read()
        if answer.status >= 300:
            raise RuntimeError(f"InfluxDB: {found[:200]!r}")
        return found

    def wait(self) -> None:
        """Wait until it answers; raises OSError where it does not."""
        until = time.monotonic() + _STARTS_WITHIN
        while True:
            try:
                self._ask("GET", "/ping")
            except OSError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.1)
            else:
                return

    def fill(self, t: NDArray[np.int64], values: NDArray[np.float64]) -> float:
        """Write samples, t in ns; the seconds that it took."""
        self._ask("POST", "/query", q="CREATE DATABASE n")
        began = time.perf_counter()
        for first in range(0, len(t), _LINES):
            some = slice(first, first + _LINES)
            lines = (f"n f0={value} {at}" for at, value in zip(t[some].tolist(), values[some].tolist(), strict=True))
            self._ask("POST", "/write", "\n".join(lines).encode(), db="n", precision="ns")
        return time.perf_counter() - began

    def bins(self, start: int, end: int, width: int) -> tuple[list[list[float]], float]:
        """[start of bin, min, max, mean] of each bin of `width` ns that has samples; the median of milliseconds."""
        sql = (
            f"SELECT min(f0), max(f0), mean(f0) FROM n WHERE time >= {start} AND time < {end} "
            f"GROUP BY time({width}ns) fill(none)"
        )
        took, body = [], b""
        for _ in range(5):
            began = time.perf_counter()
            body = self._ask("GET", "/query", db="n", epoch="ns", q=sql)
            took.append((time.perf_counter() - began) * 1e3)
        return json.loads(body)["results"][0]["series"][0]["values"], statistics.median(took)


@contextlib.contextmanager
def running() -> Iterator[Influx]:
    """A server for as long as the block lasts."""
    with tempfile.TemporaryDirectory() as name:
        folder, port, other = Path(name), free_port(), free_port()
        config = folder / "influxdb.conf"
        config.write_text(
            f'reporting-disabled = true\nbind-address = "127.0.0.1:{other}"\n'
            f'[meta]\ndir = "{folder}/meta"\n[data]\ndir = "{folder}/data"\nwal-dir = "{folder}/wal"\n'
            f'[http]\nbind-address = "127.0.0.1:{port}"\nlog-enabled = false\n[monitor]\nstore-enabled = false\n'
        )
        with (folder / "log").open("wb") as log:
            server = subprocess.Popen(["influxd", "-config", str(config)], stdout=log, stderr=log)
        try:
            made = Influx(port)
            made.wait()
            yield made
        finally:
            server.terminate()
            server.wait(30)
