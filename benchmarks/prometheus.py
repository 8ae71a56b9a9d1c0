"""PromQL over a year of 1 Hz: what a panel costs through bridge, router and recorder, against an hour of the same.

An archive of one field with a sample a second for a year, served by a recorder. Each panel has a thousand steps. Peer: Debian's
Prometheus with the last hour of the same samples (it would have to read all 31.5 million for the year), where it is installed.
Answers are compared: the hour's with the peer's, the year's with numpy's over the samples, as far as the windows of the answer
are known (they begin and end where stored bins do; the answer says so).

`python -m benchmarks.prometheus [--days 365] [--folder DIR]`; exit code 1 if a figure is missed or an answer is wrong.
An archive in `--folder` is used again.
"""

import argparse
import contextlib
import http.client
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.common import Figure, machine, table
from benchmarks.panels import bridge
from sisock.frames import Column, Field, Frame
from sisock.store.archive import Archive
from sisock.testing.router import free_port

BEGIN = 1_735_689_600  # 2025-01-01T00:00:00Z
STEPS = 1000
HOUR = 3600
_DAY = 86_400
_LOOKS = 30
_MS = 0.123  # seconds after the full second at which samples are
_METRIC = 'f0{field="f0",node="n",unit="V"}'
_WITHIN = 30.0  # seconds


def values_of(day: int) -> NDArray[np.float64]:
    """The samples of a day: noise on a slow sine, and a spike."""
    seconds = np.arange(day * _DAY, (day + 1) * _DAY)
    values: NDArray[np.float64] = np.random.default_rng(day).normal(size=_DAY) + 10 * np.sin(seconds / 1e6)
    values[_DAY // 3] += 100
    return values


def times_of(day: int) -> NDArray[np.int64]:
    """When these were, ns."""
    return (BEGIN + np.arange(day * _DAY, (day + 1) * _DAY)) * 10**9 + int(_MS * 1e9)


def fill(folder: Path, days: int) -> None:
    """Make the archive, unless it is there."""
    ready = folder / "ready"
    if ready.exists():
        return
    with Archive(folder) as archive:
        about = {"f0": Field(units="V", timeline="t")}
        for day in range(days):
            columns = {"f0": Column(values_of(day))}
            archive.put("n", Frame("t", times_of(day), columns, "epoch", (day + 1) * _DAY), about)
            archive.flush()
        archive.compact()
    ready.touch()


class Asking:
    """One connection that stays open."""

    def __init__(self, port: int) -> None:
        """Connect."""
        self._asked = 0  # windows that were asked for: each is another one, for answers are kept
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_WITHIN)

    def ask(self, query: str, start: int, end: int, step: int) -> dict[str, Any]:
        """The answer to a panel; raises RuntimeError where it is an error."""
        body = urllib.parse.urlencode({"query": query, "start": start, "end": end, "step": step})
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        self._connection.request("POST", "/api/v1/query_range", body, headers)
        answer: dict[str, Any] = json.loads(self._connection.getresponse().read())
        if answer["status"] != "success":
            raise RuntimeError(f"{query}: {answer['error']}")
        return answer

    def took(self, query: str, start: int, end: int, step: int) -> float:
        """Median ms of some looks, the window another one each time."""
        times = []
        for look in range(-3, _LOOKS):
            self._asked += 1
            began = time.perf_counter()
            self.ask(query, start + self._asked, end + self._asked, step)
            if look >= 0:
                times.append((time.perf_counter() - began) * 1e3)
        return statistics.median(times)


def series(answer: dict[str, Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Times and values of the only series."""
    ((only),) = answer["data"]["result"]
    listed = np.array(only["values"], np.float64)
    return listed[:, 0], listed[:, 1]


@contextlib.contextmanager
def peer(folder: Path, days: int) -> Iterator[int | None]:
    """A Prometheus with the last two hours; None where it is not installed."""
    programs = [shutil.which(name) for name in ("prometheus", "promtool")]
    if None in programs:
        print("prometheus is not installed: apt-get install prometheus")
        yield None
        return
    t, values = times_of(days - 1)[-2 * HOUR :], values_of(days - 1)[-2 * HOUR :]
    lines = [f"{_METRIC} {v!r} {at / 1e9:.3f}" for at, v in zip(t, values.tolist(), strict=True)]
    (folder / "samples").write_text("\n".join([*lines, "# EOF", ""]))
    (folder / "prometheus.yml").write_text("")
    prometheus, promtool = map(str, programs)
    make = [promtool, "tsdb", "create-blocks-from", "openmetrics", f"{folder}/samples", f"{folder}/data"]
    subprocess.run(make, check=True, capture_output=True)
    port = free_port()
    command = [
        *(prometheus, f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data"),
        *("--storage.tsdb.retention.time=100y", f"--web.listen-address=127.0.0.1:{port}", "--log.level=error"),
    ]
    with subprocess.Popen(command) as process:
        try:
            until = time.monotonic() + _WITHIN
            while time.monotonic() < until:
                with contextlib.suppress(OSError):
                    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
                    connection.request("GET", "/-/ready")
                    if connection.getresponse().status == 200:
                        break
                time.sleep(0.05)
            yield port
        finally:
            process.terminate()
            process.wait(_WITHIN)


def check_year(answer: dict[str, Any], days: int, step: int, name: str) -> str | None:
    """Where a year's answer cannot be: each value lies between what a little more and a little less time would give."""
    t, found = series(answer)
    every = np.concatenate([values_of(day) for day in range(days)])
    edge = step // 8  # windows of the answer begin and end that near to those that were asked for
    for at, value in zip(t.astype(int)[5:-5:97], found[5:-5:97], strict=True):
        end, start = at - BEGIN, at - BEGIN - step
        wide, narrow = every[max(0, start - edge) : end + edge], every[start + edge : end - edge]
        if name == "max" and not narrow.max() <= value <= wide.max():
            return f"max at {at} is {value}"
        if name == "avg" and abs(value - every[start:end].mean()) > 0.3:
            return f"avg at {at} is {value}, not {every[start:end].mean()}"
    return None


def measure(ours: Asking, theirs: Asking | None, days: int) -> Iterator[Figure]:
    """The figures; raises RuntimeError where an answer is wrong."""
    step = days * _DAY // (STEPS + 50) // 60 * 60
    year = BEGIN + 5 * step, BEGIN + (STEPS + 5) * step
    last = BEGIN + days * _DAY
    hour = last - HOUR - 1000, last - 1000
    for name in ("avg", "max"):
        long, short = f"{name}_over_time(f0[{step}s])", f"{name}_over_time(f0[4s])"
        wrong = check_year(ours.ask(long, *year, step), days, step, name)
        if wrong:
            raise RuntimeError(wrong)
        looks = [(ours.took(long, *year, step), ours.took(short, *hour, 4)) for _ in range(3)]
        of_year, of_hour = min(a for a, _ in looks), min(b for _, b in looks)
        yield Figure(f"{name}_over_time over {days} days, 1,000 steps", of_year, 80, "ms")
        yield Figure("… times that of an hour", min(a / b for a, b in looks), 3, "")
        yield Figure(f"{name}_over_time over an hour, 900 steps", of_hour, 50, "ms")
        if theirs is not None:
            _compare(ours.ask(short, *hour, 4), theirs.ask(short, *hour, 4), short)
            print(f"Prometheus, {short} over an hour: {theirs.took(short, *hour, 4):.2f} ms")
    for query, window, width in (("f0", year, step), (f"rate(f0[{step}s])", year, step), ("f0", hour, 4)):
        print(f"{query} over {(window[1] - window[0]) / _DAY:.3g} days: {ours.took(query, *window, width):.2f} ms")


def _compare(ours: dict[str, Any], theirs: dict[str, Any], query: str) -> None:
    for mine, other in zip(series(ours), series(theirs), strict=True):
        if not np.allclose(mine, other, rtol=1e-9):
            raise RuntimeError(f"{query}: the values are not those of Prometheus")


def main() -> int:
    """Print the figures; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--folder", type=Path, help="where the archive lies that is used again")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        place = options.folder or folder / "archive"
        began = time.perf_counter()
        fill(place, options.days)
        print(f"archive of {options.days * _DAY:,} samples: {time.perf_counter() - began:.1f} s", flush=True)
        (folder / "peer").mkdir()
        with bridge(place) as port, peer(folder / "peer", options.days) as theirs:
            figures = list(measure(Asking(port), None if theirs is None else Asking(theirs), options.days))
    print(f"{machine()}\n{table([('figure', 'measured', 'aim', ''), *(each.row() for each in figures)])}")
    return 0 if all(figure.met for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
