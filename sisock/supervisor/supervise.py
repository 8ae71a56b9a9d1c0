"""Start parts, start again what dies, and stop all of them in order."""

import asyncio
import contextlib
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple, Self

from sisock.exits import Exit
from sisock.supervisor.log import Log
from sisock.supervisor.parts import Part
from sisock.supervisor.process import Process
from sisock.supervisor.readiness import NotifySocket, accepting

FIRST, LAST = 0.2, 5.0  # seconds before a part is started again: at first, doubling to at most
HEALTHY = 30.0  # seconds of life after which the next delay is the first again
HELD = 30.0  # seconds before another try where trying again at once is no use
NO_USE = (Exit.USAGE, Exit.NAME_TAKEN)
GRACE = 5.0  # seconds between asking a part to end and killing it
TRIES = 3  # deaths after which the others no longer wait for a part


class Change(NamedTuple):
    """A part came up (`text`: what it says of itself), went down (why), or is held back (its last line)."""

    part: str
    state: Literal["up", "down", "held"]
    text: str
    seconds: float  # up: since it was started; otherwise: until it is started again


class Supervisor:
    """Keeps the parts alive while it is entered; calls `report` once per change of a part's state.

    folder: where sockets (`run/`) and logs (`logs/`) lie.
    """

    def __init__(
        self, parts: Sequence[Part], env: Mapping[str, str], folder: Path, report: Callable[[Change], None]
    ) -> None:
        self._kept = [_Kept(part, env, folder, report) for part in parts]

    async def __aenter__(self) -> Self:
        asyncio.get_running_loop().add_signal_handler(signal.SIGCHLD, self._poll)
        for kept in self._kept:
            kept.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        for wave in sorted({kept.part.wave for kept in self._kept}, reverse=True):
            await asyncio.gather(*(kept.stop() for kept in self._kept if kept.part.wave == wave))
        asyncio.get_running_loop().remove_signal_handler(signal.SIGCHLD)

    async def settled(self, timeout: float) -> list[str]:
        """Wait until each part is up or has failed often enough, or one that is needed has; those that are not up."""
        waiting = {asyncio.create_task(kept.settled.wait()): kept for kept in self._kept}
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                while waiting and not self.hopeless():
                    done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                    for task in done:
                        waiting.pop(task)
        for task in waiting:
            task.cancel()
        return self.missing()

    def hopeless(self) -> list[str]:
        """The names of the parts that are needed and failed often enough."""
        return [kept.part.name for kept in self._kept if kept.part.needed and kept.settled.is_set() and not kept.up]

    def missing(self) -> list[str]:
        """The names of the parts that are not up."""
        return [kept.part.name for kept in self._kept if not kept.up]

    def last_line(self, name: str) -> str:
        """What the part last said."""
        return next((kept.log.last for kept in self._kept if kept.part.name == name), "")

    def _poll(self) -> None:
        for kept in self._kept:
            if kept.process:
                kept.process.poll()


class _Ended(NamedTuple):
    """How a life of a part ended, after so many seconds, and whether another try at once is no use."""

    why: str
    age: float
    no_use: bool = False


class _Kept:
    """One part, started again whenever it dies."""

    def __init__(self, part: Part, env: Mapping[str, str], folder: Path, report: Callable[[Change], None]) -> None:
        self.part, self.up, self.settled = part, False, asyncio.Event()
        self.process: Process | None = None
        self._report = report
        self._notify = NotifySocket(folder / "run" / part.name, self._is_up)
        self._env = {**env, "NOTIFY_SOCKET": str(self._notify.path)}
        self.log = Log(folder / "logs" / f"{part.name}.log")
        self._told = Change(part.name, "down", "", 0.0)
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._keep())

    async def stop(self) -> None:
        if self._task:
            self._task.cancel()
            await asyncio.wait([self._task])
        if self.process:
            await self.process.stop(GRACE)
        self._notify.close()
        self.log.close()

    async def _keep(self) -> None:
        delay, failures = FIRST, 0
        while True:
            ended = await self._live()
            failures = 0 if self.up else failures + 1
            self.up = False
            if ended.age > HEALTHY:
                delay = FIRST
            pause = HELD if ended.no_use else delay
            self._tell(Change(self.part.name, "held" if ended.no_use else "down", ended.why, pause))
            if ended.no_use or failures >= TRIES:
                self.settled.set()
            await asyncio.sleep(pause)
            delay = min(2 * delay, LAST)

    async def _live(self) -> "_Ended":
        """Start the part and wait for its end; that it cannot be started is an end, too."""
        try:
            self.process = Process(self.part.argv, self._env, self.log)
        except (OSError, subprocess.SubprocessError) as error:
            self.process = None
            return _Ended(f"cannot be started: {error}", 0.0)
        code = await self._end(self.process)
        return _Ended(_why(code, self.log.last), self.process.age, no_use=code in NO_USE)

    def _tell(self, change: Change) -> None:
        """Report the change, unless it is the same trouble once more."""
        if change[:3] != self._told[:3]:
            self._report(change)
        self._told = change

    async def _end(self, process: Process) -> int:
        """Wait for the end of the process, and meanwhile for its port where it has one; its exit code."""
        port = asyncio.create_task(self._watch_port()) if self.part.port else None
        try:
            return await asyncio.shield(process.ended)
        finally:
            if port:
                port.cancel()

    async def _watch_port(self) -> None:
        host, port = self.part.port or ("", 0)
        await accepting(host, port)
        self._is_up("")

    def _is_up(self, status: str) -> None:
        if self.process and not self.up:
            self.up = True
            self._tell(Change(self.part.name, "up", status, self.process.age))
            self.settled.set()


def _why(code: int, last_line: str) -> str:
    if code in NO_USE:
        return last_line
    if code < 0:
        return f"ended by {signal.Signals(-code).name}"
    return f"ended with exit code {code}" + (f": {last_line}" if last_line else "")
