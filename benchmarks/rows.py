"""A million rows through node, router and bridge as Arrow, CSV and JSON, and an answer that is known against a full one.

Peers in the same run, on the same values: `pandas.to_csv` (of Arrow, too) and `pandas.to_json` into memory, without any
asking and sending. `python -m benchmarks.rows`; exit code 1 where an aim is missed.
"""

import contextlib
import http.client
import io
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from benchmarks.common import Figure, machine, outcome, running, table
from sisock import settings as configuration
from sisock.testing.router import free_port, running_router

ROWS = 1_000_000
BEGIN = 1_500_000_000  # UNIX seconds
_TIMES = 5  # each is measured; the median counts
_KNOWN = 200  # requests with the tag of the answer
NODE = f'''
import numpy as np
from sisock.frames import Field
from sisock.nodes import ArchivedNode

class Archive(ArchivedNode):
    """A noisy sine every second, and more after it."""

    fields = {{"sine": Field("a sine", "seconds", "number", "V")}}
    t = (np.arange({ROWS} + 1000) + {BEGIN}) * 10**9
    values = np.sin(np.arange({ROWS} + 1000) / 1e4) + np.random.default_rng(1).normal(0, 0.01, {ROWS} + 1000)

    def read(self, field, start, end):
        first, last = np.searchsorted(self.t, (start, end))
        return self.t[first:last], self.values[first:last]
'''
URL = f"/api/data?target=archive::sine&from={BEGIN}&to={BEGIN + ROWS}&points={ROWS}&shape=wide&format="
AIMS = {"csv": 1.0, "json": 0.5, "arrow": 3.0}  # of the peer's speed, which neither asks nor sends


@contextlib.contextmanager
def bridge() -> Iterator[int]:
    """Router, hub, the node and bridge; the bridge's port."""
    port = free_port()
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as parts:
        folder = Path(name)
        (folder / "archive.py").write_text(NODE)
        principals = {"bridge": "consumer", "archive": "data_node"}
        router = parts.enter_context(
            running_router(folder / "state", principals, bridge_port=port, log_level="warning")
        )
        environment = configuration.environment(router.settings)
        for module in (["hub"], ["sisock", "node", str(folder / "archive.py")], ["grafana_json"]):
            parts.enter_context(running([sys.executable, "-P", "-m", *module], environment))
        yield port


def get(connection: http.client.HTTPConnection, form: str, headers: dict[str, str]) -> tuple[float, int, str, bytes]:
    """Seconds to the end of the answer, its status, tag and body."""
    began = time.perf_counter()
    connection.request("GET", URL + form, headers=headers)
    answer = connection.getresponse()
    body = answer.read()
    return time.perf_counter() - began, answer.status, answer.getheader("ETag", ""), body


def median(measure: Callable[[], float]) -> float:
    """The median of some, after one that warms up."""
    measure()
    return statistics.median(measure() for _ in range(_TIMES))


def timed(work: Callable[[], Any]) -> float:
    """Seconds that it takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def peers(frame: pd.DataFrame) -> dict[str, float]:
    """Seconds by form, of the same table written into memory."""
    as_csv = median(lambda: timed(lambda: frame.to_csv(io.StringIO(), index=False)))
    as_json = median(lambda: timed(lambda: frame.to_json(io.StringIO(), orient="records")))
    return {"csv": as_csv, "json": as_json, "arrow": as_csv}


def read(form: str, body: bytes) -> pd.DataFrame:
    """The table that an answer is, times in ms."""
    if form == "csv":
        return pd.read_csv(io.BytesIO(body))
    if form == "json":
        return pd.read_json(io.BytesIO(body), precise_float=True)
    made: pd.DataFrame = pa.ipc.open_stream(body).read_all().to_pandas()
    made["time"] = made["time"].astype("int64") // 10**6
    return made


def main() -> int:
    """Measure and print the figures; 1 where an aim is missed."""
    rows = [("a million rows", "s", "MB", "MB/s", "peer, s", "of its speed")]
    figures: list[Figure] = []
    with bridge() as port:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        bodies = {form: get(connection, form, {})[3] for form in AIMS}
        frames = {form: read(form, body) for form, body in bodies.items()}
        first = frames["arrow"]
        assert len(first) == ROWS, f"{len(first)} rows came"
        assert all(np.array_equal(each.to_numpy(), first.to_numpy()) for each in frames.values()), "forms differ"
        known = peers(first)
        took = {form: median(lambda form=form: get(connection, form, {})[0]) for form in AIMS}  # type: ignore[misc]
        for form, seconds in took.items():
            size = len(bodies[form]) / 1e6
            speed = known[form] / seconds
            rows.append(
                (form, f"{seconds:.2f}", f"{size:.1f}", f"{size / seconds:.0f}", f"{known[form]:.2f}", f"{speed:.2f}")
            )
            figures.append(Figure(f"{form}: of the peer's speed", speed, AIMS[form], "", at_least=True))
        for form, coding in (("csv", "gzip"), ("csv", "zstd"), ("arrow", "zstd")):
            size = len(get(connection, form, {"Accept-Encoding": coding})[3]) / 1e6
            seconds = median(lambda f=form, c=coding: get(connection, f, {"Accept-Encoding": c})[0])  # type: ignore[misc]
            plain = len(bodies[form]) / 1e6
            rows.append((f"{form}, {coding}", f"{seconds:.2f}", f"{size:.1f}", f"{plain / seconds:.0f}", "", ""))
        _, _, tag, _ = get(connection, "csv", {})
        unchanged = [get(connection, "csv", {"If-None-Match": tag})[:2] for _ in range(_KNOWN)]
        assert {status for _, status in unchanged} == {304}, "the answer was not known again"
        seconds = statistics.median(each for each, _ in unchanged)
        rows.append(("csv, unchanged (304)", f"{seconds:.4f}", "0", "", "", ""))
        figures.append(Figure("304 against the full answer", took["csv"] / seconds, 100, "times", at_least=True))
    print(f"rows: {ROWS:,} rows of time and value; {machine()}\n{table(rows)}\n")
    return outcome(figures)


if __name__ == "__main__":
    sys.exit(main())
