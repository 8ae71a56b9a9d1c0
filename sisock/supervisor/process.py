"""One run of a part: a process group that ends when this process does, its output in a log."""

import asyncio
import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence

from sisock.supervisor.log import Log

_CHUNK = 65536
_PR_SET_PDEATHSIG = 1  # prctl(2)


class Process:
    """A process in a session of its own. `ended` is done with its exit code (negative: the signal) once it is gone."""

    def __init__(self, argv: Sequence[str], env: Mapping[str, str], log: Log) -> None:
        """Start it. Raises OSError where that cannot be done."""
        self._loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[int] = self._loop.create_future()
        self.started = time.monotonic()
        self._log = log
        self._output, writing = os.pipe()
        os.set_blocking(self._output, False)
        try:
            self._popen = subprocess.Popen(
                argv,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=writing,
                stderr=writing,
                start_new_session=True,
                preexec_fn=_die_with_us(),  # noqa: PLW1509  # it only calls prctl; this process has one thread
            )
        except BaseException:
            os.close(self._output)
            raise
        finally:
            os.close(writing)
        self._loop.add_reader(self._output, self._read)

    @property
    def pid(self) -> int:
        """Process id, and id of the process group."""
        return self._popen.pid

    @property
    def age(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.started

    def poll(self) -> None:
        """Look whether the process has ended: take what it last said, end what it left, and set `ended`."""
        code = self._popen.poll()
        if code is None or self.ended.done():
            return
        self._signal_group(signal.SIGKILL)
        for _ in range(16):  # enough for a full pipe; a stranger may still hold the other end
            if self._output < 0 or not self._read():
                break
        self._close()
        self.ended.set_result(code)

    async def stop(self, grace: float) -> None:
        """End the process: ask, and after `grace` seconds kill its whole group."""
        if not self.ended.done():
            self._popen.terminate()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(self.ended), grace)
        self._signal_group(signal.SIGKILL)
        await self.ended

    def _signal_group(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)

    def _read(self) -> bool:
        """Move what there is to read into the log; false if there was nothing."""
        try:
            output = os.read(self._output, _CHUNK)
        except BlockingIOError:
            return False
        if output:
            self._log.write(output)
        else:
            self._close()
        return bool(output)

    def _close(self) -> None:
        if self._output >= 0:
            self._loop.remove_reader(self._output)
            os.close(self._output)
            self._output = -1


def _die_with_us() -> Callable[[], None] | None:
    """What a child does before it becomes its program: ask Linux to be killed when its parent dies."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl
    parent = os.getpid()

    def die_with_us() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before we asked
            os._exit(1)

    return die_with_us
