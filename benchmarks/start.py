"""How long the whole demo takes to be ready, and what it takes of memory.

`sisock up` with its usual nodes: seconds from the command to `ready`, beside a bare router of its own (Crossbar with
our configuration, from the command to the open port); resident memory of each node beside a Python that only did the
node's imports; and the proportional set size of all processes together, in which shared pages count once.

`python benchmarks/start.py [--seconds 20]`; exit code 1 if a figure is not reached.
"""

import argparse
import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.common import ROOT, end, machine, running, table
from sisock import settings as configuration
from sisock.settings import Settings
from sisock.testing.router import free_port

NODES = ("weather", "sensors", "lsof", "host")
READY, OVER_IMPORTS, DEMO = 15.0, 15.0, 850.0  # s, MB, MB
_BARE = """
import sys
import sisock.program, sisock.serving
from sisock.cli import main, plugins
kinds = plugins.find(sys.argv[1])
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmRSS")))
"""


def main() -> int:
    """Measure and print; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--seconds", type=float, default=20.0, help="of life before memory is read (lsof scans each 15)"
    )
    seconds = parser.parse_args().seconds
    print(machine())
    router = _router_alone()
    with _demo() as (process, ready):
        time.sleep(seconds)  # the demo lives: what it takes then is the question
        memory = _memory(process)
    print(
        f"\nready after {ready:.1f} s (at most {READY:g}), {ready / router:.1f} times a router alone ({router:.1f} s)\n"
    )
    over = _print_nodes(memory)
    total = sum(pss for _, _, pss in memory)
    print(f"\nall {len(memory)} processes: {total:.0f} MB PSS (at most {DEMO:g})")
    return int(ready > READY or over > OVER_IMPORTS or total > DEMO)


def _settings(folder: str) -> Settings:
    return configuration.read(
        state=Path(folder) / "state", router_port=free_port(), bridge_port=free_port(), nodes=",".join(NODES)
    )


def _environment(settings: Settings) -> dict[str, str]:
    return {**configuration.environment(settings), "PYTHONPATH": str(ROOT)}


def _router_alone() -> float:
    """Seconds from the command to the open port of a router without anything else."""
    with tempfile.TemporaryDirectory() as folder:
        settings = _settings(folder)
        environment = _environment(settings)
        subprocess.run([sys.executable, "-m", "sisock", "init", "--principals", "hub"], env=environment, check=True, stdout=subprocess.DEVNULL)  # fmt: skip
        began = time.monotonic()
        quiet = subprocess.DEVNULL
        process = subprocess.Popen([sys.executable, "-m", "sisock.router"], env=environment, stdout=quiet, stderr=quiet)
        try:
            while not _accepts(settings.router_port):
                if time.monotonic() - began > 60 or process.poll() is not None:
                    raise RuntimeError("the router did not open its port")
                time.sleep(0.02)
            return time.monotonic() - began
        finally:
            end(process)


def _accepts(port: int) -> bool:
    with socket.socket() as trial:
        return trial.connect_ex(("127.0.0.1", port)) == 0


@contextlib.contextmanager
def _demo() -> Iterator[tuple[int, float]]:
    """The process id of a running `sisock up`, and the seconds until it was ready."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.monotonic()
        with running([sys.executable, "-m", "sisock", "up"], _environment(_settings(folder))) as process:
            yield process.pid, time.monotonic() - began


def _memory(supervisor: int) -> list[tuple[str, float, float]]:
    """Name, resident MB and proportional MB of each process of the demo."""
    pids, found = [supervisor], []
    while pids:
        pid = pids.pop(0)
        pids += [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
        name = Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ").strip()
        found.append((name, _value(pid, "status", "VmRSS:"), _value(pid, "smaps_rollup", "Pss:")))
    return found


def _value(pid: int, file: str, name: str) -> float:
    """A figure of a process in MB."""
    lines = Path(f"/proc/{pid}/{file}").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(name))


def _print_nodes(memory: list[tuple[str, float, float]]) -> float:
    """Print the nodes; the most that one takes over its imports, in MB."""
    rows = [("node", "resident MB", "bare imports MB", "over MB", "ratio")]
    most = 0.0
    for name in NODES:
        resident = next(rss for command, rss, _ in memory if command.endswith(f" node {name}"))
        bare = _bare(name)
        most = max(most, resident - bare)
        rows.append((name, f"{resident:.1f}", f"{bare:.1f}", f"{resident - bare:.1f}", f"{resident / bare:.2f}"))
    print(table(rows))
    print(f"\neach at most {OVER_IMPORTS:g} MB over its imports: {most:.1f}")
    return most


def _bare(name: str) -> float:
    """Resident MB of a Python that has imported what the node imports, and no more."""
    argv = [sys.executable, "-c", _BARE, name]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}  # noqa: TID251  # the settings do not matter here
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=True)
    return int(done.stdout) / 1024


if __name__ == "__main__":
    sys.exit(main())
