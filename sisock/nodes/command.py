"""A node around a command: fixed arguments, no shell, limits on time and output."""

import asyncio
import contextlib
import os
import secrets
import signal
import subprocess
from functools import cached_property
from typing import Any

from sisock.leftovers import end_marked
from sisock.nodes.base import RING, Opener, check_written
from sisock.nodes.live import PATIENCE, LiveNode, LiveService
from sisock.nodes.threads import Threads
from sisock.settings import inherited

_STDERR_SHOWN = 200
_MARK = "SISOCK_COMMAND"  # in the environment of a command and of all that it starts
_REAPED = 0.2  # seconds within which a killed process is gone, unless a disk or network keeps it
_CHUNK = 2**18  # bytes read at once


class CommandError(Exception):
    """A command could not be run, took too long, printed too much or failed; says which."""


class CommandNode(LiveNode):
    """Run a command every `interval` seconds; `parse` makes samples of what it printed, as `sample` would."""

    argv: tuple[str, ...] = ()
    timeout: float = 10.0  # seconds
    max_output: int = 64 * 2**20  # bytes
    exits: tuple[int, ...] = (0,)  # exit codes that are no failure
    cure: str = "install it"  # what to do where the command is missing

    def parse(self, output: str) -> Any:
        """Samples in what the command printed; runs in a thread."""
        raise NotImplementedError

    async def sample(self) -> Any:
        """Run the command once."""
        output = await run_command(self.argv, self.timeout, self.max_output, self.exits, self.cure)
        return await self._parser.run(self.parse, output)

    @cached_property
    def _parser(self) -> Threads:
        """A thread of this node's own: one that hangs keeps no other node waiting."""
        return Threads(f"{type(self).__name__}-parse", most=1)

    def service(self, *, ring: int = RING, journal: Opener | None = None) -> LiveService:
        """This node at work, with `ring` bytes of memory for recent samples, and a journal if it can be opened."""
        if (
            not isinstance(self.argv, (tuple, list))
            or not self.argv
            or not all(isinstance(each, str) for each in self.argv)
        ):
            raise TypeError(
                f"{type(self).__name__}.argv is {self.argv!r:.80}: give program and arguments, as in ('sensors', '-j')"
            )
        if not isinstance(self.timeout, (int, float)) or not self.timeout > 0:
            raise ValueError(f"{type(self).__name__}.timeout is {self.timeout!r:.80}: give seconds, above 0")
        check_written(self, CommandNode, "parse")
        service = LiveService(self, ring=ring, journal=journal, patience=self.timeout + PATIENCE)
        service.kind = "command"
        return service


async def run_command(
    argv: tuple[str, ...],
    timeout: float = 10.0,
    max_output: int = 64 * 2**20,
    exits: tuple[int, ...] = (0,),
    cure: str = "install it",
) -> str:
    """What the command printed; raises CommandError. Nothing that it started is left running, wherever that went."""
    mark = secrets.token_hex(8)
    process = _start(argv, cure, mark)
    code = None
    try:
        async with asyncio.timeout(timeout):
            output, complaint = await _outputs(process, max_output)
            code = await _exit_code(process)
    except TimeoutError as error:
        raise CommandError(f"{argv[0]!r} did not end within {timeout:g} s and was stopped") from error
    except OverflowError as error:
        raise CommandError(f"{argv[0]!r} printed more than {max_output} bytes and was stopped") from error
    finally:
        if code is None:
            _kill(process)
        end_marked(f"{_MARK}={mark}\0".encode())
        for pipe in filter(None, (process.stdout, process.stderr)):
            pipe.close()
    if code not in exits:
        said = " ".join(complaint.decode(errors="replace").split())[:_STDERR_SHOWN]
        raise CommandError(f"{argv[0]!r} ended with exit code {code}{': ' if said else ''}{said}")
    return output.decode("utf-8", "replace")


def _start(argv: tuple[str, ...], cure: str, mark: str) -> subprocess.Popen[bytes]:
    """The command, started in a process group of its own; what it starts inherits the mark.

    Not by asyncio: there (Python 3.11) a task that is cancelled while it starts a process never ends.
    """
    nothing, pipe, env = subprocess.DEVNULL, subprocess.PIPE, inherited(**{_MARK: mark})
    try:
        return subprocess.Popen(
            argv, stdin=nothing, stdout=pipe, stderr=pipe, bufsize=0, env=env, start_new_session=True
        )
    except FileNotFoundError as error:
        raise CommandError(f"the command {argv[0]!r} is not installed (or not in PATH): {cure}") from error
    except OSError as error:
        raise CommandError(f"the command {argv[0]!r} cannot be run: {error.strerror}") from error


async def _outputs(process: subprocess.Popen[bytes], most: int) -> list[bytes]:
    """All that comes out of stdout and stderr; raises OverflowError where one is beyond so many bytes."""
    loop, some = asyncio.get_running_loop(), asyncio.Event()
    came = {pipe: bytearray() for pipe in (process.stdout, process.stderr) if pipe is not None}
    waiting = set(came)
    for pipe in came:
        os.set_blocking(pipe.fileno(), False)
        loop.add_reader(pipe, some.set)
    try:
        while waiting:
            await some.wait()
            some.clear()
            for pipe in list(waiting):
                piece = pipe.read(_CHUNK)  # None: nothing yet, empty: the end
                came[pipe] += piece or b""
                if len(came[pipe]) > most:
                    raise OverflowError
                if piece == b"":
                    waiting.remove(pipe)
                    loop.remove_reader(pipe)
    finally:
        for pipe in waiting:
            loop.remove_reader(pipe)
    return [bytes(each) for each in came.values()]


async def _exit_code(process: subprocess.Popen[bytes]) -> int:
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    descriptor = os.pidfd_open(process.pid)
    loop.add_reader(descriptor, ended.set)
    try:
        await ended.wait()
        return process.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Kill the command and its children, and reap it. It may have ended before them: the group still has its number."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_REAPED)
