"""Whole dashboards through bridge, router and recorder, as Grafana asks for them: all panels at once, again and again.

A dashboard is 12 panels of 4 series, 1,000 points each, of a year with a sample each second that ends now. First each time
another window, so that no answer is used twice; then with a data node that was stopped in one of the panels; then as ten
people look at it, each of them again every 5 s. What such a dashboard costs is told in seconds of computing of all
processes, against the stand-in of benchmarks/bridge.py, which is given a month of minutes instead of the year.
At last a hub with 10,000 fields: names for a search box and for filters.

`python -m benchmarks.dashboards [--days 365] [--folder F]`; exit code 1 if a figure is missed.
"""

import argparse
import contextlib
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import psutil

from benchmarks import bridge
from benchmarks.any_zoom import noise
from benchmarks.browsers import Browser
from benchmarks.common import Figure, machine, outcome, running
from benchmarks.standins.original import standin
from sisock import settings as configuration
from sisock.frames import Column, Field, Frame
from sisock.store.archive import Archive
from sisock.testing import running_router
from sisock.testing.router import free_port
from sisock.times import NS

PANELS, SERIES, POINTS, FIELDS = 12, 4, 1000, 8
DASHBOARDS = 40  # that are looked at one after the other
VIEWERS, EVERY, ROUNDS = 10, 5.0, 6  # people, seconds until each looks again, how often
DEADLINE = 1.0  # seconds that the bridge waits for a node
NAMES = 10_000
_BATCH = 262_144
_DAY = 86_400
NODES = f'''
from sisock.nodes import LiveNode


class Many(LiveNode):
    """Has many fields."""

    interval = 60.0

    def sample(self):
        return {{f"sensor {{number:04}} temperature": float(number) for number in range({NAMES} // 10)}}


class Stopped(LiveNode):
    """Is stopped."""

    name = "stopped"

    def sample(self):
        return {{"count": 1.0}}


for number in range(10):
    globals()[f"Many{{number}}"] = type(f"Many{{number}}", (Many,), {{"name": f"many{{number}}"}})
del Many
'''


class Place(NamedTuple):
    """What runs: the bridge's port, all processes, and the one that can be stopped."""

    port: int
    processes: list[int]
    node: int


def fill(folder: Path, days: int) -> int:
    """An archive with a sample of each field a second for so many days until now; the end, UNIX seconds."""
    ready = folder / "ready"
    if ready.exists():
        return int(ready.read_text())
    end = int(time.time())
    archive, begin, rows = Archive(folder), end - days * _DAY, days * _DAY
    about = {f"f{i}": Field(units="V", timeline="t") for i in range(FIELDS)}
    for first in range(0, rows, _BATCH):
        count = min(_BATCH, rows - first)
        t = (np.arange(first, first + count) + begin) * NS
        columns = {name: Column(noise(first + i, count)) for i, name in enumerate(about)}
        archive.put("n", Frame("t", t, columns, "epoch", first + count), about)
        archive.flush()
    archive.compact()
    archive.close()
    ready.write_text(str(end))
    return end


@contextlib.contextmanager
def house(archive: Path) -> Iterator[Place]:
    """Router, hub, recorder, nodes with many fields, and bridge."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as parts:
        code = Path(folder) / "nodes.py"
        code.write_text(NODES)
        principals = {"bridge": "consumer", "recorder": "recorder", "stopped": "data_node"}
        principals |= {f"many{number}": "data_node" for number in range(10)}
        options = {"bridge_port": port, "archive": str(archive), "log_level": "error", "bridge_deadline": DEADLINE}
        router = parts.enter_context(
            running_router(Path(folder) / "state", principals, **options, ping_interval=60.0, ping_timeout=60.0)
        )
        environment = configuration.environment(router.settings)
        modules = (["hub"], ["sisock", "node", "recorder"], ["sisock", "node", str(code)], ["grafana_json"])
        started = [parts.enter_context(running([sys.executable, "-P", "-m", *each], environment)) for each in modules]
        assert router.process is not None
        yield Place(port, [router.process.pid, *(each.pid for each in started)], started[2].pid)


# asking -----------------------------------------------------------------------------------------


def dashboard(start: float, end: float, panels: int = PANELS) -> list[Any]:
    """Its panels, for a window in UNIX seconds."""
    window = {"from": _iso(start), "to": _iso(end)}
    return [
        {
            "range": window,
            "intervalMs": 1,
            "maxDataPoints": POINTS,
            "targets": [
                {"target": f"n::f{(panel + i) % FIELDS}", "refId": f"R{i}", "type": "timeserie"} for i in range(SERIES)
            ],
        }
        for panel in range(panels)
    ]


def _iso(seconds: float) -> str:
    return f"{np.datetime64(int(seconds * 1000), 'ms')}Z"


def look(browser: Browser, end: int, days: int, seed: int) -> list[float]:
    """Milliseconds of all panels of many dashboards, each panel with another window."""
    random, took = np.random.default_rng(seed), []
    for _ in range(DASHBOARDS):
        asked = [
            dashboard(end - days * _DAY + random.uniform(0, 9 * _DAY), end - random.uniform(0, 9 * _DAY))[panel]
            for panel in range(PANELS)
        ]
        each, answers = browser.panels(asked)
        assert all(len(series["datapoints"]) > POINTS / 2 for answer in answers for series in json.loads(answer))
        took += each
    return took


def figures(folder: Path, days: int) -> Iterator[Figure]:
    """All of them."""
    end = fill(folder, days)
    with house(folder) as place:
        browser = Browser(place.port)
        look(browser, end, days, 0)
        took = min((look(browser, end, days, seed) for seed in (1, 2, 3)), key=lambda each: np.percentile(each, 95))
        print(f"a panel of a dashboard: median {np.median(took):.0f} ms", flush=True)
        yield Figure("12 panels of 4 series of a year: p95 until a panel is there", _p95(took), 150, "ms")
        yield from stopped(browser, place, end, days)
        yield from names(browser)
        ours = viewers(place, end, days)
    theirs = original()
    print(f"a dashboard costs {ours * 1e3:.1f} ms of computing, the stand-in's {theirs * 1e3:.0f} ms", flush=True)
    yield Figure("the same dashboard, 10 viewers every 5 s: against the stand-in", theirs / ours, 100, "times", True)


def stopped(browser: Browser, place: Place, end: int, days: int) -> Iterator[Figure]:
    """One panel has a series of a node that was stopped."""
    os.kill(place.node, signal.SIGSTOP)
    others, one = list[float](), list[float]()
    try:
        for number in range(8):
            asked = dashboard(end - days * _DAY + 1e5 * number, end)
            asked[0]["targets"][3]["target"] = "stopped::count"
            took, answers = browser.panels(asked)
            assert b"did not answer" in answers[0], answers[0][-300:]
            one.append(took[0])
            others += took[1:]
    finally:
        os.kill(place.node, signal.SIGCONT)
    yield Figure("a node stopped: the panel that shows it", max(one), DEADLINE * 1e3 + 150, "ms")
    yield Figure("a node stopped: p95 of the other panels", _p95(others), 150, "ms")


def names(browser: Browser) -> Iterator[Figure]:
    """What is offered while somebody types or chooses."""
    asked: dict[str, Callable[[int], tuple[str, Any]]] = {
        "/search": lambda number: ("POST", {"target": f"{number:03}"}),
        "/tag-values": lambda _: ("POST", {"key": "field"}),
        "/api/v1/label/__name__/values": lambda _: ("GET", None),
        "/api/v1/label/field/values": lambda _: ("GET", None),
    }
    for path, make in asked.items():
        browser.ask(path, *make(0))
        took = []
        for number in range(60):
            began = time.perf_counter()
            found = json.loads(browser.ask(path, *make(number)))
            took.append((time.perf_counter() - began) * 1e3)
            assert found
        yield Figure(f"{NAMES:,} fields: {path}, p95", _p95(took), 50, "ms")


def viewers(place: Place, end: int, days: int) -> float:
    """Seconds of computing of all processes for a dashboard, as ten people look at it."""
    browsers = [Browser(place.port, 2) for _ in range(VIEWERS)]

    def view(number: int) -> None:
        time.sleep(EVERY * number / VIEWERS)
        for _ in range(ROUNDS):
            began = time.monotonic()
            now = end + (time.time() - started)
            browsers[number].panels(dashboard(now - days * _DAY, now))
            time.sleep(max(0.0, EVERY - (time.monotonic() - began)))

    started = time.time()
    before = computed(place.processes)
    with ThreadPoolExecutor(VIEWERS) as pool:
        list(pool.map(view, range(VIEWERS)))
    return (computed(place.processes) - before) / (VIEWERS * ROUNDS)


def original() -> float:
    """Seconds of computing of the stand-in for a dashboard: it is asked for each series."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "archive").mkdir()
        bridge.make_month(folder / "archive" / "windspeed.dat")
        with standin(folder) as port:
            browser = Browser(port, 4)
            asked = json.loads(bridge.request(bridge.month_window(1), port).partition(b"\r\n\r\n")[2])
            here = [each.pid for each in psutil.Process().children()]
            browser.panels([asked] * 4)
            before = computed(here)
            browser.panels([asked] * PANELS * SERIES)
            return computed(here) - before


def computed(pids: Sequence[int]) -> float:
    """Seconds of computing of these processes and those that they started."""
    whole = 0.0
    for pid in pids:
        process = psutil.Process(pid)
        for each in (process, *process.children(recursive=True)):
            whole += sum(each.cpu_times()[:2])
    return whole


def _p95(took: Sequence[float]) -> float:
    return float(np.percentile(took, 95))


def main() -> int:
    """Print the figures; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--folder", type=Path, help="where the archive lies that is used again")
    given = parser.parse_args()
    with contextlib.ExitStack() as stack:
        folder = given.folder or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        found = list(figures(folder, given.days))
    print(f"{given.days} days, a sample a second; {machine()}")
    return outcome(found)


if __name__ == "__main__":
    raise SystemExit(main())
