"""Requests a second through router, node and Grafana bridge, against a stand-in that works the original's way.

A month of 20,167 weather samples, one a minute, lies in a text file of two columns. Four clients, each a process
with one connection that stays open, ask the bridge for the whole month (a panel of 1000 points) or for four
samples, each time for another window; no answer is kept for another question. Ours: CBOR, typed columns, reduced by the node with every spike kept.

The stand-in (standins/original_bridge.py) runs on a plain Crossbar of its own. It parses the file at each request as far as the
window goes, sends lists as JSON and answers all samples; it signs nobody in, checks nothing and labels nothing.
With a file of a few hundred lines instead it has next to nothing to parse, and its four samples come faster than ours.

Every answer that is looked at (some of each client's) must be right: measured points only, and in a month the
extremes of every day. `python benchmarks/bridge.py [--seconds 6] [--clients 4]`; exit code 1 if one is wrong, or a figure is missed.
"""

import argparse
import contextlib
import itertools
import json
import multiprocessing
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.common import machine, running, table
from benchmarks.standins.original import standin
from sisock import settings as configuration
from sisock.testing import running_router
from sisock.testing.router import free_port

SAMPLES = 20_167
POINTS = 1000  # the width of the panel
BEGIN = 1_499_990_400  # 2017-07-14T00:00:00Z
FIGURES = {"month": (450, 25.0), "4 samples": (650, 1.6)}  # requests/s, times the stand-in
STANDIN = {"month": 18.7, "4 samples": 338.0}  # its requests/s where these were set: a slower machine owes us less
_DAY = 86_400
_LOOKED_AT = 25  # every so many-th answer of a client
_LONGEST_WAIT = 30.0  # seconds for an answer


class Month(NamedTuple):
    """The samples: UNIX times in seconds, and values, shape (20167,)."""

    t: NDArray[np.float64]
    values: NDArray[np.float64]


class Window(NamedTuple):
    """What is asked for, in ms since 1970."""

    start: int
    end: int


class Result(NamedTuple):
    """What a client did: requests, seconds, and the answers to look at."""

    requests: int
    seconds: float
    answers: list[tuple[Window, bytes]]


# what is asked ----------------------------------------------------------------------------------


def make_month(path: Path) -> Month:
    """Write the file; what is in it. A random walk with the rhythm of the day and sudden spikes."""
    random = np.random.default_rng(20170714)
    t = np.arange(BEGIN, BEGIN + 60 * SAMPLES, 60).astype(np.float64)
    values = np.cumsum(random.normal(0, 0.05, SAMPLES)) + 6 * np.sin(2 * np.pi * t / _DAY)
    spikes = random.choice(SAMPLES, 60, replace=False)
    values[spikes] += random.normal(0, 25, 60)
    values = np.asarray(values.round(3), np.float64)
    with path.open("w") as file:
        file.write("# Made for a benchmark.\n# minutely\n# km/h\n")
        file.writelines(f"{at:.1f} {value}\n" for at, value in zip(t.tolist(), values.tolist(), strict=True))
    return Month(t, values)


def month_window(number: int) -> Window:
    """A window with the whole month, another one for each number."""
    return Window(BEGIN * 1000 - 1 - number, (BEGIN + 60 * SAMPLES) * 1000 + number)


def short_window(number: int) -> Window:
    """A window with four samples, another one for each number."""
    start = (BEGIN + 60 * (number * 997 % (SAMPLES - 5))) * 1000 + 1 + number % 59_000
    return Window(start, start + 240_000)


def request(window: Window, port: int) -> bytes:
    """The query of a panel, as Grafana sends it."""
    times = {key: _iso(ms) for key, ms in zip(("from", "to"), window, strict=True)}
    body = json.dumps(
        {
            "panelId": 1,
            "range": times,
            "rangeRaw": times,
            "interval": "20m",
            "intervalMs": max(1, (window.end - window.start) // POINTS),
            "maxDataPoints": POINTS,
            "targets": [{"target": "weather::windspeed", "refId": "A", "type": "timeserie"}],
            "adhocFilters": [],
        }
    ).encode()
    head = f"POST /query HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def _iso(ms: int) -> str:
    return datetime.fromtimestamp(ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S") + f".{ms % 1000:03}Z"


# asking -----------------------------------------------------------------------------------------


def drive(job: tuple[str, int, int, int, float]) -> Result:
    """Ask one window after the other on one connection for so many seconds."""
    kind, port, client, clients, seconds = job
    make = month_window if kind == "month" else short_window
    answers = []
    with socket.create_connection(("127.0.0.1", port), _LONGEST_WAIT) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        began = time.monotonic()
        for count in itertools.count(1):
            window = make(count * clients + client)
            connection.sendall(request(window, port))
            answer = _receive(connection)
            if count % _LOOKED_AT == 1:
                answers.append((window, answer))
            took = time.monotonic() - began
            if took > seconds:
                break
    return Result(count, took, answers)


def _receive(connection: socket.socket) -> bytes:
    """The body of the next answer; raises RuntimeError for any status but 200."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += _more(connection)
    head, _, body = data.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    if lines[0].split()[1] != b"200":
        raise RuntimeError(f"the bridge answered {head.decode()}")
    lengths = [int(line[15:]) for line in lines if line.lower().startswith(b"content-length:")]
    if not lengths:
        raise RuntimeError("the bridge does not say how long its answer is")
    parts, missing = [body], lengths[0] - len(body)
    while missing > 0:
        parts.append(_more(connection))
        missing -= len(parts[-1])
    return b"".join(parts)


def _more(connection: socket.socket) -> bytes:
    data = connection.recv(1 << 18)
    if not data:
        raise RuntimeError("the bridge closed the connection")
    return data


# looking at the answers -------------------------------------------------------------------------


def wrong(kind: str, month: Month, window: Window, answer: bytes, *, most: int) -> str | None:
    """What is wrong with an answer; None if nothing is."""
    ((series),) = json.loads(answer)
    shown = {(ms, value) for value, ms in series["datapoints"]}
    inside = (month.t * 1000 >= window.start) & (month.t * 1000 < window.end)
    t, values = month.t[inside], month.values[inside]
    if len(series["datapoints"]) > most:
        return f"{len(series['datapoints'])} points are more than {most}"
    if not shown <= {(at * 1000, value) for at, value in zip(t.tolist(), values.tolist(), strict=True)}:
        return "there are points that were never measured"
    if kind != "month":
        return None if len(shown) == len(t) == 4 else f"{len(shown)} points are not the four"
    for day in np.unique(t // _DAY):
        of_day = np.flatnonzero(t // _DAY == day)
        there = [value for ms, value in shown if ms // (1000 * _DAY) == day]
        if values[of_day].min() not in there or values[of_day].max() not in there:
            return f"the extremes of {_iso(int(day) * _DAY * 1000)[:10]} are not in the answer"
    return None


# the two sides ----------------------------------------------------------------------------------


@contextlib.contextmanager
def ours(folder: Path) -> Iterator[int]:
    """Router, hub, weather node and bridge; the bridge's port."""
    (folder / "sisock.toml").write_text(f'[weather]\nfolder = "{folder / "archive"}"\n')
    port = free_port()
    with contextlib.ExitStack() as parts:
        principals = {"bridge": "consumer", "weather": "data_node"}
        options = {"bridge_port": port, "config": folder / "sisock.toml", "log_level": "warning", "bridge_memory": 0}
        router = parts.enter_context(running_router(folder / "state", principals, **options))
        environment = configuration.environment(router.settings)
        for module in (["hub"], ["sisock", "node", "weather"], ["grafana_json"]):
            parts.enter_context(running([sys.executable, "-P", "-m", *module], environment))
        yield port


# the run ----------------------------------------------------------------------------------------


def measure(
    side: Callable[[Path], contextlib.AbstractContextManager[int]],
    folder: Path,
    month: Month,
    options: argparse.Namespace,
) -> dict[str, float]:
    """Requests a second by what is asked; exits with a sentence where an answer is wrong."""
    rates = {}
    most = POINTS if side is ours else SAMPLES
    context = multiprocessing.get_context("spawn")
    with side(folder) as port, context.Pool(options.clients) as pool:
        for kind in FIGURES:
            for seconds in (min(1.0, options.seconds), options.seconds):  # the first one warms up
                jobs = [(kind, port, client, options.clients, seconds) for client in range(options.clients)]
                results = pool.map(drive, jobs, chunksize=1)
            for window, answer in (each for result in results for each in result.answers):
                fault = wrong(kind, month, window, answer, most=most)
                if fault:
                    raise SystemExit(f"wrong answer to {window} of {side.__name__}: {fault}")
            rates[kind] = sum(result.requests / result.seconds for result in results)
    return rates


def main() -> int:
    """Measure both sides and print the figures; 1 where one is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=6.0, help="length of each run")
    parser.add_argument("--clients", type=int, default=4)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "archive").mkdir()
        month = make_month(folder / "archive" / "windspeed.dat")
        before, now = (measure(side, folder, month, options) for side in (standin, ours))
    rows = [("query", "sisock/s", "stand-in/s", "ratio", "figure", "")]
    met = True
    for kind, (least, ratio) in FIGURES.items():
        owed = least * min(1.0, before[kind] / STANDIN[kind])
        good = now[kind] >= owed and now[kind] >= ratio * before[kind]
        met &= good
        rows.append(
            (
                kind,
                f"{now[kind]:.0f}",
                f"{before[kind]:.1f}",
                f"{now[kind] / before[kind]:.1f}",
                f">= {least}/s, here {owed:.0f}/s, and {ratio}x",
                "" if good else "below the figure",
            )
        )
    print(f"bridge: {options.clients} clients, {SAMPLES} samples; {machine()}\n{table(rows)}")
    return int(not met)


if __name__ == "__main__":
    sys.exit(main())
