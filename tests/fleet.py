"""Hub and data nodes as processes of their own, beside a real router: to be asked, killed and stopped."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sisock import settings as configuration
from sisock.settings import Settings
from sisock.testing import Router, running_router

ROOT = Path(__file__).parents[1]
COUNTER = '''
from sisock.nodes import LiveNode

class Counter(LiveNode):
    """Counts, ten times a second."""

    interval = 0.1
    count = 0

    def sample(self):
        self.count += 1
        return {"count": self.count, "parity": "odd" if self.count % 2 else "even", "big": self.count > 5}
'''
ARCHIVE = '''
import numpy as np
from sisock.frames import Field
from sisock.nodes import ArchivedNode

class Archive(ArchivedNode):
    """A million seconds of 2017."""

    fields = {"sine": Field("a sine", "seconds", "number", "V"), "label": Field("a text", "seconds", "string")}
    t = np.arange(1_000_000) * 10**9 + 1_500_000_000 * 10**9

    def read(self, field, start, end):
        first, last = np.searchsorted(self.t, (start, end))
        t = self.t[first:last]
        if field == "sine":
            return t, np.sin(t / 1e11)
        return t, np.array([f"{each % 100:03}" for each in t // 10**9], np.dtypes.StringDType())
'''


class Fleet:
    """The processes of a test, by name."""

    def __init__(self, router: Router, folder: Path, within: Mapping[str, Sequence[str]] | None = None) -> None:
        """Run them with the router's state directory, their code in the folder; `within`: what goes before their commands."""
        self.router, self.folder, self.within = router, folder, dict(within or {})
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def settings(self) -> Settings:
        """The settings that all parts have."""
        return self.router.settings

    def run(self, name: str, *arguments: str) -> subprocess.Popen[bytes]:
        """Start a Python process and note it under this name; its output goes to a log beside the router's."""
        environment = {**configuration.environment(self.settings), "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
        with self.log(name).open("ab") as log:
            process = subprocess.Popen(
                [*self.within.get(name, ()), sys.executable, *arguments], env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True, cwd=self.folder,
            )  # fmt: skip
        self.processes[name] = process
        return process

    def log(self, name: str) -> Path:
        """Where a process writes to."""
        return self.settings.state / "logs" / f"{name}.log"

    def hub(self) -> None:
        """Start the hub."""
        self.run("hub", str(ROOT / "hub.py"))

    def node(self, name: str, code: str | None = None) -> subprocess.Popen[bytes]:
        """Start a data node from its code (or the code given at an earlier start)."""
        path = self.folder / f"{name}.py"
        if code is not None:
            path.write_text(code)
        return self.run(name, "-m", "sisock", "node", str(path))

    def kill(self, name: str, how: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal to a process and all its own; wait for its end where it ends."""
        process = self.processes[name]
        os.killpg(process.pid, how)
        if how in (signal.SIGKILL, signal.SIGTERM):
            process.wait(15)

    def stop(self, name: str) -> None:
        """Stop a process as a hanging machine does."""
        self.kill(name, signal.SIGSTOP)

    def resume(self, name: str) -> None:
        """Let a stopped process go on."""
        self.kill(name, signal.SIGCONT)

    def end(self) -> None:
        """End all that still run."""
        for process in self.processes.values():
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGCONT)
                os.killpg(process.pid, signal.SIGTERM)
        for process in self.processes.values():
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(10)


@contextmanager
def running_fleet(
    folder: Path,
    principals: dict[str, Any] | None = None,
    within: Mapping[str, Sequence[str]] | None = None,
    **settings: Any,
) -> Iterator[Fleet]:
    """A router, a hub, and the consumers `cli` (sees all) and `bridge` (sees what is not sensitive)."""
    folder.mkdir(parents=True, exist_ok=True)
    given = {"cli": {"role": "consumer", "sensitive": True}, "bridge": "consumer", **(principals or {})}
    with running_router(folder / "state", given, **settings) as router:
        fleet = Fleet(router, folder, within)
        try:
            fleet.hub()
            yield fleet
        finally:
            fleet.end()
