"""What benchmarks share: parts of sisock as processes, and tables."""

import contextlib
import os
import platform
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
READY_WITHIN = 60.0  # seconds; a loaded machine is slow
_ENDS_WITHIN = 10.0


@contextlib.contextmanager
def running(argv: Sequence[str], environment: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program that tells when it is ready (sisock/notify.py), for as long as the block lasts.

    Raises RuntimeError with what it said where it does not become ready.
    """
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ready:
        log = Path(folder) / "log"
        ready.bind(f"{folder}/ready")
        given = {**environment, "NOTIFY_SOCKET": f"{folder}/ready", "PYTHONPATH": str(ROOT)}
        with log.open("wb") as output:
            process = subprocess.Popen(argv, env=given, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        try:
            if not _is_ready(ready, process):
                raise RuntimeError(f"{' '.join(argv)} did not become ready:\n{log.read_text(errors='replace')[-4000:]}")
            yield process
        finally:
            end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    """End a process as a supervisor does; kill it where it does not end in time."""
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(_ENDS_WITHIN)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(_ENDS_WITHIN)


def _is_ready(ready: socket.socket, process: subprocess.Popen[bytes]) -> bool:
    ended = os.pidfd_open(process.pid)
    try:
        while ready.fileno() in select.select([ready.fileno(), ended], [], [], READY_WITHIN)[0]:
            if ready.recv(4096).startswith(b"READY=1"):
                return True
        return False
    finally:
        os.close(ended)


def machine() -> str:
    """The machine and the Python that the figures are of."""
    return f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()} {platform.release()}, Python {sys.version.split()[0]}"


def table(rows: Sequence[Sequence[str]]) -> str:
    """Rows, the first of them the head, as aligned columns; the first column is text, the others are figures."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = (
        "  ".join(
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    )
    return "\n".join(lines)


class Figure(NamedTuple):
    """One figure against its aim."""

    what: str
    measured: float
    aim: float
    unit: str
    at_least: bool = False

    @property
    def met(self) -> bool:
        """Whether it is what it should be."""
        return self.measured >= self.aim if self.at_least else self.measured <= self.aim

    def row(self) -> list[str]:
        """What, measured, aim, whether met."""
        sign = "≥" if self.at_least else "≤"
        return [self.what, f"{self.measured:.3g} {self.unit}", f"{sign} {self.aim:g}", "" if self.met else "MISSED"]


def outcome(figures: Iterable[Figure]) -> int:
    """Print the figures against their aims; the exit code: 1 where one is missed."""
    every = list(figures)
    print(table([["figure", "measured", "aim", ""], *(figure.row() for figure in every)]))
    return int(not all(figure.met for figure in every))
