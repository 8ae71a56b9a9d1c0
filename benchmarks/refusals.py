"""How soon the bridge refuses what makes no sense, is too much or may not be asked, at each of its doors.

Router, hub, a node with 1,000 fields of a day and the bridge are processes; one connection asks each thing again and
again. An answer counts as a refusal where it is a status from 400 to 499 with a sentence; anything else ends the
benchmark. `python -m benchmarks.refusals [--tries 200]`; exit code 1 where one took longer than a second.
"""

import argparse
import contextlib
import http.client
import itertools
import json
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.common import Figure, machine, outcome, running, table
from benchmarks.nonsense import BEGIN, Bad, all_kinds, made_up
from sisock import settings as configuration
from sisock.testing.router import free_port, running_router

AIM = 1.0  # seconds
FIELDS = 1000
_LONGEST_WAIT = 60.0
NODE = f'''
import numpy as np
from sisock.frames import Field
from sisock.nodes import ArchivedNode

class Wide(ArchivedNode):
    """Many fields, a sample a minute for a day."""

    fields = {{f"field {{number}}": Field("made up", "samples", "number", "V") for number in range({FIELDS})}}
    t = (np.arange(1440) * 60 + {BEGIN}) * 10**9
    values = np.sin(np.arange(1440) / 100)

    def read(self, field, start, end):
        first, last = np.searchsorted(self.t, (start, end))
        return self.t[first:last], self.values[first:last]
'''


class Took(NamedTuple):
    """How long refusals took, in seconds, and which statuses they had."""

    seconds: list[float]
    statuses: set[int]


# asking -----------------------------------------------------------------------------------------


@contextlib.contextmanager
def bridge() -> Iterator[int]:
    """Router, hub, the node and bridge; the bridge's port."""
    port = free_port()
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as parts:
        folder = Path(name)
        (folder / "wide.py").write_text(NODE)
        principals = {"bridge": "consumer", "wide": "data_node"}
        router = parts.enter_context(
            running_router(folder / "state", principals, bridge_port=port, log_level="warning")
        )
        environment = configuration.environment(router.settings)
        for module in (["hub"], ["sisock", "node", str(folder / "wide.py")], ["grafana_json"]):
            parts.enter_context(running([sys.executable, "-P", "-m", *module], environment))
        yield port


class Asking:
    """One connection, made anew where the bridge closes it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_LONGEST_WAIT)

    def refused(self, bad: Bad) -> tuple[float, int]:
        """Seconds until it was refused, and the status; raises RuntimeError where it was not, or not in a sentence."""
        began = time.perf_counter()
        self._connection.request(bad.method, bad.path, bad.body, dict(bad.headers))
        answer = self._connection.getresponse()
        said = answer.read()
        took = time.perf_counter() - began
        told = json.loads(said) if said.startswith(b"{") else {}
        if not 400 <= answer.status < 500 or not _sentence(told):
            raise RuntimeError(f"{bad.door}, {bad.kind}: {answer.status} {said[:300]!r}")
        return took, answer.status

    def known(self) -> None:
        """Wait until the bridge knows the node's fields."""
        until = time.monotonic() + _LONGEST_WAIT
        while time.monotonic() < until:
            self._connection.request("GET", "/api/fields?node=wide")
            answer = self._connection.getresponse()
            if len(answer.read()) > FIELDS:
                return
        raise RuntimeError("the node does not tell its fields")


def _sentence(told: Any) -> bool:
    error = told.get("error")
    return bool(error.get("message") if isinstance(error, dict) else error)


def nonsense(port: int) -> tuple[float, int]:
    """Seconds until bytes that are no request are refused."""
    began = time.perf_counter()
    with socket.create_connection(("127.0.0.1", port), _LONGEST_WAIT) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\na b: c\r\n\r\n")
        said = connection.makefile("rb").read()
    return time.perf_counter() - began, int(said.split()[1])


def measured(port: int, tries: int) -> dict[tuple[str, str], Took]:
    """How long each door took for each kind."""
    asking, found = Asking(port), {}
    asking.known()
    for bad in all_kinds():
        found[bad.door, bad.kind] = _took([asking.refused(bad) for _ in range(tries)])
    found["/", "a made-up token"] = _took([asking.refused(bad) for bad in itertools.islice(made_up(), tries)])
    found["/", "no request"] = _took([nonsense(port) for _ in range(tries)])
    return found


def _took(answers: list[tuple[float, int]]) -> Took:
    return Took([seconds for seconds, _ in answers], {status for _, status in answers})


def main() -> int:
    """Measure and print; 1 where a refusal took too long."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tries", type=int, default=200, help="of each kind at each door")
    tries = parser.parse_args().tries
    with bridge() as port:
        found = measured(port, tries)
    shown = [("door, kind", "status", "p99, ms", "max, ms")]
    for (door, kind), took in found.items():
        p99, most = np.percentile(took.seconds, 99) * 1000, max(took.seconds) * 1000
        shown.append((f"{door}, {kind}", " ".join(map(str, sorted(took.statuses))), f"{p99:.1f}", f"{most:.1f}"))
    print(f"refusals: {tries} tries each; {machine()}\n{table(shown)}\n")
    every = [seconds for took in found.values() for seconds in took.seconds]
    figures = [
        Figure("the slowest refusal", max(every), AIM, "s"),
        Figure("p99 of the slowest kind", max(float(np.percentile(t.seconds, 99)) for t in found.values()), AIM, "s"),
    ]
    return outcome(figures)


if __name__ == "__main__":
    sys.exit(main())
