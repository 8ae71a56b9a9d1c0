"""A running `sisock up` with a small node, and its command line, for tests."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import psutil

from sisock.testing.router import free_port

ROOT = Path(__file__).parents[1]
WAVE = '''
import math, time
from sisock.frames import Field
from sisock.nodes import LiveNode

class Wave(LiveNode):
    """A sine of one minute."""

    interval = 0.2
    tags = ("pier",)
    fields = {"level": Field("how high", units="m")}

    def sample(self):
        return {"level": math.sin(time.time() / 10)}
'''
PINGS = {"SISOCK_PING_INTERVAL": "1", "SISOCK_PING_TIMEOUT": "1"}  # so that a stopped part is noticed in 2 s
HEALED = 5.0  # seconds after the port is open again


def environment(state: Path, **more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SISOCK_")}
    return {**kept, "PYTHONPATH": str(ROOT), "SISOCK_STATE": str(state), **PINGS, **more}


def sisock(state: Path, *arguments: str, typed: str | None = None, **more: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end; `typed`: its standard input."""
    argv = [sys.executable, "-m", "sisock", *arguments]
    return subprocess.run(
        argv, env=environment(state, **more), input=typed, capture_output=True, text=True, timeout=60, check=False
    )


class Up:
    """A running `sisock up`."""

    def __init__(self, folder: Path, *options: str, nodes: str = "", **more: str) -> None:
        self.state, self.router_port, self.bridge_port = folder / "state", free_port(), free_port()
        wave = folder / "wave.py"
        wave.write_text(WAVE)
        ports = ("--router-port", str(self.router_port), "--bridge-port", str(self.bridge_port))
        argv = [sys.executable, "-m", "sisock", "up", *ports, "--nodes", nodes or str(wave), *options]
        self.log = folder / "up.txt"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(argv, env=environment(self.state, **more), stdout=log, stderr=log)

    @property
    def told(self) -> str:
        return self.log.read_text()

    def until_ready(self) -> "Up":
        wait_for(lambda: "Ctrl-C stops" in self.told or self.process.poll() is not None, 60)
        if "Ctrl-C stops" not in self.told:
            self.interrupt()
            raise AssertionError(self.told)
        return self

    def pid(self, part: str) -> int:
        """Process id of a part now."""
        mark = f"NOTIFY_SOCKET={self.state}/run/{part}".encode()
        for each in psutil.Process(self.process.pid).children():
            if mark in Path(f"/proc/{each.pid}/environ").read_bytes().split(b"\0"):
                return each.pid
        raise LookupError(part)

    def worker(self) -> int:
        """Process id of the router's worker, which holds the port."""
        return psutil.Process(self.pid("router")).children()[0].pid

    def processes(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def interrupt(self) -> int:
        """Press Ctrl-C; the exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(30)

    def works(self) -> bool:
        """The node is listed as up, answers with samples of the last seconds, and the bridge sees the hub."""
        listed = sisock(self.state, "ls", "--json", "--deadline", "1")
        if listed.returncode or {node["name"]: node["state"] for node in json.loads(listed.stdout)}.get("wave") != "up":
            return False
        got = sisock(self.state, "get", "wave::level", "--last", "2s", "--format", "json", "--deadline", "1")
        return not got.returncode and bool(json.loads(got.stdout)[0]["values"]) and self.bridge_works()

    def bridge_works(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.bridge_port}/", timeout=1) as answer:
                return answer.status == 200
        except OSError:
            return False


def wait_for(true: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"not so within {seconds} s"
        time.sleep(0.02)


def healed(up: Up) -> bool:
    """All works again, and the look that found it so began in time, however long the looking itself took."""
    began = time.monotonic()
    while time.monotonic() < began + HEALED:
        if up.works():
            return True
    return False


def open_port(port: int) -> bool:
    with socket.socket() as trial:
        trial.settimeout(0.5)
        return trial.connect_ex(("127.0.0.1", port)) == 0


def all_gone(processes: list[psutil.Process]) -> bool:
    return not [each for each in processes if each.is_running() and each.status() != psutil.STATUS_ZOMBIE]
